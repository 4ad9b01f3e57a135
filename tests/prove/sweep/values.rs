//! Arguments for a method, generated from its types: valid ones, and ones that are invalid in one
//! place or in several.
//!
//! Ids of a running stage are written as placeholders (`@@own-target`) and replaced when the
//! command is sent: a command found with one browser can be repeated with the next.

use serde_json::{Map, Value, json};

use super::protocol::{Method, Protocol, Shape};
use crate::random::Random;

/// Depth to which objects are generated.
const DEPTH: usize = 4;
/// Commands per method and CDP session.
const MOST: usize = 28;

/// Placeholders of ids, by the end of the name of the type or the parameter.
const IDS: [(&str, &[&str]); 9] = [
    ("TargetID", &["@@own-target", "@@own-tab", "@@own-worker", "@@closed-target", "@@victim-target"]),
    ("SessionID", &["@@own-session", "@@closed-session", "@@victim-session"]),
    ("BrowserContextID", &["@@own-context", "@@closed-context", "@@victim-context"]),
    ("FrameId", &["@@own-target", "@@own-frame", "@@closed-target", "@@victim-target"]),
    ("RemoteObjectId", &["@@own-object", "@@victim-object"]),
    ("WindowID", &["@@own-window", "@@victim-window"]),
    ("targetId", &["@@own-target", "@@own-tab", "@@own-worker", "@@closed-target", "@@victim-target"]),
    ("LoaderId", &["@@own-loader"]),
    ("requestId", &["@@own-loader", "interception-job-1.0"]),
];

const URLS: [&str; 12] = [
    "@@site/page?sweep",
    "about:blank",
    "",
    "data:text/html,sweep",
    "javascript:1",
    "file:///etc/hostname",
    "chrome://gpu",
    "chrome://inducebrowsercrashforrealz",
    "http://127.0.0.1:1/",
    "http://[",
    "blob:null/0",
    "//x",
];

/// Values that Chrome must treat as an error.
const STRINGS: [&str; 8] = ["", "x", "\u{0}", "-1", "0", "*", "\u{d7ff}\u{10ffff}", "../../x"];

/// Generates arguments.
pub(crate) struct Maker<'a> {
    pub(crate) protocol: &'a Protocol,
    pub(crate) random: Random,
    /// Whether the victim is of another tenant: otherwise its session and snapshots may be used.
    pub(crate) of_tenants: bool,
}

