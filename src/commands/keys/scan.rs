//! KEYS and SCAN: walks over a database that give way to others between slices.

use crate::base::clock::unix_ms;
use crate::base::{glob, numbers::parse_u64};
use crate::commands::element_scan::refuse_bare;
use crate::engine::{
    Call, CommandError, CommandResult, Engine, Parked, Progress, Session, Unblock,
};
use crate::keyspace::{Cursor, Key, Scope};
use crate::resp::reply::Reply;

/// Keys looked at before others get their turn.
const SLICE: usize = 1000;
/// Bytes of keys that are gathered in one piece: one that held them all would be copied each time that it must grow, and
/// keep everybody waiting.
const PIECE: usize = 64 * 1024;
/// Keys that SCAN looks at when nothing is said.
const DEFAULT_COUNT: usize = 10;

pub(super) fn keys(call: &mut Call) -> CommandResult {
    let pattern = call.args.at(1);
    if !glob::is_pattern(pattern) && !pattern.contains(&b'\\') {
        return one_key(call, Key::new(pattern));
    }
    let walk = Walk {
        count: usize::MAX,
        filter: Filter::new(Some(pattern), None),
        ..Walk::over(call.db.index(), Shape::Keys)
    };
    begin(call, walk)
}

/// A pattern that describes only itself.
fn one_key(call: &mut Call, key: Key<'_>) -> CommandResult {
    let (database, now) = (call.db.index(), call.db.now());
    let is_there = call.db.scope().holds(database, key, now);
    call.reply.array(usize::from(is_there));
    if is_there {
        call.reply.bulk(key.bytes);
    }
    Ok(())
}

pub(super) fn scan(call: &mut Call) -> CommandResult {
    let cursor = parse_cursor(call.args.at(1))?;
    let options = Options::parse(call)?;
    let walk = Walk {
        cursor: Some(Cursor::from_number(cursor)),
        count: options.count,
        filter: Filter::new(options.pattern, options.kind),
        ..Walk::over(call.db.index(), Shape::Scan)
    };
    begin(call, walk)
}

struct Options<'r> {
    count: usize,
    pattern: Option<&'r [u8]>,
    kind: Option<&'r [u8]>,
}

