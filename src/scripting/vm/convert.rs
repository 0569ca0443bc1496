//! Replies to Lua values, and Lua values to replies, as Redis converts them. The rules of `machine` hold here.

use std::ffi::{CStr, c_int};
use std::slice;

use memchr::memchr;
use mlua::ffi::{self, lua_State};

use super::Failure;
use super::machine::{Run, look};
use crate::base::numbers::{parse_f64, parse_i64};
use crate::resp::reply::Reply;

/// Fields that tell what a table stands for: strings that the registry holds, so that looking for them hashes nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    err: c_int,
    ok: c_int,
    double: c_int,
    big_number: c_int,
    verbatim_string: c_int,
    format: c_int,
    string: c_int,
    map: c_int,
    set: c_int,
    source: c_int,
    line: c_int,
    is_counted: c_int,
}

impl Names {
    /// Puts the names into the registry.
    ///
    /// # Safety
    /// Within a protected call.
    pub unsafe fn register(state: *mut lua_State) -> Self {
        let name = |text: &CStr| {
            // SAFETY: the caller's.
            unsafe {
                ffi::lua_pushstring(state, text.as_ptr());
                ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX)
            }
        };
        Self {
            err: name(c"err"),
            ok: name(c"ok"),
            double: name(c"double"),
            big_number: name(c"big_number"),
            verbatim_string: name(c"verbatim_string"),
            format: name(c"format"),
            string: name(c"string"),
            map: name(c"map"),
            set: name(c"set"),
            source: name(c"source"),
            line: name(c"line"),
            is_counted: name(COUNTED),
        }
    }
}

/// Levels of tables within tables that become a reply: each takes a piece of the machine's stack.
const MOST_NESTED: c_int = 1_000;

/// Values of a reply between two looks at the clock.
const VALUES_A_LOOK: u32 = 1_000;
/// What a script may answer with: tables within tables, each there twice, become as long as anybody likes.
const LONGEST_REPLY: usize = 1 << 30;

/// The field of an error that has been counted where it arose.
const COUNTED: &CStr = c"ignore_error_stats_update";

/// Pushes bytes as a string.
///
/// # Safety
/// Within a protected call, with room on the stack.
#[inline]
pub(super) unsafe fn push_bytes(state: *mut lua_State, bytes: &[u8]) {
    // SAFETY: the caller's.
    unsafe { ffi::lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len()) };
}

/// The bytes of a string on the stack; of a number, too, which becomes a string then.
///
/// # Safety
/// The index is one of the stack; the bytes are looked at only as long as the value is there.
#[inline]
pub(super) unsafe fn bytes_at<'a>(state: *mut lua_State, index: c_int) -> Option<&'a [u8]> {
    let mut len = 0;
    // SAFETY: the caller's; Lua gives as many bytes as it says.
    unsafe {
        let text = ffi::lua_tolstring(state, index, &mut len);
        (!text.is_null()).then(|| slice::from_raw_parts(text.cast(), len))
    }
}

/// A text as C sees it: up to its first zero byte.
fn c_text(text: &[u8]) -> &[u8] {
    match memchr(0, text) {
        Some(end) => &text[..end],
        None => text,
    }
}

/// Whether Lua's stack has room for a few more values.
unsafe fn has_room(state: *mut lua_State) -> bool {
    // SAFETY: the caller runs within a protected call.
    unsafe { ffi::lua_checkstack(state, 8) != 0 }
}

// ---- Errors

/// Pushes an error as `redis.pcall` gives it. A line without a code word gets the general one.
///
/// # Safety
/// Within a protected call, with room on the stack; `run` is the call in progress.
pub(super) unsafe fn push_error(
    state: *mut lua_State,
    run: *mut Run<'_>,
    text: &[u8],
    is_counted: bool,
) {
    // SAFETY: the caller's. The line is built in memory that the call owns.
    unsafe {
        let scratch = &mut (*run).scratch;
        scratch.clear();
        scratch.extend_from_slice(b"ERR ");
        scratch.extend_from_slice(text);
        push_error_line(state, (*run).scratch.as_slice(), is_counted);
    }
}

