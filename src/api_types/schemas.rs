//! JSON schemas of the shapes, as the documents of the API show them: draft 2020-12, in the simplest form. PURE.

use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The path in a document of the schemas that others refer to.
pub const DEFINITIONS: &str = "#/components/schemas/";

/// Formats of texts that the documents keep.
const OF_TEXTS: [&str; 2] = ["date", "date-time"];

/// Makes schemas, and collects those that they refer to.
#[derive(Debug)]
pub struct Schemas {
    inputs: SchemaGenerator,
    outputs: SchemaGenerator,
}

/// Makes the schema of one type.
pub type ShapeOf = fn(&mut Schemas) -> Shape;

/// The schema of a type.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Its name in a document.
    pub name: String,
    /// The schema itself.
    pub schema: Value,
}

impl Shape {
    /// The schema that refers to it.
    pub fn reference(&self) -> Value {
        json!({ "$ref": format!("{DEFINITIONS}{}", self.name) })
    }

    /// The description of the type.
    pub fn description(&self) -> &str {
        self.schema["description"].as_str().unwrap_or_default()
    }
}

impl Default for Schemas {
    fn default() -> Self {
        Self::new(false)
    }
}

impl Schemas {
    fn new(is_inline: bool) -> Self {
        let path = DEFINITIONS.trim_matches(['#', '/']);
        let generator = |contract: Contract| {
            let settings = SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = format!("/{path}").into();
                settings.contract = contract;
                settings.inline_subschemas = is_inline;
            });
            SchemaGenerator::new(settings)
        };
        Self { inputs: generator(Contract::Deserialize), outputs: generator(Contract::Serialize) }
    }

    /// Makes schemas that refer to no others.
    pub fn inline() -> Self {
        Self::new(true)
    }

    /// The schema of what is read.
    pub fn input<T: JsonSchema>(&mut self) -> Shape {
        Shape { name: T::schema_name().into_owned(), schema: simple(T::json_schema(&mut self.inputs)) }
    }

    /// The schema of what is written.
    pub fn output<T: Serialize + JsonSchema>(&mut self) -> Shape {
        Shape { name: T::schema_name().into_owned(), schema: simple(T::json_schema(&mut self.outputs)) }
    }

    /// The schemas that those made so far refer to, by name.
    ///
    /// # Panics
    ///
    /// If a type is not read as it is written.
    pub fn definitions(mut self) -> Map<String, Value> {
        let mut all = Map::new();
        let inputs = self.inputs.take_definitions(true).into_iter();
        for (name, schema) in inputs.chain(self.outputs.take_definitions(true)) {
            let schema = Schema::try_from(schema).map(simple).unwrap_or_default();
            let before = all.insert(name.clone(), schema);
            assert!(before.is_none_or(|before| before == all[&name]), "{name} is not read as it is written");
        }
        all
    }
}

/// A name of a type, from that of a member.
pub fn capital(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// The schema without members that the documents do not need.
fn simple(schema: Schema) -> Value {
    let mut schema = schema.to_value();
    simplify(&mut schema);
    schema
}

fn simplify(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    let required = members.get("required").cloned().unwrap_or_default();
    let is_required = |name: &str| required.as_array().is_some_and(|names| names.iter().any(|other| other == name));
    for (name, member) in members.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        if let Some(member) = member.as_object_mut().filter(|_| !is_required(name)) {
            without_null(member);
        }
        simplify(member);
    }
    for keyword in ["items", "additionalProperties"] {
        members.get_mut(keyword).into_iter().for_each(simplify);
    }
    members.remove("title");
    members.remove("default");
    if let Some(text) = members.get("description").and_then(Value::as_str) {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        members.insert("description".to_owned(), line.into());
    }
    numbers(members);
    words(members);
    if members.get("additionalProperties") == Some(&json!(true)) {
        members.remove("additionalProperties");
    } else if members.contains_key("properties") {
        members.insert("additionalProperties".to_owned(), json!(false));
    }
}

