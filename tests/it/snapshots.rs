//! Snapshots: what a session has stored, read from one browser and written into another.

mod busy;
mod emulation;
mod engine;
mod faces;
mod killed;
mod machines;
mod playwright;
mod sleep;
mod stage;
mod unreadable;
