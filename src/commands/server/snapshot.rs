//! SAVE and DEBUG RELOAD: the work is done on a thread of its own, for which the client waits.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::engine::{
    Call, Command, CommandError, CommandResult, Engine, Group, Hooks, Parked, Progress, Reload,
    Session, Unblock, flags::*,
};
use crate::persistence::Job;
use crate::resp::reply::Reply;

/// How the work has ended, once it has.
type Outcome = Arc<Mutex<Option<bool>>>;

/// A client that waits for work on files.
struct Waiting {
    outcome: Outcome,
    failure: &'static str,
}

impl Parked for Waiting {
    fn resume(&mut self, _engine: &Engine, _session: &mut Session, reply: &mut Reply) -> Progress {
        match *self.outcome.lock() {
            None => return Progress::Waiting,
            Some(true) => reply.ok(),
            Some(false) => reply.error(self.failure.as_bytes()),
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
        reply.error(self.failure.as_bytes());
    }

    fn is_blocked(&self) -> bool {
        false
    }
}

/// Does something behind the back of this call, since it needs the gate; the client waits for its end.
pub(in crate::commands) fn wait_for(
    call: &mut Call,
    name: &'static str,
    failure: &'static str,
    work: impl FnOnce(&dyn Hooks, &Engine) -> Result<(), String> + Send + 'static,
) -> CommandResult {
    if call.is_nested {
        return Err(CommandError::NotInTransaction);
    }
    let Some(hooks) = call.engine.hooks.get() else {
        return Err(CommandError::text(failure));
    };
    let outcome: Outcome = Arc::default();
    call.park(Waiting {
        outcome: outcome.clone(),
        failure,
    });
    hooks.in_background(Box::new(move |engine| {
        let done = match engine.hooks.get() {
            Some(hooks) => work(&**hooks, engine),
            None => Ok(()),
        };
        if let Err(error) = &done {
            tracing::warn!("{name}: {error}");
        }
        *outcome.lock() = Some(done.is_ok());
        engine.recheck_all();
    }));
    Ok(())
}

fn save(call: &mut Call) -> CommandResult {
    if call.engine.jobs.present() == Some(Job::Save) {
        return Err(CommandError::text(
            "ERR Background save already in progress",
        ));
    }
    wait_for(call, "SAVE", "ERR", |hooks, engine| hooks.save(engine))
}

/// DEBUG RELOAD.
pub(super) fn reload(call: &mut Call) -> CommandResult {
    let mut how = Reload {
        saves: true,
        flushes: true,
        merges: false,
    };
    for at in 2..call.args.len() {
        if call.args.is(at, "MERGE") {
            how.merges = true;
        } else if call.args.is(at, "NOFLUSH") {
            how.flushes = false;
        } else if call.args.is(at, "NOSAVE") {
            how.saves = false;
        } else {
            return Err(CommandError::text(
                "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
            ));
        }
    }
    const FAILED: &str = "ERR Error trying to load the RDB dump, check server logs.";
    wait_for(call, "DEBUG RELOAD", FAILED, move |hooks, engine| {
        hooks.reload_snapshot(engine, how)
    })
}

/// SAVE.
pub(super) const SAVE: Command = Command::new("SAVE", Group::Server, "", save)
    .flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI)
    .docs(
        "1.0.0",
        "O(N) where N is the number of keys in all databases",
        "Saves the data as of now to the snapshot file; the reply comes when that is done.",
    );
