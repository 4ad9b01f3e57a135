//! Jobs: requests that go on after their callers have an answer.

use std::time::Duration;

use serde_json::{json, value::RawValue};

use super::{SessionManager, access};
use crate::{
    api_types::{
        AnyValue, Bad, Job, JobList, Millis, Nothing, Reply, Request,
        operations::{DeleteJob, GetJob, JobRequest, ListJobs, WAIT_MOST},
        paged,
    },
    config::RequestLimits,
    session::{error::ServiceError, job_book::TooManyJobs, task::Caller},
};

/// Longest time that a request waits for a job.
const LONGEST_WAIT: Duration = Duration::from_millis(WAIT_MOST);

/// Describes an error as a problem of RFC 9457, as HTTP answers it.
pub type Explain = fn(&ServiceError) -> AnyValue;

impl SessionManager {
    /// Sets how errors are described where they are part of a result; called once, before there are sessions.
    pub fn set_explain(&self, explain: Explain) {
        let _ = self.inner.explain.set(explain);
    }

    /// The description of an error as a part of a result.
    pub(super) fn explain(&self) -> Explain {
        self.inner.explain.get().copied().unwrap_or(|error| AnyValue(json!({ "detail": error.to_string() })))
    }

    /// Limits of what is kept of requests.
    pub fn request_limits(&self) -> RequestLimits {
        self.inner.terms().requests
    }

    /// Begins a request as a job. The caller finds the result under the job's id.
    pub fn begin_job(&self, caller: &Caller, request: Request) -> Result<Job, ServiceError> {
        // The request itself is checked again, and audited, when it is performed.
        access::permit(caller, None, &request)?;
        let limits = self.request_limits().jobs;
        let (manager, of, operation) = (self.clone(), caller.clone(), request.name());
        let explain = self.explain();
        let work = async move {
            let revoked = of.access.token.as_ref().map(|token| token.revoked().clone());
            let performed = manager.perform(&of, None, request);
            let reply = match revoked {
                None => performed.await,
                Some(revoked) => tokio::select! {
                    reply = performed => reply,
                    () = revoked.cancelled() => Err(ServiceError::Closing),
                },
            };
            let output = reply.and_then(|Reply { output, .. }| match output.len() {
                size if size > limits.bytes => Err(ServiceError::JobTooLarge { size, most: limits.bytes }),
                _ => RawValue::from_string(output).map_err(ServiceError::Unreadable),
            });
            output.map_err(|error| explain(&error))
        };
        let begun = self.inner.jobs.begin((caller.owner(), &caller.access.scope), limits, operation, Box::pin(work));
        begun.map_err(|TooManyJobs| ServiceError::ManyJobs { most: limits.count })
    }

    pub(super) async fn perform_on_jobs(&self, caller: &Caller, request: JobRequest) -> Result<Reply, ServiceError> {
        let (jobs, owner, scope) = (&self.inner.jobs, caller.owner(), &caller.access.scope);
        let none = |id: &str| ServiceError::NoJob(id.chars().take(200).collect());
        Ok(match request {
            JobRequest::ListJobs(ListJobs { limit, cursor }) => {
                let (jobs, next) = paged(jobs.list(owner, scope), limit, cursor.as_deref(), |job| job.id.clone())?;
                Reply::of::<ListJobs>(&JobList { jobs, next })
            }
            JobRequest::GetJob(GetJob { job: id, wait }) => {
                let (mut job, ended) = jobs.get(owner, &id, scope).ok_or_else(|| none(&id))?;
                if let Some(Millis(wait)) = wait {
                    if wait > LONGEST_WAIT {
                        let why = format!("is more than {} ms", LONGEST_WAIT.as_millis());
                        return Err(Bad::new("wait", why).into());
                    }
                    // After the time, the job is shown as it is.
                    let _ = tokio::time::timeout(wait, ended.cancelled()).await;
                    (job, _) = jobs.get(owner, &id, scope).ok_or_else(|| none(&id))?;
                }
                Reply::of::<GetJob>(&job)
            }
            JobRequest::DeleteJob(DeleteJob { job }) => {
                if !jobs.remove(owner, &job, scope) {
                    return Err(none(&job));
                }
                Reply::of::<DeleteJob>(&Nothing {})
            }
        })
    }
}
