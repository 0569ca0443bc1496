//! What is written to the journal for commands that read for a group.

use crate::engine::{Effects, Engine};
use crate::structures::stream::{Group, Id, Pending};

/// The group that a command reads for.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub key: &'a [u8],
    pub group: &'a [u8],
}

/// The way to the journal of a command that is never replayed as sent. What it is told must have been counted as a change.
pub(super) struct Journal<'a> {
    effects: &'a mut Effects,
    is_open: bool,
    target: Target<'a>,
}

impl<'a> Journal<'a> {
    /// Keeps the command itself out.
    pub fn new(engine: &Engine, effects: &'a mut Effects, target: Target<'a>) -> Self {
        let is_open = engine.journal.is_open();
        if is_open {
            effects.replay_as(&[]);
        }
        Self {
            effects,
            is_open,
            target,
        }
    }

    fn add(&mut self, words: &[&[u8]]) {
        self.effects.replay_as(words);
    }

    /// Counts a change.
    pub fn count(&mut self) {
        self.effects.dirty += 1;
    }

    /// An entry is pending with a consumer. When it is loaded and there is no such entry any more, it is pending nowhere.
    pub fn claimed(&mut self, group: &Group, id: Id, pending: &Pending) {
        if !self.is_open {
            return;
        }
        let (mut at, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
        let Target { key, group: name } = self.target;
        self.add(&[
            b"XCLAIM",
            key,
            name,
            group.owner_name(pending),
            b"0",
            &id.text(),
            b"TIME",
            at.format(pending.delivered_at).as_bytes(),
            b"RETRYCOUNT",
            count.format(pending.deliveries).as_bytes(),
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            &group.last_id.text(),
        ]);
    }

    /// A group has read on.
    pub fn advanced(&mut self, group: &Group) {
        if !self.is_open {
            return;
        }
        let read = entries_read(group).to_string();
        let Target { key, group: name } = self.target;
        self.add(&[
            b"XGROUP",
            b"SETID",
            key,
            name,
            &group.last_id.text(),
            b"ENTRIESREAD",
            read.as_bytes(),
        ]);
    }

    /// A consumer has been made.
    pub fn created(&mut self, consumer: &[u8]) {
        if !self.is_open {
            return;
        }
        let Target { key, group } = self.target;
        self.add(&[b"XGROUP", b"CREATECONSUMER", key, group, consumer]);
    }
}

/// How many entries a group has read, -1 if that is not known.
pub(super) fn entries_read(group: &Group) -> i64 {
    group.entries_read.map_or(-1, u64::cast_signed)
}
