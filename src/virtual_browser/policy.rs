//! Decides about each method of the protocol, by its name, the level of its CDP session and the capabilities of the
//! session, and names its handler.
//!
//! The table is `policy.tsv` beside this file, one row per method of Chrome 156 (and a few that only 148 has), to be read
//! and audited. The row `ghost.*` is for all operations of the `ghost` domain, which has a table of its own. The
//! build makes a perfect hash of the table, and the enums [`Handler`] and [`Check`]. Handlers are called in `dispatch`, checks in [`arguments`](super::arguments). Nothing here looks at
//! parameters.
//!
//! Invariant: a method that is not in the table is not sent to Chrome, except a new method of a domain whose known methods
//! all concern only their own target, on that target (`unknown_methods_are_not_sent_to_chrome`).

use crate::api_types::capability::{Capability, Granted};

include!(concat!(env!("OUT_DIR"), "/policy.rs"));

/// The level of the CDP session of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A root of a client.
    Browser,
    /// The CDP session of a page, tab, iframe or worker.
    Page,
}

/// The verdict on a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send to Chrome unchanged.
    Pass,
    /// Send on the base with a context of the session: the default one if the command names none.
    InjectContext,
    /// Send to Chrome if the object that it names belongs to the session; otherwise answer as Chrome does for an unknown
    /// object.
    OwnOnly,
    /// Answer as a Chrome that has only this session.
    Virtualise,
    /// Check the arguments, rewrite them if needed, and send the command to Chrome.
    Sanitise,
    /// The proxy answers.
    AnswerLocally,
    /// Answer with an error.
    Refuse(Refusal),
    /// Answer as Chrome does for an unknown method.
    NotFound,
}

/// How a client gets a browser that belongs to its session alone, for the texts of refusals.
pub(super) const OWN_BROWSER: &str = "a session with isolation=dedicated";

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The capability that would allow it, if any does.
    pub needs: Option<Capability>,
}

impl Refusal {
    /// The code of its CDP error.
    pub const CODE: i32 = -32000;

    /// The text of its CDP error.
    pub fn message(self, method: &str) -> String {
        match self.needs {
            Some(capability @ Capability::Dedicated) => {
                format!("'{method}' is refused: it needs the capability {capability} and {OWN_BROWSER}")
            }
            Some(capability @ Capability::Tracing) => {
                format!("'{method}' is refused: it needs the capability {capability} or {OWN_BROWSER}")
            }
            Some(capability) => format!("'{method}' is refused: it needs the capability {capability}"),
            None => format!("'{method}' is refused: no capability allows it"),
        }
    }
}

/// The verdict on a command, and its handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The verdict of the table, for reports.
    pub verdict: Verdict,
    /// The handler that carries the verdict out.
    pub handler: Handler,
}

/// A row of the table.
struct Row {
    /// The verdict on a page-level CDP session.
    page: Decision,
    /// The verdict on a browser-level CDP session.
    browser: Decision,
    /// The verdicts that replace a refusal, each for a session with a capability.
    with: &'static [(Capability, Decision)],
}

/// Decides about a method. No other code does.
pub fn decide(method: &str, level: Level, granted: Granted) -> Decision {
    let row = ROWS.get(method).or_else(|| DOMAINS.get(method.split_once('.')?.0));
    let decision = match (row, level) {
        (Some(row), Level::Page) => row.page,
        (Some(row), Level::Browser) => row.browser,
        (None, Level::Page) if is_new(method) => Decision { verdict: Verdict::Pass, handler: Handler::Pass },
        (None, _) => Decision { verdict: Verdict::NotFound, handler: Handler::NotFound },
    };
    match decision.handler {
        Handler::Refuse(Refusal { needs: Some(capability) }) if granted.has(capability) => {
            let with = row.and_then(|row| row.with.iter().find(|(with, _)| *with == capability));
            with.map_or(decision, |(_, with)| *with)
        }
        _ => decision,
    }
}

/// The text of Chrome's error `-32601`.
pub fn not_found(method: &str) -> String {
    format!("'{method}' wasn't found")
}

