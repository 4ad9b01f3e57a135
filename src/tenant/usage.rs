//! What the tenants have used, by day.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::Offset};
use serde::{Deserialize, Serialize};

use super::{
    egress_day::{EgressDay, day},
    replace::replace,
};
use crate::api_types::{Millis, Owner, TenantUsage, UsageBy, millis};

/// How often the file is written.
const INTERVAL: Duration = Duration::from_secs(60);

/// What a tenant has used on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Used {
    session_millis: u64,
    cpu_millis: u64,
    bytes_in: u64,
    bytes_out: u64,
    egress_up: u64,
    egress_down: u64,
    starts: u64,
    peak: u64,
    refused: u64,
}

impl Used {
    fn add(&mut self, other: &Self) {
        self.session_millis += other.session_millis;
        self.cpu_millis += other.cpu_millis;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.egress_up += other.egress_up;
        self.egress_down += other.egress_down;
        self.starts += other.starts;
        self.peak = self.peak.max(other.peak);
        self.refused += other.refused;
    }
}

/// A row of the file.
#[derive(Serialize, Deserialize)]
struct Row {
    day: Date,
    tenant: Owner,
    #[serde(flatten)]
    used: Used,
}

/// The usage of all tenants.
#[derive(Debug)]
pub struct UsageLedger {
    // Guards the figures; held for a few instructions, or for a copy.
    state: Mutex<State>,
    // Held while the file is written, so that an older copy does not replace a newer one.
    writing: Mutex<()>,
    path: Option<PathBuf>,
    keep: Duration,
}

#[derive(Debug, Default)]
struct State {
    days: BTreeMap<(Date, Owner), Used>,
    running: HashMap<Owner, u64>,
    /// What the pages of each tenant have transferred today, those of running sessions included.
    egress: HashMap<Owner, Arc<EgressDay>>,
    /// The number of changes so far, and of those that the file has.
    changes: u64,
    saved: u64,
}

impl Default for UsageLedger {
    fn default() -> Self {
        Self { state: Mutex::default(), writing: Mutex::default(), path: None, keep: Duration::from_secs(400 * 86_400) }
    }
}

