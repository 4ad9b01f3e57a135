//! What is known of a page by the events of its CDP session.

use std::{collections::HashSet, sync::Arc};

use serde::Deserialize;

use super::{
    commands::FrameInfo,
    events::{Events, change, read},
    response::{self, Response},
};
use crate::{
    api_types::{DialogType, DocumentResponse, LoadState, cut},
    browser::InternalEvent,
};

/// The state of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct PageState {
    /// The id of its main frame.
    pub(super) main_frame: String,
    /// Its URL.
    pub(super) url: String,
    /// The documents that it has shown so far, and the changes of its URL within a document.
    pub(super) navigations: u64,
    /// The documents alone.
    pub(super) documents: u64,
    /// Whether it is about to navigate.
    pub(super) is_navigating: bool,
    /// The dialog that is open.
    pub(super) dialog: Option<Arc<OpenDialog>>,
    /// How many dialogs were opened so far.
    dialogs: u64,
    /// What has happened since the present action began.
    pub(super) events: Arc<Events>,
    /// The last response with a document, if responses are watched.
    response: Option<Response>,
    /// The names of the lifecycle events of the document.
    lifecycle: HashSet<String>,
    /// The id of the document.
    loader: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfFrame {
    frame_id: String,
    #[serde(default)]
    loader_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    disposition: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DialogClosed {
    result: bool,
    #[serde(default)]
    user_input: String,
}

#[derive(Deserialize)]
struct Navigated {
    frame: FrameInfo,
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Deserialize)]
struct Dialog {
    message: String,
    #[serde(rename = "type")]
    kind: DialogType,
}

/// The dialog that is open.
#[derive(Debug)]
pub(super) struct OpenDialog {
    /// Its number among those of the page.
    pub(super) number: u64,
    pub(super) kind: DialogType,
    pub(super) message: String,
}

impl PageState {
    /// The state of a page that has shown one document.
    pub(super) fn new(frame: FrameInfo) -> Self {
        let mut state = Self::default();
        state.show(frame);
        state
    }

    fn show(&mut self, frame: FrameInfo) {
        self.url = frame.url + &frame.url_fragment.unwrap_or_default();
        self.main_frame = frame.id;
        self.loader = frame.loader_id;
    }

    /// Whether the document is loaded this far.
    pub(super) fn has_reached(&self, state: LoadState) -> bool {
        let has = |name| self.lifecycle.contains(name);
        match state {
            LoadState::Commit => true,
            LoadState::DomContentLoaded => has("DOMContentLoaded") || has("load"),
            LoadState::Load => has("load"),
            LoadState::NetworkIdle | LoadState::NetworkIdle0 => has("networkIdle"),
            LoadState::NetworkIdle2 => has("networkAlmostIdle"),
        }
    }

    /// The response with the document, if responses are watched and it came by HTTP.
    pub(super) fn response(&self) -> Option<DocumentResponse> {
        self.response.as_ref().filter(|response| response.loader == self.loader).map(|response| response.is.clone())
    }

    /// Takes an event in. Returns whether the state has changed.
    pub(super) fn on_event(&mut self, event: &InternalEvent) -> bool {
        match &*event.method {
            "Page.frameNavigated" => self.on_navigated(read(event)),
            "Page.navigatedWithinDocument" => self.of_main(read(event), |state, event| {
                change(&mut state.events).on_navigated(&event.url);
                state.url = event.url;
                state.navigations += 1;
                state.is_navigating = false;
            }),
            "Page.lifecycleEvent" => self.of_main(read(event), |state, event| {
                if event.loader_id == state.loader {
                    // Also of a document whose content is replaced by `document.open()`.
                    if event.name == "init" {
                        state.lifecycle.clear();
                    }
                    state.lifecycle.insert(event.name);
                }
            }),
            "Page.frameRequestedNavigation" | "Page.frameScheduledNavigation" | "Page.frameStartedNavigating" => {
                self.of_main(read(event), |state, event| {
                    // With another disposition, another page navigates.
                    state.is_navigating |= matches!(&*event.disposition, "" | "currentTab");
                })
            }
            "Page.frameStoppedLoading" | "Page.frameClearedScheduledNavigation" => {
                self.of_main(read(event), |state, _| state.is_navigating = false)
            }
            "Network.responseReceived" => {
                let response = response::of_document(&event.params, &self.main_frame);
                let is_of_page = response.map(|response| self.response = Some(response)).is_some();
                change(&mut self.events).on_event(event) || is_of_page
            }
            "Page.javascriptDialogOpening" => {
                let Some(Dialog { message, kind }) = read::<Dialog>(event) else { return false };
                self.dialogs += 1;
                change(&mut self.events).on_dialog(kind, &message);
                let message = cut(&message, 1000).to_owned();
                self.dialog = Some(Arc::new(OpenDialog { number: self.dialogs, kind, message }));
                true
            }
            "Page.javascriptDialogClosed" => {
                if let Some(DialogClosed { result, user_input }) = read(event) {
                    change(&mut self.events).on_dialog_closed(result, user_input);
                }
                self.dialog.take().is_some()
            }
            "Page.downloadWillBegin" => {
                self.is_navigating = false;
                change(&mut self.events).on_event(event)
            }
            // Those that a page sends for each request and each message are not for anybody who waits, in most cases.
            _ => change(&mut self.events).on_event(event),
        }
    }

