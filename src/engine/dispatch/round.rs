//! One command: checks, then locks, then the work, then the reply or the error.

use super::prepare::knows_its_keys;
use super::{Flow, Input, Request, Round};
use crate::base::alloc;
use crate::engine::call::Call;
use crate::engine::command::{Group, flags};
use crate::engine::error::CommandError;
use crate::engine::memory::{Place, Room};
use crate::engine::session::{Session, state};
use crate::engine::table::{Locks, Spec};
use crate::engine::timing::{Notable, Wishes};
use crate::engine::{checks, watch};
use crate::keyspace::{Db, Scope, shard_of};
use crate::resp::args::Args;
use crate::resp::reply::{Mark, Reply};

impl<'r, 'e> Round<'r, 'e> {
    /// One command: checks, then the work, then the reply or the error.
    #[inline(always)]
    pub(super) fn run(
        &mut self,
        session: &mut Session,
        request: &Request<'_>,
        spec: Option<&'e Spec>,
        reply: &mut Reply,
    ) -> Flow {
        if self.passage.is_none() {
            return self.run_outside(session, request, spec, reply);
        }
        let Some(spec) = spec else {
            if checks::is_http(request.args) {
                checks::note_attack(session);
                return Flow::Close;
            }
            let error = checks::unknown_command(self.engine, request.args);
            return self.refuse(session, None, error, reply);
        };
        if !spec.accepts(request.args.len()) {
            return self.refuse(session, Some(spec), checks::wrong_arity(spec), reply);
        }
        let conditions = self.engine.conditions();
        if session.state | conditions != 0 {
            if conditions & checks::condition::REMEMBERS_TOO_MUCH != 0 && self.passage.is_some() {
                self.engine.forget_some();
            }
            self.look_at_memory(session, conditions, reply);
            let verdict = match session.state | conditions {
                // Most commands of users with few rights need no more.
                state::RESTRICTED => (self.engine)
                    .refuse_access(session, spec, request.args)
                    .map(|()| checks::Verdict::Run),
                _ => checks::run(self.engine, self.config, session, spec, request.args),
            };
            match verdict {
                Err(error) => return self.refuse(session, Some(spec), error, reply),
                Ok(checks::Verdict::Postpone) => return Flow::Postponed,
                Ok(checks::Verdict::Queue) => {
                    session.queue(self.engine, spec, request.args, request.keys);
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

    /// Makes room before a command where memory is limited, and notes whether there is none.
    #[inline]
    fn look_at_memory(&mut self, session: &mut Session, conditions: u32, reply: &mut Reply) {
        if conditions & checks::condition::MEMORY_LIMITED == 0 {
            session.set(state::SHORT_OF_MEMORY, false);
        } else if alloc::own() >= self.memory_budget {
            self.make_room(session, reply);
        }
    }

    #[cold]
    fn make_room(&mut self, session: &mut Session, reply: &mut Reply) {
        let engine = self.engine;
        if session.tracking.is_some() {
            self.effects.withheld_from = session.client.id;
        }
        let room = engine.make_room(&mut Place {
            lane: self.lane,
            config: self.config,
            moment: self.moment,
            effects: self.effects,
            notes: self.notes,
        });
        engine.tell_before_reply(self.effects, session, reply);
        session.set(state::SHORT_OF_MEMORY, room == Room::None);
        // While there is no room each command may be the one that makes some.
        self.memory_budget = match room {
            Room::Enough => alloc::own() + engine.memory.slack(),
            _ => isize::MIN,
        };
        if !self.effects.ready.is_empty() {
            self.serve_ready();
        }
    }

    /// The end of a command: takes the reply back from a client that asked for none, and says how to go on.
    #[inline(always)]
    pub(super) fn end(
        &mut self,
        session: &mut Session,
        spec: Option<&Spec>,
        reply: &mut Reply,
        mark: Mark,
    ) -> Flow {
        if session.state & state::CACHING != 0 {
            note_end_of_caching(session, spec);
        }
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
            self.has_run &= !parked.is_counted_at_its_end();
            return Flow::Parked(parked);
        }
        if session.closes {
            return Flow::Close;
        }
        // A listener gets what its own command published after that command's reply, before the next one's.
        if session.hears_itself() && self.engine.mailboxes[session.client.worker].has_mail() {
            return Flow::Mail;
        }
        Flow::Continue
    }

    #[cold]
    pub(super) fn refuse(
        &mut self,
        session: &mut Session,
        spec: Option<&Spec>,
        error: CommandError,
        reply: &mut Reply,
    ) -> Flow {
        let mark = reply.mark();
        let mut line = error.line().into_owned();
        // An EXEC that is refused ends all that it would have ended, also where nothing was begun.
        if spec.is_some_and(|spec| spec.locks == Locks::Transaction) {
            session.end_transaction();
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

    /// A command that its user may not call any longer.
    #[cold]
    pub(super) fn refuse_queued(&self, spec: &Spec, error: &CommandError, reply: &mut Reply) {
        self.engine.stats.count_error(&error.to_string());
        self.engine.stats.lanes[self.lane].commands[spec.id]
            .rejected
            .add(1);
        reply.error(&error.line());
    }

    #[cold]
    pub(super) fn count_failure(&self, spec: &Spec, error: &CommandError) {
        self.engine.stats.count_error(&error.to_string());
        self.engine.stats.lanes[self.lane].commands[spec.id]
            .failed
            .add(1);
    }

    /// Remembers a run of commands that took long, by the one that came with most.
    #[cold]
    pub(super) fn note_slow_run(&self, session: &Session, input: Input<'_>, notable: &Notable<'e>) {
        let Input { buffer, batch } = input;
        let run = &batch.commands[notable.run.clone()];
        if let Some(command) = run.iter().max_by_key(|command| command.end - command.start) {
            let args = batch.args(buffer, command);
            let Notable { spec, nanos, .. } = *notable;
            self.engine.note_slow(&session.client, spec, nanos, args);
        }
    }

    /// Remembers a command that came with much or was answered with much.
    #[cold]
    pub(super) fn note_large(
        &self,
        session: &Session,
        spec: Option<&Spec>,
        args: Args<'_>,
        sizes: (usize, usize),
    ) {
        if let Some(spec) = spec.filter(|_| self.has_run) {
            let (wishes, client) = (self.wishes, &session.client);
            self.engine.note_large(wishes, client, (spec, args), sizes);
        }
    }

    /// Locks what the command needs and runs it.
    #[inline(always)]
    pub(super) fn locked(
        &mut self,
        session: &mut Session,
        request: &Request<'_>,
        spec: &'e Spec,
        reply: &mut Reply,
    ) -> Result<(), CommandError> {
        self.has_run = true;
        // The common cases by themselves: a scope that is made in one of several places is moved once more.
        let shard = match (spec.locks, request.keys) {
            (Locks::One(_), [key]) => Some(shard_of(key.hash)),
            (Locks::Nothing, _) => None,
            _ => return self.locked_otherwise(session, request, spec, reply),
        };
        let mut scope = self.engine.keyspace.lock_at_most_one(shard);
        if spec.has(flags::WRITE) && scope.owes() {
            scope = self.serve_first(scope, || request.keys.iter().map(|key| key.hash));
        }
        let database = session.database;
        let result = self.work_here(&mut scope, session, request, spec, reply, false);
        self.commit_alone(&mut scope, database, request);
        result
    }

    /// [`Round::locked`] for all but commands of one key or none.
    #[inline(never)]
    fn locked_otherwise(
        &mut self,
        session: &mut Session,
        request: &Request<'_>,
        spec: &'e Spec,
        reply: &mut Reply,
    ) -> Result<(), CommandError> {
        let keyspace = &self.engine.keyspace;
        let hashes = || request.keys.iter().map(|key| key.hash);
        let is_confined =
            spec.locks == Locks::Everything && knows_its_keys(self.engine, spec, request.args);
        let mut scope = match (spec.locks, request.keys) {
            (Locks::Walk, _) => keyspace.nothing(),
            (Locks::Transaction, _) => {
                let has_queue = session.transaction.is_some();
                let result = self.transaction(session, request, spec, reply);
                if has_queue && self.watches & watch::MONITOR != 0 {
                    self.engine.show(session, spec, request.args);
                }
                return result;
            }
            (Locks::Everything, [key]) if is_confined => keyspace.lock_one(shard_of(key.hash)),
            (Locks::Everything, _) if is_confined => keyspace.lock_some(hashes()),
            (Locks::Everything, _) => {
                self.passage = None;
                let Some(alone) = keyspace.gate().alone_unless_stuck() else {
                    return Err(self.busy_error());
                };
                // Others were let pass before, who may have changed users or begun to load data.
                let may = self.engine.check_again(session, spec, request.args);
                let may = may.and_then(|()| self.engine.check_loading(session, spec));
                let result = may.and_then(|()| {
                    let mut scope = keyspace.everything(&alone);
                    let result = self.work(&mut scope, session, request, spec, reply, false);
                    self.commit(&mut scope);
                    result
                });
                self.serve_ready();
                drop(alone);
                self.passage = keyspace.gate().pass_unless_stuck(self.lane);
                self.note_changes(session);
                return result;
            }
            _ => keyspace.lock_some(hashes()),
        };
        let may_write = spec.has(flags::WRITE) || spec.runs_script();
        if may_write && scope.owes() {
            scope = self.serve_first(scope, hashes);
        }
        let result = self.work(&mut scope, session, request, spec, reply, false);
        self.commit(&mut scope);
        result
    }

    /// Notes whether what the round began with is no longer so.
    pub(super) fn note_changes(&mut self, session: &Session) {
        let config = self.engine.config.load();
        let has_new_config = !std::ptr::eq(self.config, &**config);
        if has_new_config {
            // The command itself is logged by what it has set.
            self.wishes = Wishes::of(&config);
        }
        self.is_outdated = has_new_config
            || self.watches != self.engine.watches()
            || !self.engine.knows_user(session);
        if self.engine.conditions() & checks::condition::REMEMBERS_TOO_MUCH != 0 {
            self.engine.forget_some();
        }
    }

    /// The handler's turn, under locks.
    #[inline(never)]
    pub(super) fn work(
        &mut self,
        scope: &mut Scope<'e>,
        session: &mut Session,
        request: &Request<'_>,
        spec: &'e Spec,
        reply: &mut Reply,
        is_nested: bool,
    ) -> Result<(), CommandError> {
        let database = session.database;
        let result = self.work_here(scope, session, request, spec, reply, is_nested);
        if self.engine.journal.is_open() {
            (self.effects).end_command(database, |out| request.write(out));
        } else {
            self.effects.forget_command();
        }
        result
    }

    /// [`Round::work`] without a call of it: eight arguments are passed by memory.
    #[inline(always)]
    fn work_here(
        &mut self,
        scope: &mut Scope<'e>,
        session: &mut Session,
        request: &Request<'_>,
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
            db: Db::new(scope, self.notes, database, self.moment),
            reply,
            effects: self.effects,
            is_nested,
            is_retry: self.is_retry,
            parked: None,
            waits_on: None,
        };
        // What a script calls is shown behind the script.
        if self.watches & watch::MONITOR != 0 && spec.has(flags::SKIP_MONITOR) {
            self.engine.show(call.session, spec, request.args);
        }
        let result = (spec.command.handler)(&mut call);
        // Looked at before it is taken: to read both its words at once right after one was written stalls the processor.
        if call.parked.is_some() {
            self.parked = call.parked.take();
        }
        self.waits_on = call.waits_on;
        call.note_run(self.watches);
        if !self.notes.expired.is_empty() {
            self.engine
                .tell_expired(self.lane, self.notes, self.effects);
        }
        self.count_dirty();
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

    /// The end of a scope of one command.
    #[inline(always)]
    fn commit_alone(&mut self, scope: &mut Scope<'e>, database: usize, request: &Request<'_>) {
        match self.engine.journal.is_open() {
            true => self.journal_alone(scope, database, request),
            false => self.effects.forget_command(),
        }
    }

    #[inline(never)]
    fn journal_alone(&mut self, scope: &mut Scope<'e>, database: usize, request: &Request<'_>) {
        match self.effects.end_alone() {
            Some(true) => {
                (self.engine.journal).append(self.lane, database, |out| request.write(out));
            }
            Some(false) => {}
            None => {
                (self.effects).end_command(database, |out| request.write(out));
                self.commit(scope);
            }
        }
    }

    /// The end of a scope: what changed goes to the journal while its locks are still held.
    #[inline]
    pub(super) fn commit(&mut self, _scope: &mut Scope<'e>) {
        if self.engine.journal.is_open() {
            self.engine.append(self.lane, self.effects);
        }
    }
}

/// After a command: what CLIENT CACHING said concerned it, and no other, but for a whole transaction. Other commands about
/// the connection do not count.
#[cold]
fn note_end_of_caching(session: &mut Session, spec: Option<&Spec>) {
    let is_about_client =
        spec.is_some_and(|spec| spec.parent.is_some() && spec.command.group == Group::Connection);
    if !is_about_client && !session.is(state::MULTI) {
        session.set(state::CACHING, false);
        session.note_tracking();
    }
}
