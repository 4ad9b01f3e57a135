//! The policy table against the protocol of the running browser.

use std::collections::{BTreeMap, BTreeSet};

use ghostmux::{
    api_types::capability::Granted,
    virtual_browser::policy::{self, Level, Verdict},
};
use serde_json::Value;

use crate::{
    browsers::{Browser, in_each_browser},
    proxy::Proxy,
};

fn verdict(method: &str, level: Level) -> Verdict {
    policy::decide(method, level, Granted::none()).verdict
}

/// Methods that only a newer Chrome has are printed for the table. Until they have a row they are
/// refused, or pass in a domain in which all rows affect only their own target.
async fn every_method_of_the_browser_has_a_verdict(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let answer = proxy.http("GET", "/json/protocol", &[], "").await;
    let protocol: Value = serde_json::from_str(&answer.body).expect("the protocol");
    let domains = protocol["domains"].as_array().expect("domains");
    let methods: BTreeSet<String> = domains
        .iter()
        .flat_map(|domain| {
            let name = domain["domain"].as_str().expect("a name");
            let commands = domain["commands"].as_array().into_iter().flatten();
            commands.map(move |command| format!("{name}.{}", command["name"].as_str().expect("a name")))
        })
        .collect();
    assert!(methods.len() > 500, "only {} methods", methods.len());

    // Read from the table itself, not from the code that the build generates.
    let mut known = BTreeSet::new();
    let mut own_target_only: BTreeMap<&str, bool> = BTreeMap::new();
    for row in include_str!("../../src/virtual_browser/policy.tsv").lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        known.insert(columns[0].to_owned());
        let domain = columns[0].split('.').next().expect("a domain");
        *own_target_only.entry(domain).or_insert(true) &= columns[1] == "target" && columns[2] == "pass";
    }
    let has_row = |method: &&String| {
        let domain = method.split('.').next().expect("a domain");
        known.contains(*method) || known.contains(&format!("{domain}.*"))
    };
    let unknown: Vec<&String> = methods.iter().filter(|method| !has_row(method)).collect();
    let mut passed = Vec::new();
    for method in &unknown {
        let domain = method.split('.').next().expect("a domain");
        let page = verdict(method, Level::Page);
        eprintln!("no row for {method}: on a page {page:?}");
        assert_eq!(
            verdict(method, Level::Browser),
            Verdict::NotFound,
            "{method} would be passed on for a whole browser"
        );
        if page != Verdict::NotFound && own_target_only.get(domain) != Some(&true) {
            passed.push(method);
        }
    }
    assert!(passed.is_empty(), "passed on without a row: {passed:?}");
    eprintln!("{} methods, {} without a row", methods.len(), unknown.len());
}

in_each_browser!(every_method_of_the_browser_has_a_verdict);

/// Rows that reach beyond one target and still pass. A new one needs an entry here.
const HARMLESS: [&str; 3] = ["Emulation.getScreenInfos", "Tracing.getCategories", "Tracing.getTrackEventDescriptor"];
/// Rows that also pass on a root: commands about the own target, which do nothing on a root.
const HARMLESS_ON_A_ROOT: [&str; 5] = [
    "Emulation.setAutomationOverride",
    "Memory.getDOMCountersForLeakDetection",
    "Memory.prepareForLeakDetection",
    "Security.disable",
    "Security.enable",
];

/// Detects a row whose rule was removed, so that the method passes.
#[test]
fn methods_beyond_one_target_do_not_pass_unchecked() {
    let mut rows = 0;
    for row in include_str!("../../src/virtual_browser/policy.tsv").lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let (method, scope) = (columns[0], columns[1]);
        let harmless = HARMLESS.contains(&method);
        if verdict(method, Level::Browser) == Verdict::Pass {
            assert!(harmless || HARMLESS_ON_A_ROOT.contains(&method), "{method} passes on a root");
        }
        if matches!(scope, "browser" | "host") {
            rows += 1;
            assert!(harmless || verdict(method, Level::Page) != Verdict::Pass, "{method} passes on a page: {scope}");
        }
    }
    assert!(rows > 100, "only {rows} rows of the table reach beyond their context");
}
