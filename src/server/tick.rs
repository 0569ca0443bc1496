//! A worker's timer: keys that are due, pauses that end, clients that are idle or read too slowly.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::connection::with_lane;
use super::{Server, jobs, signals};
use crate::base::clock::unix_ms;
use crate::engine::{Effects, Engine, event, flag};
use crate::journal::write_command;
use crate::keyspace::{AccessClock, Db, Key, Moment, Notes, SHARDS, Scope};

/// Time between two looks at what is due; with the coarseness of deadlines a key is gone within 100 ms of its time.
const PERIOD: Duration = Duration::from_millis(50);
/// Samples for INFO's rates are taken every so many periods.
const ROUNDS_PER_SAMPLE: u64 = 2;
/// Due keys looked at under one lock.
const DUE_AT_ONCE: usize = 64;
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
        expire(engine, index).await;
        if index == 0 {
            engine.end_pause_when_due();
            engine.stats.note_peak();
            if round.is_multiple_of(ROUNDS_PER_SAMPLE) {
                engine.stats.sample();
                jobs::tick(&server);
            }
        }
        note_turns(engine, index);
        if round.is_multiple_of(1000 / PERIOD.as_millis() as u64) {
            look_after_clients(engine);
        }
    }
}

/// Notes how often this worker's event loop has turned, and how long it was busy; the runtime counts both anyway.
fn note_turns(engine: &Engine, index: usize) {
    let metrics = tokio::runtime::Handle::current().metrics();
    let stats = &engine.stats.lanes[index];
    stats.loops.follow(metrics.worker_park_count(0));
    let busy = metrics.worker_total_busy_duration(0);
    stats.busy_micros.follow(busy.as_micros() as u64);
}

/// Removes this worker's share of the keys that are due, giving way to others every few shards.
async fn expire(engine: &Engine, index: usize) {
    let pauses = engine.is_paused(true) || engine.is_loading();
    if pauses || !engine.expires_actively.load(Relaxed) {
        return;
    }
    let mut swept = 0;
    for database in 0..engine.keyspace.databases() {
        if engine.keyspace.hints(database).is_empty() {
            continue;
        }
        for shard in (index..SHARDS).step_by(engine.mailboxes.len()) {
            while engine.keyspace.is_due(database, shard, unix_ms()) {
                let done =
                    with_lane(|lane| sweep(engine, lane.index, database, shard)).unwrap_or(true);
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
}

/// Removes some due keys and fields of one shard; true when none is left.
fn sweep(engine: &Engine, lane: usize, database: usize, shard: usize) -> bool {
    let Some(_passage) = engine.keyspace.gate().pass_unless_stuck(lane) else {
        return true;
    };
    let mut scope = engine.keyspace.lock_one(shard);
    let expired = scope.take_expired(database, shard, unix_ms(), DUE_AT_ONCE);
    let mut effects = Effects::default();
    effects.listens = engine.config.load().notify_keyspace_events;
    for entry in &expired.entries {
        let key = entry.view().key();
        if engine.journal.is_open() {
            effects.add(database, |out| {
                write_command(out, [&b"DEL"[..], key].into_iter())
            });
            engine.append(lane, &mut effects);
        }
        if effects.listens.contains(event::EXPIRED.class) {
            engine.notify(database, key, event::EXPIRED);
        }
    }
    for key in &expired.partly {
        sweep_fields(engine, lane, &mut scope, &mut effects, (database, key));
    }
    let count = expired.entries.len();
    for entry in expired.entries {
        engine.reclaimer.free(entry);
    }
    engine.stats.lanes[lane].expired.add(count as u64);
    if count + expired.partly.len() > 0 && engine.journal.is_open() {
        engine.journal.ring();
    }
    expired.done
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