/// Whether a newer Chrome may have this method, and it can concern only its own target.
fn is_new(method: &str) -> bool {
    method.split_once('.').is_some_and(|(domain, _)| OPEN_DOMAINS.contains(domain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_types::capability::Capabilities;

    fn verdict(method: &str, level: Level) -> Verdict {
        decide(method, level, Granted::none()).verdict
    }

    #[test]
    fn every_verdict_has_a_row() {
        let table = include_str!("policy.tsv");
        assert_eq!(table.lines().count() - 1, ROWS.len() + DOMAINS.len());
        for row in table.lines().skip(1) {
            let columns: Vec<_> = row.split('\t').collect();
            for (rule, level) in [(columns[2], Level::Page), (columns[3], Level::Browser)] {
                let verdict = match verdict(columns[0], level) {
                    Verdict::Pass => "pass".to_owned(),
                    Verdict::InjectContext => "inject-context".to_owned(),
                    Verdict::OwnOnly => "own-only".to_owned(),
                    Verdict::Virtualise => "virtualise".to_owned(),
                    Verdict::Sanitise => "sanitise".to_owned(),
                    Verdict::AnswerLocally => "answer-locally".to_owned(),
                    Verdict::NotFound => "not-found".to_owned(),
                    Verdict::Refuse(Refusal { needs: None }) => "refuse".to_owned(),
                    Verdict::Refuse(Refusal { needs: Some(capability) }) => format!("refuse {capability}"),
                };
                assert_eq!(verdict, rule, "{} at {level:?}", columns[0]);
            }
        }
    }

    #[test]
    fn browser_wide_methods_never_pass() {
        use Level::{Browser, Page};
        let refuse = |needs| Verdict::Refuse(Refusal { needs });
        let (dedicated, tracing) = (refuse(Some(Capability::Dedicated)), refuse(Some(Capability::Tracing)));
        for (method, page, browser) in [
            ("Browser.close", Verdict::AnswerLocally, Verdict::AnswerLocally),
            ("Browser.crash", dedicated, dedicated),
            ("Browser.getWindowForTarget", Verdict::AnswerLocally, Verdict::OwnOnly),
            ("Target.getTargets", Verdict::Virtualise, Verdict::Virtualise),
            ("Target.createTarget", Verdict::InjectContext, Verdict::InjectContext),
            ("Target.exposeDevToolsProtocol", refuse(None), refuse(None)),
            ("Tracing.start", tracing, tracing),
            ("Emulation.addScreen", dedicated, dedicated),
            ("Fetch.enable", Verdict::Pass, dedicated),
            ("Security.setIgnoreCertificateErrors", Verdict::Pass, Verdict::Virtualise),
            ("Storage.setStorageBucketTracking", Verdict::Pass, refuse(None)),
            ("Storage.clearCookies", Verdict::InjectContext, Verdict::InjectContext),
            ("SystemInfo.getInfo", dedicated, dedicated),
            ("SystemInfo.getProcessInfo", Verdict::AnswerLocally, Verdict::AnswerLocally),
            ("Extensions.loadUnpacked", dedicated, dedicated),
            ("Target.openDevTools", refuse(None), refuse(None)),
            ("BluetoothEmulation.enable", Verdict::NotFound, dedicated),
            ("Page.navigate", Verdict::Sanitise, Verdict::NotFound),
            ("Runtime.evaluate", Verdict::Pass, Verdict::NotFound),
            ("IO.read", Verdict::OwnOnly, Verdict::OwnOnly),
        ] {
            assert_eq!(verdict(method, Page), page, "{method}");
            assert_eq!(verdict(method, Browser), browser, "{method}");
        }
    }

    #[test]
    fn capabilities_replace_only_the_refusals_of_their_rows() {
        let with = |caps| Granted::new(caps, Capabilities::all());
        let tracing = with(Capabilities { tracing: true, ..Capabilities::strict() });
        let all_but_tracing = with(Capabilities { tracing: false, ..Capabilities::all() });
        for level in [Level::Page, Level::Browser] {
            let start = decide("Tracing.start", level, tracing);
            assert_eq!(start, Decision { verdict: Verdict::OwnOnly, handler: Handler::StartTrace });
            let refused = decide("Tracing.start", level, all_but_tracing).handler;
            assert_eq!(refused, Handler::Refuse(Refusal { needs: Some(Capability::Tracing) }));
            let shared = Granted::new(Capabilities::all(), Capabilities::of_shared_browser());
            let crash = decide("Browser.crash", level, shared).handler;
            assert_eq!(crash, Handler::Refuse(Refusal { needs: Some(Capability::Dedicated) }));
            assert_eq!(decide("Browser.crash", level, with(Capabilities::all())).handler, Handler::Pass);
            // A method that no single capability allows is not allowed by all of them.
            let tools = decide("Target.openDevTools", level, with(Capabilities::all())).handler;
            assert_eq!(tools, Handler::Refuse(Refusal { needs: None }));
        }
    }

    /// Every method, at each level, with every set of rights that a session in a shared browser can have.
    #[test]
    fn no_right_lets_a_browser_wide_method_reach_a_shared_browser() {
        let shared = Capabilities::of_shared_browser();
        let sets: Vec<Granted> = (0..1_u32 << Capability::ALL.len())
            .map(|bits| {
                let has = |at: usize| bits & (1 << at) != 0;
                let rights = Capability::ALL.into_iter().enumerate().filter(|(at, _)| has(*at)).map(|(_, right)| right);
                Granted::new(Capabilities::of(rights), shared)
            })
            .collect();
        let mut browser_wide = 0;
        for row in include_str!("policy.tsv").lines().skip(1) {
            let columns: Vec<_> = row.split('\t').collect();
            for (rule, level) in [(columns[2], Level::Page), (columns[3], Level::Browser)] {
                if rule != "refuse dedicated" && rule != "refuse" {
                    continue;
                }
                browser_wide += 1;
                let method = columns[0].replace('*', "newThing");
                for granted in &sets {
                    let verdict = decide(&method, level, *granted).verdict;
                    assert!(matches!(verdict, Verdict::Refuse(_)), "{method} at {level:?} with {granted:?}");
                }
                let own = Granted::new(Capabilities::all().alone(), Capabilities::of_dedicated_browser());
                let is_refused = matches!(decide(&method, level, own).verdict, Verdict::Refuse(_));
                assert_eq!(is_refused, rule == "refuse", "what names dedicated works there: {method} at {level:?}");
            }
        }
        assert!(browser_wide > 100, "{browser_wide}");
    }

    #[test]
    fn unknown_methods_are_not_sent_to_chrome() {
        for method in [
            "Nope.enable",
            "Storage.newThing",
            "Target.newThing",
            "Page.newThing",
            "Runtime",
            "",
            ".",
            "Target.closeTarget ",
        ] {
            assert_eq!(verdict(method, Level::Page), Verdict::NotFound, "{method}");
            assert_eq!(verdict(method, Level::Browser), Verdict::NotFound, "{method}");
        }
        assert_eq!(verdict("Runtime.newThing", Level::Page), Verdict::Pass);
        assert_eq!(verdict("Runtime.newThing", Level::Browser), Verdict::NotFound);
        for domain in
            ["Storage", "Target", "Browser", "Page", "Network", "Emulation", "DOM", "Input", "Tracing", "Memory"]
        {
            assert!(!OPEN_DOMAINS.contains(domain), "{domain}");
        }
    }

    #[test]
    fn refusals_name_the_method_and_the_capability() {
        let refusal = Refusal { needs: Some(Capability::Dedicated) };
        let text =
            "'Browser.crash' is refused: it needs the capability dedicated and a session with isolation=dedicated";
        assert_eq!(refusal.message("Browser.crash"), text);
        let refusal = Refusal { needs: Some(Capability::Tracing) };
        let text = "'Tracing.start' is refused: it needs the capability tracing or a session with isolation=dedicated";
        assert_eq!(refusal.message("Tracing.start"), text);
        let text = "'Target.openDevTools' is refused: no capability allows it";
        assert_eq!(Refusal { needs: None }.message("Target.openDevTools"), text);
        assert_eq!(not_found("X.y"), "'X.y' wasn't found");
    }
}
