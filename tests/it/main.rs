//! Tests of the whole: the built binary with real Chromes, and the sources against the design.

#![allow(clippy::print_stderr, reason = "what a test that fails or is skipped has to say")]

mod attacks;
mod browsers;
mod chrome_urls;
mod cli;
mod client;
mod codec;
mod definition;
mod discovery;
mod downloads;
mod frames;
mod layers;
mod lifecycle;
mod limits;
mod outbox;
mod owners;
mod policy;
mod policy_table;
mod proxy;
mod raw;
mod reconnect;
mod remote;
mod renames;
mod rest;
mod sessions;
mod sharing;
mod site;
mod smoke;
mod snapshots;
mod store;
mod workers;
