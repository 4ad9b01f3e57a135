//! The subcommands of `ghostmux` except `serve`: one file each. `server` asks a running server, and `mcp` hands
//! the messages of an agent on to one, both by `client`, which connects by `tls` to an `https:` URL.

mod client;
pub mod doctor;
pub mod mcp;
pub mod namespace;
pub mod server;
pub mod snapshot;
#[cfg(feature = "tls")]
mod tls;
pub mod token;
