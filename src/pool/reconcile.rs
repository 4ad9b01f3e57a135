//! Compares what the proxy has on record of a browser with what Chrome and the process table say. PURE.
//!
//! What is being made or ended is at one place before it is at the other, so a difference counts only when two
//! comparisons in a row find it.

use std::{collections::BTreeMap, fmt};

use crate::{
    browser::{
        LeaseId,
        books::{Books, Inventory, Mend},
    },
    cdp::{
        ids::{ContextId, TargetId},
        target::Kind,
    },
    port::BrowserId,
};

/// A difference between the records and a browser.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Difference {
    /// Chrome has a context that belongs to no lease.
    OrphanContext(ContextId),
    /// A lease has a context that Chrome does not have.
    LostContext { context: ContextId, lease: LeaseId, is_default: bool },
    /// Chrome has a target that is not on record.
    UnknownTarget(TargetId),
    /// A target is on record that Chrome does not have.
    GoneTarget(TargetId),
    /// A page is in Chrome's own default context, where no session may have one.
    StrayPage(TargetId),
    /// CDP sessions on a target are on record, and Chrome has none on it.
    GoneCdpSessions(TargetId),
    /// Chrome has a CDP session on a target, and none is on record.
    UnknownCdpSession(TargetId),
    /// The link has contexts or CDP sessions of a lease that nobody holds.
    OrphanLease(LeaseId),
}

/// A process of a browser that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OrphanProcess {
    /// The browser.
    pub(super) browser: BrowserId,
    /// The process id.
    pub(super) pid: u32,
    /// When it started, in clock ticks since the system's start: with the id it names one process for all time.
    pub(super) started: u64,
}

/// The words for all kinds of differences.
pub(super) const LABELS: [&str; 9] = [
    "orphan_context",
    "lost_context",
    "unknown_target",
    "gone_target",
    "stray_page",
    "gone_cdp_sessions",
    "unknown_cdp_session",
    "orphan_lease",
    OrphanProcess::LABEL,
];

impl Difference {
    /// One word, for the metric.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::OrphanContext(_) => "orphan_context",
            Self::LostContext { .. } => "lost_context",
            Self::UnknownTarget(_) => "unknown_target",
            Self::GoneTarget(_) => "gone_target",
            Self::StrayPage(_) => "stray_page",
            Self::GoneCdpSessions(_) => "gone_cdp_sessions",
            Self::UnknownCdpSession(_) => "unknown_cdp_session",
            Self::OrphanLease(_) => "orphan_lease",
        }
    }

    /// What the link does to end it.
    pub(super) fn mend(&self, said: &Inventory) -> Option<Mend> {
        Some(match self {
            Self::OrphanContext(context) => Mend::Dispose(context.clone()),
            Self::LostContext { lease, is_default: true, .. } => Mend::EndSession(*lease, self.to_string().into()),
            Self::LostContext { context, .. } => Mend::Forget(context.clone()),
            Self::UnknownTarget(target) => Mend::Announce(said.targets.get(target)?.info.clone()),
            Self::GoneTarget(target) => Mend::Destroy(target.clone()),
            Self::StrayPage(target) => Mend::Close(target.clone()),
            Self::GoneCdpSessions(target) => Mend::DetachAll(target.clone()),
            Self::UnknownCdpSession(target) => Mend::DetachUnknown(target.clone()),
            Self::OrphanLease(lease) => Mend::Release(*lease),
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OrphanContext(context) => write!(f, "Chrome has the context {context}, which belongs to no session"),
            Self::LostContext { context, .. } => {
                write!(f, "the session's context {context} has disappeared from Chrome")
            }
            Self::UnknownTarget(target) => write!(f, "Chrome has the target {target}, which it has not announced"),
            Self::GoneTarget(target) => write!(f, "the target {target} has ended, which Chrome has not announced"),
            Self::StrayPage(target) => write!(f, "the page {target} is in Chrome's own default context"),
            Self::GoneCdpSessions(target) => {
                write!(f, "the CDP sessions on the target {target} have ended, which Chrome has not announced")
            }
            Self::UnknownCdpSession(target) => {
                write!(f, "the target {target} has a CDP session that is not on record")
            }
            Self::OrphanLease(LeaseId(lease)) => {
                write!(f, "the lease {lease} has contexts or CDP sessions, and no session")
            }
        }
    }
}

