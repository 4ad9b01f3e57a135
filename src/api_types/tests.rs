//! The shapes and what is made from the definition agree with it, and with each other.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

#[test]
fn a_time_is_read_as_milliseconds_and_nothing_else_is() {
    let read = serde_json::from_str::<Millis>;
    assert_eq!(read("1500").ok(), Some(Millis(Duration::from_millis(1500))));
    assert_eq!(read("0").ok(), Some(Millis::default()));
    for wrong in ["-1", "1e300", "\"5\"", "null", "31622400001"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    assert_eq!(serde_json::to_string(&Millis(Duration::from_secs(2))).ok().as_deref(), Some("2000"));
}

fn session() -> Session {
    Session {
        id: "a".into(),
        state: SessionState::Active,
        web_socket_debugger_url: "ws://b/devtools/browser/a".into(),
        name: None,
        metadata: None,
        created_at: 1,
        timeout: Millis::default(),
        idle_timeout: Millis::default(),
        keep_alive: Millis::default(),
        hibernate_after: Millis::default(),
        autosave: Millis::default(),
        expires_at: None,
        expires_by: None,
        clients: 1,
        client_list: Vec::new(),
        browser: None,
    }
}

fn full_session() -> Session {
    Session {
        name: Some("c".into()),
        metadata: Some(Metadata::new()),
        expires_at: Some(2),
        expires_by: Some(Deadline::KeepAlive),
        client_list: vec![client(None)],
        browser: Some(0),
        ..session()
    }
}

fn client(target_id: Option<String>) -> Client {
    Client { id: 1, target_id, connected_at: 2, exclusive: false }
}

fn keys(value: &impl Serialize) -> BTreeSet<String> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members.into_iter().map(|(key, _)| key).collect(),
        other => panic!("no object: {other:?}"),
    }
}

fn names<'a>(members: impl IntoIterator<Item = &'a Member>) -> BTreeSet<String> {
    members.into_iter().map(|member| member.name.clone()).collect()
}

/// `least` and `most` are the shape with none and with all of what may be absent.
fn agrees(what: &str, members: &[Member], least: &impl Serialize, most: &impl Serialize) {
    assert_eq!(keys(most), names(members), "members of {what}");
    assert_eq!(keys(least), names(members.iter().filter(|member| !member.optional)), "mandatory members of {what}");
}

#[test]
fn every_shape_has_the_members_of_its_definition() {
    let domain = Domain::ghost();
    let of = |id: &str| &domain.type_of(id).unwrap_or_else(|| panic!("no {id}")).properties[..];
    agrees("Session", of("Session"), &session(), &full_session());
    agrees("Client", of("Client"), &client(None), &client(Some("T".into())));
    let usage =
        Usage { js_heap_used: Some(1), dom_nodes: Some(1), cpu_time: Some(Millis::default()), ..Usage::default() };
    agrees("Usage", of("Usage"), &Usage::default(), &usage);
    let unreadable = || Unreadable { id: "a".into(), reason: "b".into() };
    agrees("Unreadable", of("Unreadable"), &unreadable(), &unreadable());
    let sessions = |next: Option<String>| {
        let unreadable = next.iter().map(|_| unreadable()).collect();
        Sessions { sessions: vec![session()], unreadable, next }
    };
    let list = domain.command("listSessions").expect("listSessions");
    agrees("listSessions' answer", &list.returns, &sessions(None), &sessions(Some("n".into())));
}

fn snapshot() -> Snapshot {
    Snapshot {
        id: "s".into(),
        name: None,
        metadata: None,
        created_at: 1,
        expires_at: None,
        session_id: None,
        size: 1,
        stored_size: 1,
        parts: vec![SnapshotPart::Pages],
        cookies: 1,
        origins: 1,
        databases: 1,
        pages: 1,
        partial: false,
    }
}

