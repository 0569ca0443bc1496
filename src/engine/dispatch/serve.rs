//! Clients that wait for keys are served when what they wait for is there.

use std::sync::Arc;

use super::{Lane, Request, Round, access_clock};
use crate::base::clock::unix_ms;
use crate::engine::Engine;
use crate::engine::blocking::Waiter;
use crate::engine::effects::Effects;
use crate::engine::timing::Wishes;
use crate::keyspace::{Db, Key, Moment, Notes, Passage};
use crate::resp::reply::Reply;

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
                keeps_expired: self.is_paused(true),
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
                round.serve(waiter, key);
            }
        }
        round.serve_ready();
    }
}

impl Round<'_, '_> {
    /// Serves clients that wait for keys that have changed, until nothing is ready: who is served may change keys, too.
    #[cold]
    pub(super) fn serve_ready(&mut self) {
        let parked = self.parked.take();
        // What made the keys ready may have taken long.
        self.moment.now = self.moment.now.max(unix_ms());
        while !self.effects.ready.is_empty() {
            for (database, key) in std::mem::take(&mut self.effects.ready) {
                self.serve_waiters(database, Key::new(&key));
            }
        }
        self.parked = parked;
    }

    /// Serves a key's waiters, the oldest first, for as long as there is something for them.
    fn serve_waiters(&mut self, database: usize, key: Key<'_>) {
        let keyspace = &self.engine.keyspace;
        let mut last = 0;
        loop {
            let next = (keyspace.lock_one(key.shard())).next_waiter(database, key, last);
            let Some(number) = next else { return };
            last = number;
            // Whoever is not in the list has been served or has gone.
            if let Some(waiter) = self.engine.blocked.get(number)
                && !self.serve(&waiter, key)
            {
                return;
            }
        }
    }

    /// Runs a waiter's command again, if the key now holds what it waits for. False when there is nothing left for others.
    fn serve(&mut self, waiter: &Waiter, key: Key<'_>) -> bool {
        let engine = self.engine;
        let hashes = waiter.keys.iter().map(|key| key.hash);
        let mut scope = engine.keyspace.lock_some(hashes);
        // Whoever has been killed leaves by itself.
        if !engine.blocked.holds(waiter) || waiter.is_killed() {
            return true;
        }
        let mut db = Db::new(&mut scope, self.notes, waiter.database, self.moment);
        let kind = db.peek(key).map(|entry| entry.type_name());
        if !waiter.wants.is_met_by(kind) {
            // Of a key that is gone only those need to hear who mind.
            return kind.is_some() || engine.blocked.mind_loss();
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
            return true;
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
            waiter.send(engine, self.lane, &mut reply);
        }
        engine.send_withheld(self.effects, &waiter.client);
        true
    }
}
