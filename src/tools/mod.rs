//! Programs beside the server, for its files: run as `oxidis check-rdb FILE`, or under the name that Redis has for them.

mod check_rdb;

use std::ffi::OsString;

pub use crate::cli::Tool;

/// Runs a tool; gives the process's exit status.
pub fn run(tool: Tool, name: &str, arguments: &[OsString]) -> i32 {
    match tool {
        Tool::CheckRdb => check_rdb::run(name, arguments),
    }
}
