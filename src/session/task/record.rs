//! The record of a session: lifecycle, name, metadata and traffic. Every change of phase goes through [`Record::on`],
//! which also logs it, counts it, and publishes it in the [`SessionInfo`].

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use super::Caller;
use crate::session::{
    caller::{BaseUrl, url_at},
    egress_log::EgressLog,
    id::{SessionId, name_in},
    lifecycle::{Deadlines, Event, Lifecycle, Phase},
    persistence::Subject,
};
use crate::{
    api_types::{
        self, Bad, Capability, Isolation, Metadata, Millis, Options, Owner, ProfileKind, ProfileUse, SessionState,
        operations::ListSessions,
    },
    close_reason::CloseReason,
    config::{self, Granted},
    metrics::{EndedLabels, Metrics},
    port::BrowserId,
};

/// The times after which a session is saved by itself; zero disables it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saves {
    /// A session that was parked for this long is hibernated.
    pub hibernate_after: Duration,
    /// The interval of saves while the session runs.
    pub autosave: Duration,
    /// How long its files are kept after its end.
    pub keep_files: Duration,
}

/// The state of a session for other tasks, as of its last change.
#[derive(Debug)]
pub struct SessionInfo {
    /// The id of the session.
    pub id: Arc<str>,
    /// The owner of the session.
    pub owner: Owner,
    /// With whom it shares its browser.
    pub isolation: Isolation,
    /// The profile it begins with, if it begins with one. Set before it runs.
    profile: OnceLock<ProfileUse>,
    /// When it was requested: sessions are listed in this order.
    pub asked: Instant,
    asked_at: SystemTime,
    /// The time of the last frame of a client, in milliseconds after `asked`. It is written in every turn, so it is not
    /// under the lock.
    heard: AtomicU64,
    // Guards what the task publishes; held for a copy.
    shown: Mutex<Shown>,
    /// Its network access, if its requests pass gates.
    pub(super) egress: OnceLock<Arc<EgressLog>>,
    /// How long the session lasted, and its traffic, once it has ended.
    total: OnceLock<(Duration, Traffic)>,
    // Guards the list of connected clients; held for a copy, or while one is added or removed.
    clients: Mutex<Vec<api_types::Client>>,
}

#[derive(Clone, Debug)]
struct Shown {
    life: Lifecycle,
    saves: Saves,
    name: Option<String>,
    metadata: Option<Metadata>,
    browser: Option<u32>,
    capabilities: Vec<Capability>,
}

impl SessionInfo {
    /// The id, with its owner.
    pub fn session_id(&self) -> SessionId {
        SessionId::new(&self.owner, self.id.clone())
    }

    /// Notes the profile that the session begins with. The first one counts.
    pub fn set_profile(&self, profile: ProfileUse) {
        let _ = self.profile.set(profile);
    }

    /// The profile it begins with, if it begins with one.
    pub fn profile(&self) -> Option<&ProfileUse> {
        self.profile.get()
    }

    fn named(&self, kind: ProfileKind) -> Option<String> {
        self.profile()?.named(kind).map(str::to_owned)
    }

    /// The session as its owner sees it, or an admin.
    pub fn show(&self, caller: &Caller) -> api_types::Session {
        let capabilities = self.shown().capabilities.clone();
        let shown = api_types::Session { capabilities, ..self.show_at(&caller.base) };
        if self.owner == *caller.owner() {
            return api_types::Session { web_socket_debugger_url: caller.url_of(&self.id), ..shown };
        }
        api_types::Session { owner: Some(self.owner.to_string()), ..shown }
    }

    fn show_at(&self, base: &BaseUrl) -> api_types::Session {
        let mut shown = self.shown().clone();
        shown.life.hear(self.asked + Duration::from_millis(self.heard.load(Ordering::Relaxed)));
        let life = &shown.life;
        let expires = life.next_timeout();
        api_types::Session {
            id: self.id.to_string(),
            state: life.phase().state(),
            session: name_in(&self.id).map(str::to_owned),
            web_socket_debugger_url: url_at(base, &self.id),
            isolation: self.isolation,
            profile: self.named(ProfileKind::Snapshot),
            user_data: self.named(ProfileKind::UserData),
            persist: self.profile().is_some_and(|profile| profile.persist),
            created_at: self.since_epoch(life.began()),
            timeout: Millis(life.deadlines.timeout),
            idle_timeout: Millis(life.deadlines.idle_timeout),
            keep_alive: Millis(life.deadlines.keep_alive),
            hibernate_after: Millis(shown.saves.hibernate_after),
            autosave: Millis(shown.saves.autosave),
            keep_files: Millis(shown.saves.keep_files),
            expires_at: expires.map(|(at, _)| self.since_epoch(at)),
            expires_by: expires.map(|(_, by)| by),
            clients: life.clients(),
            owner: None,
            capabilities: Vec::new(),
            client_list: Vec::new(),
            browser: shown.browser,
            name: shown.name,
            metadata: shown.metadata,
        }
    }

