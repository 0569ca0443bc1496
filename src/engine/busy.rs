//! A script that takes so long that others are told of it, and may end it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use parking_lot::Mutex;

use super::error::CommandError;
use crate::resp::args::OwnedArgs;

/// The script that takes long.
#[derive(Debug, Clone)]
pub struct Running {
    /// A script's SHA1 or a function's name.
    pub name: String,
    /// The command that has called it.
    pub command: OwnedArgs,
    /// Whether FCALL has called it.
    pub is_function: bool,
    /// Since when it has been running.
    pub started: Instant,
    /// Whether it has called a command that writes, so that it must come to its end.
    pub has_written: bool,
}

/// Whether, and which, script takes long. There is one at most: it is alone behind the gate.
#[derive(Debug, Default)]
pub struct Busy {
    running: Mutex<Option<Running>>,
    is_killed: AtomicBool,
}

impl Busy {
    /// The script that takes long.
    pub fn running(&self) -> Option<Running> {
        self.running.lock().clone()
    }

    pub(super) fn enter(&self, running: Running) {
        self.is_killed.store(false, Relaxed);
        *self.running.lock() = Some(running);
    }

    pub(super) fn note_written(&self) {
        if let Some(running) = &mut *self.running.lock() {
            running.has_written = true;
        }
    }

    pub(super) fn leave(&self) {
        *self.running.lock() = None;
    }

    pub(super) fn is_killed(&self) -> bool {
        self.is_killed.load(Relaxed)
    }

    /// What everybody else is told meanwhile; `None` when no script takes long.
    pub fn error(&self) -> Option<CommandError> {
        let running = self.running.lock();
        running
            .as_ref()
            .map(|running| too_slow(running.is_function))
    }

    /// SCRIPT KILL or FUNCTION KILL: has the script end, unless it must not.
    pub fn kill(&self, is_function: bool) -> Result<(), CommandError> {
        let running = self.running.lock();
        let Some(running) = &*running else {
            return Err(CommandError::text(
                "NOTBUSY No scripts in execution right now.",
            ));
        };
        if running.has_written {
            return Err(CommandError::text(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait \
                 the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
            ));
        }
        if running.is_function != is_function {
            return Err(too_slow(running.is_function));
        }
        self.is_killed.store(true, Relaxed);
        Ok(())
    }
}

/// What is said of a script, or a function, that takes long.
pub(super) fn too_slow(is_function: bool) -> CommandError {
    CommandError::text(match is_function {
        true => {
            "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
        }
        false => {
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
        }
    })
}
