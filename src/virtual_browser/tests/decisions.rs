//! Compares the decision on every method, on a page and on a browser, with each capability, with `decisions.tsv` beside
//! this file: a change of the policy table shows as a change of the decisions.
//!
//! After an intended change: `WRITE_DECISIONS=1 cargo test --lib --no-default-features decisions`, and read the diff.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use serde_json::{Value, json};

use super::{
    holes::{client_with, params},
    *,
};
use crate::{
    api_types::capability::Capability,
    virtual_browser::policy::{Decision, Handler, Level, Refusal, Verdict},
};

const TABLE: &str = "src/virtual_browser/tests/decisions.tsv";
const COLUMNS: &str =
    "method\tlevel\tcapabilities\tverdict\thandler\twithout params\town params\tparams that reach further";

const CAPABILITIES: [Capability; 6] = [
    Capability::HostFiles,
    Capability::Tracing,
    Capability::PrivateNetwork,
    Capability::LaunchArgs,
    Capability::Dedicated,
    Capability::Clipboard,
];

/// Each set of capabilities that is looked at, with its name: none, each alone, all.
fn sets() -> Vec<(String, Capabilities)> {
    let with = |which: &[Capability]| Capabilities::of(which.iter().copied());
    let mut sets = vec![("none".to_owned(), with(&[]))];
    sets.extend(CAPABILITIES.iter().map(|one| (one.name().to_owned(), with(&[*one]))));
    sets.push(("all".to_owned(), with(&CAPABILITIES)));
    sets
}

/// The methods of the table, and an unknown one for each domain.
fn methods() -> BTreeSet<String> {
    let rows = include_str!("../policy.tsv").lines().skip(1);
    let mut methods: BTreeSet<String> = rows.filter_map(|row| row.split('\t').next()).map(str::to_owned).collect();
    // The decision of a row for a whole domain is that for the unknown method.
    methods.retain(|method| !method.ends_with(".*"));
    let domains: BTreeSet<String> =
        methods.iter().filter_map(|method| method.split('.').next()).map(str::to_owned).collect();
    methods.extend(domains.iter().map(|domain| format!("{domain}.unknownMethod")));
    methods.insert("Unknown.method".to_owned());
    methods
}

