//! ACL LOG: what was refused to whom. What repeats itself within a minute is one entry that counts.

use std::collections::VecDeque;

use super::selector::Reason;

/// Milliseconds within which equal refusals are one entry.
const GROUPED_FOR: i64 = 60_000;
/// Newest entries among which an equal one is looked for.
const LOOKED_AT: usize = 10;
/// Bytes of a name that an entry keeps.
const MAX_NAME: usize = 4096;

/// Where a call came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// A client.
    TopLevel,
    /// A transaction.
    Multi,
    /// A script.
    Lua,
}

impl Context {
    /// The word in ACL LOG.
    pub fn name(self) -> &'static str {
        match self {
            Self::TopLevel => "toplevel",
            Self::Multi => "multi",
            Self::Lua => "lua",
        }
    }
}

/// Something that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// How often.
    pub count: u64,
    /// What.
    pub reason: Reason,
    /// Where.
    pub context: Context,
    /// The command, key or channel.
    pub object: Vec<u8>,
    /// The user.
    pub user: Vec<u8>,
    /// The client who tried last, as CLIENT INFO describes it.
    pub client: String,
    /// Its number.
    pub id: u64,
    /// When this was refused first, in Unix milliseconds.
    pub created_ms: i64,
    /// When this was refused last.
    pub updated_ms: i64,
}

/// The newest entries.
#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<LogEntry>,
    next_id: u64,
}

impl Log {
    /// Notes something that was refused at a time, and forgets the oldest beyond `max`.
    #[allow(clippy::too_many_arguments)]
    pub fn add(
        &mut self,
        now: i64,
        reason: Reason,
        context: Context,
        object: &[u8],
        user: &[u8],
        client: String,
        max: usize,
    ) {
        let object = &object[..object.len().min(MAX_NAME)];
        let user = &user[..user.len().min(MAX_NAME)];
        let mut newest = self.entries.iter().take(LOOKED_AT);
        let known = newest.position(|entry| {
            (entry.reason, entry.context) == (reason, context)
                && (now - entry.updated_ms).abs() <= GROUPED_FOR
                && entry.object == object
                && entry.user == user
        });
        if let Some(mut entry) = known.and_then(|at| self.entries.remove(at)) {
            (entry.client, entry.updated_ms) = (client, now);
            entry.count += 1;
            return self.entries.push_front(entry);
        }
        self.entries.push_front(LogEntry {
            count: 1,
            reason,
            context,
            object: object.to_vec(),
            user: user.to_vec(),
            client,
            id: self.next_id,
            created_ms: now,
            updated_ms: now,
        });
        self.next_id += 1;
        self.shorten(max);
    }

    /// Forgets the oldest entries beyond `max`.
    fn shorten(&mut self, max: usize) {
        self.entries.truncate(max);
    }

    /// Forgets all entries.
    pub fn reset(&mut self) {
        self.entries = VecDeque::new();
    }

    /// The newest entries, the newest first.
    pub fn newest(&self, count: usize) -> Vec<LogEntry> {
        self.entries.iter().take(count).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(log: &mut Log, now: i64, object: &str) {
        let (reason, context) = (Reason::Key, Context::TopLevel);
        let client = format!("at {now}");
        log.add(now, reason, context, object.as_bytes(), b"ann", client, 3);
    }

    fn counts(log: &Log) -> Vec<(u64, u64)> {
        let newest = log.newest(10);
        newest.iter().map(|entry| (entry.id, entry.count)).collect()
    }

    #[test]
    fn equal_entries_are_counted() {
        let mut log = Log::default();
        for (now, object) in [(0, "a"), (5, "b"), (9, "a"), (60_010, "a"), (60_010, "b")] {
            add(&mut log, now, object);
        }
        assert_eq!(counts(&log), [(3, 1), (2, 1), (0, 2)]);
        let oldest = &log.newest(3)[2];
        assert_eq!((oldest.created_ms, oldest.updated_ms), (0, 9));
        assert_eq!(oldest.client, "at 9");
        log.shorten(1);
        log.reset();
        assert_eq!(counts(&log), []);
        add(&mut log, 0, "c");
        assert_eq!(counts(&log), [(4, 1)]);
    }

    #[test]
    fn long_names_are_cut() {
        let mut log = Log::default();
        add(&mut log, 0, &"x".repeat(100_000));
        assert_eq!(log.newest(1)[0].object.len(), MAX_NAME);
    }
}
