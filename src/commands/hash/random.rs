//! HRANDFIELD.

use hashbrown::HashSet;

use super::{reply_item, seen};
use crate::commands::chance::{self, MOST_REPEATS, PICK_BELOW};
use crate::engine::{Call, CommandError, CommandResult};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::structures::hash::{Field, Hash, Seen, View};
use crate::structures::listpack::Item;

pub(super) fn hrandfield(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let count = parse_count(call.args)?;
    let with_values = call.args.len() == 4;
    call.note_miss(key);
    let seen = seen(call, key);
    let most = call.most_reply();
    let hash = call.db.read_as::<Hash>(key)?;
    let Some(count) = count else {
        match hash.and_then(|hash| hash.random(seen)) {
            Some(field) => reply_item(call.reply, field.name),
            None => call.reply.null(),
        }
        return Ok(());
    };
    let wanted = count.unsigned_abs();
    match hash {
        None => call.reply.array(0),
        Some(_) if count < 0 && wanted > MOST_REPEATS && most == usize::MAX => {
            return Err(CommandError::OutOfRange);
        }
        Some(hash) if count < 0 => {
            let fields = (0..wanted).map_while(|_| hash.random(seen));
            reply_fields(call.reply, fields, with_values, most);
        }
        Some(hash) => {
            let fields = choose(hash, seen, wanted as usize);
            reply_fields(call.reply, fields.into_iter(), with_values, most);
        }
    }
    Ok(())
}

/// Fields, until the reply is so long that its client will be closed.
fn reply_fields<'a>(
    reply: &mut Reply,
    fields: impl Iterator<Item = Field<'a>>,
    with_values: bool,
    most: usize,
) {
    let pairs_apart = with_values && reply.is_resp3();
    let width = if with_values && !pairs_apart { 2 } else { 1 };
    let (head, mut len) = (reply.open(), 0);
    for field in fields {
        if reply.len() > most {
            break;
        }
        len += width;
        if pairs_apart {
            reply.array(2);
        }
        reply_item(reply, field.name);
        if with_values {
            reply_item(reply, field.value);
        }
    }
    reply.close_array(head, len);
}

fn parse_count(args: Args<'_>) -> Result<Option<i64>, CommandError> {
    let Some(count) = args.get(2) else {
        return Ok(None);
    };
    let count = chance::count(count)?;
    if args.len() > 4 || args.len() == 4 && !args.is(3, "WITHVALUES") {
        return Err(CommandError::Syntax);
    }
    if args.len() == 4 && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(CommandError::OutOfRange);
    }
    Ok(Some(count))
}

/// So many different fields, or all.
fn choose(hash: View<'_>, seen: Seen, count: usize) -> Vec<Field<'_>> {
    let len = hash.len(seen);
    if count >= len {
        return hash.iter(seen).collect();
    }
    if count.saturating_mul(PICK_BELOW) < len && matches!(hash, View::Table(_)) {
        return pick(hash, seen, count);
    }
    chance::some_of(hash.iter(seen), len, count).collect()
}

fn pick(hash: View<'_>, seen: Seen, count: usize) -> Vec<Field<'_>> {
    let mut known = HashSet::with_hasher(foldhash::fast::RandomState::default());
    let mut chosen = Vec::with_capacity(count);
    while chosen.len() < count {
        match hash.random(seen) {
            Some(field) => {
                if let Item::Str(name) = field.name
                    && known.insert(name)
                {
                    chosen.push(field);
                }
            }
            None => break,
        }
    }
    chosen
}
