//! DEBUG OBJECT, LISTPACK, SDSLEN, HTSTATS and HTSTATS-KEY: what is known of one value or table.

use std::io::{self, Write};

use crate::config::Config;
use crate::engine::{Call, CommandError, CommandResult};
use crate::keyspace::{Key, ValueRef};
use crate::persistence::rdb;
use crate::structures::list::List;
use crate::structures::{ObjectRef, hash, set};

/// OBJECT.
pub(super) fn describe(call: &mut Call) -> CommandResult {
    let (clock, packs) = (call.db.access_clock(), call.config.rdbcompression);
    // A key that is past its time is there until somebody meets it.
    let mut db = call.db.with_expired();
    let entry = db
        .peek(Key::new(call.args.at(2)))
        .ok_or(CommandError::NoSuchKey)?;
    let line = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}",
        entry.key().as_ptr(),
        entry.encoding(),
        rdb::length(entry.value(), packs),
        entry.access(),
        clock.idle_seconds(entry.access())
    );
    let nodes = match entry.value() {
        ValueRef::Object(ObjectRef::List(list)) => nodes_of(list, call.config),
        _ => String::new(),
    };
    call.reply.simple(&(line + &nodes));
    Ok(())
}

/// What is known of a list's nodes.
fn nodes_of(list: &List, config: &Config) -> String {
    if list.encoding() != "quicklist" {
        return String::new();
    }
    let nodes = list.node_count();
    let average = list.len() as f64 / nodes.max(1) as f64;
    let (bytes, _, is_compressed) = list.packing();
    format!(
        " ql_nodes:{nodes} ql_avg_node:{average:.2} ql_listpack_max:{} ql_compressed:{} ql_uncompressed_size:{bytes}",
        config.list_max_listpack_size,
        u8::from(config.list_compress_depth > 0 || is_compressed),
    )
}

/// LISTPACK.
pub(super) fn print_listpack(call: &mut Call) -> CommandResult {
    let entry = call
        .db
        .peek(Key::new(call.args.at(2)))
        .ok_or(CommandError::NoSuchKey)?;
    if entry.encoding() != "listpack" {
        return Err(CommandError::text("ERR Not a listpack encoded object."));
    }
    let bytes = rdb::dump(entry.value(), false);
    // Where standard output is gone nobody reads it.
    let _ = writeln!(io::stdout(), "{}", bytes.escape_ascii());
    call.reply.simple("Listpack structure printed on stdout");
    Ok(())
}

/// SDSLEN. What key and value have in one allocation counts as the key's.
pub(super) fn string_lengths(call: &mut Call) -> CommandResult {
    // A key that is past its time is there until somebody meets it.
    let mut db = call.db.with_expired();
    let entry = db
        .peek(Key::new(call.args.at(2)))
        .ok_or(CommandError::NoSuchKey)?;
    let length = match entry.value() {
        ValueRef::Inline(text) => text.len(),
        ValueRef::Object(ObjectRef::Bytes(text)) => text.len(),
        _ => return Err(CommandError::text("ERR Not an sds encoded string.")),
    };
    let line = format!(
        "key_sds_len:{}, key_sds_avail:0, key_zmalloc: {}, val_sds_len:{length}, val_sds_avail:0, val_zmalloc: {}",
        entry.key().len(),
        entry.allocated(),
        entry.value_allocated(),
    );
    call.reply.simple(&line);
    Ok(())
}

/// HTSTATS.
pub(super) fn database_table(call: &mut Call) -> CommandResult {
    let number = call.integer(2)?;
    let databases = call.engine.keyspace.databases();
    let database = usize::try_from(number).ok().filter(|&n| n < databases);
    let Some(database) = database else {
        return Err(CommandError::text("ERR Out of range database"));
    };
    let now = call.db.now();
    let scope = call.db.scope();
    let slots = scope.table_bytes(database) / size_of::<u64>();
    let (expiring, _) = scope.expiring(database, now);
    let keys = scope.keyspace().len(database);
    let text = format!(
        "[Dictionary HT]\n{}[Expires HT]\n{}",
        figures(slots, keys),
        // Expiries are in the same table.
        figures(slots.min(expiring), expiring)
    );
    call.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn figures(slots: usize, elements: usize) -> String {
    if elements == 0 {
        return "No stats available for empty dictionaries\n".into();
    }
    format!(
        "Hash table 0 stats (main hash table):\n table size: {slots}\n number of elements: {elements}\n"
    )
}

/// HTSTATS-KEY.
pub(super) fn value_table(call: &mut Call) -> CommandResult {
    // A key that is past its time is there until somebody meets it.
    let mut db = call.db.with_expired();
    let entry = db
        .peek(Key::new(call.args.at(2)))
        .ok_or(CommandError::NoSuchKey)?;
    let table = match entry.value() {
        ValueRef::Object(ObjectRef::Set(set::View::Table(table))) => {
            Some((table.buckets(), table.len()))
        }
        ValueRef::Object(ObjectRef::Hash(hash::View::Table(table))) => {
            Some((table.buckets(), table.len()))
        }
        _ => None,
    };
    let Some((buckets, elements)) = table else {
        return Err(CommandError::text(
            "ERR The value stored at the specified key is not represented using an hash table",
        ));
    };
    let slots = buckets / size_of::<u64>();
    call.reply
        .verbatim("txt", figures(slots, elements).as_bytes());
    Ok(())
}
