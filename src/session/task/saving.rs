//! Saves a session by itself: at intervals while it runs, to be restored if its browser is lost, and after it was parked
//! for long, to be hibernated. The session runs while it is saved; it is hibernated only if nothing has happened
//! meanwhile.
//!
//! A session with a profile is saved as this profile instead, at its end and at the same intervals; it is not hibernated,
//! because it holds the profile as long as it lives.

use std::{
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, future::BoxFuture};

use super::{SessionTask, jobs::Done};
use crate::session::{
    lifecycle::Phase,
    persistence::{HibernateGuard, PersistenceError},
    profile_holders::{ANNOUNCE, ProfileHold, SAVE_MOST},
};
use crate::{
    api_types::{Bad, Options, ProfileKind},
    browser::Inbox,
    close_reason::CloseReason,
    port::FromBrowser,
};

/// A running session spends at most one part in this many of its time on being saved.
const SPARING: u32 = 10;

/// The state of a session's saves.
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// Whether the session is being saved.
    is_on: bool,
    /// The time of the state that would be restored.
    saved: Option<Instant>,
    /// The earliest next save of the running session.
    next: Option<Instant>,
    /// Whether the session is to hibernate as soon as it has no client.
    is_asked: bool,
    /// The earliest next save for hibernation, after one that failed.
    sleepless: Option<Instant>,
}

/// The last save of a session's profile.
pub(super) struct EndOfProfile {
    /// Released when it is saved.
    hold: ProfileHold,
    session: Arc<str>,
    save: BoxFuture<'static, Result<(), PersistenceError>>,
}

impl EndOfProfile {
    /// Ends when every server knows that the profile is being saved, or after a while: who connects after that waits for it.
    pub(super) fn announced(&self) -> impl Future<Output = ()> + Send + use<> {
        let announced = self.hold.announced();
        async move {
            if let Some(announced) = announced {
                let _ = tokio::time::timeout(ANNOUNCE, announced.cancelled()).await;
            }
        }
    }
}

