//! The examples of the document: what an operation is sent, and what it answers.
//!
//! The answers of `examples.json` are those of a server with a browser, with other ids, times and addresses; long contents
//! are cut.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

const EXAMPLES: &str = include_str!("examples.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Examples {
    /// By `operationId`.
    operations: BTreeMap<String, Example>,
    /// Of types that many operations answer, by name.
    schemas: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    request: Option<Value>,
    answer: Option<Value>,
}

/// Adds the examples to the whole document.
pub(super) fn add(document: &mut Value) -> Result<(), serde_json::Error> {
    let Examples { operations, schemas } = serde_json::from_str(EXAMPLES)?;
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in paths.filter_map(Value::as_object_mut).flat_map(|verbs| verbs.values_mut()) {
        let Some(example) = operation["operationId"].as_str().and_then(|name| operations.get(name)) else { continue };
        add_to(operation.pointer_mut("/requestBody/content"), example.request.as_ref());
        for status in ["200", "201"] {
            add_to(operation.pointer_mut(&format!("/responses/{status}/content")), example.answer.as_ref());
        }
    }
    for (name, example) in schemas {
        if let Some(schema) = document.pointer_mut(&format!("/components/schemas/{name}")) {
            schema["examples"] = json!([example]);
        }
    }
    Ok(())
}

/// Adds an example to the types of a content in which it can be written: JSON, and for texts all types of text.
fn add_to(content: Option<&mut Value>, example: Option<&Value>) {
    let (Some(types), Some(example)) = (content.and_then(Value::as_object_mut), example) else { return };
    for (kind, content) in types {
        if kind == "application/json" || (kind.starts_with("text/") && example.is_string()) {
            content["example"] = example.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api_types::operations;

    fn document() -> Value {
        serde_json::from_str(&super::super::openapi().expect("JSON")).expect("a document")
    }

    fn operations_of(document: &Value) -> impl Iterator<Item = &Value> {
        let paths = document["paths"].as_object().expect("paths").values();
        paths.flat_map(|verbs| verbs.as_object().expect("verbs").values())
    }

    #[test]
    fn every_body_and_every_answer_in_json_has_an_example() {
        let document = document();
        let mut without = Vec::new();
        for operation in operations_of(&document) {
            for place in ["/requestBody", "/responses/200", "/responses/201"] {
                let json = operation.pointer(&format!("{place}/content/application~1json"));
                if json.is_some_and(|json| json.get("example").is_none()) {
                    without.push(format!("{}{place}", operation["operationId"]));
                }
            }
        }
        assert!(without.is_empty(), "examples.json lacks {without:?}");
    }

    #[test]
    fn every_example_belongs_to_an_operation_or_a_schema() {
        let document = document();
        let known: BTreeSet<&str> =
            operations_of(&document).filter_map(|operation| operation["operationId"].as_str()).collect();
        let Examples { operations, schemas } = serde_json::from_str(EXAMPLES).expect("examples");
        let unknown: Vec<&String> = operations.keys().filter(|name| !known.contains(name.as_str())).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        for name in schemas.keys() {
            assert!(document["components"]["schemas"][name]["examples"].is_array(), "{name} is no schema");
        }
    }

    #[test]
    fn operations_read_their_examples() {
        let Examples { operations, .. } = serde_json::from_str(EXAMPLES).expect("examples");
        let mut count = 0;
        for entry in operations::all() {
            let example = operations.get(entry.row.name).and_then(|example| example.request.clone());
            let (Some(mut example), Some(rest)) = (example, entry.row.rest) else { continue };
            for member in rest.id.into_iter().chain(rest.second) {
                assert!(example.get(member).is_none(), "{}: the path has {member}", entry.row.name);
                example[member] = json!("shop");
            }
            let read = entry.read(&example.to_string());
            assert!(read.is_ok(), "{}: {read:?}", entry.row.name);
            count += 1;
        }
        assert!(count > 50, "{count}");
    }
}
