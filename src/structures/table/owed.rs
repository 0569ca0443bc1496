//! Elements as they were at some moment, for somebody who looks at them bit by bit while they change.

use hashbrown::HashSet;

use super::elements::Copied;
use super::{Owner, Table};

/// What is still to be shown: the elements from a position in hash order on, as they were.
pub(super) struct Owed<E: Copied> {
    position: u64,
    /// Keys from the position on that have been touched: what the table holds under them now is not meant.
    touched: HashSet<Box<[u8]>, foldhash::fast::RandomState>,
    /// What it held under them, unless nothing.
    old: Vec<E>,
}

impl<E: Copied> Owed<E> {
    pub fn new(position: u64) -> Self {
        Self {
            position,
            touched: HashSet::default(),
            old: Vec::new(),
        }
    }

    fn concerns(&self, bits: u64, key: &[u8]) -> bool {
        bits >= self.position && !self.touched.contains(key)
    }

    /// Before an element is added.
    #[cold]
    pub fn add(&mut self, bits: u64, key: &[u8]) {
        if self.concerns(bits, key) {
            self.touched.insert(key.into());
        }
    }

    /// Before an element is changed or taken out.
    #[cold]
    pub fn change(&mut self, bits: u64, element: E::Ref<'_>) {
        if self.concerns(bits, E::key(element)) {
            self.touched.insert(E::key(element).into());
            self.old.push(E::copied(element));
        }
    }

    /// Shows about `count`; true at the end.
    pub fn pay(
        &mut self,
        table: &Table<E>,
        owner: &impl Owner<E>,
        mut count: usize,
        mut show: impl FnMut(E::Ref<'_>),
    ) -> bool {
        while count > 0
            && let Some(old) = self.old.pop()
        {
            show(old.borrowed());
            count -= 1;
        }
        while count > 0 {
            let next = table.scan(self.position, |element| {
                // A table that has shrunk may begin a little before the position.
                if self.concerns(owner.bits(element), E::key(element)) {
                    show(element);
                }
                count = count.saturating_sub(1);
            });
            match next {
                Some(position) => self.position = position,
                None => return true,
            }
        }
        false
    }
}
