//! Tests of the commands on targets and contexts: a client sees only those of its session.

use super::*;

const NO_TARGET: &str = "No target with given id found";

#[test]
fn get_targets_lists_own_targets_only() {
    let mut pair = Pair::with_page();
    assert_eq!(pair.asks("Target.getTargets", "{}"), ["call ROOT Target.getTargets {}"]);
    let (own, strange) = (info("P", "page", "CTX"), info("X", "page", "OTHER"));
    let hidden = info("H", "page", "CTX");
    let got = pair.result(&format!(r#"{{"targetInfos":[{strange},{own},{hidden}]}}"#));
    assert_eq!(got, [format!(r#"1: {{"id":1,"result":{{"targetInfos":[{own}]}}}}"#)]);
    // Asked on a page it is the root that is asked.
    assert_eq!(pair.asks_on("S", "Target.getTargets", "{}"), ["call ROOT Target.getTargets {}"]);
    assert_eq!(pair.result("[]").len(), 1);
    pair.is_at_rest();
}

#[test]
fn unreadable_filters_show_no_foreign_target() {
    let mut pair = Pair::with_page();
    let asked = pair.asks("Target.getTargets", r#"{"filter":[{"type":5}]}"#);
    assert_eq!(asked, [r#"call ROOT Target.getTargets {"filter":[{"type":5}]}"#]);
    let strange = info("X", "page", "OTHER");
    let got = pair.result(&format!(r#"{{"targetInfos":[{strange}]}}"#));
    assert_eq!(got, [r#"1: {"id":1,"result":{"targetInfos":[]}}"#]);
}

#[test]
fn attached_reflects_the_own_session() {
    let mut pair = Pair::with_page();
    pair.created("Q", "page", "CTX");
    pair.asks("Target.getTargets", "{}");
    let got = pair.result(&format!(r#"{{"targetInfos":[{},{}]}}"#, info("P", "page", "CTX"), info("Q", "page", "CTX")));
    // Chrome says of both that they are attached: to Q only the proxy is.
    let attached: Vec<_> =
        got[0].match_indices("\"attached\":").map(|(at, _)| got[0][at + 11..].starts_with('t')).collect();
    assert_eq!(attached, [true, false]);
}

#[test]
fn target_infos_are_requested_for_own_targets_only() {
    let mut pair = Pair::with_page();
    let asked = pair.asks("Target.getTargetInfo", r#"{"targetId":"P","x":1}"#);
    assert_eq!(asked, [r#"call ROOT Target.getTargetInfo {"targetId":"P"}"#]);
    let own = info("P", "page", "CTX");
    let result = format!(r#"{{"targetInfo":{own}}}"#);
    assert_eq!(pair.result(&result), [format!(r#"1: {{"id":1,"result":{result}}}"#)]);
    // Without an id, a page's own info is returned.
    let asked = pair.asks_on("S", "Target.getTargetInfo", "{}");
    assert_eq!(asked, [r#"call ROOT Target.getTargetInfo {"targetId":"P"}"#]);
    let strange = format!(r#"{{"targetInfo":{}}}"#, info("X", "page", "OTHER"));
    let error = r#"1: {"id":1,"error":{"code":-32602,"message":"No target with given id found"},"sessionId":"S"}"#;
    assert_eq!(pair.result(&strange), [error]);
    assert_eq!(pair.asks("Target.getTargetInfo", r#"{"targetId":"X"}"#), [failed(1, -32602, NO_TARGET)]);
    let up = pair.asks("Target.getTargetInfo", r#"{"targetId":5}"#);
    assert_eq!(up, [r#"call ROOT Target.getTargetInfo {"targetId":5}"#]);
}

#[test]
fn each_session_has_a_virtual_browser_target() {
    let mut pair = Pair::new();
    let browser =
        r#"{"targetId":"browser","type":"browser","title":"","url":"","attached":true,"canAccessOpener":false}"#;
    let info = format!(r#"1: {{"id":1,"result":{{"targetInfo":{browser}}}}}"#);
    for params in ["{}", r#"{"targetId":"browser"}"#] {
        assert_eq!(pair.asks("Target.getTargetInfo", params), std::slice::from_ref(&info));
    }
    let got = pair.asks("Target.setDiscoverTargets", r#"{"discover":true,"filter":[{}]}"#);
    let created = format!(r#"1: {{"method":"Target.targetCreated","params":{{"targetInfo":{browser}}}}}"#);
    assert_eq!(got, [created.as_str(), r#"1: {"id":1,"result":{}}"#]);
}

#[test]
fn only_own_contexts_are_disposed_and_never_the_default_one() {
    let mut pair = Pair::new();
    let contexts = |own: &str| {
        format!(r#"1: {{"id":1,"result":{{"browserContextIds":[{own}],"defaultBrowserContextId":"CTX"}}}}"#)
    };
    assert_eq!(pair.asks("Target.getBrowserContexts", "{}"), [contexts("")]);
    let asked = pair.asks("Target.createBrowserContext", r#"{"disposeOnDetach":false}"#);
    assert_eq!(asked, ["new context"]);
    let created = r#"{"browserContextId":"NEW"}"#;
    assert_eq!(pair.result(created), [format!(r#"1: {{"id":1,"result":{created}}}"#)]);
    assert_eq!(pair.asks("Target.getBrowserContexts", "{}"), [contexts("\"NEW\"")]);
    pair.created("Q", "page", "NEW");

    let dispose = |context: &str| format!(r#"{{"browserContextId":"{context}"}}"#);
    let method = "Target.disposeBrowserContext";
    assert_eq!(pair.asks(method, &dispose("CTX")), [failed(1, -32000, "Cannot dispose default browser context.")]);
    assert_eq!(pair.asks(method, &dispose("OTHER")), [failed(1, -32000, "Failed to find context with id OTHER")]);
    assert_eq!(
        pair.asks(method, &dispose("NEW")),
        [r#"call BASE Target.disposeBrowserContext {"browserContextId":"NEW"}"#]
    );
    assert_eq!(pair.result("{}"), [r#"1: {"id":1,"result":{}}"#]);
    assert_eq!(pair.asks("Target.getBrowserContexts", "{}"), [contexts("")]);
    // The targets of the context are removed, also without events of Chrome.
    assert!(!pair.session.shows(&"Q".into()));
    let up = pair.asks(method, "{}");
    assert_eq!(up, ["call ROOT Target.disposeBrowserContext {}"]);
    // Only a root may.
    pair.created("P", "page", "CTX");
    pair.attached("ROOT", "S", "P");
    for method in ["Target.getBrowserContexts", "Target.createBrowserContext", "Target.disposeBrowserContext"] {
        let not_allowed = r#"1: {"id":1,"error":{"code":-32000,"message":"Not allowed"},"sessionId":"S"}"#;
        assert_eq!(pair.asks_on("S", method, "{}"), [not_allowed], "{method}");
    }
}

#[test]
fn discovery_reports_existing_targets_in_order_then_new_ones() {
    let mut pair = Pair::with_page();
    let event =
        |method: &str, info: &str| format!(r#"1: {{"method":"Target.{method}","params":{{"targetInfo":{info}}}}}"#);
    let detached =
        |target: &str, kind: &str| info(target, kind, "CTX").replace("\"attached\":true", "\"attached\":false");
    let got = pair.asks("Target.setDiscoverTargets", r#"{"discover":true}"#);
    // The default filter has no tabs and no browsers.
    assert_eq!(got, [event("targetCreated", &info("P", "page", "CTX")).as_str(), r#"1: {"id":1,"result":{}}"#]);
    // The same again tells nothing again, another filter what it adds.
    assert_eq!(pair.asks("Target.setDiscoverTargets", r#"{"discover":true}"#).len(), 1);
    let got =
        pair.asks("Target.setDiscoverTargets", r#"{"discover":true,"filter":[{"type":"browser","exclude":true},{}]}"#);
    assert_eq!(got[0], event("targetCreated", &detached("T", "tab")));
    // A foreign target, one of Chrome's own, and one that is no target.
    for (target, kind, context) in [("X", "page", "OTHER"), ("U", "browser_ui", "CTX"), ("B", "browser", "CTX")] {
        assert_eq!(pair.created(target, kind, context), Vec::<String>::new());
    }
    assert_eq!(pair.changed("P", "nonsense"), Vec::<String>::new());
    // Nothing changed that this client could see: our watchers came and went.
    assert_eq!(pair.changed("T", &detached("T", "tab")), Vec::<String>::new());
    assert_eq!(pair.changed("T", &info("T", "tab", "CTX")), Vec::<String>::new());
    let titled = info("P", "page", "CTX").replace("\"title\":\"\"", "\"title\":\"new\"");
    assert_eq!(pair.changed("P", &titled), [event("targetInfoChanged", &titled)]);
    // Attaching changes what this client sees, and is said first.
    let got = pair.attached("ROOT", "ST", "T");
    assert_eq!(got[0], event("targetInfoChanged", &info("T", "tab", "CTX")));
    assert!(got[1].contains("attachedToTarget"));
    let got = pair.detached("ROOT", "ST", "T", &[]);
    assert!(got[0].contains("detachedFromTarget"));
    assert_eq!(got[1], event("targetInfoChanged", &detached("T", "tab")));
    let crashed = pair.told(Told::Crashed { target: "P".into(), params: r#"{"targetId":"P"}"#.to_owned() });
    assert_eq!(crashed, [r#"1: {"method":"Target.targetCrashed","params":{"targetId":"P"}}"#]);
    assert_eq!(pair.told(Told::Crashed { target: "X".into(), params: "{}".to_owned() }), Vec::<String>::new());
    let destroyed = pair.told(Told::Destroyed { target: "P".into() });
    assert_eq!(destroyed, [r#"1: {"method":"Target.targetDestroyed","params":{"targetId":"P"}}"#]);
    assert_eq!(pair.told(Told::Destroyed { target: "P".into() }), Vec::<String>::new());
    assert_eq!(pair.told(Told::Destroyed { target: "X".into() }), Vec::<String>::new());
    assert_eq!(pair.asks("Target.setDiscoverTargets", r#"{"discover":false}"#).len(), 1);
    assert_eq!(pair.created("N", "page", "CTX"), Vec::<String>::new());
}

#[test]
fn discovering_cdp_sessions_are_limited() {
    let mut pair = Pair::with_page();
    let events = r#"{"behavior":"deny","eventsEnabled":true}"#;
    for (method, params, up) in [
        ("Target.setDiscoverTargets", r#"{"discover":true,"filter":[{"type":"other"}]}"#, false),
        ("Browser.setDownloadBehavior", events, true),
    ] {
        let ask = |pair: &mut Pair, at: usize| {
            let got = pair.asks_on(&format!("S{at}"), method, params);
            let refused = format!("'{method}' is refused: 32 CDP sessions of this session have it on, and no more may");
            let is_refused = got.iter().any(|action| action.contains(&refused));
            if up && !is_refused {
                pair.result("{}");
            }
            is_refused
        };
        for at in 0..33 {
            pair.attached("ROOT", &format!("S{at}"), "P");
            assert_eq!(ask(&mut pair, at), at == 32, "{method} {at}");
        }
        // A CDP session that discovers targets may repeat the command; one that ends makes room.
        assert!(!ask(&mut pair, 0), "{method}");
        pair.detached("ROOT", "S0", "P", &[]);
        assert!(!ask(&mut pair, 32), "{method}");
        for at in 1..33 {
            pair.detached("ROOT", &format!("S{at}"), "P", &[]);
        }
    }
}

#[test]
fn invalid_discoveries_get_chromes_error() {
    let mut pair = Pair::new();
    let got = pair.asks("Target.setDiscoverTargets", r#"{"discover":false,"filter":[]}"#);
    assert_eq!(got, [failed(1, -32602, "Filter should not be present with `discover` is off")]);
    for params in ["{}", r#"{"discover":1}"#, r#"{"discover":true,"filter":5}"#] {
        let got = pair.asks("Target.setDiscoverTargets", params);
        assert_eq!(got, [format!("call ROOT Target.setDiscoverTargets {params}")]);
    }
}

#[test]
fn foreign_ids_get_chromes_error_for_unknown_ids() {
    let mut pair = Pair::with_page();
    pair.created("W", "worker", "CTX");
    pair.attached("S", "SW", "W");
    pair.asks("Target.attachToBrowserTarget", "{}");
    let browser = r#"{"targetId":"real","type":"browser","url":""}"#.to_owned();
    pair.told(Told::Attached {
        parent: "ROOT".into(),
        child: "ROOT2".into(),
        target: "real".into(),
        info: browser,
        waiting: false,
    });
    pair.result(r#"{"sessionId":"ROOT2"}"#);
    for on in ["", "ROOT2", "S", "SW"] {
        let is_root = on.starts_with("ROOT") || on.is_empty();
        let tail = if on.is_empty() { String::new() } else { format!(",\"sessionId\":\"{on}\"") };
        for (method, params, code, message) in [
            ("Target.getTargetInfo", r#"{"targetId":"X"}"#, -32602, NO_TARGET),
            ("Target.attachToTarget", r#"{"targetId":"X"}"#, -32602, NO_TARGET),
            ("Target.attachToTarget", r#"{"targetId":"real"}"#, -32602, NO_TARGET),
            ("Target.activateTarget", r#"{"targetId":"X"}"#, -32602, NO_TARGET),
            ("Target.closeTarget", r#"{"targetId":"X"}"#, -32602, "No such target to close"),
            ("Target.createTarget", r#"{"url":"","browserContextId":"OTHER"}"#, -32000, "No such context OTHER"),
            ("Target.detachFromTarget", r#"{"sessionId":"X"}"#, -32602, "No session with given id"),
            ("Target.detachFromTarget", r#"{"targetId":"X"}"#, -32602, "No session for given target id"),
            ("Target.detachFromTarget", "{}", -32602, "Session id must be specified"),
            ("Target.sendMessageToTarget", r#"{"message":"","sessionId":"X"}"#, -32602, "No session with given id"),
            ("Target.sendMessageToTarget", r#"{"message":""}"#, -32602, "Session id must be specified"),
            ("Browser.getWindowForTarget", r#"{"targetId":"X"}"#, -32602, "No target with given id"),
            ("Browser.setWindowBounds", r#"{"windowId":7}"#, -32000, "Browser window not found"),
            (
                "Storage.getCookies",
                r#"{"browserContextId":"OTHER"}"#,
                -32602,
                "Failed to find browser context for id OTHER",
            ),
            ("Browser.cancelDownload", r#"{"guid":"G"}"#, -32602, "No download item found for the given GUID"),
            (
                "Browser.resetPermissions",
                r#"{"browserContextId":""}"#,
                -32602,
                "Failed to find browser context for id ",
            ),
        ] {
            let wanted = format!(r#"1: {{"id":1,"error":{{"code":{code},"message":"{message}"}}{tail}}}"#);
            assert_eq!(pair.asks_on(on, method, params), [wanted], "{method} on {on:?}");
        }
        let related = pair.asks_on(on, "Target.autoAttachRelated", r#"{"targetId":"X","waitForDebuggerOnStart":true}"#);
        let message =
            if is_root { NO_TARGET } else { "Target.autoAttachRelated is only supported on the Browser target" };
        assert!(related[0].contains(message) && related.len() == 1, "{related:?}");
    }
    pair.is_at_rest();
}

#[test]
fn commands_on_own_targets_keep_their_cdp_session() {
    let mut pair = Pair::with_page();
    for (method, params) in [
        ("Target.closeTarget", r#"{"targetId":"P"}"#),
        ("Target.activateTarget", r#"{"targetId":"T"}"#),
        ("Target.autoAttachRelated", r#"{"targetId":"P","waitForDebuggerOnStart":false}"#),
    ] {
        assert_eq!(pair.asks(method, params), [format!("call ROOT {method} {params}")]);
        assert_eq!(pair.result("{}"), [r#"1: {"id":1,"result":{}}"#]);
    }
    let close = r#"{"targetId":"P"}"#;
    assert_eq!(pair.asks_on("S", "Target.closeTarget", close), [format!("call S Target.closeTarget {close}")]);
    assert_eq!(pair.error(-32000, "Nope"), [r#"1: {"id":1,"error":{"code":-32000,"message":"Nope"},"sessionId":"S"}"#]);
    assert_eq!(pair.asks("Target.getDevToolsTarget", r#"{"targetId":"P"}"#), [r#"1: {"id":1,"result":{}}"#]);
    assert_eq!(pair.asks("Target.getDevToolsTarget", r#"{"targetId":"X"}"#), [failed(1, -32602, NO_TARGET)]);
    let got = pair.asks_on("S", "Target.getDevToolsTarget", r#"{"targetId":"P"}"#);
    assert_eq!(got, [r#"1: {"id":1,"error":{"code":-32000,"message":"Not allowed"},"sessionId":"S"}"#]);
    // The browser itself is not to be closed by that.
    assert_eq!(
        pair.asks("Target.closeTarget", r#"{"targetId":"browser"}"#),
        [failed(1, -32602, "No such target to close")]
    );
}

#[test]
fn new_targets_are_created_in_own_contexts_at_allowed_urls() {
    let mut pair = Pair::with_page();
    for (params, up) in [
        (r#"{"url":"about:blank"}"#, r#"{"url":"about:blank","browserContextId":"CTX"}"#),
        (r#"{"url":"http://x/","browserContextId":"CTX"}"#, r#"{"url":"http://x/","browserContextId":"CTX"}"#),
        (r#"{"url":"data:,\ud800"}"#, r#"{"url":"data:,\ud800","browserContextId":"CTX"}"#),
        // A page that nothing announces would escape the count.
        (r#"{"url":"http://x/","hidden":true}"#, r#"{"url":"http://x/","browserContextId":"CTX"}"#),
        (r#"{"url":"about:blank","hidden":false}"#, r#"{"url":"about:blank","browserContextId":"CTX"}"#),
        // For Chrome to refuse.
        (r#"{"url":5}"#, r#"{"url":5,"browserContextId":"CTX"}"#),
        (r#"{"url":"","browserContextId":null}"#, r#"{"url":"","browserContextId":null}"#),
    ] {
        assert_eq!(pair.asks("Target.createTarget", params), [format!("call ROOT Target.createTarget {up}")]);
        assert_eq!(pair.asks_on("S", "Target.createTarget", params), [format!("call ROOT Target.createTarget {up}")]);
    }
    // URLs for which headless shell opens a blank page.
    for url in
        ["chrome://newtab/", "CHROME:gpu", "view-source:chrome://x", "about:srcdoc", "example.test", "localhost:1", "x"]
    {
        let got = pair.asks("Target.createTarget", &format!(r#"{{"url":"{url}","background":true}}"#));
        let up = r#"{"url":"about:blank","background":true,"browserContextId":"CTX"}"#;
        assert_eq!(got, [format!("call ROOT Target.createTarget {up}")], "{url}");
    }
    for url in [
        "file:///etc/passwd",
        " \\tfi\\nle:///x",
        "view-source:FILE:x",
        "f\\u0069le:x",
        "devtools://x",
        "chrome-untrusted://x",
        "blob:chrome://settings/1",
    ] {
        let got = pair.asks("Target.createTarget", &format!(r#"{{"url":"{url}"}}"#));
        assert!(got.len() == 1 && got[0].contains("\"error\":{\"code\":-32000"), "{got:?}");
    }
    let mut local = Pair::with(Capabilities::local());
    assert_eq!(local.asks("Target.createTarget", r#"{"url":"file:///x"}"#).len(), 1);
    assert_eq!(local.tags.len(), 1);
}

#[test]
fn navigation_to_chrome_crash_is_answered_and_crashes_the_page() {
    let mut pair = Pair::with_page();
    for (more, frame) in [("", "P"), (r#","frameId":"F""#, "F")] {
        let params = format!(r#"{{"url":"chrome://crash/"{more}}}"#);
        let mut got = pair.asks_on("S", "Page.navigate", &params);
        got.sort();
        let answer =
            format!(r#"1: {{"id":1,"result":{{"frameId":"{frame}","errorText":"net::ERR_ABORTED"}},"sessionId":"S"}}"#);
        assert_eq!(got, [answer, "call S Page.crash {}".to_owned()]);
        // Chrome's reply to the replaced command is dropped.
        assert_eq!(pair.error(-32000, "Target crashed"), Vec::<String>::new());
    }
    pair.is_at_rest();
}

#[test]
fn contexts_with_universal_network_access_are_refused() {
    let mut pair = Pair::new();
    let got = pair.asks("Target.createBrowserContext", r#"{"originsWithUniversalNetworkAccess":["http://x"]}"#);
    assert!(got.len() == 1 && got[0].contains("no capability allows it"), "{got:?}");
    for params in
        [r#"{"disposeOnDetach":5,"proxyServer":"x"}"#, r#"{"proxyServer":["x"]}"#, r#"{"proxyBypassList":null}"#]
    {
        assert_eq!(pair.asks("Target.createBrowserContext", params), [failed(1, -32602, "Invalid parameters")]);
    }
    assert_eq!(pair.session.scope.contexts, []);
}

#[test]
fn contexts_of_gated_sessions_cannot_get_around_the_gate() {
    let mut pair = Pair::new();
    let by_x = r#"{"proxyServer":"x:1","proxyBypassList":"*"}"#;
    let asked = pair.asks("Target.createBrowserContext", by_x);
    assert_eq!(asked, [r#"new context by AsWritten { server: "x:1", bypass: Some("*") }"#]);
    pair.session.set_gated();
    for own in
        [r#"{"proxyBypassList":"<-loopback>;127.0.0.1"}"#, r#"{"proxyServer":""}"#, r#"{"proxyServer":" DIRECT:// "}"#]
    {
        assert_eq!(pair.asks("Target.createBrowserContext", own), ["new context"], "{own}");
    }
    // The gate judges the bypass list.
    let behind = pair.asks("Target.createBrowserContext", by_x);
    assert!(
        behind.len() == 1 && behind[0].starts_with("new context by UpstreamProxy(UpstreamProxy(http://x:1,"),
        "{behind:?}"
    );
    let refused = pair.asks("Target.createBrowserContext", r#"{"proxyServer":"http=x:1;https=y:1"}"#);
    assert!(refused.len() == 1 && refused[0].contains("for each scheme"), "{refused:?}");
}
