//! Tests of JSON: forms, limits, error texts, and properties over random values and random bytes.

use mlua::{Function, Lua};
use proptest::prelude::*;

use super::super::tests::{error_of, lua_with, text_of};
use super::{number, open};

fn lua() -> Lua {
    lua_with("cjson", open)
}

#[test]
fn values_become_json() {
    let lua = lua();
    for (call, expected) in [
        (
            "cjson.encode({1, 'a', true, cjson.null})",
            r#"[1,"a",true,null]"#,
        ),
        ("cjson.encode({})", "{}"),
        ("cjson.encode({{}})", "[{}]"),
        ("cjson.encode({a = {b = 1}})", r#"{"a":{"b":1}}"#),
        ("cjson.encode({[3] = 1})", "[null,null,1]"),
        ("cjson.encode({[1.5] = 1})", r#"{"1.5":1}"#),
        ("cjson.encode(nil)", "null"),
        (
            "cjson.encode('/\\\"\\\\\\n\\0\\127\\200')",
            "\"\\/\\\"\\\\\\n\\u0000\\u007f\\200\"",
        ),
        ("cjson.encode(1e15)", "1e+15"),
        ("cjson.encode(99999999999999)", "99999999999999"),
        ("cjson.encode(0.1)", "0.1"),
        ("cjson.encode(-0.0)", "-0"),
        ("cjson.encode(1/3)", "0.33333333333333"),
    ] {
        let expected = expected.replace("\\200", "\u{FFFD}");
        let script = format!("return {call}");
        let text: mlua::LuaString = lua.load(script).eval().expect("a script runs");
        assert_eq!(text.to_string_lossy(), expected, "{call}");
    }
}

#[test]
fn json_becomes_values() {
    let lua = lua();
    for (call, expected) in [
        (r#"cjson.decode('[1,2,3]')[3]"#, "3"),
        (r#"#cjson.decode('[]')"#, "0"),
        (r#"cjson.decode('{"a":{"b":[true]}}').a.b[1]"#, "true"),
        (r#"cjson.decode('null') == cjson.null"#, "true"),
        (r#"cjson.decode('"\\u20ac\\ud83d\\ude00\\n"')"#, "€😀\n"),
        (r#"cjson.decode(' 0x1F ')"#, "31"),
        (r#"cjson.decode('-1.5e3')"#, "-1500"),
        (r#"cjson.decode('[1]\0rubbish')[1]"#, "1"),
        (r#"cjson.decode(5)"#, "5"),
    ] {
        assert_eq!(text_of(&lua, call), expected, "{call}");
    }
}

const ERRORS: &[(&str, &str)] = &[
    (
        "cjson.decode('x')",
        "Expected value but found invalid token at character 1",
    ),
    (
        "cjson.decode('')",
        "Expected value but found T_END at character 1",
    ),
    (
        "cjson.decode('[1,]')",
        "Expected value but found T_ARR_END at character 4",
    ),
    (
        "cjson.decode('[1')",
        "Expected comma or array end but found T_END at character 3",
    ),
    (
        "cjson.decode('{1')",
        "Expected object key string but found T_NUMBER at character 2",
    ),
    (
        "cjson.decode('{\"a\" 1')",
        "Expected colon but found T_NUMBER at character 6",
    ),
    (
        "cjson.decode('{\"a\":1 1')",
        "Expected comma or object end but found T_NUMBER at character 8",
    ),
    (
        "cjson.decode('1 1')",
        "Expected the end but found T_NUMBER at character 3",
    ),
    (
        "cjson.decode('\"a')",
        "Expected value but found unexpected end of string at character 3",
    ),
    (
        "cjson.decode('\"\\\\x\"')",
        "Expected value but found invalid escape code at character 2",
    ),
    (
        "cjson.decode('\"\\\\ud800\"')",
        "Expected value but found invalid unicode escape code at character 2",
    ),
    (
        "cjson.decode('-')",
        "Expected value but found invalid number at character 1",
    ),
    (
        "cjson.decode('\\0a')",
        "JSON parser does not support UTF-16 or UTF-32",
    ),
    (
        "cjson.decode()",
        "bad argument #1 to 'decode' (expected 1 argument)",
    ),
    (
        "cjson.decode({})",
        "bad argument #1 to 'decode' (string expected, got table)",
    ),
    (
        "cjson.encode(1/0)",
        "Cannot serialise number: must not be NaN or Inf",
    ),
    (
        "cjson.encode(print)",
        "Cannot serialise function: type not supported",
    ),
    (
        "cjson.encode({[true] = 1})",
        "Cannot serialise boolean: table key must be a number or string",
    ),
    (
        "cjson.encode({[100] = 1})",
        "Cannot serialise table: excessively sparse array",
    ),
    (
        "cjson.encode_max_depth(0)",
        "bad argument #1 to 'encode_max_depth' (expected integer between 1 and 2147483647)",
    ),
    (
        "cjson.encode_max_depth(1, 2)",
        "bad argument #2 to 'encode_max_depth' (found too many arguments)",
    ),
    (
        "cjson.encode_keep_buffer('x')",
        "bad argument #1 to 'encode_keep_buffer' (invalid option 'x')",
    ),
];

#[test]
fn errors_name_what_was_found_and_where() {
    let lua = lua();
    for (call, expected) in ERRORS {
        assert_eq!(
            error_of(&lua, call),
            format!("script:1: {expected}"),
            "{call}"
        );
    }
}

#[test]
fn depth_ends_at_the_limit() {
    let lua = lua();
    lua.load(
        "function nested(n) local t = {} for i = 2, n do t = {t} end return t end
         function loop() local t = {} t[1] = t return t end",
    )
    .exec()
    .expect("helpers are defined");
    assert_eq!(text_of(&lua, "#cjson.encode(nested(1000))"), "2000");
    assert_eq!(
        error_of(&lua, "cjson.encode(nested(1001))"),
        "script:1: Cannot serialise, excessive nesting (1001)"
    );
    assert_eq!(
        error_of(&lua, "cjson.encode(loop())"),
        "script:1: Cannot serialise, excessive nesting (1001)"
    );
    let decode = |n: usize| format!("cjson.decode(string.rep('[', {n}) .. string.rep(']', {n}))");
    assert!(text_of(&lua, &decode(1000)).starts_with("table"));
    assert_eq!(
        error_of(&lua, &decode(1_000_000)),
        "script:1: Found too many nested data structures (1001) at character 1001"
    );
}

#[test]
fn without_a_limit_on_depth_the_stack_of_lua_sets_one() {
    let lua = lua();
    lua.load("cjson.decode_max_depth(1e9) cjson.encode_max_depth(1e9)")
        .exec()
        .expect("limits are set");
    for open in ["[", "{\"a\":"] {
        let error = error_of(
            &lua,
            &format!("cjson.decode(string.rep('{open}', 1000000))"),
        );
        assert!(
            error.contains("Found too many nested data structures"),
            "{error}"
        );
    }
    lua.load("loop = {} loop[1] = loop")
        .exec()
        .expect("a table is made");
    let error = error_of(&lua, "cjson.encode(loop)");
    assert!(
        error.contains("Cannot serialise, excessive nesting"),
        "{error}"
    );
}

#[test]
fn settings_belong_to_one_table() {
    let lua = lua();
    assert_eq!(text_of(&lua, "cjson.encode_sparse_array()"), "false 2 10");
    assert_eq!(
        text_of(&lua, "cjson.encode_sparse_array(true, 1, '3')"),
        "true 1 3"
    );
    assert_eq!(text_of(&lua, "cjson.encode({[9] = 1})"), r#"{"9":1}"#);
    assert_eq!(
        text_of(&lua, "cjson.new().encode({[9] = 1})"),
        "[null,null,null,null,null,null,null,null,1]"
    );
    assert_eq!(
        text_of(&lua, "cjson.encode_invalid_numbers('null')"),
        "null"
    );
    assert_eq!(text_of(&lua, "cjson.encode({0/0, 1/0})"), "[null,null]");
    assert_eq!(text_of(&lua, "cjson.encode_invalid_numbers(true)"), "true");
    assert_eq!(text_of(&lua, "cjson.encode({0/0, -1/0})"), "[nan,-inf]");
    assert_eq!(text_of(&lua, "cjson.encode_number_precision(3)"), "3");
    assert_eq!(
        text_of(&lua, "cjson.encode({123456, 0.12345})"),
        "[1.23e+05,0.123]"
    );
    assert_eq!(
        text_of(&lua, "cjson.decode_invalid_numbers(false)"),
        "false"
    );
    assert!(error_of(&lua, "cjson.decode('01')").contains("invalid number"));
}

/// An array whose only element has an enormous index is refused, or is an object, or ends at the bound on output.
#[test]
fn enormous_indexes_take_no_memory() {
    let lua = lua();
    let table = "{[2147483647] = 1}";
    assert!(error_of(&lua, &format!("cjson.encode({table})")).contains("excessively sparse"));
    assert_eq!(
        text_of(&lua, "cjson.encode({[1e300] = 1})"),
        r#"{"1e+300":1}"#
    );
}

fn round_trip(lua: &Lua, text: &str) -> String {
    let function: Function = lua
        .load("return function(text) return cjson.encode(cjson.decode(text)) end")
        .eval()
        .expect("a function is made");
    function
        .call(text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i32>().prop_map(|value| value.to_string()),
        "[a-zA-Z0-9 é€]{0,8}".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..6)
                .prop_map(|items| format!("[{}]", items.join(","))),
            inner.prop_map(|item| format!("{{\"key\":{item}}}")),
        ]
    })
}

proptest! {
    #[test]
    fn json_round_trips(text in json()) {
        prop_assert_eq!(round_trip(&lua(), &text), text);
    }

    #[test]
    fn random_bytes_give_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let lua = lua();
        let decode: Function = lua.load("return cjson.decode").eval().expect("a function");
        let _ = decode.call::<mlua::Value>(lua.create_string(&bytes).expect("a string"));
    }

    #[test]
    fn random_symbols_give_a_value_or_an_error(text in "[\\[\\]{},:\"\\\\u0-9a-fnut. -]{0,48}") {
        let lua = lua();
        let decode: Function = lua.load("return cjson.decode").eval().expect("a function");
        let _ = decode.call::<mlua::Value>(text);
    }

    #[test]
    fn numbers_print_as_in_c(value in any::<f64>(), precision in 1..=number::MOST_DIGITS) {
        let lua = Lua::new();
        for value in [value, value.trunc(), value % 1e6, (value % 1e6).trunc()] {
            let mut out = Vec::new();
            number::print(&mut out, value, precision);
            let format: Function = lua.load("return string.format").eval().expect("a function");
            let expected: String = format.call((format!("%.{precision}g"), value)).expect("a text");
            prop_assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    #[test]
    fn numbers_read_as_in_c(text in "-?(0x)?[0-9a-f]{0,20}(\\.[0-9a-f]{0,20})?([ep][+-]?[0-9]{0,4})?") {
        let (value, length) = number::read(text.as_bytes());
        // Lua reads with the same function of C, but takes only what is a number to its end.
        let lua = Lua::new();
        let tonumber: Function = lua.load("return tonumber").eval().expect("a function");
        let expected: Option<f64> = tonumber.call(&text[..length]).expect("a number or nil");
        if length > 0 {
            prop_assert_eq!(Some(value), expected, "{}", &text[..length]);
        } else {
            prop_assert_eq!(expected, None);
        }
    }
}
