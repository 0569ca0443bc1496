//! The functions that a proven script may call. What is not here ends a proof: whatever calls back, keeps what it is given,
//! or may take long (patterns, `string.rep`, sorting).

/// What is known of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    /// `redis.call` and `redis.pcall`.
    Command,
    /// `ipairs` and `pairs`.
    Each,
    /// `unpack`.
    Unpack,
    /// `table.insert`.
    Insert,
    /// `assert`, which gives what it is given.
    Assert,
    /// Takes and gives plain values, and takes about as long as they are.
    Plain {
        /// Whether its time does not depend on how long they are.
        is_quick: bool,
        /// Whether it may be given the tables of the keys and of the other arguments: it changes and gives back neither.
        reads_lists: bool,
    },
}

const QUICK: Function = Function::Plain {
    is_quick: true,
    reads_lists: false,
};
const LONG: Function = Function::Plain {
    is_quick: false,
    reads_lists: false,
};
const READING: Function = Function::Plain {
    is_quick: false,
    reads_lists: true,
};

/// Libraries with what may be used of them.
const LIBRARIES: &[(&str, &[(&str, Function)])] = &[
    (
        "redis",
        &[
            ("call", Function::Command),
            ("pcall", Function::Command),
            ("error_reply", LONG),
            ("status_reply", LONG),
            ("sha1hex", LONG),
            ("log", LONG),
            ("setresp", QUICK),
            ("set_repl", QUICK),
            ("replicate_commands", QUICK),
        ],
    ),
    (
        "string",
        &[
            ("byte", LONG),
            ("char", LONG),
            ("format", LONG),
            ("len", QUICK),
            ("lower", LONG),
            ("reverse", LONG),
            ("sub", LONG),
            ("upper", LONG),
        ],
    ),
    (
        "table",
        &[("concat", READING), ("insert", Function::Insert)],
    ),
    (
        "math",
        &[
            ("abs", QUICK),
            ("ceil", QUICK),
            ("exp", QUICK),
            ("floor", QUICK),
            ("fmod", QUICK),
            ("log", QUICK),
            ("log10", QUICK),
            ("max", QUICK),
            ("min", QUICK),
            ("mod", QUICK),
            ("modf", QUICK),
            ("pow", QUICK),
            ("random", QUICK),
            ("randomseed", QUICK),
            ("sqrt", QUICK),
        ],
    ),
    ("cjson", &[("decode", LONG), ("encode", READING)]),
    ("cmsgpack", &[("pack", READING), ("unpack", LONG)]),
    (
        "struct",
        &[("pack", LONG), ("size", LONG), ("unpack", LONG)],
    ),
    (
        "bit",
        &[
            ("arshift", QUICK),
            ("band", QUICK),
            ("bnot", QUICK),
            ("bor", QUICK),
            ("bswap", QUICK),
            ("bxor", QUICK),
            ("lshift", QUICK),
            ("rol", QUICK),
            ("ror", QUICK),
            ("rshift", QUICK),
            ("tobit", QUICK),
            ("tohex", QUICK),
        ],
    ),
];

/// Functions that stand by themselves.
const GLOBALS: &[(&str, Function)] = &[
    ("assert", Function::Assert),
    ("error", QUICK),
    ("ipairs", Function::Each),
    ("pairs", Function::Each),
    ("tonumber", QUICK),
    ("tostring", QUICK),
    ("type", QUICK),
    ("unpack", Function::Unpack),
];

/// The names of all libraries and of the functions that stand by themselves.
pub(super) fn globals() -> impl Iterator<Item = &'static str> {
    let libraries = LIBRARIES.iter().map(|(name, _)| *name);
    libraries.chain(GLOBALS.iter().map(|(name, _)| *name))
}

/// A library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Library(usize);

/// A library by its name.
pub(super) fn library(name: &[u8]) -> Option<Library> {
    let mut all = LIBRARIES.iter();
    all.position(|(known, _)| known.as_bytes() == name)
        .map(Library)
}

fn named(functions: &[(&str, Function)], name: &[u8]) -> Option<Function> {
    let mut all = functions.iter();
    all.find(|(known, _)| known.as_bytes() == name)
        .map(|(_, function)| *function)
}

/// A function that stands by itself.
pub(super) fn global(name: &[u8]) -> Option<Function> {
    named(GLOBALS, name)
}

impl Library {
    /// A function of it.
    pub fn function(self, name: &[u8]) -> Option<Function> {
        named(LIBRARIES[self.0].1, name)
    }

    /// Whether a name is that of a plain value.
    pub fn has_value(self, name: &[u8]) -> bool {
        match LIBRARIES[self.0].0 {
            "redis" => {
                name.starts_with(b"LOG_")
                    || name.starts_with(b"REPL_")
                    || name.starts_with(b"REDIS_VERSION")
            }
            "math" => matches!(name, b"huge" | b"pi"),
            "cjson" => name == b"null",
            _ => false,
        }
    }
}

/// A function that strings find by themselves: `text:lower()`.
pub(super) fn of_string(name: &[u8]) -> Option<Function> {
    library(b"string")?.function(name)
}
