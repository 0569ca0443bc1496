//! The limit on memory: when room must be made, whose keys go for it, and what is refused when none can.
//!
//! Whoever allocates pays: a worker looks at the memory in use before a command, evicts under the locks of single shards,
//! and goes on when it has freed what it had allocated since it last looked, or all that is too much. So eviction keeps up
//! with every load, nobody waits for anybody else's, and several workers that see the same excess share it.
//! Start with [`Engine::make_room`].

mod clients;
mod compaction;
mod period;

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

pub use self::compaction::COMPACTION_PERCENT;
use self::period::Period;
use super::effects::Effects;
use super::{Engine, Mail, checks::condition, event};
use crate::base::{alloc, machine};
use crate::config::{Config, MaxmemoryPolicy};
use crate::journal::write_command;
use crate::keyspace::{Choice, Db, Key, Moment, Notes, Order, Pool, Touched};
use crate::observe::latency;
use crate::tracking::bytes_underway;

/// Evictions between two looks at the clock and at the memory in use.
const EVICTIONS_PER_LOOK: u32 = 16;
/// Candidates that turn out to be gone or in use before a choice is given up.
const TRIES: usize = 64;
/// While what was removed is still being freed, the limit may be exceeded by this part of it.
const GRACE: i64 = 32;
/// The part of `maxmemory` by which the process is to stay below it, since what is too much is seen only afterwards; and by
/// which it may be less still without data being let grow.
const RESIDENT_TOLERANCE: u64 = 64;
/// What of the limit need not be in use for the limit to be lowered to what is.
const UNUSED_TOLERANCE: u64 = 4;
/// Milliseconds between two looks at what it occupies.
const LOOKS_APART: i64 = 10;
/// Milliseconds between two corrections: what was evicted is given back only after a while.
const CORRECTIONS_APART: i64 = 100;
/// Milliseconds between two requests to give pages back, while the process occupies more than it is to, and at other times.
const PURGES_APART: (i64, i64) = (50, 250);
/// Giving pages back takes at most this part of a worker's time.
const PURGE_SHARE: i64 = 20;
/// At most this part of the limit is held back for memory that the process occupies without using it.
const MOST_HELD_BACK: u64 = 2;
/// Limits below this are not kept by the memory that the process occupies: there its own code weighs more than data.
const LEAST_RESIDENT_LIMIT: u64 = 64 << 20;
/// Bytes that a worker may allocate between two looks at the memory in use, where the limit is far above it.
const SLACK: u64 = 64 << 10;
/// The least limit for clients, so that an administrator can still connect.
const LEAST_FOR_CLIENTS: u64 = 128 << 10;

/// Limits, and what is known of how they are kept.
#[derive(Debug)]
pub struct Memory {
    /// Bytes in use above which room is made; 0 for no limit.
    limit: AtomicU64,
    /// `maxmemory` in bytes.
    configured: AtomicU64,
    /// What is kept free of it because the process occupies more than it uses.
    held_back: AtomicU64,
    /// Resident bytes at the start that are no data: code, stacks, what the allocator holds anyway.
    base: AtomicU64,
    /// Bytes that workers are about to free.
    claimed: AtomicI64,
    /// While the limit is exceeded though room is being made.
    exceeded: Period,
    /// `maxmemory-clients` in bytes; 0 for no limit.
    clients_limit: AtomicU64,
    /// What the clients of each worker take, as far as there is a limit.
    clients: Box<[CachePadded<AtomicI64>]>,
    /// What clients hold that have been chosen to be closed, and are not closed yet.
    condemned: AtomicI64,
    /// Since when those that may not be closed have been too much, in milliseconds; looked at again and again.
    clients_since: AtomicI64,
    /// When one was last chosen or closed, in milliseconds.
    condemned_at: AtomicI64,
    /// Held while clients are being evicted.
    chooses_clients: Mutex<()>,
    /// When the allocator was last asked to give memory back, in milliseconds.
    purged: AtomicI64,
    /// The milliseconds that this has lately taken at most on one worker.
    purge_cost: AtomicI64,
    /// Whether freed pages go back to the system at once.
    is_tight: AtomicBool,
    /// What the process occupied without using it when that was last looked at.
    waste: AtomicU64,
    /// While so much of what the process occupies is not in use that entries are moved together.
    wasteful: Period,
    /// Whether the process occupies more than the limit for it.
    is_over: AtomicBool,
    /// When what the process occupies was last looked at, and when the limit last followed it, in milliseconds.
    looked: AtomicI64,
    corrected: AtomicI64,
    /// What it occupied then.
    corrected_at: AtomicU64,
}