fn decision(method: &str, level: Level, caps: Capabilities) -> (String, String) {
    let Decision { verdict, handler } = policy::decide(method, level, Granted::new(caps, Capabilities::all()));
    let verdict = match verdict {
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
    let handler = match handler {
        Handler::Refuse(_) => "Refuse".to_owned(),
        Handler::Check(check) => format!("Check {check:?}"),
        handler => format!("{handler:?}"),
    };
    (verdict, handler)
}

/// Sets of params: none, those that name what is the client's own, and some that reach beyond a page.
fn all_params() -> [String; 3] {
    let own = params("", "\"x\":1", true);
    let further = [
        r#""url":"http://127.0.0.1/""#,
        r#""files":["/etc/passwd"]"#,
        r#""data":{"items":[],"files":["/etc/passwd"]}"#,
        r#""commands":["paste"]"#,
        r#""permissions":["clipboardReadWrite"]"#,
        r#""permission":{"name":"clipboard-read"}"#,
        r#""originsWithUniversalNetworkAccess":["http://x"]"#,
        r#""width":1e9,"height":1"#,
        r#""bounds":{"width":1e9}"#,
        r#""x":1,"y":1"#,
    ];
    ["{}".to_owned(), own, params("", &further.join(","), true)]
}

/// What one command leads to. `client` is that of the command before, if that changed nothing.
fn outcome(client: &mut Option<Pair>, method: &str, level: Level, caps: Capabilities, params: &str) -> String {
    let session = if level == Level::Page { r#","sessionId":"S""# } else { "" };
    let mut pair = client.take().unwrap_or_else(|| client_with(caps));
    let frame = format!(r#"{{"id":1,"method":"{method}","params":{params}{session}}}"#);
    pair.session.on_client(VIEW, Bytes::from(frame));
    let actions: Vec<String> =
        pair.session.poll_actions().into_iter().map(|action| kind(action, method, params)).collect();
    let is_plain = matches!(actions.as_slice(), [one] if one == "pass" || one.starts_with("error"));
    if is_plain && pair.session.crashed_pages.is_empty() {
        *client = Some(pair);
    }
    if actions.is_empty() { "nothing".to_owned() } else { actions.join(" + ") }
}

/// The kind of an action, in a few words.
fn kind(action: Action, method: &str, params: &str) -> String {
    let went_up = |up: &str, up_params: &str| {
        let name = if up == method { "" } else { up };
        let how = if up_params == params { "" } else { " rewritten" };
        format!("{name}{how}").trim().to_owned()
    };
    let kind = match action {
        Action::ToClient(_, frame) => {
            let frame: Value = serde_json::from_str(&text(frame)).expect("JSON");
            if let Some(event) = frame["method"].as_str() {
                format!("event {event}")
            } else if let Some(error) = frame.get("error") {
                format!("error {}", error["code"])
            } else {
                "answer".to_owned()
            }
        }
        Action::Pass(text) | Action::Navigate(_, text) => {
            let up = Command::read(text).expect("a command");
            format!("pass {}", went_up(up.method(), up.params()))
        }
        Action::Call(_, call) => {
            // `N` is on the same page as `S`: which of the two is asked about that page does not matter.
            let on = call.on.map(|on| on.to_string().replace('N', "S")).expect("a CDP session");
            format!("call on {on} {}", went_up(&call.method, &call.params))
        }
        Action::NewContext(..) => "new context".to_owned(),
        Action::Resume(on, ..) => format!("resume {on}"),
        Action::AutoAttach(_, on, interest) => format!("auto-attach {on} {}", json!(interest.is_some())),
        Action::IgnoreCertificateErrors(_, ignore) => format!("ignore certificate errors: {ignore}"),
        Action::Detach(_, on) => format!("detach {on}"),
        Action::Directory(_) => "directory".to_owned(),
        Action::Listen => "listen".to_owned(),
        Action::Note(_) => "note".to_owned(),
        Action::Move(..) => "move".to_owned(),
        Action::CheckFiles(..) => "check files".to_owned(),
        Action::FindExtension(..) => "find extension".to_owned(),
        Action::ShowExtension(..) => "show extension".to_owned(),
        Action::KeepExtension(..) => "keep extension".to_owned(),
        Action::Claim(_) => "claim".to_owned(),
        Action::Unclaim => "unclaim".to_owned(),
        Action::Remind(_) => "remind".to_owned(),
        Action::Permit(..) => "permit".to_owned(),
        Action::Ghost(..) => "ghost".to_owned(),
        Action::Close(..) => "close".to_owned(),
        Action::End => "end".to_owned(),
    };
    kind.trim().to_owned()
}

/// The table: sets of capabilities for which all is alike share a line.
fn table() -> String {
    let (sets, all_params) = (sets(), all_params());
    let mut clients: Vec<Option<Pair>> = sets.iter().map(|_| None).collect();
    let mut table = format!("{COLUMNS}\n");
    for method in methods() {
        for (level, level_name) in [(Level::Page, "page"), (Level::Browser, "browser")] {
            let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
            for ((name, caps), client) in sets.iter().zip(&mut clients) {
                let (verdict, handler) = decision(&method, level, *caps);
                let outcomes = all_params.iter().map(|params| outcome(client, &method, level, *caps, params));
                let line: Vec<String> = [verdict, handler].into_iter().chain(outcomes).collect();
                let line = line.join("\t");
                match lines.iter_mut().find(|(known, _)| *known == line) {
                    Some((_, names)) => names.push(name),
                    None => lines.push((line, vec![name])),
                }
            }
            let is_alike = lines.len() == 1;
            for (line, names) in lines {
                let names = if is_alike { "any".to_owned() } else { names.join(", ") };
                writeln!(table, "{method}\t{level_name}\t{names}\t{line}").expect("a string");
            }
        }
    }
    table
}

#[test]
fn every_decision_equals_the_recorded_one() {
    let found = table();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE);
    if std::env::var_os("WRITE_DECISIONS").is_some() {
        std::fs::write(&path, &found).expect("the table can be written");
    }
    let known = include_str!("decisions.tsv");
    let differ: Vec<String> = {
        let (found, known): (BTreeSet<&str>, BTreeSet<&str>) = (found.lines().collect(), known.lines().collect());
        let gone = known.difference(&found).map(|line| format!("- {line}"));
        gone.chain(found.difference(&known).map(|line| format!("+ {line}"))).collect()
    };
    assert!(
        differ.is_empty(),
        "{} lines differ from {TABLE}; if that is meant, write it anew with WRITE_DECISIONS=1:\n{}",
        differ.len(),
        differ.join("\n")
    );
}
