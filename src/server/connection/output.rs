//! What a connection sends, and the limits on what waits to be sent.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use super::{Connection, UNAUTHENTICATED_OUTPUT, UNCOUNTED_REPLY};
use crate::config::Config;
use crate::engine::{Lane, state};
use crate::resp::reply::Reply;

impl Connection {
    /// Sends a reply, or what the socket takes of it; the rest waits in the outbox.
    pub(super) fn send(
        &mut self,
        reply: &mut Reply,
        lane: &Lane,
        context: &mut Context<'_>,
    ) -> io::Result<()> {
        if reply.is_empty() {
            return Ok(());
        }
        let result = self.send_or_keep(reply, lane, context);
        // Also where that has failed: the worker's next client writes into the same memory, and would get what is left.
        reply.clear();
        result
    }

    fn send_or_keep(
        &mut self,
        reply: &mut Reply,
        lane: &Lane,
        context: &mut Context<'_>,
    ) -> io::Result<()> {
        let mut sent = 0;
        if reply.len() > UNCOUNTED_REPLY
            && let Err(error) = self.check_reply(reply, &self.server.engine.config.load())
        {
            *reply = Reply::new();
            return Err(error);
        }
        if self.outbox.is_empty() && !self.is_held() {
            if let Some(bytes) = reply.plain() {
                sent = match self.stream.poll_write(context, bytes) {
                    Poll::Ready(sent) => sent?,
                    Poll::Pending => 0,
                };
            }
            self.note_sent(lane.index, sent);
        }
        if sent < reply.len() {
            self.outbox.take_over(reply, sent);
            self.check_output_limit()?;
            self.note_sizes();
            self.brake.has_left_commands = self.server.engine.memory.is_closing_clients();
        }
        Ok(())
    }

    /// Sends what waits, unless it must wait for the disk: true when it must.
    pub(super) fn flush(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        if self.outbox.is_empty() {
            return Ok(false);
        }
        if self.is_held() {
            return Ok(true);
        }
        // What was too much from the beginning is not sent in part.
        self.check_output_limit()?;
        if let Poll::Ready(sent) = self.outbox.poll_flush(&mut self.stream, context) {
            self.note_sent(self.session.client.worker, sent?);
        }
        self.check_output_limit()?;
        Ok(false)
    }

    fn note_sent(&self, lane: usize, bytes: usize) {
        (self.server.engine.stats).note_sent(lane, &self.session.client, bytes);
    }

    /// Cuts off a client whose replies alone are too much: then none of them is sent.
    #[cold]
    pub(super) fn check_reply(&self, reply: &Reply, config: &Config) -> io::Result<()> {
        let hard = self.session.output_limit(config).hard_bytes as usize;
        let more = reply.len();
        match hard > 0 && self.outbox.allocated() + more >= hard {
            true => self.overcome(self.outbox.allocated() + more),
            false => Ok(()),
        }
    }

    /// Cuts off a client that lets too much pile up.
    pub(super) fn check_output_limit(&mut self) -> io::Result<()> {
        let is_strange = self.session.is(state::UNAUTHENTICATED);
        let is_too_much = if self.outbox.allocated() <= UNCOUNTED_REPLY {
            self.outbox.note_little();
            false
        } else {
            let config = self.server.engine.config.load();
            self.outbox.exceeds(self.session.output_limit(&config))
        };
        match is_too_much || is_strange && self.outbox.bytes() > UNAUTHENTICATED_OUTPUT {
            true => self.overcome(self.outbox.allocated()),
            false => Ok(()),
        }
    }

    #[cold]
    pub(super) fn overcome(&self, bytes: usize) -> io::Result<()> {
        self.server
            .engine
            .stats
            .output_limit_disconnections
            .fetch_add(1, Relaxed);
        tracing::warn!(
            "Client id={} addr={} closed for overcoming of output buffer limits ({} bytes).",
            self.session.client.id,
            self.session.client.address,
            bytes
        );
        Err(io::ErrorKind::OutOfMemory.into())
    }

    /// Tells others how much this connection keeps.
    pub(super) fn note_sizes(&self) {
        let (len, capacity) = (self.pending.len(), self.pending.capacity());
        self.note_query(len - self.parser.done().min(len), capacity - len);
        let client = &self.session.client;
        client.pending_bytes.store(capacity as u64, Relaxed);
        client
            .output_bytes
            .store(self.outbox.allocated() as u64, Relaxed);
        client
            .output_pieces
            .store(self.outbox.pieces() as u64, Relaxed);
        let stats = &self.server.engine.stats;
        stats.recent_input.note(capacity as u64);
        stats.recent_output.note(client.output_bytes.load(Relaxed));
        self.server.engine.account(client);
    }
}
