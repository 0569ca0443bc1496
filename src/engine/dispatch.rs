//! From parsed commands to replies: resolve and prefetch a batch, then check, lock, run and commit one by one.

mod busy;

use super::blocking::Waiter;
use super::call::{Call, KeyRef};
use super::command::{Group, flags};
use super::effects::Effects;
use super::error::CommandError;
use super::parked::{Parked, Progress};
use super::session::{Session, state};
use super::table::{Locks, Spec};
use super::{Engine, checks, event};
use crate::base::clock::{Stopwatch, WallClock, unix_ms};
use crate::config::Config;
use crate::journal::write_command;
use crate::keyspace::{AccessClock, Db, Key, Moment, Notes, Passage, Scope, pin, shard_of};
use crate::resp::args::{Args, MAX_ARGUMENT};
use crate::resp::parser::Batch;
use crate::resp::reply::{Mark, Reply};

use std::sync::atomic::Ordering::Relaxed;

/// Batches smaller than this gain nothing from prefetching: the keys would be needed before they arrive.
const PREFETCH_FROM: usize = 3;

/// Why a batch ended.
pub enum Flow {
    /// All commands were run.
    Continue,
    /// The connection closes once its replies are sent; later commands are not run.
    Close,
    /// A command has no reply yet; later commands wait.
    Parked(Box<dyn Parked>),
    /// There is mail that came before what follows, so it must be delivered first.
    Mail,
    /// A command must be sent through again when [`Engine::is_paused`] no longer holds.
    Postponed,
}

/// A command of a batch with what is known before it runs.
struct Prepared {
    /// The command's number; `UNKNOWN` for none.
    spec: u32,
    first_key: u32,
    keys: u32,
}

const UNKNOWN: u32 = u32::MAX;

/// One thread's working memory for running commands.
pub struct Lane {
    /// The thread's number: its lane through the gate, its counters, its journal buffer.
    pub index: usize,
    prepared: Vec<Prepared>,
    keys: Vec<KeyRef>,
    effects: Effects,
    notes: Notes,
    stopwatch: Stopwatch,
    clock: WallClock,
}

impl Lane {
    /// Working memory for thread `index`.
    pub fn new(index: usize) -> Self {
        Self {
            index,
            prepared: Vec::new(),
            keys: Vec::new(),
            effects: Effects::default(),
            notes: Notes::default(),
            stopwatch: Stopwatch::default(),
            clock: WallClock::default(),
        }
    }
}

/// What stays the same for all commands of a batch.
struct Round<'r, 'e> {
    engine: &'e Engine,
    config: &'r Config,
    moment: Moment,
    lane: usize,
    passage: Option<Passage<'e>>,
    effects: Effects,
    notes: Notes,
    parked: Option<Box<dyn Parked>>,
    /// Whether `config` has been replaced by a command of this batch.
    is_outdated: bool,
    /// Whether the last command was run, and not queued, refused or put off.
    has_run: bool,
    /// Whether a waiter's command is being run again.
    is_retry: bool,
    /// Whether it has to wait on.
    waits_on: bool,
}

/// Complete commands and the bytes that they lie in.
#[derive(Clone, Copy)]
struct Input<'r> {
    buffer: &'r [u8],
    batch: &'r Batch,
}

/// One command about to run.
#[derive(Clone, Copy)]
struct Request<'r> {
    args: Args<'r>,
    keys: &'r [KeyRef],
    /// The command's bytes as they came, where they are RESP.
    frame: Option<&'r [u8]>,
}

/// A batch's end: how many of its commands are done with, and why it ended.
pub struct BatchEnd {
    /// Commands that need not be looked at again.
    pub done: usize,
    /// Why it ended.
    pub flow: Flow,
}

impl Engine {
    /// Runs the commands of a batch that has been [prepared](Engine::prepare), in order, and writes their replies. `config`
    /// is the configuration in force.
    pub fn run_batch(
        &self,
        lane: &mut Lane,
        config: &Config,
        session: &mut Session,
        buffer: &[u8],
        batch: &Batch,
        reply: &mut Reply,
    ) -> BatchEnd {
        let input = Input { buffer, batch };
        let mut end = self.run_round(lane, config, session, input, 0, reply);
        // A CONFIG SET within the batch asks for another round.
        while end.done < batch.commands.len() && matches!(end.flow, Flow::Continue) {
            let config = self.config.load();
            end = self.run_round(lane, &config, session, input, end.done, reply);
        }
        end
    }

