//! `ghostmux namespace`: what ghostmux runs as a process of its own for the network namespace of a browser
//! ([`crate::browser::namespace`]). Not for users.

use std::{ffi::OsString, io};

use clap::Subcommand;

use crate::browser::namespace;

/// The arguments of `ghostmux namespace`.
#[derive(Debug, Subcommand)]
pub enum Arguments {
    /// Make a network namespace, and sockets in it for the server at the standard input.
    Keep,
    /// Run a program in the network namespace of a process.
    Enter {
        /// The process.
        pid: u32,
        /// The program.
        program: OsString,
        /// Its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// Does what was asked for. Must be called before the process has a second thread.
///
/// Fails as the system does.
pub fn run(arguments: &Arguments) -> io::Result<()> {
    match arguments {
        Arguments::Keep => namespace::keep(),
        Arguments::Enter { pid, program, arguments } => match namespace::enter(*pid, program, arguments)? {},
    }
}
