//! A script in progress, as the server sees it: the commands that it calls run here, under the script's locks, one after
//! the other, and what they change is journaled together when the script has ended.

use super::busy::Running;
use super::call::{Call, KeyRef};
use super::checks::condition;
use super::command::flags;
use super::dispatch::collect_keys;
use super::error::CommandError;
use super::session::{Session, state};
use super::table::Spec;
use super::timing::Wishes;
use crate::acl;
use crate::base::aside;
use crate::base::clock::Stopwatch;
use crate::journal::write_command;
use crate::resp::args::{Args, OwnedArgs};
use crate::resp::reply::Reply;
use crate::scripting::{Digest, Host, ScriptFlags};

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Calls of a script that are each timed; after them one in so many.
const TIMED_EACH: u64 = 8;

/// Whoever runs a script: answers what the script asks of the server.
pub struct Caller<'c, 'r, 'k> {
    call: &'c mut Call<'r, 'k>,
    desk: &'c mut Desk,
    is_read_only: bool,
    is_journaled: bool,
    has_written: bool,
    has_failed: bool,
    /// Whether it runs under the locks of its keys alone: then it is over soon, and nobody is told of it.
    is_confined: bool,
    /// A script's SHA1 or a function's name.
    name: Name<'c>,
    /// Commands that it has called.
    calls: u64,
    stopwatch: &'static Stopwatch,
    /// When it was first looked at how long it takes: very soon after its beginning.
    started: Option<Instant>,
    /// Whether others have been told.
    is_slow: bool,
    /// Whether they do not wait at the gate.
    is_stuck: bool,
    /// Whether the log says so.
    is_logged: bool,
}

/// What a script's commands run with. A session keeps it from one script to the next: to make it costs as much as a short
/// command.
pub struct Desk {
    /// The script's own: it may choose another database or protocol.
    session: Session,
    /// The keys of the command in progress.
    keys: Vec<KeyRef>,
}

/// Keys for which room is kept.
const KEPT_KEYS: usize = 64;

impl Desk {
    /// The desk of a script that this session runs.
    pub fn of(caller: &mut Session) -> Box<Self> {
        let kept = caller.desk.take();
        let kept = kept.filter(|desk| desk.session.login.is_same(&caller.login));
        let mut desk = kept.unwrap_or_else(|| {
            Box::new(Self {
                session: Session::new(caller.client.clone(), caller.login.clone()),
                keys: Vec::new(),
            })
        });
        let session = &mut desk.session;
        session.state &= state::UNAUTHENTICATED | state::RESTRICTED;
        session.database = caller.database;
        session.no_touch = caller.no_touch;
        session.remembers = caller.remembers;
        session.is_script = true;
        desk
    }

    /// Gives it back. What the script has left in its session is not for the next one.
    pub fn leave(mut self: Box<Self>, caller: &mut Session) {
        (self.session.is_resp3, self.session.time) = (false, None);
        if self.session.is_idle() && self.keys.capacity() <= KEPT_KEYS {
            caller.desk = Some(self);
        }
    }
}

/// What runs.
#[derive(Clone, Copy)]
pub enum Name<'c> {
    /// A script of this SHA1.
    Script(&'c Digest),
    /// A function.
    Function(&'c [u8]),
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script(digest) => digest.iter().try_for_each(|byte| write!(out, "{byte:02x}")),
            Self::Function(name) => out.write_str(&String::from_utf8_lossy(name)),
        }
    }
}

impl<'c, 'r, 'k> Caller<'c, 'r, 'k> {
    /// Begins a script that declares these flags, unless it must not run. `is_read_only` says that its caller wants no
    /// writes, whatever it declares.
    pub fn begin(
        call: &'c mut Call<'r, 'k>,
        desk: &'c mut Desk,
        name: Name<'c>,
        flags: ScriptFlags,
        is_read_only: bool,
    ) -> Result<Self, CommandError> {
        let declares_writes =
            !flags.has(ScriptFlags::UNDECLARED) && !flags.has(ScriptFlags::NO_WRITES);
        if declares_writes {
            may_write(call)?;
            if is_read_only {
                return Err(CommandError::text(
                    "ERR Can not execute a script with write flag using *_ro command.",
                ));
            }
        }
        let is_short = call.session.is(state::SHORT_OF_MEMORY);
        let is_undeclared = flags.has(ScriptFlags::UNDECLARED);
        let allows_oom = flags.has(ScriptFlags::ALLOW_OOM) && !is_undeclared;
        if is_short && declares_writes && !allows_oom {
            return Err(CommandError::text(
                "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
            ));
        }
        desk.session
            .set(state::SHORT_OF_MEMORY, is_short && !allows_oom);
        let is_confined = !call.db.is_everything();
        Ok(Self {
            call,
            desk,
            is_read_only: is_read_only || flags.has(ScriptFlags::NO_WRITES),
            is_journaled: true,
            has_written: false,
            has_failed: false,
            is_confined,
            name,
            calls: 0,
            stopwatch: Stopwatch::shared(),
            started: None,
            is_slow: false,
            is_stuck: false,
            is_logged: false,
        })
    }

