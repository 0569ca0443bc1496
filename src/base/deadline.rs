//! The unit in which tables remember when something is due: coarse, and short enough for one word per bucket.

use std::sync::LazyLock;

use crate::base::clock::unix_ms;

/// Milliseconds per step. A key is removed at most this, and one round of the timer, after its time.
pub const STEP_MS: i64 = 32;

/// Times before the process's start count as its start.
static START: LazyLock<i64> = LazyLock::new(unix_ms);

/// Times as steps since the process's start.
pub struct Deadlines;

impl Deadlines {
    /// The step in which a time (Unix milliseconds) lies; times more than four years ahead all lie in the last step.
    pub fn of(at_ms: i64) -> u32 {
        let steps = at_ms.saturating_sub(*START) / STEP_MS;
        steps.clamp(0, i64::from(u32::MAX) - 1) as u32
    }

    /// A time (Unix milliseconds) that no time in a step is before; zero for the first, which has all that were before it.
    pub fn beginning(step: u32) -> i64 {
        match step {
            0 => 0,
            _ => *START + i64::from(step) * STEP_MS,
        }
    }
}
