//! What stands in a page's form fields, out of CDP's snapshot of its document: no script of ours runs in the page.

use serde::Deserialize;

use super::{
    Problem,
    record::{Field, Raw},
};

#[derive(Deserialize)]
struct Snapshot {
    documents: Vec<Document>,
    strings: Vec<Raw>,
}

#[derive(Deserialize)]
struct Document {
    nodes: Nodes,
}

#[derive(Default, Deserialize)]
struct Rare {
    index: Vec<usize>,
    #[serde(default)]
    value: Vec<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Nodes {
    parent_index: Vec<i64>,
    node_name: Vec<usize>,
    #[serde(default)]
    attributes: Vec<Vec<i64>>,
    #[serde(default)]
    shadow_root_type: Rare,
    #[serde(default)]
    text_value: Rare,
    #[serde(default)]
    input_value: Rare,
    #[serde(default)]
    input_checked: Rare,
    #[serde(default)]
    option_selected: Rare,
}

/// The form fields of the page's own document, out of a `DOMSnapshot`.
pub(super) fn read(snapshot: &str) -> Result<Vec<Field>, Problem> {
    let read: Snapshot =
        serde_json::from_str(snapshot).map_err(|error| Problem::Script(format!("Chrome's answer: {error}")))?;
    let Some(Document { nodes }) = read.documents.into_iter().next() else { return Ok(Vec::new()) };
    let strings = &read.strings;
    let text = |at: i64| usize::try_from(at).ok().and_then(|at| strings.get(at));
    let is = |at: i64, what: &str| text(at).is_some_and(|text| text.get().trim_matches('"').eq_ignore_ascii_case(what));
    let value_of = |rare: &Rare, node: usize| {
        let at = rare.index.iter().position(|at| *at == node)?;
        rare.value.get(at).and_then(|at| text(*at)).cloned()
    };
    // What is below a shadow root is not in the document's own order.
    let mut below_shadow = vec![false; nodes.node_name.len()];
    for node in 0..below_shadow.len() {
        let parent = nodes.parent_index.get(node).and_then(|parent| usize::try_from(*parent).ok());
        let is_below = parent.is_some_and(|parent| below_shadow.get(parent) == Some(&true));
        below_shadow[node] = is_below || nodes.shadow_root_type.index.contains(&node);
    }
    let mut fields = Vec::new();
    let mut number = 0;
    for (node, name) in nodes.node_name.iter().enumerate() {
        let Some(tag) = ["INPUT", "TEXTAREA", "OPTION"].into_iter().find(|tag| is(name.cast_signed() as i64, tag))
        else {
            continue;
        };
        if below_shadow[node] {
            continue;
        }
        let at = number;
        number += 1;
        let attributes = nodes.attributes.get(node).map(Vec::as_slice).unwrap_or_default();
        let type_is =
            |kind: &str| attributes.chunks(2).any(|pair| is(pair[0], "type") && pair.len() == 2 && is(pair[1], kind));
        if tag == "INPUT" && ["file", "hidden", "submit", "button", "image", "reset"].iter().any(|kind| type_is(kind)) {
            continue;
        }
        let checkable = tag == "INPUT" && (type_is("checkbox") || type_is("radio"));
        fields.push(Field {
            number: at,
            tag: tag.to_owned(),
            value: match tag {
                "INPUT" if !checkable => value_of(&nodes.input_value, node),
                "TEXTAREA" => value_of(&nodes.text_value, node),
                _ => None,
            },
            checked: checkable.then(|| nodes.input_checked.index.contains(&node)),
            selected: (tag == "OPTION").then(|| nodes.option_selected.index.contains(&node)),
        });
    }
    Ok(fields)
}
