//! Operations on jobs. `session/manager/jobs.rs` performs them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{Job, JobList, Millis, Nothing, given},
    CommandResult::{Member, Output},
    Errors, Operation, PAGE_MOST, Rest, RestAnswer, RestInput, Row, Verb, WAIT_MOST, operations,
};

operations! {
    /// A request about jobs.
    Job, JobRequest: ListJobs, GetJob, DeleteJob,
}

/// An endpoint of one job.
const OF_JOB: Rest = Rest {
    verb: Verb::Get,
    path: "/v1/jobs/{id}",
    id: Some("job"),
    second: None,
    input: RestInput::Query,
    answer: RestAnswer::Output,
    says: "The job.",
    tag: "jobs",
    errors: &[Errors::Job],
};

/// Lists the jobs of this owner: requests that were sent with `Prefer: respond-async`. They are without their results.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListJobs {
    /// Most jobs on the page, 1 to 1000; 1000 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(range(min = 1, max = PAGE_MOST))]
    pub limit: Option<u32>,
    /// The `next` of the page before this one.
    #[serde(deserialize_with = "given")]
    pub cursor: Option<String>,
}

impl Operation for ListJobs {
    type Output = JobList;
    const ROW: Row = Row {
        name: "listJobs",
        ghost: Some(Output),
        rest: Some(Rest { path: "/v1/jobs", id: None, says: "The jobs.", errors: &[Errors::Filter], ..OF_JOB }),
    };
}

/// Shows a job, with its result if it has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetJob {
    /// The job.
    pub job: String,
    /// How long the answer waits until the job has ended, at most 5 minutes; 0 if absent.
    #[serde(default, deserialize_with = "given")]
    #[schemars(extend("maximum" = WAIT_MOST))]
    pub wait: Option<Millis>,
}

impl Operation for GetJob {
    type Output = Job;
    const ROW: Row = Row { name: "getJob", ghost: Some(Member("job")), rest: Some(OF_JOB) };
}

/// Stops a job, if it runs, and forgets it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteJob {
    /// The job.
    pub job: String,
}

impl Operation for DeleteJob {
    type Output = Nothing;
    const ROW: Row = Row {
        name: "deleteJob",
        ghost: Some(Output),
        rest: Some(Rest {
            verb: Verb::Delete,
            input: RestInput::Path,
            answer: RestAnswer::Nothing,
            says: "The job is stopped and forgotten.",
            ..OF_JOB
        }),
    };
}
