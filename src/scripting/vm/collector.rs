//! When an interpreter's garbage is collected.
//!
//! Lua's collector begins anew when memory has grown to so many hundredths of what the last time left. Each time it looks at
//! all that an interpreter keeps: libraries, scripts. That is much for calls that leave two hundred bytes behind, so it
//! waits for several times as much garbage, as long as that is little memory. Scripts that hold much get the usual measure.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

/// Hundredths at which the collector begins, for interpreters that hold little and that hold much.
const PAUSE_IF_SMALL: c_int = 600;
const PAUSE: c_int = 200;
/// What is little: bytes.
const SMALL: usize = 2 << 20;
/// How far a step goes in an interpreter that holds much: kilobytes.
const STEP: c_int = 50;

/// An interpreter's collector.
#[derive(Debug)]
pub(super) struct Collector {
    /// What was left when a step of ours came to the end.
    left: usize,
}

/// Now and then while a script runs: what holds much is not to wait any longer.
///
/// # Safety
/// The state is there. Nothing is collected here.
pub(super) unsafe fn watch(state: *mut lua_State) {
    // SAFETY: the caller's.
    unsafe {
        let used = ffi::lua_gc(state, ffi::LUA_GCCOUNT, 0) as usize * 1024;
        if used > SMALL && ffi::lua_gc(state, ffi::LUA_GCSETPAUSE, PAUSE) != PAUSE {
            ffi::lua_gc(state, ffi::LUA_GCRESTART, 0);
        }
    }
}

impl Collector {
    /// That of an interpreter that is new.
    ///
    /// # Safety
    /// The state is there.
    pub unsafe fn new(state: *mut lua_State) -> Self {
        // SAFETY: the caller's.
        unsafe { ffi::lua_gc(state, ffi::LUA_GCSETPAUSE, PAUSE_IF_SMALL) };
        Self { left: 0 }
    }

    /// Now and then between calls, given how much memory is held. Lua collects only as it makes values: what one script
    /// has left would stay while others make few.
    ///
    /// # Safety
    /// The state is there, and no script runs.
    pub unsafe fn step(&mut self, state: *mut lua_State, used: usize) {
        self.left = self.left.min(used);
        // SAFETY: the caller's. No script can give a value a finalizer, so nothing that fails runs.
        unsafe {
            if used <= SMALL {
                ffi::lua_gc(state, ffi::LUA_GCSETPAUSE, PAUSE_IF_SMALL);
            } else if used / 2 > self.left && ffi::lua_gc(state, ffi::LUA_GCSTEP, STEP) != 0 {
                self.left = ffi::lua_gc(state, ffi::LUA_GCCOUNT, 0) as usize * 1024;
            }
        }
    }
}
