//! ghostmux is to headless Chrome what `PgBouncer` is to Postgres: many unmodified CDP clients share warm browsers, each
//! as if it had its own. This page is the map.
//!
//! # Layers
//!
//! ```text
//! cdp  <-  port  <-  virtual_browser  <-  session  ->  pool -> browser -> port, cdp
//!                                          |  \                               for all: cdp, api_types, close_reason
//!              app -> http -> session      |   `-> snapshot -> browser, store  for what is not pure: metrics, config,
//!              main -> app, cli            `-> store                             runtime
//! ```
//!
//! * [`cdp`] is the wire: how a frame is read, checked and routed. Pure.
//! * [`api_types`] is what ghostmux itself speaks of: sessions, snapshots, capabilities, commands. Pure.
//! * [`port`] is what a virtual browser and a browser say to each other. Pure.
//! * [`virtual_browser`] is one session's view of Chrome: what its clients may see and do. Pure: frames in, actions out.
//! * [`browser`] is the processes: one task per Chrome owns the link that all its sessions share. It never knows what a
//!   client is.
//! * [`pool`] chooses the browser of each session, keeps warm leases ready, and replaces browsers that end.
//! * [`snapshot`] reads what a session has stored as a stream of records, and writes it into another, unseen by clients.
//! * [`session`] is a session's life: [`session::task`] is one task that owns its place in a browser, its virtual
//!   browser and its sockets; [`session::manager`] knows all sessions by id.
//! * [`store`] is where snapshots and records of sessions are kept.
//! * [`http`] is the way in: who may ask, upgrades, Chrome's endpoints, browserless's, `/v1`. [`app`] wires the parts
//!   together, starts and stops them; [`cli`] is the subcommands that need no server.
//!
//! # The life of one message
//!
//! 1. A text frame arrives; [`session::client`] hands it to its session's task, which polls the socket itself.
//! 2. [`cdp::message::Command`] checks it in full: this is the hostile direction.
//! 3. [`virtual_browser::VirtualBrowser::on_client`] finds whose CDP session it names (not ours: `-32001`, as Chrome
//!    says) and asks [`virtual_browser::policy`] for the verdict: pass, answer, refuse, or look into it.
//! 4. What passes on a page goes up as it came; what concerns the browser goes up under an id of ours.
//! 5. The link's task writes all that is ready in one write, round-robin between sessions.
//! 6. Chrome answers; the link finds the owner at the end of the text, in constant time, and puts it into the owner's
//!    inbox. What has no owner is dropped and counted, never broadcast.
//! 7. [`virtual_browser::VirtualBrowser::on_browser`] yields a [`virtual_browser::ToClient`] or nothing; [`session::client`]
//!    feeds all that is ready and flushes once.
//!
//! # Invariants
//!
//! * A [`virtual_browser::ToClient`] can be made only for a CDP session that was announced to a view of this session: a
//!   leak does not compile. `virtual_browser/outbox.rs` alone makes one, and `tests/it/outbox.rs` keeps that file
//!   closed.
//! * A [`browser::Lease`] frees its place when it is dropped, however that comes about.
//! * Every id the proxy chooses is negative, and no negative id of a client goes upstream: no reply can be forged.

#[cfg(feature = "server")]
pub mod browser;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod pool;
/// The pure part of `browser`, and what it costs.
#[cfg(not(feature = "server"))]
pub mod browser {
    pub mod growth;
    #[allow(dead_code, reason = "the rest of `browser` uses it")]
    mod mirror;

    pub use self::mirror::{LeaseId, Surveyed};
}
/// The pure part of `pool`.
#[cfg(not(feature = "server"))]
#[allow(dead_code, unreachable_pub, reason = "the rest of `pool` uses it")]
pub mod pool {
    mod placement;
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
#[cfg(feature = "server")]
pub mod metrics;
pub mod port;
#[cfg(feature = "server")]
pub mod runtime;
#[cfg(feature = "server")]
pub mod session;
#[cfg(feature = "server")]
pub mod snapshot;
#[cfg(feature = "server")]
pub mod store;
pub mod virtual_browser;
