//! One key with its value in one allocation.
//!
//! ```text
//! 0       1       2        5         6           8
//! | kind  | flags | access | key len | value len | [expiry i64] [word] [key len u32] key [inline value]
//! ```
//! `word` is there when the value is an integer or a pointer to an [`Object`]; the expiry when the key has one; the long
//! key length when the key does not fit a byte. The size of the allocation follows from the header alone. Inline values are
//! short strings and the bytes of a [`Small`] hash or set.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

use bytes::Bytes;

use crate::base::alloc::size_class;
use crate::structures::table::{Element, same_key};
use crate::structures::{Object, ObjectRef, Small};

/// Strings shorter than this live inside their entry; longer ones are shared [`Bytes`].
pub const MAX_INLINE: usize = 16 * 1024;

const HEADER: usize = 8;
const WORD: usize = 8;

const KIND_INLINE: u8 = 0;
const KIND_INT: u8 = 1;
const KIND_OBJECT: u8 = 2;
/// This and the kinds behind it: small values of the kinds that [`Small`] counts.
const KIND_SMALL: u8 = 3;

const FLAG_EXPIRES: u8 = 1;
const FLAG_LONG_KEY: u8 = 2;
const FLAG_RAW: u8 = 4;

/// A value on its way into an entry.
#[derive(Debug)]
pub enum Value<'a> {
    /// A string that is the canonical form of an integer.
    Int(i64),
    /// A string of any length.
    Str(&'a [u8]),
    /// A value of a few bytes.
    Small(Small<'a>),
    /// A value with a structure of its own; a small one is stored as such.
    Object(Box<Object>),
}

impl<'a> Value<'a> {
    /// The value of a string as SET stores it: integers as integers.
    #[inline]
    pub fn of_string(text: &'a [u8]) -> Self {
        match crate::base::numbers::parse_i64(text) {
            Some(number) => Self::Int(number),
            None => Self::Str(text),
        }
    }
}

/// A value in place.
#[derive(Debug, Clone, Copy)]
pub enum ValueRef<'a> {
    /// A string stored as an integer.
    Int(i64),
    /// A string stored inside the entry.
    Inline(&'a [u8]),
    /// Anything with a structure of its own.
    Object(ObjectRef<'a>),
}

/// A value in place, to be changed.
#[derive(Debug)]
pub enum ValueMut<'a> {
    /// A string stored as an integer.
    Int(&'a mut i64),
    /// A string stored inside the entry; its length is fixed.
    Inline(&'a mut [u8]),
    /// A small value, which is changed in a copy.
    Small,
    /// Anything with a structure of its own.
    Object(&'a mut Object),
}

/// Whether entries of a kind have a word.
#[inline]
fn has_word(kind: u8) -> bool {
    matches!(kind, KIND_INT | KIND_OBJECT)
}

#[derive(Clone, Copy)]
struct Header {
    kind: u8,
    flags: u8,
    access: [u8; 3],
    key_len: u8,
    value_len: u16,
}

/// Where the parts of an entry lie, and how much it allocates.
struct Shape {
    word: usize,
    long_len: usize,
    key: usize,
    value: usize,
    end: usize,
}

impl Shape {
    #[inline]
    fn of(flags: u8, kind: u8, key_len: usize, value_len: usize) -> Self {
        let word = HEADER + if flags & FLAG_EXPIRES != 0 { WORD } else { 0 };
        let long_len = word + if has_word(kind) { WORD } else { 0 };
        let key = long_len + if flags & FLAG_LONG_KEY != 0 { 4 } else { 0 };
        let value = key + key_len;
        Self {
            word,
            long_len,
            key,
            value,
            end: value + value_len,
        }
    }

    /// The allocation: the end rounded up to what the allocator hands out anyway, so that a value which grows a little stays
    /// where it is.
    #[inline]
    fn layout(&self) -> Layout {
        let size = size_class(self.end);
        debug_assert!(size <= isize::MAX as usize - 8);
        // SAFETY: the alignment is a power of two and the size, at most a key of 4 GiB and 16 KiB, is far below isize::MAX.
        unsafe { Layout::from_size_align_unchecked(size, 8) }
    }
}

/// An owned entry.
pub struct Entry {
    pointer: NonNull<u8>,
}

// SAFETY: an entry owns all it points to, and Object is Send.
unsafe impl Send for Entry {}

impl Entry {
    /// Makes an entry; `access` is the 24-bit field of LRU or LFU, `expires_at` in Unix milliseconds.
    #[inline]
    pub fn new(key: &[u8], value: Value<'_>, expires_at: Option<i64>, access: u32) -> Self {
        match value {
            Value::Str(text) if text.len() >= MAX_INLINE => {
                let object = Box::new(Object::Bytes(Bytes::copy_from_slice(text)));
                Self::assemble(key, Value::Object(object), expires_at, access)
            }
            Value::Object(object) => match object.small() {
                Some(small) => Self::assemble(key, Value::Small(small), expires_at, access),
                None => Self::assemble(key, Value::Object(object), expires_at, access),
            },
            other => Self::assemble(key, other, expires_at, access),
        }
    }

    /// Makes an entry of a value in the form in which it is stored.
    #[inline]
    fn assemble(key: &[u8], value: Value<'_>, expires_at: Option<i64>, access: u32) -> Self {
        let (kind, inline): (u8, &[u8]) = match &value {
            Value::Int(_) => (KIND_INT, &[]),
            Value::Str(text) => (KIND_INLINE, text),
            Value::Small(small) => (KIND_SMALL + small.kind(), small.bytes()),
            Value::Object(_) => (KIND_OBJECT, &[]),
        };
        let mut flags = 0;
        if expires_at.is_some() {
            flags |= FLAG_EXPIRES;
        }
        if key.len() > u8::MAX as usize {
            flags |= FLAG_LONG_KEY;
        }
        let shape = Shape::of(flags, kind, key.len(), inline.len());
        let layout = shape.layout();
        // SAFETY: the layout is never of size zero: it holds the header.
        let Some(pointer) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        let access = access.to_le_bytes();
        let header = Header {
            kind,
            flags,
            access: [access[0], access[1], access[2]],
            key_len: key.len().min(u8::MAX as usize) as u8,
            value_len: inline.len() as u16,
        };
        // SAFETY: all offsets come from the shape that sized this fresh allocation.
        unsafe {
            let base = pointer.as_ptr();
            base.cast::<Header>().write(header);
            if let Some(expires_at) = expires_at {
                base.add(HEADER).cast::<i64>().write(expires_at);
            }
            if flags & FLAG_LONG_KEY != 0 {
                base.add(shape.long_len)
                    .cast::<u32>()
                    .write(key.len() as u32);
            }
            base.add(shape.key)
                .copy_from_nonoverlapping(key.as_ptr(), key.len());
            base.add(shape.value)
                .copy_from_nonoverlapping(inline.as_ptr(), inline.len());
            match value {
                Value::Int(number) => base.add(shape.word).cast::<i64>().write(number),
                Value::Object(object) => base.add(shape.word).cast::<Box<Object>>().write(object),
                Value::Str(_) | Value::Small(_) => {}
            }
        }
        Self { pointer }
    }

    /// Looks at the entry.
    pub fn view(&self) -> EntryRef<'_> {
        // SAFETY: the entry is alive and borrowed for as long as the view.
        unsafe { EntryRef::from_raw(self.pointer) }
    }

    /// The same value under another key or with another expiry, in a new allocation; a structure is moved, not copied.
    pub fn rebuilt(self, key: &[u8], expires_at: Option<i64>) -> Self {
        let (access, is_raw) = (self.view().access(), self.view().is_raw());
        let mut entry = match self.view().movable() {
            Some(value) => Self::new(key, value, expires_at, access),
            None => Self::assemble(key, Value::Object(self.into_object()), expires_at, access),
        };
        if is_raw {
            entry.exclusive().set_raw();
        }
        entry
    }

    /// Takes the structure out and frees the rest.
    fn into_object(self) -> Box<Object> {
        let shape = self.view().shape();
        let base = self.into_raw().as_ptr();
        // SAFETY: only called on objects; the object is moved out before its entry is freed without dropping it.
        unsafe {
            let object = base.add(shape.word).cast::<Box<Object>>().read();
            dealloc(base, shape.layout());
            object
        }
    }

    /// The entry, to be changed.
    pub fn exclusive(&mut self) -> EntryMut<'_> {
        // SAFETY: the entry is alive and borrowed exclusively.
        unsafe { EntryMut::from_raw(self.pointer) }
    }
}

// SAFETY: an entry is one allocation aligned to 8; its key is written once, and whether it has an expiry, too.
unsafe impl Element for Entry {
    type Ref<'a> = EntryRef<'a>;
    type Mut<'a> = EntryMut<'a>;

    #[inline]
    fn borrowed(&self) -> EntryRef<'_> {
        self.view()
    }

    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        let pointer = self.pointer;
        std::mem::forget(self);
        pointer
    }

    #[inline]
    unsafe fn from_raw(pointer: NonNull<u8>) -> Self {
        Self { pointer }
    }

    #[inline]
    unsafe fn view<'a>(pointer: NonNull<u8>) -> EntryRef<'a> {
        // SAFETY: the caller's promise is the same.
        unsafe { EntryRef::from_raw(pointer) }
    }

    #[inline]
    unsafe fn exclusive<'a>(pointer: NonNull<u8>) -> EntryMut<'a> {
        // SAFETY: the caller's promise is the same.
        unsafe { EntryMut::from_raw(pointer) }
    }

    #[inline]
    fn key<'a>(entry: EntryRef<'a>) -> &'a [u8]
    where
        Self: 'a,
    {
        entry.key()
    }

    #[inline]
    fn is_volatile(entry: EntryRef<'_>) -> bool {
        entry.expires_at().is_some()
    }

    #[inline]
    fn has_volatile_parts(entry: EntryRef<'_>) -> bool {
        entry.parts_deadline().is_some()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let view = self.view();
        let (kind, shape) = (view.header().kind, view.shape());
        // SAFETY: the shape is the one that the entry was allocated with; the object is dropped once, here.
        unsafe {
            if kind == KIND_OBJECT {
                self.pointer
                    .as_ptr()
                    .add(shape.word)
                    .cast::<Box<Object>>()
                    .drop_in_place();
            }
            dealloc(self.pointer.as_ptr(), shape.layout());
        }
    }
}

