//! Streams: entries in the order of their ids, and who has read them.
//!
//! Start with `log`: entries stand in nodes of some hundred, each a listpack in Redis's layout (`node`),
//! side by side in bigger allocations (`nodes`). Groups of
//! consumers (`group`) know how far they have read and what has not been acknowledged yet.

mod entry;
mod group;
mod id;
mod id_map;
mod log;
mod node;
mod nodes;
mod producers;
mod range;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use entry::{Entry, Pairs};
pub use group::{Consumer, ConsumerId, Group, NOBODY, Pending};
pub use id::{Id, IdText};
pub use id_map::IdMap;
pub use log::{Counters, Log, MOST_BYTES, NodeLimits, Trim, TrimTo};
pub use node::{Node, NodeView};
pub use nodes::Nodes;
pub use producers::Producers;
pub use range::Range;

/// What deleting an entry does to the groups in which it is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum References {
    /// Nothing.
    #[default]
    Keep,
    /// It is no longer pending anywhere.
    Delete,
    /// It is deleted only if every group has read and acknowledged it.
    Acknowledged,
}

/// Entries in the order of their ids, and who has read them. It may be empty: a stream does not go with its last entry.
#[derive(Debug, Clone, Default)]
pub struct Stream(Box<Parts>);

#[derive(Debug, Clone, Default)]
struct Parts {
    log: Log,
    groups: BTreeMap<Box<[u8]>, Group>,
    producers: Option<Box<Producers>>,
}

impl Stream {
    /// A stream of parts from outside; `None` if they cannot be one. The first id is that of the first entry, whatever is
    /// said.
    pub fn of(
        nodes: BTreeMap<Id, Node>,
        counters: Counters,
        groups: BTreeMap<Box<[u8]>, Group>,
    ) -> Option<Self> {
        let nodes = Nodes::from(nodes);
        let len: u64 = nodes.iter().map(|(_, node)| node.alive()).sum();
        let mut log = Log::of(nodes, counters);
        log.find_first_id();
        let is_sound = len == counters.len && log.counters().first_id <= counters.last_id;
        is_sound.then(|| {
            Self(Box::new(Parts {
                log,
                groups,
                producers: None,
            }))
        })
    }

    /// The encoding, as Redis names it.
    pub fn encoding(&self) -> &'static str {
        "stream"
    }

    /// Bytes of its allocations, without the structure itself.
    pub fn allocated(&self) -> usize {
        let nodes = self.log().nodes().allocated();
        let groups = self.groups().iter();
        let groups: usize = groups
            .map(|(name, group)| name.len() + size_of::<Group>() + group.allocated())
            .sum();
        let producers = self.producers().map(Producers::allocated);
        size_of::<Parts>() + nodes + groups + producers.unwrap_or(0)
    }

    /// About how many small allocations freeing takes.
    pub fn free_effort(&self) -> usize {
        let groups = self.groups().values();
        let groups: usize = groups.map(|group| 1 + group.pending().len() / 32).sum();
        1 + self.log().nodes().len() + groups
    }

    /// Whether the key goes with it: never.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The entries.
    #[inline]
    pub fn log(&self) -> &Log {
        &self.0.log
    }

    /// The entries, to be changed.
    #[inline]
    pub fn log_mut(&mut self) -> &mut Log {
        &mut self.0.log
    }

    /// Who has added entries under names of their own, if anybody did.
    pub fn producers(&self) -> Option<&Producers> {
        self.0.producers.as_deref()
    }

    /// The same, to be changed.
    pub fn producers_mut(&mut self) -> Option<&mut Producers> {
        self.0.producers.as_deref_mut()
    }

    /// The same, made when missing.
    pub fn make_producers(&mut self) -> &mut Producers {
        self.0.producers.get_or_insert_default()
    }

    /// Sets what XSETID sets.
    pub fn set_last_id(&mut self, last: Id, added: Option<u64>, max_deleted: Option<Id>) {
        self.0.log.set_last_id(last, added, max_deleted);
        // Ids may be given a second time from here on.
        for group in self.0.groups.values_mut() {
            group.place = None;
        }
    }

    /// The groups in the order of their names.
    pub fn groups(&self) -> &BTreeMap<Box<[u8]>, Group> {
        &self.0.groups
    }

    /// The groups, to be changed.
    pub fn groups_mut(&mut self) -> &mut BTreeMap<Box<[u8]>, Group> {
        &mut self.0.groups
    }

    /// A group.
    #[inline]
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.0.groups.get(name)
    }

    /// A group to be changed, and the entries beside it.
    #[inline]
    pub fn group_mut(&mut self, name: &[u8]) -> Option<(&Log, &mut Group)> {
        let Parts { log, groups, .. } = &mut *self.0;
        Some((log, groups.get_mut(name)?))
    }

    /// Whether a group has still to read or to acknowledge an entry.
    pub fn is_referenced(&self, id: Id) -> bool {
        is_referenced(&self.0.groups, id)
    }

    /// Gives entries behind all that a group has read to a consumer, at most `count` (0 for all) and for as long as they are
    /// wanted, and shows them. Without acknowledgement they do not become pending.
    pub fn deliver(
        &mut self,
        group: &[u8],
        consumer: ConsumerId,
        (count, now, needs_acknowledgement): (u64, i64, bool),
        mut is_wanted: impl FnMut(&Entry<'_>) -> bool,
        mut show: impl FnMut(&Entry<'_>, &Group),
    ) -> usize {
        let Some((log, group)) = self.group_mut(group) else {
            return 0;
        };
        let Some(mut entries) = log.behind(group.last_id, group.place) else {
            return 0;
        };
        let mut delivered = 0;
        while let Some(entry) = entries.next()
            && is_wanted(&entry)
        {
            group.advance(entry.id, log.counters());
            if needs_acknowledgement {
                let pending = Pending {
                    delivered_at: now,
                    deliveries: 1,
                    consumer,
                };
                group.assign(entry.id, pending);
                group.consumer_mut(consumer).active_at = Some(now);
            }
            show(&entry, group);
            delivered += 1;
            group.place = entries.place();
            if delivered as u64 == count {
                break;
            }
        }
        delivered
    }

    /// Removes old entries; gives how many.
    pub fn trim(&mut self, trim: Trim, references: References) -> u64 {
        let Parts { log, groups, .. } = &mut *self.0;
        match references {
            References::Keep => log.trim(trim, None),
            References::Delete => log.trim(
                trim,
                Some(&mut |id| {
                    forget(groups, id);
                    true
                }),
            ),
            References::Acknowledged => log.trim(trim, Some(&mut |id| !is_referenced(groups, id))),
        }
    }

    /// Has an entry no longer be pending in any group.
    pub fn forget(&mut self, id: Id) -> bool {
        forget(&mut self.0.groups, id)
    }
}

fn is_referenced(groups: &BTreeMap<Box<[u8]>, Group>, id: Id) -> bool {
    groups
        .values()
        .any(|group| group.last_id < id || group.pending().contains(id))
}

fn forget(groups: &mut BTreeMap<Box<[u8]>, Group>, id: Id) -> bool {
    let acknowledged = groups
        .values_mut()
        .filter_map(|group| group.acknowledge(id))
        .count();
    acknowledged > 0
}
