//! What a connection reads: into the worker's buffer where it can, into its own where a command is unfinished.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};

use super::suspended::Input;
use super::{
    BELIEVED, Connection, READ_SIZE, Turn, UNAUTHENTICATED_BUFFER, WORKBENCH, Workbench, with_lane,
};
use crate::config::Config;
use crate::engine::{Lane, state};

impl Connection {
    /// The short way: read into the worker's buffer, run, write; keep only what is unfinished.
    pub(super) fn read_and_run(&mut self, context: &mut Context<'_>) -> io::Result<Turn> {
        let mut read = 0;
        let turn = WORKBENCH.with_borrow_mut(|bench| {
            let Some(bench) = bench else {
                return Ok(Turn::Idle);
            };
            let count = match self.stream.poll_read(context, &mut bench.input) {
                Poll::Ready(Ok(0)) => {
                    self.is_ending = true;
                    return Ok(Turn::Idle);
                }
                Poll::Ready(count) => count?,
                Poll::Pending => return Ok(Turn::Idle),
            };
            self.note_read(&bench.lane, count);
            self.note_query(count, 0);
            let Workbench {
                lane,
                config,
                input,
                batch,
                reply,
            } = &mut **bench;
            let used = self.run_input(&mut input[..count], lane, config, batch, reply, context)?;
            if self.suspended.is_some() {
                read = count;
                return Ok(Turn::Idle);
            }
            if used < count {
                self.make_room(count - used);
                self.pending.extend_from_slice(&input[used..count]);
            }
            self.pending
                .extend_from_slice(&std::mem::take(&mut self.unread));
            // Replies that wait for the log are sent when it wakes the task.
            let is_answered = self.outbox.is_empty() || self.is_held();
            match count < READ_SIZE && is_answered && self.is_at_rest() {
                true => Ok(Turn::Drained),
                false => Ok(Turn::Again),
            }
        });
        self.release_bench(Input::OnBench(read));
        turn
    }

    /// Whether nothing is to be done before the client sends more.
    pub(super) fn is_at_rest(&self) -> bool {
        self.pending.is_empty() && !self.is_stopped()
    }

    /// Runs the complete commands of what is pending.
    pub(super) fn run_pending(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let mut used_up = BytesMut::new();
        let result = WORKBENCH.with_borrow_mut(|bench| {
            let Some(bench) = bench else {
                return Ok(());
            };
            let Workbench {
                lane,
                config,
                batch,
                reply,
                ..
            } = &mut **bench;
            let mut pending = std::mem::take(&mut self.pending);
            self.note_query(pending.len(), pending.capacity() - pending.len());
            let used = self.run_input(&mut pending, lane, config, batch, reply, context)?;
            if self.suspended.is_some() {
                used_up = pending;
                return Ok(());
            }
            pending.advance(used);
            // What is done with is not kept for what is left.
            if used > pending.len() && !pending.is_empty() {
                pending = BytesMut::from(&pending[..]);
            }
            pending.extend_from_slice(&std::mem::take(&mut self.unread));
            if !pending.is_empty() {
                let believed = pending.len() + pending.len().max(BELIEVED);
                grow(&mut pending, self.parser.wanted().min(believed));
                self.pending = pending;
            }
            Ok(())
        });
        self.release_bench(Input::Own(used_up));
        result
    }

    /// Reads into the pending buffer.
    pub(super) fn read_ahead(&mut self, context: &mut Context<'_>) -> io::Result<Turn> {
        let config = self.server.engine.config.load();
        if self.waiting.is_some() || self.is_postponed {
            let limit = if self.session.is(state::UNAUTHENTICATED) {
                UNAUTHENTICATED_BUFFER
            } else {
                READ_SIZE * 16
            };
            // A client that is kept waiting need not be read without end; the socket's buffers hold the rest.
            if self.pending.len() >= limit {
                return Ok(Turn::Idle);
            }
        }
        self.check_query_limit(&config)?;
        let len = self.pending.len();
        // As much as is missing, where that is known: for a large argument nothing more is kept. But a length is believed
        // only as far as so many bytes have come.
        match self.parser.wanted().saturating_sub(len) {
            0 => self.make_room((len / 4).max(16 * 1024)),
            missing => self.make_room(missing.min(len.max(BELIEVED))),
        }
        match self.stream.poll_read_more(context, &mut self.pending) {
            Poll::Ready(Ok(0)) => {
                self.is_ending = true;
                Ok(Turn::Idle)
            }
            Poll::Ready(Ok(count)) => {
                with_lane(|lane| self.note_read(lane, count));
                self.note_sizes();
                self.check_query_limit(&config)?;
                Ok(Turn::Again)
            }
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Ok(Turn::Idle),
        }
    }

    /// Makes room for more pending bytes; a stranger's buffer never takes more than it may keep waiting.
    pub(super) fn make_room(&mut self, more: usize) {
        let len = self.pending.len();
        let room = if self.session.is(state::UNAUTHENTICATED) {
            (len + more).next_power_of_two().min(UNAUTHENTICATED_BUFFER)
        } else {
            len + more
        };
        grow(&mut self.pending, room);
    }

    pub(super) fn check_query_limit(&self, config: &Config) -> io::Result<()> {
        let limit = config.client_query_buffer_limit.min(u32::MAX as usize);
        let limit = if self.session.is(state::UNAUTHENTICATED) {
            // Its buffer does not grow beyond that: full is too much.
            limit.min(UNAUTHENTICATED_BUFFER - 1)
        } else {
            limit
        };
        if self.pending.len() <= limit {
            return Ok(());
        }
        self.server
            .engine
            .stats
            .query_limit_disconnections
            .fetch_add(1, Relaxed);
        tracing::warn!(
            client = self.session.client.id,
            "Closing client that reached max query buffer length"
        );
        Err(io::ErrorKind::OutOfMemory.into())
    }

    /// Takes what the client has sent and nobody will run from the socket: if that is closed with something in it, the
    /// kernel takes back replies that are still on their way.
    pub(super) fn discard_input(&mut self, context: &mut Context<'_>) {
        const MOST_READS: usize = 64;
        let mut bytes = [0; 16 * 1024];
        for _ in 0..MOST_READS {
            match self.stream.poll_read(context, &mut bytes) {
                Poll::Ready(Ok(1..)) => {}
                _ => break,
            }
        }
    }

    pub(super) fn note_read(&self, lane: &Lane, count: usize) {
        let stats = &self.server.engine.stats.lanes[lane.index];
        stats.bytes_in.add(count as u64);
        stats.reads.add(1);
        let client = &self.session.client;
        client
            .bytes_in
            .store(client.bytes_in.load(Relaxed) + count as u64, Relaxed);
    }

    pub(super) fn note_query(&self, used: usize, free: usize) {
        let client = &self.session.client;
        client.query_buffer.store(used as u64, Relaxed);
        client.query_buffer_free.store(free as u64, Relaxed);
    }
}

/// Makes room for so many bytes in all. The buffer itself would double, which for large arguments is too much.
fn grow(buffer: &mut BytesMut, room: usize) {
    if buffer.capacity() < room {
        let mut larger = BytesMut::with_capacity(room);
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
}