/// What has come of making room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// The limit is kept.
    Enough,
    /// It is not, but enough has been freed for now.
    Soon,
    /// It is not, and nothing can go.
    None,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
    /// What the thread had allocated when it last looked.
    static SEEN: Cell<isize> = const { Cell::new(0) };
}

impl Memory {
    /// Without limits.
    pub fn new(workers: usize) -> Self {
        Self {
            limit: AtomicU64::new(0),
            configured: AtomicU64::new(0),
            held_back: AtomicU64::new(0),
            base: AtomicU64::new(0),
            claimed: AtomicI64::new(0),
            exceeded: Period::default(),
            clients_limit: AtomicU64::new(0),
            clients: (0..workers).map(|_| CachePadded::default()).collect(),
            condemned: AtomicI64::new(0),
            clients_since: AtomicI64::new(0),
            condemned_at: AtomicI64::new(0),
            chooses_clients: Mutex::new(()),
            purged: AtomicI64::new(0),
            purge_cost: AtomicI64::new(0),
            is_tight: AtomicBool::new(false),
            waste: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            wasteful: Period::default(),
            looked: AtomicI64::new(0),
            corrected: AtomicI64::new(0),
            corrected_at: AtomicU64::new(0),
        }
    }

    /// Whether there is a limit.
    pub fn is_limited(&self) -> bool {
        self.limit.load(Relaxed) > 0
    }

    /// What is kept free of the limit because the process occupies more than it uses.
    pub fn held_back(&self) -> u64 {
        self.held_back.load(Relaxed)
    }

    /// Whether so much of what the process occupies is not in use that entries are to be moved together.
    pub fn is_wasteful(&self) -> bool {
        self.wasteful.is_on()
    }

    /// What is kept free in any case: what the process occupied before there was any data. Where that is most of the limit, it
    /// cannot be.
    fn least_held_back(&self) -> u64 {
        let configured = self.configured.load(Relaxed);
        match configured >= LEAST_RESIDENT_LIMIT {
            true => (self.base.load(Relaxed)).min(configured / 4),
            false => 0,
        }
    }

    fn follow(&self) {
        let (configured, held_back) = (self.configured.load(Relaxed), self.held_back());
        self.limit
            .store(configured.saturating_sub(held_back), Relaxed);
    }

    /// Milliseconds for which the limit has been exceeded by now, and altogether.
    pub fn exceeded(&self) -> (u64, u64) {
        self.exceeded.times()
    }

    /// Milliseconds for which entries have been moved together by now, and altogether.
    pub fn wasteful(&self) -> (u64, u64) {
        self.wasteful.times()
    }

    /// Counts from zero again.
    pub fn reset(&self) {
        self.exceeded.reset();
        self.wasteful.reset();
    }

    /// What is to be held back from now on, when the process occupies and uses so much.
    fn correction(&self, resident: u64, used: u64) -> u64 {
        let configured = self.configured.load(Relaxed);
        let (limit, held_back) = (self.limit.load(Relaxed), self.held_back());
        let tolerance = configured / RESIDENT_TOLERANCE;
        let goal = configured - tolerance;
        let least = self.least_held_back();
        if resident > goal {
            // A limit that nobody has come to yet would be lowered without effect. If little is left in use, the rest is on its
            // way back to the system.
            let unused = limit.saturating_sub(used);
            let unused = match unused > configured / UNUSED_TOLERANCE {
                true => 0,
                false => unused,
            };
            let more = ((resident - goal) / 2).max(64 << 10);
            let most = (configured / MOST_HELD_BACK).max(least);
            return (held_back + unused + more).min(most);
        }
        // A limit that nobody has come to says nothing of what one that is higher would bring.
        let is_felt = used + tolerance > limit;
        if held_back > least && is_felt && resident < goal - tolerance {
            let far = (goal - tolerance - resident) / 16;
            let less = (held_back / 64).max(64 << 10).max(far);
            return held_back.saturating_sub(less).max(least);
        }
        held_back
    }

    /// This thread gives back what it has freed.
    pub fn purge(&self) {
        let begun = Instant::now();
        alloc::purge();
        let cost = begun.elapsed().as_millis() as i64;
        self.purge_cost.fetch_max(cost, Relaxed);
    }

    /// What a worker may allocate before it looks again.
    pub fn slack(&self) -> isize {
        (self.limit.load(Relaxed) / 1024).min(SLACK) as isize
    }
}

