//! The family's commands.

use crate::engine::Command;

/// The family.
pub const COMMANDS: &[Command] = &[];
