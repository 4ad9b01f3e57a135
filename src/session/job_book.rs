//! The jobs of all tenants: requests that are performed while their callers do not wait for them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::value::RawValue;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use uuid::Uuid;

use crate::{
    api_types::{AnyValue, Job, JobState, Owner, ScriptValue},
    config::KeptLimits,
    store::Timestamp,
    tenant::Scope,
};

/// What a job came to: the output of its operation, or the problem.
pub(super) type JobResult = Result<Box<RawValue>, AnyValue>;

/// The jobs of all tenants; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct JobBook {
    // Guards the jobs; held for one look-up among those of a tenant, of which there are at most as many as `jobs` says.
    jobs: Arc<Mutex<HashMap<Owner, VecDeque<Entry>>>>,
}

struct Entry {
    job: Job,
    /// What the caller might do that began it: another caller sees it only if it might do the same.
    scope: Scope,
    /// Bytes of its result.
    bytes: usize,
    ended: CancellationToken,
    /// Dropping it stops the job.
    _task: Option<AbortOnDropHandle<()>>,
}

/// The tenant has as many running jobs as it may have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooManyJobs;

impl JobBook {
    /// Begins a job of this operation.
    pub(super) fn begin<F>(
        &self,
        (owner, scope): (&Owner, &Scope),
        limits: KeptLimits,
        operation: &str,
        work: F,
    ) -> Result<Job, TooManyJobs>
    where
        F: Future<Output = JobResult> + Send + 'static,
    {
        let mut all = self.jobs();
        let of_owner = all.entry(owner.clone()).or_default();
        while of_owner.len() >= limits.count {
            let oldest = of_owner.iter().position(|entry| entry.job.state != JobState::Running).ok_or(TooManyJobs)?;
            of_owner.remove(oldest);
        }
        let job = Job {
            id: Uuid::new_v4().to_string(),
            operation: operation.to_owned(),
            state: JobState::Running,
            created_at: Timestamp::now().0,
            ended_at: None,
            result: None,
            error: None,
        };
        let (book, owner, id) = (self.clone(), owner.clone(), job.id.clone());
        let task = tokio::spawn(async move {
            let result = work.await;
            book.end(&owner, &id, result, limits);
            tokio::time::sleep(limits.time).await;
            book.remove(&owner, &id, &Scope::All);
        });
        of_owner.push_back(Entry {
            job: job.clone(),
            scope: scope.clone(),
            bytes: 0,
            ended: CancellationToken::new(),
            _task: Some(AbortOnDropHandle::new(task)),
        });
        Ok(job)
    }

    /// The jobs of an owner that a caller may see, the oldest first, without their results.
    pub(super) fn list(&self, owner: &Owner, scope: &Scope) -> Vec<Job> {
        let all = self.jobs();
        let seen = all.get(owner).into_iter().flatten().filter(|entry| entry.is_for(scope));
        seen.map(|Entry { job, .. }| Job { result: None, error: None, ..job.clone() }).collect()
    }

    /// A job, if the caller may see it, and what is cancelled when it ends.
    pub(super) fn get(&self, owner: &Owner, id: &str, scope: &Scope) -> Option<(Job, CancellationToken)> {
        let all = self.jobs();
        let entry = all.get(owner)?.iter().find(|entry| entry.job.id == id && entry.is_for(scope))?;
        Some((entry.job.clone(), entry.ended.clone()))
    }

    /// Stops a job and forgets it. Returns whether there was one that the caller may see.
    pub(super) fn remove(&self, owner: &Owner, id: &str, scope: &Scope) -> bool {
        let mut all = self.jobs();
        let Some(of_owner) = all.get_mut(owner) else { return false };
        let found = of_owner.iter().position(|entry| entry.job.id == id && entry.is_for(scope));
        let removed = found.and_then(|at| of_owner.remove(at));
        if of_owner.is_empty() {
            all.remove(owner);
        }
        drop(all);
        // Those that wait for its end find that it has gone.
        removed.inspect(|entry| entry.ended.cancel()).is_some()
    }

    /// Stops all jobs.
    pub(super) fn stop(&self) {
        let all = std::mem::take(&mut *self.jobs());
        all.values().flatten().for_each(|entry| entry.ended.cancel());
    }

