//! What somebody might send who means harm. A module for each class of flaw that servers of this kind have had
//! (`SECURITY.md` lists them); scripts have `scripts_hostile`.
//!
//! - `fuzz`: random commands with extreme arguments, all of the table, on keys of all types;
//! - `counts`: counts and offsets at the borders of their types;
//! - `known`: single flaws by their numbers;
//! - `payloads`: values that somebody else dumped, and HyperLogLogs that somebody else wrote;
//! - `races`: clients that are killed and unblocked at any step;
//! - `patterns`: globs that would take for ever, or all of the stack;
//! - `replies`: line ends in what errors quote;
//! - `strangers`: those without a password, and permissions.

mod chance;
mod counts;
mod fuzz;
mod known;
mod patterns;
mod payloads;
mod races;
mod replies;
mod strangers;

use crate::common::{Raw, Server, simple};

/// Nothing has died, panicked or lost its place.
#[track_caller]
fn check_health(server: &Server, raw: &mut Raw) {
    assert_eq!(raw.ask("PING"), simple("PONG"));
    assert_eq!(server.raw().ask("PING"), simple("PONG"));
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
