//! What the tenants have used, by day.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::Offset};
use serde::{Deserialize, Serialize};

use crate::api_types::{Millis, Owner, TenantUsage, UsageBy};

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
    path: Option<PathBuf>,
    keep: Duration,
}

#[derive(Debug, Default)]
struct State {
    days: BTreeMap<(Date, Owner), Used>,
    running: HashMap<Owner, u64>,
    is_changed: bool,
}

impl Default for UsageLedger {
    fn default() -> Self {
        Self { state: Mutex::default(), path: None, keep: Duration::from_secs(400 * 86_400) }
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
        Ok(Self { state: Mutex::new(State { days, ..State::default() }), path, keep })
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
    pub fn ended(&self, owner: &Owner, lasted: Duration, (bytes_in, bytes_out): (u64, u64), now: Timestamp) {
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
            starts: used.starts,
            peak: used.peak,
            refused: used.refused,
        };
        sums.into_iter().map(shown).collect()
    }

    /// Writes the file, in an endless loop, when the figures have changed, and drops old days.
    pub async fn keep(&self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            if let Err(error) = self.save(Timestamp::now()) {
                tracing::warn!(%error, "the usage of the tenants cannot be written");
            }
        }
    }

    /// Writes the file now.
    pub fn save(&self, now: Timestamp) -> io::Result<()> {
        let rows: Vec<Row> = {
            let mut state = self.state();
            let oldest = SignedDuration::try_from(self.keep).ok().and_then(|keep| now.checked_sub(keep).ok()).map(day);
            if let Some(oldest) = oldest {
                state.days.retain(|(day, _), _| *day >= oldest);
            }
            if !std::mem::take(&mut state.is_changed) {
                return Ok(());
            }
            state
                .days
                .iter()
                .map(|((day, tenant), used)| Row { day: *day, tenant: tenant.clone(), used: *used })
                .collect()
        };
        let Some(path) = &self.path else { return Ok(()) };
        let json = serde_json::to_vec(&rows).map_err(io::Error::other)?;
        let new = with_ending(path, ".new");
        fs::write(&new, json)?;
        fs::rename(&new, path)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(&mut self, day: Date, owner: &Owner) -> &mut Used {
        self.is_changed = true;
        self.days.entry((day, owner.clone())).or_default()
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(ending);
    name.into()
}

/// The day of a moment, in UTC.
fn day(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
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
        ledger.ended(&acme, Duration::from_secs(86_400), (10, 20), noon);
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

        ledger.save(noon).expect("saved");
        let again = UsageLedger::open(Some(path.clone()), keep).expect("opened");
        assert_eq!(again.rows(all, None, UsageBy::Day), ledger.rows(all, None, UsageBy::Day));
        again.refused(&other, noon);
        again.save(at("2026-12-07T12:00:00Z")).expect("saved");
        assert_eq!(again.rows(all, Some(&acme), UsageBy::Day).len(), 1, "the older day is dropped");
    }
}
