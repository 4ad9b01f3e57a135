//! What the pool says of its browsers to an operator.

use std::{collections::HashMap, time::Duration};

use super::{
    BrowserKind, Pool,
    slot::{Slot, State},
};
use crate::{api_types::BrowserState, browser::Browser, port::BrowserId};

/// A browser of the pool, as of one moment.
#[derive(Clone, Debug)]
pub struct BrowserReport {
    /// Its number.
    pub id: BrowserId,
    /// Whose sessions may be in it.
    pub kind: BrowserKind,
    /// Whether it is a dedicated browser that no session has taken.
    pub is_spare: bool,
    /// Where it runs, without credentials; `None` is on this machine.
    pub remote: Option<String>,
    /// Whether no newer browser has the same source.
    pub is_newest: bool,
    /// Its state.
    pub state: BrowserState,
    /// Why it accepts no sessions; `None` if it does.
    pub why: Option<String>,
    /// The browser, while it runs.
    pub browser: Option<Browser>,
    /// Time since it was ready.
    pub age: Option<Duration>,
    /// Sessions that have had a lease in it.
    pub served: u64,
    /// Bytes of disk that its profile and temporary files take, once that was measured.
    pub disk: Option<u64>,
    /// Warm leases that no session has taken.
    pub warm: usize,
    /// Differences between the records and the browser that were found and mended.
    pub differences: u64,
    /// Processor time of its processes, measured a few seconds ago; `None` if it is not known.
    pub cpu: Option<Duration>,
}

impl BrowserReport {
    /// The process id of a local browser that runs.
    pub fn pid(&self) -> Option<u32> {
        self.browser.as_ref()?.pid()
    }

    /// Product and version of a browser that runs.
    pub fn product(&self) -> Option<String> {
        Some(self.browser.as_ref()?.identity().product.clone())
    }
}

impl Pool {
    /// The browsers, in the order of their numbers.
    pub fn report(&self) -> Vec<BrowserReport> {
        let slots = self.inner.slots.lock();
        let newest: HashMap<usize, BrowserId> = slots.iter().map(|(id, slot)| (slot.source, *id)).collect();
        let report = |(id, slot): (&BrowserId, &Slot)| {
            let remote = self.inner.sources[slot.source].remote().map(ToString::to_string);
            of(*id, slot, remote, newest.get(&slot.source) == Some(id))
        };
        slots.iter().map(report).collect()
    }
}

fn of(id: BrowserId, slot: &Slot, remote: Option<String>, is_newest: bool) -> BrowserReport {
    let state = match &slot.state {
        State::Starting => BrowserState::Starting,
        State::Ready(_) => BrowserState::Ready,
        State::Draining { .. } => BrowserState::Draining,
        State::Dead { .. } => BrowserState::Dead,
    };
    let serving = slot.serving();
    let browser = serving.map(|serving| &serving.browser);
    BrowserReport {
        id,
        kind: slot.kind.clone(),
        is_spare: serving.is_some_and(|serving| serving.spare.is_some()),
        remote,
        is_newest,
        state,
        why: slot.lacks(),
        age: serving.map(|serving| serving.ready_at.elapsed()),
        served: browser.map_or(0, Browser::served),
        browser: browser.cloned(),
        disk: serving.and_then(|serving| serving.disk),
        warm: slot.warm(),
        differences: serving.map_or(0, |serving| serving.differences),
        cpu: serving.and_then(|serving| serving.cpu),
    }
}
