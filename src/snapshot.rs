//! Snapshots: the state of a session as a stream of records, read from a browser and written into one.
//!
//! [`capture()`] reads, unnoticed by the session's clients; [`restore()`] writes; [`playwright`] converts records to
//! Playwright's `storageState` and back. [`record`] defines the records, and [`ndjson`] reads and writes them. The
//! store keeps them. Everything here is a sequence of steps over a [`ContextHandle`](crate::browser::ContextHandle): no
//! task, no state between two calls.
//!
//! How a session's storage is accessed: cookies by CDP, everything else through a hidden page of the proxy in the
//! session's context. The proxy answers all requests of that page (`storage_page`), so no page of the session and no
//! site notices. Only sessionStorage, which belongs to a page, is read on the page itself, by CDP and without a script.

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
use crate::browser::CallError;

/// The parts that a snapshot is to hold, and its limits.
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
    /// Permissions that clients set by CDP.
    pub permissions: bool,
    /// Contents of form fields, passwords included; only on request.
    pub fields: bool,
    /// User and password of the proxies of contexts: for what only the server reads.
    pub credentials: bool,
    /// Most form fields of a page; the report says how many more there were.
    pub most_fields: usize,
    /// Deadline of the whole capture. What has not been read by then is missing, and the report says so.
    pub deadline: Duration,
    /// Deadline for the answer of one page.
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
            credentials: false,
            most_fields: 10_000,
            deadline: Duration::from_secs(300),
            page_deadline: Duration::from_secs(5),
        }
    }
}

/// The result of a capture or a restore.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Counts of what was carried.
    pub counts: Counts,
    /// Items that were not carried, the first [`Report::LISTED`] of them.
    pub lost: Vec<Lost>,
    /// Number of items that were not carried.
    pub lost_count: u64,
    /// False if a deadline passed first: that of the whole, of a page or of a step.
    pub complete: bool,
}

impl Report {
    /// Most losses that are listed one by one.
    pub const LISTED: usize = 200;

    fn lose(&mut self, lost: Lost) {
        self.lost_count += 1;
        if self.lost.len() < Self::LISTED {
            self.lost.push(lost);
        }
    }
}

/// Why a capture or a restore failed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The session's place in a browser is gone, or the browser refused.
    #[error("the session's browser failed: {0}")]
    Browser(#[from] CallError),
    /// The records could not be read.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The records could not be written.
    #[error("the snapshot cannot be written: {0}")]
    Write(std::io::Error),
}

/// Why one item could not be read or written; the others continue.
#[derive(Debug, thiserror::Error)]
enum Problem {
    /// A command to the page failed, or the deadline passed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The item itself cannot be carried.
    #[error("{0}")]
    Item(String),
}

impl Problem {
    /// Whether the deadline of the step passed.
    fn is_late(&self) -> bool {
        matches!(self, Self::Call(CallError::Deadline))
    }
}

/// A problem of a step is a loss, unless the browser is gone.
fn unless_gone(problem: Problem) -> Result<Problem, SnapshotError> {
    match problem {
        Problem::Call(error @ CallError::Gone) => Err(error.into()),
        Problem::Call(error) if error.is_detached() => Ok(Problem::Item("its page has gone".to_owned())),
        other => Ok(other),
    }
}
