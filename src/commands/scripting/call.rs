//! What EVAL and FCALL have in common: the count of keys before, the reply or the error after.

use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult, Name};
use crate::scripting::{Failure, Inputs};

/// Where the count of keys stands.
const COUNT: usize = 2;

/// What a call is given. `bad` is what Redis says of a count that is no number.
pub(super) fn inputs<'r>(
    call: &Call<'r, '_>,
    bad: CommandError,
) -> Result<Inputs<'r>, CommandError> {
    let first = COUNT + 1;
    let count = call.args.get(COUNT).and_then(parse_i64).ok_or(bad)?;
    let count = usize::try_from(count)
        .map_err(|_| CommandError::text("ERR Number of keys can't be negative"))?;
    if count > call.args.len() - first {
        return Err(CommandError::text(
            "ERR Number of keys can't be greater than number of args",
        ));
    }
    Ok(Inputs {
        args: call.args,
        first,
        keys: count,
    })
}

/// The end of a call that has failed: its error with the place where it arose.
pub(super) fn fail(call: &mut Call, name: Name<'_>, failure: Failure) -> CommandResult {
    let Failure {
        line,
        place,
        is_counted,
        is_odd,
    } = failure;
    let mut line = line;
    if is_odd {
        const SHOWN: usize = 100;
        line.truncate(SHOWN);
        line.splice(
            0..0,
            format!("ERR Error running script {name}, ").into_bytes(),
        );
    }
    if let Some((source, number)) = place {
        line.extend_from_slice(format!(" script: {name}, on ").as_bytes());
        line.extend_from_slice(&source);
        line.extend_from_slice(format!(":{number}.").as_bytes());
    }
    if is_counted {
        // The error was, by the command that the script called; that this call has failed was not.
        let counts = &call.engine.stats.lanes[call.lane].commands[call.spec.id];
        counts.failed.add(1);
        call.reply.error(&line);
        return Ok(());
    }
    Err(CommandError::Quoting(Box::new(line)))
}
