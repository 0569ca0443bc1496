//! PFADD, PFMERGE.

use super::{bytes_of, refuse, to_change};
use crate::engine::{Call, CommandResult, event};
use crate::keyspace::Key;
use crate::structures::hyperloglog::{self as hll, Encoding, REGISTERS, Registers, Sighting};

pub(super) fn pfadd(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let elements = call.args.from(2).map(Sighting::of);
    let most = call.config.hll_sparse_max_bytes;
    let Some(bytes) = to_change(call, key)? else {
        create(call, key, elements)?;
        call.changed(key, event::string("pfadd"));
        call.reply.integer(1);
        return Ok(());
    };
    let mut dense = Vec::new();
    let mut known = bytes;
    if hll::is_oversized(bytes, most) {
        dense.extend_from_slice(bytes);
        hll::make_dense(&mut dense).map_err(refuse)?;
        known = &dense;
    }
    let mut new = Vec::new();
    for element in elements {
        if hll::would_change(known, element).map_err(refuse)? {
            new.push(element);
        }
    }
    if !new.is_empty() {
        change(call, key, &new)?;
        call.changed(key, event::string("pfadd"));
    }
    call.reply.integer(i64::from(!new.is_empty()));
    Ok(())
}

fn create(
    call: &mut Call,
    key: Key<'_>,
    elements: impl Iterator<Item = Sighting>,
) -> CommandResult {
    let mut bytes = hll::empty();
    for element in elements {
        hll::add(&mut bytes, element, call.config.hll_sparse_max_bytes).map_err(refuse)?;
    }
    hll::invalidate(&mut bytes);
    call.db.set_raw(key, bytes);
    call.created(key);
    Ok(())
}

/// Adds elements that change the HyperLogLog under a key: in place where it is dense.
fn change(call: &mut Call, key: Key<'_>, elements: &[Sighting]) -> CommandResult {
    let most = call.config.hll_sparse_max_bytes;
    let Some(bytes) = to_change(call, key)? else {
        return Ok(());
    };
    if hll::encoding(bytes) == Ok(Encoding::Dense) {
        let len = bytes.len();
        call.db.edit_string(key, len, |bytes| {
            for element in elements {
                hll::add_dense(bytes, *element);
            }
            hll::invalidate(bytes);
        });
        return Ok(());
    }
    let mut bytes = bytes.to_vec();
    for element in elements {
        hll::add(&mut bytes, *element, most).map_err(refuse)?;
    }
    hll::invalidate(&mut bytes);
    call.db.replace_raw(key, bytes);
    Ok(())
}

pub(super) fn pfmerge(call: &mut Call) -> CommandResult {
    let (mut registers, mut is_dense): (Registers, bool) = ([0; REGISTERS], false);
    for key in call.all_keys() {
        call.note_miss(key);
        if let Some(entry) = call.db.read(key) {
            let bytes = bytes_of(entry.value())?;
            is_dense |= hll::encoding(bytes) == Ok(Encoding::Dense);
            hll::merge(&mut registers, bytes).map_err(refuse)?;
        }
    }
    store(call, call.key(0), &registers, is_dense)?;
    call.changed(call.key(0), event::string("pfadd"));
    call.reply.ok();
    Ok(())
}

fn store(call: &mut Call, key: Key<'_>, registers: &Registers, is_dense: bool) -> CommandResult {
    let before = to_change(call, key)?.map(<[u8]>::to_vec);
    let is_new = before.is_none();
    let mut bytes = before.unwrap_or_else(hll::empty);
    if is_dense {
        hll::make_dense(&mut bytes).map_err(refuse)?;
    }
    for (index, count) in registers
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, count)| *count > 0)
    {
        let most = call.config.hll_sparse_max_bytes;
        hll::add(&mut bytes, Sighting { index, count }, most).map_err(refuse)?;
    }
    hll::invalidate(&mut bytes);
    if is_new {
        call.db.set_raw(key, bytes);
        call.created(key);
    } else {
        call.db.replace_raw(key, bytes);
    }
    Ok(())
}
