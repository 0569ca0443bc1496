//! What a script finds: Redis's globals and no others, all of them locked. The rules of `machine` hold here.

use std::ffi::{CStr, c_int};

use mlua::ffi::{self, lua_State};
use mlua::{Lua, LuaOptions, StdLib};

use super::super::lib;
use super::super::memory::Purpose;
use super::convert::{self, Names};
use super::machine::Places;
use super::proven;
use super::{api, guards};
use crate::base::version::REDIS_VERSION;

/// Lua's globals that scripts keep, but for the libraries.
const KEPT: &[&CStr] = &[
    c"xpcall",
    c"tostring",
    c"setmetatable",
    c"next",
    c"assert",
    c"tonumber",
    c"rawequal",
    c"collectgarbage",
    c"getmetatable",
    c"rawset",
    c"pcall",
    c"type",
    c"select",
    c"unpack",
    c"gcinfo",
    c"pairs",
    c"rawget",
    c"loadstring",
    c"ipairs",
    c"_VERSION",
    c"load",
    c"error",
];

/// Lua's libraries that scripts keep.
const LIBRARIES: &[&CStr] = &[c"string", c"table", c"math", c"coroutine"];

/// A fresh interpreter.
pub(super) struct Built {
    pub lua: Lua,
    /// Good for as long as `lua` is there.
    pub state: *mut lua_State,
    pub places: Places,
    pub names: Names,
    pub proven: proven::Globals,
}

/// Makes an interpreter, with the functions that run tasks and note errors put into the registry.
pub(super) fn build(
    purpose: Purpose,
    runner: ffi::lua_CFunction,
    error_handler: ffi::lua_CFunction,
) -> Built {
    let libraries = StdLib::STRING | StdLib::TABLE | StdLib::MATH;
    let lua = Lua::new_with(libraries, LuaOptions::default()).expect("these libraries are safe");
    for (name, open) in lib::LIBRARIES {
        let table = open(&lua).expect("a library opens in a fresh interpreter");
        lua.globals()
            .set(*name, table)
            .expect("a fresh interpreter has memory");
    }
    let mut built = None;
    // SAFETY: mlua runs this in protected mode and takes back what it leaves on the stack. The pointer to the state stays
    // good for as long as `lua` does, with which it is returned.
    let result = unsafe {
        lua.exec_raw::<()>((), |state| {
            ffi::lua_settop(state, 0);
            built = Some((state, furnish(state, purpose, runner, error_handler)));
            ffi::lua_settop(state, 0);
        })
    };
    result.expect("a fresh interpreter has memory");
    let (state, (places, names, proven)) = built.expect("it was run");
    Built {
        lua,
        state,
        places,
        names,
        proven,
    }
}

/// Pushes a function into the registry.
unsafe fn keep(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's.
    unsafe { ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX) }
}

unsafe fn furnish(
    state: *mut lua_State,
    purpose: Purpose,
    runner: ffi::lua_CFunction,
    error_handler: ffi::lua_CFunction,
) -> (Places, Names, proven::Globals) {
    // SAFETY: `build` calls this in protected mode; the stack never holds more than ten values.
    unsafe {
        let names = Names::register(state);
        ffi::lua_pushcfunction(state, runner);
        let runner = keep(state);
        ffi::lua_pushcfunction(state, error_handler);
        let error_handler = keep(state);
        replace_functions(state);
        seal_strings(state);
        // The globals proper, at 1.
        ffi::lua_newtable(state);
        gather_globals(state);
        push_redis(state, purpose);
        ffi::lua_setfield(state, 1, c"redis".as_ptr());
        lock_globals(state, 1);
        // What scripts have in their place, at 2.
        ffi::lua_pushvalue(state, 1);
        push_shown_metatable(state);
        ffi::lua_insert(state, -2);
        let shown = ffi::lua_gettop(state) - 1;
        guards::seal(state, shown);
        ffi::lua_pushvalue(state, -1);
        ffi::lua_setfield(state, 1, c"_G".as_ptr());
        ffi::lua_getmetatable(state, -1);
        let window = keep(state);
        ffi::lua_replace(state, ffi::LUA_GLOBALSINDEX);
        let loading_globals = match purpose {
            Purpose::Scripts => 0,
            Purpose::Functions => {
                push_loading_globals(state);
                keep(state)
            }
        };
        ffi::lua_pushvalue(state, 1);
        let places = Places {
            runner,
            error_handler,
            globals: keep(state),
            window,
            loading_globals,
        };
        let proven = match purpose {
            Purpose::Scripts => proven::Globals::make(state, 1),
            Purpose::Functions => proven::Globals::default(),
        };
        (places, names, proven)
    }
}

/// Puts guards in the place of functions of Lua's own, among the globals that they still share with it.
unsafe fn replace_functions(state: *mut lua_State) {
    // SAFETY: as `furnish`.
    unsafe {
        for (library, name, guard) in guards::REPLACED {
            match library.is_empty() {
                true => ffi::lua_pushvalue(state, ffi::LUA_GLOBALSINDEX),
                false => drop(ffi::lua_getfield(
                    state,
                    ffi::LUA_GLOBALSINDEX,
                    library.as_ptr(),
                )),
            }
            if ffi::lua_getfield(state, -1, name.as_ptr()) == ffi::LUA_TFUNCTION {
                // `pairs` gives `next`, which was replaced before.
                ffi::lua_getfield(state, ffi::LUA_GLOBALSINDEX, c"next".as_ptr());
                ffi::lua_pushcclosure(state, *guard, 2);
                ffi::lua_setfield(state, -2, name.as_ptr());
                ffi::lua_settop(state, -2);
            } else {
                ffi::lua_settop(state, -3);
            }
        }
        ffi::lua_getfield(state, ffi::LUA_GLOBALSINDEX, c"math".as_ptr());
        set_functions(state, api::OF_MATH);
        ffi::lua_settop(state, -2);
    }
}

