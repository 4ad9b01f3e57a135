//! All metrics of the process, in one struct. The help texts are their documentation.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// The label of the reason why a session ended: one word of a fixed list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EndedLabels {
    /// See [`crate::close_reason::CloseReason::label`].
    pub reason: &'static str,
}

/// The label of a limit of a tenant: one word of a fixed list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LimitLabels {
    /// See [`crate::tenant::limits::LimitName::name`].
    pub limit: &'static str,
}

/// The label of a reason why a gate refused a connection, or a connection failed: one word of a fixed list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EgressLabels {
    /// See [`crate::port::egress::EgressRefusal::code`].
    pub reason: &'static str,
}

/// The label of a direction.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DirectionLabels {
    /// `up` is from pages, `down` is to them.
    pub direction: &'static str,
}

/// The label of a part of the time until a new session has its client: one word of a fixed list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PhaseLabels {
    /// `queue`, `lease`, `restore` or `all`.
    pub phase: &'static str,
}

/// The upper bounds of durations, in seconds: from a warm lease to the longest deadline of a lease.
const SECONDS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// A histogram of durations in seconds.
#[derive(Clone, Debug)]
pub struct Seconds(Histogram);

impl Default for Seconds {
    fn default() -> Self {
        Self(Histogram::new(SECONDS))
    }
}

impl Seconds {
    /// Counts a duration.
    pub fn observe(&self, took: Duration) {
        self.0.observe(took.as_secs_f64());
    }
}

/// Histograms of durations in seconds, by phase.
#[derive(Clone, Debug)]
pub struct SecondsByPhase(Family<PhaseLabels, Histogram, fn() -> Histogram>);

impl Default for SecondsByPhase {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(SECONDS)))
    }
}

impl SecondsByPhase {
    /// Counts how long a phase took.
    pub fn observe(&self, phase: &'static str, took: Duration) {
        self.0.get_or_create(&PhaseLabels { phase }).observe(took.as_secs_f64());
    }
}

/// The labels of a decision of the pool: one word each, of a fixed list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DecisionLabels {
    /// What was done.
    pub decision: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// The label of a difference between the records and a browser: one word of a fixed list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DifferenceLabels {
    /// What differs.
    pub kind: &'static str,
}

/// The label of the reason why a TLS handshake failed: one word of a fixed list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TlsLabels {
    /// One of [`TLS_FAILURES`].
    pub reason: &'static str,
}

/// Why a TLS handshake fails: the client or the server refused it; the client left before it began, or took too long; there
/// were too many.
pub const TLS_FAILURES: [&str; 4] = ["failed", "left", "slow", "full"];

