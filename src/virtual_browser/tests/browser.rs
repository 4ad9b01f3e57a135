//! Browser-level commands: versions, permissions, cookies, windows, traces.

use super::*;
use crate::api_types::capability::Capability;

#[test]
fn browser_wide_commands_are_answered_or_refused() {
    let mut pair = Pair::with_page();
    for on in ["", "S"] {
        let tail = if on.is_empty() { "" } else { r#","sessionId":"S""# };
        for (method, result) in [
            ("Browser.getVersion", r#"{"product":"Chrome/156"}"#),
            ("Browser.getHistograms", r#"{"histograms":[]}"#),
            ("SystemInfo.getProcessInfo", r#"{"processInfo":[]}"#),
            ("Browser.setDockTile", "{}"),
        ] {
            assert_eq!(pair.asks_on(on, method, "{}"), [format!(r#"1: {{"id":1,"result":{result}{tail}}}"#)]);
        }
        for method in ["Browser.crash", "Tracing.start", "Target.exposeDevToolsProtocol", "SystemInfo.getInfo"] {
            let got = pair.asks_on(on, method, "{}");
            assert!(got.len() == 1 && got[0].contains(&format!("'{method}' is refused")), "{got:?}");
        }
        for method in ["Nope.nope", "Schema.getDomains", "Storage.newThing"] {
            let got = pair.asks_on(on, method, "{}");
            assert!(got.len() == 1 && got[0].contains(&format!("'{method}' wasn't found")), "{got:?}");
        }
    }
    let off = pair.asks("Security.setIgnoreCertificateErrors", r#"{"ignore":false}"#);
    assert_eq!(off, [r#"1: {"id":1,"result":{}}"#], "it was never on");
    for wrong in ["{}", r#"{"ignore":1}"#, r#"{"ignore":"false"}"#] {
        let got = pair.asks("Security.setIgnoreCertificateErrors", wrong);
        assert_eq!(got, [failed(1, -32602, "Invalid parameters")], "{wrong}");
    }
    assert!(pair.asks_on("S", "Security.setIgnoreCertificateErrors", r#"{"ignore":true}"#)[0].starts_with("pass"));
}

#[test]
fn certificate_errors_are_ignored_while_any_root_asks_for_it() {
    let method = "Security.setIgnoreCertificateErrors";
    let (on, off) = ("ignore certificate errors: true", "ignore certificate errors: false");
    let mut pair = Pair::with_page();
    assert_eq!(pair.asks(method, r#"{"ignore":true}"#), [on]);
    assert_eq!(pair.result("{}"), [r#"1: {"id":1,"result":{}}"#]);
    pair.session.open_view(ViewId(2), "ROOT2".into(), true);
    let frame = format!(r#"{{"id":1,"method":"{method}","params":{{"ignore":true}}}}"#);
    assert_eq!(pair.view_says(ViewId(2), &frame), [on]);
    pair.result("{}");
    assert_eq!(pair.asks(method, r#"{"ignore":false}"#), [r#"1: {"id":1,"result":{}}"#], "the other still wants it");
    pair.session.close_view(ViewId(2));
    assert!(pair.actions().contains(&off.to_owned()), "it has gone");
    pair.result("{}");
    assert_eq!(pair.asks(method, r#"{"ignore":false}"#), [r#"1: {"id":1,"result":{}}"#]);
}

#[test]
fn browser_close_ends_the_session() {
    let mut pair = Pair::with_page();
    assert_eq!(pair.asks("Browser.close", "{}"), [r#"1: {"id":1,"result":{}}"#, "end"]);
    assert_eq!(pair.asks_on("S", "Browser.close", "{}"), [r#"1: {"id":1,"result":{},"sessionId":"S"}"#, "end"]);
}

#[test]
fn cookies_and_permissions_are_limited_to_own_contexts() {
    let mut pair = Pair::with_page();
    pair.asks("Target.createBrowserContext", "{}");
    pair.result(r#"{"browserContextId":"NEW"}"#);
    for method in ["Storage.getCookies", "Storage.setCookies", "Storage.clearCookies", "Browser.resetPermissions"] {
        for on in ["", "S"] {
            let asked = pair.asks_on(on, method, r#"{"x":1}"#);
            assert_eq!(asked, [format!(r#"call BASE {method} {{"x":1,"browserContextId":"CTX"}}"#)]);
            let asked = pair.asks_on(on, method, r#"{"browserContextId":"NEW"}"#);
            assert_eq!(asked, [format!(r#"call BASE {method} {{"browserContextId":"NEW"}}"#)]);
            let asked = pair.asks_on(on, method, r#"{"browserContextId":"OTHER"}"#);
            assert!(asked[0].contains("Failed to find browser context for id OTHER"), "{asked:?}");
        }
    }
}

#[test]
fn permissions_are_recorded_for_their_context() {
    let mut pair = Pair::with_page();
    pair.asks("Target.createBrowserContext", "{}");
    pair.result(r#"{"browserContextId":"NEW"}"#);
    for (method, params, context) in [
        ("Browser.grantPermissions", r#"{"permissions":["midi"]}"#, "CTX"),
        ("Browser.setPermission", r#"{"permission":{},"browserContextId":"NEW"}"#, "NEW"),
        ("Browser.resetPermissions", "{}", "CTX"),
    ] {
        let frame = format!(r#"{{"id":1,"method":"{method}","params":{params}}}"#);
        pair.session.on_client(VIEW, frame.into());
        let actions = pair.session.poll_actions();
        let [Action::Call(_, Call { settle: Settle::Rule(of, ruling), .. })] = actions.as_slice() else {
            panic!("{actions:?}")
        };
        assert_eq!((of.as_str(), ruling.method()), (context, method));
    }
}

#[test]
fn clipboard_permissions_are_refused_in_every_form() {
    let mut pair = Pair::new();
    for (method, params) in [
        ("Browser.grantPermissions", r#"{"permissions":["geolocation","clipboardReadWrite"]}"#),
        ("Browser.grantPermissions", r#"{"permissions":["clipboardRe\u0061dWrite"]}"#),
        // One that cannot be read hides none.
        ("Browser.grantPermissions", r#"{"permissions":["\ud800","clipboardReadWrite"]}"#),
        ("Browser.grantPermissions", r#"{"permissions":[5,"clipboardReadWrite"]}"#),
        ("Browser.setPermission", r#"{"permission":{"name":"clipboard-read"},"setting":"granted"}"#),
        ("Browser.setPermission", r#"{"setting":"gr\u0061nted","permission":{"n\u0061me":"clipboard-read"}}"#),
        ("Browser.setPermission", r#"{"permission":{"name":"clipboard-read"}}"#),
    ] {
        let got = pair.asks(method, params);
        assert!(got.len() == 1 && got[0].contains("for the clipboard"), "{params}: {got:?}");
        let named = if params.contains("clipboard-read") { "clipboard-read" } else { "clipboardReadWrite" };
        assert!(got[0].contains(&format!("leave out {named} (")), "{params}: {got:?}");
    }
    let got = pair.asks(
        "Browser.grantPermissions",
        r#"{"permissions":["clipboardReadWrite","midi","clipboardRead","clipboardSanitizedWrite"]}"#,
    );
    assert!(got[0].contains("leave out clipboardReadWrite and clipboardRead ("), "{got:?}");
    assert!(got[0].contains("the capability clipboard or a session with isolation=dedicated"), "{got:?}");
    for params in [
        r#"{"permission":{"name":"x","name":"clipboard-read"},"setting":"granted"}"#,
        r#"{"permission":"clipboard-read","setting":"granted"}"#,
    ] {
        assert_eq!(pair.asks("Browser.setPermission", params), [failed(1, -32602, "Invalid parameters")]);
    }
    for (method, params) in [
        ("Browser.grantPermissions", r#"{"permissions":["geolocation","clipboardSanitizedWrite"]}"#),
        ("Browser.setPermission", r#"{"permission":{"name":"clipboard-read"},"setting":"denied"}"#),
        ("Browser.setPermission", r#"{"permission":{"name":"midi"},"setting":"granted"}"#),
    ] {
        assert!(pair.asks(method, params)[0].starts_with("call BASE"), "{params}");
    }
    for may in [Capability::Dedicated, Capability::Clipboard] {
        let mut pair = Pair::with(Capabilities::of([may]));
        let got = pair.asks("Browser.grantPermissions", r#"{"permissions":["clipboardReadWrite"]}"#);
        assert!(got[0].starts_with("call BASE"), "{may}: {got:?}");
    }
    // What an operator takes away is gone with the next command.
    let mut pair = Pair::with(Capabilities::of([Capability::Clipboard]));
    pair.session.grant(Granted::none());
    let got = pair.asks("Browser.grantPermissions", r#"{"permissions":["clipboardReadWrite"]}"#);
    assert!(got[0].contains("it needs the capability clipboard"), "{got:?}");
}

#[test]
fn window_size_is_limited() {
    let mut pair = Pair::with_page();
    pair.asks_on("S", "Browser.getWindowForTarget", "{}");
    pair.result(r#"{"windowId":7,"bounds":{}}"#);
    for (method, asked, given) in [
        ("Browser.setContentsSize", r#"{"windowId":7,"width":100000000}"#, r#"{"windowId":7,"width":4096}"#),
        (
            "Browser.setWindowBounds",
            r#"{"windowId":7,"bounds":{"left":1,"height":100000000}}"#,
            r#"{"windowId":7,"bounds":{"left":1,"height":4096}}"#,
        ),
        // For Chrome to refuse.
        ("Browser.setWindowBounds", r#"{"windowId":7,"bounds":9}"#, r#"{"windowId":7,"bounds":9}"#),
    ] {
        assert_eq!(pair.asks(method, asked), [format!("call ROOT {method} {given}")]);
    }
    for (bounds, why) in [
        (r#"{"height":1,"height":100000000}"#, "Invalid parameters"),
        (r#"{"windowState":"Normal"}"#, "Invalid window state: Normal"),
    ] {
        let params = format!(r#"{{"windowId":7,"bounds":{bounds}}}"#);
        assert_eq!(pair.asks("Browser.setWindowBounds", &params), [failed(1, -32602, why)]);
    }
    let create = r#"{"url":"about:blank","newWindow":true,"width":20000,"height":20000}"#;
    let [created] = &pair.asks("Target.createTarget", create)[..] else { panic!("one command") };
    assert!(created.contains(r#""width":4096,"height":4096"#), "{created}");
}

#[test]
fn windows_belong_to_the_session_once_its_page_was_found_there() {
    let mut pair = Pair::with_page();
    let unknown = failed(1, -32000, "Browser window not found");
    for method in ["Browser.getWindowBounds", "Browser.setWindowBounds", "Browser.setContentsSize"] {
        assert_eq!(pair.asks(method, r#"{"windowId":7}"#), std::slice::from_ref(&unknown), "{method}");
    }
    assert_eq!(pair.asks_on("S", "Browser.getWindowForTarget", "{}"), ["call S Browser.getWindowForTarget {}"]);
    let found = r#"{"windowId":7,"bounds":{}}"#;
    assert_eq!(pair.result(found), [format!(r#"1: {{"id":1,"result":{found},"sessionId":"S"}}"#)]);
    for window in ["7", "7.0", "70e-1"] {
        let params = format!(r#"{{"windowId":{window}}}"#);
        assert_eq!(
            pair.asks("Browser.getWindowBounds", &params),
            [format!("call ROOT Browser.getWindowBounds {params}")]
        );
    }
    for window in ["8", "-7", "7.5", "7e1"] {
        let got = pair.asks("Browser.getWindowBounds", &format!(r#"{{"windowId":{window}}}"#));
        assert_eq!(got, std::slice::from_ref(&unknown), "{window}");
    }
    // For Chrome to refuse.
    for params in ["{}", r#"{"windowId":"7"}"#, r#"{"windowId":null}"#] {
        assert_eq!(
            pair.asks("Browser.getWindowBounds", params),
            [format!("call ROOT Browser.getWindowBounds {params}")]
        );
    }
}

#[test]
fn window_requests_name_no_target() {
    let mut pair = Pair::with_page();
    let method = "Browser.getWindowForTarget";
    // On a CDP session that is there.
    assert_eq!(pair.asks(method, r#"{"targetId":"P"}"#), ["call S Browser.getWindowForTarget {}"]);
    assert_eq!(pair.result(r#"{"windowId":1}"#), [r#"1: {"id":1,"result":{"windowId":1}}"#]);
    // Or on one made for that, and let go again.
    pair.created("Q", "page", "CTX");
    let attach = r#"call BASE Target.attachToTarget {"targetId":"Q","flatten":true}"#;
    assert_eq!(pair.asks(method, r#"{"targetId":"Q"}"#), [attach]);
    assert_eq!(pair.attached("BASE", "OWN", "Q"), Vec::<String>::new());
    assert_eq!(pair.result(r#"{"sessionId":"OWN"}"#), ["call OWN Browser.getWindowForTarget {}"]);
    assert_eq!(pair.result(r#"{"windowId":2}"#), ["detach OWN", r#"1: {"id":1,"result":{"windowId":2}}"#]);
    pair.result("{}");
    pair.asks(method, r#"{"targetId":"Q"}"#);
    pair.result(r#"{"sessionId":"OWN"}"#);
    assert_eq!(pair.error(-32000, "Nope"), ["detach OWN".to_owned(), failed(1, -32000, "Nope")]);
    pair.result("{}");
    pair.asks(method, r#"{"targetId":"Q"}"#);
    assert_eq!(pair.error(-32000, "Nope"), [failed(1, -32000, "Nope")]);
    pair.asks(method, r#"{"targetId":"Q"}"#);
    assert_eq!(pair.result("{}"), [failed(1, -32602, "No target with given id")]);
    pair.created("W", "worker", "CTX");
    let no_page = "No web contents for the given target id";
    assert_eq!(pair.asks(method, r#"{"targetId":"W"}"#), [failed(1, -32000, no_page)]);
    pair.attached("S", "SW", "W");
    assert!(pair.asks_on("SW", method, r#"{"targetId":"P"}"#)[0].contains(no_page));
    assert_eq!(pair.asks(method, r#"{"targetId":5}"#), [r#"call ROOT Browser.getWindowForTarget {"targetId":5}"#]);
    pair.error(-32602, "Nope");
    pair.is_at_rest();
}

fn tracer() -> Pair {
    Pair::with_page_and(Capabilities { tracing: true, ..Capabilities::strict() })
}

#[test]
fn traces_need_a_browser_without_other_sessions() {
    let mut pair = tracer();
    assert_eq!(pair.asks("Tracing.start", r#"{"categories":"x"}"#), ["claim"]);
    let tag = pair.tags.pop_front().expect("a claim");
    pair.session.on_claimed(tag, false);
    let got = pair.actions();
    assert!(got.len() == 1 && got[0].contains("isolation=dedicated"), "{got:?}");
    // The session runs no trace, so it cannot end or mark one.
    assert!(pair.asks("Tracing.recordClockSyncMarker", "{}")[0].contains("is refused"));
    assert_eq!(pair.asks("Tracing.end", "{}"), ["call ROOT Tracing.end {}"]);
    pair.error(-32000, "Tracing is not started");
    pair.is_at_rest();
}

fn tracing(on: &str) -> Pair {
    let mut pair = tracer();
    pair.asks_on(on, "Tracing.start", r#"{"categories":"x"}"#);
    let tag = pair.tags.pop_front().expect("a claim");
    pair.session.on_claimed(tag, true);
    let to = if on.is_empty() { "ROOT" } else { on };
    assert_eq!(pair.actions(), [format!(r#"call {to} Tracing.start {{"categories":"x"}}"#)]);
    pair
}

#[test]
fn trace_events_reach_their_root_and_the_end_releases_the_browser() {
    let mut pair = tracing("");
    assert_eq!(pair.result("{}"), [r#"1: {"id":1,"result":{}}"#]);
    // A second one is for Chrome to refuse.
    assert_eq!(pair.asks("Tracing.start", "{}"), ["call ROOT Tracing.start {}"]);
    assert_eq!(
        pair.error(-32000, "Tracing has already been started"),
        [failed(1, -32000, "Tracing has already been started")]
    );
    let event = |name: &str, on: &str| format!(r#"{{"method":"Tracing.{name}","params":{{}},"sessionId":"{on}"}}"#);
    assert_eq!(pair.message(&event("dataCollected", "ROOT")), [r#"1: {"method":"Tracing.dataCollected","params":{}}"#]);
    assert_eq!(
        pair.message(r#"{"method":"Target.targetCreated","params":{},"sessionId":"ROOT"}"#),
        Vec::<String>::new()
    );
    assert_eq!(pair.asks("Tracing.end", "{}"), ["call ROOT Tracing.end {}"]);
    pair.result("{}");
    // Frames are put into order among themselves only.
    let over = pair.message(&event("tracingComplete", "ROOT"));
    assert_eq!(over, ["unclaim", r#"1: {"method":"Tracing.tracingComplete","params":{}}"#]);
    assert_eq!(pair.message(&event("dataCollected", "ROOT")), Vec::<String>::new());
    pair.is_at_rest();

    let mut pair = tracing("S");
    pair.result("{}");
    assert_eq!(pair.message(&event("dataCollected", "ROOT")), Vec::<String>::new());
    assert_eq!(pair.message(&event("tracingComplete", "S"))[0], "unclaim");
}

#[test]
fn failed_and_abandoned_traces_release_the_browser() {
    let mut pair = tracing("");
    assert_eq!(pair.error(-32602, "Nope"), ["unclaim".to_owned(), failed(1, -32602, "Nope")]);
    assert_eq!(pair.asks("Tracing.start", "{}"), ["claim"]);

    let mut pair = tracing("S");
    pair.result("{}");
    let got = pair.detached("ROOT", "S", "P", &[]);
    assert!(got.contains(&"unclaim".to_owned()), "{got:?}");

    let mut pair = tracing("");
    pair.session.close_view(VIEW);
    let got = pair.actions();
    assert!(got.contains(&"unclaim".to_owned()), "{got:?}");

    // Gone before it was its turn.
    let mut pair = tracer();
    pair.asks_on("S", "Tracing.start", "{}");
    let tag = pair.tags.pop_front().expect("a claim");
    pair.detached("ROOT", "S", "P", &[]);
    pair.session.on_claimed(tag, true);
    assert_eq!(pair.actions(), ["unclaim"]);
    pair.session.on_claimed(tag, true);
    assert_eq!(pair.actions(), Vec::<String>::new());
}

#[test]
fn root_gets_events_of_browser_wide_commands_only_in_a_dedicated_browser() {
    let event = |name: &str| format!(r#"{{"method":"{name}","params":{{}},"sessionId":"ROOT"}}"#);
    let own = Pair::with_page_and(Capabilities::of([Capability::Dedicated]));
    let all_others = Capabilities { dedicated: false, ..Capabilities::all() };
    for (mut pair, is_own) in [(own, true), (Pair::with_page_and(all_others), false)] {
        for name in ["Fetch.requestPaused", "Security.certificateError"] {
            let expected = if is_own { vec![format!(r#"1: {{"method":"{name}","params":{{}}}}"#)] } else { Vec::new() };
            assert_eq!(pair.message(&event(name)), expected, "{name}");
        }
        // What the proxy itself makes, or what nobody asked for.
        for name in ["Target.targetCreated", "Browser.downloadWillBegin", "Tracing.dataCollected", "Nope.event"] {
            assert_eq!(pair.message(&event(name)), Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn description_of_the_machine_has_no_command_line() {
    let mut pair = Pair::with_page_and(Capabilities::of([Capability::Dedicated]));
    for (session, on) in [("", "ROOT"), ("S", "S")] {
        let asked = if session.is_empty() {
            pair.asks("SystemInfo.getInfo", "{}")
        } else {
            pair.asks_on(session, "SystemInfo.getInfo", "{}")
        };
        assert_eq!(asked, [format!("call {on} SystemInfo.getInfo {{}}")]);
        let got = pair.result(r#"{"gpu":{},"modelName":"","commandLine":"chrome --user-data-dir=/secret"}"#);
        assert!(got.len() == 1 && got[0].contains(r#""gpu":{}"#) && !got[0].contains("secret"), "{got:?}");
    }
    pair.asks("SystemInfo.getInfo", "{}");
    assert_eq!(pair.error(-32000, "Nope"), [failed(1, -32000, "Nope")]);
    pair.asks("SystemInfo.getInfo", "{}");
    assert!(pair.result("[]")[0].contains("could not be read"));
    pair.is_at_rest();
}
