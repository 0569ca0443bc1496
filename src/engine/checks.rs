//! What may keep a command from running: a list of small checks, in Redis's order.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use super::Engine;
use super::command::flags;
use super::error::{CommandError, printable};
use super::session::{Session, state};
use super::table::Spec;
use crate::base::clock::unix_ms;
use crate::config::Config;
use crate::resp::args::Args;

/// What is to be done with a command that may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Run it.
    Run,
    /// Keep it for EXEC.
    Queue,
    /// Look at it again when clients are no longer paused.
    Postpone,
}

/// Conditions of the whole server under which the short way is closed.
pub mod condition {
    /// Data is being loaded.
    pub const LOADING: u32 = 1 << 16;
    /// CLIENT PAUSE is in force.
    pub const PAUSED: u32 = 1 << 17;
    /// More keys are remembered for clients that track than may be.
    pub const REMEMBERS_TOO_MUCH: u32 = 1 << 28;
    /// There is a limit on memory: it is looked at before commands run.
    pub const MEMORY_LIMITED: u32 = 1 << 29;
    /// The append-only file cannot be written.
    pub const DISK_ERROR: u32 = 1 << 18;
    /// The last snapshot could not be saved.
    pub const SNAPSHOT_ERROR: u32 = 1 << 19;
}

struct Candidate<'c> {
    engine: &'c Engine,
    config: &'c Config,
    session: &'c Session,
    spec: &'c Spec,
    args: Args<'c>,
    flags: u32,
    conditions: u32,
}

impl Candidate<'_> {
    /// Whether it does any of this: EXEC does what its queue does.
    fn does(&self, any: u32) -> bool {
        let queue = self.session.transaction.as_ref();
        let queue = queue.filter(|_| self.spec.has(flags::RUNS_QUEUE));
        let queued = queue.map_or(0, |transaction| transaction.flags);
        (self.flags | queued) & any != 0
    }
}

