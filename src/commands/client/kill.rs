//! CLIENT KILL.

use super::filter::Filter;
use crate::engine::{Call, CommandError, CommandResult};

pub(super) fn kill(call: &mut Call) -> CommandResult {
    let is_old_form = call.args.len() == 3;
    let filter = match is_old_form {
        true => Filter::by_address(call.args.at(2)),
        false => Filter::of_kill(call)?,
    };
    let victims = filter.choose(call);
    for victim in &victims {
        if victim.id == call.session.client.id {
            // Whoever kills itself is answered first.
            call.session.close_after_reply();
        } else {
            call.engine.kill(victim);
        }
    }
    match (is_old_form, victims.is_empty()) {
        (true, true) => return Err(CommandError::text("ERR No such client")),
        (true, false) => call.reply.ok(),
        (false, _) => call.reply.count(victims.len()),
    }
    Ok(())
}