/// Sets functions of the table on top of the stack.
unsafe fn set_functions(state: *mut lua_State, functions: &[(&CStr, ffi::lua_CFunction)]) {
    // SAFETY: as `furnish`.
    unsafe {
        for (name, function) in functions {
            ffi::lua_pushcfunction(state, *function);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
    }
}

/// Sets numbers of the table on top of the stack.
unsafe fn set_numbers(state: *mut lua_State, numbers: &[(&CStr, u32)]) {
    // SAFETY: as `furnish`.
    unsafe {
        for (name, number) in numbers {
            ffi::lua_pushnumber(state, f64::from(*number));
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
    }
}

/// Strings share a metatable, by which they find their functions: scripts get to see a copy of it.
unsafe fn seal_strings(state: *mut lua_State) {
    // SAFETY: as `furnish`.
    unsafe {
        ffi::lua_pushstring(state, c"".as_ptr());
        ffi::lua_getmetatable(state, -1);
        ffi::lua_newtable(state);
        ffi::lua_getfield(state, ffi::LUA_GLOBALSINDEX, c"string".as_ptr());
        guards::seal(state, 0);
        ffi::lua_setfield(state, -2, c"__index".as_ptr());
        guards::seal(state, 0);
        guards::set_public(state);
        ffi::lua_settop(state, -3);
    }
}

/// Fills the table at 1 with what scripts keep of Lua's globals, and with the libraries.
unsafe fn gather_globals(state: *mut lua_State) {
    // SAFETY: as `furnish`.
    unsafe {
        for name in KEPT {
            ffi::lua_getfield(state, ffi::LUA_GLOBALSINDEX, name.as_ptr());
            ffi::lua_setfield(state, 1, name.as_ptr());
        }
        for name in LIBRARIES {
            ffi::lua_getfield(state, ffi::LUA_GLOBALSINDEX, name.as_ptr());
            guards::seal(state, 0);
            ffi::lua_setfield(state, 1, name.as_ptr());
        }
        for (name, _) in lib::LIBRARIES {
            convert::push_bytes(state, name.as_bytes());
            ffi::lua_pushvalue(state, -1);
            ffi::lua_gettable(state, ffi::LUA_GLOBALSINDEX);
            guards::seal(state, 0);
            ffi::lua_rawset(state, 1);
        }
        ffi::lua_newtable(state);
        set_functions(state, api::OF_OS);
        guards::seal(state, 0);
        ffi::lua_setfield(state, 1, c"os".as_ptr());
    }
}

/// Pushes the table `redis`, sealed.
unsafe fn push_redis(state: *mut lua_State, purpose: Purpose) {
    // SAFETY: as `furnish`.
    unsafe {
        ffi::lua_newtable(state);
        set_functions(state, api::COMMON);
        if purpose == Purpose::Scripts {
            set_functions(state, api::OF_SCRIPTS);
        }
        set_numbers(state, api::LEVELS);
        set_numbers(state, api::TARGETS);
        set_version(state);
        guards::seal(state, 0);
    }
}

unsafe fn set_version(state: *mut lua_State) {
    // SAFETY: as `furnish`.
    unsafe {
        set_numbers(state, &[(c"REDIS_VERSION_NUM", api::version_number())]);
        convert::push_bytes(state, REDIS_VERSION.as_bytes());
        ffi::lua_setfield(state, -2, c"REDIS_VERSION".as_ptr());
    }
}

/// Has the table at an index fail when it is asked for what it does not have.
unsafe fn lock_globals(state: *mut lua_State, index: c_int) {
    // SAFETY: as `furnish`.
    unsafe {
        ffi::lua_newtable(state);
        ffi::lua_pushcfunction(state, guards::missing_global);
        ffi::lua_setfield(state, -2, c"__index".as_ptr());
        ffi::lua_setmetatable(state, index);
    }
}

/// Pushes what scripts see as the metatable of the globals.
unsafe fn push_shown_metatable(state: *mut lua_State) {
    // SAFETY: as `furnish`.
    unsafe {
        ffi::lua_newtable(state);
        ffi::lua_pushcfunction(state, guards::missing_global);
        ffi::lua_setfield(state, -2, c"__index".as_ptr());
        guards::seal(state, 0);
    }
}

/// Pushes what the code of a library finds while it is loaded: a table `redis` of its own, and nothing else.
unsafe fn push_loading_globals(state: *mut lua_State) {
    // SAFETY: as `furnish`.
    unsafe {
        ffi::lua_newtable(state);
        ffi::lua_newtable(state);
        set_functions(state, api::OF_LOADING);
        set_numbers(state, api::LEVELS);
        set_version(state);
        let last = ffi::lua_gettop(state);
        lock_globals(state, last);
        guards::seal(state, 0);
        ffi::lua_setfield(state, -2, c"redis".as_ptr());
        let last = ffi::lua_gettop(state);
        lock_globals(state, last);
    }
}
