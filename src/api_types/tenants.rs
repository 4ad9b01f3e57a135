//! What an operator sees of the tenants and their tokens, and gives them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Capability, Millis, Secret, given, whole};

/// Most of a number of bytes or snapshots: as of a size in the settings.
pub const BYTES_MOST: u64 = 1 << 50;

/// Whose sessions may be in the same Chrome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sharing {
    /// those of all tenants that allow it.
    #[default]
    All,
    /// those of the same tenant.
    Tenant,
    /// no others.
    Session,
}

/// The limits of a tenant. One that is absent does not limit beyond the settings of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TenantLimits {
    /// Most sessions at a time, parked ones included.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    pub max_sessions: Option<u32>,
    /// Most sessions that start within a minute.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    pub sessions_per_minute: Option<u32>,
    /// Most places of the queue that its requests may take, in percent.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    pub queue_share: Option<u32>,
    /// Most pages of one session at a time.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    pub pages_per_session: Option<u32>,
    /// Most CDP sessions of the clients of one session at a time.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    pub cdp_sessions_per_session: Option<u32>,
    /// Most commands of its clients in a second, all sessions together.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    pub commands_per_second: Option<u32>,
    /// Most bytes from its clients in a second, all sessions together.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schemars(with = "Option<u32>", range(min = 0, max = 1_125_899_906_842_624_u64))]
    pub bytes_per_second: Option<u64>,
    /// Most snapshots that it may keep.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schemars(with = "Option<u32>", range(min = 0, max = 1_125_899_906_842_624_u64))]
    pub max_snapshots: Option<u64>,
    /// Most bytes of disk that the files of its sessions may take together.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schemars(with = "Option<u32>", range(min = 0, max = 1_125_899_906_842_624_u64))]
    pub max_file_bytes: Option<u64>,
    /// Most bytes that the pages of one session may send and load together.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schemars(with = "Option<u32>", range(min = 0, max = 1_125_899_906_842_624_u64))]
    pub egress_bytes_per_session: Option<u64>,
    /// Most bytes that the pages of all its sessions may send and load together on a day (UTC).
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schemars(with = "Option<u32>", range(min = 0, max = 1_125_899_906_842_624_u64))]
    pub egress_bytes_per_day: Option<u64>,
    /// Longest time that a session may last.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub max_session_time: Option<Millis>,
    /// Whose sessions may be in the same Chrome as its own; `all` if absent.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub sharing: Option<Sharing>,
    /// Share of processor time of its browsers, 1 to 10000, if it does not share them; 100 is the usual one.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schemars(range(min = 1, max = 10_000))]
    pub cpu_weight: Option<u32>,
    /// Most bytes of memory of each of its browsers, if it does not share them.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schemars(with = "Option<u32>", range(min = 268_435_456, max = 1_125_899_906_842_624_u64))]
    pub browser_memory_max: Option<u64>,
}

/// What the sessions of a tenant may connect to, on a server that limits it (`docs/egress.md`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TenantEgress {
    /// The only hosts; all if absent.
    #[serde(deserialize_with = "given")]
    pub allow: Option<Vec<String>>,
    /// Hosts that are taken out.
    pub deny: Vec<String>,
    /// The ports, such as `80,443`; those of the server if absent.
    #[serde(deserialize_with = "given")]
    pub ports: Option<String>,
    /// The proxy through which they leave, `http://USER:PASSWORD@HOST:PORT` or `socks5://…`; none if absent. The text that
    /// `getTenant` shows stands for the proxy that the tenant has.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub proxy: Option<Secret>,
}

/// What the sessions of a tenant may connect to, without the secrets of its proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TenantEgressInfo {
    /// The only hosts; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
    /// Hosts that are taken out.
    pub deny: Vec<String>,
    /// The ports; those of the server if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<String>,
    /// The proxy through which they leave, with `***` in place of user and password; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TenantInfo {
    /// Its name.
    pub name: String,
    /// What its sessions may do beyond driving their own pages.
    pub capabilities: Vec<Capability>,
    /// How much it may use.
    pub limits: TenantLimits,
    /// What its sessions may connect to.
    pub egress: TenantEgressInfo,
}

/// One page of the tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TenantList {
    /// The tenants, by name.
    pub tenants: Vec<TenantInfo>,
    /// The `cursor` of the next page; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A token of a tenant, without its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TokenInfo {
    /// Its number, by which logs name it. It gives no access.
    pub id: String,
    /// Its name, unique for the tenant.
    pub name: String,
    /// What it may be used for: `all`, `read-only` or `session:ID`.
    pub scope: String,
    /// From then on it is refused; absent if never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub expires: Option<String>,
    /// Whether it has expired.
    #[serde(rename = "isExpired")]
    pub is_expired: bool,
    /// The networks from which it is accepted; all if empty.
    pub from: Vec<String>,
    /// When it was made; absent if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub created: Option<String>,
}

/// The tokens of a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TokenList {
    /// The tokens, by name.
    pub tokens: Vec<TokenInfo>,
    /// The `cursor` of the next page; absent if this is the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The text of a token. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct TokenText(pub String);

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A token that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IssuedToken {
    /// The token itself. It is shown only now: the server keeps its SHA-256 alone.
    #[schemars(with = "String")]
    pub token: TokenText,
    /// Its tenant.
    pub tenant: String,
    /// What is known of it from now on.
    pub info: TokenInfo,
}
