//! Reads the parameters of a query as the members of an operation's input. A query has only texts; the schema of the
//! input says which of them are numbers.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use serde_json::{Map, Value};

use crate::{
    api_types::{Bad, DEFINITIONS, Schemas, ShapeOf, operations::Entry},
    config,
};

/// The members of an operation's input that are more than a text. The schema of the input is made for the first query:
/// those of all operations take longer than all else when the server starts.
#[derive(Clone, Debug)]
pub(super) struct Members {
    input: ShapeOf,
    kinds: Arc<OnceLock<BTreeMap<String, Kind>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Number,
    Switch,
    /// Texts under keys: `NAME.KEY=VALUE`, or `NAME[KEY]=VALUE`.
    Map,
}

impl Members {
    /// The members of this operation.
    pub(super) fn of(entry: &Entry) -> Self {
        Self { input: entry.input, kinds: Arc::default() }
    }

    fn kinds(&self) -> &BTreeMap<String, Kind> {
        self.kinds.get_or_init(|| kinds(self.input))
    }

    /// The input that a query holds.
    pub(super) fn object(&self, query: Vec<(String, String)>) -> Result<Value, Bad> {
        let mut input = Map::new();
        for (name, text) in query {
            // The token identifies the caller; it is not a filter.
            if name == "token" {
                continue;
            }
            let before = match (self.of_map(&name)?, self.kinds().get(&name)) {
                (Some((member, key)), _) => match input.entry(member).or_insert_with(|| Map::new().into()) {
                    Value::Object(map) => map.insert(key.to_owned(), text.into()),
                    _ => None,
                },
                (None, Some(kind)) => input.insert(name.clone(), kind.read(&name, &text)?),
                (None, None) => input.insert(name.clone(), text.into()),
            };
            if before.is_some() {
                return Err(Bad::new(&name, "is given twice"));
            }
        }
        Ok(Value::Object(input))
    }

    /// The map and the key that the name of a parameter denotes.
    fn of_map<'a>(&self, name: &'a str) -> Result<Option<(&'a str, &'a str)>, Bad> {
        let Some((member, rest)) = name.find(['.', '[']).map(|at| name.split_at(at)) else { return Ok(None) };
        if self.kinds().get(member) != Some(&Kind::Map) {
            return Ok(None);
        }
        let in_brackets = || rest.strip_prefix('[')?.strip_suffix(']').filter(|key| !key.contains(['[', ']']));
        match rest.strip_prefix('.').or_else(in_brackets) {
            Some("") => Err(Bad::new(name, format!("has no key; write {member}.KEY=VALUE"))),
            Some(key) => Ok(Some((member, key))),
            None => Err(Bad::new(name, format!("is not one key in brackets; write {member}.KEY=VALUE"))),
        }
    }
}

/// The members of an input that are more than a text.
fn kinds(input: ShapeOf) -> BTreeMap<String, Kind> {
    let mut schemas = Schemas::default();
    let input = input(&mut schemas).schema;
    let definitions = schemas.definitions();
    let kind = |schema: &Value| {
        let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix(DEFINITIONS));
        let schema = name.and_then(|name| definitions.get(name)).unwrap_or(schema);
        match schema["type"].as_str() {
            Some("integer") => Some(Kind::Integer),
            Some("number") => Some(Kind::Number),
            Some("boolean") => Some(Kind::Switch),
            Some("object") => Some(Kind::Map),
            _ => None,
        }
    };
    let members = input["properties"].as_object().into_iter().flatten();
    members.filter_map(|(name, schema)| Some((name.clone(), kind(schema)?))).collect()
}

impl Kind {
    fn read(self, name: &str, text: &str) -> Result<Value, Bad> {
        let value = match self {
            Self::Integer => text.parse::<i64>().map(Value::from).map_err(|_| "a whole number"),
            // A time may have a unit, as in the URL of a client.
            Self::Number => (text.parse::<f64>().ok())
                .or_else(|| Some(config::span(text).ok()?.as_secs_f64() * 1000.0))
                .map(Value::from)
                .ok_or("a number of milliseconds, or one with a unit, such as 30s"),
            Self::Switch => text.parse::<bool>().map(Value::from).map_err(|_| "true or false"),
            Self::Map => return Err(Bad::new(name, format!("write {name}.KEY=VALUE"))),
        };
        value.map_err(|wanted| Bad::new(name, format!("{text:?} is not {wanted}")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api_types::operations;

    fn read(name: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let entry = operations::all().find(|entry| entry.row.name == name).expect("an operation");
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Members::of(entry).object(query).map_err(|bad| bad.to_string())
    }

    #[test]
    fn query_parameters_are_read_by_the_schema_of_the_input() {
        let query = [
            ("state", "5"),
            ("limit", "5"),
            ("metadata.a[b]", "1"),
            ("metadata[c]", "2"),
            ("token", "x"),
            ("x.z", "y"),
        ];
        let input = json!({ "state": "5", "limit": 5, "metadata": { "a[b]": "1", "c": "2" }, "x.z": "y" });
        assert_eq!(read("listSessions", &query), Ok(input));
        assert_eq!(read("importSnapshot", &[("ttl", "1.5")]), Ok(json!({ "ttl": 1.5 })));
        assert_eq!(read("listDownloads", &[("wait", "30s")]), Ok(json!({ "wait": 30_000.0 })));
        for (query, why) in [
            (&[("limit", "x")][..], "limit: \"x\" is not a whole number"),
            (&[("limit", "1.5")], "limit: \"1.5\" is not a whole number"),
            (&[("metadata", "x")], "metadata: write metadata.KEY=VALUE"),
            (&[("metadata[]", "x")], "metadata[]: has no key; write metadata.KEY=VALUE"),
            (&[("metadata[a][b]", "x")], "metadata[a][b]: is not one key in brackets; write metadata.KEY=VALUE"),
            (&[("metadata[][a]", "x")], "metadata[][a]: is not one key in brackets; write metadata.KEY=VALUE"),
            (&[("metadata[a", "x")], "metadata[a: is not one key in brackets; write metadata.KEY=VALUE"),
            (&[("metadata[a]b", "x")], "metadata[a]b: is not one key in brackets; write metadata.KEY=VALUE"),
            (&[("metadata.", "x")], "metadata.: has no key; write metadata.KEY=VALUE"),
            (&[("name", "a"), ("name", "b")], "name: is given twice"),
            (&[("metadata.a", "a"), ("metadata[a]", "b")], "metadata[a]: is given twice"),
        ] {
            assert_eq!(read("listSessions", query), Err(why.to_owned()));
        }
    }
}
