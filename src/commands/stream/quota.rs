//! How much one call of XREAD or XREADGROUP gives, of each stream and of all together.

use crate::base::numbers::parse_i64;
use crate::engine::CommandError;
use crate::structures::listpack::Item;
use crate::structures::stream::Entry;

/// What COUNT, MAXCOUNT and MAXSIZE ask for; 0 where they do not.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Asked {
    /// Entries of a stream.
    pub count: u64,
    /// Entries of all streams.
    pub max_count: u64,
    /// Bytes of all entries as they are sent.
    pub max_size: usize,
}

impl Asked {
    /// MAXCOUNT and COUNT may stand in any order, so they are compared when both are known.
    pub fn check(&self) -> Result<(), CommandError> {
        if self.max_count > 0 && self.max_count < self.count {
            let line = "ERR MAXCOUNT must be greater than or equal to COUNT";
            return Err(CommandError::text(line));
        }
        Ok(())
    }
}

/// The argument of MAXCOUNT or MAXSIZE.
pub(super) fn limit(word: &[u8], option: &str) -> Result<u64, CommandError> {
    let limit = parse_i64(word).ok_or(CommandError::NotInteger)?;
    let limit = u64::try_from(limit).ok().filter(|limit| *limit > 0);
    limit.ok_or_else(|| CommandError::message(format!("ERR {option} must be a positive integer")))
}

/// What may still be given.
#[derive(Debug)]
pub(super) struct Quota {
    asked: Asked,
    given: u64,
    bytes: usize,
}

impl Quota {
    pub fn new(asked: Asked) -> Self {
        Self {
            asked,
            given: 0,
            bytes: 0,
        }
    }

    /// Whether nothing more may be given of any stream.
    pub fn is_used_up(&self) -> bool {
        let Asked { max_count, .. } = self.asked;
        max_count > 0 && self.given >= max_count
    }

    /// The most entries that the next stream may give; 0 for all.
    pub fn of_stream(&self) -> u64 {
        let Asked {
            count, max_count, ..
        } = self.asked;
        match max_count {
            0 => count,
            _ if count == 0 => max_count - self.given,
            _ => count.min(max_count - self.given),
        }
    }

    /// Whether an entry may be given. The first one always may, however large.
    pub fn allows(&self, entry: &Entry<'_>) -> bool {
        let most = self.asked.max_size;
        most == 0 || self.given == 0 || self.bytes.saturating_add(size(entry)) <= most
    }

    /// Whether a stream may give something that begins with this entry. Most calls have no need to look at it.
    pub fn allows_first<'e>(&self, first: impl FnOnce() -> Option<Entry<'e>>) -> bool {
        self.asked.max_size == 0
            || self.given == 0
            || first().is_none_or(|entry| self.allows(&entry))
    }

    /// Counts an entry, if it may be given.
    pub fn takes(&mut self, entry: &Entry<'_>) -> bool {
        let allows = self.allows(entry);
        if allows {
            self.given += 1;
            self.bytes = match self.asked.max_size {
                0 => 0,
                _ => self.bytes.saturating_add(size(entry)),
            };
        }
        allows
    }
}

/// Bytes of an entry in a reply, as an array of its id and of fields and values.
fn size(entry: &Entry<'_>) -> usize {
    let items = entry.pairs().flat_map(|(field, value)| [field, value]);
    let texts: usize = items.map(|item| bulk(length(item))).sum();
    head(2) + bulk(entry.id.text().len()) + head(2 * entry.len()) + texts
}

fn length(item: Item<'_>) -> usize {
    match item {
        Item::Int(number) => itoa::Buffer::new().format(number).len(),
        Item::Str(text) => text.len(),
    }
}

/// A sign, a number and the end of a line.
fn head(number: usize) -> usize {
    3 + itoa::Buffer::new().format(number).len()
}

fn bulk(length: usize) -> usize {
    head(length) + length + 2
}
