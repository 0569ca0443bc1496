//! From parsed commands to replies: resolve and prefetch a batch, then check, lock, run and commit one by one.

mod ahead;
mod busy;
mod exec;
mod prepare;
mod round;
mod serve;

pub(super) use ahead::Elements;
use prepare::Recent;
pub(super) use prepare::collect_keys;

use super::call::KeyRef;
use super::client::flag;
use super::command::{Group, flags};
use super::effects::Effects;
use super::error::CommandError;
use super::parked::{Parked, Progress};
use super::session::{Session, state};
use super::table::Spec;
use super::timing::{FULL, Timer, Wishes};
use super::{Engine, checks, event};
use crate::base::clock::{Stopwatch, WallClock, unix_ms};
use crate::config::Config;
use crate::journal::write_command;
use crate::keyspace::{AccessClock, Moment, Notes, Passage};
use crate::resp::args::{Args, MAX_ARGUMENT};
use crate::resp::parser::{Batch, Parsed};
use crate::resp::reply::Reply;

use std::sync::atomic::Ordering::Relaxed;

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

impl Flow {
    /// What has gathered is sent before more is made: the limits on it are looked at in between.
    fn or_send(self, reply: &Reply) -> Self {
        match self {
            Self::Continue if reply.len() >= FULL => Self::Mail,
            other => other,
        }
    }
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
    recent: Recent,
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
            recent: Recent::default(),
            effects: Effects::default(),
            notes: Notes::default(),
            stopwatch: Stopwatch::default(),
            clock: WallClock::default(),
        }
    }

    /// Forgets what a command left behind that failed unexpectedly.
    pub fn recover(&mut self) {
        self.effects = Effects::default();
        self.notes = Notes::default();
    }
}

/// What stays the same for all commands of a batch.
struct Round<'r, 'e> {
    engine: &'e Engine,
    config: &'r Config,
    wishes: Wishes,
    stopwatch: &'r Stopwatch,
    moment: Moment,
    lane: usize,
    passage: Option<Passage<'e>>,
    effects: &'r mut Effects,
    notes: &'r mut Notes,
    parked: Option<Box<dyn Parked>>,
    /// What clients want to hear of all commands.
    watches: u32,
    /// What this thread may have allocated before it looks at the memory in use again, where that is limited.
    memory_budget: isize,
    /// Whether `config` or `watches` have been replaced by a command of this batch.
    is_outdated: bool,
    /// Whether the last command was run, and not queued, refused or put off.
    has_run: bool,
    /// Whether a waiter's command is being run again.
    is_retry: bool,
    /// That it has to wait on, and when to look at it again if no key changes.
    waits_on: Option<Option<i64>>,
}

/// Complete commands and the bytes that they lie in.
#[derive(Clone, Copy)]
struct Input<'r> {
    buffer: &'r [u8],
    batch: &'r Batch,
}

/// The commands of a batch from one on, with what is known of them.
#[derive(Clone, Copy)]
struct Commands<'r> {
    input: Input<'r>,
    prepared: &'r [Prepared],
    keys: &'r [KeyRef],
    first: usize,
}

impl<'r> Commands<'r> {
    #[inline(always)]
    fn request(&self, command: &'r Parsed, prepared: &Prepared) -> Request<'r> {
        let Input { buffer, batch } = self.input;
        Request {
            args: batch.args(buffer, command),
            keys: &self.keys[prepared.first_key as usize..][..prepared.keys as usize],
            parsed: Some(command),
        }
    }
}

/// One command about to run.
#[derive(Clone, Copy)]
struct Request<'r> {
    args: Args<'r>,
    keys: &'r [KeyRef],
    /// Where the command's bytes stand as they came.
    parsed: Option<&'r Parsed>,
}

