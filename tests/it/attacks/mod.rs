//! What a tenant must not get through: each row of the table of attacks is sent, its answer is held against what Chrome
//! would say of something that is not there, and then the victim is looked at.
//!
//! A row has a letter and a number, which stand in the text of its failure. The same frames end, blind or show other
//! sessions of a bare Chrome that is shared: that is what they were measured on.

mod browser;
mod cdp_sessions;
mod contexts;
mod control_port;
mod frames;
mod greed;
mod killers;
mod navigation;
mod pausing;
mod stage;
mod targets;
mod victim;
