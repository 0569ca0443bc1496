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

/// Compares short texts word by word: keys are mostly too short for a call of the general comparison to pay.
#[inline]
pub fn same_key(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let (one_words, one_rest) = one.as_chunks::<8>();
    let (other_words, other_rest) = other.as_chunks::<8>();
    if one_words
        .iter()
        .zip(other_words)
        .any(|(a, b)| u64::from_le_bytes(*a) != u64::from_le_bytes(*b))
    {
        return false;
    }
    match (one.last_chunk::<8>(), other.last_chunk::<8>()) {
        // The last eight bytes overlap the words before; that is cheaper than a loop over the rest.
        (Some(a), Some(b)) => u64::from_le_bytes(*a) == u64::from_le_bytes(*b),
        _ => one_rest.iter().zip(other_rest).all(|(a, b)| a == b),
    }
}
