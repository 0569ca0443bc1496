//! Prefixes of keys that are broadcast, and the changed keys that are looked up in them: all of a round at its end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::RwLock;

/// Changed keys are looked through for repetitions when there are so many.
const FIRST_BOUND: usize = 1024;
/// Bytes of changed keys for which room is kept from round to round.
const KEPT: usize = 64 << 10;

/// Changed keys, each with the client that changed it, or 0. What a key costs is a copy of its bytes; that it was noted before
/// is found out later.
#[derive(Debug)]
pub struct Changed {
    /// The keys, one behind the other.
    bytes: Vec<u8>,
    /// Where each of them ends, and who changed it.
    ends: Vec<(usize, u64)>,
    /// The number of keys at which repetitions are taken out.
    bound: usize,
}

impl Default for Changed {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            ends: Vec::new(),
            bound: FIRST_BOUND,
        }
    }
}

impl Changed {
    /// Notes that a key has changed.
    #[inline]
    pub fn add(&mut self, key: &[u8], changer: u64) {
        self.bytes.extend_from_slice(key);
        self.ends.push((self.bytes.len(), changer));
        if self.ends.len() >= self.bound {
            self.compact();
        }
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.bytes.shrink_to(KEPT);
        self.ends.shrink_to(FIRST_BOUND);
        self.bound = FIRST_BOUND;
    }

    /// Keys in the order of their changes.
    fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let mut start = 0;
        self.ends.iter().map(move |&(end, changer)| {
            let key = &self.bytes[start..end];
            start = end;
            (key, changer)
        })
    }

    /// Takes out repetitions: a script may change few keys very often.
    #[cold]
    fn compact(&mut self) {
        let last: BTreeMap<&[u8], u64> = self.iter().collect();
        let mut new = Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            ends: Vec::with_capacity(last.len()),
            bound: FIRST_BOUND.max(2 * last.len()),
        };
        for (key, changer) in last {
            new.bytes.extend_from_slice(key);
            new.ends.push((new.bytes.len(), changer));
        }
        *self = new;
    }
}

/// Which clients want to hear of all keys that begin alike.
#[derive(Debug, Default)]
pub struct Prefixes {
    known: RwLock<Known>,
    /// The number of prefixes.
    count: AtomicUsize,
    filter: Filter,
}

/// Whether a key may begin with one of the prefixes: most need not be noted. It is asked without a lock, so it changes only
/// while nobody changes keys.
#[derive(Debug, Default)]
struct Filter {
    /// The length of the shortest prefix there has been since there were none.
    shortest: AtomicUsize,
    /// Covers the bytes that are looked at: so many as the shortest prefix has, four at most.
    mask: AtomicU32,
    /// A bit for each beginning that there is, by its [`spot`].
    spots: [AtomicU64; 4],
}

/// Where a beginning is marked: one of 256 places.
#[inline]
fn spot(key: &[u8], mask: u32) -> usize {
    let beginning = match key.first_chunk() {
        Some(first) => u32::from_le_bytes(*first),
        None => (key.iter().rev()).fold(0, |sum, byte| sum << 8 | u32::from(*byte)),
    };
    ((beginning & mask).wrapping_mul(0x9E37_79B1) >> 24) as usize
}

impl Filter {
    #[inline]
    fn may_concern(&self, key: &[u8]) -> bool {
        let spot = spot(key, self.mask.load(Relaxed));
        let is_marked = self.spots[spot / 64].load(Relaxed) >> (spot % 64) & 1 == 1;
        is_marked && key.len() >= self.shortest.load(Relaxed)
    }

    fn mark(&self, prefix: &[u8]) {
        let spot = spot(prefix, self.mask.load(Relaxed));
        self.spots[spot / 64].fetch_or(1 << (spot % 64), Relaxed);
    }

