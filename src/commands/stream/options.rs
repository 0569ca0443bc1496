//! The options of XADD and XTRIM.

use super::idempotent::{Identity, nameless};
use super::ids::{self, Wanted};
use crate::engine::{Call, CommandError};
use crate::structures::stream::{Id, References, Trim, TrimTo};

/// Entries that an approximate trim removes at most, where the size of nodes does not say.
const DEFAULT_LIMIT: usize = 10_000;
const MOST_LIMIT: usize = 1_000_000;
/// Nodes that an approximate trim removes at most.
const NODES: usize = 100;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// What to remove.
    pub trim: Option<Trim>,
    /// The argument that says how much a trim leaves.
    pub trim_at: usize,
    /// What deleting does to groups.
    pub references: References,
    /// Whether a missing key stays missing.
    pub is_only_existing: bool,
    /// XADD: under which name of whose.
    pub identity: Option<Identity>,
    /// XADD: the id.
    pub id: Wanted,
    /// XADD: the argument that is the id.
    pub id_at: usize,
}

/// Options on the way.
struct Parser<'c, 'r, 'k> {
    call: &'c Call<'r, 'k>,
    is_add: bool,
    at: usize,
    trim_to: Option<TrimTo>,
    trim_at: usize,
    is_approximate: bool,
    limit: Option<i64>,
    references: Option<References>,
    is_only_existing: bool,
    identity: Option<Identity>,
}

/// The options of XADD, from the key on to the id, or of XTRIM.
pub(super) fn parse(call: &Call, is_add: bool) -> Result<Options, CommandError> {
    let mut parser = Parser {
        call,
        is_add,
        at: 2,
        trim_to: None,
        trim_at: 0,
        is_approximate: false,
        limit: None,
        references: None,
        is_only_existing: false,
        identity: None,
    };
    let id = parser.until_id()?;
    parser.finish(id.unwrap_or(Wanted::Automatic))
}

