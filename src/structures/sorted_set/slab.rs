//! Members with their scores, packed side by side in slabs of one slot size each, and named by numbers of 32 bits.
//!
//! The member table and the tree both refer to a member by its number, so nobody needs a pointer, a slot of either is
//! small, and copying or freeing a sorted set is work for each slab and not for each member.

use crate::structures::table::prefetch;

/// A member's name: the slab, and the slot within it.
pub(super) type Id = u32;

/// A number that names no member.
pub(super) const NO_ID: Id = Id::MAX;

/// Bits of an [`Id`] that tell the slot.
const SLOT_BITS: u32 = 10;
const MAX_SLOTS: usize = 1 << SLOT_BITS;
/// Slabs beyond this cannot be named. Tests meet the end sooner.
const MAX_SLABS: usize = if cfg!(test) {
    5000
} else {
    (1 << (32 - SLOT_BITS)) - 1
};
/// More slabs than members of all sizes leave partly used.
const PARTLY_USED: usize = 512;
/// Bytes of a slab: one of the allocator's sizes.
const SLAB_BYTES: usize = 28 * 1024;
/// The smallest slab, so that few members do not take much.
const MIN_SLOTS: usize = 4;
/// Slots up to this size differ by 4 bytes, bigger ones by an eighth.
const FINE: usize = 128;
/// A bigger slot has a slab of its own, of its exact size.
const MAX_SHARED: usize = 8 * 1024;
/// The score, and the length of the member.
const HEAD: usize = 8 + 2;
/// No slab, no slot.
const NONE: u32 = u32::MAX;
const NO_SLOT: u16 = u16::MAX;

#[derive(Debug, Clone)]
struct Slab {
    data: Box<[u8]>,
    /// Bytes of a slot.
    slot: u32,
    /// Which slabs have slots of this size; `NONE` for a slab of one big member.
    class: u32,
    /// Slots in use.
    live: u16,
    /// Slots that were ever used; those behind are free.
    used: u16,
    /// The first slot that was freed; its length field names the next.
    freed: u16,
    /// Neighbours among the slabs of the class that have room.
    previous: u32,
    next: u32,
}

impl Slab {
    fn slots(&self) -> usize {
        self.data.len() / self.slot as usize
    }

    fn is_full(&self) -> bool {
        usize::from(self.live) == self.slots()
    }