type Check = fn(&Candidate<'_>) -> Result<(), CommandError>;

/// Every check, in the order in which they speak.
const CHECKS: &[Check] = &[
    authenticated,
    allowed_in_transaction,
    allowed_to_user,
    memory_suffices,
    disk_accepts_writes,
    allowed_to_subscribers,
    not_loading,
    allowed_to_monitors,
];

/// Runs all checks.
#[cold]
pub fn run(
    engine: &Engine,
    config: &Config,
    session: &Session,
    spec: &Spec,
    args: Args<'_>,
) -> Result<Verdict, CommandError> {
    let candidate = Candidate {
        engine,
        config,
        session,
        spec,
        args,
        flags: spec.flags_of(engine, args),
        conditions: engine.conditions(),
    };
    for check in CHECKS {
        check(&candidate)?;
    }
    let may_write = candidate.does(flags::WRITE | flags::MAY_REPLICATE);
    if candidate.conditions & condition::PAUSED != 0 && engine.is_paused(may_write) {
        return Ok(Verdict::Postpone);
    }
    if session.is(state::MULTI) && !spec.has(flags::CONTROL) {
        return Ok(Verdict::Queue);
    }
    Ok(Verdict::Run)
}

fn authenticated(candidate: &Candidate<'_>) -> Result<(), CommandError> {
    let may = !candidate.session.is(state::UNAUTHENTICATED) || candidate.spec.has(flags::NO_AUTH);
    if may {
        Ok(())
    } else {
        Err(CommandError::NoAuth)
    }
}

fn allowed_in_transaction(candidate: &Candidate<'_>) -> Result<(), CommandError> {
    let may = !candidate.session.is(state::MULTI) || !candidate.spec.has(flags::NO_MULTI);
    if may {
        Ok(())
    } else {
        Err(CommandError::NotInTransaction)
    }
}

fn allowed_to_user(candidate: &Candidate<'_>) -> Result<(), CommandError> {
    let Candidate { session, spec, .. } = candidate;
    match session.is(state::RESTRICTED) {
        true => (candidate.engine).refuse_access(session, spec, candidate.args),
        false => Ok(()),
    }
}

fn memory_suffices(candidate: &Candidate<'_>) -> Result<(), CommandError> {
    let session = candidate.session;
    if !session.is(state::SHORT_OF_MEMORY) {
        return Ok(());
    }
    // A queue takes memory, whatever is in it.
    let is_queued = session.is(state::MULTI) && !candidate.spec.has(flags::CONTROL);
    match is_queued || candidate.does(flags::DENYOOM) {
        true => Err(CommandError::OutOfMemory),
        false => Ok(()),
    }
}

fn disk_accepts_writes(candidate: &Candidate<'_>) -> Result<(), CommandError> {
    match candidate.does(flags::WRITE) {
        true => candidate.engine.check_disk(candidate.config),
        false => Ok(()),
    }
}

impl Engine {
    /// The error of writes while the disk refuses them.
    pub fn check_disk(&self, config: &Config) -> Result<(), CommandError> {
        let conditions = self.conditions();
        let minds_snapshots = config.stop_writes_on_bgsave_error && !config.save.is_empty();
        if conditions & condition::SNAPSHOT_ERROR != 0 && minds_snapshots {
            return Err(CommandError::text(SNAPSHOT_FAILED));
        }
        if conditions & condition::DISK_ERROR == 0 {
            return Ok(());
        }
        let reason = self.disk_error();
        Err(CommandError::message(format!(
            "MISCONF Errors writing to the AOF file: {reason}"
        )))
    }
}

const SNAPSHOT_FAILED: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to \
                               disk. Commands that may modify the data set are disabled, because this instance is \
                               configured to report errors during writes if RDB snapshotting fails \
                               (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the \
                               RDB error.";

fn allowed_to_subscribers(candidate: &Candidate<'_>) -> Result<(), CommandError> {
    if !candidate.session.is(state::SUBSCRIBER) || candidate.spec.has(flags::SUBSCRIBER) {
        return Ok(());
    }
    Err(CommandError::message(format!(
        "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
        candidate.spec.name
    )))
}

fn not_loading(candidate: &Candidate<'_>) -> Result<(), CommandError> {
    let _ = candidate.config;
    let may = candidate.conditions & condition::LOADING == 0 || candidate.spec.has(flags::LOADING);
    if may {
        Ok(())
    } else {
        Err(CommandError::Loading)
    }
}

/// A client that is shown every command has no data of its own to ask for: it would see its own commands among the others'.
fn allowed_to_monitors(candidate: &Candidate<'_>) -> Result<(), CommandError> {
    const KEYSPACE: u32 = flags::WRITE | flags::READONLY | flags::MAY_REPLICATE;
    match candidate.session.is(state::MONITOR) && candidate.does(KEYSPACE) {
        true => Err(CommandError::text(
            "ERR Replica can't interact with the keyspace",
        )),
        false => Ok(()),
    }
}

/// Whether this is the beginning of an HTTP request, or the line that every one holds: a browser that was talked into sending
/// commands to this machine.
pub fn is_http(args: Args<'_>) -> bool {
    let name = args.at(0);
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Logs that somebody sends HTTP requests, once a minute at most. Its connection is closed.
pub fn note_attack(session: &Session) {
    static LAST_MS: AtomicI64 = AtomicI64::new(0);
    let now = unix_ms();
    let last = LAST_MS.load(Relaxed);
    let is_first = now - last > 60_000
        && LAST_MS
            .compare_exchange(last, now, Relaxed, Relaxed)
            .is_ok();
    if is_first {
        tracing::warn!(
            "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. This is \
             likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis instance. \
             Connection from {} aborted.",
            session.client.address
        );
    }
}

/// The error for a command or subcommand that does not exist; it quotes the beginning of the arguments.
pub fn unknown_command(engine: &Engine, args: Args<'_>) -> CommandError {
    const QUOTED: usize = 128;
    let cut = |arg: &'_ [u8], max: usize| printable(&arg[..arg.len().min(max)]).to_vec();
    let name = args.at(0);
    let container = engine
        .commands
        .find(name)
        .filter(|spec| spec.parent.is_none());
    if let (Some(container), Some(word)) = (container, args.get(1)) {
        let after = format!("'. Try {} HELP.", container.command.name);
        return CommandError::quoting("ERR unknown subcommand '", &cut(word, QUOTED), &after);
    }
    let mut rest = Vec::new();
    for arg in args.from(1) {
        if rest.len() >= QUOTED {
            break;
        }
        let word = cut(arg, QUOTED - rest.len());
        rest.extend([b"'", &word[..], b"' "].concat());
    }
    let beginning = [b"ERR unknown command '", &cut(name, QUOTED)[..]].concat();
    let line = [&beginning, &b"', with args beginning with: "[..], &rest].concat();
    CommandError::Quoting(Box::new(line))
}

/// The error for a wrong number of words.
pub fn wrong_arity(spec: &Spec) -> CommandError {
    CommandError::arity(&spec.name)
}
