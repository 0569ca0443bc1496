//! An entry that is changed where it is.

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::{
    Entry, EntryRef, FLAG_EXPIRES, FLAG_RAW, HEADER, Header, KIND_INLINE, KIND_INT, KIND_OBJECT,
    KIND_SMALL, MAX_INLINE, Shape, Value, ValueMut,
};
use crate::base::alloc::size_class;
use crate::structures::Object;

/// An exclusive look at an entry in the table.
pub struct EntryMut<'a> {
    view: EntryRef<'a>,
    lifetime: PhantomData<&'a mut Entry>,
}

impl<'a> EntryMut<'a> {
    /// # Safety
    /// The pointer is a live entry that nobody else touches during `'a`.
    #[inline]
    pub(in crate::keyspace) unsafe fn from_raw(pointer: NonNull<u8>) -> Self {
        // SAFETY: exclusive access includes shared access.
        Self {
            view: unsafe { EntryRef::from_raw(pointer) },
            lifetime: PhantomData,
        }
    }

    /// The entry to be read.
    pub fn view(&self) -> EntryRef<'_> {
        self.view
    }

    /// The entry to be read, for as long as it could have been changed.
    #[inline]
    pub fn into_view(self) -> EntryRef<'a> {
        self.view
    }

    /// The value, to be changed without changing its length.
    pub fn value(self) -> ValueMut<'a> {
        let (header, shape) = (self.view.header(), self.view.shape());
        let base = self.view.pointer.as_ptr();
        // SAFETY: as in EntryRef::value, and the borrow is exclusive.
        unsafe {
            match header.kind {
                KIND_INLINE => ValueMut::Inline(std::slice::from_raw_parts_mut(
                    base.add(shape.value),
                    header.value_len as usize,
                )),
                KIND_INT => ValueMut::Int(&mut *base.add(shape.word).cast::<i64>()),
                KIND_OBJECT => ValueMut::Object(&mut *base.add(shape.word).cast::<Box<Object>>()),
                _ => ValueMut::Small,
            }
        }
    }

    /// Sets the 24-bit access field; writes only what differs, to leave the cache line clean.
    #[inline]
    pub fn set_access(&mut self, access: u32) {
        let mut header = self.view.header();
        let [a, b, c, _] = access.to_le_bytes();
        if header.access != [a, b, c] {
            header.access = [a, b, c];
            self.write(header);
        }
    }

    /// Marks a string as changed in place.
    pub fn set_raw(&mut self) {
        let mut header = self.view.header();
        if header.flags & FLAG_RAW == 0 {
            header.flags |= FLAG_RAW;
            self.write(header);
        }
    }

    /// Moves the expiry where the entry has one; false when it has none, and needs a new entry.
    pub fn move_expiry(&mut self, expires_at: i64) -> bool {
        let expires = self.view.header().flags & FLAG_EXPIRES != 0;
        if expires {
            // SAFETY: the flag says that the expiry follows the header.
            unsafe {
                self.view
                    .pointer
                    .as_ptr()
                    .add(HEADER)
                    .cast::<i64>()
                    .write(expires_at)
            };
        }
        expires
    }

    /// Makes a string longer, with zero bytes, where it takes the same allocation; false when it does not fit.
    pub fn lengthen(&mut self, len: usize) -> bool {
        let mut header = self.view.header();
        let shape = self.view.shape();
        let len = len.max(header.value_len as usize);
        let end = shape.value + len;
        if header.kind != KIND_INLINE
            || len >= MAX_INLINE
            || size_class(end) != size_class(shape.end)
        {
            return false;
        }
        // SAFETY: the new end lies in the same size class, thus in the allocation.
        unsafe {
            let base = self.view.pointer.as_ptr();
            base.add(shape.end).write_bytes(0, end - shape.end);
        }
        header.value_len = len as u16;
        self.write(header);
        true
    }

    /// Puts a value that is no object over one that takes the same allocation; false when it does not fit.
    #[inline]
    pub fn overwrite(&mut self, value: &Value<'_>) -> bool {
        let mut header = self.view.header();
        let shape = self.view.shape();
        let base = self.view.pointer.as_ptr();
        match value {
            Value::Int(number) if header.kind == KIND_INT => {
                // SAFETY: an integer's word is there.
                unsafe { base.add(shape.word).cast::<i64>().write(*number) };
            }
            Value::Str(text) if header.kind == KIND_INLINE && text.len() < MAX_INLINE => {
                if !self.put_inline(&mut header, &shape, text) {
                    return false;
                }
            }
            Value::Small(small) if header.kind >= KIND_SMALL => {
                if !self.put_inline(&mut header, &shape, small.bytes()) {
                    return false;
                }
                header.kind = KIND_SMALL + small.kind();
            }
            _ => return false,
        }
        header.flags &= !FLAG_RAW;
        self.write(header);
        true
    }

    /// Puts bytes over those of an inline value where they take the same allocation; false when they do not fit.
    #[inline]
    fn put_inline(&mut self, header: &mut Header, shape: &Shape, bytes: &[u8]) -> bool {
        let fits = size_class(shape.value + bytes.len()) == size_class(shape.end);
        if fits {
            header.value_len = bytes.len() as u16;
            let base = self.view.pointer.as_ptr();
            // SAFETY: the bytes fit the same size class, thus the allocation.
            unsafe { base.add(shape.value).copy_from(bytes.as_ptr(), bytes.len()) };
        }
        fits
    }

    #[inline]
    fn write(&mut self, header: Header) {
        // SAFETY: the borrow is exclusive and every entry begins with its header.
        unsafe { self.view.pointer.as_ptr().cast::<Header>().write(header) }
    }
}
