//! Lists of fields that a connection has named, so that HIMPORT need not be told them for each hash.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use super::session::Session;

/// The fields of hashes to come.
type Fields = Box<[Box<[u8]>]>;

/// Lists of fields by their names.
#[derive(Debug, Default)]
pub struct Fieldsets {
    by_name: BTreeMap<Box<[u8]>, Fields>,
    bytes: u64,
}

/// What a list or a field takes besides its bytes.
const OVERHEAD: u64 = 24;

fn size(name: &[u8], fields: &Fields) -> u64 {
    let texts = fields.iter().map(|field| field.len() as u64 + OVERHEAD);
    name.len() as u64 + 2 * OVERHEAD + texts.sum::<u64>()
}

impl Fieldsets {
    /// The fields of that name, in their order.
    pub fn get(&self, name: &[u8]) -> Option<&[Box<[u8]>]> {
        self.by_name.get(name).map(|fields| &**fields)
    }

    /// Names fields; those that had the name before lose it.
    pub fn prepare<'a>(&mut self, name: &[u8], fields: impl Iterator<Item = &'a [u8]>) {
        self.discard(name);
        let fields: Fields = fields.map(Box::from).collect();
        self.bytes += size(name, &fields);
        self.by_name.insert(name.into(), fields);
    }

    /// Forgets what has that name; false when nothing has.
    pub fn discard(&mut self, name: &[u8]) -> bool {
        let removed = self.by_name.remove(name);
        self.bytes -= removed.as_ref().map_or(0, |fields| size(name, fields));
        removed.is_some()
    }

    /// Forgets everything; gives how much there was.
    pub fn discard_all(&mut self) -> usize {
        let count = self.by_name.len();
        *self = Self::default();
        count
    }
}

impl Fieldsets {
    /// Whether no list is there.
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

impl Session {
    /// Lets others see what the fields that were named take.
    pub fn note_fieldsets(&self) {
        let bytes = self.fieldsets.bytes;
        self.client.fieldset_bytes.store(bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_and_given_back() {
        let mut sets = Fieldsets::default();
        let fields = [&b"a"[..], b"bc"];
        sets.prepare(b"x", fields.into_iter());
        let once = sets.bytes;
        sets.prepare(b"x", fields.into_iter());
        assert_eq!(sets.bytes, once);
        assert_eq!(sets.get(b"x").map(<[_]>::len), Some(2));
        sets.prepare(b"", fields.into_iter());
        assert!(sets.discard(b"x") && !sets.discard(b"x") && sets.get(b"x").is_none());
        assert_eq!((sets.discard_all(), sets.bytes), (1, 0));
    }
}
