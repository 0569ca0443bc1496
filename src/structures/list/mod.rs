//! Lists: elements in order, quick at both ends. A small list is one node; a big one (`quicklist`) is a row of nodes that
//! know their counts, so that an index is found without a look at the elements before it.

mod iter;
mod node;
mod nodes;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{VecDeque, vec_deque};

pub use iter::Iter;
pub use node::End;
use node::{LISTPACK_FRAME, Node};
use nodes::Nodes;

use super::listpack::Item;
use super::listpack::codec::{Encoded, validate};

/// Sizes behind `list-max-listpack-size` -1 to -5.
const SIZES: [usize; 5] = [4096, 8192, 16_384, 32_768, 65_536];
/// With a limit by count, no node grows beyond this.
const SAFE_SIZE: usize = 8192;
/// What an entry may take besides its bytes: Redis's estimate, which decides where nodes end.
const ENTRY_OVERHEAD: usize = 8;

/// How much one node may hold: `list-max-listpack-size`; and which are compressed: `list-compress-depth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    bytes: usize,
    count: usize,
    depth: usize,
}

impl Limit {
    /// Positive: a number of elements; negative: a size, -1 for 4 KiB to -5 for 64 KiB.
    #[inline]
    pub fn of(setting: i64) -> Self {
        match usize::try_from(setting) {
            Ok(count) => Self {
                bytes: SAFE_SIZE,
                count: count.max(1),
                depth: 0,
            },
            Err(_) => {
                let level = (setting.unsigned_abs() as usize).min(SIZES.len());
                Self {
                    bytes: SIZES[level - 1],
                    count: usize::MAX,
                    depth: 0,
                }
            }
        }
    }

    /// The same limit where all but so many nodes at either end are compressed; 0: none is.
    #[inline]
    pub fn compressing(self, depth: u32) -> Self {
        Self {
            depth: depth as usize,
            ..self
        }
    }

    /// Whether a listpack of so many bytes and elements is too big.
    #[inline]
    fn is_exceeded(self, bytes: usize, count: usize) -> bool {
        bytes > self.bytes || count > self.count
    }

    /// Whether a node has room for one more element. Elements of one length are as many as their bytes alone allow.
    #[inline]
    fn allows(self, node: &Node, entry: &Encoded<'_>, element: usize) -> bool {
        let bytes = if node.is_of_width(entry) {
            node.used() + element
        } else {
            node.size_as_entries() + LISTPACK_FRAME + element + ENTRY_OVERHEAD
        };
        !self.is_exceeded(bytes, node.count() + 1)
    }

    /// Half of it: below that a quicklist becomes a listpack again, so that it does not go back and forth.
    fn half(self) -> Self {
        Self {
            bytes: match self.count {
                usize::MAX => self.bytes / 2,
                _ => usize::MAX,
            },
            count: self.count / 2,
            depth: self.depth,
        }
    }
}

/// Whether entries are texts of the same length, of which nodes keep nothing but the bytes.
fn are_of_one_length(entries: &[u8]) -> bool {
    let mut lengths = iter::items(entries).map(|item| match item {
        Item::Str(text) => text.len(),
        Item::Int(_) => 0,
    });
    let first = lengths.next().unwrap_or(0);
    first > 0 && lengths.all(|length| length == first)
}

#[derive(Debug, Clone)]
enum Shape {
    /// `listpack`.
    Packed(Node),
    /// `quicklist`.
    Row(Box<Nodes>),
}

/// Elements in order.
#[derive(Debug, Clone)]
pub struct List {
    shape: Shape,
}

/// Nodes of a list as they were, each of which is given up when it has been shown.
#[derive(Debug)]
pub struct Runs(vec_deque::IntoIter<Node>);

impl Runs {
    /// Shows the next node as [`List::runs`] does; gives what was made of it, or nothing at the end.
    pub fn show_next<R>(&mut self, show: impl FnOnce(usize, &[u8]) -> R) -> Option<R> {
        let node = self.0.next()?;
        Some(show(node.count(), &node.entries_once()))
    }

    /// Whether there is none left.
    pub fn is_at_end(&self) -> bool {
        self.0.len() == 0
    }
}

impl Default for List {
    fn default() -> Self {
        Self {
            shape: Shape::Packed(Node::default()),
        }
    }
}

