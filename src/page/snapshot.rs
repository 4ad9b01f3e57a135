//! Accessibility snapshots of a page with its frames.

use serde_json::{Value, json};

use super::{
    driven::Page,
    frame::Frame,
    history::{cut, differences},
    step::Step,
};
use crate::{
    api_types::{locator::REF_ENGINE, operations::PageSnapshot},
    config::PageLimits,
    runtime,
    session::pages::PageError,
};

/// Most frames of a snapshot; further ones are without their content.
const FRAMES_MOST: usize = 100;

/// A snapshot that was taken.
pub(super) struct Taken {
    pub(super) text: String,
    pub(super) version: String,
    /// The version from which the text shows the differences.
    pub(super) since: Option<String>,
    /// Lines that were cut.
    pub(super) omitted_lines: Option<u32>,
}

/// A frame whose content belongs below a line of the snapshot.
struct Place {
    /// The reference of its element.
    element: String,
    line: usize,
    /// How many levels of it are wanted.
    depth: Option<u32>,
}

impl Page {
    /// Takes a snapshot.
    pub(super) async fn snapshot(
        &self,
        what: &'static str,
        request: &PageSnapshot,
        limits: PageLimits,
    ) -> Result<Taken, PageError> {
        let PageSnapshot { depth, interactive_only, boxes, max_bytes, since, .. } = request;
        let selector = request.element()?;
        self.waits_for(format!("{} to be in the document", selector.as_deref().unwrap_or("the page")));
        let args = json!({ "interactive": interactive_only, "boxes": boxes });
        let whole = with_depth(&args, *depth);
        let (frame, step) = self.step(what, selector.as_deref(), "snapshot", whole).await?;
        let mut left = FRAMES_MOST;
        let text = self.with_frames(what, frame, step, *depth, &args, &mut left).await?;
        let before = since.as_deref().and_then(|since| self.history().get(since));
        let differences = before.and_then(|before| runtime::aside(text.len(), || differences(&before, &text)));
        let version = self.history().keep(&text, limits.history);
        let since = differences.as_ref().and(since.clone());
        let mut text = differences.unwrap_or(text);
        let omitted_lines = max_bytes.map(|most| cut(&mut text, most as usize)).filter(|omitted| *omitted > 0);
        Ok(Taken { text, version, since, omitted_lines })
    }

    /// The snapshot of a document, with those of its frames below the lines of their elements.
    async fn with_frames(
        &self,
        what: &'static str,
        frame: Frame,
        step: Step,
        depth: Option<u32>,
        args: &Value,
        left: &mut usize,
    ) -> Result<String, PageError> {
        let number = self.number_of(&frame);
        self.refs().set_last(number, step.last);
        let mut contents = Vec::new();
        for place in places(&step, depth) {
            if *left == 0 {
                break;
            }
            *left -= 1;
            // A frame that has no document, or is being replaced, is without its content, as in Playwright.
            match Box::pin(self.content_of(what, &frame, number, &place, args, left)).await {
                Ok(Some(content)) => contents.push((place.line, content)),
                Ok(None) => {}
                Err(error @ (PageError::Closed | PageError::TooLarge { .. })) => return Err(error),
                Err(error) => tracing::debug!(%error, "a frame is without its content"),
            }
        }
        Ok(if contents.is_empty() { step.snapshot } else { merged(&step.snapshot, contents) })
    }

    async fn content_of(
        &self,
        what: &'static str,
        parent: &Frame,
        number: u32,
        place: &Place,
        args: &Value,
        left: &mut usize,
    ) -> Result<Option<String>, PageError> {
        let element = format!("{REF_ENGINE}{}", place.element);
        let Some(frame) = self.inside(what, &element, parent.clone()).await? else { return Ok(None) };
        self.refs().number(&frame.id, number, place.element.clone());
        let mut args = with_depth(args, place.depth);
        self.add_numbers(&frame, &mut args);
        args["step"] = "snapshot".into();
        let Some(step) = self.call(&frame, "run", &args).await? else { return Ok(None) };
        let Some(step) = self.judge(what, &element, step)? else { return Ok(None) };
        self.with_frames(what, frame, step, place.depth, &args, left).await.map(Some)
    }

