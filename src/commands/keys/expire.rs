//! EXPIRE and its kin: setting, asking for and taking away the time at which a key goes.

use crate::engine::{Call, CommandError, CommandResult, event};
use crate::resp::args::Args;

pub(super) fn expire(call: &mut Call) -> CommandResult {
    let now = call.db.now();
    expire_at(call, now, SECONDS)
}

pub(super) fn expire_ms(call: &mut Call) -> CommandResult {
    let now = call.db.now();
    expire_at(call, now, MILLISECONDS)
}

pub(super) fn expire_at_seconds(call: &mut Call) -> CommandResult {
    expire_at(call, 0, SECONDS)
}

pub(super) fn expire_at_ms(call: &mut Call) -> CommandResult {
    expire_at(call, 0, MILLISECONDS)
}

const SECONDS: i64 = 1000;
const MILLISECONDS: i64 = 1;

/// Sets the expiry to the argument, in units of `unit_ms` after `base_ms`.
fn expire_at(call: &mut Call, base_ms: i64, unit_ms: i64) -> CommandResult {
    let key = call.key(0);
    let conditions = Conditions::parse(call.args)?;
    let time = call.integer(2)?;
    let at = time
        .checked_mul(unit_ms)
        .and_then(|at| at.checked_add(base_ms));
    let at = at.ok_or_else(|| call.invalid_expire())?;
    let known = call.db.meet(key).map(|entry| entry.expires_at());
    if !known.is_some_and(|known| conditions.permit(known, at)) {
        call.reply.integer(0);
        return Ok(());
    }
    call.reply.integer(1);
    if call.db.has_passed(at) {
        if let Some(entry) = call.db.remove(key) {
            call.engine.reclaimer.free(entry);
        }
        call.replay_as(&[b"DEL", key.bytes]);
        call.changed(key, event::generic("del"));
        return Ok(());
    }
    call.db.set_expiry(key, Some(at));
    if base_ms != 0 || unit_ms != MILLISECONDS {
        replay_at(call, at);
    }
    call.changed(key, event::generic("expire"));
    Ok(())
}

/// In the journal every expiry is a moment, with the conditions under which it was set.
fn replay_at(call: &mut Call, at: i64) {
    if call.engine.journal.is_open() {
        let mut number = itoa::Buffer::new();
        let number = number.format(at).as_bytes();
        let mut command: Vec<&[u8]> = vec![b"PEXPIREAT", call.args.at(1), number];
        command.extend(call.args.from(3));
        call.replay_as(&command);
    }
}

/// NX, XX, GT, LT.
#[derive(Default)]
struct Conditions {
    none_before: bool,
    some_before: bool,
    later: bool,
    earlier: bool,
}

impl Conditions {
    fn parse(args: Args<'_>) -> Result<Self, CommandError> {
        let mut conditions = Self::default();
        for at in 3..args.len() {
            let condition = match args.at(at).to_ascii_uppercase().as_slice() {
                b"NX" => &mut conditions.none_before,
                b"XX" => &mut conditions.some_before,
                b"GT" => &mut conditions.later,
                b"LT" => &mut conditions.earlier,
                _ => return Err(unsupported(args.at(at))),
            };
            *condition = true;
        }
        let Self {
            none_before,
            some_before,
            later,
            earlier,
        } = conditions;
        if none_before && (some_before || later || earlier) {
            return Err(CommandError::text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if later && earlier {
            return Err(CommandError::text(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(conditions)
    }

    /// Whether a key's expiry may be set to `at`; a key without one counts as living for ever.
    fn permit(&self, known: Option<i64>, at: i64) -> bool {
        !(self.none_before && known.is_some()
            || self.some_before && known.is_none()
            || self.later && known.is_none_or(|known| at <= known)
            || self.earlier && known.is_some_and(|known| at >= known))
    }
}

fn unsupported(option: &[u8]) -> CommandError {
    CommandError::quoting("ERR Unsupported option ", option, "")
}

pub(super) fn ttl(call: &mut Call) -> CommandResult {
    let now = call.db.now();
    report(call, now, SECONDS)
}

pub(super) fn ttl_ms(call: &mut Call) -> CommandResult {
    let now = call.db.now();
    report(call, now, MILLISECONDS)
}

pub(super) fn expire_time(call: &mut Call) -> CommandResult {
    report(call, 0, SECONDS)
}

pub(super) fn expire_time_ms(call: &mut Call) -> CommandResult {
    report(call, 0, MILLISECONDS)
}

/// Replies with the expiry, in units of `unit_ms` after `base_ms`, rounded to the nearest.
fn report(call: &mut Call, base_ms: i64, unit_ms: i64) -> CommandResult {
    let key = call.key(0);
    let time = match call.look(key).map(|entry| entry.expires_at()) {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => {
            let left = at.saturating_sub(base_ms).max(0) as u64;
            let unit = unit_ms as u64;
            ((left + unit / 2) / unit) as i64
        }
    };
    call.reply.integer(time);
    Ok(())
}

pub(super) fn persist(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let entry = call.db.meet(key);
    let expires = entry.is_some_and(|entry| entry.expires_at().is_some());
    if expires {
        call.db.set_expiry(key, None);
        call.changed(key, event::generic("persist"));
    }
    call.reply.count(usize::from(expires));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(conditions: &[&str], known: Option<i64>, at: i64) -> bool {
        let args = [&["EXPIRE", "key", "1"], conditions].concat();
        let args = crate::resp::args::OwnedArgs::copy(args.iter().map(|arg| arg.as_bytes()));
        Conditions::parse(args.view()).is_ok_and(|conditions| conditions.permit(known, at))
    }

    #[test]
    fn conditions_compare_the_known_expiry_with_the_new_one() {
        for (conditions, known, at, expected) in [
            (&[][..], None, 1, true),
            (&[], Some(5), 1, true),
            (&["nx"], None, 1, true),
            (&["NX"], Some(5), 9, false),
            (&["XX"], None, 1, false),
            (&["XX"], Some(5), 1, true),
            (&["GT"], None, i64::MAX, false),
            (&["GT"], Some(5), 5, false),
            (&["GT"], Some(5), 6, true),
            (&["LT"], None, i64::MAX, true),
            (&["LT"], Some(5), 5, false),
            (&["LT"], Some(5), 4, true),
            (&["XX", "LT"], None, 4, false),
            (&["GT", "LT"], Some(5), 4, false),
            (&["NX", "GT"], None, 4, false),
        ] {
            assert_eq!(
                permits(conditions, known, at),
                expected,
                "{conditions:?} {known:?} {at}"
            );
        }
    }
}
