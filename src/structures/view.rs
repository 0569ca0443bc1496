//! Values to be read, wherever their bytes lie.

use bytes::Bytes;

use super::Object;
use super::hash;
use super::list::List;
use super::listpack::Pack;
use super::set;
use super::set::intset::Ints;
use super::sorted_set::SortedSet;
use super::stream::Stream;

/// Small values are at most so many bytes: each change copies them.
pub const MAX_SMALL: usize = 512;

/// A value that is a few bytes, which lie beside its key instead of in an allocation of their own.
#[derive(Debug, Clone, Copy)]
pub enum Small<'a> {
    /// A hash without deadlines.
    Hash(Pack<'a>),
    /// A set of members of any kind.
    Set(Pack<'a>),
    /// A set of integers.
    Ints(Ints<'a>),
}

impl<'a> Small<'a> {
    /// How many kinds of small values there are.
    pub const KINDS: u8 = 3;

    /// Which kind it is: below [`Small::KINDS`].
    #[inline]
    pub fn kind(self) -> u8 {
        match self {
            Self::Hash(_) => 0,
            Self::Set(_) => 1,
            Self::Ints(_) => 2,
        }
    }

    /// The value of a kind whose bytes these are.
    #[inline]
    pub fn of_bytes(kind: u8, bytes: &'a [u8]) -> Self {
        match kind {
            0 => Self::Hash(Pack::of_bytes(bytes)),
            1 => Self::Set(Pack::of_bytes(bytes)),
            _ => Self::Ints(Ints::of_bytes(bytes)),
        }
    }

    /// Its bytes.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Hash(pack) | Self::Set(pack) => pack.bytes(),
            Self::Ints(ints) => ints.bytes(),
        }
    }

    /// The value, to be read.
    #[inline]
    pub fn view(self) -> ObjectRef<'a> {
        match self {
            Self::Hash(pack) => ObjectRef::Hash(hash::View::Packed(pack)),
            Self::Set(pack) => ObjectRef::Set(set::View::Packed(pack)),
            Self::Ints(ints) => ObjectRef::Set(set::View::Ints(ints)),
        }
    }

    /// Nothing, if there are too many bytes for it.
    #[inline]
    pub(super) fn if_small(self) -> Option<Self> {
        (self.bytes().len() <= MAX_SMALL).then_some(self)
    }
}

/// An [`Object`], or a small value of its kind, to be read.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub enum ObjectRef<'a> {
    Bytes(&'a Bytes),
    Hash(hash::View<'a>),
    List(&'a List),
    Set(set::View<'a>),
    SortedSet(&'a SortedSet),
    Stream(&'a Stream),
}

impl<'a> ObjectRef<'a> {
    /// The bytes of a string; `None` for other types.
    pub fn as_string(self) -> Option<&'a Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The type, as Redis names it.
    pub fn type_name(self) -> &'static str {
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
    pub fn encoding(self) -> &'static str {
        match self {
            Self::Bytes(_) => "raw",
            Self::Hash(hash) => hash.encoding(),
            Self::List(list) => list.encoding(),
            Self::Set(set) => set.encoding(),
            Self::SortedSet(sorted_set) => sorted_set.encoding(),
            Self::Stream(stream) => stream.encoding(),
        }
    }

    /// About how many small allocations freeing takes. Giving back a long string's pages counts, too.
    pub fn free_effort(self) -> usize {
        match self {
            Self::Bytes(bytes) => 1 + bytes.len() / (16 * 1024),
            Self::Hash(hash) => hash.free_effort(),
            Self::List(list) => list.free_effort(),
            Self::Set(set) => set.free_effort(),
            Self::SortedSet(sorted_set) => sorted_set.free_effort(),
            Self::Stream(stream) => stream.free_effort(),
        }
    }

    /// Whether it is worth the trouble to [bring](ObjectRef::prefetch) elements into the cache: small values come as a whole.
    #[inline]
    pub fn is_spread_out(self) -> bool {
        match self {
            Self::Hash(hash) => matches!(hash, hash::View::Table(_)),
            Self::Set(set) => matches!(set, set::View::Table(_)),
            Self::SortedSet(sorted_set) => sorted_set.is_indexed(),
            _ => false,
        }
    }

    /// Brings what finding elements will look at into the cache; they are given by the [hashes](crate::base::hash::hash) of
    /// their names.
    pub fn prefetch(self, hashes: &[u64]) {
        match self {
            Self::Hash(hash::View::Table(fields)) => fields.prefetch(hashes),
            Self::Set(set::View::Table(members)) => members.prefetch(hashes),
            Self::SortedSet(sorted_set) => sorted_set.prefetch(hashes),
            _ => {}
        }
    }

    /// The deadline before which no part of the value goes; `None` when none does.
    pub fn next_deadline(self) -> Option<u32> {
        match self {
            Self::Hash(hash) => hash.next_deadline(),
            _ => None,
        }
    }

    /// Whether something within the value goes at some time.
    pub fn has_expiring_parts(self) -> bool {
        matches!(self, Self::Hash(hash) if hash.has_expiring())
    }
}

impl Object {
    /// The value, to be read.
    #[inline]
    pub fn view(&self) -> ObjectRef<'_> {
        match self {
            Self::Bytes(bytes) => ObjectRef::Bytes(bytes),
            Self::Hash(hash) => ObjectRef::Hash(hash.view()),
            Self::List(list) => ObjectRef::List(list),
            Self::Set(set) => ObjectRef::Set(set.view()),
            Self::SortedSet(sorted_set) => ObjectRef::SortedSet(sorted_set),
            Self::Stream(stream) => ObjectRef::Stream(stream),
        }
    }

    /// The value as a small one, if it is small.
    #[inline]
    pub fn small(&self) -> Option<Small<'_>> {
        match self {
            Self::Hash(hash) => super::Structure::small(hash),
            Self::Set(set) => super::Structure::small(set),
            _ => None,
        }
    }
}