    /// Runs the commands of a batch from `first` on for as long as the configuration stays.
    fn run_round(
        &self,
        lane: &mut Lane,
        config: &Config,
        session: &mut Session,
        input: Input<'_>,
        first: usize,
        reply: &mut Reply,
    ) -> BatchEnd {
        // The time is taken inside the gate: what was waited for there belongs to the past.
        let passage = self.keyspace.gate().pass_unless_stuck(lane.index);
        let start = lane.stopwatch.ticks();
        let now = lane.clock.unix_ms(&lane.stopwatch, start);
        let mut round = Round {
            engine: self,
            config,
            moment: self.moment(config, session, now),
            lane: lane.index,
            passage,
            effects: std::mem::take(&mut lane.effects),
            notes: std::mem::take(&mut lane.notes),
            parked: None,
            is_outdated: false,
            has_run: false,
            is_retry: false,
            waits_on: false,
        };
        session
            .client
            .last_active_ms
            .store(round.moment.now, Relaxed);
        round.effects.listens = config.notify_keyspace_events;
        reply.set_resp3(session.is_resp3);
        let timer = Timer::start(self, lane, config.latency_tracking, start);
        let end = self.run_prepared(&mut round, timer, session, input, first, reply);
        drop(round.passage.take());
        let stats = &self.stats.lanes[lane.index];
        stats.hits.add(std::mem::take(&mut round.notes.hits));
        stats.misses.add(std::mem::take(&mut round.notes.misses));
        (lane.effects, lane.notes) = (round.effects, round.notes);
        end
    }