/// Pushes an error whose line has its code word.
unsafe fn push_error_line(state: *mut lua_State, line: &[u8], is_counted: bool) {
    // SAFETY: the caller runs within a protected call and has room on the stack.
    unsafe {
        ffi::lua_createtable(state, 0, 4);
        push_bytes(state, c_text(line));
        ffi::lua_setfield(state, -2, c"err".as_ptr());
        if is_counted {
            ffi::lua_pushboolean(state, 1);
            ffi::lua_setfield(state, -2, COUNTED.as_ptr());
        }
    }
}

/// Pushes the error that a reply or `redis.error_reply` names: `CODE text`, or a text that gets the general code. The line
/// is put into the memory of the call.
///
/// # Safety
/// As [`push_error`]; `line` is not in that memory.
pub(super) unsafe fn push_coded_error(
    state: *mut lua_State,
    run: *mut Run<'_>,
    line: &[u8],
    is_counted: bool,
) {
    let line = c_text(line);
    let (code, text) = match memchr(b' ', line) {
        Some(end) => (&line[..end], &line[end + 1..]),
        None => (&b"ERR"[..], line),
    };
    // SAFETY: the caller's. The line is built in memory that the call owns.
    unsafe {
        let scratch = &mut (*run).scratch;
        scratch.clear();
        scratch.extend_from_slice(code);
        scratch.push(b' ');
        scratch.extend_from_slice(without_line_ends(text));
        push_error_line(state, (*run).scratch.as_slice(), is_counted);
    }
}

/// A text without the ends of lines around it.
fn without_line_ends(text: &[u8]) -> &[u8] {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let start = text.iter().take_while(|byte| is_end(byte)).count();
    let text = &text[start..];
    let end = text.iter().rev().take_while(|byte| is_end(byte)).count();
    &text[..text.len() - end]
}

/// Makes the error on the stack, which is no table, one.
///
/// # Safety
/// Within a protected call; the error is at index 1 and alone.
pub(super) unsafe fn describe(state: *mut lua_State) {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_createtable(state, 0, 3);
        ffi::lua_pushstring(state, c"ERR ".as_ptr());
        ffi::luaL_tolstring(state, 1, std::ptr::null_mut());
        ffi::lua_concat(state, 2);
        ffi::lua_setfield(state, -2, c"err".as_ptr());
        ffi::lua_replace(state, 1);
    }
}

/// Takes an error from the stack after a protected call.
///
/// # Safety
/// An error is on top of the stack, with room above it.
pub(super) unsafe fn failure(state: *mut lua_State, names: &Names) -> Failure {
    // SAFETY: the caller's. Only values that are strings already are asked for their bytes, so nothing is allocated by Lua.
    unsafe {
        if ffi::lua_type(state, -1) != ffi::LUA_TTABLE {
            let text = match ffi::lua_type(state, -1) {
                ffi::LUA_TSTRING => bytes_at(state, -1),
                _ => None,
            };
            return Failure {
                line: text.unwrap_or(b"execution failure").to_vec(),
                place: None,
                is_counted: false,
                is_odd: true,
            };
        }
        let text = |name| {
            let is_text = field(state, name) == ffi::LUA_TSTRING;
            let text = is_text.then(|| bytes_at(state, -1).unwrap_or_default());
            // A zero ends such a text, as it ends a string in C.
            let text = text.and_then(|text| text.split(|byte| *byte == 0).next());
            let text = text.map(<[u8]>::to_vec);
            ffi::lua_settop(state, -2);
            text
        };
        let (line, source) = (text(names.err), text(names.source));
        let has_number = field(state, names.line) == ffi::LUA_TNUMBER;
        let number = has_number.then(|| ffi::lua_tonumber(state, -1) as i64);
        ffi::lua_settop(state, -2);
        field(state, names.is_counted);
        let is_counted = ffi::lua_toboolean(state, -1) != 0;
        ffi::lua_settop(state, -2);
        Failure {
            line: line.unwrap_or_else(|| b"ERR unknown error".to_vec()),
            place: source.zip(number),
            is_counted,
            is_odd: false,
        }
    }
}

