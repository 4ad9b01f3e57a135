//! CDP errors: what a client gets instead of a result, with Chrome's own codes and texts where they
//! exist.

use std::borrow::Cow;

use super::message::Failure;

/// `{"code":…,"message":"…","data":"…"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CdpError {
    /// The code of JSON-RPC, as Chrome uses it.
    pub code: i32,
    /// The text.
    pub message: Cow<'static, str>,
    /// Details, for errors that have some.
    pub data: Option<String>,
}

impl CdpError {
    /// For a command on an unknown CDP session.
    pub const NO_SESSION: Self = Self::new(-32001, "Session with given id not found.");
    /// For a command that only a browser-level CDP session may send.
    pub const NOT_ALLOWED: Self = Self::new(-32000, "Not allowed");
    /// For parameters that cannot be parsed.
    pub const INVALID: Self = Self::new(-32602, "Invalid parameters");

    /// An error with a fixed text.
    pub const fn new(code: i32, message: &'static str) -> Self {
        Self { code, message: Cow::Borrowed(message), data: None }
    }

    /// A server error (`-32000`).
    pub fn server(message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: -32000, message: message.into(), data: None }
    }

    /// Invalid parameters (`-32602`) with this text.
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
