//! The server itself: its configuration, its state and figures, its end, and what tests of servers need.

mod command_log;
mod config;
mod debug;
mod footprint;
mod info;
mod latency;
mod lolwut;
mod memory;
mod module;
mod monitor;
mod permission;
mod process;
mod saving;
mod snapshot;

pub(super) use snapshot::wait_for;

use crate::engine::Command;

/// The family.
pub const COMMANDS: &[Command] = &[
    saving::BGREWRITEAOF,
    saving::BGSAVE,
    command_log::COMMANDLOG,
    config::CONFIG,
    debug::DEBUG,
    info::INFO,
    saving::LASTSAVE,
    latency::LATENCY,
    snapshot::SAVE,
    lolwut::LOLWUT,
    memory::MEMORY,
    module::MODULE,
    monitor::MONITOR,
    process::ROLE,
    process::SHUTDOWN,
    command_log::SLOWLOG,
    process::TIME,
];