impl OrphanProcess {
    /// One word, for the metric.
    pub(super) const LABEL: &str = "orphan_process";
}

impl fmt::Display for OrphanProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { browser, pid, .. } = self;
        write!(f, "the process {pid} of browser {browser} runs although the browser has ended")
    }
}

/// The differences. `is_shared` says that other programs may use the browser too: what is not on record is then taken
/// to be theirs.
pub(super) fn differences(books: &Books, said: &Inventory, is_shared: bool) -> Vec<Difference> {
    let mut found = Vec::new();
    let orphans = said
        .contexts
        .iter()
        .filter(|context| !is_shared && !books.contexts.contains_key(*context) && !books.leaving.contains(*context));
    found.extend(orphans.cloned().map(Difference::OrphanContext));
    // Chrome does not list its own default context, which belongs to the lease of a dedicated browser.
    let is_native = |context: &ContextId| said.default_context.as_ref() == Some(context);
    let is_lost = |context: &ContextId| !said.contexts.contains(context) && !is_native(context);
    let lost = books.contexts.iter().filter(|(context, _)| is_lost(context));
    found.extend(lost.map(|(context, lease)| Difference::LostContext {
        context: context.clone(),
        lease: *lease,
        is_default: books.held.get(lease).is_some_and(|default| default.as_ref() == Some(context)),
    }));
    for (target, listed) in &said.targets {
        match books.targets.get(target) {
            None if books.uncertain.contains(target) => {}
            None => found.push(Difference::UnknownTarget(target.clone())),
            Some(0) if listed.is_attached && !is_shared => found.push(Difference::UnknownCdpSession(target.clone())),
            Some(0) => {}
            Some(_) if !listed.is_attached => found.push(Difference::GoneCdpSessions(target.clone())),
            Some(_) => {}
        }
        let is_stray = |context| is_native(context) && !books.contexts.contains_key(context);
        if listed.kind == Kind::Page && listed.context.as_ref().is_some_and(is_stray) && !is_shared {
            found.push(Difference::StrayPage(target.clone()));
        }
    }
    let gone = books.targets.keys().filter(|target| !said.targets.contains_key(*target));
    found.extend(gone.cloned().map(Difference::GoneTarget));
    let orphans = books.known.iter().filter(|lease| !books.held.contains_key(lease));
    found.extend(orphans.copied().map(Difference::OrphanLease));
    found
}

/// A browser that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Departed {
    /// The browser.
    pub(super) browser: BrowserId,
    /// Its process group, which is also the id of its first process.
    pub(super) group: u32,
    /// When it had ended, in clock ticks since the system's start.
    pub(super) at: u64,
}

/// A process of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// The process id.
    pub(super) pid: u32,
    /// Its process group.
    pub(super) group: u32,
    /// When it started, in clock ticks since the system's start.
    pub(super) started: u64,
}

/// The processes of ended browsers. The first process of an ended browser was waited for: if there is one with its id,
/// the system has given the number away again, and the group is another program's.
pub(super) fn orphan_processes(departed: &[Departed], processes: &[Process]) -> Vec<OrphanProcess> {
    let mut found = Vec::new();
    for Departed { browser, group, at } in departed {
        let members = || processes.iter().filter(|process| process.group == *group);
        if members().any(|process| process.pid == *group) {
            continue;
        }
        let old = members().filter(|process| process.started <= *at);
        found.extend(old.map(|process| OrphanProcess {
            browser: *browser,
            pid: process.pid,
            started: process.started,
        }));
    }
    found
}

/// The differences of the comparisons so far that the last one found too.
#[derive(Debug)]
pub(super) struct Rounds<D>(BTreeMap<D, u32>);

impl<D> Default for Rounds<D> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<D: Clone + Ord> Rounds<D> {
    /// Adds what a comparison has found. Returns what counts: what the comparison before has found too. It is to be
    /// mended, and it is counted if this is said of it for the first time.
    pub(super) fn on_round(&mut self, found: Vec<D>) -> Vec<(D, bool)> {
        let before = std::mem::take(&mut self.0);
        for difference in found {
            let times = before.get(&difference).map_or(1, |times| times.saturating_add(1));
            self.0.insert(difference, times);
        }
        let counting = self.0.iter().filter(|(_, times)| **times >= 2);
        counting.map(|(difference, times)| (difference.clone(), *times == 2)).collect()
    }
}

#[cfg(test)]
mod tests;