    fn run_prepared<'e>(
        &'e self,
        round: &mut Round<'_, 'e>,
        mut timer: Timer<'_, 'e>,
        session: &mut Session,
        input: Input<'_>,
        first: usize,
        reply: &mut Reply,
    ) -> BatchEnd {
        let Input { buffer, batch } = input;
        let lane = timer.lane;
        let commands = batch.commands.iter().zip(&lane.prepared).enumerate();
        for (index, (command, prepared)) in commands.skip(first) {
            let request = Request {
                args: batch.args(buffer, command),
                keys: &lane.keys[prepared.first_key as usize..][..prepared.keys as usize],
                frame: command
                    .is_frame
                    .then(|| &buffer[command.start as usize..command.end as usize]),
            };
            let spec = self.commands.all().get(prepared.spec as usize);
            if index > 0 && self.has_earlier_mail(session, spec) {
                timer.finish();
                return BatchEnd {
                    done: index,
                    flow: Flow::Mail,
                };
            }
            timer.begins(spec);
            session.client.last_command.store(prepared.spec, Relaxed);
            round.has_run = false;
            let flow = round.run(session, request, spec, reply);
            timer.ends(round.has_run);
            if !matches!(flow, Flow::Continue) || round.is_outdated {
                let done = index + usize::from(!matches!(flow, Flow::Postponed));
                timer.finish();
                return BatchEnd { done, flow };
            }
        }
        timer.finish();
        BatchEnd {
            done: batch.commands.len(),
            flow: Flow::Continue,
        }
    }

    /// Whether messages wait that were published before a command that changes who gets them.
    #[inline]
    fn has_earlier_mail(&self, session: &Session, spec: Option<&Spec>) -> bool {
        spec.is_some_and(Spec::answers_with_messages)
            && self.mailboxes[session.client.worker].has_mail()
    }

    /// Looks up the commands of a batch and hashes their keys; brings what they will need into the cache. True when one of
    /// them runs a script, so that [`Engine::run_batch`] may take long: it should be run where it can be put aside.
    pub fn prepare(
        &self,
        lane: &mut Lane,
        session: &Session,
        buffer: &[u8],
        batch: &Batch,
    ) -> bool {
        let transaction = session.transaction.as_ref();
        let mut runs_script = transaction.is_some_and(|queue| queue.runs_script);
        let Lane { prepared, keys, .. } = lane;
        prepared.clear();
        keys.clear();
        let mut last: Option<(&[u8], &Spec)> = None;
        for command in &batch.commands {
            let args = batch.args(buffer, command);
            let spec = match last {
                // Pipelines mostly repeat one command.
                Some((name, spec)) if is_same(name, args.at(0)) => Some(spec),
                _ => self.commands.resolve(args),
            };
            last = spec
                .filter(|spec| spec.parent.is_none() && spec.subcommands.is_empty())
                .map(|spec| (args.at(0), spec));
            let first_key = keys.len() as u32;
            if let Some(spec) = spec {
                runs_script |= spec.runs_script();
                collect_keys(spec, args, keys);
            }
            let spec = spec.map_or(UNKNOWN, |spec| spec.id as u32);
            prepared.push(Prepared {
                spec,
                first_key,
                keys: keys.len() as u32 - first_key,
            });
        }
        if keys.len() >= PREFETCH_FROM {
            self.prefetch(session.database, keys);
        }
        runs_script
    }

    /// First all buckets, then all entries, so that the second look finds the first's lines there.
    fn prefetch(&self, database: usize, keys: &[KeyRef]) {
        let pin = pin();
        for key in keys {
            self.keyspace.prefetch_shard(key.hash);
            if let Some((hint, bits)) = self.keyspace.hint_of(database, key.hash) {
                hint.prefetch_bucket(bits, &pin);
            }
        }
        for key in keys {
            if let Some((hint, bits)) = self.keyspace.hint_of(database, key.hash) {
                hint.prefetch_entry(bits, &pin);
            }
        }
    }

    fn moment(&self, config: &Config, session: &Session, now: i64) -> Moment {
        Moment {
            now,
            access: access_clock(config, now),
            no_touch: session.no_touch,
            ignore_expiry: self.is_loading(),
            keeps_expired: self.is_paused(true),
        }
    }

    /// Goes on with a parked command.
    pub fn resume(
        &self,
        lane: &Lane,
        parked: &mut dyn Parked,
        session: &mut Session,
        reply: &mut Reply,
    ) -> Progress {
        let Some(_passage) = self.keyspace.gate().pass_unless_stuck(lane.index) else {
            return match parked.is_blocked() {
                true => Progress::Waiting,
                false => Progress::Busy,
            };
        };
        reply.set_resp3(session.is_resp3);
        parked.resume(self, session, reply)
    }

    /// Runs one command that comes from a file instead of a client. An error is given back, not replied.
    pub fn replay(
        &self,
        lane: &mut Lane,
        session: &mut Session,
        args: Args<'_>,
        reply: &mut Reply,
    ) -> Result<(), CommandError> {
        let spec = self
            .commands
            .resolve(args)
            .ok_or_else(|| checks::unknown_command(self, args))?;
        let config = self.config.load();
        let mut keys = Vec::new();
        collect_keys(spec, args, &mut keys);
        let mut round = Round {
            engine: self,
            config: &config,
            moment: Moment {
                ignore_expiry: true,
                ..self.moment(&config, session, unix_ms())
            },
            lane: lane.index,
            passage: Some(self.keyspace.gate().pass(lane.index)),
            effects: Effects::default(),
            notes: Notes::default(),
            parked: None,
            is_outdated: false,
            has_run: false,
            is_retry: false,
            waits_on: false,
        };
        let request = Request {
            args,
            keys: &keys,
            frame: None,
        };
        if !spec.accepts(args.len()) {
            return Err(CommandError::arity(&spec.name));
        }
        if spec.command.group != Group::String && args.has_longer_than(MAX_ARGUMENT) {
            return Err(CommandError::TooLong);
        }
        if session.is(state::MULTI) && !spec.has(flags::CONTROL) {
            session.queue(spec, args, &keys);
            return Ok(());
        }
        round.locked(session, request, spec, reply)
    }
}

