//! Tests of frames: their view, their ids in both directions, and errors.

use super::*;

#[test]
fn page_level_commands_are_sent_unchanged() {
    let mut pair = Pair::with_page();
    let frame = r#" {"sessionId":"S", "id" :7,"method":"Runtime.\u0065valuate","params":{"expression":"\ud800"}}"#;
    assert_eq!(pair.says(frame), [format!("pass {frame}")]);
    let reply = r#"{"id":7,"result":{"a":"\ud800"},"sessionId":"S"}"#;
    assert_eq!(pair.message(reply), [format!("1: {reply}")]);
    // A reply to nothing that was asked, and a second one, is dropped.
    assert_eq!(pair.message(reply), Vec::<String>::new());
    assert_eq!(pair.message(r#"{"id":8,"result":{},"sessionId":"S"}"#), Vec::<String>::new());
    let event = r#"{"method":"Page.loadEventFired","params":{"timestamp":1},"sessionId":"S"}"#;
    assert_eq!(pair.message(event), [format!("1: {event}")]);
    assert_eq!(pair.message(&event.replace("\"S\"", "\"X\"")), Vec::<String>::new());
    pair.is_at_rest();
}

#[test]
fn negative_ids_are_replaced() {
    let mut pair = Pair::with_page();
    let got = pair.says(r#"{"id":-7,"method":"Runtime.evaluate","params":{},"sessionId":"S"}"#);
    assert_eq!(got, ["call S Runtime.evaluate {}"]);
    assert_eq!(pair.result("{}"), [r#"1: {"id":-7,"result":{},"sessionId":"S"}"#]);
    let got = pair.says(r#"{"id":-7,"method":"Page.navigate","params":{"url":"http://x/"},"sessionId":"S"}"#);
    assert_eq!(got, [r#"call S Page.navigate {"url":"http://x/"}"#]);
    assert_eq!(
        pair.error(-32000, "Nope"),
        [r#"1: {"id":-7,"error":{"code":-32000,"message":"Nope"},"sessionId":"S"}"#]
    );
    let got = pair.says(r#"{"id":-7,"method":"Runtime.runIfWaitingForDebugger","sessionId":"S"}"#);
    assert_eq!(got, ["resume S children:false"]);
    assert_eq!(pair.result("{}"), [r#"1: {"id":-7,"result":{},"sessionId":"S"}"#]);
    pair.is_at_rest();
}

#[test]
fn roots_get_no_events_of_chrome() {
    let mut pair = Pair::new();
    for event in
        ["Target.targetCreated", "Target.attachedToTarget", "Browser.downloadWillBegin", "Tracing.dataCollected"]
    {
        let event = format!(r#"{{"method":"{event}","params":{{}},"sessionId":"ROOT"}}"#);
        assert_eq!(pair.message(&event), Vec::<String>::new());
    }
    assert_eq!(pair.message(r#"{"id":1,"result":{},"sessionId":"ROOT"}"#), Vec::<String>::new());
    assert_eq!(pair.message(r#"{"id":1,"result":{},"sessionId":"BASE"}"#), Vec::<String>::new());
    assert_eq!(pair.asks("Runtime.runIfWaitingForDebugger", "{}"), [r#"1: {"id":1,"result":{}}"#]);
}

#[test]
fn page_socket_commands_need_no_session_id() {
    let mut pair = Pair::with_page();
    let view = ViewId(2);
    // Announced before its view is open: no client gets an event.
    assert_eq!(pair.attached("PAGEROOT", "HOME", "P"), Vec::<String>::new());
    pair.session.open_view(view, "PAGEROOT".into(), true);
    pair.session.set_page(view, "HOME".into(), &"P".into());
    let got = pair.view_says(view, r#"{"id":3,"method":"Runtime.evaluate","params":{"expression":"1"}}"#);
    assert_eq!(got, [r#"pass {"id":3,"method":"Runtime.evaluate","params":{"expression":"1"},"sessionId":"HOME"}"#]);
    assert_eq!(pair.message(r#"{"id":3,"result":{"a":{}},"sessionId":"HOME"}"#), [r#"2: {"id":3,"result":{"a":{}}}"#]);
    assert_eq!(
        pair.message(r#"{"method":"A.b","params":{},"sessionId":"HOME"}"#),
        [r#"2: {"method":"A.b","params":{}}"#]
    );
    let got = pair.view_says(view, r#"{"id":4,"method":"Runtime.runIfWaitingForDebugger"}"#);
    let up = r#"{"id":4,"method":"Runtime.runIfWaitingForDebugger","params":{},"sessionId":"HOME"}"#;
    assert_eq!(got, [format!("resume HOME children:false {up}")]);
    // The rules for pages apply.
    assert!(pair.view_says(view, r#"{"id":5,"method":"Browser.crash"}"#)[0].contains("is refused"));
    let got = pair.view_says(view, r#"{"id":5,"method":"Target.getBrowserContexts"}"#);
    assert_eq!(got, [r#"2: {"id":5,"error":{"code":-32000,"message":"Not allowed"}}"#]);
    // Of the root below it, its client never hears.
    pair.view_says(view, r#"{"id":5,"method":"Target.attachToTarget","params":{"targetId":"browser","flatten":true}}"#);
    let info = r#"{"targetId":"real","type":"browser","url":""}"#.to_owned();
    let (parent, child, target) = ("PAGEROOT".into(), "ROOT2".into(), "real".into());
    let attached = pair.told(Told::Attached { parent, child, target, info, waiting: false });
    assert_eq!(attached, Vec::<String>::new());
    assert_eq!(pair.result(r#"{"sessionId":"ROOT2"}"#), [r#"2: {"id":5,"result":{"sessionId":"ROOT2"}}"#]);
    // Its children are named.
    pair.created("W", "worker", "CTX");
    let got = pair.attached("HOME", "HW", "W");
    assert!(got[0].starts_with(r#"2: {"method":"Target.attachedToTarget","#) && got[0].ends_with("}}"), "{got:?}");
    let child = r#"{"id":6,"method":"Runtime.enable","params":{},"sessionId":"HW"}"#;
    assert_eq!(pair.view_says(view, child), [format!("pass {child}")]);
    assert_eq!(
        pair.message(r#"{"id":6,"result":{},"sessionId":"HW"}"#),
        [r#"2: {"id":6,"result":{},"sessionId":"HW"}"#]
    );
    // With its page the socket closes.
    pair.view_says(view, r#"{"id":7,"method":"Runtime.evaluate","params":{"expression":"1"}}"#);
    let got = pair.detached("PAGEROOT", "HOME", "P", &["HW"]);
    let gone =
        |id| format!(r#"2: {{"id":{id},"error":{{"code":-32001,"message":"Session with given id not found."}}}}"#);
    assert_eq!(got, [gone(4), gone(7), "close 2: the page is gone".to_owned()]);
}

#[test]
fn page_sockets_of_workers_and_unknown_targets() {
    let mut pair = Pair::new();
    pair.created("W", "worker", "CTX");
    pair.session.open_view(ViewId(2), "R2".into(), true);
    pair.session.set_page(ViewId(2), "HOME".into(), &"W".into());
    let got = pair.view_says(ViewId(2), r#"{"id":1,"method":"Network.setCookies","params":{"cookies":[]}}"#);
    assert!(got[0].contains("is refused on a worker"), "{got:?}");
    // A view that is not there.
    pair.session.set_page(ViewId(9), "H9".into(), &"W".into());
    assert!(!pair.session.scope.sessions.contains_key(&"H9".into()));
}

#[test]
fn closed_views_get_no_frames() {
    let mut pair = Pair::with_page();
    pair.session.on_client(VIEW, Bytes::from_static(br#"{"id":1,"method":"Browser.getVersion"}"#));
    pair.session.close_view(VIEW);
    let got = pair.actions();
    assert!(got.iter().all(|action| action.starts_with("call BASE")), "{got:?}");
}

#[test]
fn unreadable_frames_are_answered_and_counted() {
    let mut pair = Pair::with_page();
    for (frame, words) in [
        ("{", "-32700"),
        ("[]", "-32600"),
        (r#"{"id":1}"#, "-32600"),
        (r#"{"id":1,"method":"A.b","params":{"a":1,"a":2}}"#, "duplicate map key"),
        (r#"{"id":1,"method":"A.b","params":{"\u0061":1,"a":2}}"#, "duplicate map key"),
        (r#"{"id":1,"method":"A.b","x":1}"#, "-32600"),
    ] {
        let got = pair.says(frame);
        assert!(got.len() == 1 && got[0].starts_with("1: {") && got[0].contains(words), "{frame}: {got:?}");
    }
    pair.session.on_too_large(VIEW, 20, 10);
    let words = "Message of 20 bytes is above max_client_frame, which is 10 bytes";
    assert_eq!(pair.actions(), [format!(r#"1: {{"error":{{"code":-32600,"message":"{words}"}}}}"#)]);
    assert_eq!(pair.session.malformed, 7);
    assert_eq!(pair.session.refused, 0);
    pair.asks("Browser.crash", "{}");
    assert_eq!(pair.session.refused, 1);
}

#[test]
fn unsent_frames_are_answered_once() {
    let mut pair = Pair::with_page();
    let error = CdpError::new(-32600, "too large");
    for frame in [
        r#"{"id":7,"method":"Runtime.evaluate","params":{},"sessionId":"S"}"#,
        r#"{"sessionId":"S","params":{"url":"http://x/"},"method":"Page.navigate","id":7}"#,
    ] {
        let up = pair.says(frame)[0].strip_prefix("pass ").expect("it passes").to_owned();
        pair.session.on_unsent(up.clone().into(), &error);
        let answer = r#"1: {"id":7,"error":{"code":-32600,"message":"too large"},"sessionId":"S"}"#;
        assert_eq!(pair.actions(), [answer]);
        pair.session.on_unsent(up.into(), &error);
        assert_eq!(pair.actions(), Vec::<String>::new());
        pair.is_at_rest();
    }
    // A resume has no params, whatever its sender wrote.
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(1000));
    let got = pair.asks_on("S", "Runtime.runIfWaitingForDebugger", &long);
    assert!(got[0].ends_with(r#""method":"Runtime.runIfWaitingForDebugger","params":{},"sessionId":"S"}"#), "{got:?}");
}

#[test]
fn rewritten_arguments_are_sent() {
    let mut pair = Pair::with_page();
    let got = pair.asks_on("S", "Page.navigate", r#"{"url":"http://x/","transitionType":"address_bar"}"#);
    assert_eq!(got, [r#"pass {"id":1,"method":"Page.navigate","params":{"url":"http://x/"},"sessionId":"S"}"#]);
}
