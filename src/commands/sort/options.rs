//! What SORT is told.

use std::ops::Range;

use super::pattern::Pattern;
use crate::engine::{Call, CommandError};
use crate::resp::args::Args;

/// LIMIT.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    start: i64,
    count: i64,
}

impl Limit {
    /// The part that is meant of so many elements.
    pub fn within(self, len: usize) -> Range<usize> {
        let start = usize::try_from(self.start.max(0)).map_or(len, |start| start.min(len));
        let end = match usize::try_from(self.count) {
            Ok(count) => start.saturating_add(count).min(len),
            Err(_) => len,
        };
        start..end
    }
}

/// Whether STORE may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Allowed,
    Refused,
}

/// SORT's options.
pub(super) struct Options<'r> {
    /// BY, unless it leads nowhere.
    pub by: Option<Pattern<'r>>,
    /// BY without a `*`: elements stay as they are.
    pub keeps_order: bool,
    pub limit: Limit,
    pub gets: Vec<Pattern<'r>>,
    pub is_descending: bool,
    pub is_alpha: bool,
    pub store: Option<&'r [u8]>,
}

impl<'r> Options<'r> {
    pub fn parse(call: &Call<'r, '_>, store: Store) -> Result<Self, CommandError> {
        let args = call.args;
        let mut options = Self {
            by: None,
            keeps_order: false,
            limit: Limit {
                start: 0,
                count: -1,
            },
            gets: Vec::new(),
            is_descending: false,
            is_alpha: false,
            store: None,
        };
        let mut at = 2;
        while at < args.len() {
            let left = args.len() - at - 1;
            at += if args.is(at, "ASC") {
                options.is_descending = false;
                1
            } else if args.is(at, "DESC") {
                options.is_descending = true;
                1
            } else if args.is(at, "ALPHA") {
                options.is_alpha = true;
                1
            } else if args.is(at, "LIMIT") && left >= 2 {
                options.limit = Limit {
                    start: call.integer(at + 1)?,
                    count: call.integer(at + 2)?,
                };
                3
            } else if args.is(at, "STORE") && store == Store::Allowed && left >= 1 {
                options.store = Some(args.at(at + 1));
                2
            } else if args.is(at, "BY") && left >= 1 {
                options.set_by(call, args.at(at + 1))?;
                2
            } else if args.is(at, "GET") && left >= 1 {
                options.add_get(call, args.at(at + 1))?;
                2
            } else {
                return Err(CommandError::Syntax);
            };
        }
        Ok(options)
    }

    fn set_by(&mut self, call: &Call<'r, '_>, pattern: &'r [u8]) -> Result<(), CommandError> {
        if !pattern.contains(&b'*') {
            self.keeps_order = true;
            return Ok(());
        }
        // Which keys it leads to is known too late to look at each.
        if !call.may_read_all() {
            return Err(CommandError::text(
                "ERR BY option of SORT denied due to insufficient ACL permissions.",
            ));
        }
        self.by = Some(Pattern::new(pattern));
        Ok(())
    }

    fn add_get(&mut self, call: &Call<'r, '_>, pattern: &'r [u8]) -> Result<(), CommandError> {
        if !call.may_read_all() {
            return Err(CommandError::text(
                "ERR GET option of SORT denied due to insufficient ACL permissions.",
            ));
        }
        self.gets.push(Pattern::new(pattern));
        Ok(())
    }
}

/// The keys of a call that looks at no others: BY has no `*`, and GET is nothing but `#`. Words are read as they are by
/// [`Options::parse`]; where that refuses them, what is shown here does not matter.
pub(super) fn known_keys(args: Args<'_>, show: &mut dyn FnMut(usize)) -> bool {
    if args.len() < 2 {
        return true;
    }
    show(1);
    let (mut at, mut are_known) = (2, true);
    let mut target = None;
    while at < args.len() {
        let word = args.get(at + 1);
        at += if args.is(at, "LIMIT") {
            3
        } else if args.is(at, "STORE") {
            target = word.map(|_| at + 1);
            2
        } else if args.is(at, "BY") {
            are_known &= word.is_none_or(|pattern| !pattern.contains(&b'*'));
            2
        } else if args.is(at, "GET") {
            are_known &= word.is_none_or(|pattern| pattern == b"#");
            2
        } else {
            1
        };
    }
    if let Some(target) = target {
        show(target);
    }
    are_known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args::OwnedArgs;

    #[test]
    fn parts_are_never_beyond_the_end() {
        for (start, count, expected) in [
            (0, -1, 0..5),
            (2, 2, 2..4),
            (-3, 2, 0..2),
            (9, 1, 5..5),
            (4, i64::MAX, 4..5),
            (0, 0, 0..0),
            (i64::MIN, i64::MIN, 0..5),
        ] {
            assert_eq!(
                Limit { start, count }.within(5),
                expected,
                "{start} {count}"
            );
        }
    }

    #[test]
    fn keys_are_known_unless_patterns_lead_elsewhere() {
        for (line, known, keys) in [
            ("SORT k", true, vec![1]),
            ("SORT k BY nosort GET # STORE t", true, vec![1, 7]),
            ("SORT k by w_*", false, vec![1]),
            ("SORT k GET o_*", false, vec![1]),
            ("SORT k STORE a STORE b", true, vec![1, 5]),
            ("SORT k STORE", true, vec![1]),
            ("SORT k LIMIT GET x*", true, vec![1]),
        ] {
            let args = OwnedArgs::copy(line.split(' ').map(str::as_bytes));
            let mut shown = Vec::new();
            let is_known = known_keys(args.view(), &mut |at| shown.push(at));
            assert_eq!((is_known, shown), (known, keys), "{line}");
        }
    }
}
