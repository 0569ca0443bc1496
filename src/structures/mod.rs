//! Values and their encodings: bytes and order. Nothing here knows a key, an expiry, a reply or a clock.

pub mod bitfield;
pub mod bits;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod lcs;
pub mod list;
pub mod listpack;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod table;
pub mod text;

use bytes::Bytes;

use self::hash::Hash;
use self::list::List;
use self::set::Set;
use self::sorted_set::SortedSet;
use self::stream::Stream;

/// A value too big or too rich to live inside its entry.
#[derive(Debug, Clone)]
pub enum Object {
    /// A long string, shared so that a reply can carry it without copying under the shard's lock.
    Bytes(Bytes),
    /// Fields with values.
    Hash(Hash),
    /// Elements in order.
    List(List),
    /// Members without order.
    Set(Set),
    /// Members in the order of their scores.
    SortedSet(SortedSet),
    /// Entries in the order of their ids, and who has read them.
    Stream(Stream),
}

impl Object {
    /// The bytes of a string; `None` for other types.
    pub fn as_string(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The bytes of a string, to be changed; `None` for other types.
    pub fn as_string_mut(&mut self) -> Option<&mut Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The type, as Redis names it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "string",
            Self::Hash(_) => "hash",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::SortedSet(_) => "zset",
            Self::Stream(_) => "stream",
        }
    }

    /// The encoding, as Redis names it.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "raw",
            Self::Hash(hash) => hash.encoding(),
            Self::List(list) => list.encoding(),
            Self::Set(set) => set.encoding(),
            Self::SortedSet(sorted_set) => sorted_set.encoding(),
            Self::Stream(stream) => stream.encoding(),
        }
    }

    /// Bytes of all its allocations.
    pub fn allocated(&self) -> usize {
        let own = match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Hash(hash) => hash.allocated(),
            Self::List(list) => list.allocated(),
            Self::Set(set) => set.allocated(),
            Self::SortedSet(sorted_set) => sorted_set.allocated(),
            Self::Stream(stream) => stream.allocated(),
        };
        size_of::<Self>() + own
    }

    /// About how many small allocations freeing takes. Giving back a long string's pages counts, too.
    pub fn free_effort(&self) -> usize {
        match self {
            Self::Bytes(bytes) => 1 + bytes.len() / (16 * 1024),
            Self::Hash(hash) => hash.free_effort(),
            Self::List(list) => list.free_effort(),
            Self::Set(set) => set.free_effort(),
            Self::SortedSet(sorted_set) => sorted_set.free_effort(),
            Self::Stream(stream) => stream.free_effort(),
        }
    }
}

impl Object {
    /// The deadline before which no part of the value goes; `None` when none does.
    pub fn next_deadline(&self) -> Option<u32> {
        match self {
            Self::Hash(hash) => hash.next_deadline(),
            _ => None,
        }
    }
}

/// A type of value other than strings: how it is told apart.
pub trait Structure: Default {
    /// The structure, if this is one.
    fn of(object: &Object) -> Option<&Self>;
    /// The structure to be changed, if this is one.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
    /// A value of this type.
    fn into_object(self) -> Object;
    /// Whether it has no element. A key whose value is empty does not exist.
    fn is_empty(&self) -> bool;
}

macro_rules! structure {
    ($($kind:ident),*) => {$(
        impl Structure for $kind {
            #[inline]
            fn of(object: &Object) -> Option<&Self> {
                match object {
                    Object::$kind(value) => Some(value),
                    _ => None,
                }
            }

            #[inline]
            fn of_mut(object: &mut Object) -> Option<&mut Self> {
                match object {
                    Object::$kind(value) => Some(value),
                    _ => None,
                }
            }

            fn into_object(self) -> Object {
                Object::$kind(self)
            }

            #[inline]
            fn is_empty(&self) -> bool {
                $kind::is_empty(self)
            }
        }
    )*};
}

structure!(Hash, List, Set, SortedSet, Stream);