/// Whether two names are the same: without a call for short ones, as most are.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match one.len() {
        2..=3 => {
            one.first_chunk::<2>() == other.first_chunk()
                && one.last_chunk::<2>() == other.last_chunk()
        }
        4..=8 => {
            one.first_chunk::<4>() == other.first_chunk()
                && one.last_chunk::<4>() == other.last_chunk()
        }
        _ => one == other,
    }
}

/// How accesses are recorded under the configured policy.
pub fn access_clock(config: &Config, now: i64) -> AccessClock {
    if config.maxmemory_policy.is_lfu() {
        AccessClock::lfu(now, config.lfu_log_factor, config.lfu_decay_time)
    } else {
        AccessClock::lru(now)
    }
}

/// Whether a call of a command that may touch any key touches only those that it names.
fn knows_its_keys(spec: &Spec, args: Args<'_>) -> bool {
    let known_keys = spec.command.known_keys;
    known_keys.is_some_and(|known_keys| known_keys(args, &mut |_| {}))
}

#[inline]
pub(super) fn collect_keys(spec: &Spec, args: Args<'_>, keys: &mut Vec<KeyRef>) {
    let mut add = |at: usize| {
        let arg = args.at(at);
        keys.push(KeyRef {
            arg: at as u32,
            hash: Key::new(arg).hash,
        });
    };
    match spec.locks {
        Locks::One(at) if at < args.len() => add(at),
        Locks::Keys | Locks::Everything => match spec.command.known_keys {
            Some(known_keys) => drop(known_keys(args, &mut add)),
            None => drop(spec.for_each_key(args, |at, _| add(at))),
        },
        _ => {}
    }
}

impl<'r, 'e> Round<'r, 'e> {
    /// One command: checks, then the work, then the reply or the error.
    #[inline]
    fn run(
        &mut self,
        session: &mut Session,
        request: Request<'_>,
        spec: Option<&'e Spec>,
        reply: &mut Reply,
    ) -> Flow {
        if self.passage.is_none() {
            return self.run_outside(session, request, spec, reply);
        }
        let Some(spec) = spec else {
            let error = checks::unknown_command(self.engine, request.args);
            return self.refuse(session, None, error, reply);
        };
        if !spec.accepts(request.args.len()) {
            return self.refuse(session, Some(spec), checks::wrong_arity(spec), reply);
        }
        if session.state | self.engine.conditions() != 0 {
            match checks::run(self.engine, self.config, session, spec) {
                Err(error) => return self.refuse(session, Some(spec), error, reply),
                Ok(checks::Verdict::Postpone) => return Flow::Postponed,
                Ok(checks::Verdict::Queue) => {
                    session.queue(spec, request.args, request.keys);
                    let mark = reply.mark();
                    reply.simple("QUEUED");
                    return self.end(session, Some(spec), reply, mark);
                }
                Ok(checks::Verdict::Run) => {}
            }
        }
        let mark = reply.mark();
        if let Err(error) = self.locked(session, request, spec, reply) {
            self.count_failure(spec, &error);
            reply.cut_back(mark);
            reply.error(&error.line());
        }
        if !self.effects.ready.is_empty() && self.passage.is_some() {
            self.serve_ready();
        }
        self.end(session, Some(spec), reply, mark)
    }

    /// The end of a command: takes the reply back from a client that asked for none, and says how to go on.
    #[inline]
    fn end(
        &mut self,
        session: &mut Session,
        spec: Option<&Spec>,
        reply: &mut Reply,
        mark: Mark,
    ) -> Flow {
        // What waits replies later.
        if session.state & state::REPLY != 0
            && self.parked.is_none()
            && session.is_reply_unwanted()
            && !spec.is_some_and(Spec::answers_with_messages)
        {
            reply.cut_back(mark);
        }
        if self.parked.is_some()
            && let Some(parked) = self.parked.take()
        {
            return Flow::Parked(parked);
        }
        if session.closes {
            return Flow::Close;
        }
        // A listener gets what its own command published after that command's reply, before the next one's.
        if session.subscriptions.is_some()
            && self.engine.mailboxes[session.client.worker].has_mail()
        {
            return Flow::Mail;
        }
        Flow::Continue
    }

