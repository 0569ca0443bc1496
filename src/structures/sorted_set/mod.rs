//! Sorted sets: members in the order of their scores.

/// Members in the order of their scores.
#[derive(Debug, Clone, Default)]
pub struct SortedSet;

impl SortedSet {
    /// The encoding, as Redis names it.
    pub fn encoding(&self) -> &'static str {
        "listpack"
    }

    /// Bytes of its allocations, without the structure itself.
    pub fn allocated(&self) -> usize {
        0
    }

    /// About how many small allocations freeing takes.
    pub fn free_effort(&self) -> usize {
        1
    }

    /// Elements.
    pub fn len(&self) -> usize {
        0
    }

    /// Whether there is no element. A key whose value is empty does not exist.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