    /// As [`SessionInfo::show`], with its clients.
    pub fn show_with_clients(&self, caller: &Caller) -> api_types::Session {
        let client_list = self.clients().clone();
        api_types::Session { client_list, ..self.show(caller) }
    }

    /// How long the session lasted, and the bytes from and to its clients, once it has ended.
    pub fn total(&self) -> Option<(Duration, u64, u64)> {
        self.total.get().map(|(lasted, traffic)| (*lasted, traffic.bytes_in, traffic.bytes_out))
    }

    pub(super) fn add_client(&self, client: api_types::Client) {
        self.clients().push(client);
    }

    pub(super) fn remove_client(&self, id: u64) {
        self.clients().retain(|client| client.id != id);
    }

    fn clients(&self) -> MutexGuard<'_, Vec<api_types::Client>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The phase of the session.
    pub fn state(&self) -> SessionState {
        self.shown().life.phase().state()
    }

    /// The times after which it is saved by itself.
    pub fn saves(&self) -> Saves {
        self.shown().saves
    }

    /// Whether the session matches the filter of a list.
    pub fn matches(&self, wanted: &ListSessions) -> bool {
        let shown = self.shown();
        wanted.takes(shown.life.phase().state(), shown.name.as_ref(), shown.metadata.as_ref())
    }

