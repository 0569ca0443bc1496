//! Lua's own functions where scripts must not do with them all that they could: change what is locked, load bytecode,
//! take more of the machine's stack than there is. The rules of `machine` hold here.
//!
//! Lua 5.1 cannot lock a table. What is to be locked is kept out of sight instead: scripts have an empty table in its
//! place (it is *sealed*), whose metatable looks up what is asked for and refuses what is to be set. Functions that look at
//! tables without their metatables look through it.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use mlua::ffi::{self, lua_State};

use super::convert::{bytes_at, push_bytes};

/// Addresses that are nothing else's.
static KEYS: [u8; 2] = [0; 2];
/// Where the metatable of a sealed table holds the table itself.
const SEALED: usize = 0;
/// Where it holds what `getmetatable` gives.
const PUBLIC: usize = 1;

/// The most bytes that `string.rep` makes.
const MOST_REPEATED: usize = 1 << 30;
/// The most items of a pattern that may have to be tried again: each may take a level of the machine's stack.
const MOST_ITEMS: usize = 1_000;

fn address(key: usize) -> *const c_void {
    ptr::from_ref(&KEYS[key]).cast()
}

/// The functions that take the place of Lua's, by library and name.
pub(super) const REPLACED: &[(&CStr, &CStr, ffi::lua_CFunction)] = &[
    (c"", c"getmetatable", get_metatable),
    (c"", c"setmetatable", refuse_sealed),
    (c"", c"rawset", refuse_sealed),
    (c"", c"rawget", look_through),
    (c"", c"next", look_through),
    (c"", c"pairs", pairs),
    (c"", c"collectgarbage", collect_garbage),
    (c"", c"loadstring", load_string),
    (c"", c"load", load),
    (c"", c"pcall", protected_call),
    (c"table", c"insert", refuse_sealed),
    (c"table", c"remove", refuse_sealed),
    (c"table", c"sort", refuse_sealed),
    (c"string", c"rep", repeat),
    (c"string", c"find", bound_pattern),
    (c"string", c"match", bound_pattern),
    (c"string", c"gmatch", bound_pattern),
    (c"string", c"gfind", bound_pattern),
    (c"string", c"gsub", bound_pattern),
];

/// Replaces the table on top of the stack by a sealed one. `public` is the index of what `getmetatable` gives, 0 for nil.
///
/// # Safety
/// Within a protected call, with room on the stack.
pub(super) unsafe fn seal(state: *mut lua_State, public: c_int) {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_newtable(state);
        ffi::lua_newtable(state);
        ffi::lua_pushvalue(state, -3);
        ffi::lua_setfield(state, -2, c"__index".as_ptr());
        ffi::lua_pushcfunction(state, refuse_change);
        ffi::lua_setfield(state, -2, c"__newindex".as_ptr());
        ffi::lua_pushvalue(state, -3);
        ffi::lua_rawsetp(state, -2, address(SEALED));
        if public != 0 {
            ffi::lua_pushvalue(state, public);
            ffi::lua_rawsetp(state, -2, address(PUBLIC));
        }
        ffi::lua_setmetatable(state, -2);
        ffi::lua_replace(state, -2);
    }
}

/// Pushes the table behind a sealed one; pushes nothing when the value is none.
///
/// # Safety
/// The index is one of the stack, with room above it.
pub(super) unsafe fn push_sealed(state: *mut lua_State, index: c_int) -> bool {
    // SAFETY: the caller's. Light userdata and values of a table are pushed without an allocation.
    unsafe {
        if ffi::lua_type(state, index) != ffi::LUA_TTABLE
            || ffi::lua_getmetatable(state, index) == 0
        {
            return false;
        }
        if ffi::lua_rawgetp(state, -1, address(SEALED)) != ffi::LUA_TTABLE {
            ffi::lua_settop(state, -3);
            return false;
        }
        ffi::lua_replace(state, -2);
        true
    }
}