// ---- Replies to Lua

/// Pushes the reply that starts at `at`; gives where the next one starts.
///
/// # Safety
/// Within a protected call; `run` is the call in progress, and `bytes` is not its scratch memory.
pub(super) unsafe fn push_reply(
    state: *mut lua_State,
    run: *mut Run<'_>,
    bytes: &[u8],
    at: usize,
) -> usize {
    let Some(end) = bytes.get(at..).and_then(|rest| memchr(b'\r', rest)) else {
        return bytes.len();
    };
    let (line, next) = (&bytes[at + 1..at + end], at + end + 2);
    let number = || parse_i64(line).unwrap_or(-1);
    // SAFETY: the caller's.
    unsafe {
        // For the whole reply there is room: so much Lua grants to each function that it calls.
        if at > 0 && !has_room(state) {
            push_error(state, run, b"reached lua stack limit", true);
            ffi::lua_error(state);
        }
        match bytes[at] {
            b':' => ffi::lua_pushnumber(state, number() as f64),
            b'$' => match usize::try_from(number()) {
                Ok(len) => {
                    push_bytes(state, bytes.get(next..next + len).unwrap_or_default());
                    return next + len + 2;
                }
                Err(_) => ffi::lua_pushboolean(state, 0),
            },
            b'+' => push_single(state, c"ok", line),
            b'-' => push_coded_error(state, run, line, true),
            b'*' | b'>' => return push_array(state, run, bytes, next, number()),
            b'%' => return push_keyed(state, run, bytes, next, (number(), c"map"), true),
            b'~' => return push_keyed(state, run, bytes, next, (number(), c"set"), false),
            b'_' => ffi::lua_pushnil(state),
            b'#' => ffi::lua_pushboolean(state, c_int::from(line == b"t")),
            b',' => {
                ffi::lua_createtable(state, 0, 1);
                ffi::lua_pushnumber(state, parse_f64(line).unwrap_or(f64::NAN));
                ffi::lua_setfield(state, -2, c"double".as_ptr());
            }
            b'(' => push_single(state, c"big_number", line),
            b'=' => {
                let len = usize::try_from(number()).unwrap_or(0);
                push_verbatim(state, bytes.get(next..next + len).unwrap_or_default());
                return next + len + 2;
            }
            b'|' => {
                // Attributes are passed over.
                let mut next = next;
                for _ in 0..number().saturating_mul(2) {
                    next = push_reply(state, run, bytes, next);
                    ffi::lua_settop(state, -2);
                }
                return push_reply(state, run, bytes, next);
            }
            _ => ffi::lua_pushnil(state),
        }
    }
    next
}

/// Pushes a table with one text.
unsafe fn push_single(state: *mut lua_State, name: &CStr, text: &[u8]) {
    // SAFETY: as `push_reply`.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        push_bytes(state, text);
        ffi::lua_setfield(state, -2, name.as_ptr());
    }
}

unsafe fn push_verbatim(state: *mut lua_State, content: &[u8]) {
    let (format, text) = content.split_at(content.len().min(4));
    // SAFETY: as `push_reply`.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        ffi::lua_createtable(state, 0, 2);
        push_bytes(state, text);
        ffi::lua_setfield(state, -2, c"string".as_ptr());
        push_bytes(state, format.strip_suffix(b":").unwrap_or(format));
        ffi::lua_setfield(state, -2, c"format".as_ptr());
        ffi::lua_setfield(state, -2, c"verbatim_string".as_ptr());
    }
}

unsafe fn push_array(
    state: *mut lua_State,
    run: *mut Run<'_>,
    bytes: &[u8],
    mut at: usize,
    len: i64,
) -> usize {
    // SAFETY: as `push_reply`.
    unsafe {
        if len < 0 {
            ffi::lua_pushboolean(state, 0);
            return at;
        }
        // With nils in it, which only RESP3 has, a table's length depends on how it grew.
        let room = if (*run).is_resp3 { 0 } else { len };
        ffi::lua_createtable(state, c_int::try_from(room).unwrap_or(0), 0);
        for index in 1..=len {
            at = push_reply(state, run, bytes, at);
            ffi::lua_rawseti(state, -2, index);
        }
    }
    at
}

