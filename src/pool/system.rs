//! What the operating system says of the local browsers: their memory, their files, and the processes of those that have
//! ended.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use super::{
    Pool,
    reconcile::{self, Departed, OrphanProcess, Process, Rounds},
    slot::{Serving, Slot},
};
use crate::browser::{
    Browser, disk,
    process_tree::{Member, ProcessTable, clock_ticks},
};

/// How long the number of a browser's targets is waited for. It is the proxy's own record, so Chrome need not answer.
const CENSUS_WITHIN: Duration = Duration::from_secs(1);
/// Browsers that have ended and may have left processes, of which so many are remembered.
const DEPARTED_KEPT: usize = 256;

impl Pool {
    /// Reads how much memory and processor time the browsers use.
    pub(super) async fn measure(&self) {
        let running = self.running();
        let pids: Vec<u32> = running.iter().filter_map(Browser::pid).collect();
        let table = match ProcessTable::read(pids).await {
            Ok(table) => table,
            Err(error) => {
                tracing::debug!(%error, "the memory of the browsers cannot be read");
                return;
            }
        };
        // Growth is that of processes: a remote browser has none here, and need not be asked.
        let counting = running.iter().filter(|browser| browser.pid().is_some()).map(async |browser| {
            let census = tokio::time::timeout(CENSUS_WITHIN, browser.census()).await;
            census.ok().map(|census| (browser.id(), census.targets))
        });
        let targets: BTreeMap<_, _> = join_all(counting).await.into_iter().flatten().collect();
        let now = Instant::now();
        for serving in self.inner.slots.lock().values_mut().filter_map(Slot::serving_mut) {
            self.tell_of_strays(serving);
            let figures = serving.browser.pid().and_then(|pid| table.of(pid));
            serving.resident = figures.map(|figures| figures.memory);
            serving.cpu = figures.map(|figures| figures.cpu);
            if let (Some(resident), Some(targets)) = (serving.resident, targets.get(&serving.browser.id())) {
                serving.growth.measured(resident, *targets, now);
            }
        }
    }

    /// Counts and logs what came to the gates of a browser that no session asked for, since the last time.
    fn tell_of_strays(&self, serving: &mut Serving) {
        let (now, metrics) = (serving.browser.strays(), &self.inner.metrics);
        let before = std::mem::replace(&mut serving.strays, now.clone());
        let nobody = now.nobody.saturating_sub(before.nobody);
        let foreign = now.foreign.saturating_sub(before.foreign);
        metrics.egress_nobody.inc_by(nobody);
        metrics.egress_foreign.inc_by(foreign);
        let browser = serving.browser.id().0;
        if nobody > 0 {
            let wanted = now.last.as_ref().map(|(host, port)| format!("{host}:{port}"));
            tracing::warn!(
                browser,
                connections = nobody,
                last = wanted,
                "the browser itself, or a context without a gate, tried to connect; that was refused"
            );
        }
        if foreign > 0 {
            tracing::warn!(
                browser,
                connections = foreign,
                "another process connected to gates of the browser; that was refused"
            );
        }
    }

    /// A browser has ended, with all its processes if everything is in order.
    pub(super) fn departed(&self, browser: &Browser) {
        let (Some(group), Some(at)) = (browser.pid(), clock_ticks()) else { return };
        let mut books = self.books();
        books.departed.push_back(Departed { browser: browser.id(), group, at });
        if books.departed.len() > DEPARTED_KEPT {
            books.departed.pop_front();
        }
    }

    /// Kills the processes of browsers that have ended.
    pub(super) async fn reconcile_processes(&self, rounds: &mut Rounds<OrphanProcess>) {
        let departed: Vec<Departed> = self.books().departed.iter().copied().collect();
        let members = match Member::of_groups(departed.iter().map(|departed| departed.group).collect()).await {
            Ok(members) => members,
            Err(error) => {
                tracing::debug!(%error, "the processes of the system cannot be read");
                return;
            }
        };
        let process = |member: &Member| Process { pid: member.pid, group: member.group, started: member.started };
        let processes: Vec<Process> = members.iter().map(process).collect();
        // A group without processes is over.
        let is_over =
            |of: &Departed| departed.contains(of) && !processes.iter().any(|process| process.group == of.group);
        self.books().departed.retain(|of| !is_over(of));
        for (orphan, is_new) in rounds.on_round(reconcile::orphan_processes(&departed, &processes)) {
            if is_new {
                self.count(orphan.browser, OrphanProcess::LABEL, &orphan);
            }
            let is_it = |member: &&Member| member.pid == orphan.pid && member.started == orphan.started;
            if let Some(member) = members.iter().find(is_it) {
                member.kill();
            }
        }
    }

    /// Reads how much of the disk the browsers use.
    pub(super) async fn measure_disk(&self) {
        let browsers = self.running();
        let with_files = browsers.iter().filter_map(|browser| Some((browser.id(), browser.profile()?.to_owned())));
        let (ids, profiles): (Vec<_>, Vec<_>) = with_files.unzip();
        let sizes = disk::sizes_of(profiles).await;
        let mut slots = self.inner.slots.lock();
        for (id, size) in ids.iter().zip(sizes) {
            if let Some(serving) = slots.get_mut(id).and_then(Slot::serving_mut) {
                serving.disk = Some(size);
            }
        }
    }
}
