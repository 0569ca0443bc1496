//! COMMAND and COMMAND INFO: arity, flags, keys and categories.

use crate::engine::{
    Begin, Call, CommandResult, CommandTable, Find, KEY_FLAGS, KeySpec, Spec, flags,
};
use crate::resp::reply::Reply;

pub(super) fn all(call: &mut Call) -> CommandResult {
    let table = &call.engine.commands;
    let specs = table.all().iter().filter(|spec| spec.parent.is_none());
    let specs: Vec<_> = specs.collect();
    call.reply.array(specs.len());
    specs
        .iter()
        .for_each(|spec| describe(call.reply, table, spec));
    Ok(())
}

pub(super) fn some(call: &mut Call) -> CommandResult {
    if call.args.len() == 2 {
        return all(call);
    }
    let table = &call.engine.commands;
    let names = call.args.from(2);
    call.reply.array(names.len());
    for name in names {
        match table.find(name) {
            Some(spec) => describe(call.reply, table, spec),
            None => call.reply.null(),
        }
    }
    Ok(())
}

fn describe(reply: &mut Reply, table: &CommandTable, spec: &Spec) {
    reply.array(10);
    reply.bulk(spec.name.as_bytes());
    reply.integer(i64::from(spec.arity));
    let names = flags::NAMES.iter().filter(|(bit, _)| spec.has(*bit));
    statuses(reply, names.map(|(_, name)| *name).collect());
    let range = spec.key_range();
    reply.integer(range.first as i64);
    reply.integer(i64::from(range.last));
    reply.integer(range.step as i64);
    let categories = spec.categories();
    reply.set(categories.len());
    categories
        .iter()
        .for_each(|category| reply.simple(&format!("@{category}")));
    reply.set(spec.command.tips.len());
    let tips = spec.command.tips.iter();
    tips.for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(spec.command.keys.len());
    spec.command.keys.iter().for_each(|key| keys(reply, key));
    if spec.subcommands.is_empty() {
        return reply.set(0);
    }
    reply.array(spec.subcommands.len());
    for &id in &spec.subcommands {
        describe(reply, table, &table.all()[id]);
    }
}

/// A set of words.
fn statuses(reply: &mut Reply, words: Vec<&str>) {
    reply.set(words.len());
    words.iter().for_each(|word| reply.simple(word));
}

/// What a command does with a key, in Redis's order.
pub(super) fn key_flags(reply: &mut Reply, declared: &[&str]) {
    let known = KEY_FLAGS.iter().filter(|flag| declared.contains(flag));
    statuses(reply, known.copied().collect());
}

fn keys(reply: &mut Reply, spec: &KeySpec) {
    reply.map(3);
    reply.bulk(b"flags");
    key_flags(reply, spec.flags);
    reply.bulk(b"begin_search");
    match spec.begin {
        Begin::Index(at) => {
            typed(reply, "index", 1);
            number(reply, "index", at as i64);
        }
        Begin::Keyword(word, from) => {
            typed(reply, "keyword", 2);
            reply.bulk(b"keyword");
            reply.bulk(word.as_bytes());
            number(reply, "startfrom", i64::from(from));
        }
        Begin::Unknown => typed(reply, "unknown", 0),
    }
    reply.bulk(b"find_keys");
    match spec.find {
        Find::Range { last, step, limit } => {
            typed(reply, "range", 3);
            number(reply, "lastkey", i64::from(last));
            number(reply, "keystep", step as i64);
            number(reply, "limit", limit as i64);
        }
        Find::Count { at, first, step } => {
            typed(reply, "keynum", 3);
            number(reply, "keynumidx", at as i64);
            number(reply, "firstkey", first as i64);
            number(reply, "keystep", step as i64);
        }
        Find::Unknown => typed(reply, "unknown", 0),
    }
}

/// The head of one half of a key specification.
fn typed(reply: &mut Reply, name: &str, pairs: usize) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(name.as_bytes());
    reply.bulk(b"spec");
    reply.map(pairs);
}

fn number(reply: &mut Reply, name: &str, value: i64) {
    reply.bulk(name.as_bytes());
    reply.integer(value);
}
