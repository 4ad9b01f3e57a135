//! The `OpenAPI` document, made from the table of operations and the types of their inputs and outputs.

use serde_json::{Map, Value, json};

use super::{
    super::{
        browserless,
        credentials::API_KEY,
        promises::{Documented, EARLY, OF_ALL, REPETITION, refusals},
        reply::ProblemBody,
    },
    examples,
    idempotency::KEY_MOST,
    progress,
};
use crate::api_types::{
    ABOUT, DEFINITIONS, Job, Schemas, Shape, StorageState, capital,
    operations::{self, FIRST_PAGE, ImportSnapshot, Rest, RestAnswer, RestInput, Verb},
};

/// What the paths of operations begin with; those of browserless do not.
const PREFIX: &str = "/v1/";
/// Where the document has its parameters.
const PARAMETERS: &str = "#/components/parameters/";
const KEY_PARAMETER: &str = "IdempotencyKey";
const PREFER_PARAMETER: &str = "Prefer";

/// The whole document, as text.
///
/// # Errors
///
/// If the document cannot be written.
pub fn openapi() -> Result<String, serde_json::Error> {
    let mut document = Document::default().complete();
    examples::add(&mut document)?;
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    Ok(text)
}

#[derive(Default)]
struct Document {
    schemas: Schemas,
    components: Map<String, Value>,
    paths: Map<String, Value>,
}

