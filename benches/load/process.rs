//! CPU time and memory of processes, from the kernel.

use std::fs;

/// CPU seconds, user and system, of a process, including threads that have ended.
///
/// The kernel counts in hundredths of a second, so a measurement should last a second or more.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in parentheses, may contain any character; after it `utime` and `stime` are the
    // 12th and 13th field.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

/// CPU seconds of a process and all its descendants, those that have ended included if somebody waited for them.
pub(crate) fn tree_cpu(root: u32) -> f64 {
    let ticks = tree(&[root]).into_iter().flat_map(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        // `utime`, `stime`, and those of children that have ended.
        fields.skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).collect::<Vec<_>>()
    });
    ticks.sum::<u64>() as f64 / 100.0
}

/// Memory of one or several processes, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Memory that is not shared.
    pub(crate) private: f64,
    /// The same, and their part of shared memory.
    pub(crate) pss: f64,
}

/// The memory of one process.
pub(crate) fn memory(pid: u32) -> Memory {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let mut memory = Memory::default();
    for line in rollup.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(size)) = (words.next(), words.next().and_then(|size| size.parse::<f64>().ok())) else {
            continue;
        };
        match name {
            "Pss:" => memory.pss += size,
            "Private_Clean:" | "Private_Dirty:" => memory.private += size,
            _ => {}
        }
    }
    memory
}

/// The memory of processes and all their descendants.
pub(crate) fn tree_memory(roots: &[u32]) -> Memory {
    let mut sum = Memory::default();
    for pid in tree(roots) {
        let one = memory(pid);
        sum.private += one.private;
        sum.pss += one.pss;
    }
    sum
}

fn tree(roots: &[u32]) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect();
    let mut found = roots.to_vec();
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(parents.iter().filter(|(_, other)| *other == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found
}

/// How many descendants of a process have a command line that contains one word and not the other.
pub(crate) fn descendants_with(pid: u32, word: &str, without: &str) -> usize {
    let is_one = |child: &u32| {
        fs::read(format!("/proc/{child}/cmdline")).is_ok_and(|line| {
            let line = String::from_utf8_lossy(&line);
            line.contains(word) && !line.contains(without)
        })
    };
    tree(&[pid]).into_iter().skip(1).filter(is_one).count()
}

/// The first child of a process: Chrome below the proxy. The proxy's other child is a shell.
pub(crate) fn child_with(pid: u32, word: &str) -> Option<u32> {
    tree(&[pid]).into_iter().skip(1).find(|child| {
        fs::read(format!("/proc/{child}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(word))
    })
}