impl Parser<'_, '_, '_> {
    /// Takes options until the id is met.
    fn until_id(&mut self) -> Result<Option<Wanted>, CommandError> {
        let args = self.call.args;
        while let Some(word) = args.get(self.at) {
            if self.is_add && word == b"*" {
                return Ok(Some(Wanted::Automatic));
            }
            if !self.option()? {
                if self.is_add {
                    return ids::wanted(word).map(Some);
                }
                return Err(CommandError::Syntax);
            }
            self.at += 1;
        }
        Ok(None)
    }

    /// Takes an option, up to its last word. False if there is none.
    fn option(&mut self) -> Result<bool, CommandError> {
        let (args, at) = (self.call.args, self.at);
        let has_more = at + 1 < args.len();
        if has_more && args.is(at, "MAXLEN") {
            self.begin_trim()?;
            let length = self.call.integer(self.at)?;
            let length = u64::try_from(length)
                .map_err(|_| CommandError::text("ERR The MAXLEN argument must be >= 0."))?;
            self.trim_to = Some(TrimTo::Length(length));
        } else if has_more && args.is(at, "MINID") {
            self.begin_trim()?;
            let id = ids::strict(args.at(self.at), 0)?;
            self.trim_to = Some(TrimTo::Id(id));
        } else if has_more && args.is(at, "LIMIT") {
            self.at += 1;
            let limit = self.call.integer(self.at)?;
            if limit < 0 {
                return Err(CommandError::text("ERR The LIMIT argument must be >= 0."));
            }
            self.limit = Some(limit);
        } else if self.is_add && args.is(at, "NOMKSTREAM") {
            self.is_only_existing = true;
        } else if self.is_add && has_more && (args.is(at, "IDMP") || args.is(at, "IDMPAUTO")) {
            self.identity(args.is(at, "IDMP"))?;
        } else if let Some(references) = references(self.call, at) {
            if self.references.replace(references).is_some() {
                return Err(CommandError::Syntax);
            }
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes the names of the producer and of the entry.
    fn identity(&mut self, is_named: bool) -> Result<(), CommandError> {
        let identity = Identity {
            producer_at: self.at + 1,
            is_named,
        };
        self.at = identity.span().end - 1;
        if self.identity.replace(identity).is_some() || self.at >= self.call.args.len() {
            return Err(CommandError::Syntax);
        }
        let is_empty = |at: usize| self.call.args.at(at).is_empty();
        match (identity.producer_at..=self.at).any(is_empty) {
            true => Err(nameless()),
            false => Ok(()),
        }
    }

    /// Goes to the argument that says how much a trim leaves.
    fn begin_trim(&mut self) -> Result<(), CommandError> {
        if self.trim_to.is_some() {
            return Err(CommandError::text(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        let args = self.call.args;
        self.at += 1;
        if self.at + 1 < args.len() && matches!(args.at(self.at), b"~" | b"=") {
            self.is_approximate = args.at(self.at) == b"~";
            self.at += 1;
        }
        self.trim_at = self.at;
        Ok(())
    }

    fn finish(self, id: Wanted) -> Result<Options, CommandError> {
        if self.trim_to.is_none() && self.limit.is_some_and(|limit| limit > 0) {
            return Err(CommandError::text(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
            ));
        }
        if self.trim_to.is_none() && !self.is_add {
            return Err(CommandError::text(
                "ERR syntax error, XTRIM must be called with a trimming strategy",
            ));
        }
        // Other servers' files have the id that was given in its place.
        let is_loading = self.call.engine.is_loading();
        if self.identity.is_some() && id != Wanted::Automatic && !is_loading {
            return Err(CommandError::text(
                "ERR IDMP/IDMPAUTO can be used only with auto-generated IDs",
            ));
        }
        let limit = self.most_removed()?;
        let trim = self.trim_to.map(|to| Trim {
            to,
            is_approximate: self.is_approximate,
            limit,
        });
        Ok(Options {
            trim,
            trim_at: self.trim_at,
            references: self.references.unwrap_or_default(),
            is_only_existing: self.is_only_existing,
            identity: self.identity,
            id,
            id_at: self.at,
        })
    }

    fn most_removed(&self) -> Result<u64, CommandError> {
        // What a file says has been limited when it was written.
        if self.call.engine.is_loading() {
            return Ok(0);
        }
        match self.limit {
            Some(limit) if self.is_approximate => Ok(limit.unsigned_abs()),
            Some(_) => Err(CommandError::text(
                "ERR syntax error, LIMIT cannot be used without the special ~ option",
            )),
            None if !self.is_approximate => Ok(0),
            None => {
                let limit = self
                    .call
                    .config
                    .stream_node_max_entries
                    .saturating_mul(NODES);
                Ok(match limit {
                    0 => DEFAULT_LIMIT,
                    limit => limit.min(MOST_LIMIT),
                } as u64)
            }
        }
    }
}

/// What the argument says of groups in which a deleted entry is pending.
pub(super) fn references(call: &Call, at: usize) -> Option<References> {
    let words = [
        ("KEEPREF", References::Keep),
        ("DELREF", References::Delete),
        ("ACKED", References::Acknowledged),
    ];
    let mut words = words.into_iter();
    words.find_map(|(word, references)| call.args.is(at, word).then_some(references))
}

/// The id that an entry gets.
pub(super) fn resolve(wanted: Wanted, last: Id, now: i64) -> Result<Id, CommandError> {
    if last == Id::MAX {
        return Err(CommandError::text(
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        ));
    }
    let id = match wanted {
        Wanted::Automatic => match u64::try_from(now) {
            Ok(ms) if ms > last.ms => Some(Id::new(ms, 0)),
            _ => last.next(),
        },
        Wanted::Within(ms) if ms == last.ms => last.seq.checked_add(1).map(|seq| Id::new(ms, seq)),
        Wanted::Within(ms) => Some(Id::new(ms, 0)),
        Wanted::Exactly(id) => Some(id),
    };
    id.filter(|id| *id > last).ok_or_else(|| {
        CommandError::text(
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        )
    })
}
