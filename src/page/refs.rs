//! The references of snapshots: which frame one is of, and which numbers were used. A number is never used for another
//! element, also not after a navigation, or after the page was not used for long.

use std::collections::{HashMap, VecDeque};

use crate::cdp::ids::TargetId;

/// Most frames of a page that references may be of. With more, the references in frames are stale.
const FRAMES_MOST: usize = 1000;
/// Most pages that are not used at present whose numbers are kept apart.
const PAGES_MOST: usize = 10_000;

/// How far the names that a page gives are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// The last number of an element in the main frame.
    pub(super) element: u64,
    /// The last number of a frame.
    pub(super) frame: u32,
    /// The last number of a snapshot.
    pub(super) snapshot: u64,
    /// The last number of a handle.
    pub(super) handle: u64,
}

impl Names {
    fn max(self, other: Self) -> Self {
        Self {
            element: self.element.max(other.element),
            frame: self.frame.max(other.frame),
            snapshot: self.snapshot.max(other.snapshot),
            handle: self.handle.max(other.handle),
        }
    }
}

/// The used names of pages whose tasks have ended.
#[derive(Debug, Default)]
pub(super) struct UsedNames {
    of: HashMap<TargetId, Names>,
    order: VecDeque<TargetId>,
    /// At least as far as those of the pages that are not kept any more.
    others: Names,
}

impl UsedNames {
    /// How far the names of a page are used.
    pub(super) fn of(&self, page: &TargetId) -> Names {
        self.of.get(page).copied().unwrap_or_default().max(self.others)
    }

    /// Keeps how far they are used.
    pub(super) fn keep(&mut self, page: TargetId, names: Names) {
        if self.of.insert(page.clone(), names).is_none() {
            self.order.push_back(page);
        }
        if self.order.len() > PAGES_MOST
            && let Some(names) = self.order.pop_front().and_then(|oldest| self.of.remove(&oldest))
        {
            self.others = self.others.max(names);
        }
    }
}

/// A frame that references are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FrameRef {
    /// The id of the frame.
    pub(super) id: String,
    /// The number of the frame in which it is.
    pub(super) parent: u32,
    /// The reference of its element there.
    pub(super) element: String,
    /// The last number of an element in it.
    last: u64,
}

/// The frames of a page that references are of.
#[derive(Debug, Default)]
pub(super) struct Refs {
    frames: HashMap<u32, FrameRef>,
    numbers: HashMap<String, u32>,
    /// The last number of an element in the main frame.
    main: u64,
    /// The last number of a frame.
    last: u32,
}

impl Refs {
    /// Those of a page of which these names are used.
    pub(super) fn behind(names: Names) -> Self {
        Self { main: names.element, last: names.frame, ..Self::default() }
    }

    /// The last number of an element in the main frame, and the last one of a frame.
    pub(super) fn used(&self) -> (u64, u32) {
        (self.main, self.last)
    }

    /// The number of a frame, which is new if it has none. It is found again by the reference of its element.
    pub(super) fn number(&mut self, id: &str, parent: u32, element: String) -> u32 {
        if let Some((number, frame)) =
            self.numbers.get(id).and_then(|number| Some((*number, self.frames.get_mut(number)?)))
        {
            (frame.parent, frame.element) = (parent, element);
            return number;
        }
        if self.frames.len() >= FRAMES_MOST {
            self.frames.clear();
            self.numbers.clear();
        }
        self.last = self.last.saturating_add(1);
        self.frames.insert(self.last, FrameRef { id: id.to_owned(), parent, element, last: 0 });
        self.numbers.insert(id.to_owned(), self.last);
        self.last
    }

    /// The frame of this number.
    pub(super) fn frame(&self, number: u32) -> Option<FrameRef> {
        self.frames.get(&number).cloned()
    }

    /// The number of the frame with this id; 0 if it has none.
    pub(super) fn of(&self, id: &str) -> u32 {
        self.numbers.get(id).copied().unwrap_or_default()
    }

    /// The last number of an element in this frame; 0 is the main frame.
    pub(super) fn last(&self, frame: u32) -> u64 {
        self.frames.get(&frame).map_or(self.main, |frame| frame.last)
    }

    /// Notes the last number of an element in this frame.
    pub(super) fn set_last(&mut self, frame: u32, last: u64) {
        let known = self.frames.get_mut(&frame).map_or(&mut self.main, |frame| &mut frame.last);
        *known = last.max(*known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_never_used_again() {
        let mut used = UsedNames::default();
        let names = |element| Names { element, ..Names::default() };
        for page in 0..=PAGES_MOST {
            let page = TargetId::from(&*format!("P{page}"));
            assert!(used.of(&page).element <= 7);
            used.keep(page, names(7));
        }
        // The first page made room, and a new page may be that one.
        assert_eq!(used.of(&"P0".into()), names(7));
        used.keep("P1".into(), names(9));
        assert_eq!(used.of(&"P1".into()), names(9));
        assert_eq!(used.of.len(), used.order.len());
    }

    #[test]
    fn frames_keep_their_numbers() {
        let mut refs = Refs::behind(Names { element: 5, frame: 2, ..Names::default() });
        assert_eq!(refs.number("A", 0, "e6".to_owned()), 3);
        assert_eq!(refs.number("B", 3, "f3e1".to_owned()), 4);
        assert_eq!(refs.number("A", 0, "e7".to_owned()), 3, "its element has another role");
        assert_eq!(refs.frame(3).map(|frame| frame.element), Some("e7".to_owned()));
        refs.set_last(4, 9);
        refs.set_last(0, 3);
        assert_eq!((refs.last(4), refs.last(0), refs.of("B"), refs.of("main")), (9, 5, 4, 0));
        for more in 0..FRAMES_MOST {
            refs.number(&more.to_string(), 0, String::new());
        }
        assert!(refs.frame(3).is_none() && refs.frames.len() <= FRAMES_MOST);
        assert!(refs.number("A", 0, "e6".to_owned()) > 1000);
    }
}