/// Which keys go under a policy; `None` when none may.
fn choice(config: &Config, moment: Moment) -> Option<Choice> {
    use MaxmemoryPolicy::*;
    let (order, only_volatile) = match config.maxmemory_policy {
        VolatileLru => (Order::Idlest, true),
        VolatileLfu => (Order::Rarest, true),
        VolatileTtl => (Order::Soonest, true),
        VolatileRandom => (Order::Random, true),
        AllkeysLru => (Order::Idlest, false),
        AllkeysLfu => (Order::Rarest, false),
        AllkeysRandom => (Order::Random, false),
        NoEviction => return None,
    };
    Some(Choice {
        order,
        only_volatile,
        samples: config.maxmemory_samples,
        clock: moment.access,
    })
}

/// How long one go may take beyond what must be freed, by `maxmemory-eviction-tenacity`; as in Redis.
fn patience(tenacity: u32) -> Duration {
    match tenacity {
        0..=10 => Duration::from_micros(50 * u64::from(tenacity)),
        11..100 => Duration::from_secs_f64(0.0005 * 1.15f64.powi(tenacity as i32 - 10)),
        _ => Duration::MAX,
    }
}

/// Where evictions take place.
pub struct Place<'r> {
    /// The thread's number.
    pub lane: usize,
    /// The configuration.
    pub config: &'r Config,
    /// The time, and how uses are recorded.
    pub moment: Moment,
    /// What follows from them. It must hold nothing for the journal.
    pub effects: &'r mut Effects,
    /// What happens on the way.
    pub notes: &'r mut Notes,
}

impl Engine {
    /// Takes over the limits of a configuration.
    pub fn set_memory_limits(&self, config: &Config) {
        let memory = &self.memory;
        let limit = config.maxmemory.bytes_of_machine();
        if limit != memory.configured.swap(limit, Relaxed) {
            memory.held_back.store(memory.least_held_back(), Relaxed);
        }
        memory.follow();
        self.set_condition(condition::MEMORY_LIMITED, limit > 0);
        if limit < LEAST_RESIDENT_LIMIT && memory.is_tight.swap(false, Relaxed) {
            alloc::return_at_once(false);
        }
        if limit == 0 {
            memory.exceeded.note(false);
        }
        let for_clients = match config.maxmemory_clients.bytes_of(limit) {
            0 => 0,
            bytes => bytes.max(LEAST_FOR_CLIENTS),
        };
        memory.clients_limit.store(for_clients, Relaxed);
        if for_clients > 0 {
            for client in self.clients.all() {
                self.account(&client);
            }
        }
    }

    /// Notes what the process occupies before there is any data.
    pub fn note_memory_base(&self) {
        let resident = machine::resident_memory().unwrap_or(0);
        let base = resident.saturating_sub(alloc::used() as u64);
        self.memory.base.store(base, Relaxed);
        let least = self.memory.least_held_back();
        self.memory.held_back.store(least, Relaxed);
        self.memory.follow();
    }

    /// Bytes in use beyond a limit. What is on its way to files or to clients that keep copies of keys does not count:
    /// evictions add to it.
    fn excess(&self, limit: u64) -> i64 {
        let used = alloc::used() as i64 - limit as i64;
        if used <= 0 {
            return used;
        }
        // What was evicted and is still being freed has made its room, but nobody may run far ahead of it.
        let leaving = self.reclaimer.pending_bytes() as i64;
        let used = used - leaving.min(limit as i64 / GRACE) - bytes_underway() as i64;
        if used <= 0 || !self.journal.is_open() {
            return used;
        }
        let passing = self.journal.pending() + self.aof.buffer_length.load(Relaxed);
        used - passing as i64
    }

    /// Makes room if the limit is exceeded. The caller has a passage through the gate and holds no shard.
    pub fn make_room(&self, place: &mut Place<'_>) -> Room {
        let memory = &self.memory;
        let limit = memory.limit.load(Relaxed);
        if !memory.is_limited() || self.is_loading() || self.is_paused(true) {
            return Room::Enough;
        }
        self.look_at_resident_memory(place.moment.now);
        let own = alloc::own();
        let excess = self.excess(limit);
        let room = if excess <= 0 {
            SEEN.set(alloc::own());
            Room::Enough
        } else if self.reclaimer.pending() > 0 && excess < limit as i64 / GRACE {
            Room::Soon
        } else {
            self.evict(limit, excess, place)
        };
        memory.exceeded.note(room != Room::Enough);
        if memory.is_wasteful() {
            self.compact_for_own(place.lane, own);
        }
        room
    }

