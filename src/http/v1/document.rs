//! The `OpenAPI` document: its paths come from the handlers, its schemas from the definition of the `ghost` domain.

use serde_json::{Map, Value, json};
use utoipa::{
    IntoParams,
    openapi::{
        OpenApi,
        path::{Parameter, ParameterIn},
    },
};

use crate::api_types::{COPIES_MOST, Domain, Exporting, Member, Millis, NAME_MOST, Wanted, WantedSnapshots};

/// The document without paths.
pub(super) fn empty() -> OpenApi {
    let about = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ghostmux",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            "description": Domain::ghost().description,
        },
        "paths": {},
    });
    serde_json::from_value(about).expect("a document without paths")
}

/// Commands whose REST body is required. For other commands an empty body means all defaults.
const NEED_A_BODY: [&str; 3] = ["updateSession", "restoreSnapshot", "importSnapshot"];

/// The whole document, when every handler has added its path.
pub(super) fn complete(paths: &OpenApi) -> Value {
    let mut document = serde_json::to_value(paths).unwrap_or_default();
    document["components"] = json!({ "schemas": shapes() });
    for path in document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        for operation in path.as_object_mut().into_iter().flat_map(Map::values_mut) {
            if NEED_A_BODY.iter().any(|id| operation["operationId"] == *id) {
                operation["requestBody"]["required"] = json!(true);
            }
        }
    }
    document
}

/// The query of `GET /v1/sessions`: the params of `ghost.listSessions`.
impl IntoParams for Wanted {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        filters("listSessions", "^([0-9a-f]{1,15}|z[A-Za-z0-9._-]{0,64})$")
    }
}

/// The query of `GET /v1/snapshots`: the params of `ghost.listSnapshots`.
impl IntoParams for WantedSnapshots {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        filters("listSnapshots", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
    }
}

/// The query of `GET /v1/snapshots/{id}/content`; the path names the snapshot.
impl IntoParams for Exporting {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about =
            "`playwright` (the default): a storageState. `ghostmux`: everything, a stream of one JSON record per line.";
        let format = json!({
            "name": "format", "in": "query", "required": false, "description": about, "schema": reference("SnapshotFormat"),
        });
        vec![serde_json::from_value(format).expect("a parameter")]
    }
}

/// The params of a command that lists, as members of a query.
fn filters(command: &str, cursor: &str) -> Vec<Parameter> {
    let domain = Domain::ghost();
    let filters = domain.command(command).map(|list| list.parameters.as_slice()).unwrap_or_default();
    let parameter = |filter: &Member| {
        let mut shape = member(filter);
        match filter.name.as_str() {
            "limit" => (shape["minimum"], shape["maximum"]) = (json!(1), json!(1000)),
            "cursor" => shape["pattern"] = json!(cursor),
            _ => {}
        }
        let mut parameter = json!({
            "name": filter.name, "in": "query", "required": false, "description": filter.description, "schema": shape,
        });
        if filter.name == "metadata" {
            // metadata[KEY]=VALUE; `metadata.KEY=VALUE`, which is easier to type, has no name in OpenAPI.
            (parameter["style"], parameter["explode"]) = (json!("deepObject"), json!(true));
        }
        serde_json::from_value(parameter).expect("a parameter")
    };
    filters.iter().map(parameter).collect()
}

/// Every schema by its name: the types of the domain, and the params and results of the commands that have an endpoint.
fn shapes() -> Map<String, Value> {
    let domain = Domain::ghost();
    let mut shapes = Map::new();
    for kind in &domain.types {
        let mut shape = match kind.properties.as_slice() {
            [] => plain(&kind.kind),
            properties => object(properties),
        };
        if !kind.variants.is_empty() {
            shape["enum"] = json!(kind.variants);
        }
        shape["description"] = json!(kind.description);
        shapes.insert(kind.id.clone(), shape);
    }
    // Constraints that the definition states only in words.
    shapes["Milliseconds"]["minimum"] = json!(0);
    shapes["Milliseconds"]["maximum"] = json!(Millis::MOST.as_millis());
    for (name, command) in [
        ("NewSession", "createSession"),
        ("Changes", "updateSession"),
        ("Parking", "park"),
        ("Saving", "saveSnapshot"),
        ("Restoring", "restoreSnapshot"),
        ("Cloning", "cloneSession"),
        ("Importing", "importSnapshot"),
    ] {
        let Some(command) = domain.command(command) else { continue };
        // The path names an existing session.
        let is_new = name == "NewSession";
        let parameters: Vec<Member> =
            command.parameters.iter().filter(|member| is_new || member.name != "id").cloned().collect();
        let mut shape = object(&parameters);
        shape["description"] = json!(command.description);
        let members = &mut shape["properties"];
        if is_new {
            members["id"]["pattern"] = json!("^[A-Za-z0-9._-]{8,64}$");
        }
        if !members["name"].is_null() {
            members["name"]["maxLength"] = json!(NAME_MOST);
        }
        if !members["count"].is_null() {
            (members["count"]["minimum"], members["count"]["maximum"]) = (json!(1), json!(COPIES_MOST));
        }
        if name != "Changes" && !members["keepAlive"].is_null() {
            // With 0 the session would end at once.
            members["keepAlive"]["minimum"] = json!(1);
        }
        shapes.insert(name.to_owned(), shape);
    }
    shapes["StorageState"]["type"] = json!("object");
    // Exactly one of the two.
    let either = |one: &str, other: &str| {
        let mut shape = shapes["Importing"].clone();
        if let Some(members) = shape["properties"].as_object_mut() {
            members.remove(other);
        }
        shape["required"] = json!([one]);
        shape
    };
    let importing = json!({ "oneOf": [either("storageState", "data"), either("data", "storageState")] });
    shapes.insert("Importing".to_owned(), importing);
    for (name, command) in [
        ("Sessions", "listSessions"),
        ("Saved", "saveSnapshot"),
        ("Cloned", "cloneSession"),
        ("Snapshots", "listSnapshots"),
    ] {
        if let Some(command) = domain.command(command) {
            shapes.insert(name.to_owned(), object(&command.returns));
        }
    }
    shapes.insert("Pages".to_owned(), pages());
    shapes.insert("Problem".to_owned(), problem());
    shapes.insert("BrowserlessSessions".to_owned(), browserless_sessions());
    shapes.insert("BrowserlessPressure".to_owned(), browserless_pressure());
    shapes
}