/// A table of `len` keys in a table, under the name of what it is: with a value for each, or with true.
unsafe fn push_keyed(
    state: *mut lua_State,
    run: *mut Run<'_>,
    bytes: &[u8],
    mut at: usize,
    (len, name): (i64, &CStr),
    has_values: bool,
) -> usize {
    // SAFETY: as `push_reply`.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        // Made small, as in Redis: the order in which `pairs` walks a table depends on how it grew.
        ffi::lua_createtable(state, 0, 0);
        for _ in 0..len {
            at = push_reply(state, run, bytes, at);
            if has_values {
                at = push_reply(state, run, bytes, at);
            } else {
                ffi::lua_pushboolean(state, 1);
            }
            ffi::lua_rawset(state, -3);
        }
        ffi::lua_setfield(state, -2, name.as_ptr());
    }
    at
}

// ---- Lua to replies

/// Pushes a field of the table on top of the stack; gives its type.
unsafe fn field(state: *mut lua_State, name: c_int) -> c_int {
    // SAFETY: a table is on top of the stack, with room above it; looking into it raw calls nothing.
    unsafe {
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, name.into());
        ffi::lua_rawget(state, -2)
    }
}

/// A number as C cuts it off.
pub(super) fn to_integer(number: f64) -> i64 {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    match number {
        number if (-BOUND..BOUND).contains(&number) => number as i64,
        _ => i64::MIN,
    }
}

/// Writes the value on top of the stack as a reply and takes it away.
///
/// # Safety
/// Within a protected call; `run` is the call in progress, and nobody else uses `out`.
pub(super) unsafe fn write_value(state: *mut lua_State, run: *mut Run<'_>, out: *mut Reply) {
    // SAFETY: the caller's.
    unsafe {
        let reply = &mut *out;
        if reply.len() > LONGEST_REPLY {
            push_error(state, run, b"script's reply is too long", false);
            ffi::lua_error(state);
        }
        (*run).written = (*run).written.wrapping_add(1);
        if (*run).written.is_multiple_of(VALUES_A_LOOK) {
            look(state);
        }
        let kind = ffi::lua_type(state, -1);
        // Each level leaves a value on Lua's stack.
        let is_deep = ffi::lua_gettop(state) > MOST_NESTED;
        if is_deep || kind == ffi::LUA_TTABLE && !has_room(state) {
            reply.error(b"ERR reached lua stack limit");
            return ffi::lua_settop(state, -2);
        }
        match kind {
            ffi::LUA_TSTRING => reply.bulk(bytes_at(state, -1).unwrap_or_default()),
            ffi::LUA_TNUMBER => reply.integer(to_integer(ffi::lua_tonumber(state, -1))),
            ffi::LUA_TBOOLEAN => match (ffi::lua_toboolean(state, -1) != 0, (*run).is_resp3) {
                (value, true) => reply.boolean(value),
                (true, false) => reply.integer(1),
                (false, false) => reply.null(),
            },
            ffi::LUA_TTABLE => {
                let names = (*run).names;
                let is_written = write_line(state, run, &names, reply)
                    || write_number(state, &names, reply)
                    || write_verbatim(state, &names, reply)
                    || write_pairs(state, run, names.map, true, out)
                    || write_pairs(state, run, names.set, false, out);
                if !is_written {
                    write_array(state, run, out);
                }
            }
            _ => reply.null(),
        }
        ffi::lua_settop(state, -2);
    }
}

