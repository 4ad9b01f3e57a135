//! Checks messages of a real server against `fixtures/ghost.json`.

use ghostmux::api_types::{Domain, Member};
use serde_json::Value;

/// Fails the test unless the value has this type of the domain.
pub(crate) fn is_a(id: &str, value: &Value) {
    let result = Validator(Domain::ghost()).named(id, value);
    result.unwrap_or_else(|why| panic!("the value is not a ghost.{id}: {why}\n{value:#}"));
}

/// Fails the test unless the value is a result of this command or the `params` of this event.
pub(crate) fn is_of(method: &str, value: &Value) {
    let domain = Domain::ghost();
    let name = method.strip_prefix("ghost.").expect("a name of the domain");
    let command = domain.command(name).map(|command| command.returns.clone());
    let event = domain.event(name).map(|event| event.parameters.clone());
    let members = command.or(event).unwrap_or_else(|| panic!("no {method} in the definition"));
    let result = Validator(domain).object(&members, value);
    result.unwrap_or_else(|why| panic!("the value does not match {method}: {why}\n{value:#}"));
}

struct Validator(Domain);

impl Validator {
    fn named(&self, id: &str, value: &Value) -> Result<(), String> {
        let kind = self.0.type_of(id).ok_or_else(|| format!("no type {id}"))?;
        if !kind.properties.is_empty() {
            return self.object(&kind.properties, value);
        }
        if kind.kind == "object" {
            let texts = value.as_object().is_some_and(|members| members.values().all(Value::is_string));
            return texts.then_some(()).ok_or_else(|| format!("{value} is no object of texts"));
        }
        plain(&kind.kind, value)?;
        let is_known = |text: &str| kind.variants.is_empty() || kind.variants.iter().any(|variant| variant == text);
        value
            .as_str()
            .is_none_or(is_known)
            .then_some(())
            .ok_or_else(|| format!("{value} is none of {:?}", kind.variants))
    }

    fn object(&self, members: &[Member], value: &Value) -> Result<(), String> {
        let object = value.as_object().ok_or_else(|| format!("{value} is no object"))?;
        if let Some(unknown) = object.keys().find(|key| members.iter().all(|member| member.name != **key)) {
            return Err(format!("{unknown} is not in the definition"));
        }
        for member in members {
            let name = &member.name;
            let Some(value) = object.get(name) else {
                if member.optional {
                    continue;
                }
                return Err(format!("{name} is missing"));
            };
            let result = match (&member.reference, &member.items) {
                (Some(id), _) => self.named(id, value),
                (None, Some(items)) => {
                    let values = value.as_array().ok_or_else(|| format!("{name} is no array"))?;
                    values.iter().try_for_each(|item| match &items.reference {
                        Some(id) => self.named(id, item),
                        None => plain(items.kind.as_deref().expect("a type"), item),
                    })
                }
                (None, None) => plain(member.kind.as_deref().expect("a type"), value),
            };
            result.map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(())
    }
}

fn plain(kind: &str, value: &Value) -> Result<(), String> {
    let is_so = match kind {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "any" => true,
        other => return Err(format!("{other} is a type that this check does not know")),
    };
    is_so.then_some(()).ok_or_else(|| format!("{value} is no {kind}"))
}
