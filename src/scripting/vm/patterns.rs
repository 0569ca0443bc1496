//! `string.find`, `match`, `gmatch` and `gsub` in the place of Lua's own, which nothing can interrupt: a short pattern may
//! keep them busy for years. The rules of `machine` hold here.

use std::ffi::c_int;
use std::mem::MaybeUninit;

use memchr::memmem;
use mlua::ffi::{self, lua_State};

use super::super::pattern::{Capture, Malformed, Matcher};
use super::convert::{bytes_at, push_bytes};
use super::machine::look;

/// What makes a pattern more than a plain text.
const SPECIAL: &[u8] = b"^$*+?.([%-";

/// The bytes of an argument that must be a text.
unsafe fn text_argument<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    // SAFETY: the caller runs within a protected call and keeps the argument on the stack.
    unsafe {
        let mut len = 0;
        let text = ffi::luaL_checklstring(state, index, &mut len);
        std::slice::from_raw_parts(text.cast(), len)
    }
}

/// Fails with the text of a pattern's flaw.
unsafe fn refuse(state: *mut lua_State, malformed: Malformed) -> ! {
    // SAFETY: the caller runs within a protected call and owns nothing.
    unsafe {
        ffi::luaL_error(state, malformed.as_ptr());
    }
    unreachable!("an error does not come back")
}

/// Whether the pattern is bound to the beginning, and what of it is left.
fn anchored(pattern: &[u8]) -> (bool, &[u8]) {
    match pattern.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, pattern),
    }
}

/// Matches at a place.
unsafe fn try_at(state: *mut lua_State, matcher: &mut Matcher<'_>, at: usize) -> Option<usize> {
    match matcher.at(at) {
        Ok(end) => end,
        // SAFETY: the caller's; nothing here or there owns anything.
        Err(malformed) => unsafe { refuse(state, malformed) },
    }
}

/// Pushes one capture; the whole match stands for the first where there are none.
unsafe fn push_capture(
    state: *mut lua_State,
    matcher: &Matcher<'_>,
    text: &[u8],
    index: usize,
    whole: (usize, usize),
) {
    // SAFETY: the caller runs within a protected call, owns nothing, and has room on the stack.
    unsafe {
        match matcher.captures().get(index) {
            None if index == 0 => push_bytes(state, &text[whole.0..whole.1]),
            None => refuse(state, c"invalid capture index"),
            Some(Capture::Open(_)) => refuse(state, c"unfinished capture"),
            Some(Capture::Position(at)) => ffi::lua_pushnumber(state, (at + 1) as f64),
            Some(Capture::Range(at, len)) => push_bytes(state, &text[*at..at + len]),
        }
    }
}

/// Pushes all captures; the whole match, if asked for, where there are none. Gives how many.
unsafe fn push_captures(
    state: *mut lua_State,
    matcher: &Matcher<'_>,
    text: &[u8],
    whole: Option<(usize, usize)>,
) -> c_int {
    let count = match (matcher.captures().len(), whole) {
        (0, Some(_)) => 1,
        (count, _) => count,
    };
    // SAFETY: as `push_capture`; the room is made here.
    unsafe {
        ffi::luaL_checkstack(state, count as c_int, c"too many captures".as_ptr());
        for index in 0..count {
            push_capture(state, matcher, text, index, whole.unwrap_or_default());
        }
    }
    count as c_int
}

/// `string.find`
pub(super) unsafe extern "C-unwind" fn find(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this in protected mode; nothing here needs to be dropped.
    unsafe { search(state, true) }
}

/// `string.match`
pub(super) unsafe extern "C-unwind" fn first_match(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { search(state, false) }
}

/// Where to begin: the third argument, counted from the end if it is negative.
unsafe fn beginning(state: *mut lua_State, len: usize) -> usize {
    // SAFETY: as above.
    let asked = unsafe { ffi::luaL_optinteger(state, 3, 1) } as i64;
    let from_start = match asked {
        ..0 => asked.saturating_add(len as i64).saturating_add(1),
        _ => asked,
    };
    usize::try_from(from_start.saturating_sub(1))
        .unwrap_or(0)
        .min(len)
}

unsafe fn search(state: *mut lua_State, is_find: bool) -> c_int {
    // SAFETY: as above.
    unsafe {
        let (text, pattern) = (text_argument(state, 1), text_argument(state, 2));
        let start = beginning(state, text.len());
        let seen = pattern.split(|byte| *byte == 0).next().unwrap_or_default();
        let is_plain = !seen.iter().any(|byte| SPECIAL.contains(byte));
        if is_find && (is_plain || ffi::lua_toboolean(state, 4) != 0) {
            let Some(at) = memmem::find(&text[start..], pattern) else {
                ffi::lua_pushnil(state);
                return 1;
            };
            ffi::lua_pushnumber(state, (start + at + 1) as f64);
            ffi::lua_pushnumber(state, (start + at + pattern.len()) as f64);
            return 2;
        }
        let (is_anchored, pattern) = anchored(pattern);
        let look = || look(state);
        let mut matcher = Matcher::new(text, pattern, &look);
        let last = if is_anchored { start } else { text.len() };
        for at in start..=last {
            let Some(end) = try_at(state, &mut matcher, at) else {
                continue;
            };
            if !is_find {
                return push_captures(state, &matcher, text, Some((at, end)));
            }
            ffi::lua_pushnumber(state, (at + 1) as f64);
            ffi::lua_pushnumber(state, end as f64);
            return 2 + push_captures(state, &matcher, text, None);
        }
        ffi::lua_pushnil(state);
        1
    }
}

