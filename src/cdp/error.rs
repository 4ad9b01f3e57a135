//! A CDP error: what a client gets instead of a result, in Chrome's own codes and words wherever it has them.

use std::borrow::Cow;

use super::message::Failure;

/// `{"code":…,"message":"…","data":"…"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CdpError {
    /// JSON-RPC's code, as Chrome uses them.
    pub code: i32,
    /// What happened.
    pub message: Cow<'static, str>,
    /// Details, where Chrome gives some.
    pub data: Option<String>,
}

impl CdpError {
    /// A command for a CDP session that is not there.
    pub const NO_SESSION: Self = Self::new(-32001, "Session with given id not found.");
    /// A command that only a browser-level CDP session may send.
    pub const NOT_ALLOWED: Self = Self::new(-32000, "Not allowed");
    /// Parameters that cannot be read.
    pub const INVALID: Self = Self::new(-32602, "Invalid parameters");

    /// An error with fixed words.
    pub const fn new(code: i32, message: &'static str) -> Self {
        Self { code, message: Cow::Borrowed(message), data: None }
    }

    /// A server error (`-32000`).
    pub fn server(message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: -32000, message: message.into(), data: None }
    }

    /// Invalid parameters (`-32602`) in words of their own.
    pub fn params(message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: -32602, message: message.into(), data: None }
    }

    /// An unknown method (`-32601`).
    pub fn no_method(method: &str) -> Self {
        Self { code: -32601, message: format!("'{method}' wasn't found").into(), data: None }
    }
}

impl From<Failure<'_>> for CdpError {
    fn from(error: Failure<'_>) -> Self {
        Self { code: error.code, message: error.message.into_owned().into(), data: error.data.map(Cow::into_owned) }
    }
}
