//! The journal: the one place where effects leave, in one order, for the append-only file and (later) replicas.
//!
//! A record gets its number while the shards that it changed are locked, so numbers are a valid serial order. It is put
//! into a buffer of its worker's own; the consumer merges the buffers by number. Numbers have no gaps.

use std::collections::VecDeque;
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

/// A buffer larger than this is not used again.
const MOST_ROOM: usize = 256 << 10;

/// Bytes of a lane that are counted together: a count that all lanes share is not for every record.
const COUNTED_TOGETHER: usize = 64 << 10;

/// Records of one worker, back to back: number, database, length, bytes.
#[derive(Default)]
struct Lane {
    bytes: Vec<u8>,
    /// How many of the bytes count in [`Journal::pending`] already.
    counted: usize,
}

const RECORD_HEADER: usize = 8 + 4 + 8;

/// A lane, on cache lines of its own.
#[derive(Default)]
struct Slot {
    lane: Mutex<Lane>,
    /// The number behind the lane's last record.
    last: AtomicU64,
}

/// The ordered log on its way out.
///
/// What every record writes is kept apart from what every command reads, and from what other workers write: a cache line
/// that goes from one processor to another costs more than all the rest of a record.
pub struct Journal {
    is_open: AtomicBool,
    lanes: Box<[CachePadded<Slot>]>,
    next: CachePadded<AtomicU64>,
    /// Bytes that the consumer has not taken yet, but for some of each lane.
    pending: CachePadded<AtomicU64>,
    bell: Mutex<bool>,
    rung: Condvar,
}

impl Journal {
    /// A closed journal for this many lanes.
    pub fn new(lanes: usize) -> Self {
        Self {
            is_open: AtomicBool::new(false),
            lanes: (0..lanes).map(|_| CachePadded::default()).collect(),
            next: CachePadded::default(),
            pending: CachePadded::default(),
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

    /// The number behind the last record that a lane appended.
    #[inline]
    pub fn last_record(&self, lane: usize) -> u64 {
        self.lanes[lane].last.load(Ordering::Relaxed)
    }

    /// Bytes that wait for the consumer.
    pub fn pending(&self) -> u64 {
        let uncounted = |slot: &CachePadded<Slot>| {
            let lane = slot.lane.lock();
            (lane.bytes.len() - lane.counted) as u64
        };
        self.pending.load(Ordering::Relaxed) + self.lanes.iter().map(uncounted).sum::<u64>()
    }

    /// Whether so much waits for the consumer that nobody should append more.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.pending.load(Ordering::Relaxed) > MAX_PENDING
    }

    /// Forgets what no consumer will take any more. The journal is closed and has no consumer.
    pub fn clear(&self) {
        for slot in &self.lanes {
            *slot.lane.lock() = Lane::default();
        }
        self.pending.store(0, Ordering::Relaxed);
    }

    /// Appends a record; the caller holds the locks of everything that it changed. Returns its number.
    #[inline]
    pub fn append(&self, lane: usize, database: usize, write: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let slot = &self.lanes[lane];
        let mut lane = slot.lane.lock();
        let Lane { bytes, counted } = &mut *lane;
        let start = bytes.len();
        // The number is taken with the lane held: a lane's records are in ascending order.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut header = [0; RECORD_HEADER];
        header[..8].copy_from_slice(&number.to_le_bytes());
        header[8..12].copy_from_slice(&(database as u32).to_le_bytes());
        bytes.extend_from_slice(&header);
        write(bytes);
        let len = (bytes.len() - start - RECORD_HEADER) as u64;
        bytes[start + 12..start + RECORD_HEADER].copy_from_slice(&len.to_le_bytes());
        if bytes.len() - *counted >= COUNTED_TOGETHER {
            let more = bytes.len() - *counted;
            self.pending.fetch_add(more as u64, Ordering::Relaxed);
            *counted = bytes.len();
        }
        slot.last.store(number + 1, Ordering::Relaxed);
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

    /// Takes what a lane holds, if anything, and leaves it an empty buffer.
    fn take(&self, lane: usize, spare: &mut Vec<Vec<u8>>) -> Option<Vec<u8>> {
        let mut lane = self.lanes[lane].lane.lock();
        if lane.bytes.is_empty() {
            return None;
        }
        let fresh = spare.pop().unwrap_or_default();
        let bytes = std::mem::replace(&mut lane.bytes, fresh);
        let counted = std::mem::take(&mut lane.counted);
        drop(lane);
        if bytes.len() > counted {
            let more = bytes.len() - counted;
            self.pending.fetch_add(more as u64, Ordering::Relaxed);
        }
        Some(bytes)
    }
}

/// The consumer's end: puts records back into one order.
#[derive(Default)]
pub struct Merger {
    next: u64,
    /// Per lane what has been taken and not given out yet, with an offset.
    taken: Vec<(Vec<u8>, usize)>,
    /// Records taken in a later round of lanes whose buffers are not used up.
    waiting: Vec<VecDeque<Vec<u8>>>,
    /// Buffers for lanes to fill again.
    spare: Vec<Vec<u8>>,
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
        let lanes = journal.lanes.len();
        self.taken.resize_with(lanes, Default::default);
        self.waiting.resize_with(lanes, Default::default);
        for lane in 0..lanes {
            let bytes = journal.take(lane, &mut self.spare);
            self.waiting[lane].extend(bytes);
        }
        let mut given = 0;
        // Mostly one lane has long runs, so stay with it while it has the next record.
        let mut lane = 0;
        let mut misses = 0;
        while misses < lanes {
            let run = self.give_run(lane, &mut give);
            given += run;
            misses = if run > 0 { 1 } else { misses + 1 };
            lane = if lane + 1 < lanes { lane + 1 } else { 0 };
        }
        journal.pending.fetch_sub(given, Ordering::Relaxed);
    }

    /// Gives out a lane's first records, for as long as each is the next; says how many bytes they took.
    fn give_run(&mut self, lane: usize, give: &mut impl FnMut(u32, &[u8])) -> u64 {
        let mut given = 0;
        loop {
            let (bytes, offset) = &mut self.taken[lane];
            let rest = &bytes[*offset..];
            let Some((header, rest)) = rest.split_first_chunk::<RECORD_HEADER>() else {
                match self.renew(lane) {
                    true => continue,
                    false => return given,
                }
            };
            let (number, database, len) = read_header(header);
            if number != self.next {
                return given;
            }
            give(database, &rest[..len]);
            let record = RECORD_HEADER + len;
            *offset += record;
            self.next += 1;
            given += record as u64;
        }
    }

    /// Goes on with the buffer that was taken from a lane after the one that is used up, if there is one.
    fn renew(&mut self, lane: usize) -> bool {
        let next = self.waiting[lane].pop_front();
        let is_more = next.is_some();
        let (mut used, _) = std::mem::replace(&mut self.taken[lane], (next.unwrap_or_default(), 0));
        let is_kept = (1..=MOST_ROOM).contains(&used.capacity());
        if is_kept && self.spare.len() < self.taken.len() {
            used.clear();
            self.spare.push(used);
        }
        is_more
    }
}

/// A record's number, database and length.
#[inline]
fn read_header(header: &[u8; RECORD_HEADER]) -> (u64, u32, usize) {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *header;
    let [i, j, k, l, rest @ ..] = rest;
    let number = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let database = u32::from_le_bytes([i, j, k, l]);
    (number, database, u64::from_le_bytes(rest) as usize)
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
