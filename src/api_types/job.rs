//! Jobs: requests that go on after their caller has an answer. PURE: types only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AnyValue, ScriptValue};

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// it is being performed, or waits for its turn.
    Running,
    /// it has a `result`.
    Done,
    /// it has an `error`.
    Failed,
}

/// A request that is performed while its caller does not wait for it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its id.
    pub id: String,
    /// The operation, such as `pageClick`.
    pub operation: String,
    /// How far it has come.
    pub state: JobState,
    /// When it was begun, in milliseconds since 1970-01-01 UTC.
    pub created_at: u64,
    /// When it ended; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
    /// What the operation answered. A list of jobs is without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ScriptValue>,
    /// Why the operation failed, as a problem of RFC 9457. A list of jobs is without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<AnyValue>,
}

/// Jobs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct JobList {
    /// The jobs, the oldest first.
    pub jobs: Vec<Job>,
    /// The `cursor` of the next page; absent if this is the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
