//! What a page writes to its console while a script runs.

use std::pin::pin;

use futures_util::FutureExt as _;

use super::{
    commands::{ConsoleCalled, EnableRuntime, GetIsolateId, Remote},
    driven::Page,
    frame::Frame,
};
use crate::{
    api_types::ConsoleLine,
    browser::{InternalEvent, PageDriver, PageEvents},
    session::pages::PageError,
};

/// Most entries of one request.
const LINES_MOST: usize = 1000;
/// Most characters of an entry.
const TEXT_MOST: usize = 2000;

/// Listens to the console, on a CDP session of its own, which alone Chrome tells of the present documents.
pub(super) struct Console {
    driver: PageDriver,
    events: PageEvents,
    lines: Vec<ConsoleLine>,
}

impl Page {
    /// Listens to the console of a frame's process. `earlier` gets what Chrome repeats of the present documents: it sends
    /// that before it answers.
    pub(super) async fn listen(
        &self,
        frame: &Frame,
        mut earlier: impl FnMut(&InternalEvent),
    ) -> Result<Console, PageError> {
        let driver = self.attach_beside(frame).await?;
        let mut events = driver.events();
        driver.ask(&EnableRuntime {}).await?;
        while let Some(Some(event)) = events.next().now_or_never() {
            earlier(&event);
        }
        Ok(Console { driver, events, lines: Vec::new() })
    }
}

impl Console {
    /// Waits for the script, and takes in what is written meanwhile.
    pub(super) async fn during<T>(&mut self, script: impl Future<Output = T>) -> T {
        let mut script = pin!(script);
        loop {
            tokio::select! {
                done = &mut script => return done,
                Some(event) = self.events.next() => self.on_event(&event),
            }
        }
    }

    /// The entries.
    pub(super) async fn lines(mut self) -> Vec<ConsoleLine> {
        // The other CDP session may have been answered before this one was told of all.
        let _ = self.driver.ask(&GetIsolateId {}).await;
        while let Some(Some(event)) = self.events.next().now_or_never() {
            self.on_event(&event);
        }
        self.lines
    }

    fn on_event(&mut self, event: &InternalEvent) {
        if event.method != "Runtime.consoleAPICalled" || self.lines.len() >= LINES_MOST {
            return;
        }
        let Ok(ConsoleCalled { kind, args }) = serde_json::from_str(&event.params) else { return };
        let text = args.iter().map(text_of).collect::<Vec<_>>().join(" ");
        self.lines.push(ConsoleLine { kind, text: text.chars().take(TEXT_MOST).collect() });
    }
}

/// An argument as the console would show it.
fn text_of(value: &Remote) -> String {
    let text = value.value.as_deref().map(|value| {
        let json = value.get();
        serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned())
    });
    text.or_else(|| value.unserializable_value.clone())
        .or_else(|| value.description.clone())
        .unwrap_or_else(|| "undefined".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_shown_as_in_a_console() {
        for (remote, text) in [
            (r#"{"type":"string","value":"a\"b"}"#, "a\"b"),
            (r#"{"type":"number","value":1.5}"#, "1.5"),
            (r#"{"type":"undefined"}"#, "undefined"),
            (r#"{"type":"number","unserializableValue":"NaN","description":"NaN"}"#, "NaN"),
            (r#"{"type":"object","className":"Array","description":"Array(2)","objectId":"1.2.3"}"#, "Array(2)"),
        ] {
            let remote: Remote = serde_json::from_str(remote).expect("a remote object");
            assert_eq!(text_of(&remote), text);
        }
    }
}
