//! The subcommands of `ghostmux` except `serve`: one file each. `server` asks a running server, by `client`.

mod client;
pub mod doctor;
pub mod server;
pub mod snapshot;
pub mod token;
