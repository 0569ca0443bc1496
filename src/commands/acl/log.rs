//! ACL LOG.

use crate::acl::LogEntry;
use crate::base::clock::unix_ms;
use crate::engine::{Call, CommandResult};

/// Entries that are shown when no number is given.
const SHOWN: usize = 10;

pub(super) fn log(call: &mut Call) -> CommandResult {
    let count = match call.args.len() {
        2 => SHOWN,
        3 if call.args.is(2, "RESET") => {
            call.engine.acl.log.lock().reset();
            call.reply.ok();
            return Ok(());
        }
        3 => usize::try_from(call.integer(2)?).unwrap_or(0),
        _ => return Err(call.subcommand_syntax()),
    };
    let entries = call.engine.acl.log.lock().newest(count);
    call.reply.array(entries.len());
    entries.iter().for_each(|entry| show(call, entry));
    Ok(())
}

fn show(call: &mut Call, entry: &LogEntry) {
    let reply = &mut *call.reply;
    let age = (unix_ms() - entry.updated_ms).max(0);
    reply.map(10);
    reply.bulk(b"count");
    reply.integer(entry.count as i64);
    let texts = [
        ("reason", entry.reason.name().as_bytes()),
        ("context", entry.context.name().as_bytes()),
        ("object", &entry.object),
        ("username", &entry.user),
    ];
    for (name, text) in texts {
        reply.bulk(name.as_bytes());
        reply.bulk(text);
    }
    reply.bulk(b"age-seconds");
    reply.double(age as f64 / 1000.0);
    reply.bulk(b"client-info");
    reply.bulk(entry.client.as_bytes());
    let numbers = [
        ("entry-id", entry.id as i64),
        ("timestamp-created", entry.created_ms),
        ("timestamp-last-updated", entry.updated_ms),
    ];
    for (name, number) in numbers {
        reply.bulk(name.as_bytes());
        reply.integer(number);
    }
}
