//! What scripts find of which it is [proven](super::super::reach) that they change nothing that is not their own, and call
//! and name only what is known there. The rules of `machine` hold here.
//!
//! They need no lock between them and the libraries, so they find these in their globals as they are: two looks into tables
//! instead of eight for each `redis.call`. And they leave `KEYS` and `ARGV` as they were, so one pair of tables does for all
//! calls, and only the strings in them become garbage. Other scripts never get to see any of these tables.

use std::ffi::{CStr, c_int};
use std::ops::Range;

use mlua::ffi::{self, lua_State};

use super::super::reach;
use super::{Inputs, convert, guards};

/// Calls with more words get tables of their own. These would stay as large, and whatever walks through them sees all of it.
const MOST_KEPT: usize = 64;

const KEYS: &CStr = c"KEYS";
const ARGV: &CStr = c"ARGV";

/// The globals of proven scripts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Globals {
    /// The place in the registry; 0 in an interpreter for functions.
    table: c_int,
    keys: List,
    arguments: List,
    /// Whether the globals named `KEYS` and `ARGV` are these two.
    has_own: bool,
}

/// A table that one call after the other fills.
#[derive(Debug, Clone, Copy, Default)]
struct List {
    table: c_int,
    /// How much of it is filled.
    len: usize,
}

impl Globals {
    /// Makes them.
    ///
    /// # Safety
    /// Within a protected call, with room on the stack; the table at `globals` is that of all scripts, complete.
    pub unsafe fn make(state: *mut lua_State, globals: c_int) -> Self {
        // SAFETY: the caller's.
        unsafe {
            ffi::lua_newtable(state);
            for name in reach::known_globals() {
                convert::push_bytes(state, name.as_bytes());
                ffi::lua_pushvalue(state, -1);
                ffi::lua_rawget(state, globals);
                if guards::push_sealed(state, -1) {
                    ffi::lua_replace(state, -2);
                }
                ffi::lua_rawset(state, -3);
            }
            Self {
                table: ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX),
                keys: List::make(state),
                arguments: List::make(state),
                has_own: false,
            }
        }
    }

    /// Gives them to a proven script.
    ///
    /// # Safety
    /// Outside of any call, with room on the stack. The function is a script's, and proven.
    pub unsafe fn give(&self, state: *mut lua_State, function: c_int) {
        // SAFETY: the caller's. Values of the registry are pushed without an allocation, and setting them makes none.
        unsafe {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, function.into());
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, self.table.into());
            ffi::lua_setfenv(state, -2);
            ffi::lua_settop(state, -2);
        }
    }

    /// Sets `KEYS` and `ARGV`.
    ///
    /// # Safety
    /// Within a protected call, with room on the stack.
    pub unsafe fn set(&mut self, state: *mut lua_State, inputs: &Inputs<'_>) {
        let (keys, others) = (inputs.keys(), inputs.others());
        let are_few = inputs.args.len() <= MOST_KEPT;
        // SAFETY: the caller's.
        unsafe {
            if are_few {
                self.keys.fill(state, inputs, keys);
                self.arguments.fill(state, inputs, others);
                if self.has_own {
                    return;
                }
            } else {
                self.keys.fill(state, inputs, 0..0);
                self.arguments.fill(state, inputs, 0..0);
            }
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, self.table.into());
            if are_few {
                ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, self.keys.table.into());
                ffi::lua_setfield(state, -2, KEYS.as_ptr());
                ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, self.arguments.table.into());
                ffi::lua_setfield(state, -2, ARGV.as_ptr());
            } else {
                set_fresh(state, inputs);
            }
            self.has_own = are_few;
            ffi::lua_settop(state, -2);
        }
    }
}

impl List {
    /// An empty one. Made with room for as much as scripts are mostly given.
    unsafe fn make(state: *mut lua_State) -> Self {
        // SAFETY: as `Globals::make`.
        unsafe {
            ffi::lua_createtable(state, 4, 0);
            Self {
                table: ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX),
                len: 0,
            }
        }
    }

    /// Puts these arguments in the place of what it held.
    unsafe fn fill(&mut self, state: *mut lua_State, inputs: &Inputs<'_>, range: Range<usize>) {
        let (first, len) = (range.start, range.len());
        if len == 0 && self.len == 0 {
            return;
        }
        // SAFETY: as `Globals::set`. Should memory end half-way, the list is known to be as long as it may have become.
        unsafe {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, self.table.into());
            let filled = self.len;
            self.len = len.max(filled);
            for index in 0..len {
                convert::push_bytes(state, inputs.args.at(first + index));
                ffi::lua_rawseti(state, -2, index as ffi::lua_Integer + 1);
            }
            for index in len..filled {
                ffi::lua_pushnil(state);
                ffi::lua_rawseti(state, -2, index as ffi::lua_Integer + 1);
            }
            self.len = len;
            ffi::lua_settop(state, -2);
        }
    }
}

/// Sets `KEYS` and `ARGV` in the table on top of the stack to tables that are nobody else's.
///
/// # Safety
/// Within a protected call, with room on the stack.
pub(super) unsafe fn set_fresh(state: *mut lua_State, inputs: &Inputs<'_>) {
    // SAFETY: the caller's.
    unsafe {
        push_list(state, inputs, inputs.keys());
        ffi::lua_setfield(state, -2, KEYS.as_ptr());
        push_list(state, inputs, inputs.others());
        ffi::lua_setfield(state, -2, ARGV.as_ptr());
    }
}

/// Pushes arguments as a table.
///
/// # Safety
/// Within a protected call, with room on the stack.
pub(super) unsafe fn push_list(state: *mut lua_State, inputs: &Inputs<'_>, range: Range<usize>) {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_createtable(state, range.len() as c_int, 0);
        for (index, argument) in range.enumerate() {
            convert::push_bytes(state, inputs.args.at(argument));
            ffi::lua_rawseti(state, -2, index as ffi::lua_Integer + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::memory::Purpose;
    use super::super::sandbox;
    use super::*;

    unsafe extern "C-unwind" fn nothing(_: *mut lua_State) -> c_int {
        0
    }

    #[test]
    fn all_that_proven_scripts_may_name_is_there_unlocked() {
        let built = sandbox::build(Purpose::Scripts, nothing, nothing);
        let state = built.state;
        // SAFETY: the interpreter is there until the end, and its stack has room; nothing here makes a value of Lua's but
        // short strings.
        unsafe {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, built.proven.table.into());
            for name in reach::known_globals() {
                convert::push_bytes(state, name.as_bytes());
                let kind = ffi::lua_rawget(state, -2);
                assert!(
                    matches!(kind, ffi::LUA_TTABLE | ffi::LUA_TFUNCTION),
                    "{name}"
                );
                assert!(!guards::is_sealed(state, -1), "{name}");
                ffi::lua_settop(state, -2);
            }
        }
    }
}
