//! PFADD, PFMERGE.

use super::{bytes_of, encoded, refuse, to_change};
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::{Key, ValueMut};
use crate::structures::hyperloglog::{
    self as hll, Encoding, Invalid, REGISTERS, Registers, Sighting,
};

pub(super) fn pfadd(call: &mut Call) -> CommandResult {
    let (key, most) = (call.key(0), call.config.hll_sparse_max_bytes);
    let mut elements = call.args.from(2).map(Sighting::of);
    let Some(mut entry) = call.db.change(key) else {
        let changes = create(call, key, elements)?;
        call.elements_changed(key, event::string("pfadd"), changes);
        call.reply.integer(1);
        return Ok(());
    };
    let (bytes, encoding) = encoded(entry.view().value())?;
    let changes = if encoding == Encoding::Dense {
        entry.set_raw();
        match entry.value() {
            ValueMut::Inline(bytes) => add_in_place(bytes, &mut elements),
            _ => 0,
        }
    } else if let Some((mut changed, changes)) =
        with_elements(bytes, elements, most).map_err(refuse)?
    {
        hll::invalidate(&mut changed);
        call.db.replace_raw(key, changed);
        changes
    } else {
        entry.set_raw();
        0
    };
    if changes > 0 {
        call.elements_changed(key, event::string("pfadd"), changes);
    }
    call.reply.integer(i64::from(changes > 0));
    Ok(())
}

/// Adds elements to a dense one; says how many of them changed anything.
#[inline]
fn add_in_place(bytes: &mut [u8], elements: impl Iterator<Item = Sighting>) -> usize {
    let mut changes = 0;
    for element in elements {
        changes += usize::from(hll::add_dense(bytes, element));
    }
    if changes > 0 {
        hll::invalidate(bytes);
    }
    changes
}

/// What elements make of a sparse HyperLogLog, if they change it, and how many of them do.
fn with_elements(
    bytes: &[u8],
    elements: impl Iterator<Item = Sighting>,
    most: usize,
) -> Result<Option<(Vec<u8>, usize)>, Invalid> {
    if hll::is_oversized(bytes, most) {
        let mut own = bytes.to_vec();
        hll::make_dense(&mut own)?;
        let mut changes = 0;
        for element in elements {
            changes += usize::from(hll::add(&mut own, element, most)?);
        }
        return Ok((changes > 0).then_some((own, changes)));
    }
    let (mut changed, mut changes): (Option<Vec<u8>>, _) = (None, 0);
    for element in elements {
        if hll::would_change(changed.as_deref().unwrap_or(bytes), element)? {
            let own = changed.get_or_insert_with(|| bytes.to_vec());
            changes += usize::from(hll::add(own, element, most)?);
        }
    }
    Ok(changed.map(|own| (own, changes)))
}

/// Makes one of elements. It counts as a change, and so does each element that changes it.
fn create(
    call: &mut Call,
    key: Key<'_>,
    elements: impl Iterator<Item = Sighting>,
) -> Result<usize, CommandError> {
    let (mut bytes, mut changes) = (hll::empty(), 1);
    for element in elements {
        let most = call.config.hll_sparse_max_bytes;
        changes += usize::from(hll::add(&mut bytes, element, most).map_err(refuse)?);
    }
    hll::invalidate(&mut bytes);
    call.db.set_raw(key, bytes);
    call.created(key);
    Ok(changes)
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
