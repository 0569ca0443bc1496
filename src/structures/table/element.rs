//! What a slot of a table owns.

use std::ptr::NonNull;

/// One allocation that holds a key, and what belongs to it.
///
/// # Safety
/// `into_raw` gives an address that is divisible by 8 and stays valid, wherever the table moves its slot, until `from_raw`
/// takes it back. Views of it are sound as long as nobody changes or frees the element; those that `exclusive` gives may
/// change neither its key nor what `is_volatile` says.
pub unsafe trait Element: Sized + Send {
    /// A shared look at an element.
    type Ref<'a>: Copy
    where
        Self: 'a;
    /// An exclusive look at an element.
    type Mut<'a>
    where
        Self: 'a;

    /// Looks at an element that is in no table.
    fn borrowed(&self) -> Self::Ref<'_>;

    /// Gives up ownership; [`Element::from_raw`] takes it back.
    fn into_raw(self) -> NonNull<u8>;

    /// # Safety
    /// The pointer comes from [`Element::into_raw`] and nobody else owns it.
    unsafe fn from_raw(pointer: NonNull<u8>) -> Self;

    /// # Safety
    /// The pointer is a live element that nobody changes or frees during `'a`.
    unsafe fn view<'a>(pointer: NonNull<u8>) -> Self::Ref<'a>;

    /// # Safety
    /// The pointer is a live element that nobody else touches during `'a`.
    unsafe fn exclusive<'a>(pointer: NonNull<u8>) -> Self::Mut<'a>;

    /// Its key.
    fn key<'a>(element: Self::Ref<'a>) -> &'a [u8]
    where
        Self: 'a;

    /// Whether this is its key.
    #[inline]
    fn has_key(element: Self::Ref<'_>, key: &[u8]) -> bool {
        same_key(Self::key(element), key)
    }

    /// Whether it may become due: only such elements are looked at when the table is asked for what is due.
    fn is_volatile(element: Self::Ref<'_>) -> bool;

    /// Whether something in it may become due though it does not itself.
    #[inline]
    fn has_volatile_parts(_element: Self::Ref<'_>) -> bool {
        false
    }
}

/// Compares short texts by words that may overlap: keys are mostly too short for a call of the general comparison to pay.
#[inline]
pub fn same_key(one: &[u8], other: &[u8]) -> bool {
    let ends = |len| (len..=2 * len).contains(&one.len());
    if one.len() != other.len() {
        return false;
    }
    if ends(8) {
        same_ends(one, other, u64::from_ne_bytes)
    } else if ends(16) {
        same_ends(one, other, u128::from_ne_bytes)
    } else if ends(4) {
        same_ends(one, other, u32::from_ne_bytes)
    } else {
        one == other
    }
}

/// Whether the first words are the same, and the last.
#[inline]
fn same_ends<const N: usize, W: PartialEq>(
    one: &[u8],
    other: &[u8],
    word: impl Fn([u8; N]) -> W,
) -> bool {
    let same = |a: Option<&[u8; N]>, b: Option<&[u8; N]>| match (a, b) {
        (Some(a), Some(b)) => word(*a) == word(*b),
        _ => false,
    };
    same(one.first_chunk(), other.first_chunk()) && same(one.last_chunk(), other.last_chunk())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_a_key_counts_at_every_length() {
        for len in 0..80 {
            let key: Vec<u8> = (0..len).collect();
            assert!(same_key(&key, &key.clone()));
            for at in 0..key.len() {
                let mut other = key.clone();
                other[at] ^= 1;
                assert!(!same_key(&key, &other), "byte {at} of {len}");
            }
            assert!(!same_key(&key, &[&key[..], b"x"].concat()));
        }
    }
}
