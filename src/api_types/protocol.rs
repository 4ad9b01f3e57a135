//! `fixtures/ghost.json`: the `ghost` domain in the protocol's own JSON format, made from the types. PURE.
//!
//! The format has structs, enums of words, arrays, maps of strings, and references. Other types cannot be inputs or
//! outputs of the domain.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Schemas,
    definition::{Command, Domain, Event, Items, Member, Type},
    events::EVENTS,
    launch::ANY,
    operations::{CommandResult, OF_THE_CONNECTION, all},
    schemas::{DEFINITIONS, Shape},
    typescript,
};

/// What the `ghost` domain is for, and the sessions that REST shows.
pub const ABOUT: &str = "Sessions that outlive their socket. A session is what a client gets from ghostmux: a virtual \
                     browser with an id, an owner, a state and deadlines. Sockets connect to it and leave it. The \
                     domain is answered on any root connection (a frame without `sessionId`, or on a CDP session of \
                     `Target.attachToBrowserTarget`).";

/// The whole file. The error names the type or member that the format cannot express.
pub fn definition() -> Result<String, String> {
    Ok(text(&domain()?))
}

/// `types/ghost.d.ts`, from the same types. The error is that of [`definition`].
pub fn declarations() -> Result<String, String> {
    Ok(typescript::of_domain(&domain()?))
}

fn domain() -> Result<Domain, String> {
    let mut schemas = Schemas::default();
    let mut named = Vec::new();
    let mut commands = Vec::new();
    for (name, input) in OF_THE_CONNECTION {
        let input = input(&mut schemas);
        let parameters = members(name, &input.schema)?;
        let description = input.description().to_owned();
        commands.push(Command { name: name.to_owned(), description, parameters, returns: Vec::new() });
    }
    for entry in all() {
        let Some(result) = entry.row.ghost else { continue };
        let (name, input, output) = (entry.row.name, (entry.input)(&mut schemas), (entry.output)(&mut schemas));
        let returns = match result {
            CommandResult::Output => members(name, &output.schema)?,
            CommandResult::Member(member) => vec![self::member(member, &output.reference(), false)?],
        };
        let parameters = members(name, &input.schema)?;
        let description = input.description().to_owned();
        commands.push(Command { name: name.to_owned(), description, parameters, returns });
        if result != CommandResult::Output {
            named.push(output);
        }
    }
    let mut events = Vec::new();
    for event in EVENTS {
        let params = (event.params)(&mut schemas);
        let (name, description) = (event.name.to_owned(), params.description().to_owned());
        events.push(Event { name, description, parameters: members(event.name, &params.schema)? });
    }
    let mut types = schemas.definitions();
    for Shape { name, schema } in named {
        types.entry(name).or_insert(schema);
    }
    let types = types.iter().map(|(name, schema)| type_of(name, schema)).collect::<Result<_, _>>()?;
    Ok(Domain { domain: "ghost".to_owned(), description: ABOUT.to_owned(), types, commands, events })
}

fn type_of(id: &str, schema: &Value) -> Result<Type, String> {
    let texts = json!({ "type": "string" });
    let is_any = schema["$comment"] == ANY;
    let is_struct = schema.get("properties").is_some() && !is_any;
    let kind = match (schema["type"].as_str(), schema.get("additionalProperties")) {
        (Some(kind @ ("string" | "number")), _) => kind,
        (Some("object"), _) if is_struct => "object",
        (Some("object"), Some(values)) if *values == texts => "object",
        // What another program defines.
        (Some("object"), None) => "any",
        (Some("object") | None, _) if is_any => "any",
        _ => return Err(format!("the protocol's format cannot express {id}: {schema}")),
    };
    let variants = schema["enum"].as_array().into_iter().flatten();
    Ok(Type {
        id: id.to_owned(),
        description: schema["description"].as_str().unwrap_or_default().to_owned(),
        kind: kind.to_owned(),
        variants: variants.filter_map(Value::as_str).map(str::to_owned).collect(),
        properties: if is_struct { members(id, schema)? } else { Vec::new() },
    })
}

fn members(of: &str, schema: &Value) -> Result<Vec<Member>, String> {
    if schema["type"] != "object" || schema["additionalProperties"].is_object() {
        return Err(format!("{of} is no struct: {schema}"));
    }
    let required: Vec<&Value> = schema["required"].as_array().into_iter().flatten().collect();
    let is_optional = |name: &str| !required.iter().any(|required| *required == name);
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.map(|(name, schema)| member(name, schema, is_optional(name))).collect()
}

