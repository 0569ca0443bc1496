//! Tests of MessagePack: forms, limits, error texts, and properties over random values and random bytes.

use mlua::{Function, Lua};
use proptest::prelude::*;

use super::super::tests::{error_of, lua_with, text_of};
use super::open;

fn lua() -> Lua {
    let lua = lua_with("cmsgpack", open);
    lua.load("function hex(s) return (s:gsub('.', function(c) return ('%02x'):format(c:byte()) end)) end")
        .exec()
        .expect("a helper is defined");
    lua
}

#[test]
fn values_take_their_shortest_form() {
    let lua = lua();
    for (value, expected) in [
        ("0", "00"),
        ("127", "7f"),
        ("128", "cc80"),
        ("256", "cd0100"),
        ("65536", "ce00010000"),
        ("2^32", "cf0000000100000000"),
        ("2^63", "ca5f000000"),
        ("-1", "ff"),
        ("-33", "d0df"),
        ("-129", "d1ff7f"),
        ("-32769", "d2ffff7fff"),
        ("-2^31 - 1", "d3ffffffff7fffffff"),
        ("1.5", "ca3fc00000"),
        ("0.1", "cb3fb999999999999a"),
        ("1/0", "ca7f800000"),
        ("nil", "c0"),
        ("true", "c3"),
        ("false", "c2"),
        ("print", "c0"),
        ("'abc'", "a3616263"),
        ("{}", "90"),
        ("{1, 2}", "920102"),
        ("{a = 1}", "81a16101"),
        ("{[2] = 1}", "810201"),
        ("1, 'a'", "01a161"),
    ] {
        let call = format!("hex(cmsgpack.pack({value}))");
        assert_eq!(text_of(&lua, &call), expected, "{value}");
    }
    for (length, head) in [
        (31, "bf"),
        (32, "d920"),
        (256, "da0100"),
        (65536, "db00010000"),
    ] {
        let call = format!(
            "hex(cmsgpack.pack(string.rep('x', {length}))):sub(1, {})",
            head.len()
        );
        assert_eq!(text_of(&lua, &call), head);
    }
}

#[test]
fn bytes_become_values() {
    let lua = lua();
    for (call, expected) in [
        ("cmsgpack.unpack('\\1\\2\\3')", "1 2 3"),
        ("cmsgpack.unpack('')", ""),
        (
            "cmsgpack.unpack('\\207\\255\\255\\255\\255\\255\\255\\255\\255')",
            "-1",
        ),
        ("cmsgpack.unpack_one('\\1\\2\\3')", "1 1"),
        ("cmsgpack.unpack_one('\\1\\2\\3', 2)", "-1 3"),
        ("cmsgpack.unpack_limit('\\1\\2\\3', 2)", "2 1 2"),
        ("cmsgpack.unpack_limit('\\1\\2\\3', 0, 0)", "1 2 3"),
        ("cmsgpack.unpack_limit('\\1\\2\\3', 0, 1)", "1"),
        ("cmsgpack.unpack('\\129\\161a\\147\\1\\192\\3').a[3]", "3"),
    ] {
        assert_eq!(text_of(&lua, call), expected, "{call}");
    }
}

#[test]
fn broken_bytes_are_refused() {
    let lua = lua();
    for (call, expected) in [
        ("cmsgpack.unpack('\\217\\5ab')", "Missing bytes in input."),
        (
            "cmsgpack.unpack('\\221\\255\\255\\255\\255')",
            "Missing bytes in input.",
        ),
        (
            "cmsgpack.unpack('\\223\\255\\255\\255\\255\\1\\2')",
            "Missing bytes in input.",
        ),
        (
            "cmsgpack.unpack('\\219\\255\\255\\255\\255abc')",
            "Missing bytes in input.",
        ),
        ("cmsgpack.unpack('\\193')", "Bad data format in input."),
        (
            "cmsgpack.unpack_one('abc', -1)",
            "Invalid request to unpack with offset of -1 and limit of 3.",
        ),
        (
            "cmsgpack.unpack_one('abc', 4)",
            "Start offset 4 greater than input length 3.",
        ),
        (
            "cmsgpack.unpack()",
            "bad argument #1 to 'unpack' (string expected, got no value)",
        ),
        (
            "cmsgpack.unpack_limit('a')",
            "bad argument #2 to 'unpack_limit' (number expected, got no value)",
        ),
        (
            "cmsgpack.pack()",
            "bad argument #0 to 'pack' (MessagePack pack needs input.)",
        ),
    ] {
        assert_eq!(
            error_of(&lua, call),
            format!("script:1: {expected}"),
            "{call}"
        );
    }
    assert_eq!(
        error_of(&lua, "cmsgpack.unpack('\\129\\192\\1')"),
        "table index is nil"
    );
}

#[test]
fn nesting_ends() {
    let lua = lua();
    lua.load("loop = {} loop[1] = loop")
        .exec()
        .expect("a table is made");
    assert_eq!(
        text_of(&lua, "hex(cmsgpack.pack(loop))"),
        format!("{}c0", "91".repeat(16))
    );
    for byte in [0x91, 0x81] {
        let error = error_of(
            &lua,
            &format!("cmsgpack.unpack(string.rep(string.char({byte}), 1000000))"),
        );
        assert!(error.contains("stack overflow"), "{error}");
    }
    let error = error_of(&lua, "cmsgpack.unpack(string.rep('\\1', 100000))");
    assert!(
        error.contains("too many return values at once; use unpack_one or unpack_limit instead."),
        "{error}"
    );
}

/// A table that holds itself several times grows with the power of its depth: the bound on output ends it.
#[test]
#[ignore = "packs half a gigabyte"]
fn tables_within_themselves_end_at_the_bound() {
    let lua = lua();
    lua.load("loop = {} for i = 1, 100 do loop[i] = loop end")
        .exec()
        .expect("a table is made");
    assert_eq!(error_of(&lua, "cmsgpack.pack(loop)"), "not enough memory");
}

proptest! {
    #[test]
    fn values_round_trip(
        number in any::<f64>(),
        integer in any::<i64>(),
        text in prop::collection::vec(any::<u8>(), 0..300),
        count in 0..40usize,
    ) {
        let lua = lua();
        let check: Function = lua.load(
            "return function(number, integer, text, count)
               local list, map = {}, {}
               for i = 1, count do list[i] = i * 1000 map['k' .. i] = text end
               local a, b, c, d, e = cmsgpack.unpack(cmsgpack.pack(number, integer, text, list, map))
               local same = (a == number or a ~= a) and b == integer and c == text and #d == count
               for i = 1, count do same = same and d[i] == list[i] and e['k' .. i] == text end
               return same
             end",
        ).eval().expect("a function");
        let text = lua.create_string(&text).expect("a string");
        prop_assert!(check.call::<bool>((number, integer as f64, text, count)).expect("no error"));
    }

    #[test]
    fn random_bytes_give_values_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let lua = lua();
        let unpack: Function = lua.load("return cmsgpack.unpack").eval().expect("a function");
        let _ = unpack.call::<mlua::MultiValue>(lua.create_string(&bytes).expect("a string"));
    }
}
