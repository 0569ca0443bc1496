//! Entries are moved together while much of what the process occupies is not in use: pages that were left half empty become
//! empty, and go back to the system.
//!
//! Each thread moves what lies in its own pages: workers as far as they allocate, for that is how fast pages are left, and
//! their timers for some of the time. Start with [`Engine::compact_for`].

use std::cell::RefCell;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::{LEAST_RESIDENT_LIMIT, Memory};
use crate::base::alloc;
use crate::config::Config;
use crate::engine::{Engine, LaneStats};
use crate::keyspace::{Compaction, Moves};

/// The part of the limit that the process may occupy without using it before entries are moved together, and the part that is
/// still free when that begins.
const WASTE: u64 = 16;
const NEAR: u64 = 4;
/// Bytes moved, or their worth, for each byte that a worker has allocated, while the process occupies less than the limit and
/// while it occupies more; and the most at once.
const WORK_PER_BYTE: (isize, isize) = (1, 4);
const MOST_WORK: isize = 1 << 20;
/// Part of the entries of which something must have been moved for the next walk to begin at once.
const WORTHWHILE: u64 = 64;
/// Otherwise the thread rests for so many times as long as the walk took, or until there is this part more to be gained.
const REST: u32 = 20;
const MORE: u64 = 8;

/// Percent of its time that a worker's timer gives to it.
pub const COMPACTION_PERCENT: u32 = 10;

thread_local! {
    static COMPACTOR: RefCell<Compactor> = RefCell::default();
}

/// How far a thread has come.
#[derive(Default)]
struct Compactor {
    walk: Option<Compaction>,
    /// What went into this walk.
    spent: Duration,
    rests_until: Option<Instant>,
    /// What the process occupied without using it when the rest began.
    left: u64,
    /// What the thread had allocated when it last moved any for that.
    seen: isize,
}

impl Memory {
    /// Notes what the process occupies and uses; says whether entries are to be moved together: where that is wished, or where
    /// data would have to go for it.
    pub(super) fn wastes(&self, resident: u64, used: u64, config: &Config) -> bool {
        let waste = resident.saturating_sub(self.base.load(Relaxed) + used);
        self.waste.store(waste, Relaxed);
        let limit = self.configured.load(Relaxed);
        let is_near = limit >= LEAST_RESIDENT_LIMIT && resident > limit - limit / NEAR;
        let lower = used / 100 * u64::from(config.active_defrag_threshold_lower);
        is_near && waste > limit / WASTE
            || config.activedefrag && waste > config.active_defrag_ignore_bytes.max(lower)
    }
}

impl Engine {
    /// This thread moves some entries, for as long as it is given. False when there is no reason to for now. The caller has a
    /// passage through the gate and holds no shard.
    pub fn compact_for(&self, lane: usize, time: Duration) -> bool {
        let begun = Instant::now();
        self.memory.is_wasteful()
            && COMPACTOR.with_borrow_mut(|own| own.go_on(self, lane, |_| begun.elapsed() >= time))
    }

    /// This thread, which holds so much of its own, or did before others' keys went for it, moves entries for what that is more
    /// than last time.
    #[cold]
    pub(super) fn compact_for_own(&self, lane: usize, own: isize) {
        let (usual, urgent) = WORK_PER_BYTE;
        let is_urgent = self.memory.is_over.load(Relaxed);
        let per_byte = if is_urgent { urgent } else { usual };
        COMPACTOR.with_borrow_mut(|compactor| {
            let more = own - compactor.seen;
            let work = more.saturating_mul(per_byte).min(MOST_WORK);
            if work > 0 {
                compactor.go_on(self, lane, |done| done >= work as u64);
            }
            compactor.seen = alloc::own();
        });
    }
}

impl Compactor {
    /// Goes on until it is enough, which is asked with the work done; false while the thread rests.
    fn go_on(&mut self, engine: &Engine, lane: usize, is_enough: impl Fn(u64) -> bool) -> bool {
        let begun = Instant::now();
        let waste = engine.memory.waste.load(Relaxed);
        if waste <= self.left + self.left / MORE
            && self.rests_until.is_some_and(|until| begun < until)
        {
            return false;
        }
        let mut walk = self.walk.take().unwrap_or_else(|| {
            // What other threads have freed is in use before it has been collected.
            engine.memory.purge();
            Compaction::default()
        });
        let before = walk.moves;
        let mut goes_on = true;
        while goes_on && !is_enough((walk.moves - before).work()) {
            goes_on = walk.go_on(&engine.keyspace);
        }
        note(&engine.stats.lanes[lane], walk.moves - before);
        self.spent += begun.elapsed();
        match goes_on {
            true => self.walk = Some(walk),
            false => {
                self.left = waste;
                self.end(walk.moves);
            }
        }
        true
    }

    /// After the last entry.
    fn end(&mut self, moves: Moves) {
        let spent = std::mem::take(&mut self.spent);
        let is_worthwhile = moves.moved_keys > moves.keys / WORTHWHILE;
        self.rests_until = (!is_worthwhile).then(|| Instant::now() + spent * REST);
    }
}

fn note(stats: &LaneStats, moves: Moves) {
    stats.compaction_keys.add(moves.keys);
    stats.compacted_keys.add(moves.moved_keys);
    stats.compacted_blocks.add(moves.blocks);
}
