//! Operations by which an operator manages tenants and their tokens. `session/manager/tenants.rs` performs them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{
        Capability, IssuedToken, Nothing, TenantEgress, TenantInfo, TenantLimits, TenantList, TokenInfo, TokenList,
        given,
    },
    Errors, Operation, PAGE_MOST, Rest, RestAnswer, RestInput, Row, Verb, operations,
    server::OF_SERVER,
};

operations! {
    /// A request about tenants and tokens. No client of a session can make one.
    Tenant, TenantRequest:
        ListTenants, GetTenant, PutTenant, DeleteTenant, ListTokens, CreateToken, GetToken, RevokeToken,
}

/// An endpoint that shows a tenant.
const OF_TENANT: Rest = Rest {
    path: "/v1/tenants/{id}",
    id: Some("tenant"),
    says: "The tenant.",
    tag: "tenants",
    errors: &[Errors::Tenant],
    ..OF_SERVER
};

/// An endpoint that shows a token of a tenant.
const OF_TOKEN: Rest = Rest {
    path: "/v1/tenants/{id}/tokens/{token}",
    second: Some("token"),
    says: "The token, without its text.",
    ..OF_TENANT
};

/// Lists the tenants that are in force. A server without tokens has one, `local`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListTenants {
    /// Most tenants on the page; 100 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(deserialize_with = "given")]
    pub cursor: Option<String>,
}

impl Operation for ListTenants {
    type Output = TenantList;
    const ROW: Row = Row {
        name: "listTenants",
        ghost: None,
        rest: Some(Rest {
            path: "/v1/tenants",
            id: None,
            input: RestInput::Query,
            says: "The tenants.",
            errors: &[Errors::Filter],
            ..OF_TENANT
        }),
    };
}

/// Shows a tenant: its capabilities and limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GetTenant {
    /// The name of the tenant.
    pub tenant: String,
}

impl Operation for GetTenant {
    type Output = TenantInfo;
    const ROW: Row = Row { name: "getTenant", ghost: None, rest: Some(OF_TENANT) };
}

/// Gives a tenant these capabilities and limits, instead of those that it has; its tokens stay, and without `egress` what its
/// sessions may connect to. A tenant that does not exist is added. The file of tenants is changed, and the change is in force when the answer comes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PutTenant {
    /// The name of the tenant: 1 to 64 ASCII letters, digits, `-`, `_` and `.`.
    pub tenant: String,
    /// What its sessions may do beyond driving their own pages; nothing if absent. `admin` may do everything here.
    pub capabilities: Vec<Capability>,
    /// How much it may use; no limits if absent.
    pub limits: TenantLimits,
    /// What its sessions may connect to; as before if absent.
    #[serde(deserialize_with = "given")]
    pub egress: Option<TenantEgress>,
}

impl Operation for PutTenant {
    type Output = TenantInfo;
    const ROW: Row = Row {
        name: "putTenant",
        ghost: None,
        rest: Some(Rest {
            verb: Verb::Put,
            input: RestInput::NeededBody("TenantDefinition"),
            answer: RestAnswer::FoundOrCreated,
            errors: &[Errors::Body, Errors::Tenant, Errors::TenantChange],
            ..OF_TENANT
        }),
    };

    fn created(tenant: &TenantInfo) -> Option<String> {
        Some(format!("/v1/tenants/{}", tenant.name))
    }
}

/// Removes a tenant and its tokens. Its sessions end; its snapshots stay until they expire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeleteTenant {
    /// The name of the tenant.
    pub tenant: String,
}

impl Operation for DeleteTenant {
    type Output = Nothing;
    const ROW: Row = Row {
        name: "deleteTenant",
        ghost: None,
        rest: Some(Rest {
            verb: Verb::Delete,
            answer: RestAnswer::Nothing,
            says: "It is removed.",
            errors: &[Errors::Tenant, Errors::TenantChange],
            ..OF_TENANT
        }),
    };
}

/// Lists the tokens of a tenant, without their texts. Those that have expired are listed too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListTokens {
    /// The name of the tenant.
    pub tenant: String,
    /// Most tokens on the page, 1 to 1000; 1000 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(range(min = 1, max = PAGE_MOST))]
    pub limit: Option<u32>,
    /// The `next` of the page before this one.
    #[serde(deserialize_with = "given")]
    pub cursor: Option<String>,
}

impl Operation for ListTokens {
    type Output = TokenList;
    const ROW: Row = Row {
        name: "listTokens",
        ghost: None,
        rest: Some(Rest {
            path: "/v1/tenants/{id}/tokens",
            input: RestInput::Query,
            says: "The tokens.",
            errors: &[Errors::Filter, Errors::Tenant],
            ..OF_TENANT
        }),
    };
}

/// Makes a token for a tenant that exists, and answers its text, this one time. It is accepted when the answer comes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CreateToken {
    /// The name of the tenant.
    pub tenant: String,
    /// The name of the token, unique for the tenant; the begin of its SHA-256 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    pub name: Option<String>,
    /// From then on it is refused; never if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(extend("format" = "date-time"))]
    pub expires: Option<String>,
    /// What it may be used for: `all`, also if absent; `read-only`: lists and figures; `session:ID`: one session alone.
    #[serde(deserialize_with = "given")]
    #[schemars(length(max = 200), regex(pattern = "^(all|read-only|session:[A-Za-z0-9._~-]+)$"))]
    pub scope: Option<String>,
    /// Networks such as `10.0.0.0/8`, or addresses, from which it is accepted; all if absent.
    #[schemars(length(max = 100))]
    pub from: Vec<String>,
}

impl Operation for CreateToken {
    type Output = IssuedToken;
    const ROW: Row = Row {
        name: "createToken",
        ghost: None,
        rest: Some(Rest {
            verb: Verb::Post,
            path: "/v1/tenants/{id}/tokens",
            input: RestInput::Body("TokenDefinition"),
            answer: RestAnswer::CreatedOne,
            says: "The token, with its text.",
            errors: &[Errors::Body, Errors::Tenant, Errors::TenantChange],
            ..OF_TENANT
        }),
    };

    fn created(IssuedToken { tenant, info, .. }: &IssuedToken) -> Option<String> {
        Some(format!("/v1/tenants/{tenant}/tokens/{}", info.id))
    }
}

/// Shows a token of a tenant, without its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GetToken {
    /// The name of the tenant.
    pub tenant: String,
    /// The id of the token, or its name.
    pub token: String,
}

impl Operation for GetToken {
    type Output = TokenInfo;
    const ROW: Row = Row { name: "getToken", ghost: None, rest: Some(OF_TOKEN) };
}

/// Revokes a token: from the answer on it is not accepted, and its connections end with 4003.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RevokeToken {
    /// The name of the tenant.
    pub tenant: String,
    /// The id of the token, or its name.
    pub token: String,
}

impl Operation for RevokeToken {
    type Output = Nothing;
    const ROW: Row = Row {
        name: "revokeToken",
        ghost: None,
        rest: Some(Rest {
            verb: Verb::Delete,
            answer: RestAnswer::Nothing,
            says: "It is revoked.",
            errors: &[Errors::Tenant, Errors::TenantChange],
            ..OF_TOKEN
        }),
    };
}
