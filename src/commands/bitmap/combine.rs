//! Several strings into one: BITOP.

use bytes::Bytes;

use crate::commands::string::text_of;
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::Key;
use crate::keyspace::ValueRef;
use crate::structures::bits::{self, Operation};

const OPERATIONS: &[(&str, Operation)] = &[
    ("AND", Operation::And),
    ("OR", Operation::Or),
    ("XOR", Operation::Xor),
    ("NOT", Operation::Not),
    ("DIFF", Operation::Diff),
    ("DIFF1", Operation::Diff1),
    ("ANDOR", Operation::AndOr),
    ("ONE", Operation::One),
];

pub(super) fn bitop(call: &mut Call) -> CommandResult {
    let operation = operation(call)?;
    let sources = (call.all_keys().skip(1))
        .map(|key| source(call, key))
        .collect::<Result<Vec<Bytes>, _>>()?;
    let sources: Vec<&[u8]> = sources.iter().map(|source| &source[..]).collect();
    let result = bits::combine(operation, &sources);
    let (target, len) = (call.key(0), result.len());
    if len > 0 {
        if call.db.set_raw(target, result) {
            call.created(target);
        }
        call.changed(target, event::string("set"));
    } else if let Some(entry) = call.db.remove(target) {
        call.engine.reclaimer.free(entry);
        call.changed(target, event::generic("del"));
    }
    call.reply.count(len);
    Ok(())
}

fn operation(call: &Call) -> Result<Operation, CommandError> {
    let named = OPERATIONS.iter().find(|(name, _)| call.args.is(1, name));
    let &(name, operation) = named.ok_or(CommandError::Syntax)?;
    let sources = call.args.len() - 3;
    match operation {
        Operation::Not if sources != 1 => Err(CommandError::text(
            "ERR BITOP NOT must be called with a single source key.",
        )),
        Operation::Diff | Operation::Diff1 | Operation::AndOr if sources < 2 => {
            Err(CommandError::message(format!(
                "ERR BITOP {name} must be called with at least two source keys."
            )))
        }
        operation => Ok(operation),
    }
}

/// The bytes of a source, empty when it is missing. Long ones are shared, so that several can be held at once.
fn source(call: &mut Call, key: Key<'_>) -> Result<Bytes, CommandError> {
    call.note_miss(key);
    let Some(entry) = call.db.read(key) else {
        return Ok(Bytes::new());
    };
    match entry.value() {
        ValueRef::Object(object) => object.as_string().cloned().ok_or(CommandError::WrongType),
        value => text_of(value, &mut itoa::Buffer::new()).map(Bytes::copy_from_slice),
    }
}
