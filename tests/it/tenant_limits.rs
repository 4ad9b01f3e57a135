//! Limits of tenants: in one process, and shared by several through a real Redis.

mod server;
mod sessions;
mod shared;
