//! An entry that is looked at.

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::{
    Entry, FLAG_EXPIRES, FLAG_LONG_KEY, FLAG_RAW, HEADER, Header, KIND_INLINE, KIND_INT,
    KIND_OBJECT, KIND_SMALL, Shape, Value, ValueRef,
};
use crate::structures::table::same_key;
use crate::structures::{Object, Small};

/// A shared look at an entry in the table.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    pub(super) pointer: NonNull<u8>,
    lifetime: PhantomData<&'a Entry>,
}

impl<'a> EntryRef<'a> {
    /// # Safety
    /// The pointer is a live entry that nobody changes or frees during `'a`.
    #[inline]
    pub(in crate::keyspace) unsafe fn from_raw(pointer: NonNull<u8>) -> Self {
        Self {
            pointer,
            lifetime: PhantomData,
        }
    }

    #[inline]
    pub(super) fn header(self) -> Header {
        // SAFETY: every entry begins with its header.
        unsafe { self.pointer.as_ptr().cast::<Header>().read() }
    }

    #[inline]
    pub(super) fn key_len(self, header: Header) -> usize {
        if header.flags & FLAG_LONG_KEY == 0 {
            return header.key_len as usize;
        }
        let at = Shape::of(header.flags, header.kind, 0, 0).long_len;
        // SAFETY: the flag says that the length is there.
        unsafe { self.pointer.as_ptr().add(at).cast::<u32>().read() as usize }
    }

    #[inline]
    pub(super) fn shape(self) -> Shape {
        let header = self.header();
        Shape::of(
            header.flags,
            header.kind,
            self.key_len(header),
            header.value_len as usize,
        )
    }

    /// The key.
    #[inline]
    pub fn key(self) -> &'a [u8] {
        let header = self.header();
        let at = Shape::of(header.flags, header.kind, 0, 0).key;
        // SAFETY: the header gives the key's place and length within the allocation.
        unsafe { std::slice::from_raw_parts(self.pointer.as_ptr().add(at), self.key_len(header)) }
    }

    /// Whether this is its key.
    #[inline]
    pub fn has_key(self, key: &[u8]) -> bool {
        same_key(self.key(), key)
    }

    /// The value.
    #[inline]
    pub fn value(self) -> ValueRef<'a> {
        let (header, shape) = (self.header(), self.shape());
        // SAFETY: the kind says what lies at the word or behind the key.
        unsafe {
            let base = self.pointer.as_ptr();
            let inline =
                || std::slice::from_raw_parts(base.add(shape.value), header.value_len as usize);
            match header.kind {
                KIND_INLINE => ValueRef::Inline(inline()),
                KIND_INT => ValueRef::Int(base.add(shape.word).cast::<i64>().read()),
                KIND_OBJECT => {
                    let object = &*base.add(shape.word).cast::<Box<Object>>();
                    ValueRef::Object(object.view())
                }
                kind => ValueRef::Object(Small::of_bytes(kind - KIND_SMALL, inline()).view()),
            }
        }
    }

    /// The value where it is a small one.
    #[inline]
    pub fn small(self) -> Option<Small<'a>> {
        let header = self.header();
        if header.kind < KIND_SMALL {
            return None;
        }
        let at = self.shape().value;
        // SAFETY: small values lie behind the key, so many bytes of them.
        let bytes = unsafe {
            std::slice::from_raw_parts(self.pointer.as_ptr().add(at), header.value_len as usize)
        };
        Some(Small::of_bytes(header.kind - KIND_SMALL, bytes))
    }

    /// Whether the value has allocations of its own.
    #[inline]
    pub fn is_object(self) -> bool {
        self.header().kind == KIND_OBJECT
    }

    /// The object where the value is one in an allocation of its own.
    pub(super) fn object(self) -> Option<&'a Object> {
        if self.header().kind != KIND_OBJECT {
            return None;
        }
        // SAFETY: such entries have a word, and it is this pointer.
        Some(unsafe {
            &*self
                .pointer
                .as_ptr()
                .add(self.shape().word)
                .cast::<Box<Object>>()
        })
    }

    /// The value as one for another entry, if it is no object.
    pub(super) fn movable(self) -> Option<Value<'a>> {
        match self.value() {
            ValueRef::Int(number) => Some(Value::Int(number)),
            ValueRef::Inline(text) => Some(Value::Str(text)),
            ValueRef::Object(_) => self.small().map(Value::Small),
        }
    }

    /// When the key expires, in Unix milliseconds.
    #[inline]
    pub fn expires_at(self) -> Option<i64> {
        // SAFETY: the flag says that the expiry follows the header.
        (self.header().flags & FLAG_EXPIRES != 0)
            .then(|| unsafe { self.pointer.as_ptr().add(HEADER).cast::<i64>().read() })
    }

    /// The deadline before which nothing within the value goes; `None` when nothing does.
    #[inline]
    pub fn parts_deadline(self) -> Option<u32> {
        self.object()?.view().next_deadline()
    }

    /// Whether something within the value goes at some time.
    pub fn has_expiring_parts(self) -> bool {
        let object = self.object();
        object.is_some_and(|object| object.view().has_expiring_parts())
    }

    /// The 24-bit access field.
    #[inline]
    pub fn access(self) -> u32 {
        let [a, b, c] = self.header().access;
        u32::from_le_bytes([a, b, c, 0])
    }

    /// Whether a string was changed in place, which Redis reports as encoding `raw` whatever its length.
    pub fn is_raw(self) -> bool {
        self.header().flags & FLAG_RAW != 0
    }

    /// A copy of the value under another key, with the same expiry.
    pub fn copied(self, key: &[u8], access: u32) -> Entry {
        let object = || {
            self.object()
                .map(|object| Value::Object(Box::new(object.clone())))
        };
        let value = self.movable().or_else(object).unwrap_or(Value::Str(b""));
        let mut entry = Entry::new(key, value, self.expires_at(), access);
        if self.is_raw() {
            entry.exclusive().set_raw();
        }
        entry
    }

    /// Bytes of the entry's own allocation.
    pub fn allocated(self) -> usize {
        self.shape().layout().size()
    }

    /// Bytes of its value's allocations.
    pub fn value_allocated(self) -> usize {
        self.object().map_or(0, Object::allocated)
    }
}