/// Whether the value at an index is a table that scripts cannot change.
///
/// # Safety
/// The index is one of the stack, with room above it.
pub(super) unsafe fn is_sealed(state: *mut lua_State, index: c_int) -> bool {
    // SAFETY: the caller's.
    unsafe {
        let is_sealed = push_sealed(state, index);
        if is_sealed {
            ffi::lua_settop(state, -2);
        }
        is_sealed
    }
}

/// Fails with a text.
///
/// # Safety
/// Within a protected call; the caller's frame owns nothing.
pub(super) unsafe fn fail(state: *mut lua_State, text: &CStr) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_pushstring(state, text.as_ptr());
        ffi::lua_error(state)
    }
}

/// Runs the function that was replaced, in this one's place.
unsafe fn go_on(state: *mut lua_State) -> c_int {
    // SAFETY: every function here that calls this was made with the one that it replaces as its upvalue.
    unsafe {
        match ffi::lua_tocfunction(state, ffi::lua_upvalueindex(1)) {
            Some(replaced) => replaced(state),
            None => 0,
        }
    }
}

const READONLY: &CStr = c"Attempt to modify a readonly table";

/// `__newindex` of a sealed table.
unsafe extern "C-unwind" fn refuse_change(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this in protected mode; nothing here needs to be dropped.
    unsafe { ffi::luaL_error(state, READONLY.as_ptr()) }
}

/// `__index` of the globals.
pub(super) unsafe extern "C-unwind" fn missing_global(state: *mut lua_State) -> c_int {
    // SAFETY: as above. A name that is no text is told by its type.
    unsafe {
        let name = match ffi::lua_isstring(state, 2) {
            0 => ffi::lua_typename(state, ffi::lua_type(state, 2)),
            _ => ffi::lua_tostring(state, 2),
        };
        let format = c"Script attempted to access nonexistent global variable '%s'";
        ffi::luaL_error(state, format.as_ptr(), name)
    }
}

/// What changes its first argument.
unsafe extern "C-unwind" fn refuse_sealed(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        if push_sealed(state, 1) {
            return fail(state, READONLY);
        }
        go_on(state)
    }
}

/// What looks into its first argument without its metatable.
unsafe extern "C-unwind" fn look_through(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        if push_sealed(state, 1) {
            ffi::lua_replace(state, 1);
        }
        go_on(state)
    }
}

/// `pairs`: gives the `next` that looks through, which is its second upvalue.
unsafe extern "C-unwind" fn pairs(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(2));
        ffi::lua_pushvalue(state, 1);
        ffi::lua_pushnil(state);
        3
    }
}

/// `getmetatable`: of a sealed table, and of strings, it gives what may be shown.
unsafe extern "C-unwind" fn get_metatable(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        if ffi::lua_getmetatable(state, 1) == 0 {
            return go_on(state);
        }
        let is_sealed = ffi::lua_rawgetp(state, -1, address(SEALED)) == ffi::LUA_TTABLE;
        ffi::lua_settop(state, -2);
        if is_sealed || ffi::lua_type(state, 1) == ffi::LUA_TSTRING {
            ffi::lua_rawgetp(state, -1, address(PUBLIC));
            return 1;
        }
        ffi::lua_settop(state, -2);
        go_on(state)
    }
}

/// Keeps on top of the stack what `getmetatable` gives of the metatable below it.
///
/// # Safety
/// Within a protected call; two tables are on top of the stack. The upper one is taken away.
pub(super) unsafe fn set_public(state: *mut lua_State) {
    // SAFETY: the caller's.
    unsafe { ffi::lua_rawsetp(state, -2, address(PUBLIC)) };
}

/// `collectgarbage`: a script may collect and ask, but not change how others' garbage is collected.
unsafe extern "C-unwind" fn collect_garbage(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let is_harmless = match bytes_at(state, 1) {
            Some(what) => [&b"collect"[..], b"count", b"step"].contains(&what),
            None => true,
        };
        if is_harmless {
            return go_on(state);
        }
        ffi::lua_pushnumber(state, 0.0);
        1
    }
}

