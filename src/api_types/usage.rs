//! What tenants have used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Millis;

/// How usage is summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UsageBy {
    /// one row for each tenant.
    #[default]
    Tenant,
    /// one row for each tenant and day.
    Day,
}

/// What a tenant has used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantUsage {
    /// The tenant.
    pub tenant: String,
    /// The day in UTC, such as `2026-11-27`; absent if the row is for all days.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(extend("format" = "date"))]
    pub day: Option<String>,
    /// Time of its sessions that have ended.
    pub session_time: Millis,
    /// Its share of the processor time of the browsers: that of a browser is divided among the sessions in it.
    pub cpu_time: Millis,
    /// Bytes from clients, of sessions that have ended.
    pub bytes_in: u64,
    /// Bytes to clients, of sessions that have ended.
    pub bytes_out: u64,
    /// Bytes from the pages of sessions that have ended, if the server limits what they connect to (`egress`).
    pub egress_up: u64,
    /// Bytes to those pages.
    pub egress_down: u64,
    /// Sessions that began.
    pub starts: u64,
    /// Most sessions at a time.
    pub peak: u64,
    /// Sessions that were refused.
    pub refused: u64,
}

/// What tenants have used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantUsages {
    /// The rows, by day and tenant.
    pub usage: Vec<TenantUsage>,
    /// The `cursor` of the next page; absent if this is the last one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}