fn object(members: &[Member]) -> Value {
    let mut properties = Map::new();
    for member in members {
        properties.insert(member.name.clone(), self::member(member));
    }
    let required: Vec<_> = members.iter().filter(|member| !member.optional).map(|member| &member.name).collect();
    let mut shape = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        shape["required"] = json!(required);
    }
    shape
}

fn member(member: &Member) -> Value {
    let mut shape = match (&member.reference, &member.items) {
        (Some(id), _) => reference(id),
        (None, Some(items)) => {
            let items = match &items.reference {
                Some(id) => reference(id),
                None => plain(items.kind.as_deref().unwrap_or_default()),
            };
            json!({ "type": "array", "items": items })
        }
        (None, None) => plain(member.kind.as_deref().unwrap_or_default()),
    };
    if let Some(description) = &member.description {
        shape["description"] = json!(description);
    }
    shape
}

fn reference(id: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{id}") })
}

fn plain(kind: &str) -> Value {
    match kind {
        "object" => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        "any" => json!({}),
        other => json!({ "type": other }),
    }
}

fn pages() -> Value {
    json!({
        "type": "object",
        "description": "The pages of a session.",
        "properties": { "pages": {
            "type": "array",
            "items": {
                "type": "object",
                "description": "A TargetInfo, as `Target.getTargets` gives it.",
                "properties": {
                    "targetId": { "type": "string", "description": "Connect to /devtools/page/{targetId} to control it." },
                    "type": { "type": "string" },
                    "title": { "type": "string" },
                    "url": { "type": "string" },
                    "browserContextId": { "type": "string" },
                },
                "required": ["targetId", "type", "title", "url"],
            },
        } },
        "required": ["pages"],
        "additionalProperties": false,
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "Why a request was refused (RFC 9457).",
        "properties": {
            "type": { "type": "string", "description": "`urn:ghostmux:` and a word for the kind; it does not change between versions." },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "What happened, to what, and what to do." },
        },
        "required": ["type", "title", "status", "detail"],
    })
}

/// The schema of an object with exactly these members; a type may be several, in one word.
fn exactly(members: &[(&str, Value)]) -> Value {
    let required: Vec<_> = members.iter().map(|(name, _)| *name).collect();
    let properties: Map<_, _> =
        members.iter().map(|(name, kind)| ((*name).to_owned(), json!({ "type": kind }))).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn browserless_sessions() -> Value {
    let mut session = exactly(&[
        ("browser", json!("string")),
        ("browserId", json!("string")),
        ("id", json!("string")),
        ("initialConnectURL", json!("string")),
        ("killURL", json!("string")),
        ("launchOptions", json!("object")),
        ("numbConnected", json!("integer")),
        ("routePath", json!("string")),
        ("startedOn", json!("integer")),
        ("timeAliveMs", json!("integer")),
        ("userDataDir", json!(["string", "null"])),
    ]);
    session["properties"]["trackingId"] = json!({ "type": "string" });
    json!({ "type": "array", "items": session })
}

fn browserless_pressure() -> Value {
    let pressure = exactly(&[
        ("cpu", json!(["integer", "null"])),
        ("date", json!("integer")),
        ("isAvailable", json!("boolean")),
        ("maxConcurrent", json!("integer")),
        ("maxQueued", json!("integer")),
        ("maxWait", json!("integer")),
        ("memory", json!(["integer", "null"])),
        ("message", json!("string")),
        ("parked", json!("integer")),
        ("queued", json!("integer")),
        ("reason", json!("string")),
        ("recentlyRejected", json!("integer")),
        ("running", json!("integer")),
    ]);
    json!({ "type": "object", "properties": { "pressure": pressure }, "required": ["pressure"], "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document = super::super::document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for reference in found {
            let shape = document.pointer(reference.trim_start_matches('#'));
            assert!(shape.is_some_and(Value::is_object), "{reference} leads nowhere");
        }
    }
}