    #[cold]
    fn refuse(
        &mut self,
        session: &mut Session,
        spec: Option<&Spec>,
        error: CommandError,
        reply: &mut Reply,
    ) -> Flow {
        let mark = reply.mark();
        let mut line = error.line().into_owned();
        if spec.is_some_and(|spec| spec.locks == Locks::Transaction)
            && session.end_transaction().is_some()
        {
            // Who may not lock keys goes on watching them.
            if self.passage.is_some() {
                self.engine.unwatch_all(session);
            }
            let reason = line.strip_prefix(b"ERR ").unwrap_or(&line);
            line = [b"EXECABORT Transaction discarded because of: ", reason].concat();
        }
        session.abort_transaction();
        self.engine
            .stats
            .count_error(&String::from_utf8_lossy(&line));
        if let Some(spec) = spec {
            self.engine.stats.lanes[self.lane].commands[spec.id]
                .rejected
                .add(1);
        }
        reply.error(&line);
        self.end(session, spec, reply, mark)
    }

    #[cold]
    fn count_failure(&self, spec: &Spec, error: &CommandError) {
        self.engine.stats.count_error(&error.to_string());
        self.engine.stats.lanes[self.lane].commands[spec.id]
            .failed
            .add(1);
    }

    /// Locks what the command needs and runs it.
    #[inline]
    fn locked(
        &mut self,
        session: &mut Session,
        request: Request<'_>,
        spec: &'e Spec,
        reply: &mut Reply,
    ) -> Result<(), CommandError> {
        self.has_run = true;
        let keyspace = &self.engine.keyspace;
        let hashes = || request.keys.iter().map(|key| key.hash);
        // The common case by itself: a scope that is made in one of several places is moved once more.
        if let (Locks::One(_), [key]) = (spec.locks, request.keys) {
            let mut scope = keyspace.lock_one(shard_of(key.hash));
            let result = self.work(&mut scope, session, request, spec, reply, false);
            self.commit(&mut scope);
            return result;
        }
        let mut scope = match (spec.locks, request.keys) {
            (Locks::Nothing | Locks::Walk, _) => keyspace.nothing(),
            (Locks::Transaction, _) => return self.transaction(session, request, spec, reply),
            (Locks::Everything, _) if knows_its_keys(spec, request.args) => {
                keyspace.lock_some(hashes())
            }
            (Locks::Everything, _) => {
                self.passage = None;
                let Some(alone) = keyspace.gate().alone_unless_stuck() else {
                    return Err(self.busy_error());
                };
                let mut scope = keyspace.everything(&alone);
                let result = self.work(&mut scope, session, request, spec, reply, false);
                self.commit(&mut scope);
                drop(scope);
                drop(alone);
                self.passage = keyspace.gate().pass_unless_stuck(self.lane);
                self.is_outdated = !std::ptr::eq(self.config, &**self.engine.config.load());
                return result;
            }
            _ => keyspace.lock_some(hashes()),
        };
        let result = self.work(&mut scope, session, request, spec, reply, false);
        self.commit(&mut scope);
        result
    }

    /// The handler's turn, under locks.
    #[inline]
    fn work(
        &mut self,
        scope: &mut Scope<'e>,
        session: &mut Session,
        request: Request<'_>,
        spec: &'e Spec,
        reply: &mut Reply,
        is_nested: bool,
    ) -> Result<(), CommandError> {
        let database = session.database;
        self.moment.no_touch = session.no_touch;
        let mut call = Call {
            engine: self.engine,
            config: self.config,
            lane: self.lane,
            session,
            spec,
            args: request.args,
            keys: request.keys,
            db: Db::new(scope, &mut self.notes, database, self.moment),
            reply,
            effects: &mut self.effects,
            is_nested,
            is_retry: self.is_retry,
            parked: None,
            waits_on: false,
        };
        let result = (spec.command.handler)(&mut call);
        // Looked at before it is taken: to read both its words at once right after one was written stalls the processor.
        if call.parked.is_some() {
            self.parked = call.parked.take();
        }
        self.waits_on = call.waits_on;
        if !self.notes.expired.is_empty() {
            self.engine
                .tell_expired(self.lane, &mut self.notes, &mut self.effects);
        }
        self.count_dirty();
        if self.engine.journal.is_open() {
            self.effects
                .end_command(database, |out| match request.frame {
                    Some(frame) => out.extend_from_slice(frame),
                    None => write_command(out, request.args.iter()),
                });
        } else {
            self.effects.forget_command();
        }
        result
    }

