//! Why a function of a library gives up, and Lua's own texts for it.

use super::stack::Kind;

/// Why a function of a library gives up.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// A text, raised with the caller's place in front.
    Error(Vec<u8>),
    /// A text raised as it stands.
    Bare(&'static str),
    /// `bad argument #n to 'function' (text)`.
    Argument(i32, Vec<u8>),
}

impl Failure {
    pub fn error(text: impl Into<Vec<u8>>) -> Self {
        Self::Error(text.into())
    }

    pub fn argument(number: i32, text: impl Into<Vec<u8>>) -> Self {
        Self::Argument(number, text.into())
    }
}

/// Lua's own text for a stack that cannot grow.
pub fn overflow(why: &str) -> Failure {
    Failure::error(format!("stack overflow ({why})"))
}

/// Lua's own text for an argument of the wrong type.
pub fn wrong_type(number: i32, expected: &str, found: Kind) -> Failure {
    Failure::argument(number, format!("{expected} expected, got {}", found.name()))
}
