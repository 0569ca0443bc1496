//! Values and their encodings: bytes and order. Nothing here knows a key, an expiry, a reply or a clock.

pub mod lcs;
pub mod text;

use bytes::Bytes;

/// A value too big or too rich to live inside its entry.
#[derive(Debug, Clone)]
pub enum Object {
    /// A long string, shared so that a reply can carry it without copying under the shard's lock.
    Bytes(Bytes),
}

impl Object {
    /// The bytes of a string; `None` for other types.
    pub fn as_string(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
        }
    }

    /// The bytes of a string, to be changed; `None` for other types.
    pub fn as_string_mut(&mut self) -> Option<&mut Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
        }
    }

    /// The type, as Redis names it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "string",
        }
    }

    /// The encoding, as Redis names it.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "raw",
        }
    }

    /// Bytes of all its allocations.
    pub fn allocated(&self) -> usize {
        let own = match self {
            Self::Bytes(bytes) => bytes.len(),
        };
        size_of::<Self>() + own
    }

    /// About how many small allocations freeing takes. Giving back a long string's pages counts, too.
    pub fn free_effort(&self) -> usize {
        match self {
            Self::Bytes(bytes) => 1 + bytes.len() / (16 * 1024),
        }
    }
}
