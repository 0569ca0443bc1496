//! Consumer groups: how far a group has read, what its consumers have been given and not acknowledged yet.

use super::id::Id;
use super::id_map::IdMap;
use super::log::Counters;
use super::range::Place;

/// A consumer's number within its group, for as long as it is there.
pub type ConsumerId = u32;

/// In place of the consumer of an entry that was released: it is pending, but nobody has it.
pub const NOBODY: ConsumerId = ConsumerId::MAX;

/// An entry that was given to a consumer and not acknowledged yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// When it was last given, in Unix milliseconds.
    pub delivered_at: i64,
    /// How often.
    pub deliveries: i64,
    /// To whom.
    pub consumer: ConsumerId,
}

/// One who reads for a group.
#[derive(Debug, Clone)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last tried to read, in Unix milliseconds.
    pub seen_at: i64,
    /// When it last got something, in Unix milliseconds.
    pub active_at: Option<i64>,
    pending: IdMap<()>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The entries that it has not acknowledged.
    pub fn pending(&self) -> &IdMap<()> {
        &self.pending
    }
}

/// A consumer group.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// The last entry that was given to a consumer for the first time.
    pub last_id: Id,
    /// How many entries had been added up to that one, where it is known.
    pub entries_read: Option<u64>,
    /// Where the last entry that was given stands, as long as it does.
    pub(super) place: Option<Place>,
    pending: IdMap<Pending>,
    /// By number; places of consumers that are gone are used again.
    consumers: Vec<Option<Consumer>>,
    /// Numbers of consumers in the order of their names.
    order: Vec<ConsumerId>,
}

impl Group {
    /// A group that goes on behind an entry.
    pub fn new(last_id: Id, entries_read: Option<u64>) -> Self {
        Self {
            last_id,
            entries_read,
            ..Self::default()
        }
    }

    pub(super) fn allocated(&self) -> usize {
        let slots = self.consumers.capacity() * size_of::<Option<Consumer>>()
            + self.order.capacity() * size_of::<ConsumerId>();
        let consumers = self.consumers();
        let consumers: usize = consumers
            .map(|(_, one)| one.name.len() + one.pending.allocated())
            .sum();
        slots + consumers + self.pending.allocated()
    }

    // ---- Consumers

    /// The consumers in the order of their names.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = (ConsumerId, &Consumer)> {
        self.order.iter().map(|&id| (id, self.consumer(id)))
    }

    /// A consumer that is there.
    pub fn consumer(&self, id: ConsumerId) -> &Consumer {
        self.consumers[id as usize]
            .as_ref()
            .expect("numbers of consumers that are gone are kept nowhere")
    }

    /// The consumer that has an entry; none if it was released.
    pub fn owner(&self, pending: &Pending) -> Option<&Consumer> {
        (pending.consumer != NOBODY).then(|| self.consumer(pending.consumer))
    }

    /// The name of the consumer that has an entry, empty if it was released.
    pub fn owner_name(&self, pending: &Pending) -> &[u8] {
        self.owner(pending).map_or(b"", Consumer::name)
    }

    /// The entries that were released, in the order of their ids.
    pub fn released(&self) -> impl Iterator<Item = (Id, &Pending)> {
        let all = self.pending.iter();
        all.filter(|(_, pending)| pending.consumer == NOBODY)
    }

    /// A consumer that is there, to be changed.
    pub fn consumer_mut(&mut self, id: ConsumerId) -> &mut Consumer {
        self.consumers[id as usize]
            .as_mut()
            .expect("numbers of consumers that are gone are kept nowhere")
    }

    fn place(&self, name: &[u8]) -> Result<usize, usize> {
        self.order
            .binary_search_by(|&id| (*self.consumer(id).name).cmp(name))
    }

    /// The consumer of this name.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<ConsumerId> {
        self.place(name).ok().map(|place| self.order[place])
    }

    /// The consumer of this name, made when missing. True when it was.
    pub fn find_or_make(&mut self, name: &[u8], now: i64) -> (ConsumerId, bool) {
        let place = match self.place(name) {
            Ok(place) => return (self.order[place], false),
            Err(place) => place,
        };
        let consumer = Some(Consumer {
            name: name.into(),
            seen_at: now,
            active_at: None,
            pending: IdMap::default(),
        });
        let free = (self.order.len() < self.consumers.len())
            .then(|| self.consumers.iter().position(Option::is_none))
            .flatten();
        let slot = free.unwrap_or(self.consumers.len());
        match self.consumers.get_mut(slot) {
            Some(free) => *free = consumer,
            None => self.consumers.push(consumer),
        }
        self.order.insert(place, slot as ConsumerId);
        (slot as ConsumerId, true)
    }

    /// Removes a consumer with what it has not acknowledged; gives how much that was.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let place = self.place(name).ok()?;
        let id = self.order.remove(place);
        let consumer = self.consumers.get_mut(id as usize)?.take()?;
        for (id, ()) in consumer.pending.iter() {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    // ---- Pending entries

    /// All entries that have been given and not acknowledged.
    pub fn pending(&self) -> &IdMap<Pending> {
        &self.pending
    }

    /// A pending entry, to be given again to the consumer that has it.
    pub fn pending_mut(&mut self, id: Id) -> Option<&mut Pending> {
        self.pending.get_mut(id)
    }

    /// Makes an entry pending, or moves it to another consumer.
    #[inline]
    pub fn assign(&mut self, id: Id, pending: Pending) {
        let old = self.pending.insert(id, pending);
        if let Some(old) = old
            && old.consumer != pending.consumer
            && old.consumer != NOBODY
        {
            self.consumer_mut(old.consumer).pending.remove(id);
        }
        if pending.consumer != NOBODY && old.is_none_or(|old| old.consumer != pending.consumer) {
            self.consumer_mut(pending.consumer).pending.insert(id, ());
        }
    }

    /// Ends the wait for an entry's acknowledgement. `None` if there was none.
    pub fn acknowledge(&mut self, id: Id) -> Option<Pending> {
        let pending = self.pending.remove(id)?;
        if pending.consumer != NOBODY {
            self.consumer_mut(pending.consumer).pending.remove(id);
        }
        Some(pending)
    }

    // ---- How far it has read

    /// Notes that an entry behind all read so far is read.
    #[inline]
    pub(super) fn advance(&mut self, id: Id, counters: &Counters) {
        match self.entries_read {
            Some(read) if !counters.has_tombstone_from(id) => {
                self.entries_read = Some(read.wrapping_add(1));
            }
            _ if counters.entries_added > 0 => self.entries_read = counters.entries_up_to(id),
            _ => {}
        }
        self.last_id = id;
    }

    /// How many entries it has still to read, where that can be told.
    pub fn lag(&self, counters: &Counters) -> Option<i64> {
        let added = counters.entries_added;
        if added == 0 {
            return Some(0);
        }
        let read = self
            .entries_read
            .filter(|_| !counters.has_tombstone_from(self.last_id))
            .or_else(|| counters.entries_up_to(self.last_id))?;
        Some(added.wrapping_sub(read).cast_signed())
    }
}
