use super::*;
use crate::cdp::emulation::{Aspect, Change};

const NOTHING: [&str; 0] = [];

/// A page that pretends a viewport, a locale and headers by the proxy's CDP session `E`.
fn emulated() -> Pair {
    let mut pair = Pair::with_page();
    let what = [
        ("Emulation.setDeviceMetricsOverride", r#"{"width":1,"height":1,"deviceScaleFactor":4,"mobile":false}"#),
        ("Emulation.setLocaleOverride", r#"{"locale":"de"}"#),
        ("Network.setExtraHTTPHeaders", r#"{"headers":{"a":"b"}}"#),
    ];
    let what = what.map(|(method, params)| Change::read(method, params).expect("a change")).to_vec();
    assert_eq!(pair.told(Told::Emulated { target: "P".into(), by: "E".into(), what }), NOTHING);
    pair
}

#[test]
fn client_emulation_is_recorded_for_its_page() {
    let mut pair = Pair::with_page();
    for (method, params) in [
        ("Emulation.setLocaleOverride", r#"{"locale":"fr"}"#),
        ("Emulation.setDeviceMetricsOverride", r#"{"width":1,"height":1,"deviceScaleFactor":1,"mobile":false}"#),
    ] {
        pair.session
            .on_client(VIEW, format!(r#"{{"id":1,"method":"{method}","params":{params},"sessionId":"S"}}"#).into());
        let actions = pair.session.poll_actions();
        let [Action::Call(tag, Call { on: Some(on), settle: Settle::Emulate(page, change), .. })] = actions.as_slice()
        else {
            panic!("{actions:?}");
        };
        assert_eq!((on.as_str(), page.as_str(), change.aspect().method()), ("S", "P", method));
        pair.tags.push_back(*tag);
        assert_eq!(pair.result("{}"), [r#"1: {"id":1,"result":{},"sessionId":"S"}"#]);
    }
    pair.is_at_rest();
    // Emulation of a part of a page is not recorded, and values out of range are not sent.
    pair.created("F", "iframe", "CTX");
    pair.attached("S", "f", "F");
    let got = pair.asks_on("f", "Emulation.setLocaleOverride", r#"{"locale":"fr"}"#);
    assert!(matches!(got.as_slice(), [one] if one.starts_with("pass")), "{got:?}");
    let large = r#"{"width":1e6,"height":1e6,"deviceScaleFactor":1,"mobile":false}"#;
    let got = pair.asks_on("S", "Emulation.setDeviceMetricsOverride", large);
    assert!(matches!(got.as_slice(), [one] if one.contains("error")), "{got:?}");
}

#[test]
fn restored_emulation_is_cleared_before_a_client_sets_its_own() {
    let mut pair = emulated();
    let locale = r#"{"locale":"fr"}"#;
    let got = pair.asks_on("S", "Emulation.setLocaleOverride", locale);
    assert_eq!(
        got,
        ["call E Emulation.setLocaleOverride {}", "call S Emulation.setLocaleOverride {\"locale\":\"fr\"}"]
    );
    // Once.
    let got = pair.asks_on("S", "Emulation.setLocaleOverride", locale);
    assert_eq!(got, ["call S Emulation.setLocaleOverride {\"locale\":\"fr\"}"]);
    let got = pair.asks_on("S", "Emulation.clearDeviceMetricsOverride", "{}");
    assert_eq!(
        got,
        ["call E Emulation.clearDeviceMetricsOverride {}", "call S Emulation.clearDeviceMetricsOverride {}"]
    );
    // Emulation that the proxy has not set is not cleared.
    assert_eq!(pair.asks_on("S", "Emulation.setTouchEmulationEnabled", r#"{"enabled":true}"#).len(), 1);
    // With the last of it the CDP session goes.
    let got = pair.asks_on("S", "Network.setExtraHTTPHeaders", r#"{"headers":{"a":"b"}}"#);
    assert_eq!(got[..2], ["call E Network.disable {}", "detach E"]);
    assert_eq!(pair.asks_on("S", "Emulation.setLocaleOverride", locale).len(), 1);
}

#[test]
fn restored_emulation_ends_with_its_page_or_cdp_session() {
    for end in ["page", "CDP session"] {
        let mut pair = emulated();
        if end == "page" {
            pair.told(Told::Destroyed { target: "P".into() });
        } else {
            assert_eq!(pair.detached("BASE", "E", "P", &[]), NOTHING);
        }
        assert_eq!(pair.session.emulators.count(), 0, "{end}");
    }
}

const SHOT: &str = "Page.captureScreenshot";

fn metrics(scale: u32) -> String {
    format!(r#"{{"width":800,"height":600,"deviceScaleFactor":{scale},"mobile":false}}"#)
}

/// A picture of so many CSS pixels on each side.
fn clip(side: u32) -> String {
    format!(r#"{{"clip":{{"x":0,"y":0,"width":{side},"height":{side},"scale":1}}}}"#)
}

#[test]
fn clip_size_is_multiplied_by_the_largest_device_pixel_ratio() {
    let mut pair = Pair::with_page();
    pair.attached("ROOT", "S2", "P");
    let goes_up = |pair: &mut Pair, side| {
        let goes_up = pair.asks_on("S", SHOT, &clip(side))[0].starts_with("permit ");
        if goes_up {
            pair.tags.pop_back();
        }
        goes_up
    };
    let set = |pair: &mut Pair, scale| pair.asks_on("S2", "Emulation.setDeviceMetricsOverride", &metrics(scale));
    assert_eq!((goes_up(&mut pair, 10_000), goes_up(&mut pair, 10_001)), (true, false));
    // The ratio counts from the command until Chrome has accepted a lower one, also with other commands in between.
    set(&mut pair, 1);
    set(&mut pair, 4);
    assert_eq!((goes_up(&mut pair, 2500), goes_up(&mut pair, 2501)), (true, false));
    pair.result("{}");
    assert!(!goes_up(&mut pair, 2501));
    pair.result("{}");
    set(&mut pair, 1);
    pair.error(-32602, "no");
    assert!(!goes_up(&mut pair, 2501));
    pair.asks_on("S2", "Emulation.clearDeviceMetricsOverride", "{}");
    pair.result("{}");
    assert!(goes_up(&mut pair, 10_000));
    set(&mut pair, 4);
    pair.result("{}");
    for (width, fits) in [(800, true), (4096, false)] {
        assert_eq!(pair.asks_on("S", SHOT, "{}"), ["call S Page.getLayoutMetrics {}"]);
        let got = pair.result(&view(width, 4096));
        assert_eq!(got[0].starts_with("permit 52428800"), fits, "{got:?}");
        pair.tags.clear();
    }
    // And what the proxy itself has the page pretend.
    let mut pair = emulated();
    assert_eq!((goes_up(&mut pair, 2500), goes_up(&mut pair, 2501)), (true, false));
}

/// The layout metrics of a page with this visible area, in CSS pixels.
fn view(width: u32, height: u32) -> String {
    format!(r#"{{"cssLayoutViewport":{{"clientWidth":{width},"clientHeight":{height}}}}}"#)
}

#[derive(Debug)]
struct Held {
    _shared: std::sync::Arc<()>,
}

impl crate::port::Guard for Held {
    /// It counts for ever here.
    fn leave(self: Box<Self>) {
        std::mem::forget(self);
    }
}

impl Pair {
    /// The browser has room for the oldest picture that waits. The second is shared as long as it counts.
    pub(super) fn permits(&mut self) -> (Vec<String>, std::sync::Arc<()>) {
        let tag = self.tags.pop_front().expect("a picture that waits");
        let held = std::sync::Arc::new(());
        self.session.on_permit(tag, crate::port::Permit::new(Held { _shared: held.clone() }));
        (self.actions(), held)
    }
}

fn counts(held: &std::sync::Arc<()>) -> bool {
    std::sync::Arc::strong_count(held) > 1
}

#[test]
fn screenshots_hold_a_permit_until_the_reply() {
    for answered in [true, false] {
        let mut pair = Pair::with_page();
        assert_eq!(pair.asks_on("S", SHOT, &clip(2000)), ["permit 4000000"]);
        let (up, held) = pair.permits();
        assert_eq!(up, [format!("call S {SHOT} {}", clip(2000))]);
        assert!(counts(&held));
        let frame = if answered { pair.result(r#"{"data":""}"#) } else { pair.error(-32000, "no") };
        assert!(frame[0].starts_with(r#"1: {"id":1,"#), "{frame:?}");
        assert!(!counts(&held));
        pair.is_at_rest();
    }
}

#[test]
fn permits_of_ended_cdp_sessions_are_returned() {
    let mut pair = Pair::with_page();
    pair.asks_on("S", SHOT, &clip(2000));
    pair.detached("ROOT", "S", "P", &[]);
    let (up, held) = pair.permits();
    assert_eq!((up.len(), counts(&held)), (0, false));
    pair.is_at_rest();
}

/// Sends a picture up, and says that its CDP session has ended.
fn detached_while_drawing(pair: &mut Pair) -> std::sync::Arc<()> {
    pair.asks_on("S", SHOT, &clip(2000));
    let (_, held) = pair.permits();
    pair.detached("ROOT", "S", "P", &[]);
    pair.error(-32001, "Session with given id not found.");
    held
}

#[test]
fn screenshots_of_ended_cdp_sessions_count_until_their_page_ends() {
    let told = |kind: fn(TargetId) -> Told, target: &str| FromBrowser::Told(kind(target.into()));
    let gone: fn(TargetId) -> Told = |target| Told::Destroyed { target };
    let crashed: fn(TargetId) -> Told = |target| Told::Crashed { target, params: "{}".to_owned() };
    for kind in [gone, crashed] {
        let mut pair = Pair::with_page();
        let held = detached_while_drawing(&mut pair);
        assert!(counts(&held), "Chrome is still drawing");
        pair.session.on_browser(told(kind, "another"));
        assert!(counts(&held), "another page");
        pair.session.on_browser(told(kind, "P"));
        assert!(!counts(&held));
    }
}

#[test]
fn screenshots_of_ended_sessions_count_until_their_deadline() {
    let mut pair = Pair::with_page();
    let held = detached_while_drawing(&mut pair);
    drop(pair);
    assert!(counts(&held));
    let mut pair = Pair::with_page();
    pair.asks_on("S", SHOT, &clip(2000));
    let (_, held) = pair.permits();
    drop(pair);
    assert!(counts(&held));
}

#[test]
fn screenshots_that_grew_while_waiting_are_checked_again() {
    let scale = |pair: &mut Pair, scale: u32| pair.asks_on("S", "Emulation.setDeviceMetricsOverride", &metrics(scale));
    let mut pair = Pair::with_page();
    pair.asks_on("S", SHOT, &clip(4000));
    scale(&mut pair, 2);
    let (again, held) = pair.permits();
    assert_eq!((again, counts(&held)), (vec!["permit 64000000".to_owned()], false));
    pair.result("{}");
    scale(&mut pair, 4);
    let (refused, held) = pair.permits();
    assert!(refused[0].contains("100000000 device pixels") && !counts(&held), "{refused:?}");
}

#[test]
fn visible_area_is_measured_again_if_it_may_have_grown() {
    for grows in
        ["Emulation.setDeviceMetricsOverride", "Emulation.clearDeviceMetricsOverride", "Emulation.setVisibleSize"]
    {
        let grow = |pair: &mut Pair| {
            pair.asks_on("S", grows, &metrics(1));
            pair.tags.truncate(1);
        };
        let measure = ["call S Page.getLayoutMetrics {}"];
        let mut pair = Pair::with_page();
        assert_eq!(pair.asks_on("S", SHOT, "{}"), measure, "{grows}");
        grow(&mut pair);
        assert_eq!(pair.result(&view(800, 600)), measure, "{grows}");
        assert_eq!(pair.result(&view(800, 600)), ["permit 480000"], "{grows}");
        grow(&mut pair);
        assert_eq!(pair.permits().0, measure, "{grows}");
        assert_eq!(pair.result(&view(4000, 600)), ["permit 2400000"], "{grows}");
        assert_eq!(pair.permits().0, [format!("call S {SHOT} {{}}")], "{grows}");
    }
}

#[test]
fn visible_area_of_tabs_counts_as_the_largest_window() {
    let mut pair = Pair::with_page();
    pair.asks_on("S", SHOT, "{}");
    assert_eq!(pair.error(-32601, "'Page.getLayoutMetrics' wasn't found"), ["permit 16777216"]);
}

#[test]
fn waiting_screenshots_of_a_session_are_limited() {
    let mut pair = Pair::with_page();
    pair.session.limit_screenshots(3);
    for _ in 0..3 {
        assert_eq!(pair.asks_on("S", SHOT, &clip(1)), ["permit 1"]);
    }
    assert!(pair.asks_on("S", SHOT, &clip(1))[0].contains("screenshot_queue allows that 3 of this session wait"));
    pair.permits();
    assert_eq!(pair.asks_on("S", SHOT, &clip(1)), ["permit 1"]);
}

#[test]
fn full_page_screenshots_have_the_measured_size() {
    let whole = r#"{"captureBeyondViewport":true}"#;
    let size = |side: u32| format!(r#"{{"cssContentSize":{{"x":0,"y":0,"width":{side},"height":{side}}}}}"#);
    let mut pair = Pair::with_page();
    assert_eq!(pair.asks_on("S", SHOT, whole), ["call S Page.getLayoutMetrics {}"]);
    let clip = r#""clip":{"x":0,"y":0,"width":10000,"height":10000,"scale":1}"#;
    let params = format!(r#"{{"captureBeyondViewport":true,{clip}}}"#);
    assert_eq!(pair.result(&size(10_000)), ["permit 100000000"]);
    assert_eq!(pair.permits().0, [format!("call S {SHOT} {params}")]);
    pair.result("{}");
    for size in [size(10_001), "{}".to_owned()] {
        pair.asks_on("S", SHOT, whole);
        let [refused] = &pair.result(&size)[..] else { panic!("one answer") };
        assert!(refused.contains(r#""error""#), "{refused}");
    }
    pair.asks_on("S", SHOT, whole);
    let [refused] = &pair.error(-32000, "Internal error")[..] else { panic!("one answer") };
    assert!(refused.contains("Internal error"), "{refused}");
}

#[test]
fn every_emulation_command_is_recorded() {
    for row in include_str!("../policy.tsv").lines().skip(1) {
        let method = row.split('\t').next().expect("a method");
        let handler = policy::decide(method, policy::Level::Page, Granted::none()).handler;
        // A checked command is recorded when it is sent.
        let is_noted =
            matches!(handler, policy::Handler::Emulate | policy::Handler::Check(policy::Check::DeviceMetrics));
        assert_eq!(is_noted, Aspect::of(method).is_some(), "{method}: {handler:?}");
    }
}
