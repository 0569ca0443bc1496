//! A worker's timer: keys that are due, pauses that end, clients that are idle or read too slowly.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::connection::{brake, with_lane};
use super::{Server, jobs, signals};
use crate::base::clock::unix_ms;
use crate::engine::blocking::Waiter;
use crate::engine::memory::{COMPACTION_PERCENT, Place, Room};
use crate::engine::{Effects, Engine, access_clock, condition, event, flag};
use crate::journal::write_command;
use crate::keyspace::{AccessClock, Db, Expired, Key, Moment, Notes, Passage, SHARDS, Scope};
use crate::observe::latency;

/// Time between two looks at what is due; with the coarseness of deadlines a key is gone within 100 ms of its time.
const PERIOD: Duration = Duration::from_millis(50);
/// Samples for INFO's rates are taken every so many periods.
const ROUNDS_PER_SAMPLE: u64 = 2;
/// Due keys looked at under one lock.
const DUE_AT_ONCE: usize = 64;
/// Time after which what may not change anything now is tried again.
const NOT_NOW: Duration = Duration::from_millis(10);
/// Time that is spent on moving entries together before other tasks get their turn.
const COMPACTION_STEP: Duration = Duration::from_micros(250);
/// Shards swept before other tasks of the worker get their turn.
const SHARDS_AT_ONCE: usize = 16;

/// Runs until the worker ends.
pub(super) async fn run(server: Arc<Server>, index: usize) {
    let mut interval = tokio::time::interval(PERIOD);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut round = 0u64;
    loop {
        interval.tick().await;
        round += 1;
        let engine = &server.engine;
        brake::release();
        expire(engine, index).await;
        evict(engine, index).await;
        compact(engine, index).await;
        let begun = Instant::now();
        if index == 0 {
            engine.end_pause_when_due();
            look_at_waiters(engine);
            engine.stats.note_peak();
            forget_copies(engine, index);
            if round.is_multiple_of(ROUNDS_PER_SAMPLE) {
                engine.look_at_resident_memory(unix_ms());
                engine.stats.sample();
                jobs::tick(&server);
            }
        }
        note_turns(engine, index);
        if round.is_multiple_of(1000 / PERIOD.as_millis() as u64) {
            look_after_clients(engine);
            if index == 0 {
                engine.stats.recent_input.turn();
                engine.stats.recent_output.turn();
                let links = server.links.close_idle();
                engine.transfers.links.store(links, Relaxed);
            }
        }
        let spent = begun.elapsed().as_micros() as u64;
        engine.stats.lanes[index].timer_micros.add(spent);
    }
}

/// Forgets keys of which too many are remembered, though nobody sends a command.
fn forget_copies(engine: &Engine, lane: usize) {
    if engine.conditions() & condition::REMEMBERS_TOO_MUCH != 0 {
        let Some(_passage) = engine.keyspace.gate().pass_unless_stuck(lane) else {
            return;
        };
        engine.forget_some();
    }
}

