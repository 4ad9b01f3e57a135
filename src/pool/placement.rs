//! Chooses the browser of the next session. PURE: from figures to a decision that carries its evidence.

use std::{borrow::Cow, fmt};

use crate::port::BrowserId;

/// A name for browsers that are interchangeable: a session gets a lease only in a browser of the kind that it requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserKind(Cow<'static, str>);

impl BrowserKind {
    /// Browsers that many sessions share, each in its own contexts.
    pub const SHARED: Self = Self(Cow::Borrowed("shared"));
}

/// The figures of a ready browser.
#[derive(Clone, Debug)]
pub(super) struct Figures<'a> {
    pub(super) browser: BrowserId,
    pub(super) kind: &'a BrowserKind,
    /// Sessions that hold or are about to hold a lease in it.
    pub(super) sessions: i64,
    /// Whether a session traces in it and must stay alone.
    pub(super) is_exclusive: bool,
}

/// The decision: a browser, or the reason why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// This browser, which had `sessions` sessions and was chosen from `candidates` browsers.
    Place { browser: BrowserId, sessions: i64, candidates: usize },
    /// All ready browsers, `browsers` in number, are exclusive.
    Exclusive { browsers: usize },
    /// No browser of the kind is ready.
    NoneReady,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place { browser, sessions, candidates } => {
                write!(f, "browser {browser}, which has {sessions} sessions, of {candidates} browsers")
            }
            Self::Exclusive { browsers } => write!(f, "no browser: in {browsers} a session must stay alone"),
            Self::NoneReady => f.write_str("no browser: none is ready"),
        }
    }
}

/// Chooses the browser of a kind with the fewest sessions; of several, the first.
pub(super) fn place<'a>(kind: &BrowserKind, ready: impl Iterator<Item = Figures<'a>>) -> Decision {
    let (mut exclusive, mut candidates) = (0, 0);
    let mut best: Option<(i64, BrowserId)> = None;
    for figures in ready.filter(|figures| figures.kind == kind) {
        let sessions = figures.sessions;
        if figures.is_exclusive {
            exclusive += 1;
        } else {
            candidates += 1;
            if best.is_none_or(|(least, _)| sessions < least) {
                best = Some((sessions, figures.browser));
            }
        }
    }
    match best {
        Some((sessions, browser)) => Decision::Place { browser, sessions, candidates },
        None if exclusive > 0 => Decision::Exclusive { browsers: exclusive },
        None => Decision::NoneReady,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: BrowserKind = BrowserKind(Cow::Borrowed("other"));

    fn shared(number: u32, sessions: i64) -> Figures<'static> {
        Figures { browser: BrowserId(number), kind: &BrowserKind::SHARED, sessions, is_exclusive: false }
    }

    fn exclusive(number: u32) -> Figures<'static> {
        Figures { is_exclusive: true, ..shared(number, 1) }
    }

    fn decide<const N: usize>(ready: [Figures<'static>; N]) -> Decision {
        place(&BrowserKind::SHARED, ready.into_iter())
    }

    fn placed(number: u32, sessions: i64, candidates: usize) -> Decision {
        Decision::Place { browser: BrowserId(number), sessions, candidates }
    }

    #[test]
    fn a_session_is_placed_in_the_browser_with_the_fewest_sessions() {
        assert_eq!(decide([shared(0, 3), shared(1, 1), shared(2, 2)]), placed(1, 1, 3));
    }

    #[test]
    fn the_first_of_equally_loaded_browsers_is_chosen() {
        assert_eq!(decide([shared(0, 2), shared(1, 1), shared(2, 1)]), placed(1, 1, 3));
    }

    #[test]
    fn exclusive_browsers_are_not_candidates() {
        assert_eq!(decide([shared(0, 4), exclusive(1), shared(2, 3)]), placed(2, 3, 2));
        assert_eq!(decide([exclusive(0), exclusive(1)]), Decision::Exclusive { browsers: 2 });
    }

    #[test]
    fn a_browser_with_many_sessions_takes_more() {
        assert_eq!(decide([shared(0, 1_000_000)]), placed(0, 1_000_000, 1));
    }

    #[test]
    fn missing_kind_reports_no_ready_browser() {
        assert_eq!(decide([]), Decision::NoneReady);
        let other = Figures { kind: &OTHER, ..shared(0, 0) };
        assert_eq!(decide([other.clone()]), Decision::NoneReady);
        assert_eq!(decide([other, shared(1, 3)]), placed(1, 3, 1));
    }
}