impl<'r> Options<'r> {
    fn parse(call: &Call<'r, '_>) -> Result<Self, CommandError> {
        let mut options = Self {
            count: DEFAULT_COUNT,
            pattern: None,
            kind: None,
        };
        for at in (2..call.args.len()).step_by(2) {
            refuse_bare(call.args, at)?;
            let value = call.args.get(at + 1).ok_or(CommandError::Syntax)?;
            if call.args.is(at, "COUNT") {
                let count = call.integer(at + 1)?;
                let count = usize::try_from(count).ok().filter(|&count| count > 0);
                options.count = count.ok_or(CommandError::Syntax)?;
            } else if call.args.is(at, "MATCH") {
                options.pattern = Some(value);
            } else if call.args.is(at, "TYPE") {
                options.kind = Some(value);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

/// A cursor as Redis reads it, with C's `strtoul`: a sign is allowed, an empty text is 0.
pub(in crate::commands) fn parse_cursor(text: &[u8]) -> Result<u64, CommandError> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Ok(0);
    }
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    let number = match &digits[zeros..] {
        [] if zeros > 0 => Some(0),
        significant => parse_u64(significant),
    };
    let number = number.ok_or(CommandError::InvalidCursor)?;
    Ok(if is_negative {
        number.wrapping_neg()
    } else {
        number
    })
}

/// Which keys are wanted.
struct Filter {
    pattern: Option<Box<[u8]>>,
    kind: Option<Box<[u8]>>,
}

impl Filter {
    fn new(pattern: Option<&[u8]>, kind: Option<&[u8]>) -> Self {
        Self {
            // Unlike the glob, a lone `*` describes the empty key, too.
            pattern: pattern.filter(|&pattern| pattern != b"*").map(Box::from),
            kind: kind.map(Box::from),
        }
    }

    fn wants(&self, key: &[u8], type_name: impl FnOnce() -> &'static str) -> bool {
        let is_kind = |kind: &[u8]| kind.eq_ignore_ascii_case(type_name().as_bytes());
        self.pattern
            .as_ref()
            .is_none_or(|pattern| glob::matches(pattern, key))
            && self.kind.as_ref().is_none_or(|kind| is_kind(kind))
    }
}

/// What the reply looks like.
#[derive(Clone, Copy)]
enum Shape {
    Keys,
    Scan,
}

/// A walk over a database under way. Keys that are there from its beginning to its end are found, whatever others do
/// meanwhile.
struct Walk {
    database: usize,
    /// Where it goes on; `None` behind the last key.
    cursor: Option<Cursor>,
    /// Keys still to be looked at.
    count: usize,
    filter: Filter,
    shape: Shape,
    found: usize,
    /// The keys found last, and all those before them.
    keys: Reply,
    earlier: Reply,
}

impl Walk {
    fn over(database: usize, shape: Shape) -> Self {
        Self {
            database,
            cursor: Some(Cursor::START),
            count: DEFAULT_COUNT,
            filter: Filter::new(None, None),
            shape,
            found: 0,
            keys: Reply::new(),
            earlier: Reply::new(),
        }
    }

    /// Goes on for about `limit` keys; true at the end.
    fn advance(&mut self, scope: &mut Scope<'_>, now: i64, limit: usize) -> bool {
        let Some(cursor) = self.cursor else {
            return true;
        };
        let count = self.count.min(limit);
        let Self {
            filter,
            found,
            keys,
            ..
        } = self;
        self.cursor = scope.scan(self.database, cursor, count, now, |entry| {
            if filter.wants(entry.key(), || entry.type_name()) {
                *found += 1;
                keys.bulk(entry.key());
            }
        });
        if self.keys.len() >= PIECE {
            self.earlier.append(&mut self.keys);
        }
        self.count -= count;
        self.cursor.is_none() || self.count == 0
    }

    fn report(&mut self, reply: &mut Reply) {
        if let Shape::Scan = self.shape {
            reply.array(2);
            let cursor = self.cursor.map_or(0, Cursor::number);
            // A cursor fits 53 bits.
            reply.bulk_integer(cursor as i64);
        }
        reply.array(self.found);
        if self.earlier.is_empty() {
            return reply.raw(self.keys.plain().unwrap_or_default());
        }
        reply.append(&mut self.earlier);
        reply.append(&mut self.keys);
    }
}

/// Walks the first slice, or all of it where nobody may come in between.
fn begin(call: &mut Call, mut walk: Walk) -> CommandResult {
    let now = call.db.now();
    let limit = if call.is_nested { usize::MAX } else { SLICE };
    if walk.advance(call.db.scope(), now, limit) {
        walk.report(call.reply);
    } else {
        call.park(walk);
    }
    Ok(())
}

impl Parked for Walk {
    fn resume(&mut self, engine: &Engine, _: &mut Session, reply: &mut Reply) -> Progress {
        if !self.advance(&mut engine.keyspace.nothing(), unix_ms(), SLICE) {
            return Progress::Busy;
        }
        self.report(reply);
        Progress::Done
    }

    fn unblock(&mut self, _: &Engine, _: &mut Session, _: Unblock, reply: &mut Reply) {
        self.report(reply);
    }

    fn is_blocked(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_c_reads_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("", Some(0)),
            ("+7", Some(7)),
            ("007", Some(7)),
            ("000", Some(0)),
            ("-1", Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-", None),
            ("+-1", None),
            (" 1", None),
            ("1 ", None),
            ("0x10", None),
            ("1.0", None),
            ("5\0x", Some(5)),
        ] {
            assert_eq!(parse_cursor(text.as_bytes()).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_filter_wants_what_fits_pattern_and_type() {
        let wants = |pattern: Option<&str>, kind: Option<&str>, key: &str| {
            let filter = Filter::new(pattern.map(str::as_bytes), kind.map(str::as_bytes));
            filter.wants(key.as_bytes(), || "string")
        };
        assert!(wants(None, None, "a") && wants(Some("*"), Some("STRING"), ""));
        assert!(wants(Some("a?"), None, "ab") && !wants(Some("a?"), None, "abc"));
        assert!(!wants(None, Some("nothing"), "a") && !wants(Some("b"), Some("string"), "a"));
    }
}
