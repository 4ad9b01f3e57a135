//! The memory that the bodies of quick actions take, all together, and how much of it a tenant may have.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::http::StatusCode;

use super::super::reply::Problem;
use crate::api_types::Owner;

/// How many of the largest bodies there is room for.
const BODIES: usize = 32;

/// The room for the bodies of all quick actions; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Bodies(Arc<Mutex<Used>>);

/// The bytes that are taken: all, and those of each tenant that has any.
#[derive(Debug, Default)]
struct Used {
    all: usize,
    by: HashMap<Owner, usize>,
}

/// Room for a body; dropping it frees it.
#[derive(Debug)]
pub(super) struct HeldBody {
    bodies: Bodies,
    owner: Owner,
    bytes: usize,
}

impl Bodies {
    /// Takes room for a body of this length, in bytes; one whose length is not declared may be as large as `most`. A
    /// tenant gets no more than what would be left for all others, so that none fills the room alone.
    pub(super) fn hold(&self, owner: &Owner, declared: Option<usize>, most: usize) -> Result<HeldBody, Problem> {
        let bytes = declared.unwrap_or(most).min(most);
        let room = most.saturating_mul(BODIES);
        let mut used = self.used();
        let all = used.all.saturating_add(bytes);
        let own = used.by.get(owner).copied().unwrap_or(0).saturating_add(bytes);
        if own > room.saturating_sub(all) {
            let detail = format!(
                "the bodies of quick actions take {} of {room} bytes ({BODIES} times quick_body), {} of them yours: \
                 try again later, or send fewer at a time",
                used.all,
                own - bytes,
            );
            let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "bodies", detail);
            problem.retry_after = Some(1);
            return Err(problem);
        }
        used.all = all;
        used.by.insert(owner.clone(), own);
        drop(used);
        Ok(HeldBody { bodies: self.clone(), owner: owner.clone(), bytes })
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HeldBody {
    fn drop(&mut self) {
        let mut used = self.bodies.used();
        used.all = used.all.saturating_sub(self.bytes);
        let own = used.by.get(&self.owner).copied().unwrap_or(0).saturating_sub(self.bytes);
        if own == 0 {
            used.by.remove(&self.owner);
        } else {
            used.by.insert(self.owner.clone(), own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tenant_takes_the_room_of_all() {
        let (bodies, most) = (Bodies::default(), 1000);
        let fill = |owner: &Owner| -> Vec<HeldBody> {
            std::iter::from_fn(|| bodies.hold(owner, None, most).ok()).take(BODIES + 1).collect()
        };
        let [one, other, third]: [Owner; 3] = ["one", "other", "third"].map(|name| name.parse().expect("an owner"));
        let of_one = fill(&one);
        assert_eq!(of_one.len(), BODIES / 2);
        let of_other = fill(&other);
        assert_eq!(of_other.len(), BODIES / 4);
        assert!(bodies.hold(&third, Some(10), most).is_ok());
        let refused = bodies.hold(&one, Some(1), most).expect_err("it has its share");
        assert_eq!((refused.status, refused.retry_after), (StatusCode::TOO_MANY_REQUESTS, Some(1)));
        drop((of_one, of_other));
        let used = bodies.used();
        assert_eq!((used.all, used.by.len()), (0, 0));
    }

    #[test]
    fn a_body_takes_what_it_declares() {
        let (bodies, owner): (_, Owner) = (Bodies::default(), "one".parse().expect("an owner"));
        let _small = bodies.hold(&owner, Some(12), 1000).expect("there is room");
        assert_eq!(bodies.used().all, 12);
        let _large = bodies.hold(&owner, Some(usize::MAX), 1000).expect("it is refused when it is read");
        assert_eq!(bodies.used().all, 1012);
    }
}
