//! Operations by which an operator controls the server. `session/manager/control.rs` performs them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{Recycling, Reloaded, ServerMode},
    Errors, Operation, Rest, Row, Verb, operations,
    server::OF_SERVER,
};

operations! {
    /// A request that controls the server. No client of a session can make one.
    Control, ControlRequest:
        RecycleBrowser, RecycleBrowsers, Drain, Pause, Resume, Reload,
}

/// An endpoint that changes the mode of the server.
const OF_MODE: Rest = Rest { verb: Verb::Post, path: "/v1/drain", says: "The mode of the server.", ..OF_SERVER };

/// Replaces a browser: another one is started, this one takes no new sessions, and is closed when its last session has
/// ended. Sessions that are parked after `recycle_deadline` are hibernated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecycleBrowser {
    /// The number of the browser.
    pub browser: String,
}

impl Operation for RecycleBrowser {
    type Output = Recycling;
    const ROW: Row = Row {
        name: "recycleBrowser",
        ghost: None,
        rest: Some(Rest {
            path: "/v1/browsers/{id}/recycle",
            id: Some("browser"),
            says: "The browser will be replaced.",
            tag: "browsers",
            errors: &[Errors::Browser, Errors::Replacement],
            ..OF_MODE
        }),
    };
}

/// Replaces all browsers of this machine, one after the other, each as by `recycleBrowser`: how Chrome is updated without the end of a
/// session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecycleBrowsers {}

impl Operation for RecycleBrowsers {
    type Output = Recycling;
    const ROW: Row = Row {
        name: "recycleBrowsers",
        ghost: None,
        rest: Some(Rest {
            path: "/v1/browsers/recycle",
            says: "The browsers will be replaced.",
            tag: "browsers",
            ..OF_MODE
        }),
    };
}

/// Stops the server as SIGTERM does: it takes no new sessions (503), waits until no session has a client, at most as
/// long as `drain` says, and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Drain {}

impl Operation for Drain {
    type Output = ServerMode;
    const ROW: Row = Row { name: "drain", ghost: None, rest: Some(OF_MODE) };
}

/// Makes new sessions wait in the queue until `resume`. Sessions that run go on, and clients can connect to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pause {}

impl Operation for Pause {
    type Output = ServerMode;
    const ROW: Row = Row { name: "pause", ghost: None, rest: Some(Rest { path: "/v1/pause", ..OF_MODE }) };
}

/// Ends a pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Resume {}

impl Operation for Resume {
    type Output = ServerMode;
    const ROW: Row = Row { name: "resume", ghost: None, rest: Some(Rest { path: "/v1/resume", ..OF_MODE }) };
}

/// Reads the configuration again, from the same flags, variables and file, as SIGHUP does. Settings that can change while
/// the server runs are in force from then on; of the others the answer says that they need a restart. If anything in it
/// is wrong, all old settings stay in force (422).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reload {}

impl Operation for Reload {
    type Output = Reloaded;
    const ROW: Row = Row {
        name: "reload",
        ghost: None,
        rest: Some(Rest { path: "/v1/reload", says: "What has changed.", errors: &[Errors::Configuration], ..OF_MODE }),
    };
}
