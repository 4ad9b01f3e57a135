//! The processes of local browsers: how many there are, and the memory and processor time that they use, by `/proc`
//! (proc(5)).
//!
//! Every Chrome leads a process group of its own, which all its processes stay in: renderers, the GPU process, zygotes.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use procfs::{Current as _, ProcError, ProcResult};

/// The figures of one browser's processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessFigures {
    /// Number of processes.
    pub processes: u32,
    /// Memory in bytes that no other program shares: resident pages without those of files and shared memory.
    pub memory: u64,
    /// Processor time since the browser started, of processes that have ended too.
    pub cpu: Duration,
}

/// The figures of some browsers, as of one reading of `/proc`.
#[derive(Clone, Debug, Default)]
pub struct ProcessTable(HashMap<u32, ProcessFigures>);

impl ProcessTable {
    /// Reads the figures of these browsers, named by the process ids of their first processes. Takes about 10 µs for
    /// each process of the machine, in a thread of its own.
    ///
    /// Fails if `/proc` cannot be listed.
    pub async fn read(browsers: Vec<u32>) -> ProcResult<Self> {
        if browsers.is_empty() {
            return Ok(Self::default());
        }
        let reading = tokio::task::spawn_blocking(move || Self::read_now(&browsers)).await;
        reading.unwrap_or_else(|panic| Err(ProcError::Other(panic.to_string())))
    }

    fn read_now(browsers: &[u32]) -> ProcResult<Self> {
        let mut groups: HashMap<u32, ProcessFigures> =
            browsers.iter().map(|pid| (*pid, ProcessFigures::default())).collect();
        for process in procfs::process::all_processes()? {
            // A process may end at any moment; then it has no figures.
            let Ok((process, stat)) = process.and_then(|process| process.stat().map(|stat| (process, stat))) else {
                continue;
            };
            let group = u32::try_from(stat.pgrp).ok().and_then(|group| groups.get_mut(&group));
            let (Some(figures), false) = (group, is_zombie(stat.state)) else { continue };
            let Ok(memory) = process.statm() else { continue };
            let private_pages = memory.resident.saturating_sub(memory.shared);
            let waited_for = u64::try_from(stat.cutime.saturating_add(stat.cstime)).unwrap_or_default();
            figures.processes += 1;
            figures.memory += private_pages.saturating_mul(procfs::page_size());
            figures.cpu += ticks(stat.utime.saturating_add(stat.stime).saturating_add(waited_for));
        }
        Ok(Self(groups))
    }

    /// The figures of the browser whose first process has this id, if it was asked for and has processes.
    pub fn of(&self, browser: u32) -> Option<ProcessFigures> {
        self.0.get(&browser).copied().filter(|figures| figures.processes > 0)
    }
}

/// A process of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The process id.
    pub pid: u32,
    /// Its process group.
    pub group: u32,
    /// When it started, in clock ticks since the system's start: with the id it names one process for all time.
    pub started: u64,
}

impl Member {
    /// The processes of these groups that run, as of one reading of `/proc`, in a thread of its own.
    pub(crate) async fn of_groups(groups: HashSet<u32>) -> ProcResult<Vec<Self>> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let reading = tokio::task::spawn_blocking(move || {
            let processes = procfs::process::all_processes()?;
            // A process may end at any moment; then it is not there.
            let members = processes.filter_map(|process| Self::of(&process.ok()?));
            Ok(members.filter(|member| groups.contains(&member.group)).collect())
        });
        reading.await.unwrap_or_else(|panic| Err(ProcError::Other(panic.to_string())))
    }

    fn of(process: &procfs::process::Process) -> Option<Self> {
        let stat = process.stat().ok().filter(|stat| !is_zombie(stat.state))?;
        let (pid, group) = (u32::try_from(stat.pid).ok()?, u32::try_from(stat.pgrp).ok()?);
        Some(Self { pid, group, started: stat.starttime })
    }

    /// Kills the process, unless its number belongs to another one meanwhile.
    pub(crate) fn kill(self) {
        let Ok(pid) = i32::try_from(self.pid) else { return };
        let is_same = |process: procfs::process::Process| Self::of(&process) == Some(self);
        if procfs::process::Process::new(pid).is_ok_and(is_same) {
            // It may have ended at this moment.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// The present time in clock ticks since the system's start, as for the start of a process; `None` if the system does
/// not tell.
pub(crate) fn clock_ticks() -> Option<u64> {
    let uptime = procfs::Uptime::current().ok()?;
    let ticks = uptime.uptime_duration().as_millis() * u128::from(procfs::ticks_per_second()) / 1000;
    u64::try_from(ticks).ok()
}

fn is_zombie(state: char) -> bool {
    matches!(state, 'Z' | 'X')
}

/// A duration in clock ticks, of which there are usually 100 per second.
fn ticks(count: u64) -> Duration {
    let per_second = procfs::ticks_per_second().max(1);
    Duration::from_millis(count.saturating_mul(1000) / per_second)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[tokio::test]
    async fn processes_of_a_group_are_counted_with_their_memory_and_processor_time() {
        use std::os::unix::process::CommandExt as _;

        let mut shell = Command::new("sh");
        // The second process belongs to the group; the loop makes both use the processor for a moment.
        let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; sleep 600 & echo ready; wait";
        shell.args(["-c", script]).process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut leader = shell.spawn().expect("a shell");
        let pid = leader.id();
        let mut line = String::new();
        let stdout = leader.stdout.take().expect("its output");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("a line");

        let table = ProcessTable::read(vec![pid, std::process::id().wrapping_add(4_000_000)]).await.expect("/proc");
        let figures = table.of(pid).expect("figures");
        assert_eq!(figures.processes, 2, "{figures:?}");
        assert!(figures.memory > 0 && figures.cpu > Duration::ZERO, "{figures:?}");
        assert_eq!(table.of(std::process::id().wrapping_add(4_000_000)), None, "no such group");
        assert_eq!(table.of(1), None, "nobody asked for it");

        let members = Member::of_groups([pid].into()).await.expect("/proc");
        assert_eq!(members.len(), 2, "{members:?}");
        let now = clock_ticks().expect("a clock");
        assert!(
            members.iter().all(|member| member.started <= now && now < member.started + 6000),
            "{members:?} at {now}"
        );
        for member in &members {
            // Another process that has had the same number at another time.
            Member { started: member.started + 1, ..*member }.kill();
        }
        assert_eq!(Member::of_groups([pid].into()).await.expect("/proc"), members, "they run on");
        members.into_iter().for_each(Member::kill);
        let _ = leader.wait();
        // The second one has been told to end, and has another parent now.
        let ended = async { while ProcessTable::read(vec![pid]).await.expect("/proc").of(pid).is_some() {} };
        tokio::time::timeout(Duration::from_secs(10), ended).await.expect("it ends");
    }
}
