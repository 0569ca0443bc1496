//! LPOS: where elements stand.

use super::looked_into;
use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult};
use crate::structures::list::{End, List};
use crate::structures::listpack::Item;

/// LPOS's options.
struct Search {
    from: End,
    /// Matches passed over.
    skip: usize,
    /// How many to give; `None` for the first by itself.
    count: Option<usize>,
    /// Elements looked at.
    most: usize,
}

impl Search {
    fn parse(call: &Call) -> Result<Self, CommandError> {
        let mut search = Self {
            from: End::Head,
            skip: 0,
            count: None,
            most: usize::MAX,
        };
        let mut at = 3;
        while at < call.args.len() {
            if at + 1 >= call.args.len() {
                return Err(CommandError::Syntax);
            }
            if call.args.is(at, "RANK") {
                search.set_rank(call, at + 1)?;
            } else if call.args.is(at, "COUNT") {
                search.count = Some(
                    match not_negative(call, at + 1, "ERR COUNT can't be negative")? {
                        0 => usize::MAX,
                        count => count,
                    },
                );
            } else if call.args.is(at, "MAXLEN") {
                search.most = match not_negative(call, at + 1, "ERR MAXLEN can't be negative")? {
                    0 => usize::MAX,
                    most => most,
                };
            } else {
                return Err(CommandError::Syntax);
            }
            at += 2;
        }
        Ok(search)
    }

    fn set_rank(&mut self, call: &Call, at: usize) -> Result<(), CommandError> {
        let rank = call.integer(at)?;
        if rank == i64::MIN {
            return Err(CommandError::message(format!(
                "ERR value is out of range, value must between {} and {}",
                -i64::MAX,
                i64::MAX
            )));
        }
        self.skip = match usize::try_from(rank.unsigned_abs()) {
            Ok(0) => {
                return Err(CommandError::text(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
                ));
            }
            Ok(rank) => rank - 1,
            Err(_) => usize::MAX,
        };
        self.from = if rank < 0 { End::Tail } else { End::Head };
        Ok(())
    }

    /// The places of the matches.
    fn run<'l>(&self, list: &'l List, wanted: Item<'l>) -> impl Iterator<Item = usize> + 'l {
        let len = list.len();
        let from = self.from;
        let first = match from {
            End::Head => 0,
            End::Tail => len.saturating_sub(1),
        };
        list.iter_from(first, from)
            .take(self.most)
            .enumerate()
            .filter(move |(_, item)| *item == wanted)
            .map(move |(step, _)| match from {
                End::Head => step,
                End::Tail => len - 1 - step,
            })
            .skip(self.skip)
            .take(self.count.unwrap_or(1))
    }
}

fn not_negative(call: &Call, at: usize, error: &'static str) -> Result<usize, CommandError> {
    let number = parse_i64(call.args.at(at)).and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| CommandError::text(error))
}

pub(super) fn lpos(call: &mut Call) -> CommandResult {
    let (key, wanted) = (call.key(0), Item::of(call.args.at(2)));
    let search = Search::parse(call)?;
    call.note_miss(key);
    let list = call.db.read_as::<List>(key)?;
    if search.count.is_some() {
        let places: Vec<usize> = match list {
            Some(list) => search.run(list, wanted).collect(),
            None => Vec::new(),
        };
        call.reply.array(places.len());
        places.into_iter().for_each(|place| call.reply.count(place));
    } else {
        match list.and_then(|list| search.run(list, wanted).next()) {
            Some(place) => call.reply.count(place),
            None => call.reply.null(),
        }
    }
    looked_into(call, key);
    Ok(())
}
