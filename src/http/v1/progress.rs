//! The steps of a list of actions as server-sent events, while they are performed.

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;

use super::super::reply::{Answer, explain, stream as answer_with};
use crate::{
    api_types::{
        Reply, Request,
        operations::{Operation as _, PageActions},
    },
    session::manager::{Caller, ServiceError, SessionManager},
};

/// Whether the operation of this name has steps that can be told of one by one.
pub(super) fn has_steps(operation: &str) -> bool {
    operation == PageActions::ROW.name
}

/// Performs the request. Each step is an event `step`, whose data are its result; the last event is `done` with what the
/// request answers, or `error` with the problem. A caller that closes the stream ends the request, unless it has `detach`.
pub(super) fn stream(registry: SessionManager, caller: Caller, request: Request) -> Answer {
    // There are at most as many steps as page_actions allows, and their results are bounded together by page_result.
    let (to, steps) = mpsc::unbounded_channel();
    let work = Box::pin(async move { registry.perform_in_steps(&caller, request, to).await });
    let events = stream::unfold(Some((work, steps)), async |state| {
        let (mut work, mut steps) = state?;
        tokio::select! {
            // First: a step is told of before the end.
            biased;
            Some(step) = steps.recv() => Some((event("step", &step), Some((work, steps)))),
            done = &mut work => {
                let rest = std::iter::from_fn(|| steps.try_recv().ok());
                let rest: String = rest.map(|step| event("step", &step)).collect();
                Some((rest + &last(done), None))
            }
        }
    });
    answer_with("text/event-stream", Body::from_stream(events.map(|text| Ok::<_, std::io::Error>(Bytes::from(text)))))
}

fn last(done: Result<Reply, ServiceError>) -> String {
    match done {
        Ok(reply) => event("done", &reply.output),
        Err(error) => event("error", &explain(&error).0.to_string()),
    }
}

/// An event. The data are JSON on one line.
fn event(name: &str, json: &str) -> String {
    format!("event: {name}\ndata: {json}\n\n")
}