/// Makes room where commands have left some to be made, giving way to others after every go.
async fn evict(engine: &Engine, index: usize) {
    let begun = Instant::now();
    while engine.memory.is_limited() && begun.elapsed() < PERIOD / 2 {
        let Some(passage) = engine.keyspace.gate().pass_unless_stuck(index) else {
            return;
        };
        let (config, now) = (engine.config.load(), unix_ms());
        let mut effects = Effects::default();
        effects.listens = engine.listens(&config);
        let room = engine.make_room(&mut Place {
            lane: index,
            config: &config,
            moment: Moment {
                now,
                access: access_clock(&config, now),
                no_touch: true,
                ignore_expiry: false,
                keeps_expired: false,
            },
            effects: &mut effects,
            notes: &mut Notes::default(),
        });
        if effects.has_broadcasts() {
            engine.send_broadcasts(&mut effects);
        }
        match std::mem::take(&mut effects.ready) {
            none if none.is_empty() => drop(passage),
            lost => serve(engine, passage, lost, &[]),
        }
        if engine.journal.is_open() {
            engine.journal.ring();
        }
        if room != Room::Soon {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Moves entries together if there is reason to, giving way to others every now and then.
async fn compact(engine: &Engine, index: usize) {
    let begun = Instant::now();
    while begun.elapsed() < PERIOD * COMPACTION_PERCENT / 100 {
        let Some(passage) = engine.keyspace.gate().pass_unless_stuck(index) else {
            return;
        };
        let goes_on = engine.compact_for(index, COMPACTION_STEP);
        drop(passage);
        if !goes_on {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Notes how often this worker's event loop has turned, and how long it was busy; the runtime counts both anyway.
fn note_turns(engine: &Engine, index: usize) {
    let metrics = tokio::runtime::Handle::current().metrics();
    let stats = &engine.stats.lanes[index];
    let (loops, micros) = (stats.loops.get(), stats.busy_micros.get());
    stats.loops.follow(metrics.worker_park_count(0));
    let busy = metrics.worker_total_busy_duration(0);
    stats.busy_micros.follow(busy.as_micros() as u64);
    // Single turns are not timed: the average of those since the last look is.
    let turns = stats.loops.get().saturating_sub(loops).max(1);
    let turn = stats.busy_micros.get().saturating_sub(micros) / turns;
    stats.longest_turn.fetch_max(turn, Relaxed);
}

/// Runs a client's waiting command again, as soon as it may change anything.
pub(super) async fn look_again(server: Arc<Server>, index: usize, client: u64) {
    let engine = &server.engine;
    loop {
        let client = engine.clients.get(client);
        let number = client.map_or(0, |client| client.waits_as.load(Relaxed));
        let Some(waiter) = engine.blocked.get(number) else {
            return;
        };
        if may_change(engine)
            && let Some(passage) = engine.keyspace.gate().pass_unless_stuck(index)
        {
            return serve(engine, passage, Vec::new(), &[waiter]);
        }
        tokio::time::sleep(NOT_NOW).await;
    }
}

/// Whether those who wait may be served with what changes data.
fn may_change(engine: &Engine) -> bool {
    let keeps_from_writing = condition::LOADING | condition::DISK_ERROR;
    !engine.is_paused(true) && engine.conditions() & keeps_from_writing == 0
}

/// Serves those who wait for entries of streams to be left alone for long enough.
fn look_at_waiters(engine: &Engine) {
    if !may_change(engine) {
        return;
    }
    // Before anything is taken that would have to be put back.
    let Some(passage) = engine.keyspace.gate().pass_unless_stuck(0) else {
        return;
    };
    let due = engine.blocked.take_due(unix_ms());
    if !due.is_empty() {
        serve(engine, passage, Vec::new(), &due);
    }
}

fn serve(
    engine: &Engine,
    passage: Passage<'_>,
    ready: Vec<(usize, Box<[u8]>)>,
    due: &[Arc<Waiter>],
) {
    with_lane(|lane| engine.serve(lane, passage, ready, due));
    if engine.journal.is_open() {
        engine.journal.ring();
    }
}

/// Removes this worker's share of the keys that are due, giving way to others every few shards.
async fn expire(engine: &Engine, index: usize) {
    let pauses = engine.is_paused(true) || engine.is_loading() || engine.config.load().import_mode;
    if pauses || !engine.expires_actively.load(Relaxed) {
        return;
    }
    let (mut swept, mut spent) = (0, Duration::ZERO);
    for database in 0..engine.keyspace.databases() {
        if engine.keyspace.hints(database).is_empty() {
            continue;
        }
        for shard in (index..SHARDS).step_by(engine.mailboxes.len()) {
            while engine.keyspace.is_due(database, shard, unix_ms()) {
                let begun = Instant::now();
                let Some(passage) = engine.keyspace.gate().pass_unless_stuck(index) else {
                    return;
                };
                let mut lost = Vec::new();
                let done = sweep(engine, index, (database, shard), &mut lost);
                if lost.is_empty() {
                    drop(passage);
                } else {
                    serve(engine, passage, lost, &[]);
                }
                spent += begun.elapsed();
                swept += 1;
                if swept % SHARDS_AT_ONCE == 0 {
                    tokio::task::yield_now().await;
                }
                if done {
                    break;
                }
            }
        }
    }
    if swept > 0 {
        note_expiry(engine, index, spent);
    }
}

/// Counts the time that went into removing what was due.
fn note_expiry(engine: &Engine, index: usize, spent: Duration) {
    let lane = &engine.stats.lanes[index];
    lane.expiry_micros.add(spent.as_micros() as u64);
    engine.note_event(latency::event::EXPIRE_CYCLE, spent);
}

/// Removes some due keys and fields of one shard; true when none is left. Keys of which somebody waits to hear that they are
/// gone are put into `lost`. The caller has a passage through the gate.
fn sweep(
    engine: &Engine,
    lane: usize,
    (database, shard): (usize, usize),
    lost: &mut Vec<(usize, Box<[u8]>)>,
) -> bool {
    let mut scope = engine.keyspace.lock_one(shard);
    let begun = Instant::now();
    let expired = scope.take_expired(database, shard, unix_ms(), DUE_AT_ONCE);
    let mut effects = Effects::default();
    effects.listens = engine.listens(&engine.config.load());
    let has_readers = engine.keyspace.copies.keys.load(Relaxed) > 0;
    for entry in &expired.entries {
        let key = entry.view().key();
        effects.note_broadcast(&engine.tracking.prefixes, key, 0);
        if has_readers {
            let readers = scope.take_readers(database, Key::new(key));
            engine.invalidate(&mut effects, &readers, key, 0);
        }
        if engine.journal.is_open() {
            effects.add(database, |out| {
                write_command(out, [&b"DEL"[..], key].into_iter())
            });
            engine.append(lane, &mut effects);
        }
        if effects.listens.contains(event::EXPIRED.class) {
            engine.notify(database, key, event::EXPIRED);
        }
        if engine.blocked.mind_loss() {
            lost.push((database, key.into()));
        }
    }
    for key in &expired.partly {
        sweep_fields(engine, lane, &mut scope, &mut effects, (database, key));
    }
    if effects.has_broadcasts() {
        engine.send_broadcasts(&mut effects);
    }
    let count = expired.entries.len();
    engine.stats.lanes[lane].expired.add(count as u64);
    if count + expired.partly.len() > 0 && engine.journal.is_open() {
        engine.journal.ring();
    }
    let Expired { entries, done, .. } = expired;
    for entry in entries {
        engine.reclaimer.free(entry);
    }
    engine.note_event(latency::event::EXPIRE_DEL, begun.elapsed());
    done
}

/// Removes some due fields of a hash.
fn sweep_fields(
    engine: &Engine,
    lane: usize,
    scope: &mut Scope<'_>,
    effects: &mut Effects,
    (database, key): (usize, &[u8]),
) {
    let mut notes = Notes::default();
    let now = unix_ms();
    let moment = Moment {
        now,
        access: AccessClock::lru(now),
        no_touch: true,
        ignore_expiry: false,
        keeps_expired: false,
    };
    let mut db = Db::new(scope, &mut notes, database, moment);
    engine.expire_fields(lane, &mut db, effects, Key::new(key), DUE_AT_ONCE);
    engine.append(lane, effects);
}

/// Once a second: closes clients that have been idle for too long.
fn look_after_clients(engine: &Engine) {
    let config = engine.config.load();
    let now = unix_ms();
    for signals in signals::all() {
        let client = &signals.client;
        let is_exempt = client.has_flag(flag::PUBSUB | flag::BLOCKED | flag::MONITOR);
        let idle = now - client.last_active_ms.load(Relaxed);
        if config.timeout > 0 && !is_exempt && idle > config.timeout as i64 * 1000 {
            client.is_killed.store(true, Relaxed);
            signals.post(|_| {});
        } else if client.output_bytes.load(Relaxed) > 0 {
            // Its soft limit may have run out though nothing is sent or read.
            signals.post(|_| {});
        }
    }
}