/// `string.gmatch`
pub(super) unsafe extern "C-unwind" fn each_match(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        text_argument(state, 1);
        text_argument(state, 2);
        ffi::lua_settop(state, 2);
        ffi::lua_pushnumber(state, 0.0);
        ffi::lua_pushcclosure(state, next_match, 3);
        1
    }
}

/// What `gmatch` gives: its upvalues are text, pattern and where to go on.
unsafe extern "C-unwind" fn next_match(state: *mut lua_State) -> c_int {
    // SAFETY: as above; the upvalues are strings and a number, and stay for as long as this runs.
    unsafe {
        let text = bytes_at(state, ffi::lua_upvalueindex(1)).unwrap_or_default();
        let pattern = bytes_at(state, ffi::lua_upvalueindex(2)).unwrap_or_default();
        let start = ffi::lua_tonumber(state, ffi::lua_upvalueindex(3)) as usize;
        let look = || look(state);
        let mut matcher = Matcher::new(text, pattern, &look);
        for at in start..=text.len() {
            if let Some(end) = try_at(state, &mut matcher, at) {
                let next = end + usize::from(end == at);
                ffi::lua_pushnumber(state, next as f64);
                ffi::lua_replace(state, ffi::lua_upvalueindex(3));
                return push_captures(state, &matcher, text, Some((at, end)));
            }
        }
        0
    }
}

/// `string.gsub`
pub(super) unsafe extern "C-unwind" fn substitute(state: *mut lua_State) -> c_int {
    // SAFETY: as above. Lua's buffer keeps its pieces on Lua's stack, and needs no end.
    unsafe {
        let (text, pattern) = (text_argument(state, 1), text_argument(state, 2));
        let kind = ffi::lua_type(state, 3);
        let most = ffi::luaL_optinteger(state, 4, text.len() as ffi::lua_Integer + 1) as c_int;
        if !matches!(
            kind,
            ffi::LUA_TNUMBER | ffi::LUA_TSTRING | ffi::LUA_TFUNCTION | ffi::LUA_TTABLE
        ) {
            return ffi::luaL_argerror(state, 3, c"string/function/table expected".as_ptr());
        }
        let (is_anchored, pattern) = anchored(pattern);
        let look = || look(state);
        let mut matcher = Matcher::new(text, pattern, &look);
        let mut buffer = MaybeUninit::<ffi::luaL_Buffer>::uninit();
        let out = buffer.as_mut_ptr();
        ffi::luaL_buffinit(state, out);
        let (mut at, mut count) = (0, 0);
        while count < most {
            let end = try_at(state, &mut matcher, at);
            if let Some(end) = end {
                count += 1;
                add_replacement(state, &matcher, text, (at, end), kind, out);
            }
            match end {
                Some(end) if end > at => at = end,
                _ if at < text.len() => {
                    ffi::luaL_addchar(out, text[at] as _);
                    at += 1;
                }
                _ => break,
            }
            if is_anchored {
                break;
            }
        }
        add(out, &text[at..]);
        ffi::luaL_pushresult(out);
        ffi::lua_pushnumber(state, f64::from(count));
        2
    }
}

unsafe fn add(out: *mut ffi::luaL_Buffer, bytes: &[u8]) {
    // SAFETY: the caller's buffer has been begun.
    unsafe { ffi::luaL_addlstring(out, bytes.as_ptr().cast(), bytes.len()) };
}

/// Appends what takes the place of a match.
unsafe fn add_replacement(
    state: *mut lua_State,
    matcher: &Matcher<'_>,
    text: &[u8],
    whole: (usize, usize),
    kind: c_int,
    out: *mut ffi::luaL_Buffer,
) {
    // SAFETY: as `substitute`.
    unsafe {
        match kind {
            ffi::LUA_TFUNCTION => {
                ffi::lua_pushvalue(state, 3);
                let count = push_captures(state, matcher, text, Some(whole));
                ffi::lua_call(state, count, 1);
            }
            ffi::LUA_TTABLE => {
                push_capture(state, matcher, text, 0, whole);
                ffi::lua_gettable(state, 3);
            }
            _ => return add_template(state, matcher, text, whole, out),
        }
        if ffi::lua_toboolean(state, -1) == 0 {
            ffi::lua_settop(state, -2);
            push_bytes(state, &text[whole.0..whole.1]);
        } else if ffi::lua_isstring(state, -1) == 0 {
            let kind = ffi::lua_typename(state, ffi::lua_type(state, -1));
            ffi::luaL_error(state, c"invalid replacement value (a %s)".as_ptr(), kind);
        }
        ffi::luaL_addvalue(out);
    }
}

/// Appends the third argument, with `%1` in it replaced by captures.
unsafe fn add_template(
    state: *mut lua_State,
    matcher: &Matcher<'_>,
    text: &[u8],
    whole: (usize, usize),
    out: *mut ffi::luaL_Buffer,
) {
    // SAFETY: as `substitute`; the template stays on the stack.
    unsafe {
        let mut rest = bytes_at(state, 3).unwrap_or_default();
        while let Some(at) = memchr::memchr(b'%', rest) {
            add(out, &rest[..at]);
            // At the end Lua reads the zero behind its string.
            let next = rest.get(at + 1).copied().unwrap_or(0);
            match next {
                b'0' => add(out, &text[whole.0..whole.1]),
                b'1'..=b'9' => {
                    push_capture(state, matcher, text, usize::from(next - b'1'), whole);
                    ffi::luaL_addvalue(out);
                }
                _ => ffi::luaL_addchar(out, next as _),
            }
            rest = rest.get(at + 2..).unwrap_or_default();
        }
        add(out, rest);
    }
}