    #[inline]
    fn count_dirty(&self) {
        if self.effects.dirty > 0 {
            self.engine.stats.lanes[self.lane]
                .dirty
                .add(self.effects.dirty);
        }
    }

    /// The end of a scope: what changed goes to the journal while its locks are still held.
    #[inline]
    fn commit(&mut self, _scope: &mut Scope<'e>) {
        if self.engine.journal.is_open() {
            self.engine.append(self.lane, &mut self.effects);
        }
    }

    /// Serves clients that wait for keys that have changed, until nothing is ready: who is served may change keys, too.
    #[cold]
    fn serve_ready(&mut self) {
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
        if !engine.blocked.holds(waiter) {
            return true;
        }
        let mut db = Db::new(&mut scope, &mut self.notes, waiter.database, self.moment);
        let kind = db.peek(key).map(|entry| entry.type_name());
        if !waiter.wants.is_met_by(kind) {
            // Of a key that is gone only those need to hear who mind.
            return kind.is_some() || engine.blocked.mind_loss();
        }
        let request = Request {
            args: waiter.args.view(),
            keys: &waiter.keys,
            frame: None,
        };
        let spec = &engine.commands.all()[waiter.spec];
        let mut reply = Reply::new();
        reply.set_resp3(waiter.is_resp3);
        let mark = reply.mark();
        self.is_retry = true;
        let mut session = waiter.session();
        let result = self.work(&mut scope, &mut session, request, spec, &mut reply, false);
        self.is_retry = false;
        if let Err(error) = &result {
            self.count_failure(spec, error);
            reply.cut_back(mark);
            reply.error(&error.line());
        }
        self.commit(&mut scope);
        if result.is_err() || !std::mem::take(&mut self.waits_on) {
            waiter.leave(&mut scope);
            engine.blocked.remove(waiter);
            drop(scope);
            waiter.send(engine, self.lane, &mut reply);
        }
        true
    }

    /// EXEC: runs the queue under all its locks.
    fn transaction(
        &mut self,
        session: &mut Session,
        request: Request<'_>,
        spec: &'e Spec,
        reply: &mut Reply,
    ) -> Result<(), CommandError> {
        let Some(transaction) = session.end_transaction() else {
            let mut nothing = self.engine.keyspace.nothing();
            return self.work(&mut nothing, session, request, spec, reply, false);
        };
        if transaction.is_aborted {
            self.engine.unwatch_all(session);
            return Err(CommandError::ExecAbort);
        }
        let keyspace = &self.engine.keyspace;
        let watched: Vec<u64> = session
            .watch
            .iter()
            .flat_map(|watch| watch.keys.keys())
            .map(|watched| Key::new(&watched.key).hash)
            .collect();
        if transaction.needs_everything(self.engine) {
            self.passage = None;
            let Some(alone) = keyspace.gate().alone_unless_stuck() else {
                return Err(self.busy_error());
            };
            let mut scope = keyspace.everything(&alone);
            self.exec(&mut scope, session, &transaction, reply);
            drop(scope);
            self.engine.unwatch_all(session);
            drop(alone);
            self.passage = keyspace.gate().pass_unless_stuck(self.lane);
            self.is_outdated = !std::ptr::eq(self.config, &**self.engine.config.load());
        } else {
            let mut scope = keyspace.lock_some(transaction.hashes().chain(watched));
            self.exec(&mut scope, session, &transaction, reply);
        }
        self.engine.unwatch_all(session);
        Ok(())
    }