/// The metrics of one process.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Messages from Chrome that belonged to no session.
    pub unowned: Counter,
    /// Popups that were resumed because their client did not set them up in time.
    pub holds_expired: Counter,
    /// Events of Chrome that were dropped because they nest too deep for JSON.
    pub events_too_deep: Counter,
    /// Sessions opened.
    pub sessions_opened: Counter,
    /// Sessions that have a place in a browser now, parked ones included.
    pub sessions: Gauge,
    /// Warm leases that no session has taken yet.
    pub sessions_warm: Gauge,
    /// Sessions without a client now.
    pub sessions_parked: Gauge,
    /// Sessions that wait for a place now.
    pub sessions_queued: Gauge,
    /// Sessions that lost their last socket and went on.
    pub sessions_parks: Counter,
    /// Parked sessions to which a client came back.
    pub sessions_resumes: Counter,
    /// Parked sessions that were hibernated.
    pub sessions_hibernated: Counter,
    /// Saves of running sessions.
    pub sessions_autosaved: Counter,
    /// Hibernated sessions that were restored for a client.
    pub sessions_restored: Counter,
    /// Snapshots saved and imported.
    pub snapshots_saved: Counter,
    /// Snapshots written into sessions.
    pub snapshots_restored: Counter,
    /// Profiles saved from sessions.
    pub profiles_saved: Counter,
    /// Sessions that could not be saved as their profiles.
    pub profiles_not_saved: Counter,
    /// TLS handshakes that failed, by reason.
    pub tls_handshakes_failed: Family<TlsLabels, Counter>,
    /// When the certificate of the server expires, in seconds since 1970; 0 if the server has none.
    pub tls_certificate_expiry: Gauge,
    /// Sessions that ended, by reason.
    pub sessions_ended: Family<EndedLabels, Counter>,
    /// Clients refused because there was no place for them.
    pub sessions_rejected: Counter,
    /// Sockets connected now.
    pub views: Gauge,
    /// Clients cut off because they did not read.
    pub clients_too_slow: Counter,
    /// Clients cut off because a frame was delayed for too long by a limit of their tenant.
    pub clients_too_fast: Counter,
    /// Frames of clients delayed by a limit of their tenant.
    pub frames_delayed: Counter,
    /// Requests refused by a limit of their tenant, by limit.
    pub limit_refusals: Family<LimitLabels, Counter>,
    /// Frames refused because they were malformed.
    pub frames_malformed: Counter,
    /// Commands refused by policy.
    pub commands_refused: Counter,
    /// Connections of pages that a gate refused, or that failed, by reason.
    pub egress_failed: Family<EgressLabels, Counter>,
    /// Bytes that gates have carried, by direction.
    pub egress_bytes: Family<DirectionLabels, Counter>,
    /// Connections of browsers themselves, or of contexts without a gate.
    pub egress_nobody: Counter,
    /// Connections to gates from other processes.
    pub egress_foreign: Counter,
    /// Decisions that the audit log could not take.
    pub audit_lost: Counter,
    /// Whether the audit log cannot be written now.
    pub audit_failing: Gauge,
    /// Seconds since the Redis of the tenants answered; 0 if they are in no Redis.
    pub tenants_age: Gauge,
    /// Browsers started.
    pub browsers_started: Counter,
    /// Browsers that ended without being asked to.
    pub browsers_lost: Counter,
    /// Browsers that accept sessions now.
    pub browsers: Gauge,
    /// Browsers that belong to one session each now.
    pub browsers_dedicated: Gauge,
    /// Dedicated browsers that wait for a session.
    pub browsers_spare: Gauge,
    /// Decisions of the pool about browsers, by reason.
    pub pool_decisions: Family<DecisionLabels, Counter>,
    /// Comparisons of the records with a browser.
    pub pool_comparisons: Counter,
    /// Differences between the records and the browsers that were found and mended, by kind.
    pub pool_differences: Family<DifferenceLabels, Counter>,
    /// Contexts that belong to a session or a warm lease now.
    pub contexts: Gauge,
    /// Targets of any kind in all browsers now, by Chrome's own report.
    pub targets: Gauge,
    /// CDP sessions of any kind now, the proxy's own included.
    pub cdp_sessions: Gauge,
    /// Commands under the proxy's own ids that wait for Chrome's answer now.
    pub calls: Gauge,
    /// Contexts and pages of ended sessions, and contexts that clients dispose of, that wait for their disposal.
    pub disposals: Gauge,
    /// Screenshots that wait for their turn.
    pub screenshots_waiting: Gauge,
    /// Time until a new session accepted its first client, by phase.
    pub connect_time: SecondsByPhase,
    /// Time from a command of a client to its reply, of a sample.
    pub command_time: Seconds,
}

