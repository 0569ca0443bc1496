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

use crate::engine::Command;

/// The family.
pub const COMMANDS: &[Command] = &[
    command_log::COMMANDLOG,
    config::CONFIG,
    debug::DEBUG,
    info::INFO,
    process::LASTSAVE,
    latency::LATENCY,
    lolwut::LOLWUT,
    memory::MEMORY,
    module::MODULE,
    monitor::MONITOR,
    process::ROLE,
    process::SHUTDOWN,
    command_log::SLOWLOG,
    process::TIME,
];