    fn exec(
        &mut self,
        scope: &mut Scope<'e>,
        session: &mut Session,
        transaction: &super::transaction::Transaction,
        reply: &mut Reply,
    ) {
        if session.is_watch_broken() || has_lost_watched(scope, session, self.moment.now) {
            return reply.null_array();
        }
        let counts = &self.engine.stats.lanes[self.lane].commands;
        reply.array(transaction.commands.len());
        for queued in &transaction.commands {
            let spec = &self.engine.commands.all()[queued.spec];
            let request = Request {
                args: queued.args.view(),
                keys: &queued.keys,
                frame: None,
            };
            let mark = reply.mark();
            counts[spec.id].calls.add(1);
            if let Err(error) = self.work(scope, session, request, spec, reply, true) {
                self.count_failure(spec, &error);
                reply.cut_back(mark);
                reply.error(&error.line());
            }
            reply.set_resp3(session.is_resp3);
        }
        self.commit(scope);
    }
}

/// Whether a key that was there when it was watched has expired since, which no command did.
fn has_lost_watched(scope: &mut Scope<'_>, session: &Session, now: i64) -> bool {
    let mut keys = session.watch.iter().flat_map(|watch| &watch.keys);
    keys.any(|(watched, existed)| {
        *existed && !scope.is_alive(watched.database, Key::new(&watched.key), now)
    })
}

impl Engine {
    /// Tells journal and listeners of keys that were met past their time, before anything that happened after.
    pub fn tell_expired(&self, lane: usize, notes: &mut Notes, effects: &mut Effects) {
        for (database, key) in notes.expired.drain(..) {
            self.stats.lanes[lane].expired.add(1);
            if self.journal.is_open() {
                effects.add(database, |out| {
                    write_command(out, [&b"DEL"[..], &key].into_iter())
                });
            }
            if effects.listens.contains(event::EXPIRED.class) {
                self.notify(database, &key, event::EXPIRED);
            }
        }
    }

    /// Appends a scope's record to the journal.
    pub fn append(&self, lane: usize, effects: &mut Effects) {
        effects.end_scope(|database, is_group, bytes| {
            let number = self.journal.append(lane, database, |out| {
                if is_group {
                    write_command(out, [&b"MULTI"[..]].into_iter());
                }
                out.extend_from_slice(bytes);
                if is_group {
                    write_command(out, [&b"EXEC"[..]].into_iter());
                }
            });
            self.last_records[lane].store(number + 1, Relaxed);
        });
    }
}

/// Times commands: the clock is read once per run of equal fast or brief commands, and for every other one.
struct Timer<'l, 'e> {
    lane: &'l Lane,
    stats: &'e super::stats::LaneStats,
    start: u64,
    running: Option<&'e Spec>,
    calls: u64,
    total: u64,
    keeps_latency: bool,
}

impl<'l, 'e> Timer<'l, 'e> {
    fn start(engine: &'e Engine, lane: &'l Lane, keeps_latency: bool, start: u64) -> Self {
        Self {
            lane,
            stats: &engine.stats.lanes[lane.index],
            start,
            running: None,
            calls: 0,
            total: 0,
            keeps_latency,
        }
    }

    #[inline]
    fn begins(&mut self, spec: Option<&'e Spec>) {
        self.total += 1;
        match (self.running, spec) {
            (Some(running), Some(spec))
                if running.id == spec.id && spec.flags & (flags::FAST | flags::BRIEF) != 0 =>
            {
                self.calls += 1
            }
            _ => {
                self.record();
                (self.running, self.calls) = (spec, 1);
            }
        }
    }

    /// Takes back a call that was none.
    #[inline]
    fn ends(&mut self, has_run: bool) {
        if !has_run {
            self.calls -= u64::from(self.running.is_some());
        }
    }

    fn record(&mut self) {
        let Some(spec) = self.running.take() else {
            return;
        };
        let now = self.lane.stopwatch.ticks();
        let start = std::mem::replace(&mut self.start, now);
        if self.calls == 0 {
            return;
        }
        let counts = &self.stats.commands[spec.id];
        let nanos = self.lane.stopwatch.nanos(start, now);
        counts.calls.add(self.calls);
        counts.nanos.add(nanos);
        if self.keeps_latency {
            let latency = counts.latency.get_or_init(Default::default);
            latency.record(nanos / self.calls, self.calls);
        }
    }

    fn finish(mut self) {
        self.record();
        self.stats.processed.add(self.total);
    }
}
