//! The lease of a profile in a store that several servers share: taken before a session begins, renewed while it lives, ended
//! when its state is saved.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    api_types::Owner,
    store::{LEASE, LeaseStep, Leased, Leaseholder, ProfileLease, Store, StoreError},
};

/// How long a session may save its profile at its end; after that the profile keeps the state that it had.
pub(super) const SAVE_MOST: Duration = Duration::from_secs(30);
/// How long a new session waits for a profile that another one holds: the last client of that one may have left at this
/// moment.
pub(super) const GRACE: Duration = Duration::from_millis(500);
/// How often a lease is renewed: a store that is away for the rest of [`LEASE`] costs no profile.
const RENEW: Duration = Duration::from_secs(4);
/// Pause after the store did not answer.
const RETRY: Duration = Duration::from_secs(1);
/// Pause between two looks at a lease that another server has.
const LOOK: Duration = Duration::from_millis(100);
/// How long the clients of a session that has ended are not told so, because other servers do not know yet that its profile is
/// being saved.
pub(super) const ANNOUNCE: Duration = Duration::from_secs(1);
/// How long the end of a lease may take; after that it expires by itself.
const RELEASE: Duration = Duration::from_secs(3);

/// Another session of the owner, with this id, holds the profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held(pub(super) Arc<str>);

/// A lease that is renewed as long as this value lives.
#[derive(Debug)]
pub(super) struct RenewedLease {
    lease: Arc<ProfileLease>,
    state: Arc<State>,
    /// Cancelled when another session may have the profile.
    lost: CancellationToken,
    /// Cancelled when all servers know that the profile is being saved, or nobody will tell them any more.
    announced: CancellationToken,
    _ended: DropGuard,
}

#[derive(Debug, Default)]
struct State {
    is_saving: AtomicBool,
    changed: Notify,
}

/// Why there is no lease.
#[derive(Debug)]
pub(super) enum NoLease {
    /// A session on another server has it.
    Held(Held),
    /// The store did not answer.
    Store(StoreError),
}

impl RenewedLease {
    /// Takes the lease of a profile for a session. Waits while a session that has ended saves it.
    pub(super) async fn take(
        store: &Store,
        (owner, profile): (&Owner, &str),
        session: &Arc<str>,
        tasks: &TaskTracker,
    ) -> Result<Self, NoLease> {
        let lease = Arc::new(ProfileLease::new(owner.clone(), profile.to_owned(), session.clone()));
        let since = Instant::now();
        loop {
            let holder = match store.lease_profile(&lease, LeaseStep::Take).await.map_err(NoLease::Store)? {
                Leased::By(holder) => holder,
                Leased::Done | Leased::Lost => break,
            };
            if since.elapsed() > if holder.is_saving { SAVE_MOST } else { GRACE } {
                return Err(NoLease::Held(Held(holder.session.into())));
            }
            tokio::time::sleep(LOOK).await;
        }
        let (state, ended) = (Arc::<State>::default(), CancellationToken::new());
        let (lost, announced) = (CancellationToken::new(), CancellationToken::new());
        let told = (lost.clone(), announced.clone().drop_guard());
        tasks.spawn(renew(store.clone(), lease.clone(), state.clone(), told, ended.clone()));
        Ok(Self { lease, state, lost, announced, _ended: ended.drop_guard() })
    }

    /// The lease, for the commit of a state of the profile.
    pub(super) fn lease(&self) -> &Arc<ProfileLease> {
        &self.lease
    }

    /// The session has ended, and its state is about to be saved: those who want the profile wait for that.
    pub(super) fn saves(&self) {
        self.state.is_saving.store(true, Ordering::Release);
        self.state.changed.notify_one();
    }

    /// Cancelled when all servers know what [`RenewedLease::saves`] says, or nobody will tell them any more.
    pub(super) fn announced(&self) -> &CancellationToken {
        &self.announced
    }

    /// Cancelled when another session may have the profile.
    pub(super) fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}

/// Renews a lease until its holder has ended, then ends it. Says when the lease is lost, and when all servers know that the
/// profile is being saved.
async fn renew(
    store: Store,
    lease: Arc<ProfileLease>,
    state: Arc<State>,
    (lost, announced): (CancellationToken, DropGuard),
    ended: CancellationToken,
) {
    let (session, profile) = (&*lease.session, &*lease.profile);
    let mut pause = RENEW;
    let mut announced = Some(announced);
    loop {
        tokio::select! {
            () = ended.cancelled() => break,
            () = state.changed.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
        let saving = state.is_saving.load(Ordering::Acquire);
        let step = LeaseStep::Renew { saving };
        // An answer that comes after the end of the session is not waited for.
        let renewed = tokio::select! {
            () = ended.cancelled() => break,
            renewed = store.lease_profile(&lease, step) => renewed,
        };
        pause = match renewed {
            Ok(Leased::Done) => {
                drop(announced.take_if(|_| saving));
                RENEW
            }
            Ok(Leased::By(_) | Leased::Lost) => {
                tracing::warn!(
                    session,
                    profile,
                    "the profile is lost to another server: its lease was not renewed in time"
                );
                return lost.cancel();
            }
            Err(error) => {
                tracing::warn!(session, profile, %error, "the lease of a profile could not be renewed; it is tried again");
                RETRY
            }
        };
    }
    let released = tokio::time::timeout(RELEASE, store.lease_profile(&lease, LeaseStep::Release));
    if !matches!(released.await, Ok(Ok(_))) {
        tracing::warn!(
            session,
            profile,
            "the lease of a profile could not be ended: others wait {} s",
            LEASE.as_secs()
        );
    }
}

/// Waits while a session on another server, which has ended, saves the profile.
pub(super) async fn settled(store: &Store, owner: &Owner, profile: &str) -> Result<(), StoreError> {
    let since = Instant::now();
    while let Some(Leaseholder { is_saving: true, .. }) = store.leaseholder(owner, profile).await? {
        if since.elapsed() > SAVE_MOST {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