    /// Notes the result. The oldest jobs of the owner that have ended are forgotten until there is room for it.
    fn end(&self, owner: &Owner, id: &str, result: JobResult, limits: KeptLimits) {
        let bytes = result.as_ref().map_or_else(|error| error.0.to_string().len(), |output| output.get().len());
        let mut all = self.jobs();
        let Some(of_owner) = all.get_mut(owner) else { return };
        let mut kept: usize = of_owner.iter().map(|entry| entry.bytes).sum();
        while kept + bytes > limits.bytes {
            let is_old = |entry: &Entry| entry.bytes > 0 && entry.job.state != JobState::Running;
            let Some(oldest) = of_owner.iter().position(is_old) else { break };
            kept -= of_owner.remove(oldest).map_or(0, |entry| entry.bytes);
        }
        let Some(entry) = of_owner.iter_mut().find(|entry| entry.job.id == id) else { return };
        entry.bytes = bytes;
        entry.job.ended_at = Some(Timestamp::now().0);
        match result {
            Ok(output) => (entry.job.state, entry.job.result) = (JobState::Done, Some(ScriptValue(output))),
            Err(error) => (entry.job.state, entry.job.error) = (JobState::Failed, Some(error)),
        }
        entry.ended.cancel();
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<Owner, VecDeque<Entry>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_for(&self, scope: &Scope) -> bool {
        *scope == Scope::All || *scope == self.scope
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: KeptLimits = KeptLimits { time: Duration::from_secs(60), count: 2, bytes: 10 };

    fn output(text: &str) -> Box<RawValue> {
        RawValue::from_string(format!("\"{text}\"")).expect("JSON")
    }

    fn of(owner: &str) -> Owner {
        owner.parse().expect("a name")
    }

    async fn ended(book: &JobBook, owner: &Owner, id: &str) -> Job {
        let (_, ended) = book.get(owner, id, &Scope::All).expect("a job");
        ended.cancelled().await;
        book.get(owner, id, &Scope::All).expect("a job").0
    }

    #[tokio::test(start_paused = true)]
    async fn jobs_are_bounded_in_count_size_and_age() {
        let (book, owner) = (JobBook::default(), of("one"));
        let begin = |text: &'static str| {
            let job = book.begin((&owner, &Scope::All), LIMITS, "pageText", async move { Ok(output(text)) });
            job.map(|job| job.id)
        };
        let first = begin("aaaa").expect("a place");
        let done = ended(&book, &owner, &first).await;
        assert_eq!((done.state, done.result.expect("a result").0.get()), (JobState::Done, "\"aaaa\""));
        let second = begin("bbbb").expect("a place");
        ended(&book, &owner, &second).await;
        assert!(book.get(&owner, &first, &Scope::All).is_none(), "there is no room for both results");
        let never = || book.begin((&owner, &Scope::All), LIMITS, "pageWait", std::future::pending());
        never().expect("a place");
        never().expect("the place of the one that has ended");
        assert_eq!(never().map(|job| job.id), Err(TooManyJobs));
        assert!(book.get(&owner, &second, &Scope::All).is_none());
        let other = of("two");
        book.begin((&other, &Scope::All), LIMITS, "pageText", async { Ok(output("")) }).expect("another tenant's");
        tokio::time::sleep(LIMITS.time * 2).await;
        assert_eq!((book.list(&other, &Scope::All).len(), book.list(&owner, &Scope::All).len()), (0, 2));
        book.stop();
        assert!(book.jobs().is_empty());
    }

    #[tokio::test]
    async fn jobs_are_shown_to_their_tenant_and_scope_alone() {
        let (book, owner) = (JobBook::default(), of("one"));
        let own = Scope::Session("s".into());
        let (dropped, work) = (CancellationToken::new(), CancellationToken::new());
        let guard = dropped.clone().drop_guard();
        let started = work.clone();
        let job = book.begin((&owner, &own), LIMITS, "pageWait", async move {
            let _guard = guard;
            started.cancel();
            std::future::pending().await
        });
        let id = job.expect("a place").id;
        work.cancelled().await;
        for (owner, scope, sees) in [
            (&owner, &Scope::All, true),
            (&owner, &own, true),
            (&owner, &Scope::Session("t".into()), false),
            (&owner, &Scope::ReadOnly, false),
            (&of("two"), &Scope::All, false),
        ] {
            assert_eq!(book.get(owner, &id, scope).is_some(), sees, "{scope}");
            assert_eq!(book.list(owner, scope).len(), usize::from(sees), "{scope}");
            assert!(sees || !book.remove(owner, &id, scope), "{scope}");
        }
        assert!(book.remove(&owner, &id, &own));
        dropped.cancelled().await;
    }
}
