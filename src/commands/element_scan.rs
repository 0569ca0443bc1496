//! What SSCAN, HSCAN and ZSCAN have in common: cursor, options, and the walk over a part of a value.

use super::keys::scan::parse_cursor;
use crate::base::{glob, numbers::parse_i64};
use crate::engine::CommandError;
use crate::resp::args::Args;
use crate::resp::reply::Reply;

/// Elements looked at when nothing is said.
const DEFAULT_COUNT: usize = 10;
/// Steps that find nothing are taken at most so many times as elements are wanted.
const STEPS_PER_ELEMENT: usize = 10;
/// Some clients keep a cursor in a double: it fits 53 bits, which leaves out nothing of a position in a table.
const CURSOR_SHIFT: u32 = 11;

/// A position in a table from a client's cursor, the command's second argument.
pub(super) fn position(args: Args<'_>) -> Result<u64, CommandError> {
    parse_cursor(args.at(2)).map(|cursor| cursor << CURSOR_SHIFT)
}

/// The options.
pub(super) struct ElementScan<'r> {
    count: usize,
    pattern: Option<&'r [u8]>,
    /// Whether the reply has fields or members without what belongs to them.
    pub is_bare: bool,
}

/// The option that leaves out of the reply what belongs to an element.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bare {
    /// NOVALUES, for hashes.
    Values,
    /// NOSCORES, for sorted sets (Valkey).
    Scores,
}

impl Bare {
    fn parse(args: Args<'_>, at: usize) -> Option<Self> {
        match () {
            () if args.is(at, "NOVALUES") => Some(Self::Values),
            () if args.is(at, "NOSCORES") => Some(Self::Scores),
            () => None,
        }
    }

    fn refused(self) -> CommandError {
        CommandError::text(match self {
            Self::Values => "ERR NOVALUES option can only be used in HSCAN",
            Self::Scores => "ERR NOSCORES option can only be used in ZSCAN",
        })
    }
}

/// Fails where an option is one of those that are for elements of certain values only.
pub(super) fn refuse_bare(args: Args<'_>, at: usize) -> Result<(), CommandError> {
    Bare::parse(args, at).map_or(Ok(()), |bare| Err(bare.refused()))
}

impl<'r> ElementScan<'r> {
    /// Reads the options behind the cursor, `permitted` among them.
    pub fn parse(args: Args<'r>, permitted: Option<Bare>) -> Result<Self, CommandError> {
        let mut scan = Self {
            count: DEFAULT_COUNT,
            pattern: None,
            is_bare: false,
        };
        let mut at = 3;
        while at < args.len() {
            if let Some(bare) = Bare::parse(args, at) {
                if Some(bare) != permitted {
                    return Err(bare.refused());
                }
                scan.is_bare = true;
                at += 1;
                continue;
            }
            match args.get(at + 1) {
                Some(value) if args.is(at, "COUNT") => {
                    let count = parse_i64(value).ok_or(CommandError::NotInteger)?;
                    let count = usize::try_from(count).ok().filter(|&count| count > 0);
                    scan.count = count.ok_or(CommandError::Syntax)?;
                }
                // Unlike the glob, a lone `*` describes the empty text, too.
                Some(value) if args.is(at, "MATCH") => {
                    scan.pattern = Some(value).filter(|&pattern| pattern != b"*");
                }
                _ => return Err(CommandError::Syntax),
            }
            at += 2;
        }
        Ok(scan)
    }

    /// How many elements are to be looked at, about.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether an element fits the pattern.
    pub fn wants(&self, element: &[u8]) -> bool {
        self.pattern
            .is_none_or(|pattern| glob::matches(pattern, element))
    }

    /// Takes steps from `position` on until enough elements were looked at. `step` takes one and says where it ended and
    /// how many elements it looked at. Gives the client's next cursor.
    pub fn walk(&self, position: u64, mut step: impl FnMut(u64) -> (Option<u64>, usize)) -> u64 {
        let (mut at, mut seen) = (position, 0);
        for _ in 0..self.count.saturating_mul(STEPS_PER_ELEMENT) {
            let (next, looked_at) = step(at);
            seen += looked_at;
            match next {
                None => return 0,
                Some(next) if seen >= self.count => return next >> CURSOR_SHIFT,
                Some(next) => at = next,
            }
        }
        at >> CURSOR_SHIFT
    }
}

/// The head of the reply; `len` elements follow.
pub(super) fn reply_head(reply: &mut Reply, cursor: u64, len: usize) {
    reply.array(2);
    reply.bulk_integer(cursor as i64);
    reply.array(len);
}
