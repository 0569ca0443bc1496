//! The journal: the one place where effects leave, in one order, for the append-only file and (later) replicas.
//!
//! A record gets its number while the shards that it changed are locked, so numbers are a valid serial order. It is put
//! into a buffer of its worker's own; the consumer merges the buffers by number. Numbers have no gaps.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_utils::CachePadded;
use parking_lot::{Condvar, Mutex};

/// One effect, or a group that belongs together, as RESP commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the order.
    pub number: u64,
    /// The database in which it takes place.
    pub database: u32,
    /// RESP commands.
    pub bytes: Vec<u8>,
}

/// Bytes that may wait for the consumer before those who append must wait for it.
const MAX_PENDING: u64 = 256 << 20;

/// Bytes for which a lane has room from the start.
const MOST_ROOM: usize = 64 << 10;

/// Records of one worker, back to back: number, database, length, bytes.
#[derive(Default)]
struct Lane {
    bytes: Vec<u8>,
}

const RECORD_HEADER: usize = 8 + 4 + 8;

/// The ordered log on its way out.
pub struct Journal {
    is_open: AtomicBool,
    next: AtomicU64,
    lanes: Box<[CachePadded<Mutex<Lane>>]>,
    /// Bytes that the consumer has not taken yet.
    pending: AtomicU64,
    bell: Mutex<bool>,
    rung: Condvar,
}

impl Journal {
    /// A closed journal for this many lanes.
    pub fn new(lanes: usize) -> Self {
        Self {
            is_open: AtomicBool::new(false),
            next: AtomicU64::new(0),
            lanes: (0..lanes).map(|_| CachePadded::default()).collect(),
            pending: AtomicU64::new(0),
            bell: Mutex::new(false),
            rung: Condvar::new(),
        }
    }

    /// Whether anybody wants records.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Starts or stops taking records. The caller is alone behind the gate, so the change falls between two commands.
    pub fn set_open(&self, open: bool) {
        self.is_open.store(open, Ordering::Relaxed);
    }

    /// The number that the next record will get.
    pub fn next_number(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Bytes that wait for the consumer.
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Whether so much waits for the consumer that nobody should append more.
    pub fn is_full(&self) -> bool {
        self.pending() > MAX_PENDING
    }

    /// Forgets what no consumer will take any more. The journal is closed and has no consumer.
    pub fn clear(&self) {
        drop(self.take());
        self.pending.store(0, Ordering::Relaxed);
    }

    /// Appends a record; the caller holds the locks of everything that it changed. Returns its number.
    pub fn append(&self, lane: usize, database: usize, write: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let mut lane = self.lanes[lane].lock();
        let start = lane.bytes.len();
        // The number is taken with the lane held: a lane's records are in ascending order.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        lane.bytes.extend_from_slice(&number.to_le_bytes());
        lane.bytes
            .extend_from_slice(&(database as u32).to_le_bytes());
        lane.bytes.extend_from_slice(&[0; 8]);
        let body = lane.bytes.len();
        write(&mut lane.bytes);
        let len = lane.bytes.len() - body;
        lane.bytes[body - 8..body].copy_from_slice(&(len as u64).to_le_bytes());
        self.pending
            .fetch_add((lane.bytes.len() - start) as u64, Ordering::Relaxed);
        number
    }

    /// Wakes the consumer. Workers ring once per batch that appended something.
    pub fn ring(&self) {
        let mut bell = self.bell.lock();
        if !*bell {
            *bell = true;
            self.rung.notify_one();
        }
    }

    /// The consumer's wait for a ring, at most `patience`.
    pub fn wait(&self, patience: Duration) {
        let mut bell = self.bell.lock();
        if !*bell {
            self.rung.wait_for(&mut bell, patience);
        }
        *bell = false;
    }

    /// Takes what the lanes hold. A lane that was used has room for as much again.
    fn take(&self) -> Vec<Vec<u8>> {
        self.lanes
            .iter()
            .map(|lane| {
                let mut lane = lane.lock();
                let room = lane.bytes.len().min(MOST_ROOM);
                std::mem::replace(&mut lane.bytes, Vec::with_capacity(room))
            })
            .collect()
    }
}

/// The consumer's end: puts records back into one order.
#[derive(Default)]
pub struct Merger {
    next: u64,
    /// Per lane what has been taken and not given out yet, with an offset.
    taken: Vec<(Vec<u8>, usize)>,
    /// Records taken in a later round of lanes whose buffers are not used up.
    waiting: Vec<Vec<Vec<u8>>>,
}

impl Merger {
    /// A merger whose first record is `next`.
    pub fn new(next: u64) -> Self {
        Self {
            next,
            ..Self::default()
        }
    }

