//! SORT and SORT_RO: the elements of a list, set or sorted set in the order of what they are, or of what keys named after
//! them hold. Start with `options`, then `order`.

mod options;
mod order;
mod pattern;
mod source;

use self::options::Options;
use self::order::{Row, Rows};
use self::pattern::Pattern;
use crate::engine::{
    Begin, Call, Command, CommandError, CommandResult, Find, Group, KeySpec, event, flags::*,
    one_key,
};
use crate::keyspace::Key;
use crate::resp::args::MAX_ARGUMENT;
use crate::resp::reply::Reply;
use crate::structures::list::{End, Limit, List};

const READ: KeySpec = one_key(1, &["RO", "access"]);
/// Keys that patterns lead to.
const ANY_READ: KeySpec = KeySpec {
    begin: Begin::Unknown,
    find: Find::Unknown,
    flags: &["RO", "access"],
};
/// STORE's key.
const ANY_WRITTEN: KeySpec = KeySpec {
    flags: &["OW", "update"],
    ..ANY_READ
};

/// The categories of what it sorts.
const SORTED: &[&str] = &["set", "sortedset", "list"];

/// The family.
pub const COMMANDS: &[Command] = &[
    Command::new("SORT", Group::Generic, "key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [ASC | DESC] [ALPHA] [STORE destination]", sort)
        .keys(&[READ, ANY_READ, ANY_WRITTEN])
        .known_keys(options::known_keys)
        .flags(WRITE | DENYOOM | MOVABLE_KEYS | DANGEROUS | NO_GROUP_CATEGORY)
        .categories(SORTED)
        .docs("1.0.0", "O(N+M*log(M)) in the number of elements and of those given", "Gives the elements of a list, set or sorted set in order, or stores them."),
    Command::new("SORT_RO", Group::Generic, "key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [ASC | DESC] [ALPHA]", sort_read_only)
        .keys(&[READ, ANY_READ])
        .known_keys(options::known_keys)
        .flags(READONLY | MOVABLE_KEYS | DANGEROUS | NO_GROUP_CATEGORY)
        .categories(SORTED)
        .docs("7.0.0", "O(N+M*log(M)) in the number of elements and of those given", "Gives the elements of a list, set or sorted set in order."),
];

fn sort(call: &mut Call) -> CommandResult {
    let options = Options::parse(call, options::Store::Allowed)?;
    run(call, options)
}

fn sort_read_only(call: &mut Call) -> CommandResult {
    let options = Options::parse(call, options::Store::Refused)?;
    run(call, options)
}

fn run(call: &mut Call, mut options: Options<'_>) -> CommandResult {
    let key = Key::new(call.args.at(1));
    call.note_miss(key);
    let mut rows = Rows::default();
    source::collect(call, key, &mut options, &mut rows)?;
    let wanted = options.limit.within(rows.len());
    if !options.keeps_order {
        weigh(call, &options, &mut rows)?;
        rows.sort(&options, wanted.clone());
    }
    let rows_wanted = rows.part(wanted);
    match options.store {
        Some(target) => store(call, &options, &rows, rows_wanted, Key::new(target))?,
        None => reply(call, &options, &rows, rows_wanted),
    }
    Ok(())
}

/// Looks up what each element is compared by.
fn weigh(call: &mut Call, options: &Options<'_>, rows: &mut Rows) -> CommandResult {
    let Some(by) = &options.by else {
        return match options.is_alpha {
            true => Ok(()),
            false => rows.weigh_elements(),
        };
    };
    let (mut name, now) = (Vec::new(), call.db.now());
    for at in 0..rows.len() {
        let Some(key) = by.key(rows.element(at), &mut name) else {
            return Ok(());
        };
        call.note_miss(key);
        let entry = call.db.read(key);
        let mut result = Ok(());
        let is_found = entry.is_some_and(|entry| {
            by.show(entry.value(), now, |weight| {
                result = rows.set_weight(at, weight, options.is_alpha);
            })
        });
        result?;
        if !is_found {
            rows.clear_weight(at);
        }
    }
    Ok(())
}

/// Shows what each row gives: the element, or what GET finds, `None` where it finds nothing.
fn give(
    call: &mut Call,
    options: &Options<'_>,
    rows: &Rows,
    wanted: &[Row],
    mut show: impl FnMut(&mut Reply, Option<&[u8]>),
) {
    let (mut name, now) = (Vec::new(), call.db.now());
    for row in wanted {
        let element = rows.text(row);
        if options.gets.is_empty() {
            show(call.reply, Some(element));
        }
        for get in &options.gets {
            if matches!(get, Pattern::Element) {
                show(call.reply, Some(element));
                continue;
            }
            let key = get.key(element, &mut name);
            if let Some(key) = key {
                call.note_miss(key);
            }
            let entry = key.and_then(|key| call.db.read(key));
            let reply = &mut *call.reply;
            let is_found = entry.is_some_and(|entry| {
                get.show(entry.value(), now, |value| show(reply, Some(value)))
            });
            if !is_found {
                show(call.reply, None);
            }
        }
    }
}

fn reply(call: &mut Call, options: &Options<'_>, rows: &Rows, wanted: &[Row]) {
    call.reply.array(wanted.len() * options.gets.len().max(1));
    give(call, options, rows, wanted, |reply, value| match value {
        Some(value) => reply.bulk(value),
        None => reply.null(),
    });
}

fn store(
    call: &mut Call,
    options: &Options<'_>,
    rows: &Rows,
    wanted: &[Row],
    target: Key<'_>,
) -> CommandResult {
    let limit = Limit::of(i64::from(call.config.list_max_listpack_size))
        .compressing(call.config.list_compress_depth);
    let (mut list, mut fits) = (List::default(), true);
    give(call, options, rows, wanted, |_, value| {
        let element = value.unwrap_or_default();
        fits &= element.len() <= MAX_ARGUMENT;
        if !fits {
            return;
        }
        list.grow(limit, element.len(), 1);
        list.push(End::Tail, element, limit);
    });
    if !fits {
        return Err(CommandError::TooLong);
    }
    let len = list.len();
    call.reply.count(len);
    let old = call.db.remove(target);
    let was_there = old.is_some();
    if let Some(old) = old {
        call.engine.reclaimer.free(old);
    }
    if len > 0 {
        call.db.store(target, list);
        if !was_there {
            call.created(target);
        }
        call.elements_changed(target, event::list("sortstore"), len);
    } else if was_there {
        call.changed(target, event::generic("del"));
    }
    Ok(())
}

/// An element that is to be compared as a number and is none.
fn no_number() -> CommandError {
    CommandError::text("ERR One or more scores can't be converted into double")
}