impl Document {
    fn complete(mut self) -> Value {
        operations::all()
            .filter_map(Documented::of)
            .chain(browserless::ENDPOINTS)
            .chain(browserless::ABOUT)
            .chain(browserless::QUICK)
            .chain(browserless::FUNCTIONS)
            .for_each(|endpoint| self.add(endpoint));
        let problem = self.schemas.output::<ProblemBody<'_>>();
        self.refer_to(problem);
        let mut schemas = self.schemas.definitions();
        schemas.extend(self.components);
        schemas.sort_keys();
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "ghostmux",
                "version": env!("CARGO_PKG_VERSION"),
                "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
                "description": ABOUT,
            },
            // Without tenants no token is needed.
            "security": [{}, { "bearer": [] }, { "apiKey": [] }, { "token": [] }],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "parameters": headers(),
                "securitySchemes": {
                    "bearer": { "type": "http", "scheme": "bearer", "description": "The token of a tenant." },
                    "apiKey": { "type": "apiKey", "in": "header", "name": API_KEY, "description": "The token of a tenant." },
                    "token": {
                        "type": "apiKey", "in": "query", "name": "token",
                        "description": "The token of a tenant, for clients that take only a URL.",
                    },
                },
            },
        })
    }

    /// A reference to this schema, which becomes one of the document's.
    fn refer_to(&mut self, shape: Shape) -> Value {
        let reference = shape.reference();
        self.components.insert(shape.name, shape.schema);
        reference
    }

    fn add(&mut self, Documented { name, rest, input, output }: Documented) {
        let mut input = input(&mut self.schemas);
        let mut operation = Map::new();
        operation.insert("tags".to_owned(), json!([rest.tag]));
        operation.insert("summary".to_owned(), json!(input.description()));
        operation.insert("operationId".to_owned(), json!(name));
        let mut parameters = Vec::new();
        if let Some(member) = rest.id {
            let schema = in_path(&input.schema, member);
            without(&mut input.schema, member);
            // Both kinds of resources have an id.
            let what = if member == "id" { "session" } else { member };
            parameters.push(json!({
                "name": "id", "in": "path", "required": true, "description": format!("The id of the {what}."),
                "schema": schema,
            }));
        }
        if let Some(member) = rest.second {
            let schema = in_path(&input.schema, member);
            without(&mut input.schema, member);
            parameters.push(json!({
                "name": member, "in": "path", "required": true, "description": of_second(member),
                "schema": schema,
            }));
        }
        if rest.input == RestInput::Query {
            let members = input.schema["properties"].as_object().into_iter().flatten();
            parameters.extend(members.map(|(name, schema)| parameter(name, schema)));
        }
        let is_repeatable = is_repeatable(&rest);
        if is_repeatable {
            parameters.push(json!({ "$ref": format!("{PARAMETERS}{KEY_PARAMETER}") }));
        }
        let can_be_job = can_be_job(&rest);
        if can_be_job {
            parameters.push(json!({ "$ref": format!("{PARAMETERS}{PREFER_PARAMETER}") }));
        }
        if !parameters.is_empty() {
            operation.insert("parameters".to_owned(), json!(parameters));
        }
        if let Some(body) = self.body(rest.input, input) {
            operation.insert("requestBody".to_owned(), body);
        }
        let output = output(&mut self.schemas);
        let mut responses = self.responses(&rest, output);
        if can_be_job {
            responses.insert("202".to_owned(), self.accepted());
        }
        if is_repeatable {
            add_repetition(&mut responses);
        }
        if progress::has_steps(name) {
            responses["200"]["content"]["text/event-stream"] = json!({ "schema": { "type": "string" } });
        }
        responses.sort_keys();
        operation.insert("responses".to_owned(), Value::Object(responses));
        let verb = match rest.verb {
            Verb::Get => "get",
            Verb::Post => "post",
            Verb::Put => "put",
            Verb::Patch => "patch",
            Verb::Delete => "delete",
        };
        self.paths.entry(rest.path).or_insert_with(|| json!({}))[verb] = Value::Object(operation);
    }

    fn body(&mut self, input: RestInput, mut shape: Shape) -> Option<Value> {
        let (name, is_needed, is_upload) = match input {
            RestInput::Path | RestInput::Query => return None,
            // Without a body the content is empty: HTTP cannot tell the two apart.
            RestInput::Content => {
                return Some(json!({ "content": { "application/octet-stream": { "schema": bytes() } } }));
            }
            RestInput::Body(name) => (name, false, false),
            RestInput::BodyWithOne(name, members) => {
                // Generators of clients make one type of it; of `oneOf` they would make two.
                shape.schema["not"] = json!({ "required": members });
                (name, false, false)
            }
            RestInput::NeededBody(name) => (name, true, false),
            RestInput::Upload(name) => (name, true, true),
        };
        name.clone_into(&mut shape.name);
        let has_needed_members = shape.schema["required"].as_array().is_some_and(|needed| !needed.is_empty());
        if is_upload {
            shape.schema = self.either(&shape, ImportSnapshot::EITHER);
        }
        let mut body = json!({ "content": { "application/json": { "schema": self.refer_to(shape) } } });
        if is_upload {
            body["content"]["application/x-ndjson"] = content();
        }
        if is_needed || has_needed_members {
            body["required"] = json!(true);
        }
        Some(body)
    }

    /// An object that has either the first of these members or the second: two schemas, each with a name.
    fn either(&mut self, shape: &Shape, [one, other]: [&str; 2]) -> Value {
        let choices = [(one, other), (other, one)].map(|(member, other)| {
            let mut schema = shape.schema.clone();
            without(&mut schema, other);
            schema["required"] = json!([member]);
            self.refer_to(Shape { name: format!("{}Of{}", shape.name, capital(member)), schema })
        });
        json!({ "description": shape.description(), "oneOf": choices })
    }

    fn responses(&mut self, rest: &Rest, output: Shape) -> Map<String, Value> {
        let mut responses = Map::new();
        let mut success = json!({ "description": rest.says });
        let status = match rest.answer {
            RestAnswer::Nothing => 204,
            RestAnswer::Output | RestAnswer::CreatedOne | RestAnswer::FoundOrCreated | RestAnswer::CreatedSeveral => {
                success["content"] = json!({ "application/json": { "schema": self.refer_to(output) } });
                if rest.answer == RestAnswer::FoundOrCreated {
                    let mut found = success.clone();
                    found["description"] = json!(format!("{} It existed already.", rest.says));
                    responses.insert("200".to_owned(), found);
                }
                if matches!(rest.answer, RestAnswer::CreatedOne | RestAnswer::FoundOrCreated) {
                    success["headers"] =
                        json!({ "Location": { "description": "Its path.", "schema": { "type": "string" } } });
                }
                if rest.answer == RestAnswer::Output { 200 } else { 201 }
            }
            RestAnswer::Media(kinds) => {
                success["content"] = kinds.iter().map(|kind| (*kind, json!({ "schema": media(kind) }))).collect();
                200
            }
            RestAnswer::File => {
                success["content"] = json!({ "application/octet-stream": { "schema": bytes() } });
                let mut part = success.clone();
                part["description"] = json!("The range that the request names.");
                responses.insert("206".to_owned(), part);
                200
            }
            RestAnswer::Download => {
                let document = self.schemas.output::<StorageState>().reference();
                success["content"] =
                    json!({ "application/json": { "schema": document }, "application/x-ndjson": content() });
                let about = "Number of items that Playwright's format cannot hold.";
                success["headers"] =
                    json!({ "Ghostmux-Omitted": { "description": about, "schema": { "type": "integer" } } });
                200
            }
        };
        responses.insert(status.to_string(), success);
        for (status, why) in EARLY {
            responses.insert(status.to_string(), json!({ "description": why }));
        }
        for (status, why) in OF_ALL.iter().chain(rest.errors.iter().flat_map(|errors| refusals(*errors))) {
            responses.insert(status.to_string(), problem(why));
        }
        responses
    }

    fn accepted(&mut self) -> Value {
        let job = self.schemas.output::<Job>();
        json!({
            "description": "With `Prefer: respond-async`: the request goes on as this job.",
            "content": { "application/json": { "schema": self.refer_to(job) } },
            "headers": { "Location": { "description": "Its path.", "schema": { "type": "string" } } },
        })
    }
}

