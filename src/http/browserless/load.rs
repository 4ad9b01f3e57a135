//! The load of the machine in whole percent, if the system reports it.

use std::{
    fs,
    sync::{Mutex, PoisonError},
};

/// Processor time of the machine since its start, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    idle: u64,
    all: u64,
}

// The previous reading; the lock is held only for a copy. The load is that of the time since this reading, or since the
// machine started at the first call.
static LAST: Mutex<Ticks> = Mutex::new(Ticks { idle: 0, all: 0 });

/// The load of the processors since the last call.
pub(in crate::http) fn cpu() -> Option<u32> {
    let now = ticks(&fs::read_to_string("/proc/stat").ok()?)?;
    let before = std::mem::replace(&mut *LAST.lock().unwrap_or_else(PoisonError::into_inner), now);
    share(now.all.checked_sub(before.all)?, now.idle.checked_sub(before.idle)?)
}

/// The share of the memory that is in use now.
pub(in crate::http) fn memory() -> Option<u32> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let of =
        |name: &str| info.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok();
    share(of("MemTotal:")?, of("MemAvailable:")?)
}

/// The part of `all` that is not `free`.
fn share(all: u64, free: u64) -> Option<u32> {
    let used = all.checked_sub(free)?;
    u32::try_from((used * 100).checked_div(all)?).ok()
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait and so on.
fn ticks(stat: &str) -> Option<Ticks> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    // The last two columns are the time of guests, which the first two columns include.
    Some(Ticks { idle: ticks.get(3)? + ticks.get(4)?, all: ticks.iter().take(8).sum() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_the_share_that_is_not_free() {
        let before = ticks("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3").expect("ticks");
        assert_eq!(before, Ticks { idle: 800, all: 1000 });
        assert_eq!(share(before.all, before.idle), Some(20));
        for odd in ["", "cpu", "cpu  1 2 3", "cpu  a b c d e"] {
            assert_eq!(ticks(odd), None, "{odd:?}");
        }
        assert_eq!((share(0, 0), share(1, 2)), (None, None));
        assert!(memory().is_some_and(|percent| percent <= 100));
    }
}