#[test]
fn every_shape_of_snapshots_has_the_members_of_its_definition() {
    let domain = Domain::ghost();
    let of = |id: &str| &domain.type_of(id).unwrap_or_else(|| panic!("no {id}")).properties[..];
    let returns = |name: &str| &domain.command(name).unwrap_or_else(|| panic!("no {name}")).returns[..];
    let full = Snapshot {
        name: Some("n".into()),
        metadata: Some(Metadata::new()),
        expires_at: Some(2),
        session_id: Some("i".into()),
        ..snapshot()
    };
    agrees("Snapshot", of("Snapshot"), &snapshot(), &full);
    let omission = Omission { what: "w".into(), place: "p".into(), reason: "r".into() };
    agrees("Omission", of("Omission"), &omission, &omission);
    let report = SnapshotReport::default();
    agrees("SnapshotReport", of("SnapshotReport"), &report, &report);
    let saved = Saved { snapshot: snapshot(), report: report.clone() };
    agrees("saveSnapshot's answer", returns("saveSnapshot"), &saved, &saved);
    agrees("importSnapshot's answer", returns("importSnapshot"), &saved, &saved);
    let cloned = Cloned { sessions: vec![session()], report: report.clone() };
    agrees("cloneSession's answer", returns("cloneSession"), &cloned, &cloned);
    let page = |next: Option<String>| {
        let unreadable = next.iter().map(|_| Unreadable { id: "a".into(), reason: "b".into() }).collect();
        Snapshots { snapshots: vec![snapshot()], unreadable, next }
    };
    agrees("listSnapshots' answer", returns("listSnapshots"), &page(None), &page(Some("n".into())));
    let state = || serde_json::value::RawValue::from_string("{}".into()).ok();
    let exported = |full: bool| Exported {
        storage_state: state().filter(|_| full),
        data: full.then(String::new),
        report: report.clone(),
    };
    agrees("exportSnapshot's answer", returns("exportSnapshot"), &exported(false), &exported(true));
}

#[test]
fn every_parameter_is_read_by_its_shape_and_no_other() {
    let domain = Domain::ghost();
    let none = Some(Millis::default());
    let options = Options {
        name: Some("n".into()),
        metadata: Some(Metadata::new()),
        timeout: none,
        idle_timeout: none,
        keep_alive: none,
        hibernate_after: none,
        autosave: none,
    };
    for command in ["createSession", "updateSession"] {
        let parameters = &domain.command(command).expect("a command").parameters;
        // The id says which session and the snapshot how it begins, not what of it is given.
        let other = ["id", "snapshot", "pages"];
        let parameters: Vec<Member> =
            parameters.iter().filter(|member| !other.contains(&&*member.name)).cloned().collect();
        agrees(command, &parameters, &Options::default(), &options);
    }
    let wanted = Wanted {
        state: Some(SessionState::Active),
        name: Some("n".into()),
        metadata: Some(Metadata::new()),
        limit: Some(1),
        cursor: Some("c".into()),
    };
    let list = domain.command("listSessions").expect("listSessions");
    assert_eq!(keys(&wanted), names(&list.parameters));
    assert!(list.parameters.iter().all(|member| member.optional));
}

#[test]
fn every_variant_is_one_of_its_definition() {
    let domain = Domain::ghost();
    let agree = |id: &str, variants: Vec<Value>| {
        let defined = &domain.type_of(id).unwrap_or_else(|| panic!("no {id}")).variants;
        assert_eq!(variants, defined.iter().cloned().map(Value::String).collect::<Vec<_>>(), "{id}");
    };
    agree("SnapshotPart", {
        let all = [SnapshotPart::USUAL.as_slice(), &[SnapshotPart::FormFields]].concat();
        all.iter().map(|part| serde_json::to_value(part).expect("a word")).collect()
    });
    let modes = [RestoreMode::Replace, RestoreMode::Merge];
    agree("RestoreMode", modes.iter().map(|mode| serde_json::to_value(mode).expect("a word")).collect());
    let formats = [SnapshotFormat::Playwright, SnapshotFormat::Ghostmux];
    agree("SnapshotFormat", formats.iter().map(|format| serde_json::to_value(format).expect("a word")).collect());
    let states = [
        SessionState::Queued,
        SessionState::Active,
        SessionState::Parked,
        SessionState::Hibernated,
        SessionState::Closed,
    ];
    agree("SessionState", states.iter().map(|state| serde_json::to_value(state).expect("a word")).collect());
    let deadlines = [Deadline::Timeout, Deadline::IdleTimeout, Deadline::KeepAlive];
    agree("Deadline", deadlines.iter().map(|deadline| deadline.to_string().into()).collect());
}

