//! The entries of a stream: nodes in the order of their ids, and what is counted.

use super::entry::Entry;
use super::id::Id;
use super::node::Node;
use super::nodes::Nodes;
use super::range::{Place, Range, Walk};

/// When a node is full.
#[derive(Debug, Clone, Copy)]
pub struct NodeLimits {
    /// Bytes; 0 for no limit.
    pub bytes: usize,
    /// Entries; 0 for no limit.
    pub entries: usize,
}

/// What a trim leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrimTo {
    /// So many entries.
    Length(u64),
    /// Entries from this id on.
    Id(Id),
}

/// A trim.
#[derive(Debug, Clone, Copy)]
pub struct Trim {
    /// What it leaves.
    pub to: TrimTo,
    /// Whether only whole nodes go.
    pub is_approximate: bool,
    /// The most entries to remove; 0 for no limit.
    pub limit: u64,
}

/// The most bytes that the fields and values of an entry, or a node, may have.
pub const MOST_BYTES: usize = 1 << 30;

/// What is known of a stream besides its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Entries.
    pub len: u64,
    /// The first entry's id; 0-0 without entries.
    pub first_id: Id,
    /// The last id that was given.
    pub last_id: Id,
    /// The greatest id that was deleted by name.
    pub max_deleted_id: Id,
    /// Entries ever added.
    pub entries_added: u64,
}

impl Counters {
    /// Whether an entry between `start` and the end of the stream may have been deleted.
    pub fn has_tombstone_from(&self, start: Id) -> bool {
        self.len > 0
            && !self.max_deleted_id.is_zero()
            && self.first_id <= self.max_deleted_id
            && start <= self.max_deleted_id
    }

    /// How many entries had been added when the one with this id was, itself included, where that can be told.
    pub fn entries_up_to(&self, id: Id) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.entries_added);
        }
        let is_whole = self.max_deleted_id.is_zero() || self.max_deleted_id < self.first_id;
        if !is_whole || id > self.first_id {
            return None;
        }
        let before = self.entries_added.wrapping_sub(self.len);
        Some(before.wrapping_add(u64::from(id == self.first_id)))
    }
}

/// The entries of a stream.
#[derive(Debug, Clone, Default)]
pub struct Log {
    nodes: Nodes,
    counters: Counters,
}

impl Log {
    /// What is known besides the entries.
    #[inline]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Entries.
    #[inline]
    pub fn len(&self) -> u64 {
        self.counters.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.counters.len == 0
    }

