//! A session's life: from the request for a place in a browser to the record of how it ended.
//!
//! `manager` knows all sessions by id: it opens them, hands them sockets and ends them. `task` is one session at work.
//! `lifecycle` says which states a session has and what ends each of them (pure). `admission` limits how many sessions
//! there are, with `fair_queue` for those that wait (pure). `launch` says what the launch options of clients mean (pure).
//! `directory` says on which node a session lives. `client` is one client, `socket` its socket; `session_files` is the
//! directory of a session, `extensions` looks for those that a client names. `persistence` saves sessions and keeps their
//! records in the store, `profile_holders` says which session saves which profile, `profile_lease` holds it against other
//! servers, `job_book` has the jobs of all tenants, `secret_book` their secrets and `totp` makes one-time passwords (both
//! pure), `egress_log` what gates report, `proxy` reads the proxies of sessions, `hidden_query` hides them in URLs that are
//! handed out, `tombstone` remembers how sessions ended, `agent_view` what an agent last saw, `error` says why a request is not served.

mod admission;
pub mod agent_view;
mod caller;
pub mod client;
mod connect_options;
pub mod directory;
mod egress_log;
mod error;
mod extensions;
mod fair_queue;
pub mod hidden_query;
mod id;
mod job_book;
pub mod launch;
pub mod lifecycle;
pub mod manager;
pub mod pages;
pub mod persistence;
mod profile_holders;
mod profile_lease;
mod proxy;
mod secret_book;
pub mod session_files;
pub mod socket;
pub mod task;
mod tombstone;
mod totp;
