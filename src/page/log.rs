//! The console of a page: the newest lines, within limits. Recording begins with the first request, on the page's own CDP
//! session; what the document has written so far, Chrome repeats on a new one.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::commands::ReleaseGroup;
use crate::{
    api_types::{ConsoleEntry, operations::PageConsole},
    browser::{
        InternalEvent, PageDriver,
        commands::{Nothing, commands},
    },
    config::PageLimits,
    session::pages::PageError,
};

/// Longest text of a line, in characters.
const TEXT_MOST: usize = 10_000;
/// Most bytes of a line beside its text and its URL.
const OVERHEAD: usize = 64;

commands! {
    "Log.enable" = EnableLog {} -> Nothing;
    "Log.disable" = DisableLog {} -> Nothing;
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Called {
    #[serde(rename = "type")]
    kind: String,
    args: Vec<Argument>,
    timestamp: f64,
    stack_trace: Option<Stack>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    // Texts may have lone surrogates, which a `String` cannot hold.
    value: Option<Box<RawValue>>,
    unserializable_value: Option<String>,
    description: Option<Box<RawValue>>,
    object_id: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stack {
    call_frames: Vec<CallFrame>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallFrame {
    url: String,
    line_number: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Thrown {
    timestamp: f64,
    exception_details: Details,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    text: String,
    url: Option<String>,
    line_number: u32,
    exception: Option<Argument>,
}

#[derive(Deserialize)]
struct Added {
    entry: LogEntry,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogEntry {
    source: String,
    text: Box<RawValue>,
    timestamp: f64,
    url: Option<String>,
    line_number: Option<u32>,
}

/// The text in a JSON value: that of a string, or the JSON itself.
fn text_of(json: &RawValue) -> String {
    serde_json::from_str(json.get()).unwrap_or_else(|_| json.get().to_owned())
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MOST).collect()
}

impl Argument {
    fn text(&self) -> String {
        match (&self.value, &self.unserializable_value, &self.description) {
            (Some(value), ..) => text_of(value),
            (None, Some(value), _) => value.clone(),
            (None, None, Some(description)) => text_of(description),
            (None, None, None) => "undefined".to_owned(),
        }
    }
}

/// The console of a page.
#[derive(Debug, Default)]
pub(super) struct ConsoleLog(Mutex<Option<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    entries: VecDeque<ConsoleEntry>,
    bytes: usize,
    dropped: u32,
}

fn size_of(entry: &ConsoleEntry) -> usize {
    OVERHEAD + entry.kind.len() + entry.text.len() + entry.url.as_ref().map_or(0, String::len)
}

impl Lines {
    /// Takes the line of an event in, if it is about one. Returns whether Chrome keeps objects for it.
    fn add(&mut self, event: &InternalEvent, limits: PageLimits) -> bool {
        let Some((mut entry, has_objects)) = entry_of(event) else { return false };
        entry.url = entry.url.filter(|url| !url.is_empty()).map(|url| cut(&url));
        self.push(entry, limits);
        has_objects
    }

    fn push(&mut self, entry: ConsoleEntry, limits: PageLimits) {
        self.bytes += size_of(&entry);
        self.entries.push_back(entry);
        while self.entries.len() > limits.log_entries || self.bytes > limits.log_bytes {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= size_of(&oldest);
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

/// What a document wrote before recording began.
#[derive(Debug, Default)]
pub(super) struct EarlierLines(Lines);

impl EarlierLines {
    /// Takes a line in.
    pub(super) fn add(&mut self, event: &InternalEvent, limits: PageLimits) {
        self.0.add(event, limits);
    }
}

impl ConsoleLog {
    fn now(&self) -> MutexGuard<'_, Option<Lines>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is recorded.
    pub(super) fn is_on(&self) -> bool {
        self.now().is_some()
    }
}

/// The line that an event is about, and whether Chrome keeps objects for it.
fn entry_of(event: &InternalEvent) -> Option<(ConsoleEntry, bool)> {
    let params = &*event.params;
    match &*event.method {
        "Runtime.consoleAPICalled" => {
            let Called { kind, args, timestamp, stack_trace } = serde_json::from_str(params).ok()?;
            let text = args.iter().map(Argument::text).collect::<Vec<_>>().join(" ");
            let frame = stack_trace.unwrap_or_default().call_frames.into_iter().next();
            let (url, line) = frame.map(|frame| (frame.url, frame.line_number + 1)).unzip();
            let has_objects = args.iter().any(|arg| arg.object_id.is_some());
            Some((ConsoleEntry { kind, text: cut(&text), url, line, time: timestamp }, has_objects))
        }
        "Runtime.exceptionThrown" => {
            let Thrown { timestamp, exception_details } = serde_json::from_str(params).ok()?;
            let Details { text, url, line_number, exception } = exception_details;
            let text = exception.map_or(text, |exception| exception.text());
            let entry = ConsoleEntry {
                kind: "exception".to_owned(),
                text: cut(&text),
                url,
                line: Some(line_number + 1),
                time: timestamp,
            };
            Some((entry, true))
        }
        "Log.entryAdded" => {
            let LogEntry { source, text, timestamp, url, line_number } =
                serde_json::from_str::<Added>(params).ok()?.entry;
            let line = line_number.map(|line| line + 1);
            Some((ConsoleEntry { kind: source, text: cut(&text_of(&text)), url, line, time: timestamp }, false))
        }
        _ => None,
    }
}

impl ConsoleLog {
    /// Begins to record, if it does not yet. Returns whether it has begun.
    pub(super) async fn begin(&self, driver: &PageDriver) -> Result<bool, PageError> {
        if self.is_on() {
            return Ok(false);
        }
        *self.now() = Some(Lines::default());
        if let Err(error) = driver.ask(&EnableLog {}).await {
            *self.now() = None;
            return Err(error.into());
        }
        Ok(true)
    }

    /// Puts lines before those that were recorded meanwhile; some may be both.
    pub(super) fn put_before(&self, EarlierLines(mut earlier): EarlierLines, limits: PageLimits) {
        let mut now = self.now();
        let Some(lines) = now.as_mut() else { return };
        let recorded = std::mem::take(lines);
        let is_new = |entry: &ConsoleEntry| !earlier.entries.contains(entry);
        let (new, dropped): (Vec<_>, _) = (recorded.entries.into_iter().filter(is_new).collect(), recorded.dropped);
        for entry in new {
            earlier.push(entry, limits);
        }
        earlier.dropped = earlier.dropped.saturating_add(dropped);
        *lines = earlier;
    }

    /// Reads the console, and forgets it or ends its recording as the request says.
    pub(super) fn read(&self, driver: &PageDriver, request: &PageConsole) -> (Vec<ConsoleEntry>, u32) {
        let mut now = self.now();
        let read = now.as_ref().map(|lines| (lines.entries.iter().cloned().collect(), lines.dropped));
        if request.stop {
            *now = None;
            driver.tell(&DisableLog {});
        } else if request.clear {
            *now = Some(Lines::default());
        }
        read.unwrap_or_default()
    }

    /// Takes a line in.
    pub(super) fn on_event(&self, driver: &PageDriver, event: &InternalEvent, limits: PageLimits) {
        let has_objects = self.now().as_mut().is_some_and(|lines| lines.add(event, limits));
        if has_objects {
            // Chrome keeps the objects of each line until then.
            driver.tell(&ReleaseGroup { object_group: "console" });
        }
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

    fn event(method: &str, params: &str) -> InternalEvent {
        InternalEvent { on: "S".into(), method: method.to_owned(), params: params.to_owned() }
    }

    #[test]
    fn lines_are_the_texts_of_their_arguments() {
        let called = r#"{"type":"warning","args":[{"type":"string","value":"a"},{"type":"number","value":1},
            {"type":"object","description":"Object","objectId":"1"},{"type":"number","unserializableValue":"NaN"},
            {"type":"undefined"}],"timestamp":5,"stackTrace":{"callFrames":[{"functionName":"","scriptId":"1",
            "url":"http://a/x.js","lineNumber":6,"columnNumber":1}]}}"#;
        let (entry, has_objects) = entry_of(&event("Runtime.consoleAPICalled", called)).expect("a line");
        assert_eq!((&*entry.kind, &*entry.text, entry.line), ("warning", "a 1 Object NaN undefined", Some(7)));
        assert_eq!((entry.url.as_deref(), has_objects), (Some("http://a/x.js"), true));
        let thrown = r#"{"timestamp":1,"exceptionDetails":{"text":"Uncaught","lineNumber":0,"columnNumber":1,"exceptionId":1,
            "exception":{"type":"object","description":"Error: x\n  at y"}}}"#;
        let (entry, _) = entry_of(&event("Runtime.exceptionThrown", thrown)).expect("a line");
        assert_eq!((&*entry.kind, &*entry.text), ("exception", "Error: x\n  at y"));
        // A lone surrogate.
        let added =
            r#"{"entry":{"source":"network","level":"error","text":"\ud800 404","timestamp":1,"url":"http://a/"}}"#;
        let (entry, _) = entry_of(&event("Log.entryAdded", added)).expect("a line");
        assert!(entry.kind == "network" && entry.text.contains("404"), "{entry:?}");
        assert!(entry_of(&event("Log.other", "{}")).is_none());
    }

    #[test]
    fn the_oldest_lines_are_dropped_and_counted() {
        let line = |text: &str| ConsoleEntry {
            kind: "log".to_owned(),
            text: text.to_owned(),
            url: None,
            line: None,
            time: 0.0,
        };
        let mut lines = Lines::default();
        for text in ["1", "2", "3"] {
            lines.push(line(text), limits(2, 1 << 20));
        }
        let texts = |lines: &Lines| lines.entries.iter().map(|entry| entry.text.clone()).collect::<Vec<_>>();
        assert_eq!((texts(&lines), lines.dropped), (vec!["2".to_owned(), "3".to_owned()], 1));
        lines.push(line(&"x".repeat(100)), limits(10, 170));
        assert_eq!((lines.entries.len(), lines.dropped), (1, 3));
        lines.push(line(&"x".repeat(200)), limits(10, 170));
        assert_eq!((lines.entries.len(), lines.bytes), (0, 0), "one that is too large is not kept");
    }
}
