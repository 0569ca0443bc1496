//! MULTI's queue, and what EXEC needs of it.

use super::call::KeyRef;
use super::client::flag;
use super::session::{Session, state};
use super::table::Spec;
use super::{Engine, flags};
use crate::keyspace::Key;
use crate::resp::args::{Args, OwnedArgs};

use std::sync::atomic::Ordering::Relaxed;

/// One queued command.
pub struct Queued {
    /// The command's number in the table.
    pub spec: usize,
    /// Its arguments.
    pub args: OwnedArgs,
    /// Its keys.
    pub keys: Vec<KeyRef>,
}

/// The commands between MULTI and EXEC.
#[derive(Default)]
pub struct Transaction {
    /// In the order of arrival.
    pub commands: Vec<Queued>,
    /// Whether a command was refused, so that EXEC must refuse too.
    pub is_aborted: bool,
    /// All flags of all queued commands.
    pub flags: u32,
    /// Whether one of them runs a script.
    pub runs_script: bool,
    bytes: usize,
}

impl Session {
    /// Starts a transaction.
    pub fn begin(&mut self) {
        self.transaction = Some(Box::default());
        self.set(state::MULTI, true);
        self.client.set_flag(flag::MULTI, true);
        self.client.queued.store(0, Relaxed);
    }

    /// Queues a command.
    pub(super) fn queue(&mut self, spec: &Spec, args: Args<'_>, keys: &[KeyRef]) {
        let is_watch_broken = self.is_watch_broken();
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        // What will not run need not be kept.
        if transaction.is_aborted || is_watch_broken {
            return;
        }
        let args = OwnedArgs::copy(args.iter());
        transaction.bytes += args.allocated();
        transaction.flags |= spec.flags;
        transaction.runs_script |= spec.runs_script();
        transaction.commands.push(Queued {
            spec: spec.id,
            args,
            keys: keys.to_vec(),
        });
        self.client
            .queued
            .store(transaction.commands.len() as i64, Relaxed);
        self.client
            .queued_bytes
            .store(transaction.bytes as u64, Relaxed);
    }

    /// Notes that a command inside MULTI was refused.
    pub(super) fn abort_transaction(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.is_aborted = true;
        }
    }

    /// Ends the transaction and gives what was queued.
    pub fn end_transaction(&mut self) -> Option<Box<Transaction>> {
        self.set(state::MULTI, false);
        self.client.set_flag(flag::MULTI, false);
        self.client.queued.store(-1, Relaxed);
        self.client.queued_bytes.store(0, Relaxed);
        self.transaction.take()
    }
}

impl Engine {
    /// Forgets all watched keys of a session. The caller holds no shard's lock and has a passage through the gate.
    pub fn unwatch_all(&self, session: &mut Session) {
        let Some(watch) = session.watch.take() else {
            return;
        };
        for watched in watch.keys.keys() {
            let key = Key::new(&watched.key);
            let mut scope = self.keyspace.lock_one(key.shard());
            scope.unwatch(watched.database, key, &watch.flag);
        }
        session.note_watched();
    }
}

impl Transaction {
    /// Whether the keys of all commands can be told beforehand.
    pub(super) fn needs_everything(&self, engine: &Engine) -> bool {
        use super::table::Locks;
        self.commands.iter().any(|queued| {
            let spec = &engine.commands.all()[queued.spec];
            matches!(spec.locks, Locks::Everything | Locks::Walk) || spec.has(flags::CONTROL)
        })
    }

    /// The hashes of all keys.
    pub(super) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.commands
            .iter()
            .flat_map(|queued| queued.keys.iter().map(|key| key.hash))
    }
}
