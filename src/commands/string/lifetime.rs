//! The options that say how long a value lives: EX, PX, EXAT, PXAT, and KEEPTTL or PERSIST.

use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError};
use crate::keyspace::Expiry;
use crate::resp::args::Args;

/// What the number behind an option counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Seconds from now.
    Seconds,
    /// Milliseconds from now.
    Milliseconds,
    /// Seconds of Unix time.
    UnixSeconds,
    /// Milliseconds of Unix time.
    UnixMilliseconds,
}

const UNITS: &[(&str, Unit)] = &[
    ("EX", Unit::Seconds),
    ("PX", Unit::Milliseconds),
    ("EXAT", Unit::UnixSeconds),
    ("PXAT", Unit::UnixMilliseconds),
];

/// How long a value is to live. The number is text until [`Lifetime::resolve`]: syntax errors anywhere come before errors
/// in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime<'r> {
    /// Nothing was said.
    Unsaid,
    /// The option without a number: KEEPTTL or PERSIST, as the command has it.
    Plain,
    /// Up to a time.
    Until(Unit, &'r [u8]),
}

impl<'r> Lifetime<'r> {
    /// Takes the option at `at`, where `plain` is the one without a number; gives how many arguments that were. An option
    /// may be repeated, the last one counts, but different ones do not go together.
    pub(super) fn take(&mut self, args: Args<'r>, at: usize, plain: &str) -> Option<usize> {
        if args.is(at, plain) {
            let is_allowed = matches!(self, Self::Unsaid | Self::Plain);
            *self = Self::Plain;
            return is_allowed.then_some(1);
        }
        let &(_, unit) = UNITS.iter().find(|(word, _)| args.is(at, word))?;
        let is_allowed = match *self {
            Self::Unsaid => true,
            Self::Plain => false,
            Self::Until(known, _) => known == unit,
        };
        *self = Self::Until(unit, args.get(at + 1)?);
        is_allowed.then_some(2)
    }

    /// The time that was given, as Unix milliseconds.
    pub(super) fn resolve(self, call: &Call) -> Result<Option<i64>, CommandError> {
        let Self::Until(unit, text) = self else {
            return Ok(None);
        };
        let number = parse_i64(text).ok_or(CommandError::NotInteger)?;
        let milliseconds = match unit {
            _ if number <= 0 => None,
            Unit::Milliseconds | Unit::UnixMilliseconds => Some(number),
            Unit::Seconds | Unit::UnixSeconds => number.checked_mul(1000),
        };
        let expires_at = match unit {
            Unit::UnixSeconds | Unit::UnixMilliseconds => milliseconds,
            Unit::Seconds | Unit::Milliseconds => {
                milliseconds.and_then(|span| span.checked_add(call.db.now()))
            }
        };
        expires_at.map(Some).ok_or_else(|| call.invalid_expire())
    }
}

/// What a write that was given this lifetime does to the expiry; `Plain` is KEEPTTL.
pub(super) fn expiry(lifetime: Lifetime<'_>, expires_at: Option<i64>) -> Expiry {
    match (lifetime, expires_at) {
        (_, Some(at)) => Expiry::At(at),
        (Lifetime::Plain, None) => Expiry::Keep,
        (_, None) => Expiry::Clear,
    }
}
