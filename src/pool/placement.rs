//! Chooses the browser of the next session. PURE: from figures to a decision that carries its evidence.

use std::{fmt, sync::Arc};

use crate::port::{BrowserId, LaunchSpec};

/// Browsers that are interchangeable: a session gets a lease only in a browser of the kind that it requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrowserKind {
    /// Browsers that many sessions share, each in its own contexts.
    Shared,
    /// Browsers of one session each, which uses Chrome's own default context. One starts for it and ends with it. Only
    /// those that are started like all others are kept as spare ones.
    Dedicated(LaunchSpec),
}

impl BrowserKind {
    /// Whether they are dedicated browsers that are started like all others, so that there can be spare ones.
    pub(super) fn is_plain_dedicated(&self) -> bool {
        matches!(self, Self::Dedicated(launch) if launch.is_plain())
    }

    /// How they are started, if they are dedicated ones.
    pub(super) fn dedicated(&self) -> Option<&LaunchSpec> {
        match self {
            Self::Dedicated(launch) => Some(launch),
            Self::Shared => None,
        }
    }

    /// How they are started, if that is special.
    pub(super) fn special(&self) -> Option<&LaunchSpec> {
        self.dedicated().filter(|launch| !launch.is_plain())
    }
}

/// Whose sessions may be in the same browser at the same time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Company {
    /// The sessions of all who accept that.
    #[default]
    Anyone,
    /// The sessions of this group.
    Group(Arc<str>),
    /// No other session.
    Nobody,
}

/// The requirements of a session, and what else is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) kind: &'a BrowserKind,
    pub(super) company: &'a Company,
    /// Whether a request waits that only a browser without sessions can take: others leave those to it.
    pub(super) spares_empty: bool,
    /// Sessions in one browser above which another one is better.
    pub(super) sessions_per_browser: i64,
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
    /// The company that its sessions accept; `None` if it has no session.
    pub(super) company: Option<&'a Company>,
}

/// The decision: a browser, or the reason why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// This browser, which had `sessions` sessions and was chosen from `candidates` browsers.
    Place { browser: BrowserId, sessions: i64, candidates: usize },
    /// All ready browsers, `browsers` in number, are exclusive.
    Exclusive { browsers: usize },
    /// In the ready browsers, `browsers` in number, are sessions that this one must not meet.
    Apart { browsers: usize },
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
            Self::Apart { browsers } => write!(f, "no browser: in {browsers} are sessions that it must not meet"),
            Self::NoneReady => f.write_str("no browser: none is ready"),
        }
    }
}

impl Wanted<'_> {
    /// How well a browser suits, the smaller the better; `None` if the session must not be in it.
    fn rank(&self, figures: &Figures<'_>) -> Option<u8> {
        match (self.company, figures.company) {
            (Company::Anyone, None) => Some(u8::from(self.spares_empty)),
            (Company::Anyone, Some(Company::Anyone)) => Some(0),
            // A group keeps together, because others cannot use its browsers.
            (Company::Group(one), Some(Company::Group(other))) if one == other => {
                Some(if figures.sessions < self.sessions_per_browser { 0 } else { 2 })
            }
            (Company::Group(_) | Company::Nobody, None) => Some(1),
            (_, Some(_)) => None,
        }
    }
}

/// Chooses the browser of a kind with the fewest sessions, among those whose sessions it may meet; of several, the first.
pub(super) fn place<'a>(wanted: Wanted<'_>, ready: impl Iterator<Item = Figures<'a>>) -> Decision {
    let (mut exclusive, mut apart, mut candidates) = (0, 0, 0);
    let mut best: Option<((u8, i64), BrowserId)> = None;
    for figures in ready.filter(|figures| figures.kind == wanted.kind) {
        if figures.is_exclusive {
            exclusive += 1;
            continue;
        }
        let Some(rank) = wanted.rank(&figures) else {
            apart += 1;
            continue;
        };
        candidates += 1;
        let score = (rank, figures.sessions);
        if best.is_none_or(|(least, _)| score < least) {
            best = Some((score, figures.browser));
        }
    }
    match best {
        Some(((_, sessions), browser)) => Decision::Place { browser, sessions, candidates },
        None if apart > 0 => Decision::Apart { browsers: apart },
        None if exclusive > 0 => Decision::Exclusive { browsers: exclusive },
        None => Decision::NoneReady,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(number: u32, sessions: i64) -> Figures<'static> {
        Figures {
            browser: BrowserId(number),
            kind: &BrowserKind::Shared,
            sessions,
            is_exclusive: false,
            company: (sessions > 0).then_some(&Company::Anyone),
        }
    }

    fn exclusive(number: u32) -> Figures<'static> {
        Figures { is_exclusive: true, ..shared(number, 1) }
    }

    fn decide<const N: usize>(ready: [Figures<'static>; N]) -> Decision {
        decide_for(&Company::Anyone, ready)
    }

    fn decide_for<const N: usize>(company: &Company, ready: [Figures<'static>; N]) -> Decision {
        let kind = &BrowserKind::Shared;
        place(Wanted { kind, company, spares_empty: false, sessions_per_browser: 10 }, ready.into_iter())
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
        let dedicated = BrowserKind::Dedicated(LaunchSpec::default());
        let other = Figures { kind: Box::leak(Box::new(dedicated)), ..shared(0, 0) };
        assert_eq!(decide([other.clone()]), Decision::NoneReady);
        assert_eq!(decide([other, shared(1, 3)]), placed(1, 3, 1));
    }

    #[test]
    fn sessions_meet_only_those_whose_company_they_accept() {
        let group = |name: &str| Company::Group(name.into());
        let all: [Option<&'static Company>; 5] = [
            None,
            Some(&Company::Anyone),
            Some(&Company::Nobody),
            Some(Box::leak(Box::new(group("a")))),
            Some(Box::leak(Box::new(group("b")))),
        ];
        for (wanted, accepted) in [
            (Company::Anyone, [true, true, false, false, false]),
            (Company::Nobody, [true, false, false, false, false]),
            (group("a"), [true, false, false, true, false]),
        ] {
            for (company, expected) in all.into_iter().zip(accepted) {
                let decision = decide_for(&wanted, [Figures { company, ..shared(0, 1) }]);
                let is_placed = matches!(decision, Decision::Place { .. });
                assert_eq!(is_placed, expected, "{wanted:?} beside {company:?}: {decision}");
                assert!(is_placed || decision == Decision::Apart { browsers: 1 });
            }
        }
    }

    #[test]
    fn a_group_keeps_together_until_its_browser_is_full() {
        let a: &'static Company = Box::leak(Box::new(Company::Group("a".into())));
        let of_group = |number, sessions| Figures { company: Some(a), ..shared(number, sessions) };
        assert_eq!(decide_for(a, [shared(0, 0), of_group(1, 9)]), placed(1, 9, 2));
        assert_eq!(decide_for(a, [of_group(1, 10), shared(0, 0)]), placed(0, 0, 2));
        assert_eq!(decide_for(a, [of_group(1, 10), shared(0, 3)]), placed(1, 10, 1));
    }

    #[test]
    fn browsers_without_sessions_are_left_to_those_who_need_them() {
        let kind = &BrowserKind::Shared;
        let wanted = Wanted { kind, company: &Company::Anyone, spares_empty: true, sessions_per_browser: 10 };
        assert_eq!(place(wanted, [shared(0, 0), shared(1, 30)].into_iter()), placed(1, 30, 2));
        assert_eq!(place(wanted, [shared(0, 0)].into_iter()), placed(0, 0, 1));
    }
}