/// `loadstring`: bytecode is no text.
unsafe extern "C-unwind" fn load_string(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let is_bytecode = bytes_at(state, 1).is_some_and(|text| text.first() == Some(&ESCAPE));
        if is_bytecode {
            return refuse_bytecode(state);
        }
        go_on(state)
    }
}

/// What bytecode begins with.
pub(super) const ESCAPE: u8 = 0x1b;

unsafe fn refuse_bytecode(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        ffi::lua_pushnil(state);
        ffi::lua_pushstring(
            state,
            c"[string \"LuaQ\"]:1: unexpected symbol near 'char(27)'".as_ptr(),
        );
        2
    }
}

/// `load`: gathers what the function gives, which is a text.
unsafe extern "C-unwind" fn load(state: *mut lua_State) -> c_int {
    // SAFETY: as above; the pieces are joined on Lua's stack.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TFUNCTION);
        ffi::lua_settop(state, 2);
        push_bytes(state, b"");
        loop {
            ffi::lua_pushvalue(state, 1);
            ffi::lua_call(state, 0, 1);
            match bytes_at(state, -1) {
                Some([]) => break,
                Some(_) => ffi::lua_concat(state, 2),
                None if ffi::lua_type(state, -1) == ffi::LUA_TNIL => break,
                None => return fail(state, c"reader function must return a string"),
            }
        }
        ffi::lua_settop(state, 3);
        let text = bytes_at(state, 3).unwrap_or_default();
        if text.first() == Some(&ESCAPE) {
            return refuse_bytecode(state);
        }
        let name = match ffi::lua_isstring(state, 2) {
            0 => c"=(load)".as_ptr(),
            _ => ffi::lua_tostring(state, 2),
        };
        match ffi::luaL_loadbuffer(state, text.as_ptr().cast(), text.len(), name) {
            ffi::LUA_OK => 1,
            _ => {
                ffi::lua_pushnil(state);
                ffi::lua_insert(state, -2);
                2
            }
        }
    }
}

/// `pcall`: of an error that is a table with a text it gives the text, as scripts expect that were written for older servers.
unsafe extern "C-unwind" fn protected_call(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        ffi::luaL_checkany(state, 1);
        let status = ffi::lua_pcall(state, ffi::lua_gettop(state) - 1, ffi::LUA_MULTRET, 0);
        ffi::lua_pushboolean(state, c_int::from(status == ffi::LUA_OK));
        ffi::lua_insert(state, 1);
        if status != ffi::LUA_OK && ffi::lua_type(state, -1) == ffi::LUA_TTABLE {
            ffi::lua_getfield(state, -1, c"err".as_ptr());
            match ffi::lua_isstring(state, -1) {
                0 => ffi::lua_settop(state, -2),
                _ => ffi::lua_replace(state, -2),
            }
        }
        ffi::lua_gettop(state)
    }
}

/// `string.rep`: a bound that is checked before the work.
unsafe extern "C-unwind" fn repeat(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let mut len = 0;
        ffi::luaL_checklstring(state, 1, &mut len);
        let times = ffi::luaL_checknumber(state, 2);
        if len == 0 {
            ffi::lua_settop(state, 1);
            return 1;
        }
        if times * len as f64 > MOST_REPEATED as f64 {
            return ffi::luaL_error(state, c"resulting string too large".as_ptr());
        }
        go_on(state)
    }
}

/// What matches a pattern, its second argument: matching takes a level of the stack for each item that may repeat.
unsafe extern "C-unwind" fn bound_pattern(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        if let Some(pattern) = bytes_at(state, 2)
            && pattern.len() > MOST_ITEMS
        {
            let items = pattern.iter().filter(|byte| b"*+-?()".contains(byte));
            if items.count() > MOST_ITEMS {
                return ffi::luaL_error(state, c"pattern too complex".as_ptr());
            }
        }
        go_on(state)
    }
}
