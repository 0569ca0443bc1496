//! TIME, ROLE and SHUTDOWN.

use crate::base::clock::unix_us;
use crate::engine::{
    Call, Command, CommandError, CommandResult, Engine, Group, Parked, Progress, Session, Shutdown,
    Unblock, flags::*,
};
use crate::resp::reply::Reply;

fn time(call: &mut Call) -> CommandResult {
    let now = match call.is_nested {
        true => *call.session.time.get_or_insert_with(unix_us),
        false => unix_us(),
    };
    call.reply.array(2);
    call.reply.bulk_integer(now / 1_000_000);
    call.reply.bulk_integer(now % 1_000_000);
    Ok(())
}

/// A primary without replicas.
fn role(call: &mut Call) -> CommandResult {
    call.reply.array(3);
    call.reply.bulk(b"master");
    call.reply.integer(0);
    call.reply.array(0);
    Ok(())
}

/// SHUTDOWN's options. There are no replicas to be waited for, so NOW changes nothing.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    saves: bool,
    saves_not: bool,
    is_urgent: bool,
    is_forced: bool,
    aborts: bool,
}

impl Options {
    fn parse<'a>(words: impl Iterator<Item = &'a [u8]>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        for word in words {
            let option = match word.to_ascii_uppercase().as_slice() {
                b"SAVE" => &mut options.saves,
                b"NOSAVE" => &mut options.saves_not,
                b"NOW" => &mut options.is_urgent,
                b"FORCE" => &mut options.is_forced,
                b"ABORT" => &mut options.aborts,
                _ => return Err(CommandError::Syntax),
            };
            *option = true;
        }
        let ends = options.saves || options.saves_not || options.is_urgent || options.is_forced;
        if (options.aborts && ends) || (options.saves && options.saves_not) {
            return Err(CommandError::Syntax);
        }
        Ok(options)
    }
}

fn shut_down(call: &mut Call) -> CommandResult {
    let options = Options::parse(call.args.from(1))?;
    if options.aborts {
        return abort(call);
    }
    if !options.saves_not
        && let Some(error) = call.engine.busy.error()
    {
        return Err(error);
    }
    let Some(hooks) = call.engine.hooks.get() else {
        return Err(CommandError::text(FAILED));
    };
    if call.engine.begin_shutdown() {
        let how = Shutdown {
            force: options.is_forced,
            saves: options.saves,
            saves_not: options.saves_not,
        };
        hooks.shut_down(call.engine, how);
    }
    call.park(Ending);
    Ok(())
}

/// Takes back a signal that has not been acted on. Without replicas to wait for, whatever has begun is over before it could
/// be aborted.
fn abort(call: &mut Call) -> CommandResult {
    if !call.engine.abort_shutdown() {
        return Err(CommandError::text("ERR No shutdown in progress."));
    }
    tracing::info!("Shutdown manually aborted.");
    call.reply.ok();
    Ok(())
}

const FAILED: &str = "ERR Errors trying to SHUTDOWN. Check logs.";

/// A client that waits for the end of the server: its connection is closed with all others, unless the end fails.
struct Ending;

impl Parked for Ending {
    fn resume(&mut self, engine: &Engine, _session: &mut Session, reply: &mut Reply) -> Progress {
        if engine.is_shutting_down() {
            return Progress::Waiting;
        }
        reply.error(FAILED.as_bytes());
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

/// TIME.
pub(super) const TIME: Command = Command::new("TIME", Group::Server, "", time)
    .flags(LOADING | STALE | FAST)
    .tips(&["nondeterministic_output"])
    .docs(
        "2.6.0",
        "O(1)",
        "Tells the server's time: Unix seconds, and microseconds of the present one.",
    );

/// ROLE.
pub(super) const ROLE: Command = Command::new("ROLE", Group::Server, "", role)
    .flags(NOSCRIPT | LOADING | STALE | FAST | ADMIN_CATEGORY | DANGEROUS)
    .docs("2.8.12", "O(1)", "Tells the server's role in replication.");

/// SHUTDOWN.
pub(super) const SHUTDOWN: Command = Command::new(
    "SHUTDOWN",
    Group::Server,
    "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
    shut_down,
)
.flags(ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY)
.docs(
    "1.0.0",
    "O(N) when a snapshot is saved, N being the number of keys; else O(1)",
    "Ends the server.",
);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Options, CommandError> {
        Options::parse(words.split_ascii_whitespace().map(str::as_bytes))
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        for wrong in [
            "save nosave",
            "abort now",
            "force abort",
            "later",
            "save abort",
        ] {
            assert_eq!(parse(wrong), Err(CommandError::Syntax), "{wrong}");
        }
        for right in ["", "save now FORCE", "NoSave", "abort", "now now"] {
            assert!(parse(right).is_ok(), "{right}");
        }
    }
}
