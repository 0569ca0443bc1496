//! Walking over a list's elements, from any of them, in either direction.

use std::collections::vec_deque;

use super::node::{End, Node};
use crate::structures::listpack::Item;
use crate::structures::listpack::codec::{decode, entry_size_before};

/// The items of a run of entries.
#[derive(Debug, Clone, Copy)]
pub struct Items<'a> {
    entries: &'a [u8],
    /// See [`Node`]: the length of each, or 0 for listpack's encoding.
    width: usize,
}

/// The items of entries in listpack's encoding.
pub fn items(entries: &[u8]) -> Items<'_> {
    Items::of(entries, 0)
}

impl<'a> Items<'a> {
    /// The items of entries that are texts of one length, or those of a listpack where that is 0.
    #[inline]
    pub(super) fn of(entries: &'a [u8], width: usize) -> Self {
        Self { entries, width }
    }

    /// Shows up to `count` items; gives how many.
    #[inline]
    fn show(&self, count: usize, mut show: impl FnMut(Item<'a>)) -> usize {
        if self.width > 0 {
            let items = self.entries.chunks_exact(self.width).take(count);
            let shown = items.len();
            items.for_each(|item| show(Item::Str(item)));
            return shown;
        }
        let (mut rest, mut shown) = (self.entries, 0);
        while shown < count
            && let Some((item, size)) = decode(rest)
        {
            rest = &rest[size..];
            show(item);
            shown += 1;
        }
        shown
    }

    /// Bytes of the entries that are left.
    pub(super) fn bytes(&self) -> usize {
        self.entries.len()
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.width > 0 {
            let (item, rest) = self.entries.split_at_checked(self.width)?;
            self.entries = rest;
            return Some(Item::Str(item));
        }
        let (item, size) = decode(self.entries)?;
        self.entries = &self.entries[size..];
        Some(item)
    }
}

impl<'a> DoubleEndedIterator for Items<'a> {
    #[inline]
    fn next_back(&mut self) -> Option<Item<'a>> {
        let size = match self.width {
            0 => entry_size_before(self.entries)?,
            width => width,
        };
        let at = self.entries.len().checked_sub(size)?;
        let (rest, last) = self.entries.split_at(at);
        self.entries = rest;
        match self.width {
            0 => decode(last).map(|(item, _)| item),
            _ => Some(Item::Str(last)),
        }
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
    /// The items from the first one to be shown on, in the direction of the walk, then the nodes behind.
    pub(super) fn new(from: End, current: Items<'a>, nodes: vec_deque::Iter<'a, Node>) -> Self {
        Self {
            from,
            current,
            nodes,
        }
    }

    /// Shows up to `count` elements from the head on: how a node keeps its elements is asked once for each.
    #[inline]
    pub(super) fn show(self, count: usize, mut show: impl FnMut(Item<'a>)) {
        debug_assert_eq!(self.from, End::Head);
        let mut left = count - self.current.show(count, &mut show);
        for node in self.nodes {
            if left == 0 {
                return;
            }
            left -= node.items().show(left, &mut show);
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
            self.current = node?.items();
        }
    }
}