    /// Lets keys through that begin with this prefix. `known` has all prefixes. What has been marked stays marked until there
    /// are no more: those who keep prefixes keep them for long.
    fn add<'p>(&self, prefix: &[u8], known: impl ExactSizeIterator<Item = &'p Box<[u8]>>) {
        let before = match known.len() {
            1 => usize::MAX,
            _ => self.shortest.load(Relaxed),
        };
        let shortest = prefix.len().min(before);
        self.shortest.store(shortest, Relaxed);
        let mask = (u64::from(u32::MAX) >> (32 - 8 * shortest.min(4))) as u32;
        if self.mask.swap(mask, Relaxed) != mask {
            self.clear();
            known.for_each(|prefix| self.mark(prefix));
        }
        self.mark(prefix);
    }

    fn clear(&self) {
        self.spots.iter().for_each(|spots| spots.store(0, Relaxed));
    }
}

#[derive(Debug, Default)]
struct Known {
    clients: BTreeMap<Box<[u8]>, Vec<u64>>,
    /// The lengths that prefixes have, the shortest first, with the number of prefixes of each.
    lengths: Vec<(usize, usize)>,
}

impl Known {
    /// Counts a prefix.
    fn count(&mut self, prefix: &[u8]) {
        let lengths = &mut self.lengths;
        match lengths.binary_search_by_key(&prefix.len(), |&(length, _)| length) {
            Ok(at) => lengths[at].1 += 1,
            Err(at) => lengths.insert(at, (prefix.len(), 1)),
        }
    }

    /// Undoes [`Known::count`].
    fn discount(&mut self, prefix: &[u8]) {
        self.lengths.retain_mut(|(length, count)| {
            *count -= usize::from(*length == prefix.len());
            *count > 0
        });
    }
}

impl Prefixes {
    /// Whether a key may begin with one of the prefixes: nearly always false when it does not.
    #[inline]
    pub fn may_concern(&self, key: &[u8]) -> bool {
        self.filter.may_concern(key)
    }

    /// Adds a client that has not got this prefix yet. Nobody changes keys meanwhile.
    pub fn add(&self, prefix: &[u8], client: u64) {
        let mut known = self.known.write();
        let clients = known.clients.entry(prefix.into()).or_default();
        clients.push(client);
        if clients.len() == 1 {
            known.count(prefix);
            self.filter.add(prefix, known.clients.keys());
        }
        self.count.store(known.clients.len(), Relaxed);
    }

    /// Takes a client's prefix away. True when no client has any prefix.
    pub fn remove(&self, prefix: &[u8], client: u64) -> bool {
        let mut known = self.known.write();
        if let Some(clients) = known.clients.get_mut(prefix) {
            clients.retain(|known| *known != client);
            if clients.is_empty() {
                known.clients.remove(prefix);
                known.discount(prefix);
            }
        }
        if known.clients.is_empty() {
            self.filter.clear();
        }
        self.count.store(known.clients.len(), Relaxed);
        known.clients.is_empty()
    }

