//! The memory and the processors that the process may use: those of its control group (cgroup v2), or else of the host.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::scaling::Capacity;
use crate::browser::cgroup;

/// The share of processor time is that of at least so long: a browser that starts needs all of it for a moment.
const SPAN: Duration = Duration::from_secs(5);
/// `/proc/stat` counts in these; it is the same on every Linux that Chrome supports.
const TICKS_PER_SECOND: u64 = 100;

/// How much of what the process may use is in use, in percent; `None` if the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Of the memory.
    pub memory: Option<u32>,
    /// Of the processor time of at least the last 5 s; `None` in the first.
    pub cpu: Option<u32>,
}

/// Reads the files of the system.
#[derive(Debug)]
pub(super) struct Machine {
    /// `/`, except in tests.
    root: PathBuf,
    /// The directories of the process's control group and of those above it, up to the root of their file system.
    groups: Vec<PathBuf>,
    cpus: usize,
    /// Processor time used so far, in microseconds, and when it was read.
    used: Option<(Instant, u64)>,
    cpu: Option<u32>,
}

impl Machine {
    /// This machine.
    pub(super) fn new() -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::at(PathBuf::from("/"), cpus)
    }

    fn at(root: PathBuf, cpus: usize) -> Self {
        let groups = cgroup::with_parents(&root);
        let mut machine = Self { root, groups, cpus, used: None, cpu: None };
        if let Some((_, quota)) = machine.cpu_group() {
            machine.cpus = cpus.min(quota);
        }
        machine
    }

    /// What the process may use.
    pub(super) fn capacity(&self) -> Capacity {
        let host = self.host_memory().map(|(total, _)| total);
        let group = self.memory_group().map(|(_, limit)| limit);
        Capacity { cpus: self.cpus, memory: host.into_iter().chain(group).min() }
    }

    /// How much is in use now.
    pub(super) fn load(&mut self, now: Instant) -> Load {
        Load { memory: self.memory(), cpu: self.processors(now) }
    }

    fn memory(&self) -> Option<u32> {
        let host = self.host_memory().map(|(total, available)| (total.saturating_sub(available), total));
        let group = self.memory_group().and_then(|(group, limit)| {
            let current = number(&group.join("memory.current"))?;
            let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
            // The system takes these pages back when it needs memory.
            let files = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse().ok()).unwrap_or(0);
            Some((current.saturating_sub(files), limit))
        });
        host.into_iter().chain(group).filter_map(|(used, total)| percent(used, total)).max()
    }

    fn processors(&mut self, now: Instant) -> Option<u32> {
        if self.used.is_some_and(|(at, _)| now.saturating_duration_since(at) < SPAN) {
            return self.cpu;
        }
        let used = match self.cpu_group() {
            Some((group, _)) => {
                let stat = fs::read_to_string(group.join("cpu.stat")).ok()?;
                stat.lines().find_map(|line| line.strip_prefix("usage_usec ")?.parse().ok())?
            }
            None => self.host_cpu()?,
        };
        if let Some((at, before)) = self.used.replace((now, used)) {
            let span = u64::try_from(now.saturating_duration_since(at).as_micros()).ok()?;
            self.cpu = percent(used.saturating_sub(before), span.saturating_mul(self.cpus as u64));
        }
        self.cpu
    }

    /// The group whose memory is limited most, with its limit in bytes.
    fn memory_group(&self) -> Option<(&PathBuf, u64)> {
        let limited = self.groups.iter().filter_map(|group| Some((group, number(&group.join("memory.max"))?)));
        limited.min_by_key(|(_, limit)| *limit)
    }

    /// The group whose processors are limited most, with their number, rounded up.
    fn cpu_group(&self) -> Option<(&PathBuf, usize)> {
        let limited = self.groups.iter().filter_map(|group| {
            let max = fs::read_to_string(group.join("cpu.max")).ok()?;
            let mut words = max.split_whitespace().map(|word| word.parse::<u64>().ok());
            let (quota, period) = (words.next()??, words.next()??);
            Some((group, usize::try_from(quota.div_ceil(period.max(1))).ok()?.max(1)))
        });
        limited.min_by_key(|(_, cpus)| *cpus)
    }

    /// All memory of the host and what is available, in bytes.
    fn host_memory(&self) -> Option<(u64, u64)> {
        let info = fs::read_to_string(self.root.join("proc/meminfo")).ok()?;
        let of = |name: &str| -> Option<u64> {
            info.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
        };
        Some((of("MemTotal:")?.checked_mul(1024)?, of("MemAvailable:")?.checked_mul(1024)?))
    }

    /// Processor time of the host that was not idle, in microseconds.
    fn host_cpu(&self) -> Option<u64> {
        let stat = fs::read_to_string(self.root.join("proc/stat")).ok()?;
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        // User, nice, system, idle, iowait, irq, softirq, steal; a guest's time is in the first two as well.
        let ticks: Vec<u64> = line.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
        let busy = ticks.iter().sum::<u64>() - ticks.get(3)? - ticks.get(4)?;
        busy.checked_mul(1_000_000 / TICKS_PER_SECOND)
    }
}