    /// For how many calls the time of the next one stands: the first ones are timed each, later ones now and then, since a
    /// look at the clock costs a part of what a short command takes.
    fn weight(&mut self) -> u64 {
        self.calls += 1;
        match self.calls {
            ..=TIMED_EACH => 1,
            calls if calls.is_multiple_of(TIMED_EACH) => TIMED_EACH,
            _ => 0,
        }
    }

    /// Says in the log that this script takes long.
    fn log_slow(&mut self, started: Instant) {
        let is_function = matches!(self.name, Name::Function(_));
        let name = &self.name;
        tracing::warn!(
            "Slow script detected: still in execution after {} milliseconds. You can try killing the script using the {} \
             command. Script name is: {name}.",
            started.elapsed().as_millis(),
            if is_function {
                "FUNCTION KILL"
            } else {
                "SCRIPT KILL"
            }
        );
        self.is_logged = true;
    }

    /// Tells everybody that this script takes long.
    fn tell(&mut self, started: Instant) {
        let is_function = matches!(self.name, Name::Function(_));
        let name = self.name.to_string();
        let engine = self.call.engine;
        engine.busy.enter(Running {
            name,
            command: OwnedArgs::copy(self.call.args.iter()),
            is_function,
            started,
            has_written: self.has_written,
        });
        engine.keyspace.gate().set_stuck(true);
        (self.is_slow, self.is_stuck) = (true, true);
    }

    /// What may keep a script's user from calling a command.
    fn check_access(&self, spec: &Spec, args: Args<'_>) -> Result<(), CommandError> {
        if !self.desk.session.is(state::RESTRICTED) {
            return Ok(());
        }
        let checked =
            (self.call.engine).check_access(&self.desk.session, spec, args, acl::Context::Lua);
        checked.map_err(|(denial, user)| {
            let text = spec.denial(&user, args, denial, false);
            CommandError::Quoting(Box::new(
                [b"NOPERM ACL failure in script: ", &text[..]].concat(),
            ))
        })
    }

    /// What may keep a script from calling a command.
    fn check(&self, spec: &Spec, args: Args<'_>) -> Result<(), CommandError> {
        if !spec.accepts(args.len()) {
            return Err(CommandError::text(
                "ERR Wrong number of args calling Redis command from script",
            ));
        }
        let is_denied =
            spec.has(flags::NOSCRIPT) && !self.call.engine.allows_all_in_scripts.load(Relaxed);
        if is_denied || spec.runs_script() {
            return Err(CommandError::text(
                "ERR This Redis command is not allowed from script",
            ));
        }
        self.check_access(spec, args)?;
        let writes = spec.has(flags::WRITE);
        if self.is_read_only && (writes || spec.has(flags::MAY_REPLICATE)) {
            return Err(CommandError::text(
                "ERR Write commands are not allowed from read-only scripts.",
            ));
        }
        // A script that has begun to write is not stopped in the middle.
        let is_short = self.desk.session.is(state::SHORT_OF_MEMORY);
        if is_short && !self.has_written && spec.has(flags::DENYOOM) {
            return Err(CommandError::OutOfMemory);
        }
        if writes && !self.has_written {
            let engine = self.call.engine;
            if engine.conditions() & condition::DISK_ERROR != 0 {
                let reason = engine.disk_error();
                return Err(CommandError::message(format!(
                    "MISCONF Errors writing to the AOF file: {reason}"
                )));
            }
        }
        Ok(())
    }

    fn refuse(&self, spec: Option<&Spec>, error: &CommandError) -> Vec<u8> {
        let stats = &self.call.engine.stats;
        stats.count_error(&error.to_string());
        if let Some(spec) = spec {
            stats.lanes[self.call.lane].commands[spec.id]
                .rejected
                .add(1);
        }
        reply_line(error)
    }

    /// The command's turn.
    fn run(
        &mut self,
        spec: &'k Spec,
        args: Args<'_>,
        reply: &mut Reply,
    ) -> Result<(), CommandError> {
        let (engine, lane) = (self.call.engine, self.call.lane);
        let database = self.desk.session.database;
        self.desk.keys.clear();
        collect_keys(spec, args, &mut self.desk.keys);
        let mut nested = Call {
            engine,
            config: self.call.config,
            lane,
            session: &mut self.desk.session,
            spec,
            args,
            keys: &self.desk.keys,
            db: self.call.db.at(database),
            reply,
            effects: &mut *self.call.effects,
            is_nested: true,
            is_retry: false,
            parked: None,
            waits_on: None,
        };
        let result = (spec.command.handler)(&mut nested);
        nested.note_run(engine.watches());
        let notes = self.call.db.notes();
        if !notes.expired.is_empty() {
            engine.tell_expired(lane, notes, self.call.effects);
        }
        let effects = &mut *self.call.effects;
        if effects.dirty > 0 {
            engine.stats.lanes[lane].dirty.add(effects.dirty);
        }
        if self.is_journaled && engine.journal.is_open() {
            effects.end_command(database, |out| write_command(out, args.iter()));
        } else {
            effects.forget_command();
        }
        result
    }
}

