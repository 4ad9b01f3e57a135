//! Tests of CDP sessions: attach, nested messages, limits and detach.

use super::*;

/// The child of a client's attach that was not to be flat.
fn not_flat() -> Pair {
    let mut pair = Pair::with_page();
    let asked = pair.asks("Target.attachToTarget", r#"{"targetId":"P"}"#);
    assert_eq!(asked, [r#"call ROOT Target.attachToTarget {"targetId":"P","flatten":true}"#]);
    assert_eq!(pair.attached("ROOT", "N", "P").len(), 1);
    assert_eq!(pair.result(r#"{"sessionId":"N"}"#), [r#"1: {"id":1,"result":{"sessionId":"N"}}"#]);
    pair
}

fn tunnelled(session: &str, inner: &str) -> String {
    let params = format!(r#"{{"sessionId":"{session}","message":{}}}"#, crate::cdp::json_object::quote(inner));
    format!(r#"{{"id":9,"method":"Target.sendMessageToTarget","params":{params}}}"#)
}

fn received(session: &str, inner: &str) -> String {
    let inner = crate::cdp::json_object::quote(inner);
    let params = format!(r#"{{"sessionId":"{session}","message":{inner},"targetId":"P"}}"#);
    format!(r#"1: {{"method":"Target.receivedMessageFromTarget","params":{params}}}"#)
}

const SENT: &str = r#"1: {"id":9,"result":{}}"#;

#[test]
fn root_auto_attach_becomes_an_interest() {
    let mut pair = Pair::new();
    let with = |rest: &str| format!(r#"{{"autoAttach":true,"waitForDebuggerOnStart":true,"flatten":true{rest}}}"#);
    let puppeteer = r#","filter":[{"type":"page","exclude":true},{}]"#;
    assert_eq!(pair.asks("Target.setAutoAttach", &with("")), ["auto ROOT page wait:true"]);
    assert_eq!(pair.result("{}"), [r#"1: {"id":1,"result":{}}"#]);
    assert_eq!(pair.asks("Target.setAutoAttach", &with(puppeteer)), ["auto ROOT tab wait:true"]);
    // Params are read as Chrome reads them; the command is not sent, because it would concern every session.
    for filter in [
        r#","filter":[{"type":"\ud800"},{"type":"tab","exclude":true},{}]"#,
        r#","filter":[{"exclude":true,"exclude":false,"type":"page"}]"#,
    ] {
        assert_eq!(pair.asks("Target.setAutoAttach", &with(filter)), ["auto ROOT page wait:true"], "{filter}");
    }
    let off = r#"{"autoAttach":false,"waitForDebuggerOnStart":false,"flatten":true}"#;
    assert_eq!(pair.asks("Target.setAutoAttach", off), ["auto ROOT off"]);
    let both = "Filter should not simultaneously allow \\\"tab\\\" and \\\"page\\\", page targets are attached via tab targets";
    assert_eq!(pair.asks("Target.setAutoAttach", &with(r#","filter":[{}]"#)), [failed(1, -32602, both)]);
    let flat = "Only flatten protocol is supported with browser level auto-attach";
    let not = r#"{"autoAttach":true,"waitForDebuggerOnStart":true}"#;
    assert_eq!(pair.asks("Target.setAutoAttach", not), [failed(1, -32602, flat)]);
    for params in [
        "{}",
        r#"{"autoAttach":1,"waitForDebuggerOnStart":true,"flatten":true}"#,
        r#"{"autoAttach":true,"flatten":true}"#,
        r#"{"autoAttach":true,"waitForDebuggerOnStart":true,"flatten":null}"#,
        r#"{"autoAttach":true,"waitForDebuggerOnStart":true,"flatten":true,"filter":{}}"#,
    ] {
        let up = pair.asks("Target.setAutoAttach", params);
        assert_eq!(up, [format!("call ROOT Target.setAutoAttach {params}")]);
    }
}

#[test]
fn page_auto_attach_is_sent_flat() {
    let mut pair = Pair::with_page();
    let up =
        |params: &str| format!(r#"pass {{"id":1,"method":"Target.setAutoAttach","params":{params},"sessionId":"S"}}"#);
    let flat = r#"{"autoAttach":true,"waitForDebuggerOnStart":true,"flatten":true,"filter":[{}]}"#;
    assert_eq!(pair.asks_on("S", "Target.setAutoAttach", flat), [up(flat)]);
    pair.created("W", "worker", "CTX");
    let announced = pair.attached("S", "SW", "W");
    assert!(announced[0].ends_with(r#""waitingForDebugger":false},"sessionId":"S"}"#), "{announced:?}");
    let resume = pair.asks_on("S", "Runtime.runIfWaitingForDebugger", "{}");
    assert!(resume[0].starts_with("resume S children:true "));
    // Not flat: the child is, but its client is not to know.
    let not = r#"{"autoAttach":true,"waitForDebuggerOnStart":true}"#;
    let asked = pair.asks_on("S", "Target.setAutoAttach", not);
    assert_eq!(asked, [up(r#"{"autoAttach":true,"waitForDebuggerOnStart":true,"flatten":true}"#)]);
    pair.created("V", "worker", "CTX");
    pair.attached("S", "SV", "V");
    assert_eq!(pair.asks_on("SV", "Runtime.enable", "{}"), [failed(1, -32001, "Session with given id not found.")]);
    let got = pair.message(r#"{"method":"A.b","params":{},"sessionId":"SV"}"#);
    assert!(got[0].contains("receivedMessageFromTarget") && got[0].ends_with(r#","sessionId":"S"}"#), "{got:?}");
    // Unless it asks so for one.
    pair.created("Q", "page", "CTX");
    pair.asks_on("S", "Target.attachToTarget", r#"{"targetId":"Q","flatten":true}"#);
    pair.attached("S", "SQ", "Q");
    assert!(pair.asks_on("SQ", "Runtime.enable", "{}")[0].starts_with("pass"));
    // For Chrome to refuse, and off.
    let wrong = r#"{"autoAttach":false,"waitForDebuggerOnStart":false,"flatten":5}"#;
    assert_eq!(pair.asks_on("S", "Target.setAutoAttach", wrong), [up(wrong)]);
    let resume = pair.asks_on("S", "Runtime.runIfWaitingForDebugger", "{}");
    assert!(resume[0].starts_with("resume S children:false "));
}

#[test]
fn announced_cdp_sessions_are_usable_until_they_are_detached() {
    let mut pair = Pair::with_page();
    let gone = failed(1, -32001, "Session with given id not found.");
    for on in ["X", "BASE", "N"] {
        assert_eq!(pair.asks_on(on, "Runtime.enable", "{}"), std::slice::from_ref(&gone));
    }
    // A known CDP session is not announced again.
    assert_eq!(pair.attached("ROOT", "S", "P"), Vec::<String>::new());
    // On the proxy's own CDP session it is the proxy's business.
    assert_eq!(pair.attached("BASE", "OWN", "P"), Vec::<String>::new());
    assert_eq!(pair.detached("BASE", "OWN", "P", &[]), Vec::<String>::new());
    assert_eq!(pair.asks_on("OWN", "Runtime.enable", "{}"), std::slice::from_ref(&gone));
    assert_eq!(pair.asks("Target.detachFromTarget", r#"{"sessionId":"S"}"#), ["detach S"]);
    let event = r#"1: {"method":"Target.detachedFromTarget","params":{"sessionId":"S","targetId":"P"}}"#;
    assert_eq!(pair.detached("ROOT", "S", "P", &[]), [event]);
    assert_eq!(pair.result("{}"), [r#"1: {"id":1,"result":{}}"#]);
    assert_eq!(pair.asks_on("S", "Runtime.enable", "{}"), [gone]);
    assert_eq!(pair.detached("ROOT", "S", "P", &[]), Vec::<String>::new());
}

#[test]
fn detach_requires_a_child_of_its_cdp_session() {
    let mut pair = Pair::with_page();
    pair.created("W", "worker", "CTX");
    pair.attached("S", "SW", "W");
    let error = failed(1, -32602, "No session with given id");
    assert_eq!(pair.asks("Target.detachFromTarget", r#"{"sessionId":"SW"}"#), std::slice::from_ref(&error));
    assert_eq!(pair.asks("Target.detachFromTarget", r#"{"sessionId":"ROOT"}"#), [error]);
    assert_eq!(pair.asks_on("S", "Target.detachFromTarget", r#"{"sessionId":"SW"}"#), ["detach SW"]);
    assert_eq!(pair.asks_on("S", "Target.detachFromTarget", r#"{"targetId":"W"}"#), ["detach SW"]);
    // Chrome goes by the CDP session if both are there.
    assert_eq!(pair.asks("Target.detachFromTarget", r#"{"sessionId":"S","targetId":"X"}"#), ["detach S"]);
    for (params, up) in
        [(r#"{"sessionId":5}"#, r#"{"sessionId":5}"#), (r#"{"sessionId":"S","targetId":null}"#, r#"{"targetId":null}"#)]
    {
        assert_eq!(pair.asks("Target.detachFromTarget", params), [format!("call ROOT Target.detachFromTarget {up}")]);
    }
}

#[test]
fn hidden_targets_are_detached_without_an_event() {
    let mut pair = Pair::with_page();
    pair.asks("Target.attachToTarget", r#"{"targetId":"P"}"#);
    pair.told(Told::Destroyed { target: "P".into() });
    // The page navigated to a URL of Chrome's own before the attach was complete.
    assert_eq!(pair.attached("ROOT", "N", "P"), ["detach N"]);
    pair.result(r#"{"sessionId":"N"}"#);
    assert_eq!(pair.detached("ROOT", "N", "P", &[]), Vec::<String>::new());
    pair.result("{}");
    pair.is_at_rest();
}

#[test]
fn commands_in_flight_are_answered_deepest_first_when_their_cdp_session_ends() {
    let mut pair = Pair::with_page();
    pair.created("W", "worker", "CTX");
    pair.attached("S", "SW", "W");
    for (id, on, method) in [
        (1, "S", "Runtime.evaluate"),
        (2, "SW", "Runtime.evaluate"),
        (3, "S", "Runtime.evaluate"),
        // Under an id of the proxy, on another CDP session.
        (4, "S", "Storage.getCookies"),
        (-5, "S", "Runtime.evaluate"),
        (6, "SW", "Browser.getWindowForTarget"),
    ] {
        pair.says(&format!(r#"{{"id":{id},"method":"{method}","params":{{}},"sessionId":"{on}"}}"#));
    }
    assert_eq!(pair.message(r#"{"id":1,"result":{},"sessionId":"S"}"#).len(), 1);
    let gone = |id: i32, on: &str| {
        format!(
            r#"1: {{"id":{id},"error":{{"code":-32001,"message":"Session with given id not found."}},"sessionId":"{on}"}}"#
        )
    };
    let event = r#"1: {"method":"Target.detachedFromTarget","params":{"sessionId":"S","targetId":"P"}}"#.to_owned();
    let wanted = [event, gone(2, "SW"), gone(6, "SW"), gone(3, "S"), gone(4, "S"), gone(-5, "S")];
    assert_eq!(pair.detached("ROOT", "S", "P", &["SW"]), wanted);
    // Answered once: what comes late, or from the link for what it lost, is dropped.
    for _ in 0..3 {
        assert_eq!(pair.error(-32001, "Session with given id not found."), Vec::<String>::new());
    }
    pair.is_at_rest();
}

#[test]
fn further_roots_see_the_virtual_browser() {
    let mut pair = Pair::with_page();
    let browser = |child: &str| Told::Attached {
        parent: "ROOT".into(),
        child: child.into(),
        target: "real".into(),
        info: r#"{"targetId":"real","type":"browser","title":"secret","url":"","attached":true}"#.to_owned(),
        waiting: false,
    };
    assert_eq!(pair.asks("Target.attachToBrowserTarget", "{}"), ["call ROOT Target.attachToBrowserTarget {}"]);
    let got = pair.told(browser("ROOT2"));
    assert!(
        got[0].contains(r#""sessionId":"ROOT2","targetInfo":{"targetId":"browser","type":"browser","title":"","#),
        "{got:?}"
    );
    assert_eq!(pair.result(r#"{"sessionId":"ROOT2"}"#), [r#"1: {"id":1,"result":{"sessionId":"ROOT2"}}"#]);
    // Puppeteer's `createCDPSession` on its browser's target; from a page too.
    let up = "call ROOT Target.attachToBrowserTarget {}";
    assert_eq!(pair.asks("Target.attachToTarget", r#"{"targetId":"browser","flatten":true}"#), [up]);
    pair.told(browser("ROOT3"));
    assert_eq!(pair.asks_on("S", "Target.attachToTarget", r#"{"targetId":"browser","flatten":true}"#), [up]);
    assert!(pair.asks_on("S", "Target.attachToBrowserTarget", "{}")[0].contains("Not allowed"));
    // The rules for roots apply to it, under its own id.
    assert_eq!(pair.asks_on("ROOT2", "Tracing.getCategories", "{}"), ["call ROOT2 Tracing.getCategories {}"]);
    assert!(pair.asks_on("ROOT2", "Page.enable", "{}")[0].contains("-32601"));
    assert!(pair.asks_on("ROOT2", "Browser.crash", "{}")[0].contains("is refused"));
    let got = pair.asks_on("ROOT2", "Target.setDiscoverTargets", r#"{"discover":true,"filter":[{"type":"page"}]}"#);
    assert!(got[0].contains("targetCreated") && got[0].ends_with(r#","sessionId":"ROOT2"}"#), "{got:?}");
    assert_eq!(
        pair.asks_on(
            "ROOT2",
            "Target.setAutoAttach",
            r#"{"autoAttach":true,"waitForDebuggerOnStart":false,"flatten":true}"#
        ),
        ["auto ROOT2 page wait:false"]
    );
    pair.attached("ROOT2", "S2", "P");
    assert!(pair.asks_on("S2", "Runtime.enable", "{}")[0].starts_with("pass"));
    // It ends with the CDP sessions that were announced on it.
    assert_eq!(pair.asks("Target.detachFromTarget", r#"{"sessionId":"ROOT2"}"#), ["detach ROOT2"]);
    let got = pair.detached("ROOT", "ROOT2", "real", &["S2"]);
    assert!(got[0].contains(r#"detachedFromTarget","params":{"sessionId":"ROOT2","#), "{got:?}");
    assert!(
        got[1].contains(r#""id":1,"error":{"code":-32001,"#) && got[1].ends_with(r#""sessionId":"S2"}"#),
        "{got:?}"
    );
    assert!(pair.asks_on("S2", "Runtime.enable", "{}")[0].contains("-32001"));
}

#[test]
fn policy_applies_to_nested_messages() {
    let mut pair = not_flat();
    // By its id it is not there: only the tunnel leads to it.
    assert_eq!(pair.asks_on("N", "Runtime.enable", "{}"), [failed(1, -32001, "Session with given id not found.")]);
    let up = r#"pass {"id":5,"method":"Runtime.evaluate","params":{"expression":"\ud800"},"sessionId":"N"}"#;
    let inner = r#"{"id":5,"method":"Runtime.evaluate","params":{"expression":"\ud800"}}"#;
    assert_eq!(pair.says(&tunnelled("N", inner)), [up, SENT]);
    let answer = r#"{"id":5,"result":{}}"#;
    assert_eq!(pair.message(r#"{"id":5,"result":{},"sessionId":"N"}"#), [received("N", answer)]);
    assert_eq!(pair.message(r#"{"id":5,"result":{},"sessionId":"N"}"#), Vec::<String>::new());
    let event = r#"{"method":"A.b","params":{}}"#;
    assert_eq!(pair.message(r#"{"method":"A.b","params":{},"sessionId":"N"}"#), [received("N", event)]);
    // The policy applies to the inner message.
    for (inner, words) in [
        (r#"{"id":5,"method":"Browser.crash"}"#, "is refused"),
        (r#"{"id":5,"method":"Target.closeTarget","params":{"targetId":"X"}}"#, "No such target to close"),
        (r#"{"id":5,"method":"Page.navigate","params":{"url":"file:///x"}}"#, "host-files"),
        (r#"{"id":5,"method":"Nope.nope"}"#, "wasn't found"),
        (r#"{"id":5,"method":"Runtime.enable","sessionId":"S"}"#, "Session with given id not found."),
        (r#"{"id":5,"method":"Runtime.enable""#, "-32700"),
        (r#"{"id":5,"id":6,"method":"Runtime.enable"}"#, "-32700"),
    ] {
        let got = pair.says(&tunnelled("N", inner));
        assert!(got.iter().all(|action| action.starts_with("1: ")), "{got:?}");
        assert!(got.len() == 2 && got[0] == SENT && got[1].contains(words), "{inner}: {got:?}");
    }
    // Nothing is sent through a flat CDP session, or through that of another view.
    for session in ["S", "X", "ROOT"] {
        let got = pair.says(&tunnelled(session, inner));
        assert_eq!(got, [failed(9, -32602, "No session with given id")]);
    }
    pair.is_at_rest();
}

#[test]
fn policy_applies_to_messages_inside_nested_messages() {
    let mut pair = not_flat();
    pair.created("W", "worker", "CTX");
    let auto =
        r#"{"id":5,"method":"Target.setAutoAttach","params":{"autoAttach":true,"waitForDebuggerOnStart":false}}"#;
    assert!(pair.says(&tunnelled("N", auto))[0].contains(r#""flatten":true},"sessionId":"N"}"#));
    let got = pair.attached("N", "NW", "W");
    assert!(got[0].contains("receivedMessageFromTarget") && got[0].contains("attachedToTarget"), "{got:?}");
    let deep = |method: &str| tunnelled("N", &tunnelled("NW", &format!(r#"{{"id":6,"method":"{method}"}}"#)));
    let got = pair.says(&deep("Runtime.enable"));
    assert_eq!(got[0], r#"pass {"id":6,"method":"Runtime.enable","params":{},"sessionId":"NW"}"#);
    let got = pair.says(&deep("Browser.crash"));
    assert!(got.iter().all(|action| action.starts_with("1: ")), "{got:?}");
    let got = pair.message(r#"{"id":6,"result":{},"sessionId":"NW"}"#);
    assert!(got[0].contains(r#"\\\"id\\\":6,\\\"result\\\""#), "{got:?}");
    // From the root it is no child.
    assert_eq!(pair.says(&tunnelled("NW", "{}")), [failed(9, -32602, "No session with given id")]);
}

#[test]
fn nesting_of_cdp_sessions_is_limited() {
    let mut pair = Pair::with_page();
    let mut on = "ROOT".to_owned();
    for depth in 0..32 {
        let next = format!("D{depth}");
        let asked = pair.says(&format!(
            r#"{{"id":1,"method":"Target.attachToTarget","params":{{"targetId":"P","flatten":true}}{}}}"#,
            if depth == 0 { String::new() } else { format!(r#","sessionId":"{on}""#) }
        ));
        assert!(asked[0].starts_with(&format!("call {on} ")), "{depth}: {asked:?}");
        pair.attached(&on, &next, "P");
        pair.result(&format!(r#"{{"sessionId":"{next}"}}"#));
        on = next;
    }
    for (method, params) in [
        ("Target.attachToTarget", r#"{"targetId":"P","flatten":true}"#),
        ("Target.attachToTarget", r#"{"targetId":"browser"}"#),
        ("Target.attachToBrowserTarget", "{}"),
    ] {
        let got = pair.asks_on(&on, method, params);
        assert!(got.len() == 1 && got[0].contains("32 deep"), "{got:?}");
    }
}

#[test]
fn too_large_nested_messages_disconnect_the_client() {
    let mut pair = not_flat();
    pair.says(&tunnelled("N", r#"{"id":5,"method":"Target.attachToTarget","params":{"targetId":"P"}}"#));
    pair.attached("N", "M", "P");
    pair.result(r#"{"sessionId":"M"}"#);
    let mut log = |session: &str, quotes: usize| {
        let quotes = r#"\""#.repeat(quotes);
        pair.message(&format!(r#"{{"method":"A.b","params":{{"x":"{quotes}"}},"sessionId":"{session}"}}"#))
    };
    let got = log("M", 1000);
    assert!(got.len() == 1 && got[0].matches("receivedMessageFromTarget").count() == 2, "{got:?}");
    assert_eq!(log("M", 9 << 20), [format!("close 1: {}", CloseReason::Overgrown)]);
    // A tunnel in none carries what a frame does.
    assert!(log("N", 9 << 20)[0].len() > 36 << 20);
}

#[test]
fn flat_and_nested_attaches_are_matched_in_order() {
    let mut pair = Pair::with_page();
    for params in [r#"{"targetId":"P","flatten":true}"#, r#"{"targetId":"P"}"#, r#"{"targetId":"P","flatten":true}"#] {
        pair.asks("Target.attachToTarget", params);
    }
    // The first is refused: nothing of it is left to be mixed up.
    pair.error(-32000, "Nope");
    pair.attached("ROOT", "N", "P");
    pair.attached("ROOT", "F", "P");
    assert!(pair.asks_on("N", "Runtime.enable", "{}")[0].contains("-32001"));
    assert!(pair.asks_on("F", "Runtime.enable", "{}")[0].starts_with("pass"));
    pair.result("{}");
    pair.result("{}");
    pair.message(r#"{"id":1,"result":{},"sessionId":"F"}"#);
    pair.is_at_rest();
    // One that is answered without having been announced leaves nothing either; nor one whose root goes.
    pair.asks("Target.attachToTarget", r#"{"targetId":"P"}"#);
    pair.result(r#"{"sessionId":"Z"}"#);
    pair.is_at_rest();
    pair.asks("Target.attachToTarget", r#"{"targetId":"P"}"#);
    pair.session.close_view(VIEW);
    assert!(pair.session.attaching.is_empty());
    let wrong = Pair::with_page().asks("Target.attachToTarget", r#"{"targetId":"P","flatten":5}"#);
    assert_eq!(wrong, [r#"call ROOT Target.attachToTarget {"targetId":"P","flatten":5}"#]);
}

#[test]
fn closed_views_resume_their_targets() {
    let mut pair = Pair::with_page();
    pair.session.open_view(ViewId(2), "OTHER".into(), true);
    pair.attached("OTHER", "SO", "P");
    pair.created("W", "worker", "CTX");
    pair.attached("S", "SW", "W");
    pair.asks_on("S", "Runtime.evaluate", "{}");
    pair.asks_on("S", "Storage.getCookies", "{}");
    pair.session.close_view(VIEW);
    // The mirror resumes what was handed before it detaches it; what is below goes with it, and must not wait then.
    assert_eq!(pair.actions(), ["call S Fetch.disable {}", "resume SW children:false", "remind"]);
    let tag = pair.tags.pop_back().expect("a resume");
    let runs = FromBrowser::Reply { tag, reply: Reply::Result("{}".to_owned()) };
    assert_eq!(pair.feed(runs), ["detach S", "detach ROOT"]);
    assert_eq!(
        pair.says(r#"{"id":1,"method":"Browser.getVersion"}"#),
        [failed(1, -32001, "Session with given id not found.")]
    );
    assert_eq!(pair.message(r#"{"id":1,"result":{},"sessionId":"S"}"#), Vec::<String>::new());
    assert_eq!(pair.detached("ROOT", "S", "P", &["SW"]), Vec::<String>::new());
    for _ in 0..4 {
        assert_eq!(pair.result("{}"), Vec::<String>::new());
    }
    pair.is_at_rest();
    assert_eq!(pair.session.scope.sessions.iter().count(), 2);
    pair.session.close_view(VIEW);
    assert_eq!(pair.actions(), Vec::<String>::new());
    // The other one did not notice.
    let got = pair.view_says(ViewId(2), r#"{"id":1,"method":"Runtime.enable","params":{},"sessionId":"SO"}"#);
    assert!(got[0].starts_with("pass"));
}

#[test]
fn two_views_do_not_share_cdp_sessions() {
    let mut pair = Pair::with_page();
    pair.session.open_view(ViewId(2), "OTHER".into(), true);
    let got = pair.view_says(ViewId(2), r#"{"id":1,"method":"Runtime.enable","params":{},"sessionId":"S"}"#);
    assert_eq!(got, [failed(1, -32001, "Session with given id not found.").replace("1: ", "2: ")]);
    let got = pair.view_says(ViewId(2), r#"{"id":1,"method":"Target.detachFromTarget","params":{"sessionId":"S"}}"#);
    assert_eq!(got, [failed(1, -32602, "No session with given id").replace("1: ", "2: ")]);
    let got = pair.attached("OTHER", "SO", "P");
    assert!(got.len() == 1 && got[0].starts_with("2: "), "{got:?}");
    assert!(pair.message(r#"{"method":"A.b","params":{},"sessionId":"SO"}"#)[0].starts_with("2: "));
}

#[test]
fn only_auto_attached_cdp_sessions_are_below_a_page() {
    let mut pair = Pair::with_page();
    pair.created("W", "worker", "CTX");
    pair.attached("S", "BELOW", "W");
    pair.asks_on("S", "Target.attachToTarget", r#"{"targetId":"W","flatten":true}"#);
    pair.attached("S", "ASKED", "W");
    let body = r#"{"requestId":"1"}"#;
    assert!(pair.asks_on("BELOW", "Network.getResponseBody", body)[0].starts_with("pass "));
    let [refused] = &pair.asks_on("ASKED", "Network.getResponseBody", body)[..] else { panic!("one answer") };
    assert!(refused.contains("refused on a worker that may have ended"), "{refused}");
}

#[test]
fn cdp_sessions_and_roots_are_limited() {
    let mut pair = Pair::with_page();
    pair.session.limit(CdpSessionLimits { all: 5, roots: 2, ..CdpSessionLimits::default() });
    let attach = r#"{"targetId":"P","flatten":true}"#;
    // Pending attaches count: a client may send many before the first reply.
    assert!(pair.asks_on("ROOT", "Target.attachToBrowserTarget", "{}")[0].starts_with("call "));
    let got = pair.asks_on("ROOT", "Target.attachToBrowserTarget", "{}");
    assert!(
        got.len() == 1 && got[0].contains("2 CDP sessions on the browser, which is all that max_roots allows"),
        "{got:?}"
    );
    assert!(pair.asks_on("ROOT", "Target.attachToTarget", attach)[0].starts_with("call "));
    // The target and its tab might both be attached.
    let auto = r#"{"autoAttach":true,"waitForDebuggerOnStart":false,"flatten":true}"#;
    let got = pair.asks_on("ROOT", "Target.setAutoAttach", auto);
    assert!(got.len() == 1 && got[0].contains("max_cdp_sessions allows 5"), "{got:?}");
    assert!(pair.asks_on("ROOT", "Target.attachToTarget", attach)[0].starts_with("call "));
    let got = pair.asks_on("ROOT", "Target.attachToTarget", attach);
    assert!(got.len() == 1 && got[0].contains("max_cdp_sessions allows 5; detach from some first"), "{got:?}");
    // Auto-attach that is on already has attached to what there is.
    pair.session.limit(CdpSessionLimits { all: 7, roots: 2, ..CdpSessionLimits::default() });
    assert!(pair.asks_on("ROOT", "Target.setAutoAttach", auto)[0].starts_with("auto"));
    pair.session.limit(CdpSessionLimits { all: 5, roots: 2, ..CdpSessionLimits::default() });
    assert!(pair.asks_on("ROOT", "Target.setAutoAttach", auto)[0].starts_with("auto"));
    // An attach that was answered with an error does not count any more.
    pair.error(-32000, "no");
    assert!(pair.asks_on("ROOT", "Target.attachToTarget", attach)[0].starts_with("call "));
}

#[test]
fn auto_attached_cdp_sessions_above_the_limit_are_detached() {
    let mut pair = Pair::with_page();
    pair.session.limit(CdpSessionLimits { all: 2, roots: 2, ..CdpSessionLimits::default() });
    assert_eq!(pair.attached("S", "W", "P"), ["detach W"]);
}
