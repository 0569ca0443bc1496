//! Clients that wait for keys are served when what they wait for is there.

use std::sync::Arc;
use std::time::Duration;

use super::{Lane, Request, Round, access_clock};
use crate::base::clock::unix_ms;
use crate::engine::Engine;
use crate::engine::blocking::Waiter;
use crate::engine::effects::Effects;
use crate::engine::timing::Wishes;
use crate::keyspace::{Db, Key, Moment, Notes, Passage, Scope};
use crate::observe::latency::event;
use crate::resp::reply::Reply;

/// How often serving a waiter may begin with others, who wait for another one of its keys and came before it.
const MOST_NESTED: usize = 8;

impl Engine {
    /// Serves clients that wait, where no command has made anything ready: keys whose time was up, and those who asked to be
    /// looked at again.
    pub fn serve(
        &self,
        lane: &Lane,
        passage: Passage<'_>,
        ready: Vec<(usize, Box<[u8]>)>,
        due: &[Arc<Waiter>],
    ) {
        let config = self.config.load();
        let now = unix_ms();
        let mut effects = Effects::default();
        effects.listens = self.listens(&config);
        effects.ready = ready;
        let mut notes = Notes::default();
        let mut round = Round {
            engine: self,
            config: &config,
            wishes: Wishes::of(&config),
            stopwatch: &lane.stopwatch,
            moment: Moment {
                now,
                access: access_clock(&config, now),
                no_touch: false,
                ignore_expiry: false,
                keeps_expired: config.import_mode || self.is_paused(true),
            },
            lane: lane.index,
            passage: Some(passage),
            effects: &mut effects,
            notes: &mut notes,
            parked: None,
            watches: self.watches(),
            memory_budget: isize::MIN,
            is_outdated: false,
            has_run: false,
            is_retry: false,
            waits_on: None,
        };
        for waiter in due {
            if let Some(key) = waiter.first_key() {
                let scope = round.lock_for(waiter, key, 0);
                round.serve(scope, waiter, key);
            }
        }
        round.serve_ready();
        if round.effects.has_broadcasts() {
            self.send_broadcasts(round.effects);
        }
    }
}

