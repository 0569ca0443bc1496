//! The server itself: its configuration, its state and figures, its end, and what tests of servers need.

mod config;
mod debug;
mod footprint;
mod info;
mod lolwut;
mod memory;
mod module;
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
    config::CONFIG,
    debug::DEBUG,
    info::INFO,
    saving::LASTSAVE,
    snapshot::SAVE,
    lolwut::LOLWUT,
    memory::MEMORY,
    module::MODULE,
    process::ROLE,
    process::SHUTDOWN,
    process::TIME,
];