impl UsageLedger {
    /// The usage that a file has, if there is one; days older than `keep` are dropped.
    pub fn open(path: Option<PathBuf>, keep: Duration) -> io::Result<Self> {
        let rows = match path.as_deref().map(fs::read) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Some(Ok(json)) => serde_json::from_slice::<Vec<Row>>(&json).map_err(io::Error::other)?,
            _ => Vec::new(),
        };
        let days = rows.into_iter().map(|Row { day, tenant, used }| ((day, tenant), used)).collect();
        let state = Mutex::new(State { days, ..State::default() });
        Ok(Self { state, writing: Mutex::default(), path, keep })
    }

    /// A session has begun.
    pub fn started(&self, owner: &Owner, now: Timestamp) {
        let mut state = self.state();
        let running = state.running.entry(owner.clone()).or_default();
        *running += 1;
        let running = *running;
        let used = state.of(day(now), owner);
        used.starts += 1;
        used.peak = used.peak.max(running);
    }

    /// A session has ended: its time counts for the days on which it ran, its bytes for that of its end.
    pub fn ended(
        &self,
        owner: &Owner,
        lasted: Duration,
        (bytes_in, bytes_out): (u64, u64),
        (egress_up, egress_down): (u64, u64),
        now: Timestamp,
    ) {
        let mut state = self.state();
        if let Some(running) = state.running.get_mut(owner) {
            *running = running.saturating_sub(1);
        }
        for (day, millis) in parts(lasted, now) {
            state.of(day, owner).session_millis += millis;
        }
        let used = state.of(day(now), owner);
        used.bytes_in += bytes_in;
        used.bytes_out += bytes_out;
        used.egress_up += egress_up;
        used.egress_down += egress_down;
    }

    /// What the pages of a tenant have transferred on this day, those of running sessions included: since this process
    /// started, and what the file had.
    pub fn egress_of(&self, owner: &Owner, now: Timestamp) -> Arc<EgressDay> {
        let mut state = self.state();
        let of_day = state.days.get(&(day(now), owner.clone())).copied().unwrap_or_default();
        let before = of_day.egress_up.saturating_add(of_day.egress_down);
        state.egress.entry(owner.clone()).or_insert_with(|| Arc::new(EgressDay::new(before, now))).clone()
    }

    /// A session was refused.
    pub fn refused(&self, owner: &Owner, now: Timestamp) {
        self.state().of(day(now), owner).refused += 1;
    }

    /// The sessions of a tenant have used processor time of browsers.
    pub fn add_cpu(&self, owner: &Owner, cpu: Duration, now: Timestamp) {
        self.state().of(day(now), owner).cpu_millis += millis(cpu);
    }

    /// The usage on these days, of one tenant or of all, by tenant or by day.
    pub fn rows(&self, (from, to): (Date, Date), of: Option<&Owner>, by: UsageBy) -> Vec<TenantUsage> {
        let state = self.state();
        let mut sums: BTreeMap<(Option<Date>, &Owner), Used> = BTreeMap::new();
        let days = state
            .days
            .iter()
            .filter(|((day, owner), _)| (from..=to).contains(day) && of.is_none_or(|only| only == owner));
        for ((day, owner), used) in days {
            sums.entry(((by == UsageBy::Day).then_some(*day), owner)).or_default().add(used);
        }
        let shown = |((day, owner), used): ((Option<Date>, &Owner), Used)| TenantUsage {
            tenant: owner.to_string(),
            day: day.map(|day| day.to_string()),
            session_time: Millis(Duration::from_millis(used.session_millis)),
            cpu_time: Millis(Duration::from_millis(used.cpu_millis)),
            bytes_in: used.bytes_in,
            bytes_out: used.bytes_out,
            egress_up: used.egress_up,
            egress_down: used.egress_down,
            starts: used.starts,
            peak: used.peak,
            refused: used.refused,
        };
        sums.into_iter().map(shown).collect()
    }

    /// Writes the file, in an endless loop, when the figures have changed, and drops old days.
    pub async fn keep(self: &Arc<Self>) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            self.save(Timestamp::now()).await;
        }
    }

    /// Writes the file now, apart from the runtime's threads. If it cannot be written, that is logged, and the next call
    /// tries again.
    pub async fn save(self: &Arc<Self>, now: Timestamp) {
        let ledger = self.clone();
        let saved = tokio::task::spawn_blocking(move || ledger.save_now(now)).await;
        if let Err(error) = saved.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            let file = self.path.as_deref().unwrap_or(Path::new("")).display();
            tracing::warn!(%file, %error, "the usage of the tenants cannot be written; the next attempt is in a minute");
        }
    }

    fn save_now(&self, now: Timestamp) -> io::Result<()> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (rows, changes): (Vec<Row>, _) = {
            let mut state = self.state();
            let oldest = SignedDuration::try_from(self.keep).ok().and_then(|keep| now.checked_sub(keep).ok()).map(day);
            if let Some(oldest) = oldest {
                state.days.retain(|(day, _), _| *day >= oldest);
            }
            if self.path.is_none() || state.saved == state.changes {
                return Ok(());
            }
            let row =
                |((day, tenant), used): (&(Date, Owner), &Used)| Row { day: *day, tenant: tenant.clone(), used: *used };
            (state.days.iter().map(row).collect(), state.changes)
        };
        let Some(path) = &self.path else { return Ok(()) };
        replace(path, &serde_json::to_vec(&rows).map_err(io::Error::other)?)?;
        self.state().saved = changes;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(&mut self, day: Date, owner: &Owner) -> &mut Used {
        self.changes += 1;
        self.days.entry((day, owner.clone())).or_default()
    }
}

