//! Runs large work outside the runtime's worker threads.
//!
//! A worker thread that a socket has just woken is the only one that listens to sockets. While it is busy, no other
//! thread notices any socket, even if other workers are idle. A task that works on megabytes would delay every session.

use tokio::runtime::{Handle, RuntimeFlavor};

/// From this size on, in bytes, reading or translating a message takes longer than handing the worker's role to another
/// thread.
const LARGE: usize = 256 * 1024;

/// Runs work whose duration grows with `size`, in bytes. If `size` is large, another thread takes the worker's role
/// meanwhile.
pub fn aside<T>(size: usize, work: impl FnOnce() -> T) -> T {
    let may_step_aside =
        || Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if size >= LARGE && may_step_aside() { tokio::task::block_in_place(work) } else { work() }
}
