//! The runtime's worker threads, and how long work steps aside from them.
//!
//! A worker that has just been woken by a socket is the only one that listens to sockets: while it is busy, nobody
//! else hears of any, even if other workers sleep. A task that works on megabytes would so keep every session waiting.

use tokio::runtime::{Handle, RuntimeFlavor};

/// From this size on, in bytes, reading or translating a message takes longer than handing a worker's place over.
const LARGE: usize = 256 * 1024;

/// Does work that grows with `size`, in bytes. If that is large, the worker's place goes to another thread meanwhile.
pub fn aside<T>(size: usize, work: impl FnOnce() -> T) -> T {
    let may_step_aside =
        || Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if size >= LARGE && may_step_aside() { tokio::task::block_in_place(work) } else { work() }
}