    /// Adds what the references of a frame begin with, and behind which number.
    pub(super) fn add_numbers(&self, frame: &Frame, args: &mut Value) {
        let number = self.number_of(frame);
        args["frame"] = number.into();
        args["last"] = self.refs().last(number).into();
    }

    fn number_of(&self, frame: &Frame) -> u32 {
        if frame.is_main() { 0 } else { self.refs().of(&frame.id) }
    }

    /// The frame of a reference; `None` for another attempt.
    pub(super) async fn frame_of_ref(
        &self,
        what: &'static str,
        selector: &str,
        number: u32,
    ) -> Result<Option<Frame>, PageError> {
        let stale = || PageError::StaleRef { selector: selector.to_owned() };
        let (mut chain, mut next) = (Vec::new(), number);
        while next != 0 {
            let frame = self.refs().frame(next).ok_or_else(stale)?;
            next = frame.parent;
            chain.push(frame);
            if chain.len() > FRAMES_MOST {
                return Err(stale());
            }
        }
        let mut frame = self.main();
        for inner in chain.into_iter().rev() {
            let element = format!("{REF_ENGINE}{}", inner.element);
            let Some(found) = self.inside(what, &element, frame).await? else { return Ok(None) };
            if found.id != inner.id {
                return Err(stale());
            }
            frame = found;
        }
        Ok(Some(frame))
    }
}

fn with_depth(args: &Value, depth: Option<u32>) -> Value {
    let mut args = args.clone();
    args["depth"] = depth.map_or(Value::Null, Value::from);
    args
}

/// The frames of a document whose content is wanted.
fn places(step: &Step, depth: Option<u32>) -> Vec<Place> {
    let wanted = step.frames.iter().filter_map(|frame| {
        let depth = match depth {
            None => None,
            // Its own level is one below its element.
            Some(depth) => Some(depth.checked_sub(frame.depth.checked_add(1)?)?),
        };
        Some(Place { element: frame.element.clone(), line: frame.line, depth })
    });
    wanted.collect()
}

/// A snapshot with contents below its lines, each one level deeper than its line.
fn merged(text: &str, contents: Vec<(usize, String)>) -> String {
    let mut merged = String::with_capacity(text.len() + contents.iter().map(|(_, text)| text.len() * 2).sum::<usize>());
    let mut contents = contents.into_iter().peekable();
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            merged.push('\n');
        }
        merged.push_str(line);
        let Some((_, content)) = contents.next_if(|(at, content)| *at == number && !content.is_empty()) else {
            continue;
        };
        merged.push(':');
        let indent = line.len() - line.trim_start_matches(' ').len() + 2;
        for line in content.lines() {
            merged.push('\n');
            merged.extend(std::iter::repeat_n(' ', indent));
            merged.push_str(line);
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_below_their_elements() {
        let text = "- main:\n  - iframe [ref=e1]\n  - iframe [ref=e2]\n- text: end";
        let contents = vec![(1, "- button \"a\" [ref=f1e1]:\n  - text: b".to_owned()), (2, "- p".to_owned())];
        let wanted = "- main:\n  - iframe [ref=e1]:\n    - button \"a\" [ref=f1e1]:\n      - text: b\n  - iframe [ref=e2]:\n    - p\n- text: end";
        assert_eq!(merged(text, contents), wanted);
    }

    #[test]
    fn levels_of_frames_count_from_the_page() {
        let step: Step =
            serde_json::from_str(r#"{"frames":[{"ref":"e1","line":0,"depth":0},{"ref":"e2","line":3,"depth":2}]}"#)
                .expect("a step");
        let depths = |depth| places(&step, depth).into_iter().map(|place| place.depth).collect::<Vec<_>>();
        assert_eq!(depths(None), [None, None]);
        assert_eq!(depths(Some(3)), [Some(2), Some(0)]);
        assert_eq!(depths(Some(1)), [Some(0)]);
        assert!(depths(Some(0)).is_empty());
    }
}
