//! The subcommands of `ghostmux` that need no server: one file each.

pub mod doctor;
pub mod snapshot;
