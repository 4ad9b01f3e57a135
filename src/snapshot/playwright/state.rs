//! The types of a `storageState`.

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::{cdp::json_string::JsonString, snapshot::record::Raw};

#[derive(Serialize, Deserialize)]
#[serde(expecting = "an object with cookies and origins")]
pub(super) struct State {
    pub(super) cookies: Option<Vec<StateCookie>>,
    pub(super) origins: Option<Vec<Origin>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StateCookie {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) domain: String,
    pub(super) path: String,
    pub(super) expires: Number,
    pub(super) http_only: bool,
    pub(super) secure: bool,
    pub(super) same_site: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) partition_key: Option<String>,
    #[serde(default, rename = "_crHasCrossSiteAncestor", skip_serializing_if = "Option::is_none")]
    pub(super) has_cross_site_ancestor: Option<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Origin {
    #[serde(rename = "origin")]
    pub(super) url: String,
    #[serde(default)]
    pub(super) local_storage: Vec<Item>,
    #[serde(default, rename = "indexedDB", skip_serializing_if = "Vec::is_empty")]
    pub(super) indexed_db: Vec<StateDatabase>,
    /// Files of the origin private file system: not part of a snapshot.
    #[serde(default, skip_serializing)]
    pub(super) opfs: Vec<Raw>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) name: JsonString,
    pub(super) value: JsonString,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StateDatabase {
    pub(super) name: JsonString,
    pub(super) version: u64,
    pub(super) stores: Vec<StateStore>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StateStore {
    pub(super) name: JsonString,
    pub(super) auto_increment: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_path: Option<Raw>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_path_array: Option<Raw>,
    pub(super) records: Vec<StateRow>,
    pub(super) indexes: Vec<StateIndex>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StateRow {
    // `null` is a value here, and differs from an absent member.
    #[serde(default, deserialize_with = "there", skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Raw>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_encoded: Option<Raw>,
    #[serde(default, deserialize_with = "there", skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Raw>,
    #[serde(default, deserialize_with = "there", skip_serializing_if = "Option::is_none")]
    pub(super) value_encoded: Option<Raw>,
}

fn there<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Raw>, D::Error> {
    Raw::deserialize(from).map(Some)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StateIndex {
    pub(super) name: JsonString,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_path: Option<Raw>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_path_array: Option<Raw>,
    pub(super) multi_entry: bool,
    pub(super) unique: bool,
}
