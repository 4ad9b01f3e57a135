//! Runs large work outside the runtime's worker threads.
//!
//! A worker thread that a socket has just woken is the only one that listens to sockets. While it is busy, no other
//! thread notices any socket, even if other workers are idle. A task that works on megabytes would delay every session.

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::oneshot,
};

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

/// The answer to a request that was sent to a task; `None` if the task ends without an answer. `ended` completes when the
/// task's end of the channel is closed.
///
/// To wait for the answer alone is not enough. A request that is sent at the moment at which the task ends may stay in
/// the channel, together with the sender of its answer, for as long as anybody holds a sender of the channel; and the
/// one who waits holds one.
pub async fn answered<T>(mut answer: oneshot::Receiver<T>, ended: impl Future<Output = ()>) -> Option<T> {
    tokio::select! {
        biased;
        answer = &mut answer => answer.ok(),
        () = ended => answer.try_recv().ok(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_request_that_is_sent_while_its_task_ends_gets_no_answer() {
        let (requests, task) = mpsc::channel(1);
        let (reply, answer) = oneshot::channel::<()>();
        let sending = requests.reserve().await.expect("the task runs");
        drop(task);
        sending.send(reply);
        assert_eq!(answered(answer, requests.closed()).await, None);
    }

    #[tokio::test]
    async fn an_answer_that_was_given_before_the_end_counts() {
        let (requests, task) = mpsc::channel::<()>(1);
        let (reply, answer) = oneshot::channel();
        reply.send(7).expect("somebody waits");
        drop(task);
        assert_eq!(answered(answer, requests.closed()).await, Some(7));
    }
}