    /// The number of the record that comes next.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// Gives out, in order, all records up to the first that has not arrived.
    pub fn drain(&mut self, journal: &Journal, mut give: impl FnMut(u32, &[u8])) {
        let fresh = journal.take();
        self.taken.resize_with(fresh.len(), Default::default);
        self.waiting.resize_with(fresh.len(), Default::default);
        for (lane, bytes) in fresh
            .into_iter()
            .enumerate()
            .filter(|(_, bytes)| !bytes.is_empty())
        {
            self.waiting[lane].push(bytes);
        }
        let mut given = 0;
        // Mostly one lane has long runs, so stay with it while it has the next record.
        let mut lane = 0;
        let mut misses = 0;
        while misses < self.taken.len() {
            match self.next_of(lane) {
                Some((database, from, to)) => {
                    let (bytes, offset) = &mut self.taken[lane];
                    give(database, &bytes[from..to]);
                    *offset = to;
                    given += (to - from + RECORD_HEADER) as u64;
                    self.next += 1;
                    misses = 0;
                }
                None => {
                    misses += 1;
                    lane = (lane + 1) % self.taken.len();
                }
            }
        }
        journal.pending.fetch_sub(given, Ordering::Relaxed);
    }

    /// The next record, where it is this lane's first: database and place of its bytes.
    fn next_of(&mut self, lane: usize) -> Option<(u32, usize, usize)> {
        if self.taken[lane].1 == self.taken[lane].0.len() {
            let waiting = &mut self.waiting[lane];
            if waiting.is_empty() {
                self.taken[lane] = Default::default();
                return None;
            }
            self.taken[lane] = (waiting.remove(0), 0);
        }
        let (bytes, offset) = &self.taken[lane];
        let header = &bytes[*offset..*offset + RECORD_HEADER];
        let (number, rest) = header.split_first_chunk::<8>()?;
        if u64::from_le_bytes(*number) != self.next {
            return None;
        }
        let (database, len) = rest.split_first_chunk::<4>()?;
        let len = u64::from_le_bytes(*len.first_chunk::<8>()?) as usize;
        let from = *offset + RECORD_HEADER;
        Some((u32::from_le_bytes(*database), from, from + len))
    }
}

/// Writes a command in RESP, as files and replicas read it.
pub fn write_command<'a>(out: &mut Vec<u8>, args: impl ExactSizeIterator<Item = &'a [u8]>) {
    let mut number = itoa::Buffer::new();
    out.push(b'*');
    out.extend_from_slice(number.format(args.len()).as_bytes());
    out.extend_from_slice(b"\r\n");
    for arg in args {
        out.push(b'$');
        out.extend_from_slice(number.format(arg.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_many_lanes_come_out_in_order_without_gaps() {
        let journal = Journal::new(4);
        let mut merger = Merger::new(0);
        let mut seen = Vec::new();
        std::thread::scope(|scope| {
            for lane in 0..4 {
                let journal = &journal;
                scope.spawn(move || {
                    for n in 0..20_000u32 {
                        journal.append(lane, lane, |out| out.extend_from_slice(&n.to_le_bytes()));
                    }
                    journal.ring();
                });
            }
            while seen.len() < 80_000 {
                journal.wait(Duration::from_millis(1));
                merger.drain(&journal, |database, bytes| {
                    seen.push((database, bytes.to_vec()))
                });
            }
        });
        for lane in 0..4 {
            let own: Vec<_> = seen
                .iter()
                .filter(|(database, _)| *database == lane)
                .map(|(_, bytes)| bytes.clone())
                .collect();
            assert!(
                own.iter()
                    .enumerate()
                    .all(|(n, bytes)| bytes == &(n as u32).to_le_bytes())
            );
        }
        assert_eq!((merger.next_number(), journal.pending()), (80_000, 0));
    }
}
