//! Conditions on the value that a key has, for SET and DELEX; DELIFEQ; and digests, by which values are compared without
//! being sent.

use xxhash_rust::xxh3::xxh3_64;

use super::{delete, text_of};
use crate::engine::{Call, CommandError, CommandResult};
use crate::keyspace::Key;
use crate::resp::args::Args;

/// Hexadecimal digits of a digest.
const DIGEST_DIGITS: usize = 16;

/// Under which circumstances a key is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition<'r> {
    /// Under any.
    Always,
    /// It is not there.
    Missing,
    /// It is there.
    Present,
    /// Its value is this one.
    Equal(&'r [u8]),
    /// Its value is another one, or there is none.
    Unequal(&'r [u8]),
    /// Its value has this digest.
    DigestEqual(&'r [u8]),
    /// Its value has another digest, or there is none.
    DigestUnequal(&'r [u8]),
}

impl<'r> Condition<'r> {
    /// Takes the option at `at`; gives how many arguments that were. An option may be repeated, the last one counts, but
    /// different ones do not go together.
    pub(super) fn take(&mut self, args: Args<'r>, at: usize) -> Option<usize> {
        let (condition, taken) = if args.is(at, "NX") {
            (Self::Missing, 1)
        } else if args.is(at, "XX") {
            (Self::Present, 1)
        } else {
            (Self::on_value(args.get(at)?, args.get(at + 1)?)?, 2)
        };
        let is_allowed = *self == Self::Always
            || std::mem::discriminant(self) == std::mem::discriminant(&condition);
        *self = condition;
        is_allowed.then_some(taken)
    }

    /// A condition that compares the value.
    fn on_value(word: &[u8], operand: &'r [u8]) -> Option<Self> {
        let is = |known: &[u8]| word.eq_ignore_ascii_case(known);
        Some(match operand {
            _ if is(b"IFEQ") => Self::Equal(operand),
            _ if is(b"IFNE") => Self::Unequal(operand),
            _ if is(b"IFDEQ") => Self::DigestEqual(operand),
            _ if is(b"IFDNE") => Self::DigestUnequal(operand),
            _ => return None,
        })
    }

    /// Whether it holds for a key as it is now. A digest is only looked at where there is a value to compare it with.
    pub(super) fn holds(self, call: &mut Call, key: Key<'_>) -> Result<bool, CommandError> {
        if self == Self::Always {
            return Ok(true);
        }
        let Some(entry) = call.db.change(key) else {
            return Ok(matches!(
                self,
                Self::Missing | Self::Unequal(_) | Self::DigestUnequal(_)
            ));
        };
        if matches!(self, Self::Present | Self::Missing) {
            return Ok(self == Self::Present);
        }
        let mut buffer = itoa::Buffer::new();
        let text = text_of(entry.view().value(), &mut buffer)?;
        match self {
            Self::Equal(other) => Ok(text == other),
            Self::Unequal(other) => Ok(text != other),
            Self::DigestEqual(other) => has_digest(text, other),
            Self::DigestUnequal(other) => has_digest(text, other).map(|has| !has),
            Self::Always | Self::Missing | Self::Present => Ok(true),
        }
    }
}

fn digest_of(text: &[u8]) -> String {
    format!("{:016x}", xxh3_64(text))
}

fn has_digest(text: &[u8], digest: &[u8]) -> Result<bool, CommandError> {
    if digest.len() != DIGEST_DIGITS {
        return Err(CommandError::text(
            "ERR must be exactly 16 hexadecimal characters",
        ));
    }
    Ok(digest_of(text).as_bytes().eq_ignore_ascii_case(digest))
}

pub(super) fn digest(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let Some(entry) = call.db.read(key) else {
        call.reply.null();
        return Ok(());
    };
    let mut buffer = itoa::Buffer::new();
    let digest = digest_of(text_of(entry.value(), &mut buffer)?);
    call.reply.bulk(digest.as_bytes());
    Ok(())
}

pub(super) fn delifeq(call: &mut Call) -> CommandResult {
    delete_if(call, Condition::Equal(call.args.at(2)))
}

pub(super) fn delex(call: &mut Call) -> CommandResult {
    let (word, operand) = match (call.args.len(), call.args.get(2), call.args.get(3)) {
        (4, Some(word), Some(operand)) => (word, operand),
        (2, ..) => return delete_if(call, Condition::Present),
        _ => return Err(CommandError::arity(&call.spec.name)),
    };
    let condition = Condition::on_value(word, operand).ok_or_else(|| {
        CommandError::text("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")
    })?;
    delete_if(call, condition).map_err(|error| match error {
        CommandError::WrongType => {
            CommandError::text("ERR Key should be of string type if conditions are specified")
        }
        error => error,
    })
}

fn delete_if(call: &mut Call, condition: Condition<'_>) -> CommandResult {
    let key = call.key(0);
    let is_deleted = condition.holds(call, key)? && delete(call, key);
    call.reply.integer(i64::from(is_deleted));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::digest_of;

    #[test]
    fn digests_are_those_of_redis() {
        assert_eq!(digest_of(b""), "2d06800538d394c2");
        let text = b"v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2kwlj7626sd";
        assert_eq!(digest_of(text), "00006c38adf31777");
    }
}