/// Removes `null` from optional members: an optional member is absent, and `null` is neither read nor written.
fn without_null(members: &mut Map<String, Value>) {
    if let Some(Value::Array(kinds)) = members.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            let kind = kind.clone();
            members.insert("type".to_owned(), kind);
        }
    }
    if let Some(Value::Array(choices)) = members.get("anyOf") {
        let mut others = choices.iter().filter(|choice| choice["type"] != "null").cloned();
        if let (Some(Value::Object(only)), None) = (others.next(), others.next()) {
            members.remove("anyOf");
            members.extend(only);
        }
    }
}

/// Integers have 32 bits, as in Chrome's protocol. A type that may have more is a number. Of the other formats only those
/// of texts stay: they say which texts are read.
fn numbers(members: &mut Map<String, Value>) {
    if members.get("format").is_some_and(|format| OF_TEXTS.iter().any(|text| format == text)) {
        return;
    }
    let Some(Value::String(format)) = members.remove("format") else { return };
    let is_given = members.contains_key("maximum");
    if format.starts_with("uint") && members.get("minimum") == Some(&json!(0)) && !is_given {
        members.remove("minimum");
    }
    let is_integer = |kind: &Value| kind == "integer";
    if format.ends_with("64") && members.get("type").is_some_and(is_integer) {
        members.insert("type".to_owned(), json!("number"));
    }
}

/// An enum of words, each with a comment, as one schema: the comments become part of the description.
fn words(members: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = members.get("oneOf") else { return };
    let word = |choice: &Value| Some((choice["const"].as_str()?.to_owned(), choice["description"].clone()));
    let Some(all) = choices.iter().map(word).collect::<Option<Vec<_>>>() else { return };
    let mut description = members.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    for (word, meaning) in &all {
        let meaning = meaning.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        description = format!("{description} `{word}`: {meaning}");
    }
    members.remove("oneOf");
    members.insert("description".to_owned(), description.trim_start().into());
    members.insert("type".to_owned(), json!("string"));
    members.insert("enum".to_owned(), all.into_iter().map(|(word, _)| word).collect());
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// One of
    /// three.
    #[derive(Serialize, Deserialize, JsonSchema)]
    enum Word {
        /// the first.
        One,
        /// the
        /// second.
        Two,
    }

    /// What holds them.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Held {
        word: Word,
        #[serde(skip_serializing_if = "Option::is_none")]
        other: Option<Word>,
        /// A large number.
        large: u64,
        #[schemars(range(min = 1, max = 9))]
        small: Option<u32>,
        list: Vec<Word>,
        #[schemars(extend("format" = "date"))]
        day: String,
    }

    #[test]
    fn schemas_are_in_the_simplest_form() {
        let word = json!({ "$ref": "#/components/schemas/Word" });
        let held = |required: &[&str], small: Value| {
            json!({
                "type": "object",
                "description": "What holds them.",
                "properties": {
                    "word": word,
                    "other": word,
                    "large": { "type": "number", "description": "A large number." },
                    "small": { "type": small, "minimum": 1, "maximum": 9 },
                    "list": { "type": "array", "items": word },
                    "day": { "type": "string", "format": "date" },
                },
                "required": required,
                "additionalProperties": false,
            })
        };
        let mut schemas = Schemas::default();
        assert_eq!(schemas.input::<Held>().schema, held(&["word", "large", "list", "day"], json!("integer")));
        let output = held(&["word", "large", "small", "list", "day"], json!(["integer", "null"]));
        assert_eq!(schemas.output::<Held>().schema, output);
        let words = json!({
            "type": "string",
            "enum": ["One", "Two"],
            "description": "One of three. `One`: the first. `Two`: the second.",
        });
        assert_eq!(Value::Object(schemas.definitions()), json!({ "Word": words }));
    }
}
