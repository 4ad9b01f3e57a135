//! Tests of the whole: the built binary with real Chromes, and the sources against the design.

#![allow(clippy::print_stderr, reason = "what a test that fails or is skipped has to say")]
#![allow(dead_code, reason = "nouns whose verbs are still to be used")]

mod attacks;
mod browsers;
mod cli;
mod client;
mod discovery;
mod downloads;
mod layers;
mod lifecycle;
mod proxy;
mod remote;
mod site;
mod smoke;
mod workers;
