//! `redis.register_function`, which the code of a library calls while it is loaded. The rules of `machine` hold here.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

use super::super::functions::Function;
use super::super::header::{self, ScriptFlags};
use super::api::raise;
use super::convert::bytes_at;
use super::machine::{Reference, Run, current};

pub(super) unsafe extern "C-unwind" fn register_function(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua in protected mode. What `add_function` makes is moved to the call or dropped before anything
    // of Lua that may fail is called.
    unsafe {
        let run = current();
        if run.is_null() || (*run).registered.is_none() {
            let reason = b"redis.register_function can only be called on FUNCTION LOAD command";
            return raise(state, reason);
        }
        match add_function(state, run) {
            Ok(()) => 0,
            Err(reason) => raise(state, reason.as_bytes()),
        }
    }
}

unsafe fn add_function(state: *mut lua_State, run: *mut Run<'_>) -> Result<(), &'static str> {
    // SAFETY: as `register_function`.
    unsafe {
        match ffi::lua_gettop(state) {
            1 => check_named(state)?,
            2 => check_positional(state)?,
            _ => return Err("wrong number of arguments to redis.register_function"),
        }
        // Numbers become texts first, so that nothing fails once memory of Rust's is held.
        bytes_at(state, 3);
        bytes_at(state, 4);
        let reference = Reference(ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX));
        let function = Function {
            name: bytes_at(state, 3).unwrap_or_default().to_vec(),
            description: bytes_at(state, 4).map(<[u8]>::to_vec),
            flags: flags_at(state, 5),
        };
        let Some(registered) = &mut (*run).registered else {
            return Ok(());
        };
        let problem = if !header::is_name(&function.name) {
            Some(header::BAD_NAME)
        } else if registered
            .iter()
            .any(|(_, known)| known.name == function.name)
        {
            Some("Function already exists in the library")
        } else {
            None
        };
        // It is released with the others when loading fails.
        registered.push((reference, function));
        problem.map_or(Ok(()), Err)
    }
}

/// Leaves behind the arguments: name, nil, nil, function.
unsafe fn check_positional(state: *mut lua_State) -> Result<(), &'static str> {
    // SAFETY: as `register_function`.
    unsafe {
        if ffi::lua_isstring(state, 1) == 0 {
            return Err("first argument to redis.register_function must be a string");
        }
        if ffi::lua_type(state, 2) != ffi::LUA_TFUNCTION {
            return Err("second argument to redis.register_function must be a function");
        }
        ffi::lua_pushvalue(state, 1);
        ffi::lua_pushnil(state);
        ffi::lua_pushnil(state);
        ffi::lua_pushvalue(state, 2);
        Ok(())
    }
}

/// Leaves behind the arguments (the table and nil): name, description, flags, function.
unsafe fn check_named(state: *mut lua_State) -> Result<(), &'static str> {
    const NAME: c_int = 3;
    const DESCRIPTION: c_int = 4;
    const FLAGS: c_int = 5;
    const CALLBACK: c_int = 6;
    // SAFETY: as `register_function`; the stack has room for 20 values.
    unsafe {
        if ffi::lua_type(state, 1) != ffi::LUA_TTABLE {
            return Err(
                "calling redis.register_function with a single argument is only applicable to Lua table \
                        (representing named arguments).",
            );
        }
        ffi::lua_settop(state, CALLBACK);
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, 1) != 0 {
            if ffi::lua_type(state, -2) != ffi::LUA_TSTRING {
                return Err("named argument key given to redis.register_function is not a string");
            }
            let key = bytes_at(state, -2).unwrap_or_default();
            let is = |name: &str| key.eq_ignore_ascii_case(name.as_bytes());
            let is_text = ffi::lua_isstring(state, -1) != 0;
            let kind = ffi::lua_type(state, -1);
            let place = if is("function_name") {
                if !is_text {
                    return Err(
                        "function_name argument given to redis.register_function must be a string",
                    );
                }
                NAME
            } else if is("description") {
                if !is_text {
                    return Err(
                        "description argument given to redis.register_function must be a string",
                    );
                }
                DESCRIPTION
            } else if is("callback") {
                if kind != ffi::LUA_TFUNCTION {
                    return Err(
                        "callback argument given to redis.register_function must be a function",
                    );
                }
                CALLBACK
            } else if is("flags") {
                check_flags(state, kind)?;
                FLAGS
            } else {
                return Err("unknown argument given to redis.register_function");
            };
            ffi::lua_replace(state, place);
        }
        if ffi::lua_type(state, NAME) == ffi::LUA_TNIL {
            return Err("redis.register_function must get a function name argument");
        }
        if ffi::lua_type(state, CALLBACK) == ffi::LUA_TNIL {
            return Err("redis.register_function must get a callback argument");
        }
        Ok(())
    }
}

/// Checks the flags on top of the stack.
unsafe fn check_flags(state: *mut lua_State, kind: c_int) -> Result<(), &'static str> {
    // SAFETY: as `register_function`.
    unsafe {
        if kind != ffi::LUA_TTABLE {
            return Err(
                "flags argument to redis.register_function must be a table representing function flags",
            );
        }
        for index in 1.. {
            let kind = ffi::lua_rawgeti(state, -1, index);
            let flag = bytes_at(state, -1).and_then(ScriptFlags::of_function);
            ffi::lua_settop(state, -2);
            if kind == ffi::LUA_TNIL {
                break;
            }
            if flag.is_none() {
                return Err("unknown flag given");
            }
        }
        Ok(())
    }
}

/// The flags that have been checked.
unsafe fn flags_at(state: *mut lua_State, index: c_int) -> ScriptFlags {
    let mut flags = ScriptFlags::default();
    // SAFETY: as `register_function`; the elements are strings.
    unsafe {
        if ffi::lua_type(state, index) != ffi::LUA_TTABLE {
            return flags;
        }
        for number in 1.. {
            ffi::lua_rawgeti(state, index, number);
            let flag = bytes_at(state, -1).and_then(ScriptFlags::of_function);
            ffi::lua_settop(state, -2);
            match flag {
                Some(flag) => flags = flags.with(flag),
                None => break,
            }
        }
    }
    flags
}
