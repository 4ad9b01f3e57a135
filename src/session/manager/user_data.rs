//! Sessions whose dedicated browser uses a user data directory that stays, and the operations on these directories.
//!
//! A session holds its directory among those of this process (`profile_holders`), and has it locked against others; its
//! Chrome holds the lock too, until it has ended. While it lives, the size of all directories of its owner is checked again
//! and again.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{
    Handle, SessionManager, access,
    place::{self, Place},
    profiles::{in_use, no_profile},
    registration::Registration,
};
use crate::session::{error::ServiceError, id::SessionId};
use crate::{
    api_types::{
        Event as _, Label, Millis, Options, Owner, Profile, ProfileKind, ProfileUse, Snapshot, SnapshotPart,
        UserDataTooLarge,
    },
    browser::{UserDataDir, UserDataError, UserDataInfo, UserDataRoot},
    close_reason::CloseReason,
    port::{Extension, LockedDirectory, UserData},
    session::{
        extensions,
        profile_holders::{Held, SAVE_MOST},
        task::{Caller, Control, SessionTask},
    },
};

/// How often the sizes of the directories of an owner are checked while a session uses one.
const CHECK: Duration = Duration::from_secs(10);
/// Pause between two attempts to lock a directory that the last Chrome still has locked.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs work on the disk in a thread where it delays no session.
async fn on_disk<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T, UserDataError> + Send + 'static,
) -> Result<T, ServiceError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| ServiceError::Closing)?;
    done.map_err(|why| ServiceError::UserData { name: name.to_owned(), why })
}

impl SessionManager {
    /// A new session in a browser on this user data directory, ready to run.
    pub(super) async fn open_on_user_data(
        &self,
        caller: &Caller,
        id: SessionId,
        options: Options,
        place: Place,
        profile: ProfileUse,
    ) -> Result<(SessionTask, Registration), ServiceError> {
        access::whole(caller, "userData")?;
        // What the tenant may not is refused before the disk is touched.
        place::wanted(caller, &place, self.inner.terms().launch.is_gated)?;
        let (since, owner, name) = (Instant::now(), caller.owner(), profile.name.as_str());
        let (root, limit) = self.user_data_root()?;
        let hold = self.hold_profile(owner, ProfileKind::UserData, name, &id).await?;
        let size = bytes_of(root.clone(), owner.clone()).await;
        if size > limit {
            return Err(ServiceError::UserDataQuota { size, limit });
        }
        let locked: Arc<dyn LockedDirectory> = Arc::new(self.lock_user_data(&root, owner, name, true).await?);
        let installed = self.installed_extensions(caller, locked.extensions()).await;
        let place = place.with_user_data(UserData::new(&locked), caller, &installed);
        let hold = hold.with(locked);
        let (mut live, entry) = self.make(caller, id, options, place, false).await?;
        live.session_info().set_profile(profile.clone());
        live.will_save(hold);
        if let Some(handle) = self.handle(&live.session_info().session_id()) {
            let watch = self.clone().watch_user_data(handle, root, owner.clone(), (profile.name, limit));
            self.inner.tasks.spawn(watch);
        }
        self.inner.terms().metrics.connect_time.observe("all", since.elapsed());
        Ok((live, entry))
    }

    /// Those of the extensions that may still be loaded: the operator may have removed some, or changed the directory.
    async fn installed_extensions(&self, caller: &Caller, paths: Vec<String>) -> Vec<Extension> {
        let terms = self.inner.terms();
        let allowed = terms.launch.extensions_for(caller.tenant.capabilities());
        let mut found = Vec::new();
        for path in paths {
            if let Some(allowed) = allowed {
                found.extend(extensions::inside(allowed, &path).await);
            } else {
                tracing::debug!(
                    path,
                    "it is not loaded: extensions_dir is not set, or the tenant lacks private-network"
                );
            }
        }
        found
    }

    fn user_data_root(&self) -> Result<(UserDataRoot, u64), ServiceError> {
        let terms = self.inner.terms();
        let root = terms.user_data.clone().ok_or(ServiceError::NoUserData)?;
        Ok((root, terms.user_data_quota))
    }

    /// Locks a directory; waits until the Chrome of the last session has ended.
    async fn lock_user_data(
        &self,
        root: &UserDataRoot,
        owner: &Owner,
        name: &str,
        make: bool,
    ) -> Result<UserDataDir, ServiceError> {
        let until = Instant::now() + SAVE_MOST;
        loop {
            let (root, of, named) = (root.clone(), owner.clone(), name.to_owned());
            match on_disk(name, move || root.lock(&of, &named, make)).await {
                Err(ServiceError::UserData { why: UserDataError::Locked, .. }) if Instant::now() < until => {
                    tokio::time::sleep(PAUSE).await;
                }
                locked => return locked,
            }
        }
    }

