//! The server itself: its configuration, its state and figures, its end, and what tests of servers need.

mod config;
mod footprint;
mod info;
mod permission;

use crate::engine::Command;

/// The family.
pub const COMMANDS: &[Command] = &[config::CONFIG, info::INFO];
