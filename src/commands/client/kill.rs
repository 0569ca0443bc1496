//! CLIENT KILL.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::filter::Filter;
use crate::engine::{Call, Client, CommandError, CommandResult, flag};

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
            call.engine.clients.remove(victim.id);
        }
    }
    silence(call, &victims);
    match (is_old_form, victims.is_empty()) {
        (true, true) => return Err(CommandError::text("ERR No such client")),
        (true, false) => call.reply.ok(),
        (false, _) => call.reply.count(victims.len()),
    }
    Ok(())
}

/// Nothing that is published behind the reply reaches, or counts, those that have been killed.
fn silence(call: &Call, victims: &[Arc<Client>]) {
    for worker in 0..call.engine.mailboxes.len() {
        let listens = |victim: &&Arc<Client>| {
            let is_killed = victim.is_killed.load(Relaxed);
            is_killed && victim.worker == worker && victim.has_flag(flag::PUBSUB)
        };
        let silenced: HashSet<u64> = (victims.iter().filter(listens))
            .map(|victim| victim.id)
            .collect();
        if !silenced.is_empty() {
            call.engine.pubsub.silence(worker, &silenced);
        }
    }
}
