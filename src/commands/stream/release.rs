//! XNACK: pending entries that nobody has any longer, for whoever claims them next.

use super::{ids, no_key_or_group, note_change};
use crate::engine::{Call, CommandError, CommandResult};
use crate::structures::stream::{Group, Id, Log, NOBODY, Pending, Stream};

/// What becomes of the number of deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The last one does not count.
    Silent,
    /// It stays.
    Fail,
    /// It becomes as great as it can be: the entry itself is at fault.
    Fatal,
}

/// What is asked for.
struct Request {
    mode: Mode,
    ids: Vec<Id>,
    deliveries: Option<i64>,
    /// Whether entries that are not pending become so.
    makes_pending: bool,
}

impl Request {
    fn parse(call: &Call) -> Result<Self, CommandError> {
        let args = call.args;
        let mode = match () {
            () if args.is(3, "SILENT") => Mode::Silent,
            () if args.is(3, "FAIL") => Mode::Fail,
            () if args.is(3, "FATAL") => Mode::Fatal,
            () => return Err(CommandError::Syntax),
        };
        if !args.is(4, "IDS") {
            return Err(CommandError::text("ERR IDS option is required"));
        }
        let count = call.integer(5).ok().filter(|&count| count > 0);
        let count = count
            .ok_or_else(|| CommandError::text("ERR Number of IDs must be a positive integer"))?;
        let count = usize::try_from(count).ok();
        let count = count.filter(|&count| count <= args.len() - 6);
        let count = count.ok_or_else(|| {
            CommandError::text("ERR The `numids` parameter must match the number of arguments")
        })?;
        let ids = args.from(6).take(count).map(|word| ids::strict(word, 0));
        let mut request = Self {
            mode,
            ids: ids.collect::<Result<_, _>>()?,
            deliveries: None,
            makes_pending: false,
        };
        let mut at = 6 + count;
        while at < args.len() {
            if args.is(at, "FORCE") {
                request.makes_pending = true;
            } else if args.is(at, "RETRYCOUNT") && at + 1 < args.len() {
                at += 1;
                let deliveries = call.integer(at)?;
                if deliveries < 0 {
                    return Err(CommandError::NotPositive);
                }
                request.deliveries = Some(deliveries);
            } else {
                return Err(CommandError::Syntax);
            }
            at += 1;
        }
        Ok(request)
    }

    /// How often an entry counts as given, which was so often.
    fn deliveries(&self, old: i64) -> i64 {
        self.deliveries.unwrap_or(match self.mode {
            Mode::Silent => (old - 1).max(0),
            Mode::Fail => old,
            Mode::Fatal => i64::MAX,
        })
    }

    /// Takes an entry from whoever has it. False when it is not pending.
    fn release(&self, log: &Log, group: &mut Group, id: Id) -> bool {
        let old = group.pending().get(id).copied();
        let may_be_made = self.makes_pending && log.get(id).is_some();
        let Some(old) = old.map(|old| old.deliveries).or(may_be_made.then_some(0)) else {
            return false;
        };
        let pending = Pending {
            // As if it had been left alone for ever: claimed before all others.
            delivered_at: 0,
            deliveries: self.deliveries(old),
            consumer: NOBODY,
        };
        group.assign(id, pending);
        true
    }
}

/// XNACK.
pub(super) fn xnack(call: &mut Call) -> CommandResult {
    let (key, name) = (call.key(0), call.args.at(2));
    let request = Request::parse(call)?;
    call.note_miss(key);
    let stream = call.db.change_as::<Stream>(key)?;
    let Some((log, group)) = stream.and_then(|stream| stream.group_mut(name)) else {
        return Err(no_key_or_group(key.bytes, name, ""));
    };
    let released = (request.ids.iter())
        .filter(|id| request.release(log, group, **id))
        .count();
    call.reply.count(released);
    if released > 0 {
        note_change(call, key, None);
        // Whoever waits to claim entries need not wait for these.
        if !call.engine.blocked.is_empty() {
            call.effects.note_ready(call.db.index(), key.bytes);
        }
    }
    Ok(())
}
