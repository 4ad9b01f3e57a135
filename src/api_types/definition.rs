//! The `ghost` domain as data. `fixtures/ghost.json` and the TypeScript declarations are made from it, and tests compare
//! results with it.

use serde::{Deserialize, Serialize};

use super::DEFINITION;
use crate::cdp::json_object::JsonObject;

/// A domain of the protocol, in the protocol's own JSON format.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// Its name, which precedes that of its commands and events.
    pub domain: String,
    /// The description.
    pub description: String,
    /// The types that members refer to by id.
    pub types: Vec<Type>,
    /// The commands.
    pub commands: Vec<Command>,
    /// The events.
    pub events: Vec<Event>,
}

/// A type with an id.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Type {
    /// Its name in the domain.
    pub id: String,
    /// The description.
    pub description: String,
    /// `string`, `number`, `object`, or `any` for a type that another program defines.
    #[serde(rename = "type")]
    pub kind: String,
    /// The possible values of a string; empty if any string is possible.
    #[serde(rename = "enum", default)]
    pub variants: Vec<String>,
    /// The members of an object; one without any has string values under any key.
    #[serde(default)]
    pub properties: Vec<Member>,
}

/// A command and its answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Its name in the domain.
    pub name: String,
    /// The description.
    pub description: String,
    /// The parameters.
    #[serde(default)]
    pub parameters: Vec<Member>,
    /// The members of the result.
    #[serde(default)]
    pub returns: Vec<Member>,
}

/// An event.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Its name in the domain.
    pub name: String,
    /// The description: when it is sent.
    pub description: String,
    /// The parameters.
    #[serde(default)]
    pub parameters: Vec<Member>,
}

/// A member of an object.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its key.
    pub name: String,
    /// The description, unless the type has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it may be absent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
    /// The id of its type; absent if `kind` is present.
    #[serde(rename = "$ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// `string`, `number`, `integer`, `boolean` or `array`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The type of the items of an array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Items>,
}

/// The type of the items of an array: a type of the domain, or a plain one.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Items {
    /// The id of its type; absent if `kind` is present.
    #[serde(rename = "$ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// `string`, `number`, `integer` or `boolean`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Domain {
    /// The `ghost` domain.
    ///
    /// # Panics
    ///
    /// If the file that was compiled in is not a domain. The tests exclude that.
    pub fn ghost() -> Self {
        serde_json::from_str(DEFINITION).expect("fixtures/ghost.json is a domain")
    }

    /// The type of this id.
    pub fn type_of(&self, id: &str) -> Option<&Type> {
        self.types.iter().find(|kind| kind.id == id)
    }

    /// The command of this name, without the domain's.
    pub fn command(&self, name: &str) -> Option<&Command> {
        self.commands.iter().find(|command| command.name == name)
    }

    /// The event of this name, without the domain's.
    pub fn event(&self, name: &str) -> Option<&Event> {
        self.events.iter().find(|event| event.name == name)
    }
}

/// Chrome's protocol with the `ghost` domain added after Chrome's own domains, which are not changed. `None` if the text is
/// not a protocol.
pub fn merged(chromes: &str) -> Option<String> {
    let mut protocol = JsonObject::read(chromes)?;
    let domains = protocol.get("domains")?.trim_end().strip_suffix(']')?.trim_end();
    let comma = if domains == "[" { "" } else { ", " };
    let domains = format!("{domains}{comma}{}]", DEFINITION.trim_end());
    protocol.set_raw("domains", domains);
    Some(protocol.to_string())
}
