//! Which session saves which profile: one at a time in this process, and by a lease in the store (`profile_lease`) on all
//! servers that share it. A session holds its profile from before it begins until its state is saved.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::profile_lease::RenewedLease;
pub(super) use super::profile_lease::{ANNOUNCE, GRACE, Held, SAVE_MOST};
use crate::{
    api_types::{Owner, ProfileKind},
    port::LockedDirectory,
    store::ProfileLease,
};

/// A profile: whose, of which kind, and its name.
type Key = (Owner, ProfileKind, String);

/// The profiles that sessions of this process hold.
#[derive(Debug, Default)]
pub(super) struct ProfileHolders {
    // Guards the map; held for one look-up.
    held: Mutex<HashMap<Key, Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    session: Arc<str>,
    /// Whether the session has ended, and its state is being saved.
    is_saving: Arc<AtomicBool>,
    released: CancellationToken,
}

/// The hold of a session on a profile. Dropping it releases the profile.
#[derive(Debug)]
pub(super) struct ProfileHold {
    holders: Arc<ProfileHolders>,
    key: Key,
    is_saving: Arc<AtomicBool>,
    /// Its directory, if it is user data.
    directory: Option<Arc<dyn LockedDirectory>>,
    /// Its lease, if other servers share the store.
    lease: Option<RenewedLease>,
    _released: DropGuard,
}

impl ProfileHold {
    /// As this one, with the directory of the user data.
    pub(super) fn with(self, directory: Arc<dyn LockedDirectory>) -> Self {
        let mut hold = self;
        hold.directory = Some(directory);
        hold
    }

    /// As this one, with a lease for all servers that share the store.
    pub(super) fn leased(self, lease: RenewedLease) -> Self {
        let mut hold = self;
        hold.lease = Some(lease);
        hold
    }

    /// Its lease, for the commit of a state of the profile.
    pub(super) fn lease(&self) -> Option<Arc<ProfileLease>> {
        self.lease.as_ref().map(|lease| lease.lease().clone())
    }

    /// Cancelled when a session on another server may have the profile; `None` if that cannot be.
    pub(super) fn lost(&self) -> Option<CancellationToken> {
        self.lease.as_ref().map(|lease| lease.lost().clone())
    }

    /// Cancelled when all servers know that the profile is being saved, or nobody will tell them any more; `None` if this
    /// server alone has to know.
    pub(super) fn announced(&self) -> Option<CancellationToken> {
        self.lease.as_ref().map(|lease| lease.announced().clone())
    }

    /// Whether a session on another server may have the profile.
    pub(super) fn is_lost(&self) -> bool {
        self.lost().is_some_and(|lost| lost.is_cancelled())
    }

    /// The directory, if it is user data.
    pub(super) fn directory(&self) -> Option<&dyn LockedDirectory> {
        self.directory.as_deref()
    }

    /// What the profile is made of.
    pub(super) fn kind(&self) -> ProfileKind {
        self.key.1
    }

    /// The session has ended, and its state is about to be saved: those who want the profile wait for that.
    pub(super) fn saves(&self) {
        self.is_saving.store(true, Ordering::Release);
        if let Some(lease) = &self.lease {
            lease.saves();
        }
    }
}

impl Drop for ProfileHold {
    fn drop(&mut self) {
        // Before those that wait look again.
        self.holders.lock().remove(&self.key);
    }
}