/// The number in a file; `None` if it has another word, such as `max`.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn percent(used: u64, of: u64) -> Option<u32> {
    u32::try_from((u128::from(used) * 100).checked_div(u128::from(of))?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of files like that of the system.
    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            let tree = Self(tempfile::tempdir().expect("a directory"));
            tree.write("proc/meminfo", "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  400 kB\n");
            tree.write("proc/stat", "cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3\n");
            tree.write("proc/self/cgroup", "0::/a/b\n");
            tree
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        }

        fn group(&self, path: &str, text: &str) {
            self.write(&format!("sys/fs/cgroup/{path}"), text);
        }

        fn machine(&self) -> Machine {
            Machine::at(self.0.path().to_owned(), 4)
        }
    }

    #[test]
    fn without_a_control_group_the_host_counts() {
        let tree = Tree::new();
        // Version 1 has no `cgroup.controllers`.
        tree.group("memory.max", "1");
        let (mut machine, now) = (tree.machine(), Instant::now());
        assert_eq!(machine.capacity(), Capacity { cpus: 4, memory: Some(1_024_000) });
        assert_eq!(machine.load(now), Load { memory: Some(60), cpu: None });
        // 10 s of the 4 processors: 20 s of work.
        tree.write("proc/stat", "cpu  1100 0 1100 700 100 0 0 0 50 0\n");
        assert_eq!(machine.load(now + SPAN / 2).cpu, None, "too early to tell");
        assert_eq!(machine.load(now + SPAN * 2).cpu, Some(50));
    }

    #[test]
    fn the_narrowest_limit_of_the_control_groups_counts() {
        let tree = Tree::new();
        tree.group("cgroup.controllers", "cpu memory");
        tree.group("a/b/memory.max", "max\n");
        tree.group("a/b/memory.current", "1\n");
        tree.group("a/memory.max", "1000\n");
        tree.group("a/memory.current", "990\n");
        tree.group("a/memory.stat", "anon 5\ninactive_file 90\n");
        tree.group("a/b/cpu.max", "150000 100000\n");
        tree.group("a/b/cpu.stat", "usage_usec 1000000\nuser_usec 1\n");
        tree.group("a/cpu.max", "max 100000\n");
        let (mut machine, now) = (tree.machine(), Instant::now());
        assert_eq!(machine.capacity(), Capacity { cpus: 2, memory: Some(1000) });
        assert_eq!(machine.load(now), Load { memory: Some(90), cpu: None });
        tree.group("a/b/cpu.stat", "usage_usec 8500000\n");
        assert_eq!(machine.load(now + SPAN).cpu, Some(75));
    }

    #[test]
    fn files_that_are_missing_or_odd_are_no_limit() {
        let tree = Tree::new();
        tree.group("cgroup.controllers", "");
        tree.group("a/b/cpu.max", "max");
        tree.write("proc/self/cgroup", "0::/../../x\n");
        tree.write("proc/meminfo", "nothing");
        tree.write("proc/stat", "cpu  a b");
        let mut machine = tree.machine();
        assert_eq!(machine.capacity(), Capacity { cpus: 4, memory: None });
        assert_eq!(machine.load(Instant::now()), Load::default());
        assert_eq!(percent(1, 0), None);
    }
}
