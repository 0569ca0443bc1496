//! DEBUG POPULATE, RELOAD and LOADAOF: data made, stored anew and read anew.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::engine::{
    Call, CommandError, CommandResult, Engine, Parked, Progress, Session, Unblock,
};
use crate::keyspace::{Cursor, Expiry, Key, Value, ValueRef};
use crate::resp::reply::Reply;

/// Entries looked at in one step of a walk.
const STEP: usize = 1000;

/// A count that must not be negative.
fn count(call: &Call, at: usize) -> Result<usize, CommandError> {
    let number = call.integer(at).ok();
    number
        .and_then(|number| usize::try_from(number).ok())
        .ok_or(CommandError::NotPositive)
}

/// POPULATE. Keys that exist stay as they are. Nothing is journaled.
pub(super) fn populate(call: &mut Call) -> CommandResult {
    let keys = count(call, 2)?;
    let prefix = call.args.get(3).unwrap_or(b"key");
    let size = match call.args.len() {
        5 => count(call, 4)?,
        _ => 0,
    };
    if size > call.config.proto_max_bulk_len {
        return Err(CommandError::TooLong);
    }
    for number in 0..keys {
        let key = [prefix, format!(":{number}").as_bytes()].concat();
        let key = Key::new(&key);
        if call.db.peek(key).is_some() {
            continue;
        }
        let mut text = format!("value:{number}").into_bytes();
        if size > 0 {
            text.resize(size, 0);
        }
        call.db.set(key, Value::Str(&text), Expiry::Clear);
        call.touched(key);
    }
    call.reply.ok();
    Ok(())
}

/// RELOAD. Saving and loading would drop keys past their time and store each value in its tightest encoding; so that is what
/// is done. There are no snapshots to be loaded from without saving.
pub(super) fn reload(call: &mut Call) -> CommandResult {
    for at in 2..call.args.len() {
        if call.args.is(at, "NOSAVE") {
            return Err(CommandError::text(
                "ERR Error trying to load the RDB dump, check server logs.",
            ));
        }
        if !call.args.is(at, "MERGE") && !call.args.is(at, "NOFLUSH") {
            return Err(CommandError::text(
                "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
            ));
        }
    }
    for database in 0..call.engine.keyspace.databases() {
        store_anew(call, database);
    }
    tracing::info!("DB reloaded by DEBUG RELOAD");
    call.reply.ok();
    Ok(())
}

fn store_anew(call: &mut Call, database: usize) {
    let mut loose: Vec<Box<[u8]>> = Vec::new();
    let now = call.db.now();
    let mut cursor = Some(Cursor::START);
    while let Some(at) = cursor {
        let scope = call.db.scope();
        cursor = scope.scan(database, at, STEP, i64::MIN, |entry| {
            let is_late = entry.expires_at().is_some_and(|at| at < now);
            if is_late || entry.is_raw() {
                loose.push(entry.key().into());
            }
        });
    }
    let mut db = call.db.at(database);
    for key in &loose {
        // A key past its time is removed by being looked for.
        let text = db
            .peek(Key::new(key))
            .and_then(|entry| match entry.value() {
                ValueRef::Inline(text) => Some(text.to_vec()),
                ValueRef::Object(_) | ValueRef::Int(_) => None,
            });
        if let Some(text) = text {
            db.set(Key::new(key), Value::of_string(&text), Expiry::Keep);
        }
    }
}

/// LOADAOF. Replaying commands needs the gate, so it is done behind the back of this call, which waits for its end.
pub(super) fn load_aof(call: &mut Call) -> CommandResult {
    let Some(hooks) = call.engine.hooks.get() else {
        return Err(CommandError::text(FAILED));
    };
    if call.is_nested {
        return Err(CommandError::NotInTransaction);
    }
    let outcome: Outcome = Arc::default();
    call.park(Loading(outcome.clone()));
    hooks.in_background(Box::new(move |engine| {
        let loaded = match engine.hooks.get() {
            Some(hooks) => hooks.reload_aof(engine),
            None => Ok(()),
        };
        if let Err(error) = &loaded {
            tracing::warn!("DEBUG LOADAOF: {error}");
        }
        *outcome.lock() = Some(loaded.is_ok());
        engine.recheck_all();
    }));
    Ok(())
}

const FAILED: &str = "ERR Error trying to load the AOF files, check server logs.";

/// Whether loading has ended, and well.
type Outcome = Arc<Mutex<Option<bool>>>;

struct Loading(Outcome);

impl Parked for Loading {
    fn resume(&mut self, _engine: &Engine, _session: &mut Session, reply: &mut Reply) -> Progress {
        match *self.0.lock() {
            None => return Progress::Waiting,
            Some(true) => reply.ok(),
            Some(false) => reply.error(FAILED.as_bytes()),
        }
        Progress::Done
    }

    fn unblock(
        &mut self,
        _engine: &Engine,
        _session: &mut Session,
        _how: Unblock,
        reply: &mut Reply,
    ) {
        reply.error(FAILED.as_bytes());
    }

    fn is_blocked(&self) -> bool {
        false
    }
}
