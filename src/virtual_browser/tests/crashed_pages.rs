use super::*;

fn evaluate(id: i32) -> String {
    format!(r#"{{"id":{id},"method":"Runtime.evaluate","params":{{"expression":"1"}},"sessionId":"S"}}"#)
}

fn target_crashed(id: i32) -> String {
    format!(r#"1: {{"id":{id},"error":{{"code":-32000,"message":"Target crashed"}},"sessionId":"S"}}"#)
}

fn crashed(pair: &mut Pair) -> Vec<String> {
    pair.told(Told::Crashed { target: "P".into(), params: "{}".to_owned() })
}

#[test]
fn commands_for_a_crashed_page_wait_until_it_has_navigated() {
    let mut pair = Pair::with_page();
    assert_eq!(pair.says(&evaluate(1)).len(), 1);
    crashed(&mut pair);
    for (id, method) in
        [(2, "Runtime.evaluate"), (3, "DOM.setOuterHTML"), (4, "Page.setDocumentContent"), (5, "New.method")]
    {
        let text = format!(r#"{{"id":{id},"method":"{method}","params":{{}},"sessionId":"S"}}"#);
        assert_eq!(pair.says(&text), [""; 0], "{method}");
    }
    let navigate = r#"{"id":6,"method":"Page.navigate","params":{"url":"about:blank"},"sessionId":"S"}"#;
    assert_eq!(pair.says(navigate), [format!("pass {navigate}")]);
    for method in ["Page.stopLoading", "Page.reload", "Network.enable", "Runtime.runIfWaitingForDebugger"] {
        let text = format!(r#"{{"id":7,"method":"{method}","params":{{}},"sessionId":"S"}}"#);
        assert_eq!(pair.says(&text).len(), 1, "{method}");
    }
    // Another page is not concerned.
    pair.created("Q", "page", "CTX");
    pair.attached("ROOT", "R", "Q");
    assert_eq!(pair.asks_on("R", "Runtime.evaluate", "{}").len(), 1);
    let sent = pair.changed("P", &info("P", "page", "CTX"));
    let methods = ["Runtime.evaluate", "DOM.setOuterHTML", "Page.setDocumentContent"];
    assert!(methods.iter().all(|method| sent.iter().any(|sent| sent.starts_with("pass") && sent.contains(method))));
    assert!(sent.iter().any(|frame| frame.contains(r#""id":5,"error""#)), "refused as ever: {sent:?}");
    assert_eq!(pair.says(&evaluate(8)), [format!("pass {}", evaluate(8))]);
}

#[test]
fn waiting_commands_fail_when_their_page_crashes_again_or_ends() {
    let mut pair = Pair::with_page();
    let crash = r#"{"id":1,"method":"Page.crash","params":{},"sessionId":"S"}"#;
    assert_eq!(pair.says(crash), [format!("pass {crash}")]);
    // It is about to crash: what comes now would be answered like that by Chrome.
    assert_eq!(pair.says(&evaluate(2)), [""; 0]);
    assert_eq!(crashed(&mut pair), [target_crashed(2)]);
    assert_eq!(pair.says(&evaluate(3)), [""; 0]);
    assert_eq!(crashed(&mut pair), [target_crashed(3)]);
    assert_eq!(pair.says(&evaluate(4)), [""; 0]);
    assert_eq!(pair.told(Told::Destroyed { target: "P".into() }), [target_crashed(4)]);
    assert!(pair.session.crashed_pages.is_empty());
}

#[test]
fn waiting_commands_are_answered_once_when_their_cdp_session_ends() {
    let mut pair = Pair::with_page();
    crashed(&mut pair);
    pair.says(&evaluate(1));
    let ended = pair.detached("ROOT", "S", "P", &[]);
    assert!(ended.iter().any(|frame| frame.contains(r#""id":1,"error""#)), "{ended:?}");
    let sent = pair.changed("P", &info("P", "page", "CTX"));
    assert!(!sent.iter().any(|sent| sent.contains("Runtime.evaluate")), "{sent:?}");
}

#[test]
fn number_and_size_of_waiting_commands_are_limited() {
    let mut pair = Pair::with_page();
    crashed(&mut pair);
    for id in 0..256 {
        assert_eq!(pair.says(&evaluate(id)), [""; 0]);
    }
    assert_eq!(pair.says(&evaluate(256)), [target_crashed(256)]);
    assert_eq!(crashed(&mut pair).len(), 256);
    let large = "x".repeat(600 << 10);
    let say = |id: i32| {
        format!(r#"{{"id":{id},"method":"Runtime.evaluate","params":{{"expression":"{large}"}},"sessionId":"S"}}"#)
    };
    assert_eq!(pair.says(&say(1)), [""; 0]);
    assert_eq!(pair.says(&say(2)), [target_crashed(2)]);
    assert_eq!(pair.says(&evaluate(3)), [""; 0]);
    pair.session.limit(CdpSessionLimits { held: (2, 1 << 30), ..CdpSessionLimits::default() });
    assert_eq!(pair.says(&evaluate(4)), [target_crashed(4)], "a limit is a setting");
}

#[test]
fn commands_are_sent_to_crashed_pages_of_a_browser_of_ones_own() {
    let mut pair = Pair::with_page_and(Capabilities::all());
    crashed(&mut pair);
    assert_eq!(pair.says(&evaluate(1)).len(), 1);
}