impl List {
    /// The encoding, as Redis names it.
    pub fn encoding(&self) -> &'static str {
        match &self.shape {
            Shape::Packed(_) => "listpack",
            Shape::Row(_) => "quicklist",
        }
    }

    /// Bytes of its allocations, without the structure itself.
    pub fn allocated(&self) -> usize {
        match &self.shape {
            Shape::Packed(node) => node.allocated(),
            Shape::Row(row) => size_of::<Nodes>() + row.allocated(),
        }
    }

    /// About how many small allocations freeing takes.
    pub fn free_effort(&self) -> usize {
        self.node_count()
    }

    /// Elements.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.shape {
            Shape::Packed(node) => node.count(),
            Shape::Row(row) => row.len(),
        }
    }

    /// Whether there is no element. A key whose value is empty does not exist.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn as_row(&self) -> Option<&Nodes> {
        match &self.shape {
            Shape::Row(row) => Some(row),
            Shape::Packed(_) => None,
        }
    }

    /// Its nodes, each as its number of elements and their entries in listpack's encoding.
    pub fn runs(&self) -> impl ExactSizeIterator<Item = (usize, Cow<'_, [u8]>)> {
        self.runs_from(0)
    }

    /// The same from one on: those before are not even looked at.
    pub fn runs_from(&self, first: usize) -> impl ExactSizeIterator<Item = (usize, Cow<'_, [u8]>)> {
        let (packed, row) = match &self.shape {
            Shape::Packed(node) => (Some(node), None),
            Shape::Row(row) => (None, Some(row)),
        };
        let count = row.map_or(1, |row| row.nodes().len());
        (first..count).map(move |at| {
            let node = packed.or_else(|| row?.nodes().get(at));
            node.map_or((0, Cow::Borrowed(&[][..])), |node| {
                (node.count(), node.entries_once())
            })
        })
    }

    /// The same as they are now, whatever becomes of the list. That takes a small allocation for each node now, and later the
    /// bytes of those that change.
    pub fn share_from(&mut self, first: usize) -> Runs {
        let nodes = match &mut self.shape {
            Shape::Packed(node) if first == 0 => VecDeque::from([node.share()]),
            Shape::Packed(_) => VecDeque::new(),
            Shape::Row(row) => row.share_from(first),
        };
        Runs(nodes.into_iter())
    }

    /// Adds a run of entries from outside behind what is there; false unless they are entries in listpack's encoding.
    pub fn add_run(&mut self, entries: &[u8], limit: Limit) -> bool {
        let Some(count) = validate(entries) else {
            return false;
        };
        if count == 0 {
            return true;
        }
        // Numbers as strings are not found when they are looked for: they become what they should be.
        let is_foreign = |item: Item<'_>| matches!(item, Item::Str(text) if Item::of(text) != item);
        let is_to_be_packed = !self.is_empty() && limit.depth == 0 && are_of_one_length(entries);
        if is_to_be_packed || iter::items(entries).any(is_foreign) {
            for item in iter::items(entries) {
                let mut buffer = itoa::Buffer::new();
                let bytes = item.as_bytes(&mut buffer);
                self.grow(limit, bytes.len(), 1);
                self.push(End::Tail, bytes, limit);
            }
            return true;
        }
        let node = Node::of_entries(entries, count);
        match &mut self.shape {
            Shape::Packed(own) if own.count() == 0 => *own = node,
            _ => self.row().add(node),
        }
        self.grow(limit, 0, 0);
        true
    }

    fn row(&mut self) -> &mut Nodes {
        if let Shape::Packed(node) = &mut self.shape {
            let node = std::mem::take(node);
            self.shape = Shape::Row(Box::new(Nodes::of(node)));
        }
        match &mut self.shape {
            Shape::Row(row) => row,
            Shape::Packed(_) => unreachable!("it has just become a row"),
        }
    }

    // ---- Encodings

    /// Before `count` elements of `bytes` bytes in all are added: a listpack that would become too big becomes a quicklist.
    #[inline]
    pub fn grow(&mut self, limit: Limit, bytes: usize, count: usize) {
        if let Shape::Packed(node) = &self.shape
            && limit.is_exceeded(node.used() + LISTPACK_FRAME + bytes, node.count() + count)
        {
            self.row();
        }
    }

    /// [`List::grow`] for these elements, which nobody counts where there are nodes already.
    #[inline]
    pub fn grow_for<'a>(
        &mut self,
        limit: Limit,
        elements: impl ExactSizeIterator<Item = &'a [u8]>,
    ) {
        if matches!(self.shape, Shape::Packed(_)) {
            let count = elements.len();
            self.grow(limit, elements.map(<[u8]>::len).sum(), count);
        }
    }

    /// After elements have gone: a quicklist that has become small becomes a listpack.
    #[inline]
    pub fn shrink(&mut self, limit: Limit) {
        if let Shape::Row(row) = &mut self.shape
            && row.nodes().len() == 1
            && let Some(node) = row.take_small(limit.half())
        {
            self.shape = Shape::Packed(node);
        }
    }

    /// Gives back what reading compressed nodes has unpacked.
    pub fn forget_read(&mut self) {
        if let Shape::Row(row) = &mut self.shape {
            row.forget_read();
        }
    }

    // ---- Changing

    /// Adds an element at an end; [`List::grow`] comes before.
    #[inline]
    pub fn push(&mut self, end: End, bytes: &[u8], limit: Limit) {
        let entry = Encoded::new(Item::of(bytes));
        match &mut self.shape {
            Shape::Packed(node) => node.push(end, &entry),
            Shape::Row(row) => row.push(end, &entry, bytes.len(), limit),
        }
    }

    /// The element at an end.
    #[inline]
    pub fn end(&self, end: End) -> Option<Item<'_>> {
        match &self.shape {
            Shape::Packed(node) => node.end(end),
            Shape::Row(row) => row.end(end),
        }
    }

    /// Removes the element at an end.
    #[inline]
    pub fn pop(&mut self, end: End) {
        match &mut self.shape {
            Shape::Packed(node) => node.pop(end),
            Shape::Row(row) => row.pop(end),
        }
    }

    /// Puts an element in the place of the `index`th; [`List::grow`] comes before. False when there is none.
    pub fn set(&mut self, index: usize, bytes: &[u8], limit: Limit) -> bool {
        if index >= self.len() {
            return false;
        }
        let entry = Encoded::new(Item::of(bytes));
        match &mut self.shape {
            Shape::Packed(node) => node.replace(index, &entry),
            Shape::Row(row) => row.set(index, &entry, bytes.len(), limit),
        }
        true
    }

    /// Adds an element before the `index`th, or behind the last; [`List::grow`] comes before.
    pub fn insert(&mut self, index: usize, bytes: &[u8], limit: Limit) {
        if index == 0 || index >= self.len() {
            let end = if index == 0 { End::Head } else { End::Tail };
            return self.push(end, bytes, limit);
        }
        let entry = Encoded::new(Item::of(bytes));
        match &mut self.shape {
            Shape::Packed(node) => node.insert(index, &entry),
            Shape::Row(row) => row.insert(index, &entry, bytes.len(), limit),
        }
    }

    /// Removes up to `count` elements from the `first`th on.
    pub fn remove_range(&mut self, first: usize, count: usize) {
        let count = count.min(self.len().saturating_sub(first));
        if count == 0 {
            return;
        }
        match &mut self.shape {
            Shape::Packed(node) => node.remove(first, count),
            Shape::Row(row) => row.remove_range(first, count),
        }
    }

    /// Removes up to `most` elements that are these bytes, from an end on; gives how many.
    pub fn remove_matching(&mut self, bytes: &[u8], most: usize, from: End) -> usize {
        let wanted = Item::of(bytes);
        match &mut self.shape {
            Shape::Packed(node) => node.remove_matching(wanted, most, from),
            Shape::Row(row) => row.remove_matching(wanted, most, from),
        }
    }

    // ---- Looking

    /// The `index`th element.
    pub fn get(&self, index: usize) -> Option<Item<'_>> {
        match &self.shape {
            Shape::Packed(node) if index < node.count() => node.get(index),
            Shape::Packed(_) => None,
            Shape::Row(row) => row.get(index),
        }
    }

    /// The elements from the `index`th on, in the direction away from an end: from the head on, the `index`th is the first
    /// shown; from the tail on, it is the first shown on the way to the head.
    pub fn iter_from(&self, index: usize, from: End) -> Iter<'_> {
        static NONE: VecDeque<Node> = VecDeque::new();
        if index >= self.len() {
            return Iter::new(from, iter::items(&[]), NONE.iter());
        }
        let (node, index, rest) = match &self.shape {
            Shape::Packed(node) => (node, index, NONE.iter()),
            Shape::Row(row) => row.run_of(index, from),
        };
        let items = match from {
            End::Head => node.items_from(index),
            End::Tail => node.items_before(index + 1),
        };
        Iter::new(from, items, rest)
    }

    /// Shows `count` elements, or as many as there are, from the `first`th on.
    #[inline]
    pub fn show<'a>(&'a self, first: usize, count: usize, show: impl FnMut(Item<'a>)) {
        self.iter_from(first, End::Head).show(count, show);
    }

    /// All elements in order.
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(0, End::Head)
    }

    /// How many bytes the entries of all nodes are, as they are and as they are kept, and whether any are compressed.
    pub fn packing(&self) -> (usize, usize, bool) {
        let nodes = self.as_row().into_iter().flat_map(Nodes::nodes);
        nodes.fold((0, 0, false), |(used, kept, any), node| {
            let own = node.size_as_entries() + LISTPACK_FRAME;
            let compressed = node.compressed();
            (
                used + own,
                kept + compressed.unwrap_or(own),
                any | compressed.is_some(),
            )
        })
    }

    /// Nodes of a quicklist; 1 for a listpack.
    pub fn node_count(&self) -> usize {
        self.as_row().map_or(1, |row| row.nodes().len())
    }
}