/// A table that stands for an error or a status.
unsafe fn write_line(
    state: *mut lua_State,
    run: *mut Run<'_>,
    names: &Names,
    reply: &mut Reply,
) -> bool {
    // SAFETY: as `write_value`; the text is copied while its string is on the stack.
    unsafe {
        if field(state, names.err) == ffi::LUA_TSTRING {
            let line = c_text(bytes_at(state, -1).unwrap_or_default());
            let ends = line
                .iter()
                .rev()
                .take_while(|byte| matches!(byte, b'\r' | b'\n'));
            let line = &line[..line.len() - ends.count()];
            reply.error(line);
            ffi::lua_pushvalue(state, -2);
            field(state, names.is_counted);
            let is_counted = ffi::lua_toboolean(state, -1) != 0;
            (*run).host.note_error(line, is_counted);
            ffi::lua_settop(state, -4);
            return true;
        }
        ffi::lua_settop(state, -2);
        let is_status = field(state, names.ok) == ffi::LUA_TSTRING;
        if is_status {
            reply.status(c_text(bytes_at(state, -1).unwrap_or_default()));
        }
        ffi::lua_settop(state, -2);
        is_status
    }
}

/// A table that stands for a double or a big number.
unsafe fn write_number(state: *mut lua_State, names: &Names, reply: &mut Reply) -> bool {
    // SAFETY: as `write_value`; nothing of Lua is called while a copy of the digits is there.
    unsafe {
        let is_double = field(state, names.double) == ffi::LUA_TNUMBER;
        if is_double {
            reply.double(ffi::lua_tonumber(state, -1));
        }
        ffi::lua_settop(state, -2);
        if is_double {
            return true;
        }
        let is_big = field(state, names.big_number) == ffi::LUA_TSTRING;
        if is_big {
            let digits = bytes_at(state, -1).unwrap_or_default().iter();
            let digits = digits.map(|byte| match byte {
                b'\r' | b'\n' => b' ',
                byte => *byte,
            });
            reply.big_number(&digits.collect::<Vec<u8>>());
        }
        ffi::lua_settop(state, -2);
        is_big
    }
}

/// A table that stands for a text for people.
unsafe fn write_verbatim(state: *mut lua_State, names: &Names, reply: &mut Reply) -> bool {
    // SAFETY: as `write_value`; nothing of Lua is called while a copy of the format is there.
    unsafe {
        let mut is_written = false;
        if field(state, names.verbatim_string) == ffi::LUA_TTABLE {
            let has_format = field(state, names.format) == ffi::LUA_TSTRING;
            let format = c_text(bytes_at(state, -1).unwrap_or_default());
            ffi::lua_pushvalue(state, -2);
            is_written = has_format && field(state, names.string) == ffi::LUA_TSTRING;
            if is_written {
                let text = bytes_at(state, -1).unwrap_or_default();
                let format = String::from_utf8_lossy(&format[..format.len().min(3)]);
                reply.verbatim(&format!("{format:<3}"), text);
            }
            let extra = if has_format { -4 } else { -3 };
            ffi::lua_settop(state, extra);
        }
        ffi::lua_settop(state, -2);
        is_written
    }
}

/// A table that stands for a map or, without values, a set.
unsafe fn write_pairs(
    state: *mut lua_State,
    run: *mut Run<'_>,
    name: c_int,
    is_map: bool,
    out: *mut Reply,
) -> bool {
    // SAFETY: as `write_value`. Nothing changes the table meanwhile, so both walks see the same.
    unsafe {
        let is_meant = field(state, name) == ffi::LUA_TTABLE;
        if is_meant {
            let mut len = 0;
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, -2) != 0 {
                ffi::lua_settop(state, -2);
                len += 1;
            }
            match is_map {
                true => (*out).map(len),
                false => (*out).set(len),
            }
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, -2) != 0 {
                ffi::lua_pushvalue(state, -2);
                write_value(state, run, out);
                match is_map {
                    true => write_value(state, run, out),
                    false => ffi::lua_settop(state, -2),
                }
            }
        }
        ffi::lua_settop(state, -2);
        is_meant
    }
}

/// Any other table: what it has from 1 on, up to the first nil.
unsafe fn write_array(state: *mut lua_State, run: *mut Run<'_>, out: *mut Reply) {
    // SAFETY: as `write_value`.
    unsafe {
        let head = (*out).open();
        let mut len = 0;
        while ffi::lua_rawgeti(state, -1, len as ffi::lua_Integer + 1) != ffi::LUA_TNIL {
            write_value(state, run, out);
            len += 1;
        }
        ffi::lua_settop(state, -2);
        (*out).close_array(head, len);
    }
}