    /// Checks the size of the directories of an owner until the session has ended: warns its clients, and ends it.
    async fn watch_user_data(self, handle: Handle, root: UserDataRoot, owner: Owner, (name, limit): (String, u64)) {
        let mut is_warned = false;
        loop {
            let is_over = tokio::select! {
                () = handle.gone.cancelled() => true,
                () = tokio::time::sleep(CHECK) => false,
            };
            let size = bytes_of(root.clone(), owner.clone()).await;
            let session = &*handle.session_info.id;
            if size <= limit {
                is_warned = false;
            } else if is_over || !is_warned {
                tracing::warn!(session, %owner, name, size, limit, "the user data of an owner are too large (user_data_quota)");
            }
            if is_over {
                return;
            }
            let control = match (size > limit, std::mem::replace(&mut is_warned, size > limit)) {
                (false, _) => continue,
                (true, false) => {
                    let remaining = Millis(CHECK);
                    let event = UserDataTooLarge { user_data: name.clone(), size, limit, remaining };
                    Control::Tell(UserDataTooLarge::NAME, event.params())
                }
                (true, true) => Control::End(CloseReason::UserDataTooLarge { size, limit }),
            };
            // A session that has just ended needs neither.
            let _ = handle.control.send(Box::new(control)).await;
        }
    }

    /// Whether this server keeps user data directories.
    pub(super) fn keeps_user_data(&self) -> bool {
        self.inner.terms().user_data.is_some()
    }

    /// The user data directories of the caller, by name; none if this server keeps none.
    pub(super) async fn user_data_of(&self, owner: &Owner) -> Vec<Profile> {
        let Ok((root, _)) = self.user_data_root() else { return Vec::new() };
        let of = owner.clone();
        let all = tokio::task::spawn_blocking(move || root.list(&of)).await.unwrap_or_default();
        all.into_iter().map(|one| self.shown_user_data(owner, one)).collect()
    }

    fn shown_user_data(&self, owner: &Owner, UserDataInfo { name, bytes, used }: UserDataInfo) -> Profile {
        let holder = self.inner.profile_holders.holder((owner, ProfileKind::UserData, &name));
        let saved_at = used.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        Profile {
            name,
            kind: ProfileKind::UserData,
            size: bytes,
            saved_at: u64::try_from(saved_at).unwrap_or(u64::MAX),
            expires_at: None,
            holder: holder.map(|holder| holder.to_string()),
        }
    }

    /// Saves the session that uses the directory as a snapshot.
    pub(super) async fn export_user_data(
        &self,
        caller: &Caller,
        name: &str,
        label: Label,
    ) -> Result<Snapshot, ServiceError> {
        // A server that keeps none has none of this name.
        let (root, _) = self.user_data_root().map_err(|_| no_profile(name))?;
        let Some(holder) = self.inner.profile_holders.holder((caller.owner(), ProfileKind::UserData, name)) else {
            let (of, named) = (caller.owner().clone(), name.to_owned());
            let is_there = on_disk(name, move || Ok(root.has(&of, &named))).await?;
            return Err(if is_there { ServiceError::UserDataIdle(name.to_owned()) } else { no_profile(name) });
        };
        Ok(self.save_snapshot(caller, &holder, &SnapshotPart::PROFILE, label).await?.snapshot)
    }

    /// Deletes a directory that no session uses.
    pub(super) async fn delete_user_data(&self, caller: &Caller, name: &str) -> Result<(), ServiceError> {
        // A server that keeps none has none of this name.
        let (root, _) = self.user_data_root().map_err(|_| no_profile(name))?;
        let holder = Arc::from("that deletes it");
        let taken = self.inner.profile_holders.hold((caller.owner(), ProfileKind::UserData, name), &holder).await;
        let hold = taken.map_err(|Held(holder)| in_use(name, &holder))?;
        hold.saves();
        let locked = self.lock_user_data(&root, caller.owner(), name, false).await?;
        on_disk(name, move || locked.remove()).await
    }
}

/// Bytes that the directories of an owner take.
async fn bytes_of(root: UserDataRoot, owner: Owner) -> u64 {
    tokio::task::spawn_blocking(move || root.bytes_of(&owner)).await.unwrap_or(0)
}