impl ProfileHolders {
    /// Takes a profile for a session. Waits while a session that has ended saves it.
    pub(super) async fn hold(
        self: &Arc<Self>,
        (owner, kind, name): (&Owner, ProfileKind, &str),
        session: &Arc<str>,
    ) -> Result<ProfileHold, Held> {
        let key = (owner.clone(), kind, name.to_owned());
        let since = Instant::now();
        loop {
            let (entry, was_saving) = match self.lock().entry(key.clone()) {
                std::collections::hash_map::Entry::Vacant(place) => {
                    let (is_saving, released) = (Arc::<AtomicBool>::default(), CancellationToken::new());
                    place.insert(Entry {
                        session: session.clone(),
                        is_saving: is_saving.clone(),
                        released: released.clone(),
                    });
                    let (holders, released) = (self.clone(), released.drop_guard());
                    return Ok(ProfileHold {
                        holders,
                        key: key.clone(),
                        is_saving,
                        directory: None,
                        lease: None,
                        _released: released,
                    });
                }
                std::collections::hash_map::Entry::Occupied(entry) => {
                    let entry = entry.get().clone();
                    let was_saving = entry.is_saving.load(Ordering::Acquire);
                    (entry, was_saving)
                }
            };
            let until = since + if was_saving { SAVE_MOST } else { GRACE };
            if timeout_at(until, entry.released.cancelled()).await.is_err()
                && (was_saving || !entry.is_saving.load(Ordering::Acquire))
            {
                return Err(Held(entry.session));
            }
        }
    }

    /// Waits while a session that has ended saves the profile.
    pub(super) async fn settled(&self, (owner, kind, name): (&Owner, ProfileKind, &str)) {
        let entry = self.lock().get(&(owner.clone(), kind, name.to_owned())).cloned();
        if let Some(entry) = entry.filter(|entry| entry.is_saving.load(Ordering::Acquire)) {
            let _ = timeout_at(Instant::now() + SAVE_MOST, entry.released.cancelled()).await;
        }
    }

    /// The session that holds a profile.
    pub(super) fn holder(&self, (owner, kind, name): (&Owner, ProfileKind, &str)) -> Option<Arc<str>> {
        self.lock().get(&(owner.clone(), kind, name.to_owned())).map(|entry| entry.session.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_session_at_a_time_holds_a_profile() {
        let (holders, local) = (Arc::<ProfileHolders>::default(), Owner::local());
        let acme: Owner = "acme".parse().expect("an owner");
        let shop = (&local, ProfileKind::Snapshot, "shop");
        let first = holders.hold(shop, &"one".into()).await.expect("nobody has it");
        assert_eq!(holders.hold(shop, &"two".into()).await.map(drop), Err(Held("one".into())));
        assert_eq!(holders.holder(shop).as_deref(), Some("one"));
        // The same name of another owner is another profile.
        let others = holders.hold((&acme, ProfileKind::Snapshot, "shop"), &"theirs".into()).await;
        others.expect("nobody has it");
        drop(first);
        assert_eq!(holders.holder(shop), None);
        holders.hold(shop, &"two".into()).await.expect("it is free");
    }

    #[tokio::test(start_paused = true)]
    async fn who_wants_a_profile_waits_until_it_is_saved() {
        let (holders, local) = (Arc::<ProfileHolders>::default(), Owner::local());
        let shop = (&local, ProfileKind::Snapshot, "shop");
        let first = holders.hold(shop, &"one".into()).await.expect("nobody has it");
        first.saves();
        let saved = async {
            tokio::time::sleep(GRACE * 4).await;
            drop(first);
        };
        let two = "two".into();
        let (next, (), ()) = tokio::join!(holders.hold(shop, &two), holders.settled(shop), saved);
        let next = next.expect("it was saved");
        // One that never ends to save is not waited for without end.
        next.saves();
        assert_eq!(holders.hold(shop, &"three".into()).await.map(drop), Err(Held("two".into())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_comes_while_the_last_one_leaves_gets_the_profile() {
        let (holders, local) = (Arc::<ProfileHolders>::default(), Owner::local());
        let shop = (&local, ProfileKind::Snapshot, "shop");
        let first = holders.hold(shop, &"one".into()).await.expect("nobody has it");
        let leaves = async {
            tokio::time::sleep(GRACE / 2).await;
            first.saves();
            tokio::time::sleep(GRACE * 4).await;
            drop(first);
        };
        let two = "two".into();
        let (next, ()) = tokio::join!(holders.hold(shop, &two), leaves);
        next.expect("it is free");
    }
}
