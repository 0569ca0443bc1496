//! Sets and hashes as the commands that make them.

use std::borrow::Cow;

use super::Encoder;
use crate::structures::hash::{self, Seen};
use crate::structures::listpack::Item;
use crate::structures::set;

/// Elements in one command.
const BATCH: usize = 64;

/// An element's bytes.
pub(super) fn text(item: Item<'_>) -> Cow<'_, [u8]> {
    match item {
        Item::Int(value) => Cow::Owned(value.to_string().into_bytes()),
        Item::Str(text) => Cow::Borrowed(text),
    }
}

impl Encoder {
    pub(super) fn set(&mut self, key: &[u8], set: set::View<'_>) {
        let mut members = set.iter().map(text).peekable();
        while members.peek().is_some() {
            let batch: Vec<Cow<'_, [u8]>> = members.by_ref().take(BATCH).collect();
            let mut args: Vec<&[u8]> = vec![b"SADD", key];
            args.extend(batch.iter().map(AsRef::as_ref));
            self.command(&args);
        }
    }

    pub(super) fn hash(&mut self, key: &[u8], hash: hash::View<'_>) {
        let mut fields = hash.iter(Seen::ALL).peekable();
        while fields.peek().is_some() {
            let batch: Vec<Cow<'_, [u8]>> = (fields.by_ref().take(BATCH))
                .flat_map(|field| [text(field.name), text(field.value)])
                .collect();
            let mut args: Vec<&[u8]> = vec![b"HSET", key];
            args.extend(batch.iter().map(AsRef::as_ref));
            self.command(&args);
        }
        if hash.has_expiring() {
            self.moments(key, hash);
        }
    }

    /// When fields go.
    fn moments(&mut self, key: &[u8], hash: hash::View<'_>) {
        for field in hash.iter(Seen::ALL) {
            if let Some(at) = field.expires_at {
                let (name, at) = (text(field.name), at.to_string());
                self.command(&[b"HPEXPIREAT", key, at.as_bytes(), b"FIELDS", b"1", &name]);
            }
        }
    }
}
