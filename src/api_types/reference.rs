//! `docs/operations.md`: every operation and event, for people. PURE.

use std::fmt::Write as _;

use serde_json::Value;

use super::{
    Schemas,
    events::EVENTS,
    operations::{CommandResult, OF_THE_CONNECTION, Verb, all},
};

const HEAD: &str = "\
# Operations

<!-- Written by `make types` from the Rust types in src/api_types/, which are what to change. -->

Every operation, as the `ghost` domain and REST have it. [api.md](api.md) says how they are used;
[ghost.json](../fixtures/ghost.json) and [openapi.json](../fixtures/openapi.json) describe every
member. `?` marks what may be absent. In REST the `id` of a session, or the `snapshot`, `browser`,
`tenant` or `token`, is part of the path; where a command answers one member, REST answers what that
member holds.

| command | REST | takes | answers | does |
|---|---|---|---|---|
";

const EVENTS_HEAD: &str = "
## Events

| event | members | when |
|---|---|---|
";

/// The whole page.
pub fn reference() -> String {
    let mut schemas = Schemas::default();
    let mut page = HEAD.to_owned();
    for (name, input) in OF_THE_CONNECTION {
        let input = input(&mut schemas);
        let _ = writeln!(page, "| `ghost.{name}` |  | {} |  | {} |", members(&input.schema), input.description());
    }
    for entry in all() {
        let (row, input, output) = (entry.row, (entry.input)(&mut schemas), (entry.output)(&mut schemas));
        let command = row.ghost.map_or_else(String::new, |_| format!("`ghost.{}`", row.name));
        let rest = row.rest.map_or_else(String::new, |rest| format!("`{} {}`", verb(rest.verb), rest.path));
        let answers = match row.ghost {
            Some(CommandResult::Member(name)) => format!("`{name}`"),
            Some(CommandResult::Output) | None => members(&output.schema),
        };
        let _ =
            writeln!(page, "| {command} | {rest} | {} | {answers} | {} |", members(&input.schema), input.description());
    }
    page.push_str(EVENTS_HEAD);
    for event in EVENTS {
        let params = (event.params)(&mut schemas);
        let _ = writeln!(page, "| `ghost.{}` | {} | {} |", event.name, members(&params.schema), params.description());
    }
    page
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "GET",
        Verb::Post => "POST",
        Verb::Put => "PUT",
        Verb::Patch => "PATCH",
        Verb::Delete => "DELETE",
    }
}

fn members(schema: &Value) -> String {
    let required: Vec<&Value> = schema["required"].as_array().into_iter().flatten().collect();
    let members = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| {
        let may = if required.iter().any(|required| *required == name) { "" } else { "?" };
        format!("`{name}{may}`")
    });
    members.collect::<Vec<_>>().join(", ")
}
