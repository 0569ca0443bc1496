//! Lua's own functions where scripts must not do with them all that they could: change what is locked, load bytecode,
//! take more of the machine's stack than there is. The rules of `machine` hold here.
//!
//! Lua 5.1 cannot lock a table. What is to be locked is kept out of sight instead: scripts have an empty table in its
//! place (it is *sealed*), whose metatable looks up what is asked for and refuses what is to be set. Functions that look at
//! tables without their metatables look through it.

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use mlua::ffi::{self, lua_State};

use super::convert::{bytes_at, push_bytes, push_error};
use super::machine::{LONGEST_SOURCE, current, look};
use super::patterns;

/// Addresses that are nothing else's.
static KEYS: [u8; 2] = [0; 2];
/// Where the metatable of a sealed table holds the table itself.
const SEALED: usize = 0;
/// Where it holds what `getmetatable` gives.
const PUBLIC: usize = 1;

/// The most bytes that `string.rep` makes.
const MOST_REPEATED: usize = 1 << 30;
/// Strings longer than this are repeated by doubling.
const SHORT_REPEATED: usize = 64 * 1024;
/// Lists that are sorted without looking at the clock in between: elements, and bytes in all.
const SHORT_LIST: usize = 1_000;
const SHORT_TEXTS: usize = 4 << 20;
/// Elements, or pieces of 64 bytes, that are compared between two looks.
const COMPARED_A_LOOK: usize = 50_000;
/// How far below its first element a list may be made to begin: `table.insert` moves all that is between.
const MOST_MOVED: i64 = 1_000_000;

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
    (c"", c"unpack", unpack),
    (c"", c"xpcall", call_with_handler),
    (c"coroutine", c"create", while_running),
    (c"coroutine", c"resume", while_running),
    (c"coroutine", c"wrap", while_running),
    (c"table", c"insert", insert),
    (c"table", c"remove", refuse_sealed),
    (c"table", c"sort", sort),
    (c"string", c"rep", repeat),
    (c"string", c"find", patterns::find),
    (c"string", c"match", patterns::first_match),
    (c"string", c"gmatch", patterns::each_match),
    (c"string", c"gfind", patterns::each_match),
    (c"string", c"gsub", patterns::substitute),
];

/// Replaces the table on top of the stack by a sealed one. `public` is the index, from the bottom, of what `getmetatable`
/// gives, 0 for nil.
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
        look(state);
        let reaches_others = [&b"stop"[..], b"restart", b"setpause", b"setstepmul"];
        if !bytes_at(state, 1).is_some_and(|what| reaches_others.contains(&what)) {
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
        match bytes_at(state, 1) {
            Some([ESCAPE, ..]) => refuse_bytecode(state),
            Some(text) if text.len() > LONGEST_SOURCE => fail(state, c"script is too long"),
            _ => go_on(state),
        }
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
            c"[string \"\x1bLuaQ\"]:1: unexpected symbol near 'char(27)'".as_ptr(),
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
        if text.len() > LONGEST_SOURCE {
            return fail(state, c"script is too long");
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

/// Fails where the script is to end. The hook that ends it is set in the coroutine that was running, not in those that have
/// resumed it, and these must not go on for long.
unsafe fn end_stopped(state: *mut lua_State) {
    // SAFETY: as above.
    unsafe {
        let run = current();
        if !run.is_null()
            && let Some(reason) = (*run).stop
        {
            push_error(state, run, reason.as_bytes(), false);
            ffi::lua_error(state);
        }
    }
}

/// What could keep a script alive that is to end.
unsafe extern "C-unwind" fn while_running(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        end_stopped(state);
        go_on(state)
    }
}

/// `xpcall`: while its handler runs for an error that the hook raised, Lua calls no hook, so a script that is to end must
/// not get there.
unsafe extern "C-unwind" fn call_with_handler(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        ffi::luaL_checkany(state, 2);
        ffi::lua_settop(state, 2);
        ffi::lua_pushcclosure(state, handle, 1);
        while_running(state)
    }
}

/// The handler in the place of the script's, its upvalue. The error is the only argument.
unsafe extern "C-unwind" fn handle(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let run = current();
        if run.is_null() || (*run).stop.is_none() {
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
            ffi::lua_insert(state, 1);
            ffi::lua_call(state, ffi::lua_gettop(state) - 1, 1);
        }
        1
    }
}