    /// How many different prefixes there are.
    pub fn len(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows each prefix that changed keys begin with: its clients and these keys, each once, with the client that changed it
    /// last.
    pub fn concerned(&self, changed: &Changed, mut show: impl FnMut(&[u64], &[(&[u8], u64)])) {
        let known = self.known.read();
        let mut concerned: BTreeMap<&[u8], BTreeMap<&[u8], u64>> = BTreeMap::new();
        for (key, changer) in changed.iter() {
            let lengths = known.lengths.iter().map(|(length, _)| *length);
            for beginning in lengths.map_while(|length| key.get(..length)) {
                if let Some((prefix, _)) = known.clients.get_key_value(beginning) {
                    let keys = concerned.entry(prefix).or_default();
                    keys.insert(key, changer);
                }
            }
        }
        for (prefix, keys) in concerned {
            let keys: Vec<(&[u8], u64)> = keys.into_iter().collect();
            show(&known.clients[prefix], &keys);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::{prop_assert, proptest};

    use super::*;

    fn told(prefixes: &Prefixes, changed: &Changed) -> Vec<(Vec<u64>, String)> {
        let mut told = Vec::new();
        prefixes.concerned(changed, |clients, keys| {
            let keys: Vec<_> = keys
                .iter()
                .map(|(key, changer)| format!("{}/{changer}", String::from_utf8_lossy(key)))
                .collect();
            told.push((clients.to_vec(), keys.join(" ")));
        });
        told
    }

    #[test]
    fn keys_are_told_prefix_by_prefix() {
        let prefixes = Prefixes::default();
        for (prefix, client) in [(&b"a:"[..], 1), (b"", 2), (b"b:", 1), (b"a:", 3)] {
            prefixes.add(prefix, client);
        }
        assert_eq!(prefixes.len(), 3);
        let keys = [
            (&b"c"[..], 9),
            (b"a:2", 7),
            (b"a", 9),
            (b"a:1", 9),
            (b"a:2", 0),
        ];
        let mut changed = Changed::default();
        keys.iter().for_each(|&(key, by)| changed.add(key, by));
        let expected = [
            (vec![2], "a/9 a:1/9 a:2/0 c/9"),
            (vec![1, 3], "a:1/9 a:2/0"),
        ];
        let expected = expected.map(|(to, keys)| (to, keys.to_owned()));
        assert_eq!(told(&prefixes, &changed), expected);
        let mut others = Changed::default();
        [&b"x"[..], b""].iter().for_each(|key| others.add(key, 1));
        assert_eq!(told(&prefixes, &others).len(), 1);
        changed.clear();
        assert!(changed.is_empty() && told(&prefixes, &changed).is_empty());
        assert!(!prefixes.remove(b"", 2) && !prefixes.remove(b"b:", 1));
        assert!(told(&prefixes, &others).is_empty());
        assert!(!prefixes.remove(b"a:", 1) && prefixes.remove(b"a:", 3));
        assert!(prefixes.is_empty() && prefixes.known.read().lengths.is_empty());
    }

    proptest! {
        #[test]
        fn keys_of_prefixes_are_never_passed_over(
            own in vec("[ab]{0,6}", 1..20),
            others in vec("[ab]{0,8}", 0..50),
        ) {
            let (prefixes, mut added) = (Prefixes::default(), Vec::new());
            for prefix in &own {
                if !added.contains(&prefix) {
                    prefixes.add(prefix.as_bytes(), 1);
                    added.push(prefix);
                }
                for key in others.iter().chain(&own) {
                    let begins = added.iter().any(|prefix| key.starts_with(*prefix));
                    prop_assert!(!begins || prefixes.may_concern(key.as_bytes()), "{key}");
                }
            }
            added.iter().for_each(|prefix| {
                prefixes.remove(prefix.as_bytes(), 1);
            });
            prop_assert!(!prefixes.may_concern(b"abc") && !prefixes.may_concern(b""));
        }
    }

    #[test]
    fn other_keys_are_seldom_let_through() {
        let prefixes = Prefixes::default();
        assert!(!prefixes.may_concern(b""));
        prefixes.add(b"session:", 1);
        let keys = (0..10_000u32).map(|number| (number.wrapping_mul(0x85EB_CA6B)).to_le_bytes());
        let through = keys.filter(|key| prefixes.may_concern(&[key, &key[..]].concat()));
        assert!(through.count() < 100);
        assert!(!prefixes.may_concern(b"sess") && prefixes.may_concern(b"session:1"));
    }

    #[test]
    fn keys_that_change_often_are_kept_seldom() {
        let (mut changed, mut distinct) = (Changed::default(), Changed::default());
        for number in 0..100_000u64 {
            changed.add(&(number % 7).to_be_bytes(), number);
            distinct.add(&number.to_be_bytes(), 1);
        }
        assert!(changed.ends.len() < FIRST_BOUND && changed.bytes.len() < FIRST_BOUND * 8);
        let prefixes = Prefixes::default();
        prefixes.add(b"", 1);
        prefixes.concerned(&changed, |_, keys| {
            let last: Vec<u64> = keys.iter().map(|(_, changer)| *changer).collect();
            assert_eq!(last.len(), 7);
            assert!(last.iter().all(|&changer| changer >= 99_993));
        });
        prefixes.concerned(&distinct, |_, keys| assert_eq!(keys.len(), 100_000));
    }
}
