//! What a command changed, gathered for the commit at the end of its scope.

use std::sync::Arc;

use crate::config::KeyEvents;
use crate::journal::write_command;
use crate::tracking::{Changed, Invalid, Prefixes};

/// What is written to the journal for a command that changed something.
#[derive(Debug, Default)]
enum Replay {
    /// The command as sent.
    #[default]
    AsSent,
    /// These bytes, RESP commands already, and how many; none for nothing.
    Instead(Vec<u8>, usize),
}

/// A command's effects.
#[derive(Debug, Default)]
pub struct Effects {
    /// Changes; zero means that nothing needs to be written.
    pub dirty: u64,
    /// Classes of events that somebody wants.
    pub listens: KeyEvents,
    /// Databases and keys that have changed and that somebody waits for; see [`super::blocking`].
    pub ready: Vec<(usize, Box<[u8]>)>,
    /// Keys that have changed while somebody tracks by prefix.
    pub(super) broadcast: Changed,
    /// The client whose messages about its copies wait until its reply has been sent; 0 for nobody.
    pub(super) withheld_from: u64,
    /// These messages.
    pub(super) withheld: Vec<Arc<Invalid>>,
    replay: Replay,
    /// What goes to the journal when the scope ends.
    record: Vec<u8>,
    /// Commands in `record`.
    commands: usize,
    /// The database that `record` began in, and the one that it is in now.
    databases: Option<(usize, usize)>,
}

impl Effects {
    /// Has other commands written to the journal than the one sent: its result depends on chance, clock or waiting. May be
    /// called several times; a call without arguments just keeps the command itself out.
    pub fn replay_as(&mut self, args: &[&[u8]]) {
        if !matches!(self.replay, Replay::Instead(..)) {
            self.replay = Replay::Instead(Vec::new(), 0);
        }
        if let Replay::Instead(bytes, commands) = &mut self.replay
            && !args.is_empty()
        {
            write_command(bytes, args.iter().copied());
            *commands += 1;
        }
    }

    /// Notes that a key has changed that somebody waits for.
    #[cold]
    pub fn note_ready(&mut self, database: usize, key: &[u8]) {
        let is_known = |(last, known): &(usize, Box<[u8]>)| *last == database && **known == *key;
        if !self.ready.last().is_some_and(is_known) {
            self.ready.push((database, key.into()));
        }
    }

    /// Notes that a key has changed, if somebody tracks by a prefix that it may have.
    #[inline]
    pub fn note_broadcast(&mut self, prefixes: &Prefixes, key: &[u8], changer: u64) {
        if self.listens.contains(KeyEvents::BROADCAST) && prefixes.may_concern(key) {
            self.broadcast.add(key, changer);
        }
    }

    /// Whether there is something to broadcast.
    #[inline]
    pub fn has_broadcasts(&self) -> bool {
        !self.broadcast.is_empty()
    }

    /// Ends a command: moves what it did into the scope's record. `sent` writes the command as sent.
    pub(super) fn end_command(&mut self, database: usize, sent: impl FnOnce(&mut Vec<u8>)) {
        match std::mem::take(&mut self.replay) {
            _ if self.dirty == 0 => {}
            Replay::AsSent => self.add(database, sent),
            Replay::Instead(_, 0) => {}
            Replay::Instead(bytes, commands) => {
                self.add(database, |out| out.extend_from_slice(&bytes));
                self.commands += commands - 1;
            }
        }
        self.dirty = 0;
    }

    /// Ends a command that is all of its scope, where its record is the command as sent or nothing: then that need not be kept
    /// until the scope ends. Says whether there is a record, or `None` where it is not so.
    #[inline]
    pub(super) fn end_alone(&mut self) -> Option<bool> {
        let is_all = self.databases.is_none() && matches!(self.replay, Replay::AsSent);
        is_all.then(|| std::mem::take(&mut self.dirty) > 0)
    }

    /// Ends a command when nobody keeps a journal.
    #[inline]
    pub(super) fn forget_command(&mut self) {
        self.dirty = 0;
        if !matches!(self.replay, Replay::AsSent) {
            self.replay = Replay::AsSent;
        }
    }

    /// Adds commands to the scope's record.
    pub fn add(&mut self, database: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let (_, current) = *self.databases.get_or_insert((database, database));
        if current != database {
            self.select(database);
        }
        self.commands += 1;
        write(&mut self.record);
    }

    fn select(&mut self, database: usize) {
        let number = database.to_string();
        write_command(
            &mut self.record,
            [&b"SELECT"[..], number.as_bytes()].into_iter(),
        );
        if let Some((_, current)) = &mut self.databases {
            *current = database;
        }
        self.commands += 1;
    }

    /// Ends the scope: gives the record with its database, wrapped in MULTI and EXEC when it has several commands, and
    /// starts anew.
    pub(super) fn end_scope(&mut self, give: impl FnOnce(usize, bool, &[u8])) {
        let Some((first, current)) = self.databases else {
            return;
        };
        if current != first {
            self.select(first);
        }
        give(first, self.commands > 1, &self.record);
        self.record.clear();
        self.record.shrink_to(64 * 1024);
        self.commands = 0;
        self.databases = None;
    }
}
