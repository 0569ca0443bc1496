//! DEBUG's crashes: what monitors and supervisors of servers are tested with.

use nix::sys::signal::{Signal, raise};

use crate::engine::{Call, CommandError, CommandResult};

/// SEGFAULT.
pub(super) fn segfault(_call: &mut Call) -> CommandResult {
    let done = raise(Signal::SIGSEGV);
    Err(CommandError::message(format!(
        "ERR the process goes on: {done:?}"
    )))
}

/// ASSERT.
pub(super) fn assert(_call: &mut Call) -> CommandResult {
    tracing::error!("=== ASSERTION FAILED ===");
    tracing::error!("==> {}:{} '1 == 2' is not true", file!(), line!());
    std::process::abort()
}

/// PANIC.
pub(super) fn panic(_call: &mut Call) -> CommandResult {
    tracing::error!(
        "Software failure: DEBUG PANIC called #{}:{}",
        file!(),
        line!()
    );
    std::process::abort()
}

/// OOM.
pub(super) fn run_out_of_memory(_call: &mut Call) -> CommandResult {
    tracing::error!("Out of memory, as DEBUG OOM has asked for");
    std::process::abort()
}

/// FAULT.
pub(super) fn fail(_call: &mut Call) -> CommandResult {
    panic!("DEBUG FAULT called")
}
