//! Snapshots: a session's stored data, read from one browser and written into another.

pub(crate) mod apis;
mod busy_pages;
mod emulation;
mod engine;
mod hibernation;
mod killed;
mod machines;
mod playwright;
mod stage;
mod unreadable;