/// Saves the profile of a session that has ended. What the browser sends meanwhile is of no use. If it fails, the profile
/// keeps the state that it had.
pub(super) async fn save_profile(profile: EndOfProfile, mut inbox: Inbox) {
    let EndOfProfile { hold: _hold, session, save } = profile;
    let is_lost = poll_fn(|cx| {
        loop {
            match inbox.poll_recv(cx) {
                Poll::Ready(Some(FromBrowser::Lost(_)) | None) => return Poll::Ready(()),
                Poll::Ready(Some(_)) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    let why = tokio::select! {
        saved = tokio::time::timeout(SAVE_MOST, save) => match saved {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it was not read within {SAVE_MOST:?}"),
        },
        () = is_lost => "its browser is lost".to_owned(),
    };
    tracing::warn!(session = &*session, why, "the profile keeps the state that it had: the session could not be saved");
}

impl SessionTask {
    /// The time of the next save, if there is one.
    pub(super) fn save_at(&self) -> Option<Instant> {
        if self.saving.is_on || self.is_shared {
            return None;
        }
        [self.doze_at(), self.autosave_at()].into_iter().flatten().min()
    }

    fn doze_at(&self) -> Option<Instant> {
        if self.profile.is_some() {
            return None;
        }
        let after = if self.saving.is_asked {
            Duration::ZERO
        } else {
            Some(self.record.saves().hibernate_after).filter(|after| !after.is_zero())?
        };
        let at = self.record.life().parked_for(after)?;
        Some(self.saving.sleepless.map_or(at, |again| at.max(again)))
    }

    /// It is to hibernate as soon as it has no client.
    pub(super) fn hibernate_soon(&mut self) {
        self.saving.is_asked = true;
    }

    fn autosave_at(&self) -> Option<Instant> {
        // Chrome itself writes user data, again and again.
        if self.profile.as_ref().is_some_and(|hold| hold.kind() == ProfileKind::UserData || hold.is_lost()) {
            return None;
        }
        let often = Some(self.record.saves().autosave).filter(|often| !often.is_zero())?;
        let last = self.saving.saved.unwrap_or_else(|| self.record.life().began());
        let at = last.checked_add(often)?;
        Some(self.saving.next.map_or(at, |next| at.max(next)))
    }

    /// Saves the session if it is time to.
    pub(super) fn save_if_due(&mut self, now: Instant) {
        if self.saving.is_on || self.is_shared {
            return;
        }
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let (sleeps, stays) = (is_due(self.doze_at()), is_due(self.autosave_at()));
        let (session_info, place) = (self.record.session_info().clone(), self.place());
        match *self.record.life().phase() {
            Phase::Parked(since) if sleeps => {
                let saved = self.sessions.hibernate(session_info, place);
                self.jobs.push(saved.map(move |saved| Done::Hibernated(since, saved)).boxed());
            }
            _ if stays => {
                let saved = match &self.profile {
                    Some(hold) => {
                        let most = self.tenant.limits().max_snapshots;
                        self.sessions.save_profile(session_info, place, most, hold.lease())
                    }
                    None => self.sessions.autosave(session_info, place),
                };
                self.jobs.push(saved.map(move |saved| Done::Saved(now, saved)).boxed());
            }
            _ => return,
        }
        self.saving.is_on = true;
    }

    /// The parked session was saved. Hibernates it if no client has used it since `since`.
    pub(super) fn on_hibernated(&mut self, since: Instant, saved: Result<HibernateGuard, PersistenceError>) {
        self.saving.is_on = false;
        match saved {
            // No client has connected, used it, or is about to connect.
            Ok(slept) if self.over.is_none() && self.record.life().parked_for(Duration::ZERO) == Some(since) => {
                slept.keep();
                self.over = Some(CloseReason::Hibernated);
            }
            Ok(slept) => drop(slept),
            Err(error) => {
                let after = self.record.saves().hibernate_after.max(Duration::from_secs(1));
                self.saving.sleepless = super::now().checked_add(after);
                tracing::warn!(session = &**self.record.id(), %error, "the session could not be saved, and is not hibernated");
            }
        }
    }

    /// The running session was saved, in its state at `since`.
    pub(super) fn on_saved(&mut self, since: Instant, saved: Result<(), PersistenceError>) {
        self.saving.is_on = false;
        let now = super::now();
        let rest = now.saturating_duration_since(since).saturating_mul(SPARING).max(self.record.saves().autosave);
        self.saving.next = now.checked_add(rest);
        match saved {
            // The session itself cannot be restored from its profile.
            Ok(()) if self.profile.is_some() => {}
            Ok(()) => self.saving.saved = Some(since),
            Err(error) => {
                tracing::warn!(session = &**self.record.id(), %error, "the session could not be saved; the next attempt is later");
            }
        }
    }

    /// What saves the session's profile, now that the session ends for this reason. From here on the profile is not held for
    /// use: those who want it wait until it is saved.
    pub(super) fn save_at_end(&mut self, reason: &CloseReason) -> Option<EndOfProfile> {
        let (hold, session_info) = (self.profile.take()?, self.record.session_info().clone());
        if hold.kind() == ProfileKind::UserData {
            // Chrome writes them when it ends, and has the directory locked until then.
            return None;
        }
        if let CloseReason::BrowserLost(why) = reason {
            tracing::warn!(session = &*session_info.id, %why, "the profile keeps the state that it had: the browser is lost");
            return None;
        }
        if hold.is_lost() {
            self.terms.metrics.profiles_not_saved.inc();
            tracing::warn!(session = &*session_info.id, "the profile is not saved: another server has it by now");
            return None;
        }
        hold.saves();
        let (session, most) = (session_info.id.clone(), self.tenant.limits().max_snapshots);
        let save = self.sessions.save_profile(session_info, self.place(), most, hold.lease());
        Some(EndOfProfile { hold, session, save })
    }

    /// The age of the state that would be restored; `None` if there is none.
    pub(super) fn saved_ago(&self) -> Option<Duration> {
        let saved = self.saving.saved.filter(|_| !self.record.saves().autosave.is_zero())?;
        Some(super::now().saturating_duration_since(saved))
    }

    /// The session was restored from hibernation. It keeps its age; the options of its client are applied to the saved
    /// ones.
    pub fn wakes(&mut self, age: Duration, wanted: Options) -> Result<(), Bad> {
        self.record.is_old(age);
        self.saving.saved = Some(super::now());
        self.update(wanted)
    }
}