    fn read_u16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.data[at], self.data[at + 1]])
    }

    fn write_u16(&mut self, at: usize, value: u16) {
        self.data[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    /// Takes a free slot.
    fn take(&mut self) -> u16 {
        self.live += 1;
        if self.freed == NO_SLOT {
            self.used += 1;
            return self.used - 1;
        }
        let slot = self.freed;
        self.freed = self.read_u16(usize::from(slot) * self.slot as usize + 8);
        slot
    }

    fn give(&mut self, slot: u16) {
        self.live -= 1;
        self.write_u16(usize::from(slot) * self.slot as usize + 8, self.freed);
        self.freed = slot;
    }
}

/// Slabs of one slot size.
#[derive(Debug, Clone, Copy)]
struct Class {
    /// The first slab that has room.
    open: u32,
    /// Slots of all of them.
    slots: usize,
}

/// All members of a sorted set, without order.
#[derive(Debug, Clone, Default)]
pub(super) struct Members {
    slabs: Vec<Slab>,
    classes: Vec<Class>,
    /// Numbers of slabs that are gone.
    vacant: Vec<u32>,
    /// Bytes of all slabs.
    bytes: usize,
}

/// Class and bytes of the slots for `size` bytes.
fn class_of(size: usize) -> (usize, usize) {
    if size <= FINE {
        return (size.div_ceil(4), size.next_multiple_of(4));
    }
    let step_bits = (size - 1).ilog2() - 3;
    let steps = (size - 1) >> step_bits;
    let class = FINE / 4 + (step_bits as usize - 4) * 8 + steps - 7;
    (class, (steps + 1) << step_bits)
}

impl Members {
    /// Adds a member.
    pub fn insert(&mut self, member: &[u8], score: f64) -> Id {
        let size = HEAD + member.len();
        let number = match size <= MAX_SHARED {
            true => {
                let (class, slot) = class_of(size);
                self.open_slab(class, slot)
            }
            false => self.add_slab(size, 1, NONE),
        };
        let slab = &mut self.slabs[number as usize];
        let slot = slab.take();
        let at = usize::from(slot) * slab.slot as usize;
        slab.data[at..at + 8].copy_from_slice(&score.to_le_bytes());
        // The length of a member that is alone follows from its slab.
        slab.write_u16(at + 8, member.len() as u16);
        slab.data[at + HEAD..at + size].copy_from_slice(member);
        if slab.is_full() && slab.class != NONE {
            self.close(number);
        }
        (number << SLOT_BITS) | Id::from(slot)
    }

    /// Whether one more member can be added, whatever its size.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.slabs.len() - self.vacant.len() < MAX_SLABS
    }

    /// Whether members of these lengths can be added, counted on the safe side.
    pub fn has_room_for(&self, lengths: impl Iterator<Item = usize>) -> bool {
        let (mut alone, mut shared) = (0usize, 0usize);
        for len in lengths {
            match HEAD + len <= MAX_SHARED {
                true => shared += 2 * (HEAD + len),
                false => alone += 1,
            }
        }
        let more = alone + shared / SLAB_BYTES + PARTLY_USED;
        self.slabs.len() - self.vacant.len() + more <= MAX_SLABS
    }

    /// Takes a member out.
    pub fn remove(&mut self, id: Id) {
        let number = id >> SLOT_BITS;
        let slab = &mut self.slabs[number as usize];
        let was_full = slab.is_full();
        slab.give((id as usize % MAX_SLOTS) as u16);
        let (is_empty, is_shared) = (slab.live == 0, slab.class != NONE);
        if is_empty {
            if is_shared && !was_full {
                self.close(number);
            }
            self.drop_slab(number);
        } else if was_full && is_shared {
            self.open(number);
        }
    }

    /// The bytes of a member.
    #[inline]
    pub fn member(&self, id: Id) -> &[u8] {
        let (slab, at) = self.place(id);
        let len = match slab.class {
            NONE => slab.data.len() - HEAD,
            _ => usize::from(slab.read_u16(at + 8)),
        };
        &slab.data[at + HEAD..at + HEAD + len]
    }

    /// Brings a member into the cache.
    #[inline]
    pub fn prefetch(&self, id: Id) {
        let (slab, at) = self.place(id);
        prefetch(slab.data[at..].as_ptr());
    }

    /// A member's score.
    #[inline]
    pub fn score(&self, id: Id) -> f64 {
        let (slab, at) = self.place(id);
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&slab.data[at..at + 8]);
        f64::from_le_bytes(bytes)
    }

    /// Gives a member another score.
    #[inline]
    pub fn set_score(&mut self, id: Id, score: f64) {
        let slab = &mut self.slabs[(id >> SLOT_BITS) as usize];
        let at = (id as usize % MAX_SLOTS) * slab.slot as usize;
        slab.data[at..at + 8].copy_from_slice(&score.to_le_bytes());
    }

    /// Bytes of its allocations.
    pub fn allocated(&self) -> usize {
        self.bytes
            + self.slabs.capacity() * size_of::<Slab>()
            + self.classes.capacity() * size_of::<Class>()
            + self.vacant.capacity() * size_of::<u32>()
    }

    /// How many allocations there are, about.
    pub fn slabs(&self) -> usize {
        self.slabs.len()
    }

    #[inline]
    fn place(&self, id: Id) -> (&Slab, usize) {
        let slab = &self.slabs[(id >> SLOT_BITS) as usize];
        (slab, (id as usize % MAX_SLOTS) * slab.slot as usize)
    }

    /// A slab of this class that has room.
    fn open_slab(&mut self, class: usize, slot: usize) -> u32 {
        if class >= self.classes.len() {
            let none = Class {
                open: NONE,
                slots: 0,
            };
            self.classes.resize(class + 1, none);
        }
        let Class { open, slots } = self.classes[class];
        if open != NONE {
            return open;
        }
        // A new slab adds a quarter to what there is: few members waste little, many need few slabs.
        let most = (SLAB_BYTES / slot).clamp(1, MAX_SLOTS);
        let number = self.add_slab(slot, (slots / 4).max(MIN_SLOTS).min(most), class as u32);
        self.open(number);
        number
    }

    fn add_slab(&mut self, slot: usize, slots: usize, class: u32) -> u32 {
        let slab = Slab {
            data: vec![0; slot * slots].into_boxed_slice(),
            slot: slot as u32,
            class,
            live: 0,
            used: 0,
            freed: NO_SLOT,
            previous: NONE,
            next: NONE,
        };
        self.bytes += slab.data.len();
        if let Some(class) = self.classes.get_mut(class as usize) {
            class.slots += slots;
        }
        if let Some(number) = self.vacant.pop() {
            self.slabs[number as usize] = slab;
            return number;
        }
        debug_assert!(self.slabs.len() < MAX_SLABS, "room was asked for");
        self.slabs.push(slab);
        self.slabs.len() as u32 - 1
    }

    fn drop_slab(&mut self, number: u32) {
        let slab = &mut self.slabs[number as usize];
        let slots = slab.slots();
        self.bytes -= slab.data.len();
        slab.data = Box::default();
        if let Some(class) = self.classes.get_mut(slab.class as usize) {
            class.slots -= slots;
        }
        self.vacant.push(number);
    }

    /// Puts a slab among those that have room.
    fn open(&mut self, number: u32) {
        let class = self.slabs[number as usize].class as usize;
        let first = std::mem::replace(&mut self.classes[class].open, number);
        if first != NONE {
            self.slabs[first as usize].previous = number;
        }
        let slab = &mut self.slabs[number as usize];
        (slab.previous, slab.next) = (NONE, first);
    }

    /// Takes a slab out of those that have room.
    fn close(&mut self, number: u32) {
        let Slab {
            class,
            previous,
            next,
            ..
        } = self.slabs[number as usize];
        match previous {
            NONE => self.classes[class as usize].open = next,
            _ => self.slabs[previous as usize].next = next,
        }
        if next != NONE {
            self.slabs[next as usize].previous = previous;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slots_are_little_bigger_than_asked() {
        let mut last = (0, 0);
        for size in HEAD..=MAX_SHARED {
            let (class, slot) = class_of(size);
            assert!(slot >= size && slot - size <= (size / 8).max(3), "{size}");
            assert!(
                (class, slot) == last || (class > last.0 && slot > last.1),
                "{size}"
            );
            assert!(class <= last.0 + 1 || last.0 == 0, "{size}");
            last = (class, slot);
        }
    }

    #[test]
    fn says_when_it_is_full_before_it_is() {
        let (mut members, long) = (Members::default(), vec![b'x'; MAX_SHARED]);
        let mut count = 0;
        while members.has_room_for([long.len(), 3].into_iter()) {
            members.insert(&long, 0.0);
            count += 1;
        }
        assert_eq!(count, MAX_SLABS - PARTLY_USED);
        while members.has_room() {
            members.insert(&long, 0.0);
        }
        assert_eq!(members.slabs(), MAX_SLABS);
        members.remove(7 << SLOT_BITS);
        assert!(members.has_room());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_put_in_is_found(steps in prop::collection::vec((0usize..40, 0u8..5, any::<f64>()), 0..600)) {
            let lengths = [0, 1, 2, 7, 16, 16, 17, 33, 100, 130, 500, 8_181, 8_182, 8_183, 70_000];
            let mut members = Members::default();
            let mut model: Vec<(Id, Vec<u8>, f64)> = Vec::new();
            for (n, (pick, action, score)) in steps.into_iter().enumerate() {
                if action > 1 || model.is_empty() {
                    let text = vec![n as u8; lengths[pick % lengths.len()]];
                    model.push((members.insert(&text, score), text, score));
                } else {
                    let at = pick % model.len();
                    if action == 0 {
                        members.remove(model.swap_remove(at).0);
                    } else {
                        model[at].2 = score;
                        members.set_score(model[at].0, score);
                    }
                }
            }
            for (id, text, score) in &model {
                prop_assert_eq!(members.member(*id), &text[..]);
                prop_assert_eq!(members.score(*id).to_bits(), score.to_bits());
            }
            for (id, ..) in model {
                members.remove(id);
            }
            prop_assert_eq!(members.bytes, 0);
        }
    }
}
