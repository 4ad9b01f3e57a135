//! The documents agree with the types, and the rows of the table with each other.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    operations::{RestInput, Verb, all},
    *,
};

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

fn in_the_repository(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn the_documents_in_the_repository_are_made_from_these_types() {
    assert!(definition().as_deref() == Ok(DEFINITION), "fixtures/ghost.json is stale: make types");
    let declared = in_the_repository("types/ghost.d.ts");
    assert!(declarations().as_ref() == Ok(&declared), "types/ghost.d.ts is stale: make types");
    assert!(reference() == in_the_repository("docs/operations.md"), "docs/operations.md is stale: make types");
}

#[test]
fn every_row_of_the_table_is_complete_and_no_two_are_the_same() {
    let (mut names, mut endpoints) = (BTreeSet::new(), BTreeSet::new());
    for entry in all() {
        let name = entry.row.name;
        assert!(names.insert(name), "two operations are called {name}");
        assert!(entry.row.ghost.is_some() || entry.row.rest.is_some(), "no interface has {name}");
        let input = (entry.input)(&mut Schemas::default());
        assert!(!input.description().is_empty(), "{name} is not described");
        let members = input.schema["properties"].as_object().cloned().unwrap_or_default();
        for (member, schema) in &members {
            assert!(schema["description"].is_string(), "{member} of {name} is not described");
        }
        let Some(rest) = entry.row.rest else { continue };
        assert!(endpoints.insert((rest.path, format!("{:?}", rest.verb))), "two operations are at {}", rest.path);
        assert_eq!(rest.id.is_some(), rest.path.contains("{id}"), "{name}: the path, and the member that it gives");
        assert!(rest.id.is_none_or(|id| members.contains_key(id)), "{name} has no member {:?}", rest.id);
        let second = rest.second.map(|second| format!("{{{second}}}"));
        assert!(second.is_none_or(|second| rest.id.is_some() && rest.path.contains(&second)), "{name}: the path");
        assert!(
            rest.second.is_none_or(|second| members.contains_key(second)),
            "{name} has no member {:?}",
            rest.second
        );
        assert_eq!(rest.path.matches('{').count(), usize::from(rest.id.is_some()) + usize::from(rest.second.is_some()));
        let has_body = !matches!(rest.input, RestInput::Path | RestInput::Query);
        let may_have_body = matches!(rest.verb, Verb::Post | Verb::Put | Verb::Patch);
        assert!(!has_body || may_have_body, "{name}: the method, and the body");
        let others = members.keys().filter(|member| ![rest.id, rest.second].contains(&Some(member.as_str()))).count();
        let has_others = !matches!(rest.input, RestInput::Path | RestInput::Content);
        assert_eq!(others > 0, has_others, "{name}: the members, and where they are");
    }
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

/// A value of the type of a member.
fn sample(domain: &Domain, member: &Member) -> Value {
    if let Some(items) = &member.items {
        return json!([value_of(domain, items.reference.as_deref(), items.kind.as_deref())]);
    }
    value_of(domain, member.reference.as_deref(), member.kind.as_deref())
}

fn value_of(domain: &Domain, reference: Option<&str>, kind: Option<&str>) -> Value {
    match (reference, kind) {
        (Some("Metadata"), _) => json!({ "a": "b" }),
        (Some("Launch"), _) => json!({ "args": ["--lang=de"] }),
        // What `Setting` reads, whatever it sets.
        (Some(reference), _) if reference.ends_with("OrNull") => Value::Null,
        // One way to name an element is enough.
        (Some("Locator"), _) => json!({ "css": "a" }),
        (Some(reference), _) => {
            let kind = domain.type_of(reference).unwrap_or_else(|| panic!("no type {reference}"));
            match kind.variants.first() {
                Some(variant) => json!(variant),
                None if kind.kind == "object" => {
                    let members = kind.properties.iter().map(|member| (member.name.clone(), sample(domain, member)));
                    Value::Object(members.collect())
                }
                None => value_of(domain, None, Some(kind.kind.as_str())),
            }
        }
        (None, Some("number" | "integer")) => json!(5),
        (None, Some("boolean")) => json!(false),
        (None, Some("array")) => json!([]),
        (None, _) => json!("text"),
    }
}

#[test]
fn every_command_of_the_definition_is_read_with_all_its_parameters_and_no_other() {
    let domain = Domain::ghost();
    // These two are about the connection: the virtual browser reads them itself.
    let of_the_connection = ["enable", "disable"];
    for command in domain.commands.iter().filter(|command| !of_the_connection.contains(&&*command.name)) {
        let given = |members: &mut dyn Iterator<Item = &Member>| {
            Value::Object(members.map(|member| (member.name.clone(), sample(&domain, member))).collect())
        };
        let least = given(&mut command.parameters.iter().filter(|member| !member.optional));
        for params in [least, given(&mut command.parameters.iter())] {
            let read = Request::read(&command.name, &params.to_string());
            assert!(matches!(read, Some(Ok(_))), "{} {params}: {read:?}", command.name);
        }
        let read = Request::read(&command.name, r#"{"unheardOf":1}"#);
        assert!(matches!(read, Some(Err(_))), "{}: {read:?}", command.name);
    }
    assert_eq!(Request::read("unheardOf", "{}"), None);
    assert_eq!(Request::read("getPages", "{}"), None, "REST alone has it");
}

#[test]
fn a_snapshot_is_imported_from_one_document_and_no_more() {
    let read = |json: &str| read::<operations::ImportSnapshot>(json).and_then(operations::ImportSnapshot::divide);
    let state = read(r#"{"storageState":{ "cookies": [] },"name":"a"}"#);
    let label = Label { name: Some("a".into()), ..Label::default() };
    assert_eq!(state, Ok((Importing::StorageState(r#"{ "cookies": [] }"#.into()), label)));
    assert_eq!(read(r#"{"data":"x"}"#), Ok((Importing::Data("x".into()), Label::default())));
    for (wrong, named) in [("{}", "storageState"), (r#"{"storageState":{},"data":"x"}"#, "data")] {
        assert_eq!(read(wrong).map_err(|bad| bad.field), Err(named.to_owned()), "{wrong}");
    }
}

#[test]
fn the_text_of_a_token_is_shown_only_in_the_answer() {
    let token =
        IssuedToken { token: TokenText("gmx_secret".into()), tenant: "acme".into(), info: TokenInfo::default() };
    let reply = Reply::of::<operations::CreateToken>(&token);
    assert!(reply.output.contains(r#""token":"gmx_secret""#), "{}", reply.output);
    assert_eq!(reply.created.as_deref(), Some("/v1/tenants/acme/tokens/"));
    assert!(!format!("{token:?} {reply:?}").contains("gmx_"), "{token:?} {reply:?}");
}

#[test]
fn a_reply_is_bare_for_rest_and_a_member_for_the_domain_where_the_row_says_so() {
    let unreadable = Unreadable { id: "a".into(), reason: "b".into() };
    let sessions = Sessions { unreadable: vec![unreadable], ..Sessions::default() };
    let listed = Reply::of::<operations::ListSessions>(&sessions);
    assert_eq!(listed.output, r#"{"sessions":[],"unreadable":[{"id":"a","reason":"b"}]}"#);
    assert_eq!(listed.clone().into_result(), listed.output);
    let usage = Reply::of::<operations::GetUsage>(&Usage::default());
    assert!(usage.output.starts_with(r#"{"wallTime":0,"#), "{}", usage.output);
    assert_eq!(usage.clone().into_result(), format!(r#"{{"usage":{}}}"#, usage.output));
    assert_eq!(Reply::of::<operations::CloseSession>(&Nothing {}).into_result(), "{}");
}