/// A shared look at an entry in the table.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    pointer: NonNull<u8>,
    lifetime: PhantomData<&'a Entry>,
}

impl<'a> EntryRef<'a> {
    /// # Safety
    /// The pointer is a live entry that nobody changes or frees during `'a`.
    #[inline]
    pub(super) unsafe fn from_raw(pointer: NonNull<u8>) -> Self {
        Self {
            pointer,
            lifetime: PhantomData,
        }
    }

    #[inline]
    fn header(self) -> Header {
        // SAFETY: every entry begins with its header.
        unsafe { self.pointer.as_ptr().cast::<Header>().read() }
    }

    #[inline]
    fn key_len(self, header: Header) -> usize {
        if header.flags & FLAG_LONG_KEY == 0 {
            return header.key_len as usize;
        }
        let at = Shape::of(header.flags, header.kind, 0, 0).long_len;
        // SAFETY: the flag says that the length is there.
        unsafe { self.pointer.as_ptr().add(at).cast::<u32>().read() as usize }
    }

    #[inline]
    fn shape(self) -> Shape {
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
    fn object(self) -> Option<&'a Object> {
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
    fn movable(self) -> Option<Value<'a>> {
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

/// An exclusive look at an entry in the table.
pub struct EntryMut<'a> {
    view: EntryRef<'a>,
    lifetime: PhantomData<&'a mut Entry>,
}

impl<'a> EntryMut<'a> {
    /// # Safety
    /// The pointer is a live entry that nobody else touches during `'a`.
    #[inline]
    pub(super) unsafe fn from_raw(pointer: NonNull<u8>) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(entry: &Entry) -> Vec<u8> {
        match entry.view().value() {
            ValueRef::Int(number) => number.to_string().into_bytes(),
            ValueRef::Inline(text) => text.to_vec(),
            ValueRef::Object(object) => object.as_string().expect("a string").to_vec(),
        }
    }

