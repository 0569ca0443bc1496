//! Programs beside the server, for its files and the machine: run as `oxidis check-rdb FILE`, `oxidis check-aof FILE` or
//! `oxidis --check-system`, or under the names that Redis has for them.

mod check_aof;
mod check_rdb;
mod check_system;

use std::ffi::OsString;

pub use crate::cli::Tool;

/// Runs a tool; gives the process's exit status.
pub fn run(tool: Tool, name: &str, arguments: &[OsString]) -> i32 {
    match tool {
        Tool::CheckAof => check_aof::run(name, arguments),
        Tool::CheckRdb => check_rdb::run(name, arguments),
        Tool::CheckSystem => check_system::run(),
    }
}
