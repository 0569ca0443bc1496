//! INCREX: a counter with bounds and a lifetime.

use std::cmp::Ordering;

use super::increment::{float_under, integer_under};
use super::lifetime::Lifetime;
use super::{delete, replay};
use crate::base::extended::Extended;
use crate::base::numbers::parse_i64;
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::keyspace::{Expiry, Key, Value};

/// What is asked for. Numbers are text until it is known which kind they are of.
struct Request<'r> {
    /// Whether floats are added, and by how much.
    increment: Option<(bool, &'r [u8])>,
    lowest: Option<&'r [u8]>,
    highest: Option<&'r [u8]>,
    /// Whether a sum out of bounds becomes the bound.
    saturates: bool,
    lifetime: Lifetime<'r>,
    /// Whether a key that expires already is left to do so.
    only_without_expiry: bool,
}

impl<'r> Request<'r> {
    fn parse(call: &Call<'r, '_>) -> Result<Self, CommandError> {
        let args = call.args;
        let mut request = Self {
            increment: None,
            lowest: None,
            highest: None,
            saturates: false,
            lifetime: Lifetime::Unsaid,
            only_without_expiry: false,
        };
        let mut at = 2;
        while at < args.len() {
            let number = args.get(at + 1);
            let is_float = args.is(at, "BYFLOAT");
            at += if let Some(number) = number
                && (is_float || args.is(at, "BYINT"))
                && request.increment.is_none()
            {
                request.increment = Some((is_float, number));
                2
            } else if args.is(at, "LBOUND") && number.is_some() && request.lowest.is_none() {
                request.lowest = number;
                2
            } else if args.is(at, "UBOUND") && number.is_some() && request.highest.is_none() {
                request.highest = number;
                2
            } else if args.is(at, "SATURATE") {
                request.saturates = true;
                1
            } else if args.is(at, "ENX") {
                request.only_without_expiry = true;
                1
            } else {
                let taken = request.lifetime.take(args, at, "PERSIST");
                taken.ok_or(CommandError::Syntax)?
            };
        }
        if request.only_without_expiry && !matches!(request.lifetime, Lifetime::Until(..)) {
            return Err(CommandError::Syntax);
        }
        Ok(request)
    }

    /// What the write does to the expiry that the key may have.
    fn expiry(&self, call: &mut Call, key: Key<'_>) -> Result<Expiry, CommandError> {
        let expires_at = self.lifetime.resolve(call)?;
        let expires_already = self.only_without_expiry
            && call
                .db
                .peek(key)
                .is_some_and(|entry| entry.expires_at().is_some());
        Ok(match (expires_at, self.lifetime) {
            (Some(at), _) if !expires_already => Expiry::At(at),
            (None, Lifetime::Plain) => Expiry::Clear,
            _ => Expiry::Keep,
        })
    }
}

fn wrong_bounds() -> CommandError {
    CommandError::text("ERR LBOUND can't be greater than UBOUND")
}

pub(super) fn increx(call: &mut Call) -> CommandResult {
    let request = Request::parse(call)?;
    match request.increment {
        Some((true, increment)) => add_float(call, &request, increment),
        Some((false, increment)) => {
            let increment = parse_i64(increment).ok_or(CommandError::NotInteger)?;
            add_integer(call, &request, increment)
        }
        None => add_integer(call, &request, 1),
    }
}

fn add_integer(call: &mut Call, request: &Request<'_>, increment: i64) -> CommandResult {
    let key = call.key(0);
    let bound = |text: Option<&[u8]>, otherwise: i64| match text {
        Some(text) => parse_i64(text).ok_or(CommandError::NotInteger),
        None => Ok(otherwise),
    };
    let lowest = bound(request.lowest, i64::MIN)?;
    let highest = bound(request.highest, i64::MAX)?;
    if lowest > highest {
        return Err(wrong_bounds());
    }
    let expiry = request.expiry(call, key)?;
    let value = integer_under(call, key)?.unwrap_or(0);
    let sum = i128::from(value) + i128::from(increment);
    let bounded = sum.clamp(lowest.into(), highest.into());
    let mut applied = 0;
    let mut new = value;
    if sum == bounded || request.saturates {
        let difference = bounded - i128::from(value);
        applied = i64::try_from(difference).map_err(|_| CommandError::Overflow)?;
        new = value.saturating_add(applied);
        let text = itoa::Buffer::new().format(new).to_owned();
        store(
            call,
            key,
            Value::Int(new),
            text.as_bytes(),
            expiry,
            "incrby",
        );
    }
    call.reply.array(2);
    call.reply.integer(new);
    call.reply.integer(applied);
    Ok(())
}

