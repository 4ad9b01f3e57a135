//! The earlier snapshots of a page, and what is different from one of them.

use std::{collections::VecDeque, time::Duration};

use similar::{Algorithm, TextDiff};

/// How long the differences are looked for; then they are longer than they need be.
const PATIENCE: Duration = Duration::from_millis(200);

/// The earlier snapshots of a page, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    snapshots: VecDeque<(u64, String)>,
    last: u64,
    bytes: usize,
}

impl History {
    /// That of a page whose snapshots have numbers up to this one.
    pub(super) fn behind(last: u64) -> Self {
        Self { last, ..Self::default() }
    }

    /// The number of the last snapshot.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The earlier snapshot of this version, if it is kept.
    pub(super) fn get(&self, version: &str) -> Option<String> {
        let number: u64 = version.strip_prefix('s')?.parse().ok()?;
        self.snapshots.iter().find(|(of, _)| *of == number).map(|(_, text)| text.clone())
    }

    /// Keeps a snapshot, at most this many bytes of all. Returns its version.
    pub(super) fn keep(&mut self, text: &str, most: usize) -> String {
        self.last += 1;
        if text.len() <= most {
            self.bytes += text.len();
            self.snapshots.push_back((self.last, text.to_owned()));
        }
        while self.bytes > most {
            let Some((_, oldest)) = self.snapshots.pop_front() else { break };
            self.bytes -= oldest.len();
        }
        format!("s{}", self.last)
    }
}

/// The lines that are different, as a unified diff without its head; `None` if that is not shorter than the new text.
pub(super) fn differences(old: &str, new: &str) -> Option<String> {
    let diff = TextDiff::configure().algorithm(Algorithm::Myers).timeout(PATIENCE).diff_lines(old, new);
    let text = diff.unified_diff().context_radius(1).missing_newline_hint(false).to_string();
    (text.len() < new.len()).then_some(text)
}

/// Cuts a text at a line, so that it has at most this many bytes. Returns how many lines were cut.
pub(super) fn cut(text: &mut String, most: usize) -> u32 {
    if text.len() <= most {
        return 0;
    }
    // The line break itself is not needed.
    let end = text.as_bytes()[..=most].iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    let omitted = text[end..].lines().filter(|line| !line.is_empty()).count();
    text.truncate(end);
    u32::try_from(omitted).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_kept_within_bounds() {
        let mut history = History::behind(4);
        assert_eq!((history.keep("aaaa", 10), history.keep("bbbb", 10)), ("s5".to_owned(), "s6".to_owned()));
        assert_eq!(history.get("s5").as_deref(), Some("aaaa"));
        assert_eq!(history.keep("cccc", 10), "s7");
        assert_eq!((history.get("s5"), history.get("s6").as_deref()), (None, Some("bbbb")));
        assert_eq!(history.keep("more than there is room for", 10), "s8");
        assert_eq!((history.get("s8"), history.get("x"), history.get("s6").is_some()), (None, None, true));
        assert_eq!(history.keep("", 0), "s9");
        assert_eq!((history.bytes, history.last()), (0, 9));
    }

    #[test]
    fn differences_are_the_lines_that_changed() {
        let old = "- main:\n  - a\n  - b\n  - c\n  - d\n  - e\n  - f\n  - a line that stays as it is, and is longer than the others";
        assert_eq!(differences(old, old).as_deref(), Some(""));
        let new = old.replace("  - c\n", "  - x\n");
        assert_eq!(differences(old, &new).as_deref(), Some("@@ -3,3 +3,3 @@\n   - b\n-  - c\n+  - x\n   - d\n"));
        assert_eq!(differences(old, "- b"), None, "the new one is shorter");
    }

    #[test]
    fn texts_are_cut_at_lines() {
        let cut_at = |most| {
            let mut text = "ab\ncdé\nf".to_owned();
            (cut(&mut text, most), text)
        };
        assert_eq!(cut_at(9), (0, "ab\ncdé\nf".to_owned()));
        assert_eq!(cut_at(8), (1, "ab\ncdé".to_owned()));
        for most in [2, 5, 6] {
            assert_eq!(cut_at(most), (2, "ab".to_owned()), "{most}");
        }
        assert_eq!(cut_at(1), (3, String::new()));
    }
}
