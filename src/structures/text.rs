//! Long strings: shared bytes that are changed in place as long as nobody else holds them.

use std::slice;
use std::sync::atomic::{Ordering::Acquire, fence};

use bytes::{Bytes, BytesMut};

/// A string that outgrows its allocation gets this part of its length as room for more, so that a byte is copied a few
/// times only, however often something is appended.
const ROOM: usize = 4;

/// Changes the bytes of a string, which is first made as long as `len` with zero bytes if it is shorter. Whoever shares
/// the bytes keeps them as they were.
#[inline]
pub fn edit(bytes: &mut Bytes, len: usize, change: impl FnOnce(&mut [u8])) {
    if bytes.len() >= len && bytes.is_unique() {
        // What the last of the others did with them comes before.
        fence(Acquire);
        // SAFETY: nobody else refers to these bytes, as `try_into_mut` would find, too, and nobody can begin to while they
        // are borrowed exclusively. They were allocated to be written to: of what is not, `is_unique` is not true.
        let own = unsafe { slice::from_raw_parts_mut(bytes.as_ptr().cast_mut(), bytes.len()) };
        return change(own);
    }
    edit_copy(bytes, len, change);
}

#[inline(never)]
fn edit_copy(bytes: &mut Bytes, len: usize, change: impl FnOnce(&mut [u8])) {
    let mut own = match std::mem::take(bytes).try_into_mut() {
        Ok(own) if own.capacity() >= len => own,
        Ok(own) => copy(&own, len),
        Err(shared) => copy(&shared, len),
    };
    if own.len() < len {
        own.resize(len, 0);
    }
    change(&mut own);
    *bytes = own.freeze();
}

/// A copy with room for `len` bytes, and for some more where that is growth.
fn copy(bytes: &[u8], len: usize) -> BytesMut {
    let capacity = if len > bytes.len() {
        len.saturating_add(len / ROOM)
    } else {
        bytes.len()
    };
    let mut copy = BytesMut::with_capacity(capacity);
    copy.extend_from_slice(bytes);
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unshared_bytes_stay_where_they_are_until_they_are_full() {
        let mut bytes = Bytes::from(vec![b'x'; 20_000]);
        edit(&mut bytes, 20_001, |own| own[20_000] = b'y');
        let place = bytes.as_ptr();
        for len in 20_002..=25_000 {
            edit(&mut bytes, len, |own| own[len - 1] = b'y');
            assert_eq!((bytes.as_ptr(), bytes.len()), (place, len));
        }
        edit(&mut bytes, 26_000, |_| ());
        assert_ne!(bytes.as_ptr(), place);
        assert!(bytes[20_000..25_000].iter().all(|&byte| byte == b'y'));
        assert!(bytes[25_000..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn shared_bytes_are_left_alone() {
        let mut bytes = Bytes::from(vec![b'x'; 20_000]);
        let shared = bytes.clone();
        edit(&mut bytes, 10, |own| own[0] = b'y');
        assert_eq!((shared[0], bytes[0], bytes.len()), (b'x', b'y', 20_000));
        let place = bytes.as_ptr();
        edit(&mut bytes, 10, |own| own[1] = b'z');
        assert_eq!((bytes.as_ptr(), bytes[1]), (place, b'z'));
    }
}
