//! The first line of a script or library (`#!lua name=x flags=no-writes`), and the flags that it may name.

use crate::config::words;

/// What a script declares of itself, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScriptFlags(u32);

impl ScriptFlags {
    /// Changes nothing.
    pub const NO_WRITES: Self = Self(1);
    /// May run when memory is short.
    pub const ALLOW_OOM: Self = Self(1 << 1);
    /// May run on a replica with stale data.
    pub const ALLOW_STALE: Self = Self(1 << 2);
    /// Not in a cluster.
    pub const NO_CLUSTER: Self = Self(1 << 3);
    /// May touch keys of several slots.
    pub const ALLOW_CROSS_SLOT_KEYS: Self = Self(1 << 5);
    /// Declares nothing: a script without a first line of this kind.
    pub const UNDECLARED: Self = Self(1 << 4);

    /// The flags by name, in the order in which Redis lists them.
    pub const NAMES: [(Self, &str); 5] = [
        (Self::NO_WRITES, "no-writes"),
        (Self::ALLOW_OOM, "allow-oom"),
        (Self::ALLOW_STALE, "allow-stale"),
        (Self::NO_CLUSTER, "no-cluster"),
        (Self::ALLOW_CROSS_SLOT_KEYS, "allow-cross-slot-keys"),
    ];

    /// Whether all these are set.
    pub fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These and others.
    pub fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// The names of what is set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let set = Self::NAMES
            .into_iter()
            .filter(move |(flag, _)| self.has(*flag));
        set.map(|(_, name)| name)
    }

    /// A flag of a function, in any case.
    pub fn of_function(name: &[u8]) -> Option<Self> {
        let mut all = Self::NAMES.iter();
        all.find(|(_, known)| known.as_bytes().eq_ignore_ascii_case(name))
            .map(|(flag, _)| *flag)
    }
}

/// Splits text behind its first line where that names an interpreter. A text that ends within the line is `None`.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', text)?;
    Some(text.split_at(end))
}

fn text_of(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

/// A script's flags, and how many of its bytes are not Lua. The line end stays, so that lines keep their numbers.
pub(super) fn of_script(body: &[u8]) -> Result<(ScriptFlags, usize), String> {
    if !body.starts_with(b"#!") {
        return Ok((ScriptFlags::UNDECLARED, 0));
    }
    let (line, _) = split(body).ok_or("Invalid script shebang")?;
    let parts = words::split(line).map_err(|_| "Invalid engine in script shebang")?;
    let Some((engine, options)) = parts.split_first() else {
        return Err("Invalid engine in script shebang".into());
    };
    if engine != b"#!lua" {
        let engine = text_of(engine);
        return Err(format!("Unexpected engine in script shebang: {engine}"));
    }
    let mut flags = ScriptFlags::default();
    for option in options {
        let Some(names) = option.strip_prefix(b"flags=") else {
            let option = text_of(option);
            return Err(format!("Unknown lua shebang option: {option}"));
        };
        for name in names.split(|byte| *byte == b',') {
            let known = ScriptFlags::NAMES
                .iter()
                .find(|(_, known)| known.as_bytes() == name);
            let Some((flag, _)) = known else {
                let name = text_of(name);
                return Err(format!("Unexpected flag in script shebang: {name}"));
            };
            flags = flags.with(*flag);
        }
    }
    Ok((flags, line.len()))
}

/// A library's name, and how many of its bytes are not Lua.
pub(super) fn of_library(code: &[u8]) -> Result<(Vec<u8>, usize), String> {
    if !code.starts_with(b"#!") {
        return Err("Missing library metadata".into());
    }
    let (line, _) = split(code).ok_or("Invalid library metadata")?;
    let parts = words::split(line).map_err(|_| "Invalid library metadata")?;
    let Some((engine, options)) = parts.split_first() else {
        return Err("Invalid library metadata".into());
    };
    let mut name = None;
    for option in options {
        let value = option
            .split_at_checked(b"name=".len())
            .filter(|(key, _)| key.eq_ignore_ascii_case(b"name="));
        match (value, &name) {
            (Some(_), Some(_)) => {
                return Err(
                    "Invalid metadata value, name argument was given multiple times".into(),
                );
            }
            (Some((_, value)), None) => name = Some(value.to_vec()),
            (None, _) => {
                let option = text_of(option);
                return Err(format!("Invalid metadata value given: {option}"));
            }
        }
    }
    let name = name.ok_or("Library name was not given")?;
    if !is_name(&name) {
        return Err(BAD_NAME.into());
    }
    let engine = engine.strip_prefix(b"#!").unwrap_or_default();
    if !engine.eq_ignore_ascii_case(b"lua") {
        let engine = text_of(engine);
        return Err(format!("Engine '{engine}' not found"));
    }
    Ok((name, line.len()))
}

/// What Redis says of a name that is none, of a library as of a function.
pub(super) const BAD_NAME: &str = "Library names can only contain letters, numbers, or underscores(_) and must be at \
                                   least one character long";

/// Whether a library or function may be called so.
pub fn is_name(name: &[u8]) -> bool {
    let is_right = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    !name.is_empty() && name.iter().all(is_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_declare_their_flags() {
        assert_eq!(of_script(b"return 1"), Ok((ScriptFlags::UNDECLARED, 0)));
        let (flags, skip) = of_script(b"#!lua flags=no-writes,allow-stale\nreturn 1").unwrap();
        assert_eq!(skip, 33);
        assert!(flags.has(ScriptFlags::NO_WRITES) && flags.has(ScriptFlags::ALLOW_STALE));
        assert!(!flags.has(ScriptFlags::ALLOW_OOM) && !flags.has(ScriptFlags::UNDECLARED));
        assert_eq!(of_script(b"#!lua"), Err("Invalid script shebang".into()));
        let unknown = "Unexpected engine in script shebang: #!not-lua";
        assert_eq!(of_script(b"#!not-lua\n"), Err(unknown.into()));
        let unknown = "Unknown lua shebang option: badger=data";
        assert_eq!(of_script(b"#!lua badger=data\n"), Err(unknown.into()));
        let unknown = "Unexpected flag in script shebang: x";
        assert_eq!(of_script(b"#!lua flags=x\n"), Err(unknown.into()));
    }

    #[test]
    fn libraries_have_names() {
        assert_eq!(
            of_library(b"#!LUA NAME=a_1\ncode"),
            Ok((b"a_1".to_vec(), 14))
        );
        let bad: [(&[u8], &str); 6] = [
            (b"code", "Missing library metadata"),
            (b"#!lua name=a", "Invalid library metadata"),
            (b"#!lua\n", "Library name was not given"),
            (b"#!js name=a\n", "Engine 'js' not found"),
            (b"#!lua name=a x=1\n", "Invalid metadata value given: x=1"),
            (b"#!lua name=a-b\n", BAD_NAME),
        ];
        for (code, error) in bad {
            assert_eq!(of_library(code), Err(error.into()));
        }
    }
}
