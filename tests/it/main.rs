//! Tests that speak to a running server. One binary; a module per subject; `common` starts servers and speaks RESP.
//!
//! `OXIDIS_TEST_SERVER=/path/to/redis-server cargo test --test it` runs the same tests against another server, which
//! tells whether a test expects what Redis really does. A failing test prints the log of its server.

#[allow(dead_code, unused_imports)] // until the modules that use the rest are here
mod common;

mod clients;
mod protocol;
mod redis_cli;
mod scan;
mod transactions;