impl<'r> Request<'r> {
    /// The command's bytes as they came, where they are RESP.
    fn frame(&self) -> Option<&'r [u8]> {
        let parsed = self.parsed.filter(|parsed| parsed.is_frame)?;
        Some(self.args.sent(parsed.start, parsed.end))
    }

    /// Writes the command to a record.
    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        match self.frame() {
            Some(frame) => out.extend_from_slice(frame),
            None => write_command(out, self.args.iter()),
        }
    }
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
        let Lane {
            prepared,
            keys,
            effects,
            notes,
            stopwatch,
            clock,
            ..
        } = lane;
        let start = stopwatch.ticks();
        let now = clock.unix_ms(stopwatch, start);
        let mut round = Round {
            engine: self,
            config,
            wishes: Wishes::of(config),
            stopwatch,
            moment: self.moment(config, session, now),
            lane: lane.index,
            passage,
            effects,
            notes,
            parked: None,
            watches: 0,
            memory_budget: isize::MIN,
            is_outdated: false,
            has_run: false,
            is_retry: false,
            waits_on: None,
        };
        session
            .client
            .last_active_ms
            .store(round.moment.now, Relaxed);
        round.watches = self.watches();
        round.effects.listens = self.listens(config);
        reply.set_resp3(session.is_resp3);
        if !self.knows_user(session) && !self.renew_login(session) {
            drop(round.passage.take());
            let done = input.batch.commands.len();
            let flow = Flow::Close;
            return BatchEnd { done, flow };
        }
        let stats = &self.stats.lanes[lane.index];
        let timer = Timer::start(stats, stopwatch, round.wishes, start);
        let commands = Commands {
            input,
            prepared,
            keys,
            first,
        };
        let end = self.run_prepared(&mut round, timer, session, commands, reply);
        if round.effects.has_broadcasts() && round.passage.is_some() {
            self.send_broadcasts(round.effects);
        }
        drop(round.passage.take());
        stats.hits.add(std::mem::take(&mut round.notes.hits));
        stats.misses.add(std::mem::take(&mut round.notes.misses));
        end
    }

    fn run_prepared<'e>(
        &'e self,
        round: &mut Round<'_, 'e>,
        mut timer: Timer<'e, '_>,
        session: &mut Session,
        commands: Commands<'_>,
        reply: &mut Reply,
    ) -> BatchEnd {
        let Commands {
            input,
            prepared,
            first,
            ..
        } = commands;
        let batch = input.batch;
        let mut end = BatchEnd {
            done: batch.commands.len(),
            flow: Flow::Continue,
        };
        // What commands of one kind that follow each other share.
        let (mut spec, mut elements) = (None, None);
        let mut ahead = first;
        let mut next = first;
        // By hand: what zipped and counted iterators remember does not fit into registers here.
        while let (Some(command), Some(prepared)) = (batch.commands.get(next), prepared.get(next)) {
            let index = next;
            next += 1;
            let kind = prepared.spec as usize;
            if !timer.goes_on(kind, index) {
                spec = self.commands.all().get(kind);
                elements = spec.and_then(Spec::elements);
                if index > 0 && self.has_earlier_mail(session, spec) {
                    (end.done, end.flow) = (index, Flow::Mail);
                    break;
                }
                if let Some(notable) = timer.begins(spec, kind, index) {
                    round.note_slow_run(session, input, &notable);
                }
                session.client.last_command.store(prepared.spec, Relaxed);
            }
            if let Some(named) = elements
                && index >= ahead
                && round.passage.is_some()
            {
                ahead = self.look_ahead(commands, session.database, index, named);
            }
            let request = commands.request(command, prepared);
            session.position = index;
            round.has_run = false;
            let replied = reply.len();
            let mut flow = round.run(session, &request, spec, reply);
            timer.ends(round.has_run);
            let bytes = (command.end - command.start) as usize;
            if reply.len() >= round.wishes.look || bytes >= round.wishes.request {
                let more = reply.len().saturating_sub(replied);
                round.note_large(session, spec, request.args, (bytes, more));
                flow = flow.or_send(reply);
            }
            if !matches!(flow, Flow::Continue) || round.is_outdated {
                timer.renew(round.wishes);
                let done = index + usize::from(!matches!(flow, Flow::Postponed));
                end = BatchEnd { done, flow };
                break;
            }
        }
        if let Some(notable) = timer.finish(end.done) {
            round.note_slow_run(session, input, &notable);
        }
        end
    }

    /// Whether messages wait that were published before a command that changes who gets them.
    #[inline]
    fn has_earlier_mail(&self, session: &Session, spec: Option<&Spec>) -> bool {
        spec.is_some_and(Spec::answers_with_messages)
            && self.mailboxes[session.client.worker].has_mail()
    }

    fn moment(&self, config: &Config, session: &Session, now: i64) -> Moment {
        Moment {
            now,
            access: access_clock(config, now),
            no_touch: session.no_touch,
            ignore_expiry: self.is_loading()
                || config.import_mode && session.client.has_flag(flag::IMPORT_SOURCE),
            keeps_expired: config.import_mode || self.is_paused(true),
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
            .resolve_replayed(args)
            .ok_or_else(|| checks::unknown_command(self, args))?;
        let config = self.config.load();
        let mut keys = Vec::new();
        collect_keys(spec, args, &mut keys);
        let (mut effects, mut notes) = (Effects::default(), Notes::default());
        let mut round = Round {
            engine: self,
            config: &config,
            wishes: Wishes::none(),
            stopwatch: &lane.stopwatch,
            moment: Moment {
                ignore_expiry: true,
                ..self.moment(&config, session, unix_ms())
            },
            lane: lane.index,
            passage: Some(self.keyspace.gate().pass(lane.index)),
            effects: &mut effects,
            notes: &mut notes,
            parked: None,
            watches: 0,
            memory_budget: isize::MIN,
            is_outdated: false,
            has_run: false,
            is_retry: false,
            waits_on: None,
        };
        let request = Request {
            args,
            keys: &keys,
            parsed: None,
        };
        if !spec.accepts(args.len()) {
            return Err(CommandError::arity(&spec.name));
        }
        if spec.command.group != Group::String && args.has_longer_than(MAX_ARGUMENT) {
            return Err(CommandError::TooLong);
        }
        if session.is(state::MULTI) && !spec.has(flags::CONTROL) {
            session.queue(self, spec, args, &keys);
            return Ok(());
        }
        round.locked(session, &request, spec, reply)
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

impl Engine {
    /// Tells journal and listeners of keys that were met past their time, before anything that happened after.
    pub fn tell_expired(&self, lane: usize, notes: &mut Notes, effects: &mut Effects) {
        for lost in notes.expired.drain(..) {
            let (database, key) = (lost.database, lost.key);
            if self.blocked.mind_loss() {
                effects.note_ready(database, &key);
            }
            self.stats.lanes[lane].expired.add(1);
            effects.note_broadcast(&self.tracking.prefixes, &key, 0);
            if !lost.readers.is_empty() {
                self.invalidate(effects, &lost.readers, &key, 0);
            }
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
            self.journal.append(lane, database, |out| {
                if is_group {
                    write_command(out, [&b"MULTI"[..]].into_iter());
                }
                out.extend_from_slice(bytes);
                if is_group {
                    write_command(out, [&b"EXEC"[..]].into_iter());
                }
            });
        });
    }
}