#[test]
fn every_reference_of_the_definition_leads_somewhere() {
    let domain = Domain::ghost();
    let all = domain.types.iter().flat_map(|kind| &kind.properties);
    let all = all.chain(domain.commands.iter().flat_map(|command| command.parameters.iter().chain(&command.returns)));
    for member in all.chain(domain.events.iter().flat_map(|event| &event.parameters)) {
        let items = member.items.as_ref().and_then(|items| items.reference.as_ref());
        for id in member.reference.iter().chain(items) {
            assert!(domain.type_of(id).is_some(), "{}: no type {id}", member.name);
        }
        assert_ne!(member.reference.is_some(), member.kind.is_some(), "{}: a type, once", member.name);
    }
}

#[test]
fn chromes_protocol_keeps_its_own_words_and_gains_a_domain() {
    let chromes = r#"{ "version": {"major": "1"}, "domains": [ {"domain": "Page", "x": 1.50} ] }"#;
    let text = merged(chromes).expect("a protocol");
    assert!(text.contains(r#"{"domain": "Page", "x": 1.50}"#) && text.contains(r#"{"major": "1"}"#), "{text}");
    let read: Value = serde_json::from_str(&text).expect("JSON");
    let domains: Vec<_> = read["domains"].as_array().expect("domains").iter().map(|domain| &domain["domain"]).collect();
    assert_eq!(domains, ["Page", "ghost"]);
    assert!(merged(r#"{"domains": []}"#).is_some_and(|text| serde_json::from_str::<Value>(&text).is_ok()));
    for wrong in ["", "[]", "{}", r#"{"domains": 5}"#] {
        assert_eq!(merged(wrong), None, "{wrong}");
    }
}

#[test]
fn the_declarations_in_the_repository_are_these() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/types/ghost.d.ts");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == declarations(), "types/ghost.d.ts is stale: make types");
}

#[test]
fn every_command_of_the_definition_is_read_with_all_its_parameters_and_no_other() {
    let domain = Domain::ghost();
    // These two are about the connection: no service is asked for them, so `session::ghost` reads them itself.
    let of_the_connection = ["enable", "disable"];
    for command in domain.commands.iter().filter(|command| !of_the_connection.contains(&&*command.name)) {
        let sample = |member: &Member| match (member.name.as_str(), member.reference.as_deref()) {
            (_, Some("SessionState")) => json!("parked"),
            (_, Some("Metadata")) => json!({ "a": "b" }),
            ("limit" | "count", _) | (_, Some("Milliseconds")) => json!(5),
            ("pages", _) => json!(false),
            ("parts", _) => json!(["indexedDB", "formFields"]),
            (_, Some("RestoreMode")) => json!("merge"),
            (_, Some("SnapshotFormat")) => json!("ghostmux"),
            _ => json!("text"),
        };
        let given = |members: &mut dyn Iterator<Item = &Member>| {
            Value::Object(members.map(|member| (member.name.clone(), sample(member))).collect())
        };
        // Either of the two that an import is made of, and never both.
        let either = |but: &str| given(&mut command.parameters.iter().filter(|member| member.name != but));
        let least = match command.name.as_str() {
            "importSnapshot" => json!({ "data": "text" }),
            _ => given(&mut command.parameters.iter().filter(|member| !member.optional)),
        };
        for params in [least, either("data"), either("storageState")] {
            let read = Ask::read(&command.name, &params.to_string());
            assert!(matches!(read, Some(Ok(_))), "{} {params}: {read:?}", command.name);
        }
        let read = Ask::read(&command.name, r#"{"unheardOf":1}"#);
        assert!(matches!(read, Some(Err(_))), "{}: {read:?}", command.name);
    }
    assert_eq!(Ask::read("unheardOf", "{}"), None);
}