    /// The nodes with their ids, which are those of their first entries.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    pub(super) fn of(nodes: Nodes, counters: Counters) -> Self {
        Self { nodes, counters }
    }

    /// Sets what XSETID sets.
    pub(super) fn set_last_id(&mut self, last: Id, added: Option<u64>, max_deleted: Option<Id>) {
        self.counters.last_id = last;
        if let Some(added) = added {
            self.counters.entries_added = added;
        }
        if let Some(id) = max_deleted {
            self.counters.max_deleted_id = id;
        }
    }

    // ---- Looking

    /// The entries from one id to another, both included, in rising order.
    pub fn range(&self, from: Id, to: Id) -> Range<'_> {
        Range::forward(&self.nodes, from, to)
    }

    /// The entries behind one that was given last, and from where on they stand.
    pub(super) fn behind(&self, last: Id, place: Option<Place>) -> Option<Range<'_>> {
        let resumed = place.and_then(|place| Range::resume(&self.nodes, place, last));
        resumed.or_else(|| Some(self.range(last.next()?, Id::MAX)))
    }

    /// The entries from one id to another, both included, in falling order.
    pub fn range_back(&self, from: Id, to: Id) -> Range<'_> {
        Range::backward(&self.nodes, from, to)
    }

    /// The entry with this id.
    pub fn get(&self, id: Id) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// The id of the last entry.
    #[inline]
    pub fn last_entry_id(&self) -> Option<Id> {
        self.range_back(Id::MIN, Id::MAX).next_id()
    }

    /// The id of the first entry, deleted ones included.
    pub fn first_id_even_deleted(&self) -> Option<Id> {
        let mut nodes = self.nodes.iter();
        nodes.find_map(|(base, node)| Walk::at_first(base, node)?.peek_id())
    }

    /// Nodes that a radix tree of the nodes' ids has in Redis.
    pub fn radix_nodes(&self) -> usize {
        let keys: Vec<u128> = self
            .nodes
            .iter()
            .map(|(id, _)| u128::from(id.ms) << 64 | u128::from(id.seq))
            .collect();
        radix_nodes(&keys, 0)
    }

    // ---- Changing

    /// Adds an entry. Its id must be greater than the last.
    pub fn append<'a>(
        &mut self,
        id: Id,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
        limits: NodeLimits,
    ) {
        debug_assert!(id > self.counters.last_id);
        let mut is_added = false;
        if let Some((base, last)) = self.nodes.last_mut() {
            is_added = has_room(last, pairs.clone(), limits);
            if is_added {
                last.push(base, id, pairs.clone());
            }
        }
        if !is_added {
            let mut node = Node::new(pairs.clone());
            node.push(id, id, pairs);
            self.nodes.push(id, node);
        }
        let counters = &mut self.counters;
        counters.len += 1;
        counters.entries_added = counters.entries_added.wrapping_add(1);
        counters.last_id = id;
        if counters.len == 1 {
            counters.first_id = id;
        }
    }

    /// Deletes an entry. False if there is none with this id.
    pub fn delete(&mut self, id: Id) -> bool {
        let Some((base, node)) = self.nodes.last_up_to(id) else {
            return false;
        };
        let entry = Walk::at_first(base, node).and_then(|mut walk| walk.find(id));
        let Some(place) = entry
            .filter(|entry| !entry.is_deleted())
            .map(|entry| entry.place)
        else {
            return false;
        };
        self.delete_in(base, &[place]);
        let counters = &mut self.counters;
        counters.max_deleted_id = counters.max_deleted_id.max(id);
        if counters.first_id == id || counters.len == 0 {
            self.find_first_id();
        }
        true
    }

    /// Deletes entries of one node, and the node with its last entry.
    fn delete_in(&mut self, base: Id, places: &[usize]) {
        let Some(node) = self.nodes.get(base) else {
            return;
        };
        let count = places.len() as u64;
        if node.alive() <= count {
            self.nodes.remove(base);
        } else {
            self.nodes.change(base, |node| node.delete(places));
        }
        self.counters.len = self.counters.len.saturating_sub(count);
    }

    pub(super) fn find_first_id(&mut self) {
        self.counters.first_id = match self.counters.len {
            0 => Id::MIN,
            _ => self.range(Id::MIN, Id::MAX).next_id().unwrap_or(Id::MAX),
        };
    }

    /// Removes old entries; gives how many. With `may_go` every entry is asked about, and those stay for which it says no.
    pub fn trim(&mut self, trim: Trim, mut may_go: Option<&mut dyn FnMut(Id) -> bool>) -> u64 {
        let (mut removed, mut behind) = (0, None);
        while let Some((base, alive, last)) = self.node_behind(behind) {
            if matches!(trim.to, TrimTo::Length(length) if self.len() <= length)
                || (trim.limit > 0 && removed + alive > trim.limit)
            {
                break;
            }
            let is_whole = match trim.to {
                TrimTo::Length(length) => self.len().saturating_sub(alive) >= length,
                TrimTo::Id(id) => last < id,
            };
            if is_whole && may_go.is_none() {
                self.nodes.remove(base);
                self.counters.len = self.counters.len.saturating_sub(alive);
                removed += alive;
                continue;
            }
            if trim.is_approximate && !is_whole {
                break;
            }
            removed += self.trim_node(base, trim.to, &mut may_go);
            // An entry that had to stay may have left something to do for the next node.
            if !is_whole && (may_go.is_none() || matches!(trim.to, TrimTo::Id(_))) {
                break;
            }
            behind = Some(base);
        }
        if removed > 0 {
            self.find_first_id();
        }
        removed
    }

    /// The first node, or the one behind another: its id, its entries, and the id of its last one, deleted ones included.
    fn node_behind(&self, base: Option<Id>) -> Option<(Id, u64, Id)> {
        let mut nodes = match base {
            Some(base) => self.nodes.iter_behind(base),
            None => self.nodes.iter(),
        };
        let (base, node) = nodes.next()?;
        let last = Walk::at_end(base, node).and_then(|mut walk| walk.back()?.peek_id());
        Some((base, node.alive(), last.unwrap_or_default()))
    }

    fn trim_node(
        &mut self,
        base: Id,
        to: TrimTo,
        may_go: &mut Option<&mut dyn FnMut(Id) -> bool>,
    ) -> u64 {
        let walk = self
            .nodes
            .get(base)
            .and_then(|node| Walk::at_first(base, node));
        let Some(mut walk) = walk else { return 0 };
        let mut places = Vec::new();
        while let Some(entry) = walk.next() {
            let is_done = match to {
                TrimTo::Length(length) => self.counters.len <= length + places.len() as u64,
                TrimTo::Id(id) => entry.id >= id,
            };
            if is_done {
                break;
            }
            let goes = !entry.is_deleted() && may_go.as_mut().is_none_or(|ask| ask(entry.id));
            if goes {
                places.push(entry.place);
            }
        }
        let count = places.len() as u64;
        // Redis keeps a node whose last entries were deleted before when trimming takes the others; so does this.
        if may_go.is_none() {
            self.nodes.change(base, |node| node.delete(&places));
            self.counters.len = self.counters.len.saturating_sub(count);
        } else if count > 0 {
            self.delete_in(base, &places);
        }
        count
    }
}

/// Whether the last node takes one more entry.
#[inline]
fn has_room<'a>(
    node: &Node,
    pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    limits: NodeLimits,
) -> bool {
    let more: usize = pairs.map(|(field, value)| field.len() + value.len()).sum();
    let most = match limits.bytes {
        0 => MOST_BYTES,
        bytes => bytes.min(MOST_BYTES),
    };
    node.bytes().len() + more < most
        && (limits.entries == 0 || node.view().entries() < limits.entries as u64)
}

/// Nodes of the radix tree of some rising numbers that agree in their first `depth` bytes: one for each branching, one for
/// the bytes in common before it, one for each end.
fn radix_nodes(keys: &[u128], depth: u32) -> usize {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
        return 1;
    };
    let common = (first ^ last).leading_zeros() / 8;
    let chain = usize::from(common > depth);
    if common == 16 {
        return chain + 1;
    }
    let byte = |key: &u128| key.to_be_bytes()[common as usize];
    let children = keys.chunk_by(|a, b| byte(a) == byte(b));
    let below: usize = children.map(|keys| radix_nodes(keys, common + 1)).sum();
    chain + 1 + below
}
