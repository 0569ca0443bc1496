//! LCS: the longest common subsequence of two strings. Long ones are worked on in between other clients' commands.

use bytes::Bytes;

use super::text_of;
use crate::base::numbers::parse_i64;
use crate::engine::{
    Call, CommandError, CommandResult, Engine, Parked, Progress, Session, Unblock,
};
use crate::keyspace::{Key, ValueRef};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::structures::lcs::{Goal, Lcs, cells};

/// Pairs of bytes that are compared in one go: a millisecond or so.
const PAIRS_AT_ONCE: usize = 1 << 20;
/// Bytes that Redis needs for a pair; its limit is kept though less is needed here.
const BYTES_PER_PAIR: u128 = 4;

/// What the reply shows.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Text,
    Length,
    /// Positions of the runs that are long enough, with or without their lengths.
    Runs {
        least: i64,
        with_lengths: bool,
    },
}

pub(super) fn lcs(call: &mut Call) -> CommandResult {
    let (a, b) = (text_under(call, call.key(0)), text_under(call, call.key(1)));
    let (Some(a), Some(b)) = (a, b) else {
        return Err(CommandError::text(
            "ERR The specified keys must contain string values",
        ));
    };
    let answer = parse(call.args)?;
    check_size(call, &a, &b)?;
    let goal = match answer {
        Answer::Length => Goal::Length,
        Answer::Text | Answer::Runs { .. } => Goal::Runs,
    };
    let mut search = Search {
        lcs: Lcs::new(a, b, goal),
        answer,
    };
    if call.is_nested {
        search.finish(call.reply);
    } else if search.lcs.step(PAIRS_AT_ONCE) {
        search.write(call.reply);
    } else {
        call.park(search);
    }
    Ok(())
}

/// The string under a key, empty where there is none; `None` for another type.
fn text_under(call: &mut Call, key: Key<'_>) -> Option<Bytes> {
    call.note_miss(key);
    let Some(entry) = call.db.read(key) else {
        return Some(Bytes::new());
    };
    match entry.value() {
        ValueRef::Object(object) => object.as_string().cloned(),
        value => {
            let mut buffer = itoa::Buffer::new();
            text_of(value, &mut buffer).ok().map(Bytes::copy_from_slice)
        }
    }
}

fn parse(args: Args<'_>) -> Result<Answer, CommandError> {
    let (mut at, mut length, mut runs) = (3, false, false);
    let (mut least, mut with_lengths) = (0, false);
    while at < args.len() {
        if args.is(at, "IDX") {
            runs = true;
        } else if args.is(at, "LEN") {
            length = true;
        } else if args.is(at, "WITHMATCHLEN") {
            with_lengths = true;
        } else if args.is(at, "MINMATCHLEN") && at + 1 < args.len() {
            at += 1;
            least = parse_i64(args.at(at)).ok_or(CommandError::NotInteger)?;
        } else {
            return Err(CommandError::Syntax);
        }
        at += 1;
    }
    match (length, runs) {
        (true, true) => Err(CommandError::text(
            "ERR If you want both the length and indexes, please just use IDX.",
        )),
        (true, false) => Ok(Answer::Length),
        (false, true) => Ok(Answer::Runs {
            least,
            with_lengths,
        }),
        (false, false) => Ok(Answer::Text),
    }
}

fn check_size(call: &Call, a: &[u8], b: &[u8]) -> CommandResult {
    if a.len().max(b.len()) >= u32::MAX as usize - 1 {
        return Err(CommandError::text("ERR String too long for LCS"));
    }
    if cells(a, b) * BYTES_PER_PAIR > call.config.proto_max_bulk_len as u128 {
        return Err(CommandError::text(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    Ok(())
}

/// A search under way.
struct Search {
    lcs: Lcs,
    answer: Answer,
}

impl Search {
    fn finish(&mut self, reply: &mut Reply) {
        while !self.lcs.step(PAIRS_AT_ONCE) {}
        self.write(reply);
    }

    fn write(&self, reply: &mut Reply) {
        match self.answer {
            Answer::Length => reply.count(self.lcs.len()),
            Answer::Text => reply.bulk(&self.lcs.text()),
            Answer::Runs {
                least,
                with_lengths,
            } => self.write_runs(least, with_lengths, reply),
        }
    }

    fn write_runs(&self, least: i64, with_lengths: bool, reply: &mut Reply) {
        let mut runs = self.lcs.runs();
        runs.retain(|run| run.len as i64 >= least);
        reply.map(2);
        reply.bulk(b"matches");
        reply.array(runs.len());
        for run in runs {
            reply.array(2 + usize::from(with_lengths));
            for start in [run.a, run.b] {
                reply.array(2);
                reply.count(start);
                reply.count(start + run.len - 1);
            }
            if with_lengths {
                reply.count(run.len);
            }
        }
        reply.bulk(b"len");
        reply.count(self.lcs.len());
    }
}

impl Parked for Search {
    fn resume(&mut self, _: &Engine, _: &mut Session, reply: &mut Reply) -> Progress {
        if !self.lcs.step(PAIRS_AT_ONCE) {
            return Progress::Busy;
        }
        self.write(reply);
        Progress::Done
    }

    fn unblock(&mut self, _: &Engine, _: &mut Session, _: Unblock, reply: &mut Reply) {
        self.finish(reply);
    }

    fn is_blocked(&self) -> bool {
        false
    }
}