    pub(super) fn since_epoch(&self, at: Instant) -> u64 {
        let at = match self.asked.checked_duration_since(at) {
            // The session was hibernated before it was requested in this process.
            Some(before) => self.asked_at.checked_sub(before).unwrap_or(SystemTime::UNIX_EPOCH),
            None => self.asked_at + at.saturating_duration_since(self.asked),
        };
        at.duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subject for SessionInfo {
    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn session(&self) -> api_types::Session {
        self.show_at(&BaseUrl::plain(""))
    }
}

/// Frames and bytes of a session's clients since its start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// Frames from clients.
    pub frames_in: u64,
    /// Frames to clients.
    pub frames_out: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
    /// Frames from clients that could not be parsed.
    pub malformed: u64,
    /// Frames to clients that were events.
    pub events: u64,
    /// The highest number of pages at the same time.
    pub pages_most: u32,
}

/// The record of a session, which its task owns. Dropping it ends the lifecycle, if it has not ended.
#[derive(Debug)]
pub struct Record {
    shown: Shown,
    session_info: Arc<SessionInfo>,
    metrics: Arc<Metrics>,
    /// The traffic of its clients.
    pub traffic: Traffic,
}

impl Record {
    /// The record of a session that was just requested, with the options of the request.
    pub fn new(
        id: Arc<str>,
        owner: Owner,
        isolation: Isolation,
        options: Options,
        limits: &config::Deadlines,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Bad> {
        let now = super::now();
        let deadlines = Deadlines {
            timeout: limits.timeout.default,
            idle_timeout: limits.idle_timeout.default,
            keep_alive: limits.keep_alive.default,
        };
        let (hibernate_after, keep_files) = (limits.hibernate_after, limits.keep_files.default);
        let saves = Saves { hibernate_after, autosave: limits.autosave, keep_files };
        let mut shown = Shown {
            life: Lifecycle::new(deadlines, now),
            saves,
            name: None,
            metadata: None,
            browser: None,
            capabilities: Vec::new(),
        };
        shown.update(options, limits)?;
        let session_info = Arc::new(SessionInfo {
            id,
            owner,
            isolation,
            profile: OnceLock::new(),
            asked: now,
            asked_at: SystemTime::now(),
            heard: AtomicU64::new(0),
            shown: Mutex::new(shown.clone()),
            clients: Mutex::default(),
            egress: OnceLock::new(),
            total: OnceLock::new(),
        });
        metrics.sessions_queued.inc();
        Ok(Self { shown, session_info, metrics, traffic: Traffic::default() })
    }

    /// The state for other tasks.
    pub fn session_info(&self) -> &Arc<SessionInfo> {
        &self.session_info
    }

    /// The id of the session.
    pub fn id(&self) -> &Arc<str> {
        &self.session_info.id
    }

    /// The lifecycle.
    pub fn life(&self) -> &Lifecycle {
        &self.shown.life
    }

    /// The times after which it is saved by itself.
    pub fn saves(&self) -> Saves {
        self.shown.saves
    }

    /// The session was restored from hibernation, and is this old.
    pub fn is_old(&mut self, age: Duration) {
        self.shown.life.is_old(age, super::now());
    }

    /// The session has a place in this browser.
    pub fn place(&mut self, browser: BrowserId) {
        self.shown.browser = Some(browser.0);
    }

    /// The session may do this.
    pub fn grant(&mut self, granted: Granted) {
        self.shown.capabilities = granted.list();
        self.publish();
    }

    /// A client has sent a frame.
    pub fn hear(&mut self, now: Instant) {
        self.shown.life.hear(now);
        let after = now.saturating_duration_since(self.session_info.asked).as_millis();
        self.session_info.heard.store(u64::try_from(after).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Checks options without applying them.
    pub fn check(&self, options: &Options, limits: &config::Deadlines) -> Result<(), Bad> {
        self.shown.clone().update(options.clone(), limits)
    }

    /// Applies options; if one of them is not allowed, none is applied.
    pub fn update(&mut self, options: Options, limits: &config::Deadlines) -> Result<(), Bad> {
        self.shown.update(options, limits)?;
        self.publish();
        Ok(())
    }

    /// Applies an event. Returns true if the visible state of the session has changed.
    pub fn on(&mut self, event: Event, now: Instant) -> bool {
        let Some(before) = self.shown.life.on(event, now) else {
            // A client that is about to connect can stop a deadline without a change of the phase.
            self.publish();
            return false;
        };
        let (from, to) = (before.state(), self.shown.life.phase().state());
        if from != to {
            self.count(from, -1);
            self.count(to, 1);
            self.log(from);
        }
        self.publish();
        true
    }

    fn count(&self, state: SessionState, by: i64) {
        match state {
            SessionState::Queued => _ = self.metrics.sessions_queued.inc_by(by),
            SessionState::Active => _ = self.metrics.sessions.inc_by(by),
            SessionState::Parked => {
                self.metrics.sessions.inc_by(by);
                self.metrics.sessions_parked.inc_by(by);
            }
            SessionState::Hibernated | SessionState::Closed => {}
        }
    }

    fn log(&self, from: SessionState) {
        let (id, browser) = (&*self.session_info.id, self.shown.browser);
        match (from, self.shown.life.phase()) {
            (SessionState::Queued, Phase::Closed(reason)) => {
                tracing::info!(session = id, %reason, "session ended before it had a place in a browser");
            }
            (_, Phase::Closed(reason)) => {
                let Traffic { frames_in, frames_out, bytes_in, bytes_out, malformed, events, pages_most } =
                    self.traffic;
                let lasted = super::now().saturating_duration_since(self.shown.life.began());
                let _ = self.session_info.total.set((lasted, self.traffic));
                self.metrics.sessions_ended.get_or_create(&EndedLabels { reason: reason.label() }).inc();
                tracing::info!(
                    session = id,
                    code = reason.code(),
                    %reason,
                    ?lasted,
                    frames_in,
                    frames_out,
                    bytes_in,
                    bytes_out,
                    commands = frames_in - malformed,
                    events,
                    pages_most,
                    "session ended"
                );
            }
            (SessionState::Queued, _) => {
                self.metrics.sessions_opened.inc();
                tracing::info!(session = id, browser, owner = %self.session_info.owner, "session opened");
            }
            (_, Phase::Parked(_)) => {
                self.metrics.sessions_parks.inc();
                let keep_alive = self.shown.life.deadlines.keep_alive;
                tracing::info!(session = id, ?keep_alive, "session parked");
            }
            (SessionState::Parked, _) => {
                self.metrics.sessions_resumes.inc();
                tracing::info!(session = id, "session resumed");
            }
            _ => {}
        }
    }

    fn publish(&self) {
        self.session_info.shown().clone_from(&self.shown);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.on(Event::Over(CloseReason::Bye("it was given up")), super::now());
    }
}

impl Shown {
    fn update(&mut self, options: Options, limits: &config::Deadlines) -> Result<(), Bad> {
        options.check()?;
        for (field, asked, limit) in [
            ("timeout", options.timeout, limits.timeout),
            ("idleTimeout", options.idle_timeout, limits.idle_timeout),
            ("keepAlive", options.keep_alive, limits.keep_alive),
            ("keepFiles", options.keep_files, limits.keep_files),
        ] {
            if let Some(Millis(asked)) = asked {
                limit.allows(asked).map_err(|why| Bad::new(field, why))?;
            }
        }
        if let Some(Millis(often)) = options.autosave {
            config::may_save(often).map_err(|why| Bad::new("autosave", why))?;
        }
        let deadlines = &mut self.life.deadlines;
        let set = |to: &mut Duration, asked: Option<Millis>| asked.into_iter().for_each(|Millis(asked)| *to = asked);
        set(&mut deadlines.timeout, options.timeout);
        set(&mut deadlines.idle_timeout, options.idle_timeout);
        set(&mut deadlines.keep_alive, options.keep_alive);
        set(&mut self.saves.hibernate_after, options.hibernate_after);
        set(&mut self.saves.autosave, options.autosave);
        set(&mut self.saves.keep_files, options.keep_files);
        if let Some(name) = options.name {
            self.name = Some(name).filter(|name| !name.is_empty());
        }
        if let Some(metadata) = options.metadata {
            self.metadata = Some(metadata).filter(|metadata| !metadata.is_empty());
        }
        Ok(())
    }
}
