//! Oxidis: a Redis-compatible in-memory data store.
//!
//! The road of a request: `server` reads bytes, `resp` parses them into arguments, `engine` checks and locks, a handler
//! in `commands` does the work on `keyspace`, the engine's commit hands the effects to `journal` and tells who listens.
//! Modules import downward only; `tests/tidy.rs` holds the table.

pub mod base;
pub mod config;