impl<'e> Round<'_, 'e> {
    /// Serves clients that wait for keys that have changed, until nothing is ready: who is served may change keys, too.
    pub(super) fn serve_ready(&mut self) {
        if !self.effects.ready.is_empty() {
            self.serve_all_ready();
        }
    }

    #[cold]
    fn serve_all_ready(&mut self) {
        let parked = self.parked.take();
        // What made the keys ready may have taken long.
        self.moment.now = self.moment.now.max(unix_ms());
        while !self.effects.ready.is_empty() {
            for (database, key) in std::mem::take(&mut self.effects.ready) {
                self.serve_waiters(database, Key::new(&key), u64::MAX, 0);
            }
        }
        self.parked = parked;
    }

    /// Serves those who wait for keys that have changed, before a command that came later can take anything from them: another
    /// worker made the keys ready, and has not come to it. Locks the same keys again.
    #[cold]
    pub(super) fn serve_first<H: Iterator<Item = u64>>(
        &mut self,
        mut scope: Scope<'e>,
        hashes: impl Fn() -> H,
    ) -> Scope<'e> {
        while scope.owes() {
            self.effects.ready.extend(scope.unserved());
            drop(scope);
            self.serve_ready();
            scope = self.engine.keyspace.lock_some(hashes());
        }
        scope
    }

    /// Serves a key's waiters, the oldest first and none from number `end` on, for as long as there is something for them.
    fn serve_waiters(&mut self, database: usize, key: Key<'_>, end: u64, nested: usize) {
        let engine = self.engine;
        let lock = || engine.keyspace.lock_one(key.shard());
        let change = lock().unserved_change(database, key);
        let mut last = 0;
        loop {
            let mut scope = lock();
            let Some(number) = scope.next_waiter(database, key, last) else {
                return scope.end_serving(database, key, change);
            };
            drop(scope);
            if number >= end {
                return;
            }
            last = number;
            // Whoever is not in the list has been served or has gone.
            let Some(waiter) = engine.blocked.get(number) else {
                continue;
            };
            let mut scope = self.lock_for(&waiter, key, nested);
            if !self.may_want(&mut scope, &waiter, key) {
                return scope.end_serving(database, key, change);
            }
            self.serve(scope, &waiter, key);
        }
    }

    /// Locks a waiter's keys, when those have been served who wait for another one of them and came before it: what they wait for
    /// may be there, and not be its.
    fn lock_for(&mut self, waiter: &Waiter, key: Key<'_>, nested: usize) -> Scope<'e> {
        let engine = self.engine;
        let lock = || (engine.keyspace).lock_some(waiter.keys.iter().map(|key| key.hash));
        let mut scope = lock();
        let others = waiter.keys_of_others(&mut scope, key);
        if others.is_empty() || nested == MOST_NESTED {
            return scope;
        }
        drop(scope);
        for other in others {
            self.serve_waiters(waiter.database, other, waiter.number, nested + 1);
        }
        lock()
    }

    /// Whether the key now holds what a waiter may want, or nothing but others may.
    fn may_want(&mut self, scope: &mut Scope<'e>, waiter: &Waiter, key: Key<'_>) -> bool {
        let kind = self.kind_of(scope, waiter, key);
        // Of a key that is gone only those need to hear who mind.
        waiter.wants.is_met_by(kind) || kind.is_some() || self.engine.blocked.mind_loss()
    }

    fn kind_of(
        &mut self,
        scope: &mut Scope<'e>,
        waiter: &Waiter,
        key: Key<'_>,
    ) -> Option<&'static str> {
        let mut db = Db::new(scope, self.notes, waiter.database, self.moment);
        db.peek(key).map(|entry| entry.type_name())
    }

    /// Runs a waiter's command again, if the key now holds what it waits for. All keys of the command are locked.
    fn serve(&mut self, mut scope: Scope<'e>, waiter: &Waiter, key: Key<'_>) {
        let engine = self.engine;
        // Whoever has been killed leaves by itself.
        if !engine.blocked.holds(waiter) || waiter.is_killed() {
            return;
        }
        let kind = self.kind_of(&mut scope, waiter, key);
        if !waiter.wants.is_met_by(kind) {
            return;
        }
        let request = Request {
            args: waiter.args.view(),
            keys: &waiter.keys,
            parsed: None,
        };
        let spec = &engine.commands.all()[waiter.spec];
        let mut reply = Reply::new();
        reply.set_resp3(waiter.is_resp3);
        let mark = reply.mark();
        let start = self.stopwatch.ticks();
        let mut session = waiter.session();
        if let Err(error) = engine.check_again(&mut session, spec, request.args) {
            self.refuse_queued(spec, &error, &mut reply);
            waiter.leave(&mut scope);
            engine.blocked.remove(waiter);
            drop(scope);
            waiter.send(engine, self.lane, &mut reply);
            return;
        }
        self.is_retry = true;
        self.effects.withheld_from = waiter.client.id;
        let result = self.work(&mut scope, &mut session, &request, spec, &mut reply, false);
        self.is_retry = false;
        self.effects.withheld_from = 0;
        if let Err(error) = &result {
            self.count_failure(spec, error);
            reply.cut_back(mark);
            reply.error(&error.line());
        }
        self.commit(&mut scope);
        let waits_on = self.waits_on.take().filter(|_| result.is_ok());
        if let Some(look_again_at) = waits_on {
            engine.blocked.set_alarm(waiter, look_again_at);
        } else {
            waiter.leave(&mut scope);
            engine.blocked.remove(waiter);
            drop(scope);
            let nanos = self.stopwatch.nanos(start, self.stopwatch.ticks());
            engine.note_served(self.lane, waiter, nanos);
            engine.note_event(event::COMMAND_UNBLOCKING, Duration::from_nanos(nanos));
            waiter.send(engine, self.lane, &mut reply);
        }
        engine.send_withheld(self.effects, &waiter.client);
    }
}
