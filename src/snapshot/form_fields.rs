//! Reads a page's form fields from CDP's snapshot of its document: no script of the proxy runs in the page.

use std::collections::HashMap;

use serde::Deserialize;

use super::record::Field;
use crate::{browser::commands::commands, cdp::json_string::JsonString};

commands! {
    "DOMSnapshot.captureSnapshot" = CaptureSnapshot { computed_styles: [&'static str; 0] } -> DomSnapshot;
}

/// The result of `DOMSnapshot.captureSnapshot`.
#[derive(Deserialize)]
pub(crate) struct DomSnapshot {
    documents: Vec<Document>,
    strings: Vec<JsonString>,
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

impl Rare {
    /// For each of `nodes` nodes, whether it is in the list.
    fn among(&self, nodes: usize) -> Vec<bool> {
        let mut among = vec![false; nodes];
        for at in &self.index {
            if let Some(is_in) = among.get_mut(*at) {
                *is_in = true;
            }
        }
        among
    }

    /// The value of each node that has one.
    fn values(&self) -> HashMap<usize, i64> {
        // The first value of a node, if it has several.
        self.index.iter().copied().zip(self.value.iter().copied()).rev().collect()
    }
}

impl DomSnapshot {
    /// The number of nodes of the page's own document.
    pub(super) fn nodes(&self) -> usize {
        self.documents.first().map_or(0, |document| document.nodes.node_name.len())
    }
}

/// The first `most` form fields of the page's own document, and the number of further ones. The duration is linear in
/// the number of nodes.
pub(super) fn read(snapshot: DomSnapshot, most: usize) -> (Vec<Field>, usize) {
    let Some(Document { nodes }) = snapshot.documents.into_iter().next() else { return (Vec::new(), 0) };
    let strings = &snapshot.strings;
    let text = |at: i64| usize::try_from(at).ok().and_then(|at| strings.get(at));
    let is = |at: i64, what: &str| text(at).is_some_and(|text| text.get().trim_matches('"').eq_ignore_ascii_case(what));
    let all = nodes.node_name.len();
    let (shadow_roots, checked) = (nodes.shadow_root_type.among(all), nodes.input_checked.among(all));
    let selected = nodes.option_selected.among(all);
    let (texts, inputs) = (nodes.text_value.values(), nodes.input_value.values());
    let value_of = |values: &HashMap<usize, i64>, node: usize| text(*values.get(&node)?).cloned();
    // Nodes below a shadow root are not in the document's own order.
    let mut below_shadow = vec![false; all];
    for node in 0..all {
        let parent = nodes.parent_index.get(node).and_then(|parent| usize::try_from(*parent).ok());
        let is_below = parent.is_some_and(|parent| below_shadow.get(parent) == Some(&true));
        below_shadow[node] = is_below || shadow_roots[node];
    }
    let (mut fields, mut number, mut more) = (Vec::new(), 0, 0);
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
        if fields.len() == most {
            more += 1;
            continue;
        }
        let checkable = tag == "INPUT" && (type_is("checkbox") || type_is("radio"));
        fields.push(Field {
            number: at,
            tag: tag.to_owned(),
            value: match tag {
                "INPUT" if !checkable => value_of(&inputs, node),
                "TEXTAREA" => value_of(&texts, node),
                _ => None,
            },
            checked: checkable.then(|| checked[node]),
            selected: (tag == "OPTION").then(|| selected[node]),
        });
    }
    (fields, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_fields_are_limited_and_the_rest_is_counted() {
        let snapshot = r#"{"strings":["INPUT","type","checkbox","text","DIV"],"documents":[{"nodes":{
            "parentIndex":[-1,0,0,0,0],"nodeName":[4,0,0,0,0],
            "attributes":[[],[1,2],[1,2],[1,3],[1,2]],
            "inputChecked":{"index":[2]},"inputValue":{"index":[3],"value":[3]}}}]}"#;
        let (fields, more) = read(serde_json::from_str(snapshot).expect("a snapshot"), 3);
        let read: Vec<_> = fields.iter().map(|field| (field.number, field.checked, field.value.is_some())).collect();
        assert_eq!(read, [(0, Some(false), false), (1, Some(true), false), (2, None, true)]);
        assert_eq!(more, 1);
    }
}
