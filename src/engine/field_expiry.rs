//! Fields of hashes whose time has passed: taken out, told to journal and listeners, the key with its last field.

use super::{Effects, Engine, event};
use crate::journal::write_command;
use crate::keyspace::{Db, Key, Touched};
use crate::structures::hash::Hash;

impl Engine {
    /// Takes fields of the hash under a key that have passed out of it, looking at about `limit`.
    #[cold]
    pub fn expire_fields(
        &self,
        lane: usize,
        db: &mut Db<'_, '_>,
        effects: &mut Effects,
        key: Key<'_>,
        limit: usize,
    ) {
        let now = db.now();
        let is_due = db.peek_as::<Hash>(key).ok().flatten();
        if is_due.is_none_or(|hash| !hash.has_due(now)) {
            return;
        }
        let Ok(Some(mut hash)) = db.amend_as::<Hash>(key) else {
            return;
        };
        let (names, is_empty) = (hash.take_due(now, limit), hash.is_empty());
        drop(hash);
        db.arm_parts(key);
        if names.is_empty() {
            return;
        }
        self.tell_expired(lane, db.notes(), effects);
        self.stats.lanes[lane]
            .expired_fields
            .add(names.len() as u64);
        if self.journal.is_open() {
            let names = names.iter().map(|name| &**name);
            let command: Vec<&[u8]> = [&b"HDEL"[..], key.bytes].into_iter().chain(names).collect();
            effects.add(db.index(), |out| write_command(out, command.into_iter()));
        }
        let touched = db.touch(key);
        if touched != Touched::NOBODY {
            self.tell_touched(db, effects, key, touched, 0);
        }
        effects.note_broadcast(&self.tracking.prefixes, key.bytes, 0);
        let emptied = if is_empty { db.remove(key) } else { None };
        if effects.listens.contains(event::FIELDS_EXPIRED.class) {
            self.notify(db.index(), key.bytes, event::FIELDS_EXPIRED);
        }
        if let Some(entry) = emptied {
            self.reclaimer.free(entry);
            let del = event::generic("del");
            if effects.listens.contains(del.class) {
                self.notify(db.index(), key.bytes, del);
            }
        }
    }
}
