//! Ids as clients write them.

use crate::engine::CommandError;
use crate::structures::stream::Id;

/// Longer words are no ids.
const LONGEST: usize = 127;

/// The id that XADD is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// `*`: now.
    Automatic,
    /// `ms-*`: the next number of a millisecond.
    Within(u64),
    /// A whole id.
    Exactly(Id),
}

/// The error for a word that is no id.
pub(super) fn invalid() -> CommandError {
    CommandError::text("ERR Invalid stream ID specified as stream command argument")
}

/// Where a word that C would read ends.
fn text(word: &[u8]) -> Option<&[u8]> {
    let end = word.iter().position(|&byte| byte == 0);
    (word.len() <= LONGEST).then(|| &word[..end.unwrap_or(word.len())])
}

/// A number as Redis reads the parts of ids: leniently, by `strtoull`.
fn part(text: &[u8]) -> Option<u64> {
    if let Some(number) = crate::base::numbers::parse_i64(text) {
        return u64::try_from(number).ok();
    }
    let start = text
        .iter()
        .position(|byte| !matches!(byte, b' ' | b'\t'..=b'\r'))?;
    let (is_negative, digits) = match text.get(start..)? {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let number = digits.iter().try_fold(0u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })?;
    Some(if is_negative {
        number.wrapping_neg()
    } else {
        number
    })
}

/// An id of two parts, or of one: the other is `missing` then.
fn whole(word: &[u8], missing: u64) -> Option<Id> {
    match word.iter().position(|&byte| byte == b'-') {
        Some(dash) => Some(Id::new(part(&word[..dash])?, part(&word[dash + 1..])?)),
        None => Some(Id::new(part(word)?, missing)),
    }
}

/// An id, which must be one: not `-`, not `+`.
#[inline]
pub(super) fn strict(word: &[u8], missing: u64) -> Result<Id, CommandError> {
    text(word)
        .and_then(|word| whole(word, missing))
        .ok_or_else(invalid)
}

/// An id, `-` or `+`.
pub(super) fn any(word: &[u8], missing: u64) -> Result<Id, CommandError> {
    match text(word) {
        Some(b"-") => Ok(Id::MIN),
        Some(b"+") => Ok(Id::MAX),
        _ => strict(word, missing),
    }
}

/// What XADD is asked for.
pub(super) fn wanted(word: &[u8]) -> Result<Wanted, CommandError> {
    if let Some(ms) = text(word).and_then(|word| word.strip_suffix(b"-*"))
        && !ms.contains(&b'-')
    {
        return part(ms).map(Wanted::Within).ok_or_else(invalid);
    }
    strict(word, 0).map(Wanted::Exactly)
}

/// Where an interval begins.
pub(super) fn start(word: &[u8]) -> Result<Id, CommandError> {
    match word {
        [b'(', id @ ..] if !id.is_empty() => strict(id, 0)?
            .next()
            .ok_or_else(|| CommandError::text("ERR invalid start ID for the interval")),
        _ => any(word, 0),
    }
}

/// Where an interval ends.
pub(super) fn end(word: &[u8]) -> Result<Id, CommandError> {
    match word {
        [b'(', id @ ..] if !id.is_empty() => strict(id, u64::MAX)?
            .previous()
            .ok_or_else(|| CommandError::text("ERR invalid end ID for the interval")),
        _ => any(word, u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        let id = |word: &str| strict(word.as_bytes(), 7).ok();
        assert_eq!(id("5"), Some(Id::new(5, 7)));
        assert_eq!(id("5-3"), Some(Id::new(5, 3)));
        assert_eq!(id("05-+3"), Some(Id::new(5, 3)));
        assert_eq!(
            id("18446744073709551615-18446744073709551615"),
            Some(Id::MAX)
        );
        assert_eq!(id("1-1\0rubbish"), Some(Id::new(1, 1)));
        for word in [
            "",
            "-",
            "+",
            "-1",
            "1-",
            "1--1",
            "a-1",
            "1-1x",
            "18446744073709551616-0",
        ] {
            assert_eq!(id(word), None, "{word}");
        }
        assert_eq!(id(&"1".repeat(128)), None);
    }

    #[test]
    fn intervals_may_leave_out_their_ends() {
        assert_eq!(start(b"-"), Ok(Id::MIN));
        assert_eq!(end(b"+"), Ok(Id::MAX));
        assert_eq!(start(b"(1-1"), Ok(Id::new(1, 2)));
        assert_eq!(end(b"(1"), Ok(Id::new(1, u64::MAX - 1)));
        assert_eq!(end(b"1"), Ok(Id::new(1, u64::MAX)));
        assert!(start(b"(18446744073709551615-18446744073709551615").is_err());
        assert!(end(b"(0-0").is_err());
        assert!(start(b"(-").is_err() && start(b"(").is_err());
    }

    #[test]
    fn xadd_may_leave_the_number_open() {
        assert_eq!(wanted(b"5-*"), Ok(Wanted::Within(5)));
        assert_eq!(wanted(b"5-1"), Ok(Wanted::Exactly(Id::new(5, 1))));
        assert!(wanted(b"5-1-*").is_err() && wanted(b"-*").is_err());
    }
}
