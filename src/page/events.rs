//! What has happened in a page since its present action began, by the events of its CDP session; and which of these events
//! the action expects.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, de::DeserializeOwned};

use super::pattern::matches;
use crate::{
    api_types::{DialogAnswer, DialogType, Exchange, Expect, ExpectExchange, PageDialogInfo, PageException, cut},
    browser::InternalEvent,
};

/// Most entries of each list.
pub(super) const MOST: usize = 20;
/// Most bytes of a text.
const TEXT_MOST: usize = 1000;
/// Most bytes of a URL.
const URL_MOST: usize = 2048;
/// Most requests whose methods are remembered until their responses arrive.
const REQUESTS_MOST: usize = 1000;

/// What has happened. It is cloned with the state of the page, so it is behind an `Arc` there.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    /// What the action expects.
    pub(super) wanted: Expect,
    pub(super) dialogs: Vec<PageDialogInfo>,
    pub(super) downloads: Vec<Begun>,
    pub(super) chooser: Option<Chooser>,
    pub(super) errors: Vec<PageException>,
    pub(super) omitted: u32,
    /// How often the page asked for a new window.
    pub(super) windows: u64,
    /// Whether Chrome keeps objects of console messages for this CDP session.
    pub(super) has_console_objects: bool,
    /// The expected ones that came.
    pub(super) navigation: Option<String>,
    pub(super) download: Option<Begun>,
    pub(super) request: Option<Exchange>,
    pub(super) response: Option<Exchange>,
    /// The last URL that was requested.
    pub(super) last_url: String,
    /// The methods of requests, by request id.
    methods: HashMap<String, String>,
}

/// A download that the page began.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Begun {
    pub(super) guid: String,
    pub(super) url: String,
    pub(super) suggested_filename: String,
}

