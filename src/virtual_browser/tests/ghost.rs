use std::time::{Duration, Instant};

use super::*;
use crate::api_types::Deadline;

#[test]
fn ghost_commands_reach_the_service_and_results_the_client() {
    let mut pair = Pair::with_page();
    assert_eq!(pair.asks("ghost.getSession", "{}"), ["ghost 1: Session(GetSession(GetSession { id: None }))"]);
    assert_eq!(pair.result(r#"{"session":{}}"#), [r#"1: {"id":1,"result":{"session":{}}}"#]);
    assert_eq!(
        pair.asks("ghost.closeSession", r#"{"id":"x"}"#),
        [r#"ghost 1: Session(CloseSession(CloseSession { id: Some("x") }))"#]
    );
    assert_eq!(pair.error(-32000, "no such session x"), [failed(1, -32000, "no such session x")]);
    pair.is_at_rest();
}

#[test]
fn unreadable_ghost_commands_are_refused() {
    let mut pair = Pair::with_page();
    for (method, params, named) in [
        ("ghost.getSession", r#"{"colour":1}"#, "colour"),
        ("ghost.updateSession", r#"{"timeout":-5}"#, "timeout"),
        ("ghost.enable", r#"{"expiringNotice":"soon"}"#, "expiringNotice"),
        ("ghost.disable", r#"{"id":1}"#, "id"),
    ] {
        let got = pair.asks(method, params);
        let is_named = got[0].contains("-32602") && got[0].contains(named);
        assert!(got.len() == 1 && is_named, "{method} {params}: {got:?}");
    }
    assert_eq!(pair.asks("ghost.sing", "{}"), [failed(1, -32601, "'ghost.sing' wasn't found")]);
    // On a page there is no such domain.
    let got = pair.asks_on("S", "ghost.getSession", "{}");
    assert!(
        got.len() == 1 && got[0].contains("-32601") && got[0].contains("'ghost.getSession' wasn't found"),
        "{got:?}"
    );
    assert!(!pair.session.ghost_is_on());
    pair.is_at_rest();
}

#[test]
fn ghost_commands_work_on_roots_only() {
    let mut pair = Pair::with_page();
    for command in crate::api_types::Domain::ghost().commands {
        let method = format!("ghost.{}", command.name);
        // A member that no command has: it is known, and cannot be read.
        let got = pair.asks(&method, r#"{"unheardOf":1}"#);
        assert!(got.len() == 1 && got[0].contains("-32602"), "{method}: {got:?}");
        let got = pair.asks_on("S", &method, "{}");
        assert!(got.len() == 1 && got[0].contains("-32601"), "{method} on a page: {got:?}");
    }
    pair.is_at_rest();
}

#[test]
fn expiry_events_are_sent_once_for_each_deadline() {
    let mut pair = Pair::new();
    let now = Instant::now();
    let end = |seconds| Some((now + Duration::from_secs(seconds), Deadline::Timeout));
    assert_eq!(pair.session.next_ghost_notice(end(60)), None);
    assert_eq!(pair.asks("ghost.enable", r#"{"expiringNotice":10000}"#), [r#"1: {"id":1,"result":{}}"#]);
    assert_eq!(pair.session.next_ghost_notice(end(60)), Some(now + Duration::from_secs(50)));
    pair.session.on_ghost_time(now + Duration::from_secs(49), end(60));
    assert_eq!(pair.actions(), Vec::<String>::new());
    pair.session.on_ghost_time(now + Duration::from_secs(50), end(60));
    let expiring = r#"1: {"method":"ghost.sessionExpiring","params":{"deadline":"timeout","remaining":10000}}"#;
    assert_eq!(pair.actions(), [expiring]);
    assert_eq!(pair.session.next_ghost_notice(end(60)), None);
    // Moved, it is another end.
    assert_eq!(pair.session.next_ghost_notice(end(90)), Some(now + Duration::from_secs(80)));

    pair.session.tell_ghost(ViewId(2), "clientAttached", "{}");
    assert_eq!(pair.actions(), Vec::<String>::new());
    pair.session.tell_ghost(VIEW, "clientAttached", "{}");
    assert_eq!(pair.actions(), [r#"1: {"method":"ghost.clientAttached","params":{}}"#]);
    pair.asks("ghost.disable", "{}");
    pair.session.tell_ghost(VIEW, "clientAttached", "{}");
    assert_eq!(pair.actions(), Vec::<String>::new());
}
