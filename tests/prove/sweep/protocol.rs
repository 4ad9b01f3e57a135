//! The protocol of the running browser, as far as arguments are generated from it.

use std::collections::HashMap;

use serde::Deserialize;

/// A member of `parameters` or `properties`, or a type: the protocol describes all three alike.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shape {
    /// The name of a parameter or property.
    pub(crate) name: String,
    /// The id of a type.
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    #[serde(rename = "$ref")]
    pub(crate) reference: Option<String>,
    #[serde(rename = "enum")]
    pub(crate) values: Vec<String>,
    pub(crate) optional: bool,
    pub(crate) items: Option<Box<Shape>>,
    pub(crate) properties: Vec<Shape>,
}

#[derive(Deserialize)]
struct Document {
    domains: Vec<Domain>,
}

#[derive(Deserialize)]
struct Domain {
    #[serde(rename = "domain")]
    name: String,
    #[serde(default)]
    types: Vec<Shape>,
    #[serde(default)]
    commands: Vec<CommandShape>,
}

#[derive(Deserialize)]
struct CommandShape {
    name: String,
    #[serde(default)]
    parameters: Vec<Shape>,
}

/// One command.
#[derive(Debug)]
pub(crate) struct Method {
    /// `Domain.name`
    pub(crate) name: String,
    pub(crate) parameters: Vec<Shape>,
}

/// All methods, and all types by `Domain.Type`.
#[derive(Debug)]
pub(crate) struct Protocol {
    pub(crate) methods: Vec<Method>,
    types: HashMap<String, Shape>,
}

impl Protocol {
    pub(crate) fn read(text: &str) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_str(text)?;
        let (mut methods, mut types) = (Vec::new(), HashMap::new());
        for domain in document.domains {
            let own = domain.name;
            let full = |mut shape: Shape| {
                shape.qualify(&own);
                shape
            };
            types.extend(domain.types.into_iter().map(|shape| (format!("{own}.{}", shape.id), full(shape))));
            methods.extend(domain.commands.into_iter().map(|command| Method {
                name: format!("{own}.{}", command.name),
                parameters: command.parameters.into_iter().map(full).collect(),
            }));
        }
        methods.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { methods, types })
    }

    /// The type with this reference.
    pub(crate) fn named(&self, reference: &str) -> Option<&Shape> {
        self.types.get(reference)
    }
}

impl Shape {
    /// Adds the domain's name to references within the domain.
    fn qualify(&mut self, domain: &str) {
        if let Some(reference) = &mut self.reference
            && !reference.contains('.')
        {
            *reference = format!("{domain}.{reference}");
        }
        self.items.iter_mut().for_each(|items| items.qualify(domain));
        self.properties.iter_mut().for_each(|property| property.qualify(domain));
    }
}
