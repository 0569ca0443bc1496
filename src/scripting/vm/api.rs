//! The table `redis`, and the parts of `math` and `os` that are the server's own. The rules of `machine` hold here.

use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use mlua::ffi::{self, lua_State};
use parking_lot::Mutex;
use sha1::{Digest as _, Sha1};

use super::super::host::Level;
use super::super::random::Random;
use super::convert::{self, bytes_at, push_bytes, push_error};
use super::machine::{Run, current};
use super::registration::register_function;
use crate::base::numbers::format_f64;
use crate::base::version::REDIS_VERSION;
use crate::observe::log::VERBOSE;

type Native = (&'static CStr, ffi::lua_CFunction);
type Number = (&'static CStr, u32);

/// What every script finds in `redis`.
pub(super) const COMMON: &[Native] = &[
    (c"call", call),
    (c"pcall", pcall),
    (c"log", log),
    (c"setresp", set_resp),
    (c"sha1hex", sha1_hex),
    (c"error_reply", error_reply),
    (c"status_reply", status_reply),
    (c"set_repl", set_repl),
    (c"acl_check_cmd", acl_check_cmd),
];

/// What only EVAL's scripts find in `redis`.
pub(super) const OF_SCRIPTS: &[Native] = &[
    (c"breakpoint", breakpoint),
    (c"debug", debug),
    (c"replicate_commands", replicate_commands),
];

/// What the code of a library finds in `redis` while it is loaded.
pub(super) const OF_LOADING: &[Native] =
    &[(c"register_function", register_function), (c"log", log)];

/// What takes the place of Lua's own.
pub(super) const OF_MATH: &[Native] = &[(c"random", random), (c"randomseed", random_seed)];

/// All of `os`.
pub(super) const OF_OS: &[Native] = &[(c"clock", clock)];

/// Levels of `redis.log`.
pub(super) const LEVELS: &[Number] = &[
    (c"LOG_DEBUG", 0),
    (c"LOG_VERBOSE", 1),
    (c"LOG_NOTICE", 2),
    (c"LOG_WARNING", 3),
];

const TO_FILE: u32 = 1;
const TO_REPLICAS: u32 = 2;

/// Numbers for `redis.set_repl`.
pub(super) const TARGETS: &[Number] = &[
    (c"REPL_NONE", 0),
    (c"REPL_AOF", TO_FILE),
    (c"REPL_SLAVE", TO_REPLICAS),
    (c"REPL_REPLICA", TO_REPLICAS),
    (c"REPL_ALL", TO_FILE | TO_REPLICAS),
];

/// The offered version as one number.
pub(super) fn version_number() -> u32 {
    let parts = REDIS_VERSION
        .split('.')
        .map(|part| part.parse().unwrap_or(0));
    parts.fold(0, |number, part: u32| number << 8 | part)
}

/// Fails with an error as `redis.call` gives it.
pub(super) unsafe fn raise(state: *mut lua_State, text: &[u8]) -> c_int {
    // SAFETY: called only from functions that Lua calls in protected mode.
    unsafe {
        let run = current();
        if run.is_null() {
            return ffi::luaL_error(state, c"no script is running".as_ptr());
        }
        push_error(state, run, text, false);
        ffi::lua_error(state)
    }
}

// ---- Commands

/// How a command ended.
enum Outcome {
    Replied,
    /// The line is in the scratch memory.
    Failed,
    Panicked,
}

unsafe extern "C-unwind" fn call(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua in protected mode.
    unsafe { run_command(state, true) }
}

unsafe extern "C-unwind" fn pcall(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua in protected mode.
    unsafe { run_command(state, false) }
}

unsafe fn run_command(state: *mut lua_State, raises: bool) -> c_int {
    // SAFETY: the call in progress outlives this, and only functions called by Lua use it. All that must be dropped
    // belongs to it, or is dropped in `invoke`, which does not call Lua.
    unsafe {
        let run = current();
        if run.is_null() {
            return raise(state, b"");
        }
        let is_refused = match gather(state, run) {
            Ok(()) if (*run).is_calling => Some(&b"a command of the script is being run"[..]),
            Ok(()) => None,
            Err(reason) => Some(reason),
        };
        if let Some(reason) = is_refused {
            push_error(state, run, reason, false);
            if raises {
                ffi::lua_error(state);
            }
            return 1;
        }
        let is_error = match invoke(run) {
            Outcome::Replied => push_result(state, run),
            Outcome::Failed => {
                // The line gives way to the error's own use of the memory.
                (*run).request.clear();
                (*run).request.push((*run).scratch.as_slice());
                convert::push_coded_error(state, run, (*run).request.view().at(0), true);
                true
            }
            Outcome::Panicked => {
                (*run).stop = Some("internal error, see the server's log");
                return raise(state, b"internal error, see the server's log");
            }
        };
        if raises && is_error {
            ffi::lua_error(state);
        }
        1
    }
}

/// Takes the arguments from the stack.
unsafe fn gather(state: *mut lua_State, run: *mut Run<'_>) -> Result<(), &'static [u8]> {
    // SAFETY: as `run_command`. Only strings are asked for their bytes, and these are copied at once.
    unsafe {
        let count = ffi::lua_gettop(state);
        if count == 0 {
            return Err(b"Please specify at least one argument for this redis lib call");
        }
        let request = &mut (*run).request;
        request.clear();
        for index in 1..=count {
            match ffi::lua_type(state, index) {
                ffi::LUA_TSTRING => {
                    let text = bytes_at(state, index).unwrap_or_default();
                    // One string named many times is small for Lua, but not for us.
                    if !request.has_room_for(text.len()) {
                        return Err(b"Lua redis lib command arguments are too long");
                    }
                    request.push(text);
                }
                ffi::LUA_TNUMBER => {
                    if !request.has_room_for(LONGEST_NUMBER) {
                        return Err(b"Lua redis lib command arguments are too long");
                    }
                    push_number(request, ffi::lua_tonumber(state, index));
                }
                _ => {
                    return Err(b"Lua redis lib command arguments must be strings or integers");
                }
            }
        }
        ffi::lua_settop(state, 0);
        Ok(())
    }
}

/// Bytes of the longest number, with room to spare.
const LONGEST_NUMBER: usize = 512;

fn push_number(request: &mut crate::resp::args::OwnedArgs, number: f64) {
    /// Up to here a double holds every whole number.
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    if number == number.trunc() && number.abs() < WHOLE {
        return request.push(itoa::Buffer::new().format(number as i64).as_bytes());
    }
    request.push(&format_f64(number));
}

/// Has the host run the command. Calls nothing of Lua.
unsafe fn invoke(run: *mut Run<'_>) -> Outcome {
    // SAFETY: as `run_command`; the fields used here are not used by anybody else meanwhile.
    let run = unsafe { &mut *run };
    run.reply.clear();
    run.reply.set_resp3(run.is_resp3);
    run.is_calling = true;
    let (host, request, reply) = (&mut run.host, &*run.request, &mut *run.reply);
    let result = catch_unwind(AssertUnwindSafe(|| host.call(request.view(), reply)));
    run.is_calling = false;
    match result {
        Ok(Ok(())) => Outcome::Replied,
        Ok(Err(line)) => {
            run.scratch.clear();
            run.scratch.extend_from_slice(&line);
            Outcome::Failed
        }
        Err(panic) => {
            run.panic = Some(panic);
            Outcome::Panicked
        }
    }
}

/// Pushes the reply; tells whether it is an error.
unsafe fn push_result(state: *mut lua_State, run: *mut Run<'_>) -> bool {
    // SAFETY: as `run_command`. The reply stays where it is until the next command.
    unsafe {
        let reply = &mut (*run).reply;
        if reply.plain().is_none() {
            reply.join();
        }
        let bytes = (*run).reply.plain().unwrap_or_default();
        convert::push_reply(state, run, bytes, 0);
        bytes.first() == Some(&b'-')
    }
}

unsafe extern "C-unwind" fn acl_check_cmd(state: *mut lua_State) -> c_int {
    // SAFETY: as `run_command`.
    unsafe {
        let run = current();
        if run.is_null() {
            return raise(state, b"");
        }
        if let Err(reason) = gather(state, run) {
            return raise(state, reason);
        }
        let (host, request) = (&mut (*run).host, &(*run).request);
        match host.may_call(request.view()) {
            Some(may) => ffi::lua_pushboolean(state, c_int::from(may)),
            None => return raise(state, b"Invalid command passed to redis.acl_check_cmd()"),
        }
        1
    }
}

// ---- Replies

unsafe extern "C-unwind" fn error_reply(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua in protected mode; the text stays on the stack while it is used.
    unsafe {
        let run = current();
        if run.is_null() {
            return raise(state, b"");
        }
        if ffi::lua_gettop(state) != 1 || ffi::lua_type(state, 1) != ffi::LUA_TSTRING {
            push_error(state, run, b"wrong number or type of arguments", false);
            return 1;
        }
        let text = bytes_at(state, 1).unwrap_or_default();
        let line = text.strip_prefix(b"-").unwrap_or(text);
        convert::push_coded_error(state, run, line, false);
        1
    }
}

unsafe extern "C-unwind" fn status_reply(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua in protected mode.
    unsafe {
        let run = current();
        if run.is_null() {
            return raise(state, b"");
        }
        if ffi::lua_gettop(state) != 1 || ffi::lua_type(state, 1) != ffi::LUA_TSTRING {
            push_error(state, run, b"wrong number or type of arguments", false);
            return 1;
        }
        ffi::lua_createtable(state, 0, 1);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_setfield(state, -2, c"ok".as_ptr());
        1
    }
}

unsafe extern "C-unwind" fn set_resp(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua in protected mode.
    unsafe {
        if ffi::lua_gettop(state) != 1 {
            return raise(state, b"redis.setresp() requires one argument.");
        }
        let version = convert::to_integer(ffi::lua_tonumber(state, 1));
        let run = current();
        if version != 2 && version != 3 {
            return raise(state, b"RESP version must be 2 or 3.");
        }
        if !run.is_null() {
            (*run).is_resp3 = version == 3;
        }
        0
    }
}

unsafe extern "C-unwind" fn set_repl(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua in protected mode.
    unsafe {
        if ffi::lua_gettop(state) != 1 {
            return raise(state, b"redis.set_repl() requires two arguments.");
        }
        let targets = convert::to_integer(ffi::lua_tonumber(state, 1));
        if targets & !i64::from(TO_FILE | TO_REPLICAS) != 0 {
            return raise(
                state,
                b"Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
            );
        }
        let run = current();
        if !run.is_null() {
            (*run).host.set_journaled(targets & i64::from(TO_FILE) != 0);
        }
        0
    }
}

// ---- The rest

unsafe extern "C-unwind" fn sha1_hex(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua in protected mode.
    unsafe {
        if ffi::lua_gettop(state) != 1 {
            return raise(state, b"wrong number of arguments");
        }
        let digest: [u8; 20] = Sha1::digest(bytes_at(state, 1).unwrap_or_default()).into();
        let mut digits = [0; 40];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(digest) {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        push_bytes(state, &digits);
        1
    }
}

unsafe extern "C-unwind" fn log(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua in protected mode; the text is gathered in memory of the call.
    unsafe {
        let count = ffi::lua_gettop(state);
        if count < 2 {
            return raise(state, b"redis.log() requires two arguments or more.");
        }
        if ffi::lua_isnumber(state, 1) == 0 {
            return raise(state, b"First argument must be a number (log level).");
        }
        let level = usize::try_from(convert::to_integer(ffi::lua_tonumber(state, 1))).ok();
        let level = level.and_then(|level| Level::ALL[..LEVELS.len()].get(level));
        let (Some(level), run) = (level, current()) else {
            return raise(state, b"Invalid debug level.");
        };
        if run.is_null() {
            return 0;
        }
        (*run).scratch.clear();
        for index in 2..=count {
            let Some(text) = bytes_at(state, index) else {
                continue;
            };
            if index > 2 {
                (*run).scratch.push(b' ');
            }
            (*run).scratch.extend_from_slice(text);
        }
        write_log(*level, (*run).scratch);
        0
    }
}

fn write_log(level: Level, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    match level {
        Level::Debug => tracing::debug!("{text}"),
        Level::Verbose => tracing::info!(target: VERBOSE, "{text}"),
        Level::Notice => tracing::info!("{text}"),
        Level::Warning | Level::Nothing => tracing::warn!("{text}"),
    }
}

unsafe extern "C-unwind" fn breakpoint(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua in protected mode.
    unsafe { ffi::lua_pushboolean(state, 0) };
    1
}

unsafe extern "C-unwind" fn debug(_: *mut lua_State) -> c_int {
    0
}

unsafe extern "C-unwind" fn replicate_commands(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua in protected mode.
    unsafe { ffi::lua_pushboolean(state, 1) };
    1
}

/// One generator for all workers, as there is one in Redis.
static RANDOM: Mutex<Random> = Mutex::new(Random::new());

unsafe extern "C-unwind" fn random(state: *mut lua_State) -> c_int {
    const BOUND: f64 = 2_147_483_647.0;
    let part = f64::from(RANDOM.lock().next() % 2_147_483_647) / BOUND;
    // SAFETY: called by Lua in protected mode.
    unsafe {
        let number = |index| f64::from(ffi::luaL_checkinteger(state, index) as i32);
        let value = match ffi::lua_gettop(state) {
            0 => part,
            1 if number(1) < 1.0 => {
                return ffi::luaL_argerror(state, 1, c"interval is empty".as_ptr());
            }
            1 => (part * number(1)).floor() + 1.0,
            2 if number(1) > number(2) => {
                return ffi::luaL_argerror(state, 2, c"interval is empty".as_ptr());
            }
            2 => (part * (number(2) - number(1) + 1.0)).floor() + number(1),
            _ => return ffi::luaL_error(state, c"wrong number of arguments".as_ptr()),
        };
        ffi::lua_pushnumber(state, value);
    }
    1
}

unsafe extern "C-unwind" fn random_seed(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua in protected mode.
    let seed = unsafe { ffi::luaL_checkinteger(state, 1) };
    *RANDOM.lock() = Random::seeded(seed as i32);
    0
}

unsafe extern "C-unwind" fn clock(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua in protected mode.
    unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time);
        ffi::lua_pushnumber(state, time.tv_sec as f64 + time.tv_nsec as f64 / 1e9);
    }
    1
}
