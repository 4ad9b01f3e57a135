//! The subcommands of `ghostmux` except `serve`: one file each. `server` asks a running server, by
//! `client`, which connects by `tls` to an `https:` URL.

mod client;
pub mod doctor;
pub mod namespace;
pub mod server;
pub mod snapshot;
#[cfg(feature = "tls")]
mod tls;
pub mod token;
