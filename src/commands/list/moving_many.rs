//! LMOVEM and BLMOVEM: several elements from one list's end to another's.

use super::{add_to, end_at, limit, popped, pushed};
use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult, Nothing, Wait, Wants};
use crate::structures::list::{End, List};

/// In which order elements arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// As if moved one by one.
    OneByOne,
    /// As they stood.
    Bulk,
}

/// What is to be moved.
#[derive(Debug, Clone, Copy)]
struct Request {
    from: End,
    to: End,
    count: usize,
    /// Whether fewer are not moved at all.
    is_exact: bool,
    order: Order,
}

impl Request {
    /// Reads the ends, and how many elements from the argument `at` on.
    fn parse(call: &Call, at: usize) -> Result<Self, CommandError> {
        let args = call.args;
        let mut request = Self {
            from: end_at(call, 3)?,
            to: end_at(call, 4)?,
            count: 1,
            is_exact: false,
            order: Order::OneByOne,
        };
        if args.len() == at {
            return Ok(request);
        }
        if args.len() != at + 3 {
            return Err(CommandError::Syntax);
        }
        request.is_exact = args.is(at, "EXACTLY");
        if !request.is_exact && !args.is(at, "COUNT") {
            return Err(CommandError::Syntax);
        }
        request.order = match () {
            () if args.is(at + 2, "OBO") => Order::OneByOne,
            () if args.is(at + 2, "BULK") => Order::Bulk,
            () => return Err(CommandError::Syntax),
        };
        let count = parse_i64(args.at(at + 1)).and_then(|count| usize::try_from(count).ok());
        request.count = count
            .filter(|&count| count > 0)
            .ok_or_else(|| CommandError::text("ERR count should be greater than 0"))?;
        Ok(request)
    }

    /// Whether a list of so many elements has enough.
    fn is_met_by(&self, len: usize) -> bool {
        len >= if self.is_exact { self.count } else { 1 }
    }

    /// Brings elements that were popped in this order into the order in which they will stand.
    fn arrange(&self, popped: &mut [Vec<u8>]) {
        let turns = match self.order {
            Order::OneByOne => self.to == End::Head,
            Order::Bulk => self.from == End::Tail,
        };
        if turns {
            popped.reverse();
        }
    }
}

pub(super) fn lmovem(call: &mut Call) -> CommandResult {
    let request = Request::parse(call, 5)?;
    if !transfer(call, &request)? {
        match request.is_exact {
            true => call.reply.null_array(),
            false => call.reply.array(0),
        }
    }
    Ok(())
}

pub(super) fn blmovem(call: &mut Call) -> CommandResult {
    let request = Request::parse(call, 6)?;
    let deadline = call.seconds_from_now(5)?;
    if transfer(call, &request)? {
        // The same without the time.
        let args = call.args;
        let mut words: Vec<&[u8]> = vec![b"LMOVEM"];
        words.extend((1..5).chain(6..args.len()).map(|at| args.at(at)));
        call.replay_as(&words);
        return Ok(());
    }
    call.block(Wait {
        keys: 1,
        nested: Nothing::Array,
        ..Wait::on(Wants::List, deadline)
    });
    Ok(())
}

/// Moves elements from the first key's list to the second's and replies with them. False, and no reply, when there are not
/// enough.
fn transfer(call: &mut Call, request: &Request) -> Result<bool, CommandError> {
    let (source, target) = (call.key(0), call.key(1));
    let (limit, is_one_key) = (limit(call), source.bytes == target.bytes);
    let len = call.db.peek_as::<List>(source)?.map_or(0, List::len);
    if len == 0 {
        return Ok(false);
    }
    call.db.peek_as::<List>(target)?;
    if !request.is_met_by(len) {
        return Ok(false);
    }
    let Some(list) = call.db.change_as::<List>(source)? else {
        return Ok(false);
    };
    let mut moved: Vec<Vec<u8>> = Vec::with_capacity(request.count.min(len));
    while moved.len() < request.count
        && let Some(item) = list.end(request.from)
    {
        moved.push(item.as_bytes(&mut itoa::Buffer::new()).to_vec());
        list.pop(request.from);
    }
    request.arrange(&mut moved);
    let is_empty = list.is_empty();
    if !is_one_key {
        list.shrink(limit);
    }
    let add = |list: &mut List| {
        list.grow(limit, moved.iter().map(Vec::len).sum(), moved.len());
        match request.to {
            End::Tail => (moved.iter()).for_each(|element| list.push(End::Tail, element, limit)),
            End::Head => {
                (moved.iter().rev()).for_each(|element| list.push(End::Head, element, limit));
            }
        }
        list.shrink(limit);
    };
    let is_new = add_to(call, target, add)?;
    pushed(call, target, request.to, 0, is_new);
    let is_gone = is_empty && !is_one_key;
    popped(call, source, request.from, moved.len(), is_gone);
    call.reply.array(moved.len());
    moved.iter().for_each(|element| call.reply.bulk(element));
    Ok(true)
}
