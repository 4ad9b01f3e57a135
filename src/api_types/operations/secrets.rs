//! Operations on secrets. `session/manager/secrets.rs` performs them, and `fill` and `type` use them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{Nothing, Secret, SecretInfo, SecretList, given},
    CommandResult::{Member, Output},
    Errors, Operation, PAGE_MOST, Rest, RestAnswer, RestInput, Row, Verb, operations,
};

operations! {
    /// A request about secrets.
    Secret, SecretRequest: ListSecrets, PutSecret, DeleteSecret,
}

/// An endpoint of one secret.
const OF_SECRET: Rest = Rest {
    verb: Verb::Get,
    path: "/v1/secrets/{id}",
    id: Some("secret"),
    second: None,
    input: RestInput::Path,
    answer: RestAnswer::Output,
    says: "The secret, without what it keeps.",
    tag: "secrets",
    errors: &[Errors::Secret],
};

/// Lists the secrets of this owner, without what they keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListSecrets {
    /// Most secrets on the page, 1 to 1000; 1000 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(range(min = 1, max = PAGE_MOST))]
    pub limit: Option<u32>,
    /// The `next` of the page before this one.
    #[serde(deserialize_with = "given")]
    pub cursor: Option<String>,
}

impl Operation for ListSecrets {
    type Output = SecretList;
    const ROW: Row = Row {
        name: "listSecrets",
        ghost: Some(Output),
        rest: Some(Rest {
            path: "/v1/secrets",
            id: None,
            input: RestInput::Query,
            says: "The secrets, without what they keep.",
            errors: &[Errors::Filter],
            ..OF_SECRET
        }),
    };
}

/// Stores a secret in memory, or replaces the one of this name. No request shows what it keeps: `fill` and `type` put it into
/// fields of documents of its origins.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutSecret {
    /// Its name: 1 to 64 ASCII letters, digits, `-`, `_` and `.`.
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]{1,64}$"))]
    pub secret: String,
    /// The text, such as a password, of 4 to 4096 characters.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>", length(min = 4, max = 4096), extend("writeOnly" = true))]
    pub value: Option<Secret>,
    /// The key for one-time passwords (RFC 6238): in Base32, or as a URL `otpauth://totp/…`.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub totp: Option<Secret>,
    /// The origins in whose documents it may be typed, such as `https://example.com` or `https://*.example.com`, which is
    /// all hosts below that name; 1 to 20.
    #[schemars(length(min = 1, max = 20))]
    pub origins: Vec<String>,
}

impl Operation for PutSecret {
    type Output = SecretInfo;
    const ROW: Row = Row {
        name: "putSecret",
        ghost: Some(Member("secret")),
        rest: Some(Rest {
            verb: Verb::Put,
            input: RestInput::NeededBody("PutSecret"),
            errors: &[Errors::Secret, Errors::Body],
            ..OF_SECRET
        }),
    };
}

/// Forgets a secret. Where it was typed, it stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteSecret {
    /// Its name.
    pub secret: String,
}

impl Operation for DeleteSecret {
    type Output = Nothing;
    const ROW: Row = Row {
        name: "deleteSecret",
        ghost: Some(Output),
        rest: Some(Rest {
            verb: Verb::Delete,
            answer: RestAnswer::Nothing,
            says: "The secret is forgotten.",
            ..OF_SECRET
        }),
    };
}