    #[cold]
    fn evict(&self, limit: u64, excess: i64, place: &mut Place<'_>) -> Room {
        let Some(choice) = choice(place.config, place.moment) else {
            return Room::None;
        };
        let claimed = &self.memory.claimed;
        let wanted = excess - claimed.load(Relaxed);
        // Others are about to free as much, but nobody frees for free.
        let own = (alloc::own() - SEEN.get()).max(0) as i64;
        let due = (own + own / 4).min(excess);
        let wanted = wanted.max(due);
        if wanted <= 0 {
            return Room::Soon;
        }
        claimed.fetch_add(wanted, Relaxed);
        let room = self.evict_some(limit, (wanted, due), &choice, place);
        claimed.fetch_sub(wanted, Relaxed);
        SEEN.set(alloc::own());
        room
    }

    /// Evicts until `wanted` bytes have been freed, or until the time is up and those due have been.
    fn evict_some(
        &self,
        limit: u64,
        (wanted, due): (i64, i64),
        choice: &Choice,
        place: &mut Place<'_>,
    ) -> Room {
        let (started, patience) = (
            Instant::now(),
            patience(place.config.maxmemory_eviction_tenacity),
        );
        let (mut freed, mut evicted) = (0, 0u32);
        let room = loop {
            let Some(bytes) = self.evict_one(choice, place) else {
                break match self.excess(limit) > 0 {
                    true => Room::None,
                    false => Room::Enough,
                };
            };
            freed += bytes;
            evicted += 1;
            if freed >= wanted {
                break Room::Enough;
            }
            if evicted.is_multiple_of(EVICTIONS_PER_LOOK) {
                if self.excess(limit) <= 0 {
                    break Room::Enough;
                }
                let is_freeing = self.reclaimer.pending() > 0;
                if freed >= due && (is_freeing || started.elapsed() >= patience) {
                    break Room::Soon;
                }
            }
        };
        self.note_event(latency::event::EVICTION_CYCLE, started.elapsed());
        room
    }

    /// Evicts one key; says how many bytes that freed. `None` when no key may go.
    fn evict_one(&self, choice: &Choice, place: &mut Place<'_>) -> Option<i64> {
        POOL.with_borrow_mut(|pool| {
            for _ in 0..TRIES {
                let candidate = pool.choose(&self.keyspace, choice)?;
                let (key, database) = (Key::new(&candidate.key), candidate.database);
                let mut scope = self.keyspace.lock_one(key.shard());
                // Keys past their time go like others.
                let moment = Moment {
                    ignore_expiry: true,
                    ..place.moment
                };
                let mut db = Db::new(&mut scope, place.notes, database, moment);
                let holds = |entry| choice.still_holds(entry, candidate);
                if db.view(key).is_some_and(holds) {
                    return self.evict_key(&mut db, key, place.lane, place.config, place.effects);
                }
            }
            Some(0)
        })
    }

    fn evict_key(
        &self,
        db: &mut Db<'_, '_>,
        key: Key<'_>,
        lane: usize,
        config: &Config,
        effects: &mut Effects,
    ) -> Option<i64> {
        let database = db.index();
        let started = (config.latency_monitor_threshold > 0).then(Instant::now);
        let before = alloc::own();
        let leaving = db.evict(key)?;
        db.scope().release(database, key.shard());
        // What is told of it below takes memory, too, but not for long.
        let freed = before - alloc::own() + leaving as isize;
        self.stats.lanes[lane].evicted.add(1);
        let touched = db.touch(key);
        if touched != Touched::NOBODY {
            self.tell_touched(db, effects, key, touched, 0);
        }
        effects.note_broadcast(&self.tracking.prefixes, key.bytes, 0);
        if effects.listens.contains(event::EVICTED.class) {
            self.notify(database, key.bytes, event::EVICTED);
        }
        if self.journal.is_open() {
            let name = match config.lazyfree_lazy_eviction {
                true => &b"UNLINK"[..],
                false => b"DEL",
            };
            effects.add(database, |out| {
                write_command(out, [name, key.bytes].into_iter())
            });
            self.append(lane, effects);
        }
        if let Some(started) = started {
            self.note_event(latency::event::EVICTION_DEL, started.elapsed());
        }
        Some(freed as i64)
    }

