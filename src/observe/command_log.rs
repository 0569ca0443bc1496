//! Commands worth remembering: those that took long (SLOWLOG), that came with much, or that were answered with much
//! (COMMANDLOG). The newest entries are kept, so many of each kind.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// The most arguments that an entry keeps; the last one then tells how many more there were.
const MAX_ARGUMENTS: usize = 32;
/// The most bytes of an argument that an entry keeps.
const MAX_ARGUMENT_BYTES: usize = 128;

/// How many of the largest entries are kept besides the newest.
const LARGEST: usize = 32;

/// Why a command is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Reason {
    /// It took long.
    Slow,
    /// Its arguments were large.
    LargeRequest,
    /// Its reply was large.
    LargeReply,
}

/// Who called a command, and when.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// Unix seconds.
    pub time: i64,
    /// The client's address.
    pub address: String,
    /// CLIENT SETNAME.
    pub name: Vec<u8>,
}

/// A remembered command.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number; numbers only grow.
    pub id: u64,
    /// Microseconds, or bytes.
    pub amount: u64,
    /// Its arguments, long ones cut.
    pub args: Vec<Box<[u8]>>,
    /// Who called it.
    pub caller: Caller,
}

#[derive(Debug, Default)]
struct Log {
    next_id: u64,
    /// The newest is at the front.
    entries: VecDeque<Entry>,
    /// The largest amounts, the largest at the front; they stay when newer entries come.
    largest: Vec<Entry>,
}

impl Log {
    fn add(&mut self, entry: Entry, max: usize) {
        let at = (self.largest).partition_point(|other| other.amount >= entry.amount);
        if at < LARGEST {
            self.largest.truncate(LARGEST - 1);
            self.largest.insert(at, entry.clone());
        }
        self.entries.push_front(entry);
        self.shorten(max);
    }

    fn shorten(&mut self, max: usize) {
        self.entries.truncate(max);
        self.largest.truncate(max);
    }
}

/// The logs of all reasons.
#[derive(Debug, Default)]
pub struct CommandLogs([Mutex<Log>; 3]);

impl CommandLogs {
    fn of(&self, reason: Reason) -> &Mutex<Log> {
        &self.0[reason as usize]
    }

    /// Remembers a command, and forgets the oldest beyond `max`. A log that keeps nothing counts nothing either.
    pub fn add<'a>(
        &self,
        reason: Reason,
        amount: u64,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
        caller: Caller,
        max: usize,
    ) {
        if max == 0 {
            return;
        }
        let args = cut(args);
        let log = &mut *self.of(reason).lock();
        let id = log.next_id;
        log.next_id += 1;
        let entry = Entry {
            id,
            amount,
            args,
            caller,
        };
        log.add(entry, max);
    }

    /// Forgets the oldest entries beyond `max`.
    pub fn shorten(&self, reason: Reason, max: usize) {
        self.of(reason).lock().shorten(max);
    }

    /// Forgets everything.
    pub fn reset(&self, reason: Reason) {
        let log = &mut *self.of(reason).lock();
        (log.entries, log.largest) = Default::default();
    }

    /// How many entries there are.
    pub fn len(&self, reason: Reason) -> usize {
        self.of(reason).lock().entries.len()
    }

    /// The newest entries, the newest first.
    pub fn newest(&self, reason: Reason, count: usize) -> Vec<Entry> {
        let log = self.of(reason).lock();
        log.entries.iter().take(count).cloned().collect()
    }

    /// The entries with the largest amounts, the largest first.
    pub fn largest(&self, reason: Reason, count: usize) -> Vec<Entry> {
        let log = self.of(reason).lock();
        log.largest.iter().take(count).cloned().collect()
    }
}

/// What an entry keeps of arguments.
fn cut<'a>(args: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<Box<[u8]>> {
    let count = args.len();
    let kept = match count > MAX_ARGUMENTS {
        true => MAX_ARGUMENTS - 1,
        false => count,
    };
    // Not collected: that may take over the memory of the list that the arguments come from, however long it is.
    let mut cut: Vec<Box<[u8]>> = Vec::with_capacity(kept + 1);
    cut.extend(args.take(kept).map(cut_argument));
    if kept < count {
        let rest = format!("... ({} more arguments)", count - kept);
        cut.push(rest.into_bytes().into());
    }
    cut
}

fn cut_argument(arg: &[u8]) -> Box<[u8]> {
    match arg.split_at_checked(MAX_ARGUMENT_BYTES) {
        Some((kept, rest)) if !rest.is_empty() => {
            let note = format!("... ({} more bytes)", rest.len());
            [kept, note.as_bytes()].concat().into()
        }
        _ => arg.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(entry: &Entry) -> Vec<String> {
        let args = entry.args.iter();
        args.map(|arg| String::from_utf8_lossy(arg).into_owned())
            .collect()
    }

    fn add(logs: &CommandLogs, amount: u64, args: &[&[u8]]) {
        let args = args.iter().copied();
        logs.add(Reason::Slow, amount, args, Caller::default(), 2);
    }

    #[test]
    fn the_newest_are_kept_under_growing_numbers() {
        let logs = CommandLogs::default();
        for amount in 0..3 {
            add(&logs, amount, &[b"ping"]);
        }
        let ids = |logs: &CommandLogs| {
            let entries = logs.newest(Reason::Slow, 10);
            entries.iter().map(|entry| entry.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(&logs), [2, 1]);
        logs.shorten(Reason::Slow, 1);
        assert_eq!(ids(&logs), [2]);
        logs.reset(Reason::Slow);
        add(&logs, 5, &[b"ping"]);
        assert_eq!(ids(&logs), [3]);
        assert_eq!(logs.len(Reason::LargeReply), 0);
    }

    #[test]
    fn the_largest_stay_when_newer_ones_come() {
        let logs = CommandLogs::default();
        for amount in [5, 9, 1, 2, 5] {
            add(&logs, amount, &[b"ping"]);
        }
        let largest = logs.largest(Reason::Slow, 10);
        let largest: Vec<_> = largest.iter().map(|it| (it.id, it.amount)).collect();
        assert_eq!(largest, [(1, 9), (0, 5)]);
        logs.reset(Reason::Slow);
        assert!(logs.largest(Reason::Slow, 10).is_empty());
    }

    #[test]
    fn a_long_list_of_arguments_is_not_kept() {
        let kept = cut(vec![&b"member"[..]; 100_000].into_iter());
        assert_eq!(kept.len(), MAX_ARGUMENTS);
        assert!(kept.capacity() <= 2 * MAX_ARGUMENTS);
    }

    #[test]
    fn arguments_are_cut() {
        let logs = CommandLogs::default();
        let long = [b'A'; 129];
        add(&logs, 1, &[b"set", &long[..128], &long]);
        let entry = logs.newest(Reason::Slow, 1).remove(0);
        let kept = "A".repeat(128);
        assert_eq!(
            texts(&entry),
            ["set", &kept, &format!("{kept}... (1 more bytes)")]
        );
        add(&logs, 1, &[&b"x"[..]; 32]);
        assert_eq!(logs.newest(Reason::Slow, 1)[0].args.len(), 32);
        add(&logs, 1, &[&b"x"[..]; 33]);
        let entry = logs.newest(Reason::Slow, 1).remove(0);
        assert_eq!(texts(&entry)[31], "... (2 more arguments)");
        assert_eq!(entry.args.len(), 32);
    }
}