fn member(name: &str, schema: &Value, optional: bool) -> Result<Member, String> {
    let (reference, kind) = named(name, schema)?;
    let items = schema.get("items").map(|items| named(name, items)).transpose()?;
    Ok(Member {
        name: name.to_owned(),
        description: schema["description"].as_str().map(str::to_owned),
        optional,
        reference,
        kind,
        items: items.map(|(reference, kind)| Items { reference, kind }),
    })
}

/// The type that a schema refers to, or the plain type that it is.
fn named(name: &str, schema: &Value) -> Result<(Option<String>, Option<String>), String> {
    if let Some(reference) = schema["$ref"].as_str().and_then(|path| path.strip_prefix(DEFINITIONS)) {
        return Ok((Some(reference.to_owned()), None));
    }
    match schema["type"].as_str() {
        Some(kind @ ("string" | "number" | "integer" | "boolean" | "array")) => Ok((None, Some(kind.to_owned()))),
        _ => Err(format!("the protocol's format cannot express the member {name}: {schema}")),
    }
}

/// Writes one member per line, because people read the file.
fn text(domain: &Domain) -> String {
    let mut file = "{\n".to_owned();
    let _ = writeln!(file, "    \"domain\": {},", json(&domain.domain));
    let _ = writeln!(file, "    \"description\": {},", json(&domain.description));
    let types = domain.types.iter().map(|kind| {
        let Type { id, description, kind, variants, properties } = kind;
        let mut head = vec![("id", json(id)), ("description", json(description)), ("type", json(kind))];
        if !variants.is_empty() {
            head.push(("enum", json(variants)));
        }
        item(head, &[("properties", properties)])
    });
    list(&mut file, "types", &types.collect::<Vec<_>>(), ",");
    let commands = domain.commands.iter().map(|command| {
        let Command { name, description, parameters, returns } = command;
        let head = vec![("name", json(name)), ("description", json(description))];
        item(head, &[("parameters", parameters), ("returns", returns)])
    });
    list(&mut file, "commands", &commands.collect::<Vec<_>>(), ",");
    let events = domain.events.iter().map(|event| {
        let Event { name, description, parameters } = event;
        item(vec![("name", json(name)), ("description", json(description))], &[("parameters", parameters)])
    });
    list(&mut file, "events", &events.collect::<Vec<_>>(), "");
    file.push_str("}\n");
    file
}

fn list(file: &mut String, name: &str, items: &[String], comma: &str) {
    let _ = writeln!(file, "    \"{name}\": [\n{}\n    ]{comma}", items.join(",\n"));
}

fn item(head: Vec<(&str, String)>, lists: &[(&str, &Vec<Member>)]) -> String {
    let mut lines: Vec<String> =
        head.into_iter().map(|(name, json)| format!("            \"{name}\": {json}")).collect();
    for (name, members) in lists.iter().filter(|(_, members)| !members.is_empty()) {
        let members: Vec<String> = members.iter().map(|member| format!("                {}", json(member))).collect();
        lines.push(format!("            \"{name}\": [\n{}\n            ]", members.join(",\n")));
    }
    format!("        {{\n{}\n        }}", lines.join(",\n"))
}

fn json(value: &impl Serialize) -> String {
    // Every value of these types can be serialised.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_the_format_cannot_express_are_refused() {
        let text = json!({ "type": "string" });
        assert!(type_of("Word", &text).is_ok());
        for wrong in [
            json!({ "oneOf": [text, { "type": "number" }] }),
            json!({ "type": ["string", "null"] }),
            json!({ "type": "object", "additionalProperties": { "type": "number" } }),
            json!({ "type": "object", "properties": { "a": { "type": "object", "properties": {} } } }),
            json!({ "type": "object", "properties": { "a": { "type": "array", "items": { "oneOf": [] } } } }),
            json!({ "type": "array", "items": text }),
        ] {
            assert!(type_of("Wrong", &wrong).is_err(), "{wrong}");
        }
        assert!(members("ask", &json!({ "type": "object", "additionalProperties": text })).is_err(), "a map");
    }
}