impl Metrics {
    /// Registers every metric under its public name.
    pub fn register(&self, registry: &mut Registry) {
        for direction in ["up", "down"] {
            drop(self.egress_bytes.get_or_create(&DirectionLabels { direction }));
        }
        drop(self.egress_failed.get_or_create(&EgressLabels { reason: "private-network" }));
        for reason in TLS_FAILURES {
            drop(self.tls_handshakes_failed.get_or_create(&TlsLabels { reason }));
        }
        let to = registry.sub_registry_with_prefix("ghostmux");
        to.register(
            "unowned_messages",
            "Messages from Chrome that belonged to no session; grows by a few per closed page",
            self.unowned.clone(),
        );
        to.register(
            "events_too_deep",
            "Events that were dropped because they nest too deep for JSON",
            self.events_too_deep.clone(),
        );
        to.register(
            "holds_expired",
            "Popups that were resumed because their client did not set them up within 5 s",
            self.holds_expired.clone(),
        );
        to.register("sessions_opened", "Sessions opened", self.sessions_opened.clone());
        to.register("sessions", "Sessions open now, parked ones included", self.sessions.clone());
        to.register("sessions_warm", "Sessions kept ready for new clients", self.sessions_warm.clone());
        to.register(
            "sessions_parked",
            "Sessions open now that have no client; grows when clients do not come back",
            self.sessions_parked.clone(),
        );
        to.register(
            "sessions_queued",
            "Clients that wait for a session now; grows when there are too few places",
            self.sessions_queued.clone(),
        );
        to.register("sessions_parks", "Sessions parked when their last client left", self.sessions_parks.clone());
        to.register("sessions_resumes", "Parked sessions to which a client came back", self.sessions_resumes.clone());
        to.register("sessions_hibernated", "Parked sessions that were hibernated", self.sessions_hibernated.clone());
        to.register(
            "sessions_autosaved",
            "Saves of running sessions, from which they can be restored",
            self.sessions_autosaved.clone(),
        );
        to.register(
            "sessions_restored",
            "Hibernated sessions that were restored for a client",
            self.sessions_restored.clone(),
        );
        to.register("snapshots_saved", "Snapshots saved, imports included", self.snapshots_saved.clone());
        to.register(
            "snapshots_restored",
            "Snapshots written into sessions, new or running",
            self.snapshots_restored.clone(),
        );
        to.register("profiles_saved", "Profiles saved from sessions", self.profiles_saved.clone());
        to.register(
            "profiles_not_saved",
            "Sessions that could not be saved as their profiles",
            self.profiles_not_saved.clone(),
        );
        to.register("sessions_ended", "Sessions that ended, by reason", self.sessions_ended.clone());
        to.register(
            "tls_handshakes_failed",
            "TLS handshakes that failed, by reason",
            self.tls_handshakes_failed.clone(),
        );
        to.register_with_unit(
            "tls_certificate_expiry_timestamp",
            "When the certificate of this server expires, in seconds since 1970; 0 if it has none",
            Unit::Seconds,
            self.tls_certificate_expiry.clone(),
        );
        to.register(
            "sessions_rejected",
            "Clients refused because there was no place, or waiting took too long",
            self.sessions_rejected.clone(),
        );
        to.register("views", "Client sockets connected now", self.views.clone());
        to.register(
            "clients_too_slow",
            "Clients cut off because they did not read (close code 4008)",
            self.clients_too_slow.clone(),
        );
        to.register(
            "clients_too_fast",
            "Clients cut off because a frame was delayed for 5 s by a limit of their tenant (close code 4008)",
            self.clients_too_fast.clone(),
        );
        to.register(
            "frames_delayed",
            "Frames of clients delayed by a limit per second of their tenant",
            self.frames_delayed.clone(),
        );
        to.register(
            "limit_refusals",
            "Requests refused by a limit of their tenant, by limit",
            self.limit_refusals.clone(),
        );
        to.register(
            "frames_malformed",
            "Client frames refused because they were malformed",
            self.frames_malformed.clone(),
        );
        to.register("commands_refused", "Commands refused by policy", self.commands_refused.clone());
        to.register(
            "egress_failed",
            "Connections of pages that a gate refused, or that failed, by reason",
            self.egress_failed.clone(),
        );
        to.register_with_unit(
            "egress",
            "Bytes that gates have carried, from pages (up) and to them (down)",
            Unit::Bytes,
            self.egress_bytes.clone(),
        );
        to.register(
            "egress_nobody",
            "Connections of browsers themselves, or of contexts without a gate, all refused; the log names the last host",
            self.egress_nobody.clone(),
        );
        to.register(
            "egress_foreign",
            "Connections to gates from processes that are not the browser's, all refused",
            self.egress_foreign.clone(),
        );
        to.register("audit_lost", "Decisions that the audit log could not take", self.audit_lost.clone());
        to.register("audit_failing", "1 while the audit log cannot be written", self.audit_failing.clone());
        to.register_with_unit(
            "tenants_age",
            "Time since the Redis of the tenants answered; 0 if they are in no Redis",
            Unit::Seconds,
            self.tenants_age.clone(),
        );
        to.register("browsers_started", "Browsers started", self.browsers_started.clone());
        to.register("browsers_lost", "Browsers that ended without being asked to", self.browsers_lost.clone());
        to.register("browsers", "Browsers that accept sessions now", self.browsers.clone());
        let dedicated = "Browsers that belong to one session each now (isolation=dedicated)";
        to.register("browsers_dedicated", dedicated, self.browsers_dedicated.clone());
        to.register("browsers_spare", "Dedicated browsers that wait for a session", self.browsers_spare.clone());
        to.register(
            "pool_decisions",
            "Decisions to start, drain, replace or end a browser, or to hold that back, by reason",
            self.pool_decisions.clone(),
        );
        to.register(
            "pool_comparisons",
            "Comparisons of what is on record of a browser with what Chrome says",
            self.pool_comparisons.clone(),
        );
        to.register(
            "pool_differences",
            "Differences between what is on record and what Chrome and the process table say, that were found and mended, \
             by kind",
            self.pool_differences.clone(),
        );
        to.register("contexts", "Contexts of sessions and warm leases now", self.contexts.clone());
        to.register(
            "targets",
            "Targets of any kind in all browsers now; grows when pages are left open",
            self.targets.clone(),
        );
        to.register(
            "cdp_sessions",
            "CDP sessions of any kind now, the proxy's own included; grows with what clients attach to",
            self.cdp_sessions.clone(),
        );
        to.register(
            "calls",
            "Commands of the proxy that wait for Chrome now; grows when Chrome is busy",
            self.calls.clone(),
        );
        to.register(
            "disposals",
            "Contexts and pages that wait for their disposal; grows when sessions end faster than Chrome can clean up",
            self.disposals.clone(),
        );
        to.register(
            "screenshots_waiting",
            "Screenshots that wait for their turn; grows when clients take many large ones",
            self.screenshots_waiting.clone(),
        );
        to.register_with_unit(
            "connect",
            "Time until a new session accepted its first client: waiting for a place (queue), getting a context in a \
             browser (lease), writing a snapshot (restore), and all of it (all)",
            Unit::Seconds,
            self.connect_time.0.clone(),
        );
        to.register_with_unit(
            "command",
            "Time from a client's command to its reply, Chrome's own included; one command in 64 of each session",
            Unit::Seconds,
            self.command_time.0.clone(),
        );
    }
}