    fn on_navigated(&mut self, event: Option<Navigated>) -> bool {
        let Some(Navigated { frame, kind }) = event.filter(|event| event.frame.parent_id.is_none()) else {
            return false;
        };
        self.show(frame);
        change(&mut self.events).on_navigated(&self.url);
        self.navigations += 1;
        self.documents += 1;
        self.is_navigating = false;
        self.lifecycle.clear();
        if kind == "BackForwardCacheRestore" {
            // It is loaded already, and its events do not come again.
            let all = ["DOMContentLoaded", "load", "networkAlmostIdle", "networkIdle"];
            self.lifecycle.extend(all.map(str::to_owned));
        }
        true
    }

    fn of_main(&mut self, event: Option<OfFrame>, change: impl FnOnce(&mut Self, OfFrame)) -> bool {
        let event = event.filter(|event| event.frame_id == self.main_frame);
        let is_of_main = event.is_some();
        if let Some(event) = event {
            change(self, event);
        }
        is_of_main
    }
}

/// As in `alert "text"`.
pub(super) fn describe(dialog: &Arc<OpenDialog>) -> String {
    let kind = serde_json::json!(dialog.kind);
    let message: String = dialog.message.chars().take(200).collect();
    format!("{} {message:?}", kind.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(method: &str, params: &str) -> InternalEvent {
        InternalEvent { on: "S".into(), method: method.to_owned(), params: params.to_owned() }
    }

    fn page() -> PageState {
        let frame = r#"{"id":"M","loaderId":"L1","url":"https://a/","urlFragment":"x"}"#;
        PageState::new(serde_json::from_str(frame).expect("a frame"))
    }

    #[test]
    fn documents_are_loaded_by_their_own_events_alone() {
        let mut state = page();
        assert!(state.has_reached(LoadState::Commit) && !state.has_reached(LoadState::DomContentLoaded));
        let lifecycle = |frame, loader, name| {
            event("Page.lifecycleEvent", &format!(r#"{{"frameId":"{frame}","loaderId":"{loader}","name":"{name}"}}"#))
        };
        state.on_event(&lifecycle("CHILD", "L1", "load"));
        state.on_event(&lifecycle("M", "L0", "load"));
        assert!(!state.has_reached(LoadState::Load), "another frame, and another document");
        state.on_event(&lifecycle("M", "L1", "load"));
        assert!(state.has_reached(LoadState::Load) && !state.has_reached(LoadState::NetworkIdle));
        let next = r#"{"frame":{"id":"M","loaderId":"L2","url":"https://b/"},"type":"Navigation"}"#;
        assert!(state.on_event(&event("Page.frameNavigated", next)));
        assert_eq!((&*state.url, state.navigations), ("https://b/", 1));
        assert!(!state.has_reached(LoadState::Load));
        let back = r#"{"frame":{"id":"M","loaderId":"L1","url":"https://a/"},"type":"BackForwardCacheRestore"}"#;
        state.on_event(&event("Page.frameNavigated", back));
        assert!(state.has_reached(LoadState::NetworkIdle));
    }

    #[test]
    fn child_frames_do_not_navigate_the_page() {
        let mut state = page();
        let child = r#"{"frame":{"id":"C","parentId":"M","loaderId":"L2","url":"https://b/"}}"#;
        assert!(!state.on_event(&event("Page.frameNavigated", child)));
        assert!(!state.on_event(&event("Page.frameStartedNavigating", r#"{"frameId":"C"}"#)));
        assert_eq!((&*state.url, state.navigations, state.is_navigating), ("https://a/x", 0, false));
    }
}