fn add_float(call: &mut Call, request: &Request<'_>, increment: &[u8]) -> CommandResult {
    let key = call.key(0);
    let number = |text: &[u8]| Extended::parse(text).ok_or(CommandError::NotFloat);
    let lowest = request.lowest.map(number).transpose()?;
    let highest = request.highest.map(number).transpose()?;
    if let (Some(lowest), Some(highest)) = (lowest, highest)
        && lowest.compare(highest) == Ordering::Greater
    {
        return Err(wrong_bounds());
    }
    let increment = number(increment)?;
    let expiry = request.expiry(call, key)?;
    let value = float_under(call, key)?.unwrap_or(Extended::ZERO);
    if value.is_infinite() || increment.is_infinite() {
        return Err(CommandError::NotFinite);
    }
    let sum = value.plus(increment);
    let is_beyond = |bound: Option<Extended>, side: Ordering| match sum {
        Some(sum) => bound.is_some_and(|bound| sum.compare(bound) == side),
        // It is infinite, on the side that was added to.
        None => increment.compare(Extended::ZERO) == side,
    };
    let bound = if is_beyond(lowest, Ordering::Less) {
        Some(lowest)
    } else if is_beyond(highest, Ordering::Greater) {
        Some(highest)
    } else {
        None
    };
    let new = match bound {
        None => sum.ok_or(CommandError::NotFinite)?,
        Some(bound) if request.saturates => bound
            .filter(|bound| !bound.is_infinite())
            .ok_or(CommandError::NotFinite)?,
        Some(_) => {
            reply_floats(call, value, Extended::ZERO);
            return Ok(());
        }
    };
    let applied = new.plus(value.negated()).ok_or(CommandError::NotFinite)?;
    let text = text_of(new);
    store(call, key, Value::Str(&text), &text, expiry, "incrbyfloat");
    reply_floats(call, new, applied);
    Ok(())
}

fn text_of(number: Extended) -> Vec<u8> {
    let mut text = Vec::with_capacity(40);
    number.print(&mut text);
    text
}

fn reply_floats(call: &mut Call, value: Extended, applied: Extended) {
    call.reply.array(2);
    for number in [value, applied] {
        let text = text_of(number);
        let float = std::str::from_utf8(&text).ok().map(str::parse);
        match float {
            Some(Ok(float)) if call.reply.is_resp3() => call.reply.double(float),
            _ => call.reply.bulk(&text),
        }
    }
}

/// Stores the sum. It is replayed as what it came to: digits and times may not depend on who calculates, and when.
fn store(
    call: &mut Call,
    key: Key<'_>,
    value: Value<'_>,
    text: &[u8],
    expiry: Expiry,
    name: &'static str,
) {
    let persists = expiry == Expiry::Clear
        && call
            .db
            .peek(key)
            .is_some_and(|entry| entry.expires_at().is_some());
    if call.db.set(key, value, expiry) {
        call.created(key);
    }
    call.changed(key, event::string(name));
    match expiry {
        Expiry::At(at) if call.db.has_passed(at) => {
            delete(call, key);
        }
        Expiry::At(at) => {
            let mut buffer = itoa::Buffer::new();
            let at = buffer.format(at).as_bytes();
            replay(call, &[b"SET", key.bytes, text, b"PXAT", at]);
            call.tell_listeners(key, event::generic("expire"));
        }
        Expiry::Keep => replay(call, &[b"SET", key.bytes, text, b"KEEPTTL"]),
        Expiry::Clear => {
            replay(call, &[b"SET", key.bytes, text]);
            if persists {
                call.tell_listeners(key, event::generic("persist"));
            }
        }
    }
}
