//! ghostmux is to headless Chrome what `PgBouncer` is to Postgres: many unmodified CDP clients
//! share warm browsers, each as if it had its own. This page describes the parts.
//!
//! # Layers
//!
//! ```text
//! cdp  <-  port  <-  virtual_browser  <-  session  ->  pool -> browser -> port, cdp
//!                                          |  \                               for all: cdp, api_types, close_reason
//!      app -> http, page -> session        |   `-> snapshot -> browser, store  for what is not pure: metrics, config,
//!              main -> app, cli            `-> store, tenant                     runtime
//! ```
//!
//! * [`cdp`] reads, checks and routes the frames of the protocol. Pure.
//! * [`api_types`] has ghostmux's own types: sessions, snapshots, capabilities, commands. Pure.
//! * [`port`] has the messages between a virtual browser and a browser. Pure.
//! * [`virtual_browser`] is one session's view of Chrome: what its clients may see and do. Pure:
//!   frames in, actions out.
//! * [`browser`] runs the Chrome processes: one task per Chrome owns the link that all its sessions
//!   share. It knows leases, but no clients.
//! * [`pool`] chooses the browser of each session, keeps warm leases ready, and replaces browsers
//!   that end.
//! * [`snapshot`] reads a session's stored data as a stream of records, and writes it into another
//!   session; clients do not see how.
//! * [`session`] manages the sessions: in [`session::task`], one task owns a session's place in a
//!   browser, its virtual browser and its sockets; [`session::manager`] finds all sessions by id.
//! * [`page`] drives pages for callers without a CDP client: locators, actions, scripts.
//! * [`store`] keeps snapshots and records of sessions.
//! * [`tenant`] says who may use the server, and what each may do.
//! * [`http`] is the server: access checks, upgrades, Chrome's endpoints, browserless's, `/v1`.
//!   [`app`] wires the parts together, starts and stops them; [`cli`] has the subcommands that need
//!   no server.
//! * `fuzzing`, compiled for tests alone, has properties that hold for every input of the parsers.
//!
//! # The life of one message
//!
//! 1. A text frame arrives; [`session::client`] passes it to its session's task, which polls the
//!    socket itself.
//! 2. [`cdp::message::Command`] checks it completely, because clients may be hostile.
//! 3. [`virtual_browser::VirtualBrowser::on_client`] finds its CDP session (if the session has none
//!    with this id, it answers `-32001` as Chrome does) and asks [`virtual_browser::policy`] for the
//!    verdict: pass, answer, refuse, or check the arguments.
//! 4. A command on a page that passes is sent to Chrome unchanged; a command on the browser is sent
//!    under an id of the proxy.
//! 5. The link's task writes all waiting messages in one write, round-robin between sessions.
//! 6. Chrome answers; the link finds the owner at the end of the message, in constant time, and puts
//!    the message into the owner's inbox. A message without owner is dropped and counted, never
//!    broadcast.
//! 7. [`virtual_browser::VirtualBrowser::on_browser`] returns a [`virtual_browser::ToClient`] or
//!    nothing; [`session::client`] queues all that are ready and flushes once.
//!
//! # Pure state machines
//!
//! Pure code does no I/O and reads no clock. Its inputs are methods named `on_*`. Its outputs are taken with methods
//! named `poll_*`, which return the next output (`None` if there is none) or all of them, and never wait. `next_timeout`
//! returns when the machine is to be called again if no input comes before. `tests/it/layers.rs` checks the names.
//!
//! # Invariants
//!
//! * A [`virtual_browser::ToClient`] can be made only for a CDP session that was announced to a view
//!   of this session: a leak does not compile. `virtual_browser/outbox.rs` alone makes one, and
//!   `tests/it/outbox.rs` keeps its fields and constructors private.
//! * A [`browser::Lease`] frees its place when it is dropped, in whatever way that happens.
//! * Every id that the proxy chooses is negative, and no negative id of a client is sent to Chrome:
//!   no reply can be forged.

#[cfg(feature = "server")]
pub mod browser;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod pool;
/// The pure part of `browser`, and the cost measurements.
#[cfg(not(feature = "server"))]
pub mod browser {
    pub mod books;
    pub mod growth;
    #[allow(dead_code, reason = "the rest of `browser` uses it")]
    mod mirror;

    pub use self::mirror::{LeaseId, Surveyed};
}
/// The pure part of `pool`.
#[cfg(not(feature = "server"))]
#[allow(dead_code, unreachable_pub, reason = "the rest of `pool` uses it")]
pub mod pool {
    mod decision;
    mod health;
    mod placement;
    mod policy;
    mod reconcile;
    mod recycling;
    mod scaling;
    #[cfg(test)]
    mod simulation;
    mod spares;
    mod warm_pool;
}
pub mod api_types;
#[cfg(feature = "server")]
pub mod app;
pub mod cdp;
#[cfg(feature = "server")]
pub mod cli;
pub mod close_reason;
#[cfg(feature = "server")]
pub mod config;
#[doc(hidden)]
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
#[cfg(feature = "server")]
pub mod metrics;
#[cfg(feature = "server")]
pub mod page;
pub mod port;
#[cfg(feature = "server")]
pub mod runtime;
#[cfg(feature = "server")]
pub mod session;
#[cfg(feature = "server")]
pub mod snapshot;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod tenant;
pub mod virtual_browser;
