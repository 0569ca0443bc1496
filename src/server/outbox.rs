//! Replies that the socket has not taken yet, and the limits on how many there may be.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};

use super::stream::Stream;
use crate::config::ClientLimit;
use crate::resp::reply::Reply;

/// Pieces handed to the kernel at once.
const PIECES: usize = 64;
/// Bytes sent before other connections get their turn: a client that reads as fast as it is sent to could hold them up for as
/// long as it is owed anything.
const TURN: usize = 256 * 1024;
/// Replies longer than this are kept in pieces of this size: what one reader's pieces have taken the next one's fit into, so
/// that many slow readers do not leave holes of all sizes behind.
const PIECE: usize = 32 * 1024;

/// Bytes on their way to a client that reads more slowly than it asks.
#[derive(Default)]
pub(super) struct Outbox {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    /// What has been sent of the first piece, which is kept until all of it has.
    sent_of_first: usize,
    /// Since when the soft limit has been exceeded.
    soft_since: Option<Instant>,
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of memory that it takes.
    pub fn allocated(&self) -> usize {
        self.bytes + self.sent_of_first + self.pieces.len() * size_of::<Bytes>()
    }

    pub fn pieces(&self) -> usize {
        self.pieces.len()
    }

    pub fn push(&mut self, piece: Bytes) {
        self.bytes += piece.len();
        self.pieces.push_back(piece);
    }

    /// Takes over a reply but for its first `skip` bytes, which have been sent.
    pub fn take_over(&mut self, reply: &mut Reply, skip: usize) {
        match reply.plain() {
            Some(plain) if plain.len() - skip > PIECE => {
                let pieces = plain[skip..].chunks(PIECE);
                pieces.for_each(|piece| self.push(Bytes::copy_from_slice(piece)));
                reply.clear();
            }
            _ => reply.take_pieces(skip, |piece| self.push(piece)),
        }
    }

    /// Sends as much as the socket takes and one turn allows; the task is woken to go on with what is left.
    pub fn poll_flush(
        &mut self,
        stream: &mut Stream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut sent = 0;
        if let [only] = self.pieces.make_contiguous()
            && only.len() <= TURN
        {
            // As replies that have waited for the log nearly always are. If the socket takes a part only, it is asked again
            // below: not until it refuses does it wake the task when it takes more.
            sent = ready!(stream.poll_write(context, only))?;
            self.advance(sent);
        }
        while !self.pieces.is_empty() {
            let mut left = TURN.saturating_sub(sent);
            if left == 0 {
                context.waker().wake_by_ref();
                break;
            }
            let mut slices = [IoSlice::new(&[]); PIECES];
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                let part = &piece[..piece.len().min(left)];
                *slice = IoSlice::new(part);
                left -= part.len();
                count += usize::from(!part.is_empty());
            }
            match stream.poll_write_pieces(context, &slices[..count]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.advance(written);
                    sent += written;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if sent > 0 => return Poll::Ready(Ok(sent)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(sent))
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(piece) = self.pieces.front_mut() {
            if written < piece.len() {
                self.sent_of_first += written;
                return piece.advance(written);
            }
            written -= piece.len();
            self.sent_of_first = 0;
            self.pieces.pop_front();
        }
    }

    /// Notes that there is so little that no limit is exceeded.
    pub fn note_little(&mut self) {
        self.soft_since = None;
    }

    /// Whether the client has let more pile up than `client-output-buffer-limit` allows.
    pub fn exceeds(&mut self, limit: &ClientLimit) -> bool {
        let (hard, soft) = (limit.hard_bytes as usize, limit.soft_bytes as usize);
        let held = self.allocated();
        if hard > 0 && held >= hard {
            return true;
        }
        if soft == 0 || held < soft {
            self.soft_since = None;
            return false;
        }
        let since = *self.soft_since.get_or_insert_with(Instant::now);
        since.elapsed() > Duration::from_secs(limit.soft_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reply_is_kept_in_pieces_of_one_size() {
        let (mut reply, mut outbox) = (Reply::new(), Outbox::default());
        let text: Vec<u8> = (0..3 * PIECE).map(|at| at as u8).collect();
        reply.raw(&text);
        outbox.take_over(&mut reply, 100);
        assert!(reply.is_empty());
        assert_eq!(outbox.bytes(), text.len() - 100);
        assert!(outbox.pieces.iter().all(|piece| piece.len() <= PIECE));
        assert_eq!(
            outbox.pieces.iter().flatten().copied().collect::<Vec<_>>(),
            text[100..]
        );
        reply.raw(b"short");
        outbox.take_over(&mut reply, 1);
        assert_eq!(
            outbox.pieces.back().map(|piece| &piece[..]),
            Some(&b"hort"[..])
        );
    }
}