impl Drop for Caller<'_, '_, '_> {
    /// The script has ended.
    fn drop(&mut self) {
        let engine = self.call.engine;
        if self.is_slow {
            engine.busy.leave();
        }
        if self.is_stuck {
            engine.keyspace.gate().set_stuck(false);
        }
        let caller = &self.call.session;
        if self.desk.session.database != caller.database {
            caller
                .client
                .database
                .store(caller.database as u32, Relaxed);
        }
        let stats = &engine.stats.lanes[self.call.lane];
        stats.processed.add(self.calls);
        if self.has_failed {
            stats.commands[self.call.spec.id].failed.add(1);
        }
    }
}

/// An error's line as a client would get it: the ends of lines in it are spaces.
fn reply_line(error: &CommandError) -> Vec<u8> {
    let mut line = error.line().into_owned();
    for byte in line
        .iter_mut()
        .filter(|byte| matches!(**byte, b'\r' | b'\n'))
    {
        *byte = b' ';
    }
    line
}

/// Whether the disk lets a script write.
fn may_write(call: &Call<'_, '_>) -> Result<(), CommandError> {
    if call.engine.conditions() & condition::DISK_ERROR == 0 {
        return Ok(());
    }
    let reason = call.engine.disk_error();
    Err(CommandError::message(format!(
        "MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. Writable \
         scripts are blocked. Use 'no-writes' flag for read only scripts. AOF error: {reason}"
    )))
}

impl Host for Caller<'_, '_, '_> {
    fn call(&mut self, args: Args<'_>, reply: &mut Reply) -> Result<(), Vec<u8>> {
        let engine = self.call.engine;
        let Some(spec) = engine.commands.resolve(args) else {
            let error = CommandError::text("ERR Unknown Redis command called from script");
            return Err(self.refuse(None, &error));
        };
        if let Err(error) = self.check(spec, args) {
            return Err(self.refuse(Some(spec), &error));
        }
        self.has_written |= spec.has(flags::WRITE);
        let counts = &engine.stats.lanes[self.call.lane].commands[spec.id];
        counts.calls.add(1);
        let mark = reply.mark();
        let weight = self.weight();
        let start = if weight > 0 {
            self.stopwatch.ticks()
        } else {
            0
        };
        let result = self.run(spec, args, reply);
        if weight > 0 {
            let nanos = self.stopwatch.nanos(start, self.stopwatch.ticks());
            counts.spend(weight, nanos * weight, self.call.config.latency_tracking);
            if Wishes::of(self.call.config).is_notable(nanos) {
                let client = &self.call.session.client;
                engine.note_slow(client, spec, nanos, args);
            }
        }
        let Err(error) = result else {
            return Ok(());
        };
        engine.stats.count_error(&error.to_string());
        counts.failed.add(1);
        reply.cut_back(mark);
        Err(reply_line(&error))
    }

    fn may_call(&mut self, args: Args<'_>) -> Option<bool> {
        let spec = self.call.engine.commands.resolve(args)?;
        Some(self.desk.session.may_call(spec, args))
    }

    fn set_journaled(&mut self, on: bool) {
        self.is_journaled = on;
    }

    fn note_error(&mut self, line: &[u8], is_counted: bool) {
        self.has_failed = true;
        if !is_counted {
            let stats = &self.call.engine.stats;
            stats.count_error(&String::from_utf8_lossy(line));
        }
    }

    fn interrupt(&mut self) -> Option<&'static str> {
        if self.is_confined {
            return None;
        }
        let started = *self.started.get_or_insert_with(Instant::now);
        if !self.is_slow {
            let limit = self.call.config.busy_reply_threshold;
            let is_slow = limit > 0 && started.elapsed() >= Duration::from_millis(limit);
            if !is_slow {
                return None;
            }
            if !self.is_logged {
                self.log_slow(started);
            }
            // Whoever reads a file waits for it; everybody else is told that the server is loading.
            if !aside::is_possible() {
                let engine = self.call.engine;
                if engine.is_loading() && !self.is_stuck {
                    engine.keyspace.gate().set_stuck(true);
                    self.is_stuck = true;
                }
                return None;
            }
            self.tell(started);
        }
        let engine = self.call.engine;
        if self.has_written {
            engine.busy.note_written();
        }
        aside::pause();
        if !engine.busy.is_killed() {
            return None;
        }
        tracing::info!("Lua script killed by user with SCRIPT KILL.");
        Some("Script killed by user with SCRIPT KILL...")
    }
}
