//! Walking over a list's elements, from any of them, in either direction.

use std::collections::vec_deque;

use super::node::{End, Node};
use crate::structures::listpack::Item;
use crate::structures::listpack::codec::{decode, entry_size_before};

/// The items of listpack entries.
#[derive(Debug, Clone, Copy)]
pub struct Items<'a> {
    entries: &'a [u8],
}

/// The items of listpack entries.
pub fn items(entries: &[u8]) -> Items<'_> {
    Items { entries }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        let (item, size) = decode(self.entries)?;
        self.entries = &self.entries[size..];
        Some(item)
    }
}

impl<'a> DoubleEndedIterator for Items<'a> {
    #[inline]
    fn next_back(&mut self) -> Option<Item<'a>> {
        let size = entry_size_before(self.entries)?;
        let at = self.entries.len().checked_sub(size)?;
        let (rest, last) = self.entries.split_at(at);
        self.entries = rest;
        decode(last).map(|(item, _)| item)
    }
}

/// A list's elements from one of them on.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    from: End,
    current: Items<'a>,
    nodes: vec_deque::Iter<'a, Node>,
}

impl<'a> Iter<'a> {
    /// The entries from the first one to be shown on, in the direction of the walk, then the nodes behind.
    pub(super) fn new(from: End, current: &'a [u8], nodes: vec_deque::Iter<'a, Node>) -> Self {
        Self {
            from,
            current: items(current),
            nodes,
        }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        loop {
            let item = match self.from {
                End::Head => self.current.next(),
                End::Tail => self.current.next_back(),
            };
            if item.is_some() {
                return item;
            }
            let node = match self.from {
                End::Head => self.nodes.next(),
                End::Tail => self.nodes.next_back(),
            };
            self.current = items(node?.entries());
        }
    }
}
