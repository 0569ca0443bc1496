//! Whose table it is: how its keys are hashed, and who learns of its moves.

use super::{Bucket, Element};

/// Whoever has a table: makes the hashes of its keys, and follows where its buckets are.
pub trait Owner<E: Element> {
    /// The hash of an element's key, as it is looked for in the table.
    fn bits(&self, element: E::Ref<'_>) -> u64;

    /// Frees buckets that have been replaced.
    fn retire(&self, buckets: Box<[Bucket]>) {
        drop(buckets);
    }

    /// There are so many elements now.
    fn set_len(&self, _len: usize) {}

    /// One segment has new buckets.
    fn set_segment(&self, _segment: usize, _buckets: &[Bucket]) {}

    /// All segments are told anew.
    fn set_all<'a>(
        &self,
        _depth: u32,
        _split: usize,
        _segments: impl ExactSizeIterator<Item = &'a [Bucket]>,
    ) {
    }

    /// Nothing is due before this deadline.
    fn set_deadline(&self, _deadline: u32) {}

    /// Something may be due at this deadline.
    fn lower_deadline(&self, _deadline: u32) {}
}
