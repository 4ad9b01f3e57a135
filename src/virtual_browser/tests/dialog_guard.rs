use super::*;

const ATTACH: &str = r#"call BASE Target.attachToTarget {"targetId":"P","flatten":true}"#;
const FETCH_OFF: &str = "call S Fetch.disable {}";
const DISMISS: &str = r#"call K Page.handleJavaScriptDialog {"accept":false}"#;

/// A page whose client has gone, and whose dialog guard `K` is there.
fn kept() -> Pair {
    let mut pair = Pair::with_page();
    pair.session.close_view(VIEW);
    assert_eq!(pair.actions(), [ATTACH]);
    let dismiss = r#"call S Page.handleJavaScriptDialog {"accept":false}"#;
    let got = pair.result(r#"{"sessionId":"K"}"#);
    // Only with the dialog guard there the client's own go: no dialog can open between the two.
    assert_eq!(got, ["call K Page.enable {}", FETCH_OFF, dismiss, "detach S", "detach ROOT"]);
    for _ in 0..5 {
        assert_eq!(pair.result("{}"), Vec::<String>::new());
    }
    pair
}

#[test]
fn pages_without_client_get_a_dialog_guard() {
    let mut pair = kept();
    assert_eq!(pair.message(r#"{"method":"Page.javascriptDialogOpening","params":{},"sessionId":"K"}"#), [DISMISS]);
    pair.result("{}");
    // Other events of a dialog guard are dropped.
    assert_eq!(pair.message(r#"{"method":"Page.loadEventFired","params":{},"sessionId":"K"}"#), Vec::<String>::new());
    // A page that opens now is kept too, and one that closes is forgotten.
    pair.created("T2", "tab", "CTX");
    let got = pair.created("P2", "page", "CTX");
    assert_eq!(got, [ATTACH.replace("\"P\"", "\"P2\"")]);
    pair.told(Told::Destroyed { target: "P2".into() });
    assert_eq!(pair.error(-32602, "No target with given id found"), Vec::<String>::new());
    pair.is_at_rest();
}

#[test]
fn dialog_guards_end_when_a_client_enables_the_page() {
    let mut pair = kept();
    pair.session.open_view(ViewId(2), "ROOT2".into(), true);
    assert_eq!(pair.created("P2", "page", "CTX"), Vec::<String>::new());
    pair.attached("ROOT2", "S2", "P");
    let says = |pair: &mut Pair, method: &str| {
        pair.view_says(ViewId(2), &format!(r#"{{"id":1,"method":"{method}","params":{{}},"sessionId":"S2"}}"#))
    };
    assert_eq!(says(&mut pair, "Runtime.enable").len(), 1);
    let got = says(&mut pair, "Page.enable");
    assert!(got.len() == 3 && got[0].starts_with("pass"), "{got:?}");
    assert_eq!(got[1..], [DISMISS, "detach K"]);
    // The client answers a dialog that opened before the guard was detached.
    let opening = r#"{"method":"Page.javascriptDialogOpening","params":{},"sessionId":"K"}"#;
    assert_eq!(pair.message(opening), Vec::<String>::new());
    assert_eq!(pair.detached("BASE", "K", "P", &[]), Vec::<String>::new());
    assert_eq!(says(&mut pair, "Page.enable").len(), 1);
}

#[test]
fn late_dialog_guards_are_detached() {
    let mut pair = Pair::with_page();
    pair.session.close_view(VIEW);
    pair.actions();
    pair.session.open_view(ViewId(2), "ROOT2".into(), true);
    pair.attached("ROOT2", "S2", "P");
    pair.view_says(ViewId(2), r#"{"id":1,"method":"Page.enable","params":{},"sessionId":"S2"}"#);
    let got = pair.result(r#"{"sessionId":"K"}"#);
    assert_eq!(got[0], "detach K");
    assert_eq!(got.last().map(String::as_str), Some("detach ROOT"));
}

#[test]
fn pages_of_other_clients_get_no_dialog_guard() {
    let mut pair = Pair::with_page();
    pair.session.open_view(ViewId(2), "ROOT2".into(), true);
    pair.attached("ROOT2", "S2", "P");
    pair.session.close_view(VIEW);
    let got = pair.actions();
    assert!(!got.contains(&ATTACH.to_owned()) && got.contains(&"detach ROOT".to_owned()), "{got:?}");
}

#[test]
fn dialog_guards_start_when_the_last_client_leaves() {
    let dismiss = r#"call S Page.handleJavaScriptDialog {"accept":false}"#;
    let mut pair = Pair::with_page();
    pair.session.open_view(ViewId(2), "ROOT2".into(), true);
    pair.session.close_view(VIEW);
    // Its interceptions and dialogs end too, because no other client is attached to the page.
    assert_eq!(pair.actions(), [FETCH_OFF, dismiss, "detach S", "detach ROOT"]);
    // A page socket looks after its page only.
    pair.created("P2", "page", "CTX");
    pair.session.open_view(ViewId(3), "ROOT3".into(), true);
    pair.session.set_page(ViewId(3), "PAGE".into(), &"P2".into());
    pair.actions();
    pair.session.close_view(ViewId(2));
    assert_eq!(pair.actions(), [ATTACH]);
    assert_eq!(pair.created("P3", "page", "CTX"), [ATTACH.replace("\"P\"", "\"P3\"")]);
    pair.session.open_view(ViewId(4), "ROOT4".into(), true);
    assert_eq!(pair.created("P4", "page", "CTX"), Vec::<String>::new());
}

/// The view of HTTP calls does not see dialogs, so pages keep their guards.
#[test]
fn rpc_views_do_not_remove_dialog_guards() {
    let mut pair = kept();
    pair.session.open_view(ViewId(9), "CALLS".into(), false);
    assert_eq!(pair.created("P2", "page", "CTX"), [ATTACH.replace("\"P\"", "\"P2\"")]);
    // A client that comes and goes again leaves them to the guards, too.
    pair.session.open_view(ViewId(2), "ROOT2".into(), true);
    pair.session.close_view(ViewId(2));
    pair.actions();
    assert!(pair.created("P3", "page", "CTX").contains(&ATTACH.replace("\"P\"", "\"P3\"")));
}

#[test]
fn dialogs_that_another_client_may_answer_stay_open() {
    let mut pair = Pair::with_page();
    pair.session.open_view(ViewId(2), "ROOT2".into(), true);
    pair.attached("ROOT2", "S2", "P");
    pair.session.close_view(VIEW);
    assert_eq!(pair.actions(), [FETCH_OFF, "detach S", "detach ROOT"]);
}

#[test]
fn targets_that_start_while_their_client_leaves_are_resumed() {
    let mut pair = Pair::with_page();
    let wait = r#"{"autoAttach":true,"waitForDebuggerOnStart":true,"flatten":true}"#;
    pair.asks_on("S", "Target.setAutoAttach", wait);
    pair.created("W", "worker", "CTX");
    pair.attached("S", "SW", "W");
    pair.session.close_view(VIEW);
    assert_eq!(pair.actions(), [ATTACH]);
    // Already the dialog guard's coming takes a moment.
    pair.created("W2", "worker", "CTX");
    assert_eq!(pair.attached("S", "SW2", "W2"), ["resume SW2 children:false", "remind"]);
    let got = pair.result(r#"{"sessionId":"K"}"#);
    assert_eq!(got, ["call K Page.enable {}"]);
    let dismiss = r#"call S Page.handleJavaScriptDialog {"accept":false}"#;
    let ease = r#"call S Target.setAutoAttach {"autoAttach":true,"waitForDebuggerOnStart":false,"flatten":true}"#;
    assert_eq!(
        pair.result("{}"),
        [FETCH_OFF, dismiss, ease, "resume SW children:false", "remind", "remind"],
        "SW2 runs"
    );
    pair.created("W3", "worker", "CTX");
    assert_eq!(pair.attached("S", "SW3", "W3"), ["resume SW3 children:false", "remind"]);
    // Its CDP session on the page goes once all of that is answered.
    let answers = ["K", "Fetch", "dismiss", "ease", "SW"].map(|_| pair.result("{}"));
    assert!(answers.iter().all(Vec::is_empty), "{answers:?}");
    assert_eq!(pair.result("{}"), ["detach S", "detach ROOT"], "SW3 runs");
    // Targets that the proxy itself attaches are not resumed.
    assert_eq!(pair.attached("S", "SW4", "W3"), Vec::<String>::new());
}

#[test]
fn silent_pages_are_detached_after_a_time_limit() {
    let mut pair = Pair::with_page();
    pair.asks_on("S", "Target.setAutoAttach", r#"{"autoAttach":true,"waitForDebuggerOnStart":true,"flatten":true}"#);
    pair.session.close_view(VIEW);
    pair.actions();
    pair.result(r#"{"sessionId":"K"}"#);
    let reminder = pair.reminders.pop().expect("a reminder");
    pair.session.settle_leaving(reminder);
    assert_eq!(pair.actions(), ["detach S", "detach ROOT"]);
    pair.session.settle_leaving(reminder);
    assert_eq!(pair.actions(), Vec::<String>::new());
}

#[test]
fn dialogs_are_left_to_who_holds_them() {
    let mut pair = kept();
    let opening = r#"{"method":"Page.javascriptDialogOpening","params":{},"sessionId":"K"}"#;
    assert!(pair.session.hold_dialogs(&"P".into()) && pair.session.hold_dialogs(&"P".into()));
    assert_eq!(pair.message(opening), Vec::<String>::new());
    pair.session.release_dialogs(&"P".into());
    assert_eq!(pair.message(opening), Vec::<String>::new());
    // What is open then is dismissed.
    pair.session.release_dialogs(&"P".into());
    assert_eq!(pair.actions(), [DISMISS]);
    pair.result("{}");
    assert_eq!(pair.message(opening), [DISMISS]);
}

#[test]
fn dialogs_of_a_client_are_held_by_nobody_else() {
    let mut pair = Pair::with_page();
    assert!(pair.session.hold_dialogs(&"P".into()));
    pair.asks_on("S", "Page.enable", "{}");
    assert!(!pair.session.hold_dialogs(&"P".into()));
    assert!(pair.session.hold_dialogs(&"P2".into()));
    pair.session.close_view(VIEW);
    assert!(pair.session.hold_dialogs(&"P".into()));
}