/// The days of a time that ends now, with the milliseconds of each.
fn parts(lasted: Duration, now: Timestamp) -> Vec<(Date, u64)> {
    let mut left = millis(lasted);
    let mut day_of = day(now);
    let midnight = |day: Date| Offset::UTC.to_timestamp(day.at(0, 0, 0, 0)).unwrap_or(now);
    let mut of_day = u64::try_from(now.as_millisecond() - midnight(day_of).as_millisecond()).unwrap_or(0);
    let mut parts = Vec::new();
    while left > 0 {
        let here = left.min(of_day);
        parts.push((day_of, here));
        left -= here;
        of_day = 86_400_000;
        let Ok(before) = day_of.yesterday() else { break };
        day_of = before;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    #[test]
    fn usage_is_kept_by_tenant_and_day() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("usage.json");
        let keep = Duration::from_secs(10 * 86_400);
        let ledger = UsageLedger::open(Some(path.clone()), keep).expect("opened");
        let (acme, other): (Owner, Owner) = ("acme".parse().expect("one"), "other".parse().expect("other"));
        let noon = at("2026-11-27T12:00:00Z");
        ledger.started(&acme, noon);
        ledger.started(&acme, noon);
        ledger.started(&other, noon);
        // Half a day of yesterday, and half of today.
        ledger.ended(&acme, Duration::from_secs(86_400), (10, 20), (30, 40), noon);
        ledger.refused(&acme, noon);
        ledger.add_cpu(&acme, Duration::from_secs(3), noon);
        let all = (date("2026-11-01"), date("2026-11-30"));
        let by_day = ledger.rows(all, Some(&acme), UsageBy::Day);
        let days: Vec<_> = by_day.iter().map(|row| (row.day.as_deref(), row.session_time.0.as_secs())).collect();
        assert_eq!(days, [(Some("2026-11-26"), 43_200), (Some("2026-11-27"), 43_200)]);
        let by_tenant = ledger.rows(all, None, UsageBy::Tenant);
        assert_eq!(by_tenant.len(), 2);
        let row = &by_tenant[0];
        assert_eq!((row.tenant.as_str(), row.day.as_ref(), row.starts, row.peak, row.refused), ("acme", None, 2, 2, 1));
        assert_eq!((row.bytes_in, row.bytes_out, row.cpu_time.0.as_secs()), (10, 20, 3));
        assert!(ledger.rows((date("2026-12-01"), date("2026-12-02")), None, UsageBy::Day).is_empty());

        ledger.save_now(noon).expect("saved");
        let again = UsageLedger::open(Some(path.clone()), keep).expect("opened");
        assert_eq!(again.rows(all, None, UsageBy::Day), ledger.rows(all, None, UsageBy::Day));
        again.refused(&other, noon);
        again.save_now(at("2026-12-07T12:00:00Z")).expect("saved");
        assert_eq!(again.rows(all, Some(&acme), UsageBy::Day).len(), 1, "the older day is dropped");
    }

    #[test]
    fn the_bytes_of_a_day_go_on_after_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("usage.json");
        let keep = Duration::from_secs(10 * 86_400);
        let (acme, noon) = ("acme".parse::<Owner>().expect("a name"), at("2026-11-27T12:00:00Z"));
        let ledger = UsageLedger::open(Some(path.clone()), keep).expect("opened");
        assert_eq!(ledger.egress_of(&acme, noon).add(70, noon), 70);
        ledger.ended(&acme, Duration::from_secs(1), (0, 0), (30, 40), noon);
        assert_eq!(ledger.egress_of(&acme, noon).add(0, noon), 70, "they count once");
        ledger.save_now(noon).expect("saved");
        let again = UsageLedger::open(Some(path), keep).expect("opened");
        assert_eq!(again.egress_of(&acme, noon).add(1, noon), 71);
        assert_eq!(again.egress_of(&Owner::local(), noon).add(1, noon), 1);
    }

    #[test]
    fn usage_that_could_not_be_written_is_written_by_the_next_attempt() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("later/usage.json");
        let keep = Duration::from_secs(10 * 86_400);
        let ledger = UsageLedger::open(Some(path.clone()), keep).expect("opened");
        let (acme, noon) = ("acme".parse::<Owner>().expect("a name"), at("2026-11-27T12:00:00Z"));
        ledger.refused(&acme, noon);
        ledger.save_now(noon).expect_err("there is no such directory yet");
        fs::create_dir(path.parent().expect("a directory")).expect("made");
        ledger.save_now(noon).expect("saved");
        let all = (date("2026-11-01"), date("2026-11-30"));
        let again = UsageLedger::open(Some(path), keep).expect("opened");
        assert_eq!(again.rows(all, None, UsageBy::Day), ledger.rows(all, None, UsageBy::Day));
        assert_eq!(again.rows(all, None, UsageBy::Day).len(), 1);
    }

    /// On a runtime of one thread: it goes on while the file is being written.
    #[tokio::test]
    async fn slow_disks_do_not_hold_up_the_runtime() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("usage.json");
        let ledger = Arc::new(UsageLedger::open(Some(path.clone()), Duration::from_secs(86_400)).expect("opened"));
        let now = Timestamp::now();
        ledger.refused(&Owner::local(), now);
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (has, held) = std::sync::mpsc::channel();
        let other = ledger.clone();
        let writer = std::thread::spawn(move || {
            let _turn = other.writing.lock();
            has.send(()).expect("the test waits");
            // Ends when the sender is dropped.
            let _ = released.recv();
        });
        held.recv().expect("it writes");
        let mut saving = std::pin::pin!(ledger.save(now));
        tokio::select! {
            () = &mut saving => panic!("somebody else writes"),
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
        assert!(!path.exists());
        drop(release);
        writer.join().expect("no panic");
        saving.await;
        assert!(path.exists());
    }
}