/// `pcall`: of an error that is a table with a text it gives the text, as scripts expect that were written for older servers.
unsafe extern "C-unwind" fn protected_call(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        end_stopped(state);
        if ffi::lua_gettop(state) == 0 {
            // Redis calls what it has put there for the result.
            ffi::lua_pushboolean(state, 0);
            ffi::lua_pushstring(state, c"attempt to call a boolean value".as_ptr());
            return 2;
        }
        // Put there beforehand: many results may leave no room above them.
        ffi::lua_pushboolean(state, 1);
        ffi::lua_insert(state, 1);
        let status = ffi::lua_pcall(state, ffi::lua_gettop(state) - 2, ffi::LUA_MULTRET, 0);
        if status == ffi::LUA_OK {
            return ffi::lua_gettop(state);
        }
        ffi::lua_pushboolean(state, 0);
        ffi::lua_replace(state, 1);
        if ffi::lua_type(state, -1) == ffi::LUA_TTABLE {
            ffi::lua_getfield(state, -1, c"err".as_ptr());
            // What is no text stays, as one more result: so it is in Redis.
            if ffi::lua_isstring(state, -1) != 0 {
                ffi::lua_replace(state, -2);
            }
        }
        ffi::lua_gettop(state)
    }
}

/// `unpack`: Lua computes the count in too few bits, and believes it.
unsafe extern "C-unwind" fn unpack(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        let first = ffi::luaL_optinteger(state, 2, 1) as c_int;
        let last = match ffi::lua_isnoneornil(state, 3) {
            0 => ffi::luaL_checkinteger(state, 3) as c_int,
            _ => ffi::lua_objlen(state, 1) as c_int,
        };
        if i64::from(last) - i64::from(first) >= i64::from(c_int::MAX) {
            return ffi::luaL_error(state, c"too many results to unpack".as_ptr());
        }
        go_on(state)
    }
}

/// `table.insert`: not so far in front of a list that moving it up to there would take for ever.
unsafe extern "C-unwind" fn insert(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        if ffi::lua_gettop(state) == 3 && ffi::lua_type(state, 1) == ffi::LUA_TTABLE {
            if ffi::lua_objlen(state, 1) > SHORT_LIST {
                look(state);
            }
            let position = ffi::luaL_checkinteger(state, 2) as c_int;
            if i64::from(position) < -MOST_MOVED {
                return ffi::luaL_argerror(state, 2, c"position out of bounds".as_ptr());
            }
        }
        refuse_sealed(state)
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
        if times * len as f64 > SHORT_REPEATED as f64 {
            return double(state, times as usize);
        }
        go_on(state)
    }
}

/// Repeats the string at 1 so many times, in few steps.
unsafe fn double(state: *mut lua_State, mut times: usize) -> c_int {
    // SAFETY: as above; two more values are on the stack than were.
    unsafe {
        ffi::lua_settop(state, 1);
        push_bytes(state, b"");
        loop {
            if times % 2 == 1 {
                ffi::lua_pushvalue(state, 1);
                ffi::lua_concat(state, 2);
            }
            times /= 2;
            if times == 0 {
                return 1;
            }
            ffi::lua_pushvalue(state, 1);
            ffi::lua_pushvalue(state, 1);
            ffi::lua_concat(state, 2);
            ffi::lua_replace(state, 1);
        }
    }
}

/// `table.sort`: a long list without a function of its own is sorted with one that looks at the clock.
unsafe extern "C-unwind" fn sort(state: *mut lua_State) -> c_int {
    // SAFETY: as above; the list and one element are on the stack.
    unsafe {
        if ffi::lua_type(state, 1) == ffi::LUA_TTABLE
            && ffi::lua_isnoneornil(state, 2) != 0
            && !is_sealed(state, 1)
            && !is_short_list(state)
        {
            ffi::lua_settop(state, 1);
            ffi::lua_pushcfunction(state, compare);
        }
        refuse_sealed(state)
    }
}

/// Whether the list at 1 is sorted at once.
unsafe fn is_short_list(state: *mut lua_State) -> bool {
    // SAFETY: as `sort`.
    unsafe {
        let len = ffi::lua_objlen(state, 1);
        let mut bytes = 0;
        for index in 1..=len.min(SHORT_LIST) {
            if ffi::lua_rawgeti(state, 1, index as ffi::lua_Integer) == ffi::LUA_TSTRING {
                bytes += ffi::lua_objlen(state, -1);
            }
            ffi::lua_settop(state, -2);
        }
        len <= SHORT_LIST && bytes <= SHORT_TEXTS
    }
}

/// Whether the first of two comes before the second.
unsafe extern "C-unwind" fn compare(state: *mut lua_State) -> c_int {
    thread_local! {
        static COMPARED: Cell<usize> = const { Cell::new(0) };
    }
    // SAFETY: as above.
    unsafe {
        let is_text = ffi::lua_type(state, 1) == ffi::LUA_TSTRING;
        let pieces = if is_text {
            ffi::lua_objlen(state, 1) / 64
        } else {
            0
        };
        let compared = COMPARED.get() + 1 + pieces;
        COMPARED.set(compared % COMPARED_A_LOOK);
        if compared >= COMPARED_A_LOOK {
            look(state);
        }
        let is_less = ffi::lua_lessthan(state, 1, 2);
        ffi::lua_pushboolean(state, is_less);
        1
    }
}
