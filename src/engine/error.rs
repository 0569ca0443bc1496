//! What a command may answer instead of a result. The texts are Redis's, code word included.

use std::borrow::Cow;

use thiserror::Error;

use crate::keyspace::WrongType;

/// An error reply; its text is the line that the client sees, without the leading `-`. It fits two registers, so that the
/// commands that do not fail pay nothing for it: what has contents is boxed.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CommandError {
    #[error("ERR syntax error")]
    Syntax,
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    #[error("ERR value is not an integer or out of range")]
    NotInteger,
    #[error("ERR value is not a valid float")]
    NotFloat,
    #[error("ERR value is out of range, must be positive")]
    NotPositive,
    #[error("ERR value is out of range")]
    OutOfRange,
    #[error("ERR no such key")]
    NoSuchKey,
    #[error("ERR increment or decrement would overflow")]
    Overflow,
    #[error("ERR increment would produce NaN or Infinity")]
    NotFinite,
    #[error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")]
    TooLong,
    #[error("ERR offset is out of range")]
    OffsetOutOfRange,
    #[error("ERR DB index is out of range")]
    DatabaseOutOfRange,
    #[error("ERR invalid DB index")]
    InvalidDatabase,
    #[error("ERR source and destination objects are the same")]
    SameObject,
    #[error("ERR invalid cursor")]
    InvalidCursor,
    #[error("ERR invalid expire time in '{0}' command")]
    InvalidExpire(Box<String>),
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arity(Box<String>),
    #[error("NOAUTH Authentication required.")]
    NoAuth,
    #[error("WRONGPASS invalid username-password pair or user is disabled.")]
    WrongPass,
    #[error("LOADING Redis is loading the dataset in memory")]
    Loading,
    #[error("OOM command not allowed when used memory > 'maxmemory'.")]
    OutOfMemory,
    #[error("EXECABORT Transaction discarded because of previous errors.")]
    ExecAbort,
    #[error("ERR Command not allowed inside a transaction")]
    NotInTransaction,
    /// Any other line.
    #[error("{0}")]
    Other(Box<Cow<'static, str>>),
    /// A line that quotes what a client sent, which need not be text.
    #[error("{}", String::from_utf8_lossy(.0))]
    Quoting(Box<Vec<u8>>),
}

impl From<WrongType> for CommandError {
    fn from(_: WrongType) -> Self {
        Self::WrongType
    }
}

impl CommandError {
    /// A line that is written once, where it is used.
    #[cold]
    pub fn text(text: &'static str) -> Self {
        Self::Other(Box::new(Cow::Borrowed(text)))
    }

    /// A line that quotes a client's word, as Redis does: up to its first zero byte.
    pub fn quoting(before: &str, word: &[u8], after: &str) -> Self {
        Self::Quoting(Box::new(
            [before.as_bytes(), printable(word), after.as_bytes()].concat(),
        ))
    }

    /// The wrong number of arguments for a command.
    #[cold]
    pub fn arity(command: &str) -> Self {
        Self::Arity(Box::new(command.to_owned()))
    }

    /// The line, without the leading `-`.
    pub fn line(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Quoting(line) => Cow::Borrowed(line),
            Self::Other(line) => Cow::Borrowed(line.as_bytes()),
            error => Cow::Owned(error.to_string().into_bytes()),
        }
    }

    /// A line with something filled in.
    #[cold]
    pub fn message(text: String) -> Self {
        Self::Other(Box::new(Cow::Owned(text)))
    }
}

/// What Redis quotes of a word: what stands before its first zero byte.
pub(super) fn printable(word: &[u8]) -> &[u8] {
    word.split(|byte| *byte == 0).next().unwrap_or_default()
}
