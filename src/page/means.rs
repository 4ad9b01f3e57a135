//! What an action has at hand beside the CDP session of the page: commands that the policy decides about.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    browser::{CallError, TypedCommand},
    runtime,
    session::pages::{PageCommands, PageError},
    virtual_browser::{Claim, Claims},
};

/// The means of an action.
pub(super) struct Means {
    /// Sends commands as a client of the session would.
    pub(super) commands: PageCommands,
    /// What the clients of the page have claimed.
    pub(super) claims: Claims,
}

impl Means {
    /// Sends a command whose result is not read.
    pub(super) async fn tell(&self, method: &str, params: Value) -> Result<(), PageError> {
        self.commands.call(method, params.to_string()).await.map(drop)
    }

    /// Sends a command and reads its result.
    pub(super) async fn ask<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<T, PageError> {
        let result = self.commands.call(method, params.to_string()).await?;
        serde_json::from_str(&result).map_err(|error| CallError::Unreadable { method, why: error.to_string() }.into())
    }

    /// Sends a command with a large result, of at most `most` bytes, and reads it off the runtime's workers.
    pub(super) async fn ask_long<C: TypedCommand>(&self, command: &C, most: usize) -> Result<C::Result, PageError> {
        let result = self.commands.call(C::METHOD, json!(command).to_string()).await?;
        read_long::<C>(&result, most)
    }

    /// Refuses what a client has claimed.
    pub(super) fn check_free(&self, claim: Claim) -> Result<(), PageError> {
        if self.claims.has(claim) { Err(PageError::ClientOwns { what: claim.name() }) } else { Ok(()) }
    }
}

/// Reads a large result, of at most `most` bytes, off the runtime's workers.
pub(super) fn read_long<C: TypedCommand>(result: &str, most: usize) -> Result<C::Result, PageError> {
    let size = result.len();
    if size > most {
        return Err(PageError::TooLarge { size, most });
    }
    let read = runtime::aside(size, || serde_json::from_str(result));
    read.map_err(|error| CallError::Unreadable { method: C::METHOD, why: error.to_string() }.into())
}
