//! The requests of a page, in the form of HAR 1.2: the newest ones, within limits, without bodies. Recording begins with the
//! first request for it, on the page's own CDP session, which keeps no bodies.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};

use crate::{
    api_types::{ScriptValue, cut, operations::PageNetwork},
    browser::{
        InternalEvent, PageDriver,
        commands::{Nothing, commands},
    },
    config::PageLimits,
    runtime,
    session::pages::PageError,
};

/// Longest URL that is recorded, in bytes.
const URL_MOST: usize = 8192;
/// Most bytes of the headers of a message that are recorded.
const HEADERS_MOST: usize = 16 * 1024;
/// Most bytes of an entry beside its texts.
const OVERHEAD: usize = 256;

commands! {
    "Network.enable" = EnableNetwork { max_total_buffer_size: u32, max_resource_buffer_size: u32 } -> Nothing;
    "Network.disable" = DisableNetwork {} -> Nothing;
}

type Headers = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WillBeSent {
    request_id: String,
    request: Sent,
    timestamp: f64,
    wall_time: f64,
    redirect_response: Option<Response>,
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    url: String,
    method: String,
    #[serde(default)]
    headers: Headers,
    #[serde(default)]
    has_post_data: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Received {
    request_id: String,
    timestamp: f64,
    response: Response,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    status: u32,
    #[serde(default)]
    status_text: String,
    #[serde(default)]
    headers: Headers,
    #[serde(default)]
    mime_type: String,
    #[serde(default)]
    protocol: String,
    #[serde(rename = "remoteIPAddress")]
    remote_ip_address: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Finished {
    request_id: String,
    timestamp: f64,
    #[serde(default)]
    encoded_data_length: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    request_id: String,
    timestamp: f64,
    error_text: String,
}

/// One request.
#[derive(Debug)]
struct Entry {
    id: String,
    sent: Sent,
    kind: String,
    /// In seconds since 1970.
    wall: f64,
    /// In seconds of Chrome's clock, as the next ones.
    began: f64,
    responded: Option<f64>,
    ended: Option<f64>,
    response: Option<Response>,
    redirect: String,
    size: f64,
    error: Option<String>,
    /// Its bytes here.
    bytes: usize,
}

/// The requests of a page.
#[derive(Debug, Default)]
pub(super) struct NetworkLog(Mutex<Option<Requests>>);

#[derive(Debug, Default)]
struct Requests {
    /// By the order in which they began.
    entries: BTreeMap<u64, Entry>,
    /// Those that have not ended, by Chrome's id.
    open: HashMap<String, u64>,
    last: u64,
    bytes: usize,
    dropped: u32,
}

/// Cuts headers, and returns their bytes.
fn bounded(headers: &mut Headers) -> usize {
    let mut bytes = 0;
    headers.retain(|name, value| {
        let size = name.len() + value.len();
        let fits = bytes + size <= HEADERS_MOST;
        bytes += if fits { size } else { 0 };
        fits
    });
    bytes
}

fn shorten(text: &mut String, most: usize) {
    let end = cut(text, most).len();
    if end < text.len() {
        text.truncate(end);
        text.shrink_to_fit();
    }
}

impl Response {
    fn bound(&mut self) -> usize {
        shorten(&mut self.status_text, 200);
        shorten(&mut self.mime_type, 200);
        bounded(&mut self.headers) + self.status_text.len() + self.mime_type.len()
    }
}

impl Requests {
    fn on_event(&mut self, event: &InternalEvent, limits: PageLimits) {
        match &*event.method {
            "Network.requestWillBeSent" => self.on_sent(read(event)),
            "Network.responseReceived" => {
                if let Some(Received { request_id, timestamp, response }) = read(event) {
                    self.change(&request_id, |entry| entry.respond(timestamp, response));
                }
            }
            "Network.loadingFinished" => {
                if let Some(Finished { request_id, timestamp, encoded_data_length }) = read(event) {
                    self.change(&request_id, |entry| {
                        (entry.ended, entry.size) = (Some(timestamp), encoded_data_length);
                    });
                    self.open.remove(&request_id);
                }
            }
            "Network.loadingFailed" => {
                if let Some(Failed { request_id, timestamp, mut error_text }) = read(event) {
                    shorten(&mut error_text, 200);
                    self.change(&request_id, |entry| {
                        (entry.ended, entry.error) = (Some(timestamp), Some(error_text));
                    });
                    self.open.remove(&request_id);
                }
            }
            _ => return,
        }
        while self.entries.len() > limits.log_entries || self.bytes > limits.log_bytes {
            let Some((_, oldest)) = self.entries.pop_first() else { break };
            self.bytes -= oldest.bytes;
            // A redirect has the id of the request that follows it.
            if self.open.get(&oldest.id).is_some_and(|at| !self.entries.contains_key(at)) {
                self.open.remove(&oldest.id);
            }
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    fn on_sent(&mut self, event: Option<WillBeSent>) {
        let Some(WillBeSent { request_id, mut request, timestamp, wall_time, redirect_response, kind }) = event else {
            return;
        };
        shorten(&mut request.url, URL_MOST);
        shorten(&mut request.method, 100);
        if let Some(response) = redirect_response {
            let to = request.url.clone();
            self.change(&request_id, |entry| {
                entry.respond(timestamp, response);
                (entry.ended, entry.redirect) = (Some(timestamp), to);
                entry.bytes += entry.redirect.len();
            });
        }
        let bytes = OVERHEAD + request_id.len() + request.url.len() + bounded(&mut request.headers);
        self.last += 1;
        self.bytes += bytes;
        self.open.insert(request_id.clone(), self.last);
        let (responded, ended, response, error) = (None, None, None, None);
        let (began, redirect, size) = (timestamp, String::new(), 0.0);
        let entry = Entry {
            id: request_id,
            sent: request,
            kind,
            wall: wall_time,
            began,
            responded,
            ended,
            response,
            redirect,
            size,
            error,
            bytes,
        };
        self.entries.insert(self.last, entry);
    }

    /// Changes a request that has not ended.
    fn change(&mut self, id: &str, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.open.get(id).and_then(|at| self.entries.get_mut(at)) else { return };
        let before = entry.bytes;
        change(entry);
        self.bytes = self.bytes - before + entry.bytes;
    }

    fn har(&self) -> String {
        let entries: Vec<Value> = self.entries.values().map(Entry::har).collect();
        let creator = json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") });
        json!({ "log": { "version": "1.2", "creator": creator, "pages": [], "entries": entries } }).to_string()
    }
}

impl Entry {
    fn respond(&mut self, at: f64, mut response: Response) {
        self.bytes += response.bound();
        (self.responded, self.response) = (Some(at), Some(response));
    }

    fn har(&self) -> Value {
        let millis = |from: f64, to: f64| ((to - from) * 1e6).round().max(0.0) / 1e3;
        let ended = self.ended.or(self.responded).unwrap_or(self.began);
        let responded = self.responded.unwrap_or(ended);
        let version = |response: &Response| match &*response.protocol {
            "" => "unknown".to_owned(),
            protocol => protocol.to_owned(),
        };
        let protocol = self.response.as_ref().map_or_else(|| "unknown".to_owned(), version);
        let query: Vec<Value> = url::Url::parse(&self.sent.url)
            .map(|url| url.query_pairs().map(|(name, value)| json!({ "name": name, "value": value })).collect())
            .unwrap_or_default();
        let response = match &self.response {
            Some(response) => json!({
                "status": response.status, "statusText": response.status_text, "httpVersion": protocol, "cookies": [],
                "headers": listed(&response.headers), "redirectURL": self.redirect, "headersSize": -1, "bodySize": -1,
                "content": { "size": self.size, "mimeType": response.mime_type },
            }),
            None => json!({
                "status": 0, "statusText": "", "httpVersion": protocol, "cookies": [], "headers": [], "redirectURL": "",
                "headersSize": -1, "bodySize": -1, "content": { "size": 0, "mimeType": "x-unknown" },
            }),
        };
        let mut entry = json!({
            "startedDateTime": date(self.wall),
            "time": millis(self.began, ended),
            "request": {
                "method": self.sent.method, "url": self.sent.url, "httpVersion": protocol, "cookies": [],
                "headers": listed(&self.sent.headers), "queryString": query, "headersSize": -1,
                "bodySize": if self.sent.has_post_data { -1 } else { 0 },
            },
            "response": response,
            "cache": {},
            "timings": { "send": 0, "wait": millis(self.began, responded), "receive": millis(responded, ended) },
            "_resourceType": self.kind.to_lowercase(),
        });
        if let Some(address) = self.response.as_ref().and_then(|response| response.remote_ip_address.as_ref()) {
            entry["serverIPAddress"] = address.trim_matches(['[', ']']).into();
        }
        if let Some(error) = &self.error {
            entry["_error"] = (&**error).into();
        }
        entry
    }
}

/// Headers as HAR has them. Chrome joins those of one name by line breaks.
fn listed(headers: &Headers) -> Vec<Value> {
    let lines = headers.iter().flat_map(|(name, values)| values.split('\n').map(move |value| (name, value)));
    lines.map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// A time in seconds since 1970, as ISO 8601.
fn date(wall: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "times of this age fit")]
    let millis = (wall * 1e3) as i64;
    jiff::Timestamp::from_millisecond(millis).unwrap_or_default().to_string()
}

fn read<T: DeserializeOwned>(event: &InternalEvent) -> Option<T> {
    serde_json::from_str(&event.params).ok()
}

impl NetworkLog {
    fn now(&self) -> MutexGuard<'_, Option<Requests>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether requests are recorded.
    pub(super) fn is_on(&self) -> bool {
        self.now().is_some()
    }

    /// Takes an event in.
    pub(super) fn on_event(&self, event: &InternalEvent, limits: PageLimits) {
        if let Some(requests) = self.now().as_mut() {
            requests.on_event(event, limits);
        }
    }
}

impl NetworkLog {
    /// Reads the requests, and begins or ends their recording.
    pub(super) async fn read(
        &self,
        driver: &PageDriver,
        request: &PageNetwork,
    ) -> Result<(ScriptValue, u32), PageError> {
        if !self.is_on() && !request.stop {
            *self.now() = Some(Requests::default());
            let enable = EnableNetwork { max_total_buffer_size: 0, max_resource_buffer_size: 0 };
            if let Err(error) = driver.ask(&enable).await {
                *self.now() = None;
                return Err(error.into());
            }
        }
        let (har, dropped) = {
            let now = self.now();
            let none = Requests::default();
            let requests = now.as_ref().unwrap_or(&none);
            (runtime::aside(requests.bytes, || requests.har()), requests.dropped)
        };
        if request.stop {
            *self.now() = None;
            driver.tell(&DisableNetwork {});
        } else if request.clear {
            *self.now() = Some(Requests::default());
        }
        Ok((ScriptValue(RawValue::from_string(har).unwrap_or_default()), dropped))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits(log_entries: usize, log_bytes: usize) -> PageLimits {
        let time = Duration::ZERO;
        PageLimits {
            timeout: time,
            timeout_most: time,
            queue: 1,
            result: 1,
            idle: time,
            actions: 1,
            handles: 1,
            history: 0,
            quick_body: 1,
            log_entries,
            log_bytes,
        }
    }

    fn requests(events: &[(&str, Value)], limits: PageLimits) -> Requests {
        let mut requests = Requests::default();
        for (method, params) in events {
            let event =
                InternalEvent { on: "S".into(), method: format!("Network.{method}"), params: params.to_string() };
            requests.on_event(&event, limits);
        }
        requests
    }

    fn sent(id: &str, url: &str) -> (&'static str, Value) {
        let request = json!({ "url": url, "method": "GET", "headers": { "A": "b" } });
        (
            "requestWillBeSent",
            json!({ "requestId": id, "request": request, "timestamp": 1.0, "wallTime": 1e9, "type": "Document" }),
        )
    }

    #[test]
    fn requests_are_entries_of_har() {
        let response = json!({ "status": 302, "statusText": "Found", "headers": { "Set-Cookie": "a=1\nb=2" }, "mimeType": "text/html", "protocol": "h2", "remoteIPAddress": "[::1]" });
        let mut redirected = sent("1", "http://a/two");
        redirected.1["redirectResponse"] = response.clone();
        redirected.1["timestamp"] = json!(1.5);
        let requests = requests(
            &[
                sent("1", "http://a/?q=1&r="),
                redirected,
                ("responseReceived", json!({ "requestId": "1", "timestamp": 2.0, "response": { "status": 200 } })),
                ("loadingFinished", json!({ "requestId": "1", "timestamp": 2.25, "encodedDataLength": 7.0 })),
                sent("2", "http://b/"),
                ("loadingFailed", json!({ "requestId": "2", "timestamp": 3.0, "errorText": "net::ERR_FAILED" })),
                ("loadingFinished", json!({ "requestId": "unknown", "timestamp": 3.0 })),
            ],
            limits(10, 1 << 20),
        );
        let har: Value = serde_json::from_str(&requests.har()).expect("JSON");
        let entries = har["log"]["entries"].as_array().expect("entries");
        assert_eq!((har["log"]["version"].as_str(), entries.len()), (Some("1.2"), 3));
        assert_eq!(entries[0]["startedDateTime"], "2001-09-09T01:46:40Z");
        assert_eq!(entries[0]["request"]["queryString"][0], json!({ "name": "q", "value": "1" }));
        assert_eq!(entries[0]["response"]["redirectURL"], "http://a/two");
        assert_eq!(entries[0]["response"]["headers"].as_array().map(Vec::len), Some(2));
        assert_eq!((&entries[0]["time"], &entries[0]["serverIPAddress"]), (&json!(500.0), &json!("::1")));
        assert_eq!(
            (&entries[1]["timings"]["receive"], &entries[1]["response"]["content"]["size"]),
            (&json!(250.0), &json!(7.0))
        );
        assert_eq!((&entries[2]["_error"], &entries[2]["response"]["status"]), (&json!("net::ERR_FAILED"), &json!(0)));
        assert!(requests.open.is_empty());
    }

    #[test]
    fn the_oldest_requests_are_dropped_and_counted() {
        let events: Vec<_> = (0..5).map(|at| sent(&at.to_string(), "http://a/")).collect();
        let few = requests(&events, limits(2, 1 << 20));
        assert_eq!((few.entries.len(), few.open.len(), few.dropped), (2, 2, 3));
        let small = requests(&events, limits(100, 600));
        assert_eq!((small.entries.len(), small.dropped), (2, 3));
        let long = requests(&[sent("1", &format!("http://a/{}", "ä".repeat(1 << 20)))], limits(9, 1 << 20));
        assert!(long.bytes < 10_000, "{}", long.bytes);
        let none = requests(&events, limits(100, 10));
        assert_eq!((none.entries.len(), none.bytes, none.open.len()), (0, 0, 0));
    }
}
