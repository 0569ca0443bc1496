//! Lua source for random values, texts and calls of the libraries that scripts find.

use super::generate::Generator;

/// Shows any value as text: numbers with all digits, tables in the order in which `pairs` gives them.
pub const SHOW: &str = r#"
local function show(v, d)
  local t = type(v)
  if t == 'number' then return v ~= v and 'nan' or string.format('%.17g', v) end
  if t == 'string' then return #v > 2000 and 's' .. #v or string.format('%q', v) end
  if v == cjson.null then return 'null' end
  if t ~= 'table' then return t == 'boolean' and tostring(v) or t end
  if d > 20 then return '{deep}' end
  local o = {}
  for k, x in pairs(v) do
    if #o > 200 then break end
    o[#o + 1] = '[' .. show(k, d + 1) .. ']=' .. show(x, d + 1)
  end
  return '{' .. table.concat(o, ',') .. '}'
end
local function all(...)
  local o = {}
  for i = 1, math.min(select('#', ...), 40) do o[i] = show((select(i, ...)), 0) end
  return table.concat(o, ' ')
end
local function try(f) return all(pcall(f)) end
"#;

const PIECES: &[&[u8]] = &[
    b"a",
    b"b",
    b"/",
    b"\"",
    b"\\",
    b"\n",
    b"\0",
    b"\x7f",
    b"\x80",
    b"\xff",
    b" ",
    b"key",
    b"\x1f",
    "€".as_bytes(),
    b"12",
    b"1e3",
];

const NUMBERS: &[&str] = &[
    "127",
    "128",
    "255",
    "256",
    "65535",
    "65536",
    "2^31-1",
    "2^31",
    "2^32-1",
    "2^32",
    "2^53",
    "2^63",
    "2^64",
    "-32",
    "-33",
    "-128",
    "-129",
    "-32768",
    "-32769",
    "-2^31",
    "-2^31-1",
    "-2^63",
    "1e14",
    "1e15",
    "123456789012345",
    "1/0",
    "-1/0",
    "0/0",
    "-0",
    "0.1",
    "1e300",
    "-1e-300",
    "1e-5",
    "0.0001",
    "123456.789",
    "2^-1074",
    "1.5",
    "99999999999999.5",
    "0.5",
    "3.99",
    "-3.99",
];

const JSON_LEAVES: &[&str] = &[
    "1",
    "-1",
    "0",
    "12345678901234567890",
    "1.5e3",
    "1E-2",
    "true",
    "false",
    "null",
    "\"x\"",
    "\"\\u20ac\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\/\\b\\t\\r\\f\\n\\\\\"",
    "\"\\x\"",
    "nan",
    "NaN",
    "-inf",
    "Infinity",
    "0x1F",
    "0x1p3",
    "0x.8",
    "01",
    "+1",
    "-",
    "1.",
    ".5",
    "-.5",
    "1e",
    "\"abc",
    "-nan",
    "tru",
    "0x",
    "- 1",
    "1e400",
    "-1e-400",
    "4.9e-324",
    "0.1",
    "-0",
    "0x1.fffffffffffff8p1",
    "nan(12)",
    "1e+",
    "\"\\u0000\"",
    "\"\\udc00\"",
    "\"\\u12\"",
    " 5 ",
    "\t[1]",
];

/// A string literal that any byte survives.
pub fn quote(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for byte in bytes {
        match byte {
            b' ' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b':' | b'-' => {
                text.push(char::from(*byte));
            }
            _ => text.push_str(&format!("\\{byte:03}")),
        }
    }
    text.push('"');
    text
}

pub fn number(g: &mut Generator) -> String {
    match g.below(10) {
        0..=2 => (g.below(26) as i64 - 5).to_string(),
        3..=5 => g.pick(NUMBERS).to_owned(),
        6..=7 => format!("{}.{}", g.below(2_000) as i64 - 1_000, g.below(100_000)),
        8 => format!("{}e{}", g.below(1_000_000), g.below(40) as i64 - 20),
        _ => (g.below(usize::MAX >> 10) as i64).to_string(),
    }
}

pub fn string(g: &mut Generator) -> String {
    let count = g.below(7);
    let pieces: Vec<&[u8]> = (0..count).map(|_| g.pick(PIECES)).collect();
    quote(&pieces.concat())
}

fn key(g: &mut Generator) -> String {
    match g.below(20) {
        0..=9 => format!("\"k{}\"", g.below(10)),
        10..=13 => (g.below(15) as i64 - 2).to_string(),
        14 => "1.5".to_owned(),
        15 => "true".to_owned(),
        16 => g.pick(&["2^31", "2^53", "1e300", "-1/0", "100"]).to_owned(),
        _ => string(g),
    }
}

/// A value; tables among them nest a few levels.
pub fn value(g: &mut Generator, depth: usize) -> String {
    match g.below(20) {
        0..=6 if depth < 4 => table(g, depth + 1),
        0..=11 => number(g),
        12..=15 => string(g),
        _ => g
            .pick(&[
                "true",
                "false",
                "nil",
                "cjson.null",
                "{}",
                "{{}}",
                "1",
                "\"x\"",
                "print",
                "string.rep",
            ])
            .to_owned(),
    }
}

fn table(g: &mut Generator, depth: usize) -> String {
    let style = g.below(3);
    let count = g.below(6);
    let items = (0..count).map(|_| {
        let item = value(g, depth);
        match style {
            0 => item,
            1 => format!("[{}]={item}", key(g)),
            _ if g.chance(60) => {
                let index = g.pick(&["1", "2", "3", "4", "8", "10", "11", "12", "20", "100", "0"]);
                format!("[{index}]={item}")
            }
            _ => item,
        }
    });
    format!("{{{}}}", items.collect::<Vec<_>>().join(","))
}

// ---- Calls of the libraries

/// An expression that calls a library.
pub fn library_call(g: &mut Generator) -> String {
    match g.below(20) {
        0..=3 => format!("cjson.encode({})", value(g, 0)),
        4..=7 => format!("cjson.decode({})", quote(&damaged_json(g))),
        8 => cjson_settings(g),
        9..=10 => cmsgpack_pack(g),
        11..=12 => cmsgpack_unpack(g),
        13..=14 => struct_pack(g),
        15..=16 => struct_unpack(g),
        17 => format!("struct.size({})", quote(&format(g))),
        _ => bit(g),
    }
}

fn json(g: &mut Generator, depth: usize) -> String {
    match g.below(10) {
        0..=2 if depth < 5 => {
            let items: Vec<String> = (0..g.below(5)).map(|_| json(g, depth + 1)).collect();
            format!("[{}]", items.join(","))
        }
        3..=5 if depth < 5 => {
            let pairs = (0..g.below(5)).map(|_| {
                let name = g.pick(&["\"a\"", "\"b\"", "\"\"", "\"\\u0041x\"", "\"c\\n\""]);
                let colon = g.pick(&[":", " : "]);
                format!("{name}{colon}{}", json(g, depth + 1))
            });
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        }
        _ => g.pick(JSON_LEAVES).to_owned(),
    }
}

fn damaged_json(g: &mut Generator) -> Vec<u8> {
    const SYMBOLS: &[u8] = b"[]{},:\"\\ x0-e\0";
    let mut text = json(g, 0).into_bytes();
    for _ in 0..g.below(3) {
        let at = g.below(text.len() + 1);
        match g.below(4) {
            0 if at < text.len() => {
                text.remove(at);
            }
            1 => text.insert(at, g.pick(SYMBOLS)),
            2 if at < text.len() => text[at] = g.pick(SYMBOLS),
            _ => {}
        }
    }
    text
}

/// Changes a setting of a table of its own, so that other scripts are none the wiser.
fn cjson_settings(g: &mut Generator) -> String {
    let setting = g.pick(&[
        "encode_sparse_array",
        "encode_max_depth",
        "decode_max_depth",
        "encode_number_precision",
        "encode_keep_buffer",
        "encode_invalid_numbers",
        "decode_invalid_numbers",
    ]);
    let arguments: Vec<&str> = (0..g.below(4))
        .map(|_| {
            g.pick(&[
                "true", "false", "nil", "0", "1", "2", "3", "14", "15", "\"on\"", "\"off\"",
                "\"null\"", "\"x\"", "{}", "-1", "1e10", "\"7\"", "2.7",
            ])
        })
        .collect();
    let then = match g.below(3) {
        0 => format!("c.encode({})", value(g, 0)),
        1 => format!("c.decode({})", quote(json(g, 0).as_bytes())),
        _ => format!("c.encode({{[1]=1,[{}]=2}})", 2 + g.below(20)),
    };
    format!(
        "(function() local c = cjson.new() return {{pcall(function() return c.{setting}({}) end)}}, {then} end)()",
        arguments.join(",")
    )
}

fn values(g: &mut Generator, least: usize, most: usize) -> String {
    let count = least + g.below(most - least + 1);
    let values: Vec<String> = (0..count).map(|_| value(g, 0)).collect();
    values.join(",")
}

fn cmsgpack_pack(g: &mut Generator) -> String {
    let least = usize::from(!g.chance(5));
    let packed = format!("cmsgpack.pack({})", values(g, least, 3));
    match g.chance(40) {
        true => format!("cmsgpack.unpack({packed})"),
        false => packed,
    }
}

fn cmsgpack_unpack(g: &mut Generator) -> String {
    let data = quote(&bytes(g, 12));
    let (function, more) = match g.below(3) {
        0 => ("unpack", ""),
        1 => (
            "unpack_one",
            g.pick(&[
                "", ",0", ",1", ",3", ",-1", ",100", ",nil", ",\"x\"", ",\"2\"", ",{}", ",1.9",
            ]),
        ),
        _ => (
            "unpack_limit",
            g.pick(&[
                "", ",0", ",1", ",3", ",-1", ",2,1", ",0,0", ",0,3", ",\"2\",2", ",5,-1", ",1,50",
            ]),
        ),
    };
    format!("cmsgpack.{function}({data}{more})")
}

/// Bytes among which those that begin something are frequent.
fn bytes(g: &mut Generator, most: usize) -> Vec<u8> {
    let count = g.below(most + 1);
    (0..count)
        .map(|_| match g.chance(50) {
            true => g.below(256) as u8,
            false => g.pick(&[
                0x91, 0x81, 0xa1, 0xc0, 0xc1, 0xdc, 0xdd, 0, 1, 0xcb, 0xca, 0xcf, 0xd3, 0xd9, 0xdb,
            ]),
        })
        .collect()
}

fn format(g: &mut Generator) -> Vec<u8> {
    let mut format = Vec::new();
    for _ in 0..g.below(7) {
        let part: &[u8] = g.pick(&[
            b"<", b">", b"!", b"!4", b"!2", b"!16", b" ", b"b", b"B", b"h", b"H", b"l", b"L", b"T",
            b"f", b"d", b"s", b"x", b"c", b"c0", b"c1", b"c3", b"i", b"I", b"i1", b"i2", b"I3",
            b"i4", b"I7", b"i8", b"I8", b"i9", b"I16", b"i32", b"i0",
        ]);
        let odd: &[u8] = g.pick(&[
            b"z",
            b"!0",
            b"!5",
            b"c2147483647",
            b"c2147483648",
            b"i33",
            b"i99999999999",
            b"(",
            b"%",
            b"\xe9",
            b"1",
        ]);
        format.extend_from_slice(if g.chance(8) { odd } else { part });
    }
    format
}

fn struct_pack(g: &mut Generator) -> String {
    let mut arguments = vec![quote(&format(g))];
    for _ in 0..g.below(7) {
        arguments.push(match g.below(4) {
            0..=1 => number(g),
            2 => string(g),
            _ => value(g, 2),
        });
    }
    format!("struct.pack({})", arguments.join(","))
}

fn struct_unpack(g: &mut Generator) -> String {
    let (format, data) = (quote(&format(g)), quote(&bytes(g, 60)));
    let position = g.pick(&[
        "", "", ",1", ",2", ",0", ",-1", ",100", ",\"3\"", ",nil", ",{}",
    ]);
    format!("struct.unpack({format},{data}{position})")
}

fn bit(g: &mut Generator) -> String {
    let function = g.pick(&[
        "tobit", "bnot", "band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror",
        "bswap", "tohex",
    ]);
    let count = g.pick(&[0, 1, 1, 2, 2, 2, 3]);
    let arguments: Vec<String> = (0..count)
        .map(|_| match g.chance(85) {
            true => number(g),
            false => value(g, 3),
        })
        .collect();
    format!("bit.{function}({})", arguments.join(","))
}