/// A file chooser of the page.
#[derive(Clone, Debug)]
pub(super) struct Chooser {
    pub(super) frame: String,
    pub(super) node: i64,
    pub(super) multiple: bool,
    /// How many files it was given.
    pub(super) files: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChooserOpened {
    frame_id: String,
    mode: String,
    backend_node_id: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Thrown {
    exception_details: Exception,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Exception {
    text: String,
    #[serde(default)]
    line_number: u32,
    url: Option<String>,
    #[serde(rename = "exception")]
    thrown: Option<Described>,
}

#[derive(Deserialize)]
struct Described {
    description: Option<String>,
    value: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Requested {
    request_id: String,
    request: RequestOf,
}

#[derive(Deserialize)]
struct RequestOf {
    url: String,
    method: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Responded {
    request_id: String,
    response: ResponseOf,
}

#[derive(Deserialize)]
struct ResponseOf {
    url: String,
    status: u32,
}

impl Events {
    /// Those of an action that expects this.
    pub(super) fn expecting(wanted: Expect) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Whether the events of requests are needed.
    pub(super) fn needs_network(wanted: &Expect) -> bool {
        wanted.request.is_some() || wanted.response.is_some()
    }

    /// Takes an event in. Returns whether anything has changed for those who wait.
    pub(super) fn on_event(&mut self, event: &InternalEvent) -> bool {
        match &*event.method {
            "Page.windowOpen" => {
                self.windows += 1;
                true
            }
            "Page.downloadWillBegin" => {
                let Some(begun) = read::<Begun>(event) else { return false };
                let wanted = self.wanted.download.as_ref();
                if self.download.is_none() && wanted.is_some_and(|wanted| is_url(wanted.url.as_deref(), &begun.url)) {
                    self.download = Some(begun.clone());
                }
                if Self::has_room(self.downloads.len(), &mut self.omitted) {
                    self.downloads.push(begun);
                }
                true
            }
            "Page.fileChooserOpened" => {
                let Some(opened) = read::<ChooserOpened>(event) else { return false };
                let Some(node) = opened.backend_node_id else { return false };
                let multiple = opened.mode == "selectMultiple";
                self.chooser = Some(Chooser { frame: opened.frame_id, node, multiple, files: 0 });
                true
            }
            "Runtime.exceptionThrown" => {
                if Self::has_room(self.errors.len(), &mut self.omitted)
                    && let Some(thrown) = read::<Thrown>(event)
                {
                    self.errors.push(exception(thrown.exception_details));
                }
                false
            }
            "Runtime.consoleAPICalled" => {
                self.has_console_objects = true;
                false
            }
            "Network.requestWillBeSent" if Self::needs_network(&self.wanted) => self.on_request(read(event)),
            "Network.responseReceived" if self.wanted.response.is_some() => self.on_response(read(event)),
            _ => false,
        }
    }

    fn has_room(length: usize, omitted: &mut u32) -> bool {
        let has_room = length < MOST;
        if !has_room {
            *omitted = omitted.saturating_add(1);
        }
        has_room
    }

    fn on_request(&mut self, requested: Option<Requested>) -> bool {
        let Some(Requested { request_id, request: RequestOf { url, method } }) = requested else { return false };
        cut(&url, URL_MOST).clone_into(&mut self.last_url);
        if self.request.is_none() && is_wanted(self.wanted.request.as_ref(), &url, Some(&method)) {
            let method = Some(method.clone());
            self.request = Some(Exchange { url: cut(&url, URL_MOST).to_owned(), method, status: None });
        }
        if self.wanted.response.is_some() && self.response.is_none() && self.methods.len() < REQUESTS_MOST {
            self.methods.insert(request_id, method);
        }
        true
    }

    fn on_response(&mut self, responded: Option<Responded>) -> bool {
        let Some(Responded { request_id, response: ResponseOf { url, status } }) = responded else { return false };
        let method = self.methods.remove(&request_id);
        if self.response.is_none() && is_wanted(self.wanted.response.as_ref(), &url, method.as_deref()) {
            self.response = Some(Exchange { url: cut(&url, URL_MOST).to_owned(), method, status: Some(status) });
        }
        true
    }

    /// The page has navigated.
    pub(super) fn on_navigated(&mut self, url: &str) {
        let wanted = self.wanted.navigation.as_ref();
        if self.navigation.is_none() && wanted.is_some_and(|wanted| is_url(wanted.url.as_deref(), url)) {
            self.navigation = Some(url.to_owned());
        }
    }

    /// A dialog has opened.
    pub(super) fn on_dialog(&mut self, kind: DialogType, message: &str) {
        if Self::has_room(self.dialogs.len(), &mut self.omitted) {
            let message = cut(message, TEXT_MOST).to_owned();
            self.dialogs.push(PageDialogInfo { kind, message, answer: DialogAnswer::Open, text: None });
        }
    }

    /// The open dialog was answered.
    pub(super) fn on_dialog_closed(&mut self, accepted: bool, text: String) {
        let Some(dialog) = self.dialogs.last_mut().filter(|dialog| dialog.answer == DialogAnswer::Open) else { return };
        dialog.answer = if accepted { DialogAnswer::Accepted } else { DialogAnswer::Dismissed };
        dialog.text = (accepted && dialog.kind == DialogType::Prompt).then_some(text);
    }

    /// The only dialog so far, if there is one and no more: the one that an action can expect.
    pub(super) fn is_first_dialog(&self) -> bool {
        self.dialogs.len() == 1
    }
}

fn is_url(pattern: Option<&str>, url: &str) -> bool {
    pattern.is_none_or(|pattern| matches(pattern, url))
}

fn is_wanted(wanted: Option<&ExpectExchange>, url: &str, method: Option<&str>) -> bool {
    wanted.is_some_and(|wanted| {
        let is_method = |wanted: &String| method.is_some_and(|method| method.eq_ignore_ascii_case(wanted));
        is_url(wanted.url.as_deref(), url) && wanted.method.as_ref().is_none_or(is_method)
    })
}

fn exception(Exception { text, line_number, url, thrown }: Exception) -> PageException {
    let thrown = thrown.and_then(|thrown| thrown.description.or_else(|| thrown.value.map(|value| value.to_string())));
    let message = thrown.unwrap_or(text);
    let message = cut(message.lines().next().unwrap_or_default(), TEXT_MOST).to_owned();
    let url = url.filter(|url| !url.is_empty()).map(|url| cut(&url, URL_MOST).to_owned());
    PageException { message, url, line: line_number.saturating_add(1) }
}

pub(super) fn read<T: DeserializeOwned>(event: &InternalEvent) -> Option<T> {
    serde_json::from_str(&event.params).ok()
}

/// The events of a state, to be changed.
pub(super) fn change(events: &mut Arc<Events>) -> &mut Events {
    Arc::make_mut(events)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn tell(events: &mut Events, method: &str, params: &Value) -> bool {
        let (method, params) = (method.to_owned(), params.to_string());
        events.on_event(&InternalEvent { on: "S".into(), method, params })
    }

    #[test]
    fn lists_are_bounded_and_say_what_they_omit() {
        let mut events = Events::default();
        let thrown = json!({ "exceptionDetails": { "text": "Uncaught", "lineNumber": 2, "url": "",
            "exception": { "description": format!("Error: {}\n    at x", "é".repeat(900)) } } });
        for _ in 0..MOST + 3 {
            tell(&mut events, "Runtime.exceptionThrown", &thrown);
        }
        assert_eq!((events.errors.len(), events.omitted), (MOST, 3));
        let PageException { message, url, line } = &events.errors[0];
        assert!(message.len() <= TEXT_MOST && message.starts_with("Error: é"), "{message}");
        assert_eq!((url, line), (&None, &3));
    }

    #[test]
    fn only_expected_exchanges_are_kept() {
        let post = |url: &str| ExpectExchange { url: Some(url.to_owned()), method: Some("post".to_owned()) };
        let mut events = Events::expecting(Expect { response: Some(post("**/api")), ..Expect::default() });
        let request =
            |id: &str, method: &str| json!({ "requestId": id, "request": { "url": "http://a/api", "method": method } });
        let response = |id: &str| json!({ "requestId": id, "response": { "url": "http://a/api", "status": 201 } });
        tell(&mut events, "Network.requestWillBeSent", &request("1", "GET"));
        tell(&mut events, "Network.requestWillBeSent", &request("2", "POST"));
        // The method of the third is not known.
        for id in ["1", "3"] {
            tell(&mut events, "Network.responseReceived", &response(id));
            assert_eq!(events.response, None);
        }
        tell(&mut events, "Network.responseReceived", &response("2"));
        assert_eq!(events.response.as_ref().and_then(|came| came.status), Some(201));
        let mut idle = Events::default();
        assert!(!tell(&mut idle, "Network.requestWillBeSent", &request("1", "GET")) && idle.last_url.is_empty());
    }
}
