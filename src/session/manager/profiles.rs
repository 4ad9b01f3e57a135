//! Profiles: sessions that begin with one and save it, and the operations on them.
//!
//! A profile is a snapshot that the store keeps under its name. A session that saves it holds it while it lives
//! (`profile_holders`); any number of sessions may begin with it meanwhile. Each save takes the place of the former one in
//! one step, so a profile always has its newest complete state.

use std::{sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;

use super::{
    Handle, SessionManager, access, place::Place, registration::Registration, service::page_of, snapshots::new_of,
};
use crate::session::{
    error::ServiceError,
    id::SessionId,
    persistence::PersistenceError,
    profile_holders::{Held, ProfileHold},
    profile_lease::{self, NoLease, RenewedLease},
    task::{Caller, Control, SessionInfo, SessionTask},
};
use crate::{
    api_types::{
        Event as _, Label, Nothing, Options, Owner, Profile, ProfileKind, ProfileLost, ProfileUse, Profiles, Reply,
        Snapshot, SnapshotPart, Unreadable,
        operations::{DeleteProfile, ExportProfile, GetProfile, ListProfiles, ProfileRequest},
        profile_name,
    },
    browser::ContextHandle,
    snapshot::repository::{self, Purpose, RepositoryError},
    store::{Meta, New, ProfileLease, Reader, StoreError},
};

/// First character of a cursor among the user data directories. No name of a profile has it.
const USER_DATA: char = '@';
/// How often a session begins anew because its profile was saved while it was read.
const ATTEMPTS: u32 = 4;

impl SessionManager {
    pub(super) async fn perform_on_profile(
        &self,
        caller: &Caller,
        request: ProfileRequest,
    ) -> Result<Reply, ServiceError> {
        Ok(match request {
            ProfileRequest::ListProfiles(wanted) => {
                Reply::of::<ListProfiles>(&self.list_profiles(caller, &wanted).await?)
            }
            ProfileRequest::GetProfile(GetProfile { profile, kind }) => {
                Reply::of::<GetProfile>(&self.profile(caller, kind, &profile).await?)
            }
            ProfileRequest::ExportProfile(export) => {
                let (profile, kind, label) = export.divide();
                Reply::of::<ExportProfile>(&match kind {
                    ProfileKind::Snapshot => self.export_profile(caller, &profile, label).await?,
                    ProfileKind::UserData => self.export_user_data(caller, &profile, label).await?,
                })
            }
            ProfileRequest::DeleteProfile(DeleteProfile { profile, kind }) => {
                match kind {
                    ProfileKind::Snapshot => self.delete_profile(caller, &profile).await?,
                    ProfileKind::UserData => self.delete_user_data(caller, &profile).await?,
                }
                Reply::of::<DeleteProfile>(&Nothing {})
            }
        })
    }

    async fn list_profiles(&self, caller: &Caller, wanted: &ListProfiles) -> Result<Profiles, ServiceError> {
        let limit = page_of(wanted.limit)?;
        let cursor = wanted.cursor.as_deref();
        let of_user_data = cursor.and_then(|cursor| cursor.strip_prefix(USER_DATA));
        let is_user_data = of_user_data.is_some();
        // `@` alone is before all user data.
        let name = of_user_data.filter(|name| !name.is_empty()).or(cursor.filter(|_| !is_user_data));
        let after = name.map(|name| profile_name("cursor", name)).transpose()?;
        let mut all = Profiles::default();
        if !is_user_data {
            all = self.stored_profiles(caller, after.as_deref(), limit).await?;
        }
        let room = limit.saturating_sub(all.profiles.len() + all.unreadable.len());
        if all.next.is_some() || room == 0 && !self.keeps_user_data() {
            return Ok(all);
        }
        let after = after.filter(|_| is_user_data);
        let mut others = self.user_data_of(caller.owner()).await;
        others.retain(|one| after.as_ref().is_none_or(|after| one.name > *after));
        let is_more = others.len() > room;
        others.truncate(room);
        all.profiles.append(&mut others);
        if is_more {
            let last = all.profiles.last().filter(|last| last.kind == ProfileKind::UserData);
            all.next = Some(last.map_or_else(|| USER_DATA.to_string(), |last| format!("{USER_DATA}{}", last.name)));
        }
        Ok(all)
    }

    /// A page of the profiles in the store. One that has expired is not shown, so the page may be shorter than `limit`.
    async fn stored_profiles(
        &self,
        caller: &Caller,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Profiles, ServiceError> {
        let mut found = self.inner.store.profiles(caller.owner(), after, limit + 1).await?;
        let next = (found.len() > limit).then(|| found.get(limit - 1).map(|(name, _)| name.clone())).flatten();
        found.truncate(limit);
        let mut all = Profiles { next, ..Profiles::default() };
        for (name, id) in found {
            match self.inner.store.meta(caller.owner(), id).await {
                Ok(meta) => all.profiles.push(self.shown_profile(name, &meta).await?),
                // It has expired, or was deleted meanwhile.
                Err(StoreError::Missing { .. }) => {}
                Err(why @ (StoreError::Corrupt { .. } | StoreError::Newer { .. })) => {
                    all.unreadable.push(Unreadable { id: name, reason: why.to_string() });
                }
                Err(why) => return Err(why.into()),
            }
        }
        Ok(all)
    }

    async fn profile(&self, caller: &Caller, kind: ProfileKind, name: &str) -> Result<Profile, ServiceError> {
        if kind == ProfileKind::UserData {
            let all = self.user_data_of(caller.owner()).await;
            return all.into_iter().find(|one| one.name == name).ok_or_else(|| no_profile(name));
        }
        let found =
            self.inner.store.profile(caller.owner(), name).await.map_err(|why| bad_profile(name, why.into()))?;
        let meta = found.ok_or_else(|| no_profile(name))?;
        self.shown_profile(name.to_owned(), &meta).await
    }

    async fn export_profile(&self, caller: &Caller, name: &str, label: Label) -> Result<Snapshot, ServiceError> {
        // First, because the label has the name of the profile, which may be none that a snapshot can have.
        let reader = self.profile_content(caller.owner(), name).await?.ok_or_else(|| no_profile(name))?;
        let new = new_of(caller, label)?;
        let copied = repository::copy(&self.inner.store, new, reader).await;
        let meta = copied.map_err(|why| match why {
            RepositoryError::Store(StoreError::Corrupt { .. }) => bad_profile(name, why),
            why => why.into(),
        })?;
        self.inner.terms().metrics.snapshots_saved.inc();
        Ok(repository::show(&meta))
    }

    async fn delete_profile(&self, caller: &Caller, name: &str) -> Result<(), ServiceError> {
        // Held while it is deleted: a session that begins meanwhile would save it again.
        let holder = Arc::from("that deletes it");
        let hold = self.hold_as(caller.owner(), ProfileKind::Snapshot, name, &holder).await?;
        hold.saves();
        let is_gone = self.inner.store.remove_profile(caller.owner(), name).await?;
        if is_gone { Ok(()) } else { Err(no_profile(name)) }
    }

    async fn shown_profile(&self, name: String, meta: &Meta) -> Result<Profile, ServiceError> {
        let here = self.inner.profile_holders.holder((&meta.owner, ProfileKind::Snapshot, &name));
        let holder = match here {
            Some(holder) => Some(holder.to_string()),
            None => self.inner.store.leaseholder(&meta.owner, &name).await?.map(|elsewhere| elsewhere.session),
        };
        Ok(Profile {
            name,
            kind: ProfileKind::Snapshot,
            size: meta.raw,
            saved_at: meta.created.0,
            expires_at: meta.expires.map(|at| at.0),
            holder,
        })
    }

    /// A new session that begins with a profile, ready to run.
    pub(super) async fn open_with_profile(
        &self,
        caller: &Caller,
        id: SessionId,
        options: Options,
        place: Place,
        profile: ProfileUse,
    ) -> Result<(SessionTask, Registration), ServiceError> {
        access::whole(caller, "profile")?;
        let (since, name) = (Instant::now(), profile.name.as_str());
        let mut hold = None;
        if profile.persist {
            hold = Some(self.hold_profile(caller.owner(), ProfileKind::Snapshot, name, &id).await?);
        }
        let mut attempts = 0;
        loop {
            attempts += 1;
            let reader = self.profile_content(caller.owner(), name).await?;
            if reader.is_none() && !profile.persist {
                return Err(no_profile(name));
            }
            let (mut live, entry) = self.make(caller, id.clone(), options.clone(), place.clone(), false).await?;
            live.session_info().set_profile(profile.clone());
            match self.begin_with_profile(&mut live, name, reader).await {
                Ok(()) => {
                    if let Some(hold) = hold.take() {
                        if let (Some(lost), Some(handle)) = (hold.lost(), self.handle(&id)) {
                            self.watch_lease(handle, lost, profile.name.clone());
                        }
                        live.will_save(hold);
                    }
                    self.inner.terms().metrics.connect_time.observe("all", since.elapsed());
                    return Ok((live, entry));
                }
                Err(ServiceError::BadProfile { why: RepositoryError::Store(StoreError::Missing { .. }), .. })
                    if attempts < ATTEMPTS =>
                {
                    tracing::debug!(session = %id, "the profile was saved while it was read; it is read again");
                    // The id must be free before it is used again.
                    let gone = self.handle(&id).map(|handle| handle.gone);
                    drop((live, entry));
                    if let Some(gone) = gone {
                        gone.cancelled().await;
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) async fn hold_profile(
        &self,
        owner: &Owner,
        kind: ProfileKind,
        name: &str,
        id: &SessionId,
    ) -> Result<ProfileHold, ServiceError> {
        self.hold_as(owner, kind, name, id.text()).await
    }

    /// Holds a profile for a session, or for whoever `holder` says: here, and on all servers that share the store.
    async fn hold_as(
        &self,
        owner: &Owner,
        kind: ProfileKind,
        name: &str,
        holder: &Arc<str>,
    ) -> Result<ProfileHold, ServiceError> {
        let taken = self.inner.profile_holders.hold((owner, kind, name), holder).await;
        let hold = taken.map_err(|Held(holder)| in_use(name, &holder))?;
        let store = &self.inner.store;
        if kind == ProfileKind::UserData || !store.is_shared() {
            return Ok(hold);
        }
        match RenewedLease::take(store, (owner, name), holder, &self.inner.tasks).await {
            Ok(lease) => Ok(hold.leased(lease)),
            Err(NoLease::Held(Held(holder))) => Err(in_use(name, &holder)),
            Err(NoLease::Store(error)) => Err(error.into()),
        }
    }

    /// Tells the clients of a session when its profile is lost to another server.
    fn watch_lease(&self, handle: Handle, lost: CancellationToken, profile: String) {
        self.inner.tasks.spawn(async move {
            tokio::select! {
                () = handle.gone.cancelled() => return,
                () = lost.cancelled() => {}
            }
            let event = Control::Tell(ProfileLost::NAME, ProfileLost { profile }.params());
            // A session that has just ended does not need it.
            let _ = handle.control.send(Box::new(event)).await;
        });
    }

    /// The content of a profile, after the save that is under way.
    async fn profile_content(&self, owner: &Owner, name: &str) -> Result<Option<Reader>, ServiceError> {
        self.inner.profile_holders.settled((owner, ProfileKind::Snapshot, name)).await;
        profile_lease::settled(&self.inner.store, owner, name).await?;
        let read = self.inner.store.get_profile(owner, name).await;
        read.map_err(|why| bad_profile(name, why.into()))
    }

    async fn begin_with_profile(
        &self,
        live: &mut SessionTask,
        name: &str,
        reader: Option<Reader>,
    ) -> Result<(), ServiceError> {
        let Some(reader) = reader else { return Ok(()) };
        let (since, snapshot) = (tokio::time::Instant::now(), reader.meta().id.to_string());
        let report = self.furnish(live, false, reader.into_read()).await.map_err(|why| match why {
            ServiceError::Snapshot(why @ (RepositoryError::Store(_) | RepositoryError::Snapshot(_))) => {
                bad_profile(name, why)
            }
            why => why,
        })?;
        self.restored(live.id(), &snapshot, &report, since);
        self.inner.terms().metrics.connect_time.observe("restore", since.elapsed());
        Ok(())
    }

    /// Saves a session as its profile, in place of the state that the profile has.
    pub(super) async fn save_profile_of(
        &self,
        session_info: &Arc<SessionInfo>,
        place: &ContextHandle,
        most: Option<u64>,
        lease: Option<Arc<ProfileLease>>,
    ) -> Result<(), PersistenceError> {
        let (terms, since) = (self.inner.terms(), Instant::now());
        let Some(profile) = session_info.profile() else { return Ok(()) };
        let name = profile.name.clone();
        let of_owner = New::of(session_info.owner.clone());
        let new = New { name: Some(name.clone()), profile: Some(name), most, lease, ..of_owner };
        let what = (SnapshotPart::PROFILE.as_slice(), Purpose::Profile);
        let saved = repository::save(&self.inner.store, new, &session_info.id, place, what, &terms.snapshots).await;
        let (meta, report) = saved.inspect_err(|_| {
            terms.metrics.profiles_not_saved.inc();
        })?;
        terms.metrics.profiles_saved.inc();
        tracing::info!(
            session = &*session_info.id,
            profile = profile.name,
            owner = %session_info.owner,
            bytes = meta.raw,
            stored = meta.stored,
            took = ?since.elapsed(),
            omitted = report.lost_count,
            "profile saved"
        );
        Ok(())
    }
}

pub(super) fn no_profile(name: &str) -> ServiceError {
    ServiceError::NoProfile(name.chars().take(64).collect())
}

pub(super) fn in_use(name: &str, holder: &str) -> ServiceError {
    ServiceError::ProfileInUse { name: name.to_owned(), holder: holder.to_owned() }
}

fn bad_profile(name: &str, why: RepositoryError) -> ServiceError {
    ServiceError::BadProfile { name: name.to_owned(), why }
}
