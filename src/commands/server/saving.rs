//! BGSAVE, BGREWRITEAOF and LASTSAVE. The work itself is the server's.

use std::sync::atomic::Ordering::Relaxed;

use crate::engine::{Call, Command, CommandError, CommandResult, Group, flags::*};
use crate::persistence::Job;

const BUSY: &str = "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to \
                    schedule a BGSAVE whenever possible.";

fn last_save(call: &mut Call) -> CommandResult {
    call.reply.integer(call.engine.last_save());
    Ok(())
}

fn save_in_background(call: &mut Call) -> CommandResult {
    if call.args.len() == 2 && call.args.is(1, "CANCEL") {
        return cancel_save(call);
    }
    let schedules = call.args.len() == 2 && call.args.is(1, "SCHEDULE");
    if call.args.len() > 1 && !schedules {
        return Err(CommandError::Syntax);
    }
    let jobs = &call.engine.jobs;
    if jobs.present() == Some(Job::Save) {
        return Err(CommandError::text(
            "ERR Background save already in progress",
        ));
    }
    if !call.is_nested && begin(call, Job::Save) {
        call.reply.simple("Background saving started");
    } else if call.is_nested || schedules {
        jobs.wants_save.store(true, Relaxed);
        call.reply.simple("Background saving scheduled");
    } else {
        return Err(CommandError::text(BUSY));
    }
    Ok(())
}

/// Gives up the snapshot that is being saved, or the one that is to be.
fn cancel_save(call: &mut Call) -> CommandResult {
    let jobs = &call.engine.jobs;
    if jobs.present() == Some(Job::Save) {
        jobs.gives_up.store(true, Relaxed);
        call.reply.simple("Background saving cancelled");
    } else if jobs.wants_save.swap(false, Relaxed) {
        call.reply.simple("Scheduled background saving cancelled");
    } else {
        return Err(CommandError::text(
            "ERR Background saving is currently not in progress or scheduled",
        ));
    }
    Ok(())
}

fn rewrite_in_background(call: &mut Call) -> CommandResult {
    let jobs = &call.engine.jobs;
    if jobs.present() == Some(Job::Rewrite) && !jobs.is_rewrite_void.load(Relaxed) {
        return Err(CommandError::text(
            "ERR Background append only file rewriting already in progress",
        ));
    }
    if !call.is_nested && begin(call, Job::Rewrite) {
        call.reply
            .simple("Background append only file rewriting started");
        return Ok(());
    }
    jobs.wants_rewrite.store(true, Relaxed);
    // Whoever asks for it by hand does not wait because it failed before.
    call.engine.aof.failed_rewrites.store(0, Relaxed);
    call.reply
        .simple("Background append only file rewriting scheduled");
    Ok(())
}

fn begin(call: &Call, job: Job) -> bool {
    let Some(hooks) = call.engine.hooks.get() else {
        return false;
    };
    let has_begun = call.engine.jobs.begin(job);
    if has_begun {
        hooks.run_job(call.engine, job);
    }
    has_begun
}

/// BGSAVE.
pub(super) const BGSAVE: Command = Command::new(
    "BGSAVE",
    Group::Server,
    "[SCHEDULE | CANCEL]",
    save_in_background,
)
.arity(-1)
.flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING)
.docs(
    "1.0.0",
    "O(1)",
    "Saves the data as of now to the snapshot file, in the background.",
);

/// BGREWRITEAOF.
pub(super) const BGREWRITEAOF: Command = Command::new(
    "BGREWRITEAOF",
    Group::Server,
    "",
    rewrite_in_background,
)
.flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING)
.docs(
    "1.0.0",
    "O(1)",
    "Rewrites the append-only file in the background, so that it is as short as the data allows.",
);

/// LASTSAVE.
pub(super) const LASTSAVE: Command = Command::new("LASTSAVE", Group::Server, "", last_save)
    .flags(LOADING | STALE | FAST | ADMIN_CATEGORY | DANGEROUS)
    .tips(&["nondeterministic_output"])
    .docs(
        "1.0.0",
        "O(1)",
        "Tells when the data was last saved to a snapshot, in Unix seconds.",
    );
