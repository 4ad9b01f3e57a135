//! The policy's table against the protocol of the browser that runs.

use std::collections::{BTreeMap, BTreeSet};

use ghostmux::session::policy::{Level, Verdict, verdict};
use serde_json::Value;

use crate::{
    browsers::{Browser, in_each_browser},
    proxy::Proxy,
};

/// A newer Chrome's methods are printed, for the table; until they are in it they are refused, or reach only their own
/// target in a domain that never does anything else.
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

    // Read from the table itself, not from what the build made of it.
    let mut known = BTreeSet::new();
    let mut own_target_only: BTreeMap<&str, bool> = BTreeMap::new();
    for row in include_str!("../../src/session/policy.tsv").lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        known.insert(columns[0].to_owned());
        let domain = columns[0].split('.').next().expect("a domain");
        *own_target_only.entry(domain).or_insert(true) &= columns[1] == "target" && columns[2] == "pass";
    }
    let unknown: Vec<&String> = methods.difference(&known).collect();
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
