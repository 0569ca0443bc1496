//! How much memory the interpreters of all workers hold, as of a few calls ago.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// What interpreters are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// EVAL.
    Scripts,
    /// FCALL.
    Functions,
}

static SCRIPTS: AtomicI64 = AtomicI64::new(0);
static FUNCTIONS: AtomicI64 = AtomicI64::new(0);

impl Purpose {
    fn total(self) -> &'static AtomicI64 {
        match self {
            Self::Scripts => &SCRIPTS,
            Self::Functions => &FUNCTIONS,
        }
    }
}

/// One interpreter's share.
#[derive(Debug)]
pub(super) struct Share {
    purpose: Purpose,
    told: i64,
}

impl Share {
    /// Nothing yet.
    pub fn new(purpose: Purpose) -> Self {
        Self { purpose, told: 0 }
    }

    /// Tells how much it is now.
    pub fn tell(&mut self, bytes: usize) {
        let bytes = bytes as i64;
        self.purpose.total().fetch_add(bytes - self.told, Relaxed);
        self.told = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.tell(0);
    }
}

fn read(total: &AtomicI64) -> u64 {
    u64::try_from(total.load(Relaxed)).unwrap_or(0)
}

/// Bytes held by the interpreters that run scripts.
pub fn vm_eval() -> u64 {
    read(&SCRIPTS)
}

/// Bytes held by the interpreters that run functions.
pub fn vm_functions() -> u64 {
    read(&FUNCTIONS)
}