impl Maker<'_> {
    /// The arguments to test with a method, in order.
    pub(crate) fn arguments(&mut self, method: &Method) -> Vec<Value> {
        let parameters = &method.parameters;
        let required = || parameters.iter().filter(|one| !one.optional);
        let mut all = vec![json!({})];
        if parameters.is_empty() {
            all.push(json!({ "superfluous": [1] }));
            return all;
        }
        if self.of_tenants && method.name.starts_with("ghost.") {
            for (name, id) in [("id", "@@victim-owned-session"), ("snapshot", "@@victim-snapshot")] {
                if parameters.iter().any(|one| one.name == name) {
                    let mut object = self.object(required());
                    object[name] = id.into();
                    all.push(object);
                }
            }
        }
        all.push(self.object(required()));
        all.push(self.object(parameters.iter()));
        let mut stray = self.object(parameters.iter());
        stray["superfluous"] = json!({ "a": [] });
        all.push(stray);
        for left_out in required() {
            all.push(self.object(parameters.iter().filter(|one| one.name != left_out.name)));
        }
        let mut wrong = Vec::new();
        for parameter in parameters {
            for edge in self.edges(parameter, DEPTH) {
                let mut object = self.object(required());
                object[&parameter.name] = edge;
                wrong.push(object);
            }
        }
        // All of them if there are few, otherwise a sample that depends on the seed.
        self.random.shuffle(&mut wrong);
        wrong.truncate(MOST);
        all.append(&mut wrong);
        for _ in 0..4 {
            all.push(self.mixture(parameters));
        }
        all
    }

    /// One set of arguments: half of the time it is valid.
    pub(crate) fn one(&mut self, method: &Method) -> Value {
        if self.random.once_in(2) { self.object(method.parameters.iter()) } else { self.mixture(&method.parameters) }
    }

    /// Every member has an edge value, and some are missing.
    fn mixture(&mut self, parameters: &[Shape]) -> Value {
        let mut object = Map::new();
        for parameter in parameters {
            if parameter.optional && self.random.once_in(3) {
                continue;
            }
            let edges = self.edges(parameter, DEPTH);
            object.insert(parameter.name.clone(), self.random.pick(&edges).clone());
        }
        Value::Object(object)
    }

    fn object<'s>(&mut self, members: impl Iterator<Item = &'s Shape>) -> Value {
        members.map(|member| (member.name.clone(), self.plain(member, DEPTH))).collect::<Map<_, _>>().into()
    }

    /// A value that the type allows.
    fn plain(&mut self, shape: &Shape, depth: usize) -> Value {
        if let Some(ids) = ids(shape) {
            // Mostly own ids, because refused commands test little.
            return if self.random.once_in(4) { (*self.random.pick(ids)).into() } else { ids[0].into() };
        }
        if let Some(reference) = &shape.reference {
            let Some(named) = self.protocol.named(reference).cloned() else { return json!("x") };
            return self.plain(&Shape { name: shape.name.clone(), ..named }, depth);
        }
        if !shape.values.is_empty() {
            return self.random.pick(&shape.values).as_str().into();
        }
        match shape.kind.as_deref() {
            Some("string") => self.text(&shape.name).into(),
            Some("integer") => (*self.random.pick(&[1, 1, 2, 3, 100])).into(),
            Some("number") => json!(*self.random.pick(&[1.0, 1.0, 0.5, 100.0])),
            Some("boolean") => self.random.once_in(2).into(),
            Some("binary") => "UVVFUlk=".into(),
            Some("array") if depth > 0 => match &shape.items {
                Some(items) => json!([self.plain(items, depth - 1)]),
                None => json!([1]),
            },
            Some("array") => json!([]),
            Some("object") if depth > 0 => {
                let members: Vec<_> =
                    shape.properties.iter().filter(|one| !one.optional || self.random.once_in(3)).collect();
                members
                    .into_iter()
                    .map(|one| (one.name.clone(), self.plain(one, depth - 1)))
                    .collect::<Map<_, _>>()
                    .into()
            }
            Some("object") => json!({}),
            _ => json!(1),
        }
    }

    /// A string for a parameter of this name.
    fn text(&mut self, name: &str) -> String {
        let lower = name.to_ascii_lowercase();
        let one = match lower.as_str() {
            "expression" | "functiondeclaration" | "scriptsource" | "source" | "script" => "(() => 1)",
            "origin" | "securityorigin" | "embeddedorigin" | "issuerorigin" => "@@site",
            // In Chrome's spelling.
            "storagekey" => "@@site/",
            "selector" | "nodename" => "body",
            "locale" => "de_DE",
            "timezoneid" => "Europe/Berlin",
            "message" => r#"{"id":1,"method":"Runtime.enable"}"#,
            "downloadpath" | "path" => "/proc/self/nowhere",
            _ if lower.contains("url") => return (*self.random.pick(&URLS[..5])).to_owned(),
            _ => "x",
        };
        one.to_owned()
    }

    /// Values at and beyond the limits of a type, and of other types.
    fn edges(&mut self, shape: &Shape, depth: usize) -> Vec<Value> {
        let mut edges = Vec::new();
        if let Some(ids) = ids(shape) {
            edges.extend(ids.iter().map(|id| Value::from(*id)));
            edges.extend([json!("DEAD"), json!(""), json!("F".repeat(32)), json!(0), json!(-1), json!(i32::MAX)]);
            return edges;
        }
        if let Some(reference) = &shape.reference {
            let Some(named) = self.protocol.named(reference).cloned() else { return vec![json!("x")] };
            return self.edges(&Shape { name: shape.name.clone(), ..named }, depth);
        }
        if !shape.values.is_empty() {
            edges.extend(shape.values.iter().map(|value| Value::from(value.as_str())));
            edges.extend([json!("no-such-value"), json!(0)]);
            return edges;
        }
        match shape.kind.as_deref() {
            Some("string") if shape.name.to_ascii_lowercase().contains("url") => {
                edges.extend(URLS.map(Value::from));
            }
            Some("string") => {
                edges.extend(STRINGS.map(Value::from));
                edges.push("A".repeat(70_000).into());
            }
            Some("integer") => {
                edges.extend([0, -1, 1, 2, 255, 65_536, 100_000_000].map(Value::from));
                edges.extend([json!(i32::MAX), json!(i32::MIN), json!(u32::MAX), json!(i64::MIN), json!(1.5)]);
            }
            Some("number") => {
                edges.extend([0.0, -0.0, -1.0, 0.5, 1e-300, 1e10, 1e308, -1e308].map(|number| json!(number)));
                edges.extend([json!(i32::MAX), json!(i64::MIN)]);
            }
            Some("boolean") => edges.extend([json!(true), json!(false)]),
            Some("binary") => edges.extend([json!(""), json!("!"), json!("A".repeat(70_000))]),
            Some("array") => {
                edges.extend([json!([]), json!([null])]);
                if let Some(items) = shape.items.as_ref().filter(|_| depth > 0) {
                    let one = self.plain(items, depth - 1);
                    edges.push(vec![one; 300].into());
                    edges.extend(self.edges(items, depth - 1).into_iter().map(|edge| json!([edge])));
                }
            }
            Some("object") if depth > 0 => {
                edges.push(json!({}));
                for property in &shape.properties {
                    for edge in self.edges(property, depth - 1) {
                        let mut object = self.object(shape.properties.iter().filter(|one| !one.optional));
                        object[&property.name] = edge;
                        edges.push(object);
                    }
                }
            }
            _ => {}
        }
        self.random.shuffle(&mut edges);
        edges.truncate(40);
        edges.extend([json!(null), json!("x"), json!([[]]), json!({ "a": {} })]);
        edges
    }
}

fn ids(shape: &Shape) -> Option<&'static [&'static str]> {
    let called = shape.reference.as_deref().unwrap_or(&shape.name);
    IDS.iter().find(|(end, _)| called.ends_with(end)).map(|(_, ids)| *ids)
}
