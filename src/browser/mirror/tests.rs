//! A script is a list of lines `event => effect, effect`: an action of Chrome or a client, and all
//! effects that must follow, in order. The two watchers are `PW` and `TW`; leases are numbers. See
//! [`Fixture::event`] for the events.

mod attach;
mod certificates;
mod end;
mod extensions;
mod hidden_pages;
mod hold;
mod owner;
mod plain;
mod random;
mod twin;

use std::collections::HashMap;

use super::*;
use crate::{
    cdp::{
        emulation::{Aspect, Change, Override},
        target::Filter,
    },
    port::{Interest, PageSetup},
};

const PUPPETEER: &str = r#"[{"type":"page","exclude":true},{"type":"browser","exclude":true},{}]"#;

fn french() -> Change {
    Change::read("Emulation.setLocaleOverride", r#"{"locale":"fr"}"#).expect("a change")
}

/// A mirror that gets events and records its effects.
struct Fixture {
    targets: Mirror,
    now: Instant,
    /// Each target's type, context and the rest of its `TargetInfo`.
    infos: HashMap<String, (String, String, String)>,
}

impl Fixture {
    fn new() -> Self {
        let targets = Mirror::new(["PW".into(), "TW".into()], &"DW".into());
        Self { targets, now: Instant::now(), infos: HashMap::new() }
    }

    fn info(&self, id: &str, url: &str) -> String {
        let (kind, context, rest) = self.infos.get(id).cloned().unwrap_or_default();
        format!(
            r#"{{"targetId":"{id}","type":"{kind}","title":"","url":"{url}","attached":false,"browserContextId":"{context}"{rest}}}"#
        )
    }

    /// * `bind C 1`, `unbind C`, `root R 1`, `open 1`, `release 1`
    /// * `create T page C [opener] [access] [of:PARENT] [at:URL]`, `change T at:URL`, `destroy T`, `crash T`
    /// * `attach S T PW [paused]`, `gone S`: events of Chrome
    /// * `auto R page|tab [nowait] [filter:JSON]`, `off R`, `refused T R`
    /// * `name R T 1`: Chrome's reply 1 to a command of R's names T
    /// * `resume S [children]`, `detach S`: what a client does
    /// * `navigate S`: whether a navigation on S has to wait; `released`: the pages whose navigations need not any more
    /// * `conceal C`, `ours C T` or `ours C -`, `reveal T [by:S]`: pages of the proxy's own
    /// * `extension ID`: it is shown from now on
    /// * `ignore 1 [no]`: certificate errors; `setup 1 [ignore]`: a locale for each page; `keep 1 T S`: S is attached for them
    /// * `pass 5`: seconds
    fn event(&mut self, line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (verb, args) = words.split_first().expect("a verb");
        let arg = |at: usize| *args.get(at).unwrap_or_else(|| panic!("{line}: no word {at}"));
        let has = |word: &str| args.contains(&word);
        let named = |prefix: &str| args.iter().find_map(|arg| arg.strip_prefix(prefix));
        let lease = |at: usize| LeaseId(arg(at).parse().expect("a lease"));
        let mut answers = Vec::new();
        match *verb {
            "extension" => self.targets.show_extension(arg(0).to_owned()),
            "bind" => self.targets.bind(arg(0).into(), lease(1)),
            "unbind" => self.targets.unbind(arg(0)),
            "root" => self.targets.root(arg(0).into(), Some(lease(1))),
            "open" => self.targets.introduce(lease(0)),
            "release" => {
                let mut roots = self.targets.release(lease(0));
                roots.sort();
                answers.extend(roots.into_iter().map(|root| format!("detach {root}")));
            }
            "create" => {
                let opener = if has("opener") { r#","openerId":"O""# } else { "" };
                let parent = named("of:").map_or(String::new(), |parent| format!(r#","parentId":"{parent}""#));
                let rest = format!(r#"{opener}{parent},"canAccessOpener":{}"#, has("access"));
                self.infos.insert(arg(0).to_owned(), (arg(1).to_owned(), arg(2).to_owned(), rest));
                let info = self.info(arg(0), named("at:").unwrap_or("http://x/"));
                self.targets.on_created(&info, self.now);
            }
            "change" => self.targets.on_changed(&self.info(arg(0), named("at:").unwrap_or("http://x/"))),
            "destroy" => self.targets.on_destroyed(arg(0)),
            "crash" => self.targets.on_crashed(arg(0), "{}"),
            "attach" => {
                let info = self.info(arg(1), named("at:").unwrap_or("http://x/"));
                let on = (arg(2) != "-").then(|| CdpSessionId::from(arg(2)));
                self.targets.on_attached(on.as_ref(), arg(0).into(), &info, has("paused"), self.now);
            }
            "gone" => self.targets.on_detached(arg(0)),
            "auto" => {
                let flavour = if arg(1) == "tab" { Flavour::Tab } else { Flavour::Page };
                let json = named("filter:").unwrap_or(PUPPETEER);
                let filter = if flavour == Flavour::Tab || json != PUPPETEER {
                    Filter::read(json).expect("a filter")
                } else {
                    Filter::default_of_chrome()
                };
                let interest = Interest { flavour, filter, wait: !has("nowait") };
                let wanted = self.targets.auto_attach(&arg(0).into(), Some(interest));
                answers.extend(wanted.into_iter().map(|target| format!("attach {target} on {}", arg(0))));
            }
            "off" => {
                let root = CdpSessionId::from(arg(0));
                self.targets.auto_attach(&root, None);
                let mut sessions = self.targets.attached_by(&root);
                sessions.sort();
                for session in sessions {
                    answers.extend(self.detach(&session));
                }
            }
            "refused" => self.targets.on_attach_refused(&arg(1).into(), arg(0)),
            "name" => {
                let reply = CallId(arg(2).parse().expect("an id"));
                let waits = self.targets.withhold(&arg(0).into(), arg(1), reply);
                answers.push(if waits { "waits" } else { "goes" }.to_owned());
            }
            "resume" => {
                let resume = self.targets.on_resume(&arg(0).into(), has("children"));
                answers.push(if resume == Resume::Pass { "up".to_owned() } else { "kept back".to_owned() });
            }
            "navigate" => {
                let waits = self.targets.waits_for_window(&arg(0).into());
                answers.push(waits.map_or("goes".to_owned(), |opener| format!("waits for {opener}")));
            }
            "released" => {
                answers.extend(std::iter::from_fn(|| self.targets.poll_released_opener()).map(|page| page.to_string()));
            }
            "detach" => answers.extend(self.detach(&arg(0).into())),
            "conceal" => answers.extend((!self.targets.conceal(&arg(0).into())).then(|| "busy".to_owned())),
            "ours" => {
                let target = (arg(1) != "-").then(|| TargetId::from(arg(1)));
                self.targets.concealed(&arg(0).into(), target, self.now);
            }
            "reveal" => {
                let emulated = named("by:").map(|by| (by.into(), vec![french()]));
                self.targets.reveal(&arg(0).into(), emulated);
            }
            "ignore" => {
                let pages = self.targets.ignore_certificate_errors(lease(0), !has("no"));
                answers.extend(pages.into_iter().map(|page| format!("keep {page}")));
            }
            "keep" => {
                let commands = self.targets.keep_on(lease(0), &arg(1).into(), &arg(2).into());
                let shown = |(method, _): &(&'static str, String)| match *method {
                    "Security.setIgnoreCertificateErrors" => "ignore".to_owned(),
                    other => other.to_owned(),
                };
                answers.extend(if commands.is_empty() {
                    vec!["no".to_owned()]
                } else {
                    commands.iter().map(shown).collect()
                });
            }
            "setup" => {
                let emulation = vec![Override::new(Aspect::Locale, r#"{"locale":"de"}"#.to_owned())];
                let setup = PageSetup { ignore_certificate_errors: has("ignore"), emulation };
                let pages = self.targets.set_up(lease(0), setup.into());
                answers.extend(pages.into_iter().map(|page| format!("keep {page}")));
            }
            "pass" => {
                self.now += Duration::from_secs(arg(0).parse().expect("seconds"));
                self.targets.on_timeout(self.now);
            }
            other => panic!("no such event: {other}"),
        }
        // The link acts on the result after the effects.
        let mut effects = self.effects();
        effects.extend(answers);
        effects
    }

    fn detach(&mut self, session: &CdpSessionId) -> Vec<String> {
        let way = self.targets.detach(session);
        let mut effects = self.effects();
        effects.push(match way {
            Way::Through(parent) => format!("detach {session} on {parent}"),
            Way::Done => "done".to_owned(),
            Way::Unknown => format!("detach {session}"),
        });
        effects
    }

    fn effects(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.targets.poll_effect()).map(|effect| spell(&effect)).collect()
    }
}

fn spell(effect: &Effect) -> String {
    match effect {
        Effect::Send { on, method: "Runtime.runIfWaitingForDebugger", .. } => format!("resume {on}"),
        Effect::Send { on, method: "Target.detachFromTarget", params, .. } => {
            let params: HashMap<String, String> = serde_json::from_str(params).expect("JSON");
            format!("detach {} on {on}", params["sessionId"])
        }
        Effect::Send { on, method: "Security.setIgnoreCertificateErrors", params, .. } => {
            format!("{} errors on {on}", if params.contains("true") { "ignore" } else { "mind" })
        }
        Effect::Send { on, method: "Emulation.setLocaleOverride", .. } => format!("locale on {on}"),
        Effect::Send { method, .. } => panic!("{method} was not expected"),
        Effect::ResumeThenDetach { session, on, .. } => format!("let {session} go on {on} when it runs"),
        Effect::Attach { root, target, .. } => format!("attach {target} on {root}"),
        Effect::KeepOn { page, .. } => format!("keep {page}"),
        Effect::Answer(reply) => format!("answer {}", reply.0),
        Effect::Deliver(LeaseId(lease), told) => format!("{lease}: {}", spell_told(told)),
    }
}

fn spell_told(told: &Told) -> String {
    match told {
        Told::Context { context } => format!("context {context}"),
        Told::Created { target, .. } => format!("created {target}"),
        Told::Changed { target, .. } => format!("changed {target}"),
        Told::Destroyed { target } => format!("destroyed {target}"),
        Told::Crashed { target, .. } => format!("crashed {target}"),
        Told::Emulated { target, by, what } => {
            let what: Vec<_> = what.iter().map(Change::aspect).collect();
            format!("{by} emulates {what:?} on {target}")
        }
        Told::SetUp { target, by, what } => {
            let what: Vec<_> = what.iter().map(Change::aspect).collect();
            format!("{by} sets up {what:?} on {target}")
        }
        Told::Attached { parent, child, target, waiting, .. } => {
            format!("attached {child} to {target} on {parent}{}", if *waiting { " waiting" } else { "" })
        }
        Told::Detached { parent, child, below, .. } => {
            let below = below.iter().fold(String::new(), |all, below| format!("{all} {below}"));
            format!("detached {child} on {parent}{}{below}", if below.is_empty() { "" } else { " with" })
        }
    }
}

/// Runs a script; the message of a failure has the lines before it.
fn play(script: &str) -> Fixture {
    let mut mirror = Fixture::new();
    let mut played = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (event, wanted) = line.split_once("=>").unwrap_or((line, ""));
        let wanted: Vec<&str> = wanted.split(',').map(str::trim).filter(|effect| !effect.is_empty()).collect();
        let effects = mirror.event(event);
        assert_eq!(effects, wanted, "\n{played}{line}   <== here");
        played += line;
        played.push('\n');
    }
    mirror
}

/// The mirror has only the proxy's own three CDP sessions.
#[track_caller]
fn is_empty(mirror: &Mirror) {
    let Mirror { roots, unpaired, expected, concealing, own_pages, origins, rulings, certificates, openers, .. } =
        mirror;
    assert_eq!(mirror.census(), (0, 0, 3), "{mirror:?}");
    assert!(roots.is_empty() && unpaired.is_empty() && expected.is_empty(), "{mirror:?}");
    assert!(openers.pairs().is_empty());
    assert!(concealing.is_empty() && own_pages.is_empty(), "{mirror:?}");
    assert!(origins.is_empty() && rulings.is_empty() && certificates.is_empty(), "{mirror:?}");
}
