//! Commands of the `ghost` domain about the CDP session that they are sent on. The virtual browser answers them, and no
//! other interface has them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::{Millis, Schemas, ShapeOf, given};

/// Turns the events of this domain on, for the CDP session on which it is sent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Enable {
    /// How long before a deadline `sessionExpiring` is sent. 30 s if absent.
    #[serde(deserialize_with = "given")]
    pub expiring_notice: Option<Millis>,
}

/// Turns the events of this domain off.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Disable {}

/// The commands: name, and schema of the input.
pub const OF_THE_CONNECTION: [(&str, ShapeOf); 2] =
    [("enable", Schemas::input::<Enable>), ("disable", Schemas::input::<Disable>)];