/// Whether the header `Idempotency-Key` counts.
fn is_repeatable(rest: &Rest) -> bool {
    rest.verb == Verb::Post && rest.path.starts_with(PREFIX)
}

/// Whether the header `Prefer` counts. An upload is read while it is performed.
fn can_be_job(rest: &Rest) -> bool {
    is_repeatable(rest) && !matches!(rest.input, RestInput::Upload(_))
}

/// The headers that many operations have.
fn headers() -> Value {
    json!({
        KEY_PARAMETER: {
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The request is performed once, however often it is sent with this key: of its repetitions \
                            `idempotency_time` remembers the answer.",
            "schema": { "type": "string", "minLength": 1, "maxLength": KEY_MOST, "pattern": "^[!#-~]+$" },
        },
        PREFER_PARAMETER: {
            "name": "Prefer", "in": "header", "required": false,
            "description": "`respond-async`: the answer comes at once, with a job (RFC 7240). Other values are ignored.",
            "schema": { "type": "string", "examples": ["respond-async"] },
        },
    })
}

/// What a request with an `Idempotency-Key` may be answered beside the rest.
fn add_repetition(responses: &mut Map<String, Value>) {
    let replayed = json!({
        "description": "`true`, if the answer was given before, to a request with the same Idempotency-Key.",
        "schema": { "type": "string" },
    });
    for (status, why) in REPETITION {
        let status = status.to_string();
        let before = responses.get(&status).and_then(|response| response["description"].as_str());
        let why = before.map_or_else(|| why.to_owned(), |before| format!("{before} {why}"));
        responses.insert(status, problem(&why));
    }
    for (status, response) in responses {
        if status.starts_with('2') {
            response["headers"]["Idempotency-Replayed"] = replayed.clone();
        }
    }
}

/// The response with an error.
fn problem(why: &str) -> Value {
    let schema = json!({ "$ref": format!("{DEFINITIONS}Problem") });
    json!({ "description": why, "content": { "application/problem+json": { "schema": schema } } })
}

/// The schema of a member of the input that the path gives: a text, with the pattern of the member if it has one.
fn in_path(input: &Value, member: &str) -> Value {
    let mut schema = json!({ "type": "string" });
    for limit in ["maxLength", "pattern"] {
        if let Some(limited) = input["properties"][member].get(limit) {
            schema[limit] = limited.clone();
        }
    }
    schema
}

fn of_second(member: &str) -> String {
    match member {
        "name" => "The name of the file.".to_owned(),
        "page" => format!("The target id of the page, or `{FIRST_PAGE}`, the oldest page."),
        _ => format!("The id of the {member}."),
    }
}

fn parameter(name: &str, schema: &Value) -> Value {
    let mut parameter = json!({
        "name": name, "in": "query", "required": false, "description": schema["description"], "schema": schema,
    });
    if schema["$ref"] == format!("{DEFINITIONS}Metadata") {
        // metadata[KEY]=VALUE; `metadata.KEY=VALUE`, which is easier to type, has no name in OpenAPI.
        (parameter["style"], parameter["explode"]) = (json!("deepObject"), json!(true));
        parameter["schema"]["propertyNames"] = json!({ "pattern": r"^[^\[\]]*$" });
    }
    parameter
}

/// The content of a file, as it is.
fn bytes() -> Value {
    json!({ "type": "string", "format": "binary" })
}

/// The content of an answer of this type.
fn media(kind: &str) -> Value {
    if kind.starts_with("text/") { json!({ "type": "string" }) } else { bytes() }
}

/// The lines of a snapshot's content.
fn content() -> Value {
    json!({ "schema": { "type": "array", "items": { "type": "object" } } })
}

fn without(schema: &mut Value, member: &str) {
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.shift_remove(member);
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|required| required != member);
    }
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
    fn every_reference_in_the_document_has_a_target() {
        let document = Document::default().complete();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for reference in found {
            let shape = document.pointer(reference.trim_start_matches('#'));
            assert!(shape.is_some_and(Value::is_object), "{reference} leads nowhere");
        }
    }

    #[test]
    fn document_in_the_repository_is_up_to_date() {
        assert!(super::super::OPENAPI == openapi().expect("JSON"), "fixtures/openapi.json is stale: make types");
    }
}
