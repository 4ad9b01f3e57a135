//! Tests of a scope without a virtual browser.

use super::*;
use crate::cdp::target::Filter;

#[test]
fn foreign_messages_become_no_frames() {
    let mut scope = Scope::new("C".into(), "b".into());
    scope.sessions.announce("ROOT".into(), ViewId(1), Cdp::new(None, "b".into(), Kind::Browser, true));
    scope.sessions.set_home(ViewId(1), "ROOT".into());
    let text = Bytes::from_static(br#"{"id":1,"result":{},"sessionId":"STRANGER"}"#);
    scope.sessions.admit(&"STRANGER".into(), text, 19);
    scope.event(&"STRANGER".into(), "A.b", "{}");
    scope.reply(&"STRANGER".into(), CallId(1), "{}");
    scope.see(&"T".into(), r#"{"targetId":"T","type":"page","url":"","attached":false,"browserContextId":"OTHER"}"#);
    assert!(scope.targets.is_empty());
    assert_eq!(scope.sessions.poll_frames(), []);
}

#[test]
fn unchanged_target_infos_are_not_sent_again() {
    let mut scope = Scope::new("C".into(), "b".into());
    scope.sessions.announce("ROOT".into(), ViewId(1), Cdp::new(None, "b".into(), Kind::Browser, true));
    scope.sessions.set_home(ViewId(1), "ROOT".into());
    scope.discover(&"ROOT".into(), Some(Filter::default_of_chrome()));
    let info =
        |attached| format!(r#"{{"targetId":"T","type":"page","url":"","attached":{attached},"browserContextId":"C"}}"#);
    scope.see(&"T".into(), &info(false));
    assert_eq!(scope.sessions.poll_frames().len(), 1);
    // A watcher of the proxy's came: nothing the client could see.
    scope.see(&"T".into(), &info(true));
    assert_eq!(scope.sessions.poll_frames().len(), 0);
    scope.sessions.announce("S".into(), ViewId(1), Cdp::new(Some("ROOT".into()), "T".into(), Kind::Page, true));
    scope.mark_attached(&"T".into());
    let mut frames = scope.sessions.poll_frames();
    assert_eq!(frames.len(), 1);
    assert!(text(frames.remove(0).1).contains("targetInfoChanged"));
}
