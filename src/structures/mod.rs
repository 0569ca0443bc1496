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
mod view;

use bytes::Bytes;

use self::hash::Hash;
use self::list::List;
use self::listpack::PackBuf;
use self::set::Set;
use self::set::intset::IntSet;
use self::sorted_set::SortedSet;
use self::stream::Stream;
pub use self::view::{MAX_SMALL, ObjectRef, Small};

/// What a value has kept of what it was. It may be much: it is freed where nothing is locked.
pub type Kept = Box<dyn Send>;

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
    /// The bytes of a string, to be changed; `None` for other types.
    pub fn as_string_mut(&mut self) -> Option<&mut Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Has it keep nothing any longer of what it was when somebody began to look at it bit by bit; gives what it kept.
    pub fn forgive(&mut self) -> Option<Kept> {
        match self {
            Self::Hash(Hash::Table(fields)) => fields.forgive(),
            Self::Set(Set::Table(members)) => members.forgive(),
            Self::SortedSet(set) => set.forgive(),
            _ => None,
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
}

/// A type of value other than strings: how it is told apart.
pub trait Structure: Default {
    /// A value to be read.
    type View<'a>: Copy
    where
        Self: 'a;

    /// The structure, if this is one.
    fn of(object: ObjectRef<'_>) -> Option<Self::View<'_>>;
    /// The structure to be changed, if this is one.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
    /// A value of this type.
    fn into_object(self) -> Object;
    /// Whether it has no element. A key whose value is empty does not exist.
    fn is_empty(&self) -> bool;

    /// The structure as a small value, if it is one.
    #[inline]
    fn small(&self) -> Option<Small<'_>> {
        None
    }

    /// A small value of this type as a structure to be changed, if this is one; it lies in a buffer that was in use before.
    #[inline]
    fn of_small(_small: Small<'_>, _room: Vec<u8>) -> Option<Self> {
        None
    }

    /// Takes the buffer of a small value, to be used again; the value is lost.
    #[inline]
    fn take_room(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

macro_rules! structure {
    ($($kind:ident, $view:ty { $($rest:tt)* })*) => {$(
        impl Structure for $kind {
            type View<'a> = $view;

            #[inline]
            fn of(object: ObjectRef<'_>) -> Option<Self::View<'_>> {
                match object {
                    ObjectRef::$kind(value) => Some(value),
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

            $($rest)*
        }
    )*};
}

structure! {
    List, &'a Self {}
    SortedSet, &'a Self {}
    Stream, &'a Self {}
    Hash, hash::View<'a> {
        #[inline]
        fn small(&self) -> Option<Small<'_>> {
            match self {
                Self::Packed(pack) => Small::Hash(pack.view()).if_small(),
                _ => None,
            }
        }

        #[inline]
        fn of_small(small: Small<'_>, room: Vec<u8>) -> Option<Self> {
            match small {
                Small::Hash(pack) => Some(Self::Packed(PackBuf::copied(pack, room))),
                _ => None,
            }
        }

        #[inline]
        fn take_room(&mut self) -> Vec<u8> {
            match self {
                Self::Packed(pack) => pack.take_room(),
                _ => Vec::new(),
            }
        }
    }
    Set, set::View<'a> {
        #[inline]
        fn small(&self) -> Option<Small<'_>> {
            match self {
                Self::Packed(pack) => Small::Set(pack.view()).if_small(),
                Self::Ints(ints) => Small::Ints(ints.view()).if_small(),
                Self::Table(_) => None,
            }
        }

        #[inline]
        fn of_small(small: Small<'_>, room: Vec<u8>) -> Option<Self> {
            match small {
                Small::Set(pack) => Some(Self::Packed(PackBuf::copied(pack, room))),
                Small::Ints(ints) => Some(Self::Ints(IntSet::copied(ints, room))),
                Small::Hash(_) => None,
            }
        }

        #[inline]
        fn take_room(&mut self) -> Vec<u8> {
            match self {
                Self::Packed(pack) => pack.take_room(),
                Self::Ints(ints) => ints.take_room(),
                Self::Table(_) => Vec::new(),
            }
        }
    }
}
