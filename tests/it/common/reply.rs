//! Replies of RESP2 and RESP3 as values, kept apart as they are on the wire: three kinds of null, map and array.

use std::fmt;

/// One reply.
#[derive(Clone, PartialEq)]
pub enum Reply {
    /// `+`
    Simple(String),
    /// `-`, without the sign
    Error(String),
    /// `:`
    Integer(i64),
    /// `$`
    Bulk(Vec<u8>),
    /// `*`
    Array(Vec<Reply>),
    /// `$-1`
    NullBulk,
    /// `*-1`
    NullArray,
    /// `_`
    Null,
    /// `%`
    Map(Vec<(Reply, Reply)>),
    /// `~`
    Set(Vec<Reply>),
    /// `,`
    Double(f64),
    /// `#`
    Bool(bool),
    /// `=`: the format of three letters, the text
    Verbatim(String, Vec<u8>),
    /// `(`
    BigNumber(String),
    /// `>`
    Push(Vec<Reply>),
    /// `|`: stands before the reply that it belongs to
    Attribute(Vec<(Reply, Reply)>),
}

/// `+OK`
pub fn ok() -> Reply {
    simple("OK")
}

/// `+QUEUED`
pub fn queued() -> Reply {
    simple("QUEUED")
}

/// A simple string.
pub fn simple(text: &str) -> Reply {
    Reply::Simple(text.to_string())
}

/// An error, with its code word and without the minus sign.
pub fn error(text: &str) -> Reply {
    Reply::Error(text.to_string())
}

/// An integer.
pub fn integer(value: i64) -> Reply {
    Reply::Integer(value)
}

/// A bulk string.
pub fn bulk(value: impl AsRef<[u8]>) -> Reply {
    Reply::Bulk(value.as_ref().to_vec())
}

/// An array.
pub fn array(items: impl IntoIterator<Item = Reply>) -> Reply {
    Reply::Array(items.into_iter().collect())
}

impl Reply {
    /// The text of a string of any kind, or of an error.
    #[track_caller]
    pub fn text(&self) -> String {
        match self {
            Reply::Simple(text) | Reply::Error(text) | Reply::BigNumber(text) => text.clone(),
            Reply::Bulk(bytes) | Reply::Verbatim(_, bytes) => {
                String::from_utf8_lossy(bytes).into_owned()
            }
            other => panic!("not a string: {other:?}"),
        }
    }

    /// The value of an integer.
    #[track_caller]
    pub fn number(&self) -> i64 {
        match self {
            Reply::Integer(value) => *value,
            other => panic!("not an integer: {other:?}"),
        }
    }

    /// The items of an array, a set or a push.
    #[track_caller]
    pub fn items(self) -> Vec<Reply> {
        match self {
            Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => items,
            other => panic!("not an array: {other:?}"),
        }
    }

    /// The pairs of a map.
    #[track_caller]
    pub fn pairs(self) -> Vec<(Reply, Reply)> {
        match self {
            Reply::Map(pairs) | Reply::Attribute(pairs) => pairs,
            other => panic!("not a map: {other:?}"),
        }
    }

    /// True for each of the three nulls.
    pub fn is_null(&self) -> bool {
        matches!(self, Reply::Null | Reply::NullBulk | Reply::NullArray)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Simple(text) => write!(f, "+{text}"),
            Reply::Error(text) => write!(f, "-{text}"),
            Reply::Integer(value) => write!(f, ":{value}"),
            Reply::Bulk(bytes) => write_bytes(f, bytes),
            Reply::Array(items) => f.debug_list().entries(items).finish(),
            Reply::NullBulk => f.write_str("$-1"),
            Reply::NullArray => f.write_str("*-1"),
            Reply::Null => f.write_str("_"),
            Reply::Map(pairs) => write_pairs(f, "%", pairs),
            Reply::Set(items) => write_items(f, "~", items),
            Reply::Double(value) => write!(f, ",{value}"),
            Reply::Bool(value) => write!(f, "#{value}"),
            Reply::Verbatim(format, bytes) => {
                write!(f, "={format}:")?;
                write_bytes(f, bytes)
            }
            Reply::BigNumber(text) => write!(f, "({text}"),
            Reply::Push(items) => write_items(f, ">", items),
            Reply::Attribute(pairs) => write_pairs(f, "|", pairs),
        }
    }
}

/// Long values are shown by their beginning and their length, so that a failure stays readable.
fn write_bytes(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    const SHOWN: usize = 400;
    match bytes.get(..SHOWN) {
        Some(start) => write!(f, "\"{}\"… ({} bytes)", start.escape_ascii(), bytes.len()),
        None => write!(f, "\"{}\"", bytes.escape_ascii()),
    }
}

fn write_items(f: &mut fmt::Formatter<'_>, sign: &str, items: &[Reply]) -> fmt::Result {
    f.write_str(sign)?;
    f.debug_list().entries(items).finish()
}

fn write_pairs(f: &mut fmt::Formatter<'_>, sign: &str, pairs: &[(Reply, Reply)]) -> fmt::Result {
    f.write_str(sign)?;
    f.debug_map()
        .entries(pairs.iter().map(|(key, value)| (key, value)))
        .finish()
}
