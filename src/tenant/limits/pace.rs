//! Commands and bytes per second of one tenant: who may pass now, and who must wait. PURE: the time is an argument.
//!
//! A tenant has a bucket of each resource, which holds one second's worth. What a frame takes beyond that is a debt of its
//! session. While sessions are in debt, nothing is put into the bucket: they share the rate equally, so a session that
//! sends a lot cannot delay another one of its tenant by more than its share. A frame passes when its debt is paid.
//!
//! In any time of `t` seconds, frames of at most `rate × (1 + t)` pass, and what each session had paid before for the one
//! frame that it waited with.

use std::time::{Duration, Instant};

use super::refusal::LimitName;

/// The resources, in the order of [`Pacer::buckets`].
const RESOURCES: [LimitName; 2] = [LimitName::CommandsPerSecond, LimitName::BytesPerSecond];
/// A debt below this is paid: fractions are lost in rounding.
const NOTHING: f64 = 1e-6;
/// A session that waits looks again after this time at the latest: others may have paid meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// The rates of one tenant, per second; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Commands of clients.
    pub commands: Option<f64>,
    /// Bytes of frames of clients.
    pub bytes: Option<f64>,
}

impl Rates {
    /// Whether there is any limit.
    pub fn is_any(&self) -> bool {
        self.commands.is_some() || self.bytes.is_some()
    }
}

/// The debt of a session for one frame: the virtual times of the buckets at which it is paid.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "a debt that is not cancelled keeps its share of the rate"]
pub struct Debt([Option<f64>; 2]);

/// Whether a frame passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Turn {
    /// It passes now.
    Now,
    /// It waits. [`Pacer::poll_paid`] says when it passes.
    Later(Debt),
}

/// What the sessions of a tenant may send.
#[derive(Debug)]
pub struct Pacer {
    buckets: [Option<Bucket>; 2],
}

/// One resource of one tenant.
#[derive(Debug)]
struct Bucket {
    /// Per second.
    rate: f64,
    /// What may pass at once; at most one second's worth.
    level: f64,
    /// What each session in debt has been paid since the beginning.
    paid: f64,
    debtors: u32,
    at: Instant,
}

impl Bucket {
    fn new(rate: f64, now: Instant) -> Self {
        Self { rate, level: rate.max(1.0), paid: 0.0, debtors: 0, at: now }
    }

    fn advance(&mut self, now: Instant) {
        let earned = now.saturating_duration_since(self.at).as_secs_f64() * self.rate;
        self.at = self.at.max(now);
        if self.debtors == 0 {
            self.level = (self.level + earned).min(self.rate.max(1.0));
        } else {
            self.paid += earned / f64::from(self.debtors);
        }
    }
}

impl Pacer {
    /// Full buckets.
    pub fn new(rates: Rates, now: Instant) -> Self {
        Self { buckets: [rates.commands, rates.bytes].map(|rate| rate.map(|rate| Bucket::new(rate, now))) }
    }

    /// Changes the rates. Sessions that wait go on waiting, at the new rate.
    pub fn set_rates(&mut self, rates: Rates, now: Instant) {
        for (bucket, rate) in self.buckets.iter_mut().zip([rates.commands, rates.bytes]) {
            match (bucket.as_mut(), rate) {
                (Some(bucket), Some(rate)) => {
                    bucket.advance(now);
                    bucket.rate = rate;
                    bucket.level = bucket.level.min(rate.max(1.0));
                }
                (_, rate) => *bucket = rate.map(|rate| Bucket::new(rate, now)),
            }
        }
    }

    /// A session wants to pass a frame of this many bytes. It waits with one frame at a time.
    pub fn on_frame(&mut self, bytes: usize, now: Instant) -> Turn {
        #[allow(clippy::cast_precision_loss, reason = "a frame has fewer bytes than a float is exact to")]
        let costs = [1.0, bytes as f64];
        let mut debt = Debt([None; 2]);
        for (at, cost) in costs.into_iter().enumerate() {
            let Some(bucket) = &mut self.buckets[at] else { continue };
            bucket.advance(now);
            // Those in debt come first: they have emptied the bucket.
            let taken = cost.min(bucket.level);
            bucket.level -= taken;
            if cost - taken > NOTHING {
                bucket.debtors += 1;
                debt.0[at] = Some(bucket.paid + cost - taken);
            }
        }
        if debt == Debt([None; 2]) { Turn::Now } else { Turn::Later(debt) }
    }

    /// `None` if the debt is paid: the frame passes, and the debt is over. Otherwise when to look again.
    pub fn poll_paid(&mut self, debt: &mut Debt, now: Instant) -> Option<Instant> {
        let mut again = None;
        for (bucket, due) in self.buckets.iter_mut().zip(&mut debt.0) {
            let Some(at) = *due else { continue };
            // The limit was removed while the frame waited.
            let Some(bucket) = bucket else {
                *due = None;
                continue;
            };
            bucket.advance(now);
            let missing = at - bucket.paid;
            if missing <= NOTHING {
                bucket.debtors = bucket.debtors.saturating_sub(1);
                *due = None;
                continue;
            }
            let wait = Duration::try_from_secs_f64(missing * f64::from(bucket.debtors) / bucket.rate).unwrap_or(LOOK);
            // A timer is exact to a millisecond, and must not fire before.
            let wait = wait.clamp(Duration::from_millis(1), LOOK);
            again = again.max(now.checked_add(wait));
        }
        again
    }

    /// The session gives up its frame.
    pub fn cancel(&mut self, debt: Debt, now: Instant) {
        for (bucket, due) in self.buckets.iter_mut().zip(debt.0) {
            if let (Some(bucket), Some(_)) = (bucket, due) {
                bucket.advance(now);
                bucket.debtors = bucket.debtors.saturating_sub(1);
            }
        }
    }
}

impl Debt {
    /// The limit for which the frame waits.
    pub fn limit(&self) -> Option<LimitName> {
        RESOURCES.into_iter().zip(self.0).rev().find_map(|(limit, due)| due.map(|_| limit))
    }
}

#[cfg(test)]
mod tests;