    /// Looks at how much memory the process occupies, now and then. What it occupies without using it, because pages are filled
    /// in part, is given back as far as the allocator can, and for the rest less data is kept.
    pub fn look_at_resident_memory(&self, now: i64) {
        let memory = &self.memory;
        let looked = memory.looked.load(Relaxed);
        if (0..LOOKS_APART).contains(&(now - looked)) {
            return;
        }
        let mine = (memory.looked).compare_exchange(looked, now, Relaxed, Relaxed);
        let Some(resident) = mine.ok().and_then(|_| machine::resident_memory()) else {
            return;
        };
        let used = alloc::used() as u64;
        let wastes = memory.wastes(resident, used, &self.config.load());
        memory.wasteful.note(wastes);
        let configured = memory.configured.load(Relaxed);
        let is_kept = configured >= LEAST_RESIDENT_LIMIT;
        let is_over = is_kept && wastes && resident > configured;
        memory.is_over.store(is_over, Relaxed);
        // Until moving has made up for it: it costs too much to be done all the time.
        alloc::return_parts(is_over);
        if !is_kept {
            return;
        }
        let goal = configured - configured / RESIDENT_TOLERANCE;
        self.tighten(resident);
        if resident > goal {
            self.purge_soon(now, resident > configured);
        }
        let new = memory.correction(resident, used);
        // While it grows beyond it, nobody waits to see what the last correction has brought.
        let is_urgent = resident > configured.max(memory.corrected_at.load(Relaxed));
        let since = now - memory.corrected.load(Relaxed);
        if new != memory.held_back() && (is_urgent || !(0..CORRECTIONS_APART).contains(&since)) {
            memory.corrected.store(now, Relaxed);
            memory.corrected_at.store(resident, Relaxed);
            memory.held_back.store(new, Relaxed);
            memory.follow();
        }
    }

    /// Near the limit, what is freed goes back to the system at once; no more when there is much room again.
    fn tighten(&self, resident: u64) {
        let memory = &self.memory;
        let configured = memory.configured.load(Relaxed);
        let was_tight = memory.is_tight.load(Relaxed);
        let slack = configured / if was_tight { 4 } else { 8 };
        let is_tight = resident > configured - slack;
        if is_tight != was_tight {
            memory.is_tight.store(is_tight, Relaxed);
            alloc::return_at_once(is_tight);
        }
    }

    /// Asks every worker to give back what it has freed, unless that has just been done.
    fn purge_soon(&self, now: i64, is_urgent: bool) {
        let memory = &self.memory;
        let (urgent, otherwise) = PURGES_APART;
        let apart = if is_urgent { urgent } else { otherwise };
        let apart = apart.max(memory.purge_cost.load(Relaxed) * PURGE_SHARE);
        if (0..apart).contains(&(now - memory.purged.load(Relaxed))) {
            return;
        }
        memory.purged.store(now, Relaxed);
        // What it once took is forgotten bit by bit.
        let cost = memory.purge_cost.load(Relaxed);
        memory.purge_cost.store(cost - cost / 4, Relaxed);
        let mailboxes = self.mailboxes.iter();
        mailboxes.for_each(|mailbox| mailbox.post(Mail::Purge));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_is_time_as_in_redis() {
        assert_eq!(patience(0), Duration::ZERO);
        assert_eq!(patience(10), Duration::from_micros(500));
        assert_eq!(patience(11), Duration::from_micros(575));
        assert!(patience(99) > Duration::from_secs(100) && patience(99) < Duration::from_secs(130));
        assert_eq!(patience(100), Duration::MAX);
    }

    #[test]
    fn the_limit_follows_what_the_process_occupies() {
        const MIB: u64 = 1 << 20;
        let memory = Memory::new(1);
        memory.configured.store(640 * MIB, Relaxed);
        let hold = |held_back: u64| {
            memory.held_back.store(held_back, Relaxed);
            memory.follow();
        };
        hold(40 * MIB);
        assert_eq!(memory.correction(620 * MIB, 600 * MIB), 40 * MIB, "well");
        // It is to stay below 630: half of what is too much at a time.
        assert_eq!(memory.correction(634 * MIB, 600 * MIB), 42 * MIB);
        assert_eq!(memory.correction(634 * MIB, 560 * MIB), 82 * MIB, "growing");
        assert_eq!(memory.correction(700 * MIB, 100 * MIB), 75 * MIB, "flushed");
        hold(310 * MIB);
        assert_eq!(memory.correction(700 * MIB, 320 * MIB), 320 * MIB, "half");
        hold(64 * MIB);
        assert_eq!(memory.correction(600 * MIB, 500 * MIB), 64 * MIB, "idle");
        assert_eq!(memory.correction(615 * MIB, 576 * MIB), 63 * MIB);
        assert_eq!(memory.correction(300 * MIB, 576 * MIB), 44 * MIB, "far");
    }
}
