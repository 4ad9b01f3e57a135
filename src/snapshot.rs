//! Snapshots: the state of a session as a stream of records, read from a browser and written into one.
//!
//! [`capture()`] reads, unseen by the session's clients; [`restore()`] writes; [`playwright`] turns records into Playwright's
//! `storageState` and back. What the records are is in [`record`], how they are read and
//! written in [`ndjson`]; where they rest is the store's business. Everything
//! here is plain steps over a [`Place`](crate::browser::ContextHandle): no task, no state between two calls.
//!
//! How a session's storage is reached: cookies by CDP, everything else through a hidden page of the proxy's own in the
//! session's context, whose requests are all answered here (`storage_page`), so that no page of the session and no site
//! notices. Only sessionStorage, which belongs to a page, is read on the page itself, by CDP and without a script.

mod capture;
mod form_fields;
pub mod ndjson;
mod origins;
mod pages;
pub mod replay_buffer;
pub mod repository;
mod restore;
mod storage_key;
mod storage_page;

pub mod playwright;
pub mod record;

use std::time::Duration;

use serde::Serialize;

pub use self::{
    capture::capture,
    ndjson::{ContentError, check},
    record::{Counts, Lost},
    restore::{Mode, Reopen, restore},
};
use crate::{browser::CallError, cdp::error::CdpError};

/// What a snapshot is to hold.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent wishes, not states")]
pub struct Parts {
    /// Cookies.
    pub cookies: bool,
    /// localStorage.
    pub local_storage: bool,
    /// `IndexedDB`.
    pub indexed_db: bool,
    /// Open pages, with their sessionStorage, history and scroll position.
    pub pages: bool,
    /// What was granted to sites by CDP.
    pub permissions: bool,
    /// What stands in the pages' form fields, passwords included; not unless asked for.
    pub fields: bool,
    /// Most form fields of a page; the report says how many more there were.
    pub most_fields: usize,
    /// How long all of it may take. What has not been read by then is missing, and the report says so.
    pub deadline: Duration,
    /// How long one page may take to answer.
    pub page_deadline: Duration,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            cookies: true,
            local_storage: true,
            indexed_db: true,
            pages: true,
            permissions: true,
            fields: false,
            most_fields: 10_000,
            deadline: Duration::from_secs(300),
            page_deadline: Duration::from_secs(5),
        }
    }
}

/// What became of a capture or a restore.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How much was carried.
    pub counts: Counts,
    /// What was not, the first [`Report::LISTED`] of it.
    pub lost: Vec<Lost>,
    /// How much was not.
    pub lost_count: u64,
    /// False if a deadline came first: that of the whole, of a page or of a step.
    pub complete: bool,
}

impl Report {
    /// How many losses are listed one by one.
    pub const LISTED: usize = 200;

    fn lose(&mut self, lost: Lost) {
        self.lost_count += 1;
        if self.lost.len() < Self::LISTED {
            self.lost.push(lost);
        }
    }
}

/// Why a capture or a restore came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The session's place in a browser is gone.
    #[error("the session's browser did not do it: {0}")]
    Browser(#[from] CallError),
    /// The records could not be read.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The records could not be written.
    #[error("the snapshot cannot be written: {0}")]
    Write(std::io::Error),
}

/// Why one thing could not be read or written; the rest goes on.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{0}")]
    Call(#[from] CallError),
    #[error("{0}")]
    Script(String),
    #[error("it took too long")]
    Late,
}

/// A problem of a step is a loss unless the browser is gone.
fn unless_gone(problem: Problem) -> Result<Problem, SnapshotError> {
    match problem {
        Problem::Call(error @ CallError::Gone) => Err(error.into()),
        Problem::Call(CallError::Refused { error, .. }) if error == CdpError::NO_SESSION => {
            Ok(Problem::Script("its page has gone".to_owned()))
        }
        other => Ok(other),
    }
}

/// Waits for a step until its deadline.
async fn by<T>(deadline: tokio::time::Instant, step: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    tokio::time::timeout_at(deadline, step).await.unwrap_or(Err(Problem::Late))
}
