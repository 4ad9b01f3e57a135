//! Why a request is not accepted.

use super::token::TokenNumber;

/// Why a request is not accepted. A caller is told only [`Denied::says`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The request has no token.
    Missing,
    /// A character of the token is missing or mistyped.
    Mistyped,
    /// No tenant has this token, or no token made this key.
    Unknown,
    /// The token has expired.
    Expired(TokenNumber),
    /// The token is not accepted from this network.
    Network(TokenNumber),
    /// The copy of the tenants is too old to tell whether the token is valid: their Redis does not answer.
    Stale,
}

impl Denied {
    /// What the caller is told: alike for all but what it can see itself.
    pub fn says(&self) -> &'static str {
        match self {
            Self::Missing => {
                "this server needs a token: Authorization: Bearer TOKEN, x-api-key: TOKEN, or ?token=TOKEN"
            }
            Self::Mistyped => "this is not a token: a character is missing or mistyped",
            Self::Unknown | Self::Expired(_) | Self::Network(_) => "this token is not valid here",
            Self::Stale => {
                "tokens cannot be checked now: where this server reads its tenants does not answer (tenants_max_stale); try \
                 again later"
            }
        }
    }

    /// The reason, for the audit log.
    pub fn why(&self) -> &'static str {
        match self {
            Self::Missing => "no token",
            Self::Mistyped => "mistyped",
            Self::Unknown => "unknown",
            Self::Expired(_) => "expired",
            Self::Network(_) => "network",
            Self::Stale => "stale",
        }
    }
}
