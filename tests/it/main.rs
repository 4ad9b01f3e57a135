//! Integration tests: the built binary with real Chromes, and checks of the sources.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "messages of failed and skipped tests, and of processes of a test"
)]

mod attacks;
mod browsers;
mod cgroups;
mod chrome_urls;
mod cli;
mod client;
mod closing;
mod codec;
mod dedicated;
mod definition;
mod discovery;
mod disk;
mod docs;
mod downloads;
mod extensions;
mod files;
mod frames;
mod full_disk;
mod headful;
mod launch_options;
mod layers;
mod lifecycle;
mod limits;
mod mcp;
mod named;
mod operator;
mod outbox;
mod owners;
mod page_scripts;
mod page_secrets;
mod page_state;
mod pages;
mod pages_interaction;
mod policy;
mod policy_table;
mod pool;
mod priority;
mod profile_leases;
mod profiles;
mod proxy;
mod quick;
mod quick_code;
mod quick_corpus;
mod raw;
mod reconcile;
mod reconnect;
mod reload;
mod remote;
mod renames;
mod rest;
mod sessions;
mod sharing;
mod site;
mod smoke;
mod snapshots;
mod store;
mod tenant_limits;
mod tenant_redis;
mod tenant_rest;
mod tenants;
mod upstreams;
mod user_data;
mod windows;
mod workers;
