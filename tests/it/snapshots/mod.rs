//! Snapshots: what a session has stored, read from one browser and written into another.

mod engine;
mod stage;
