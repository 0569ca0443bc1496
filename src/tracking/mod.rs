//! Client-side caching: prefixes of keys that are broadcast, and the messages that say which copies are no longer good.
//!
//! Which client keeps copies of which keys is remembered beside the keys, in `keyspace`; what follows from a change is the
//! engine's work.

mod broadcast;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;

use crate::resp::reply::Reply;

pub use broadcast::{Changed, Prefixes};

/// The channel on which clients of the old protocol get messages.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// Which copies are no longer good.
#[derive(Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Those of some keys.
    Keys(Vec<Box<[u8]>>),
    /// All.
    Everything,
}

/// A message to a client.
#[derive(Debug, Clone)]
pub enum Message {
    /// Copies are no longer good.
    Invalid {
        /// Which.
        what: Arc<Invalid>,
        /// Whether the copies are another client's.
        is_redirected: bool,
    },
    /// The client that gets the messages has gone: its number.
    Broken(u64),
}

impl Message {
    /// The message as bytes; `None` where the client's protocol has no way to tell it.
    pub fn encode(&self, is_resp3: bool, is_subscriber: bool) -> Option<Bytes> {
        let mut reply = Reply::new();
        reply.set_resp3(is_resp3);
        match self {
            Self::Broken(_) if !is_resp3 => return None,
            Self::Broken(client) => {
                reply.push(2);
                reply.bulk(b"tracking-redir-broken");
                reply.integer(*client as i64);
            }
            Self::Invalid { what, .. } if is_resp3 => {
                reply.push(2);
                reply.bulk(b"invalidate");
                write(&mut reply, what);
            }
            Self::Invalid {
                what,
                is_redirected: true,
            } if is_subscriber => {
                reply.push(3);
                reply.bulk(b"message");
                reply.bulk(CHANNEL);
                write(&mut reply, what);
            }
            Self::Invalid { .. } => return None,
        }
        let mut bytes = Bytes::new();
        reply.take_pieces(0, |piece| bytes = piece);
        Some(bytes)
    }
}

fn write(reply: &mut Reply, what: &Invalid) {
    match what {
        Invalid::Everything => reply.null(),
        Invalid::Keys(keys) => {
            reply.array(keys.len());
            keys.iter().for_each(|key| reply.bulk(key));
        }
    }
}

/// What messages take that have not reached their connections yet.
static UNDERWAY: AtomicUsize = AtomicUsize::new(0);

/// Bytes of all messages that have not reached their connections yet. Evicting keys makes more of them, so they are no reason
/// to evict.
pub fn bytes_underway() -> usize {
    UNDERWAY.load(Relaxed)
}

/// What messages take until their connection has taken them over.
#[derive(Debug, Default)]
pub struct Underway(usize);

impl Underway {
    /// For this message.
    pub fn of(message: &Message) -> Self {
        /// What a message takes besides the keys that it tells: places in a mailbox and in a letterbox, the protocol's words.
        const MESSAGE: usize = 192;
        const KEY: usize = 16;
        let keys = match message {
            Message::Invalid { what, .. } => match &**what {
                Invalid::Keys(keys) => keys.iter().map(|key| key.len() + KEY).sum(),
                Invalid::Everything => 0,
            },
            Message::Broken(_) => 0,
        };
        let bytes = MESSAGE + keys;
        UNDERWAY.fetch_add(bytes, Relaxed);
        Self(bytes)
    }

    /// Adds what others take.
    pub fn absorb(&mut self, mut other: Self) {
        self.0 += std::mem::take(&mut other.0);
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if self.0 > 0 {
            UNDERWAY.fetch_sub(self.0, Relaxed);
        }
    }
}

/// Whether two prefixes describe some of the same keys.
pub fn overlap(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(is_redirected: bool, keys: &[&[u8]]) -> Message {
        let keys = keys.iter().map(|key| Box::from(*key)).collect();
        Message::Invalid {
            what: Arc::new(Invalid::Keys(keys)),
            is_redirected,
        }
    }

    #[test]
    fn old_clients_hear_of_it_on_a_channel() {
        let redirected = message(true, &[b"a"]);
        let push = Some(Bytes::from_static(
            b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n",
        ));
        assert_eq!(redirected.encode(true, false), push);
        assert_eq!(message(false, &[b"a"]).encode(true, true), push);
        let expected = b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\na\r\n";
        let expected = Some(Bytes::from_static(expected));
        assert_eq!(redirected.encode(false, true), expected);
        assert_eq!(redirected.encode(false, false), None);
        assert_eq!(message(false, &[b"a"]).encode(false, true), None);
        assert_eq!(Message::Broken(7).encode(false, true), None);
    }

    #[test]
    fn messages_count_until_they_are_there() {
        let before = bytes_underway();
        let long = Underway::of(&message(false, &[&[b'x'; 1000]]));
        assert!(bytes_underway() >= before + 1000);
        let mut all = Underway::default();
        all.absorb(long);
        all.absorb(Underway::of(&Message::Broken(1)));
        assert!(bytes_underway() >= before + 1000);
        drop(all);
        assert_eq!(bytes_underway(), before);
    }

    #[test]
    fn a_prefix_overlaps_its_beginnings() {
        assert!(overlap(b"foo", b"foobar") && overlap(b"foobar", b"foo") && overlap(b"", b"x"));
        assert!(!overlap(b"foo", b"bar"));
    }
}