    #[test]
    fn sizes_are_tight() {
        let entry = Entry::new(
            b"key:000000000000",
            Value::Str(b"xxxxxxxxxxxxxxxx"),
            None,
            0,
        );
        assert_eq!(entry.view().allocated(), 40);
        let entry = Entry::new(
            b"key:000000000000",
            Value::Str(b"xxxxxxxxxxxxxxxx"),
            Some(1),
            0,
        );
        assert_eq!(entry.view().allocated(), 48);
        let entry = Entry::new(b"key:000000000000", Value::Str(&[b'x'; 100]), None, 0);
        assert_eq!(entry.view().allocated(), 128);
    }

    proptest! {
        #[test]
        fn an_entry_gives_back_what_it_was_given(
            key in prop::collection::vec(any::<u8>(), 0..600),
            value in prop_oneof![prop::collection::vec(any::<u8>(), 0..300), prop::collection::vec(any::<u8>(), 16_000..17_000)],
            next in prop::collection::vec(any::<u8>(), 0..300),
            expires_at: Option<i64>,
            access in 0u32..1 << 24,
        ) {
            let mut entry = Entry::new(&key, Value::of_string(&value), expires_at, access);
            prop_assert_eq!(entry.view().key(), &key[..]);
            prop_assert_eq!(text(&entry), &value[..]);
            prop_assert_eq!(entry.view().expires_at(), expires_at);
            prop_assert_eq!(entry.view().access(), access);
            entry = entry.rebuilt(&next, Some(7));
            prop_assert_eq!(entry.view().key(), &next[..]);
            prop_assert_eq!(text(&entry), &value[..]);
            prop_assert_eq!(entry.view().expires_at(), Some(7));
            if entry.exclusive().overwrite(&Value::Str(&next)) {
                prop_assert_eq!(text(&entry), &next[..]);
            }
            let before = text(&entry);
            if entry.exclusive().lengthen(before.len() + next.len()) {
                prop_assert_eq!(text(&entry), [before, vec![0; next.len()]].concat());
                prop_assert_eq!(entry.view().expires_at(), Some(7));
            }
        }
    }
}
