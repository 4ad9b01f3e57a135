//! Snapshots: what a session has stored, read from one browser and written into another.

mod busy;
mod engine;
mod faces;
mod playwright;
mod sleep;
mod stage;
