//! Oxidis: a Redis-compatible in-memory data store.
//!
//! The road of a request: `server` reads bytes, `resp` parses them into arguments, `engine` checks and locks, a handler
//! in `commands` does the work on `keyspace`, the engine's commit hands the effects to `journal` and tells who listens.
//! Modules import downward only; `tests/tidy.rs` holds the table.

pub mod acl;
pub mod base;
pub mod cli;
pub mod commands;
pub mod config;
pub mod console;
pub mod engine;
pub mod journal;
pub mod keyspace;
pub mod observe;
pub mod persistence;
pub mod pubsub;
pub mod resp;
pub mod scripting;
pub mod server;
pub mod structures;
pub mod tools;
pub mod tracking;

#[global_allocator]
static ALLOCATOR: base::alloc::CountingAllocator = base::alloc::CountingAllocator;
