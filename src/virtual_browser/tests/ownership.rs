use super::*;
use crate::virtual_browser::{Claim, Claims};

const CALLS: ViewId = ViewId(2);
const TOKYO: &str = r#"{"timezoneId":"Asia/Tokyo"}"#;
const BERLIN: &str = r#"{"timezoneId":"Europe/Berlin"}"#;
const ZONE: &str = "Emulation.setTimezoneOverride";
const NETWORK: &str = "Network.emulateNetworkConditions";
const OFFLINE: &str = r#"{"offline":true}"#;
const ONLINE: &str = r#"{"offline":false,"latency":0,"downloadThroughput":-1,"uploadThroughput":-1}"#;

/// A page with a client's CDP session `S`, and `C`, which calls of REST use.
fn called() -> Pair {
    let mut pair = Pair::with_page();
    pair.session.open_view(CALLS, "CALLS".into(), false);
    pair.attached("CALLS", "C", "P");
    pair
}

fn calls(pair: &mut Pair, method: &str, params: &str) -> Vec<String> {
    pair.view_says(CALLS, &format!(r#"{{"id":1,"method":"{method}","params":{params},"sessionId":"C"}}"#))
}

fn conflict(pair: &Pair, method: &str, params: &str) -> Option<Claim> {
    pair.session.conflict(&"P".into(), method, params)
}

#[test]
fn what_a_client_has_set_is_not_for_calls() {
    let mut pair = called();
    assert_eq!(conflict(&pair, ZONE, TOKYO), None);
    pair.asks_on("S", ZONE, BERLIN);
    pair.asks_on("S", NETWORK, OFFLINE);
    pair.asks_on("S", "Fetch.enable", r#"{"handleAuthRequests":true}"#);
    assert_eq!(conflict(&pair, ZONE, TOKYO), Some(Claim::Emulation(crate::cdp::emulation::Aspect::Timezone)));
    assert_eq!(conflict(&pair, ZONE, r#"{"timezoneId":""}"#).map(Claim::name), Some("the time zone"));
    assert_eq!(conflict(&pair, NETWORK, ONLINE), Some(Claim::Network));
    assert_eq!(conflict(&pair, "Fetch.disable", "{}"), Some(Claim::Interception));
    assert_eq!(conflict(&pair, "Emulation.setLocaleOverride", "{}"), None);
    assert!(pair.session.claims(&"P".into()).has(Claim::Authentication));
    // Until it is reset, or its CDP session ends.
    pair.asks_on("S", ZONE, r#"{"timezoneId":""}"#);
    pair.asks_on("S", "Fetch.disable", "{}");
    assert_eq!((conflict(&pair, ZONE, TOKYO), conflict(&pair, "Fetch.enable", "{}")), (None, None));
    pair.detached("ROOT", "S", "P", &[]);
    assert_eq!(pair.session.claims(&"P".into()), Claims::default());
}

#[test]
fn what_a_call_has_set_gives_way_to_a_client() {
    let mut pair = called();
    assert_eq!(calls(&mut pair, ZONE, TOKYO), [format!("call C {ZONE} {TOKYO}")]);
    // Chrome refuses a second time zone: the call's own is cleared first.
    let again = calls(&mut pair, ZONE, BERLIN);
    assert_eq!(again, [format!(r#"call C {ZONE} {{"timezoneId":""}}"#), format!("call C {ZONE} {BERLIN}")]);
    calls(&mut pair, "Emulation.setLocaleOverride", r#"{"locale":"de"}"#);
    calls(&mut pair, "Network.setExtraHTTPHeaders", r#"{"headers":{"a":"b"}}"#);
    calls(&mut pair, NETWORK, OFFLINE);
    assert_eq!(pair.session.claims(&"P".into()), Claims::default(), "those of clients");
    let taken = pair.asks_on("S", ZONE, TOKYO);
    assert_eq!(taken, [format!(r#"call C {ZONE} {{"timezoneId":""}}"#), format!("call S {ZONE} {TOKYO}")]);
    let taken = pair.asks_on("S", "Network.setExtraHTTPHeaders", r#"{"headers":{"c":"d"}}"#);
    assert_eq!(taken[0], r#"call C Network.setExtraHTTPHeaders {"headers":{}}"#);
    let taken = pair.asks_on("S", NETWORK, OFFLINE);
    assert_eq!(taken[0], format!("call C {NETWORK} {ONLINE}"));
    assert!(taken[1].starts_with("pass "), "{taken:?}");
    // Once.
    assert_eq!(pair.asks_on("S", NETWORK, OFFLINE).len(), 1);
    let taken = pair.asks_on("S", "Emulation.setLocaleOverride", "{}");
    assert_eq!(taken, ["call C Emulation.setLocaleOverride {}", "call S Emulation.setLocaleOverride {}"]);
    // The CDP session of the calls stays, and nothing is left of what it set.
    assert_eq!(pair.session.emulators.count(), 0);
    assert!(pair.session.has_cdp_session(&"C".into()));
}

#[test]
fn calls_take_screenshots_where_the_viewport_was_set() {
    const SHOT: &str = "Page.captureScreenshot";
    const METRICS: &str = "Emulation.setDeviceMetricsOverride";
    const CLIP: &str = r#"{"clip":{"x":0,"y":0,"width":9,"height":9,"scale":1}}"#;
    const TWICE: &str = r#"{"width":8,"height":6,"deviceScaleFactor":2,"mobile":false}"#;
    let shot = |pair: &mut Pair, on: &str| {
        let got = calls(pair, SHOT, CLIP);
        assert!(got[0].starts_with("permit "), "{got:?}");
        assert_eq!(pair.permits().0, [format!("call {on} {SHOT} {CLIP}")]);
    };
    let mut pair = called();
    calls(&mut pair, METRICS, TWICE);
    pair.result("{}");
    shot(&mut pair, "C");
    assert_eq!(pair.result(r#"{"data":""}"#), [r#"2: {"id":1,"result":{"data":""},"sessionId":"C"}"#]);
    // A client sets its own: that of the calls is cleared.
    assert_eq!(pair.asks_on("S", METRICS, TWICE).len(), 2);
    pair.result("{}");
    pair.result("{}");
    shot(&mut pair, "S");
    // The reply is the call's: the client sees nothing.
    assert_eq!(pair.result(r#"{"data":""}"#), [r#"2: {"id":1,"result":{"data":""},"sessionId":"C"}"#]);
    // If the client leaves meanwhile, the screenshot is taken again, without its viewport.
    shot(&mut pair, "S");
    pair.detached("ROOT", "S", "P", &[]);
    let again = pair.error(-32001, "Session with given id not found.");
    assert!(again[0].starts_with("permit "), "{again:?}");
    assert_eq!(pair.permits().0, [format!("call C {SHOT} {CLIP}")]);
    // Once: this error is the answer.
    let failed = pair.error(-32001, "Session with given id not found.");
    assert!(failed[0].starts_with(r#"2: {"id":1,"error":"#), "{failed:?}");
    pair.is_at_rest();
}

#[test]
fn only_screenshots_on_another_cdp_session_are_taken_again() {
    let mut pair = called();
    let up = pair.asks_on("S", "Page.captureScreenshot", r#"{"clip":{"x":0,"y":0,"width":9,"height":9,"scale":1}}"#);
    assert!(up[0].starts_with("permit "), "{up:?}");
    pair.permits();
    // Chrome says so before it tells that the CDP session has ended.
    let failed = pair.error(-32001, "Session with given id not found.");
    assert!(failed[0].starts_with(r#"1: {"id":1,"error":"#), "{failed:?}");
    pair.is_at_rest();
}

#[test]
fn calls_end_with_their_page() {
    let mut pair = called();
    calls(&mut pair, ZONE, TOKYO);
    assert_eq!(pair.session.emulators.count(), 1);
    pair.detached("CALLS", "C", "P", &[]);
    assert_eq!(pair.session.emulators.count(), 0);
    assert!(!pair.session.has_cdp_session(&"C".into()));
}

#[test]
fn clients_do_not_see_that_calls_are_attached() {
    let mut pair = called();
    pair.asks("Target.setDiscoverTargets", r#"{"discover":true}"#);
    pair.created("T2", "tab", "CTX");
    pair.created("Q", "page", "CTX");
    let got = pair.attached("CALLS", "D", "Q");
    assert!(got.iter().all(|frame| frame.starts_with("2: ")), "{got:?}");
    assert!(!pair.session.scope.is_attached(&"Q".into()) && pair.session.scope.is_attached(&"P".into()));
    // A page that only calls are attached to has a dialog guard when its client leaves.
    pair.session.close_view(VIEW);
    let got = pair.actions();
    assert!(got.iter().any(|action| action.contains("Target.attachToTarget") && action.contains('Q')), "{got:?}");
}
