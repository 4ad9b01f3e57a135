//! Limits of tenants that several processes share through a real Redis.

mod shared;
