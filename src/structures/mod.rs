//! Values and their encodings: bytes and order. Nothing here knows a key, an expiry, a reply or a clock.

use bytes::Bytes;

/// A value too big or too rich to live inside its entry.
#[derive(Debug, Clone)]
pub enum Object {
    /// A long string, shared so that a reply can carry it without copying under the shard's lock.
    Bytes(Bytes),
}
