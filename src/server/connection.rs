//! One client's connection: read what is there, run the complete commands, write once.
//!
//! A connection is a future on its worker. It reads into the worker's buffer and copies out only an unfinished command,
//! so an idle connection owns no buffers. It goes on reading while replies wait to be sent: a client may write its whole
//! pipeline before it reads.

pub(super) mod brake;
mod input;
mod output;
mod suspended;
mod waiting;

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;

use self::brake::Brake;
use self::suspended::Suspended;
use self::waiting::Waiting;
use super::outbox::Outbox;
use super::signals::Signals;
use super::stream::Stream;
use super::worker::collect_mail;
use super::{Server, holders, signals};
use crate::config::{Config, ConfigCache};
use crate::engine::{BatchEnd, Ended, Engine, Flow, Lane, Mail, Progress, Session, flag, state};
use crate::journal::write_command;
use crate::resp::args::MAX_ARGUMENT;
use crate::resp::parser::{Batch, Limits, Parser};
use crate::resp::reply::Reply;

/// Bytes read at once.
const READ_SIZE: usize = 64 * 1024;
/// Commands run between two passages through the gate.
const BATCH: usize = 128;
/// Time after which what a script is in the way of is tried again.
const NOT_NOW: Duration = Duration::from_millis(10);
/// Reads before other connections get their turn.
const READS_PER_TURN: usize = 4;
/// A client that has not authenticated may keep this much waiting. A power of two, as its buffer's sizes are.
const UNAUTHENTICATED_BUFFER: usize = 64 * 1024;
/// And this much may wait to be sent to it.
const UNAUTHENTICATED_OUTPUT: usize = 1024;
/// Room made for an argument of which less has come so far.
const BELIEVED: usize = 64 * 1024;
/// Replies up to this length are within any limit, as they are in Redis, where each client has a buffer of that size.
const UNCOUNTED_REPLY: usize = 16 * 1024;

/// Memory that the connections of a worker take turns with.
struct Workbench {
    lane: Lane,
    config: ConfigCache,
    input: Vec<u8>,
    batch: Batch,
    reply: Reply,
}

impl Workbench {
    fn new(server: &Server, index: usize) -> Self {
        Self {
            lane: Lane::new(index),
            config: server.engine.config.cache(),
            input: vec![0; READ_SIZE],
            batch: Batch::default(),
            reply: Reply::new(),
        }
    }
}

thread_local! {
    static WORKBENCH: RefCell<Option<Box<Workbench>>> = const { RefCell::new(None) };
}

/// Prepares this thread for running connections.
pub(super) fn prepare_thread(server: &Server, index: usize) {
    WORKBENCH.set(Some(Box::new(Workbench::new(server, index))));
}

/// Runs something with this worker's lane.
pub(super) fn with_lane<R>(work: impl FnOnce(&mut Lane) -> R) -> Option<R> {
    WORKBENCH.with_borrow_mut(|bench| bench.as_mut().map(|bench| work(&mut bench.lane)))
}

/// One client's connection.
pub(super) struct Connection {
    server: Arc<Server>,
    stream: Stream,
    session: Session,
    signals: Arc<Signals>,
    /// What `signals` wakes the task by: nearly always the same, which is seen without a lock.
    waker: Option<Waker>,
    parser: Parser,
    /// An unfinished command, and whatever came behind a parked one.
    pending: BytesMut,
    /// Commands to be read again, where they cannot be read from where they stood.
    unread: Vec<u8>,
    outbox: Outbox,
    waiting: Option<Waiting>,
    /// A batch whose script takes long.
    suspended: Option<Suspended>,
    /// A command waits for the end of CLIENT PAUSE.
    is_postponed: bool,
    brake: Brake,
    /// Replies wait until records below this number are as safe as `appendfsync` asks.
    held_until: u64,
    /// The peer has closed its side, or the connection is to end when everything is sent.
    is_ending: bool,
    /// The server ends.
    is_over: bool,
}

enum Turn {
    /// Something was done; look again.
    Again,
    /// All that the client has sent is done with and answered.
    Drained,
    /// Nothing can be done now.
    Idle,
}

impl Connection {
    /// A connection for an accepted socket.
    pub fn new(server: Arc<Server>, stream: Stream, session: Session) -> Self {
        let signals = Signals::new(session.client.clone());
        Self {
            server,
            stream,
            session,
            signals,
            waker: None,
            parser: Parser::default(),
            pending: BytesMut::new(),
            unread: Vec::new(),
            outbox: Outbox::default(),
            waiting: None,
            suspended: None,
            is_postponed: false,
            brake: Brake::default(),
            held_until: 0,
            is_ending: false,
            is_over: false,
        }
    }

    /// Serves the client until it leaves or is closed.
    pub async fn serve(mut self) {
        signals::register(&self.signals);
        // The reason was counted and logged where it arose; a vanished client is no news.
        let _ = std::future::poll_fn(|context| self.poll(context)).await;
        while !self.leave() {
            tokio::time::sleep(NOT_NOW).await;
        }
    }

    /// The end. False when a script that takes long is in the way.
    fn leave(&mut self) -> bool {
        self.postpone(false);
        let engine = &self.server.engine;
        signals::unregister(self.session.client.id);
        if let Some(waiting) = &mut self.waiting
            && waiting.parked.end_wait(engine) == Ended::NotNow
        {
            return false;
        }
        let was_parked = self.waiting.is_some();
        let session = &mut self.session;
        if with_lane(|lane| engine.forget_client(lane, session, was_parked)) == Some(false) {
            return false;
        }
        self.server.connections[self.session.client.worker].fetch_sub(1, Relaxed);
        true
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let waker = context.waker();
        if !(self.waker.as_ref()).is_some_and(|known| known.will_wake(waker)) {
            self.waker = Some(waker.clone());
            self.signals.set_waker(waker.clone());
        }
        if self.suspended.is_some() && !self.go_on(context)? {
            return Poll::Pending;
        }
        for _ in 0..READS_PER_TURN {
            if self.session.client.is_killed.load(Relaxed) {
                return Poll::Ready(Ok(()));
            }
            if self.signals.wants_attention() {
                let has_waited = self.waiting.is_some();
                self.open_letterbox();
                if has_waited && self.waiting.is_none() {
                    self.run_pending(context)?;
                }
            }
            let owed = self.outbox.bytes();
            let is_held = self.flush(context)?;
            if self.makes_way(context) {
                return Poll::Pending;
            }
            // As nearly every wait for the log ends.
            let is_paid = owed > 0 && self.outbox.is_empty() && self.is_at_rest();
            if is_paid && self.stream.poll_more(context)?.is_pending() {
                self.note_sizes();
                return Poll::Pending;
            }
            let turn = match self.is_ending {
                true => Turn::Idle,
                false => self.take_turn(context)?,
            };
            match turn {
                Turn::Again => continue,
                // As nearly every turn ends: another look would find nothing. Whoever leaves something here wakes the task.
                Turn::Drained if self.stream.poll_more(context)?.is_pending() => {
                    self.note_sizes();
                    if !self.outbox.is_empty() {
                        self.wait_for_disk(true);
                    }
                    if self.outbox.is_empty() || self.is_held() {
                        return Poll::Pending;
                    }
                    continue;
                }
                Turn::Drained => continue,
                Turn::Idle => {}
            }
            if self.suspended.is_some() {
                break;
            }
            self.note_sizes();
            // What was promised is still sent, but not for ever: a reader that has gone is noticed by the socket.
            if self.is_ending && self.outbox.is_empty() {
                if self.is_over {
                    self.discard_input(context);
                }
                return Poll::Ready(Ok(()));
            }
            if !self.wait_for_disk(is_held) {
                return Poll::Pending;
            }
        }
        // Others first; then on with this one.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Goes on with a parked command, or runs what is there, or reads more.
    fn take_turn(&mut self, context: &mut Context<'_>) -> io::Result<Turn> {
        if self.waiting.is_some() {
            return match self.poll_waiting(context) {
                Progress::Done => self.run_pending(context).map(|()| Turn::Again),
                Progress::Busy => Ok(Turn::Idle),
                // Reading goes on meanwhile, if only to notice that the client has left.
                Progress::Waiting => self.read_ahead(context),
            };
        }
        if self.is_postponed {
            if self.server.engine.is_paused(true) {
                return self.read_ahead(context);
            }
            self.postpone(false);
            return self.run_pending(context).map(|()| Turn::Again);
        }
        if self.server.engine.is_journal_full() {
            return Ok(Turn::Idle);
        }
        if std::mem::take(&mut self.brake.has_left_commands) {
            return self.run_pending(context).map(|()| Turn::Again);
        }
        if !self.pending.is_empty() {
            return match self.read_ahead(context)? {
                Turn::Again => self.run_pending(context).map(|()| Turn::Again),
                rest => Ok(rest),
            };
        }
        self.read_and_run(context)
    }

    /// Parses and runs commands, batch by batch; returns how many bytes are done with.
    fn run_input(
        &mut self,
        input: &mut [u8],
        lane: &mut Lane,
        config: &mut ConfigCache,
        batch: &mut Batch,
        reply: &mut Reply,
        context: &mut Context<'_>,
    ) -> io::Result<usize> {
        let mut done = 0;
        while done < input.len() {
            batch.clear();
            let config = config.load();
            let limits = Limits {
                max_bulk: config.proto_max_bulk_len.min(MAX_ARGUMENT) as i64,
                authenticated: !self.session.is(state::UNAUTHENTICATED),
            };
            // A client that must authenticate first is read one command at a time: what follows AUTH has other limits.
            let max = if limits.authenticated { BATCH } else { 1 };
            let parsed = self.parser.parse(input, done, max, limits, batch);
            let (end, error) = match parsed {
                Ok(end) => (end, None),
                Err((end, error)) => (end, Some(error)),
            };
            let before = done;
            if !batch.commands.is_empty() {
                done = self.run_batch(input, lane, config, batch, reply, end);
                if self.suspended.is_some() {
                    break;
                }
            } else {
                done = end;
            }
            if let Some(error) = error.filter(|_| done == end && !self.is_stopped()) {
                reply.error(&error.line());
                self.server.engine.stats.count_error("ERR");
                self.is_ending = true;
            }
            let is_last = self.is_stopped() || done == before || done >= input.len();
            // A stranger's commands are run one by one, but answered with one write as everybody's are: clients take the
            // first error of what they sent together for the reason.
            if is_last || !self.session.is(state::UNAUTHENTICATED) {
                self.send(reply, lane, context)?;
            }
            if is_last || self.brake.has_left_commands {
                break;
            }
        }
        Ok(if self.is_ending { input.len() } else { done })
    }

    /// Whether nothing more is to be run for now.
    fn is_stopped(&self) -> bool {
        self.is_ending || self.waiting.is_some() || self.is_postponed
    }

    /// Runs one batch; returns where the first command that is not done with begins.
    fn run_batch(
        &mut self,
        input: &[u8],
        lane: &mut Lane,
        config: &Config,
        batch: &Batch,
        reply: &mut Reply,
        end: usize,
    ) -> usize {
        self.collect_mail();
        if self.session.client.is_killed.load(Relaxed) {
            self.is_ending = true;
            return end;
        }
        let engine = &self.server.engine;
        let record = engine.last_record(lane.index);
        let session = &mut self.session;
        let result = if engine.prepare(lane, session, input, batch) {
            self.run_with_scripts(input, lane, config, batch, reply, end)
        } else {
            Some(catch_unwind(AssertUnwindSafe(|| {
                engine.run_batch(lane, config, session, input, batch, reply)
            })))
        };
        match result {
            Some(result) => self.end_batch(input, lane, batch, reply, end, record, result),
            None => end,
        }
    }

    /// The end of a batch: says where the first command that is not done with begins.
    #[allow(clippy::too_many_arguments)]
    fn end_batch(
        &mut self,
        input: &[u8],
        lane: &mut Lane,
        batch: &Batch,
        reply: &mut Reply,
        end: usize,
        record: u64,
        result: std::thread::Result<BatchEnd>,
    ) -> usize {
        let Ok(batch_end) = result else {
            lane.recover();
            let failed = batch.commands.get(self.session.position);
            let args = failed.map(|command| batch.args(input, command));
            super::failure::report(&self.server.engine, &self.session.client, args);
            reply.clear();
            reply.error(b"ERR internal error, see the server's log");
            self.is_ending = true;
            return end;
        };
        let client = &self.session.client;
        let commands = client.commands.load(Relaxed) + batch_end.done as u64;
        client.commands.store(commands, Relaxed);
        self.note_record(lane.index, record);
        match batch_end.flow {
            Flow::Continue => return end,
            Flow::Close => self.is_ending = true,
            Flow::Mail => {}
            Flow::Postponed => self.postpone(true),
            Flow::Parked(parked) => self.park(parked),
        }
        let rest = &batch.commands[batch_end.done..];
        let Some(next) = rest.first() else {
            return end;
        };
        self.parser.restart();
        if rest.iter().all(|command| command.is_frame) {
            return next.start as usize;
        }
        // Inline commands have been unquoted where they stood and cannot be read a second time.
        let mut again = Vec::new();
        for command in rest {
            write_command(&mut again, batch.args(input, command).iter());
        }
        again.extend_from_slice(&input[end..]);
        self.unread = again;
        if !self.is_ending && self.waiting.is_none() {
            self.postpone(true);
        }
        input.len()
    }

    /// After work on a lane whose last record was `before`: its new ones go to the log, and replies wait for that.
    fn note_record(&mut self, lane: usize, before: u64) {
        let engine = &self.server.engine;
        let record = engine.last_record(lane);
        if record != before {
            self.session.last_record = Some(record);
            self.held_until = record;
            self.server.request_commit(lane);
        }
    }

    /// Whether replies wait until what they speak of is in the log.
    fn is_held(&self) -> bool {
        self.held_until > self.server.engine.durable.load(SeqCst)
    }

    /// Puts the client in the list of those who wait for the disk, if it does, as for replies that are held. True when it was
    /// not in it before and may have missed something.
    fn wait_for_disk(&self, is_held: bool) -> bool {
        let has_held_replies = is_held || !self.outbox.is_empty() && self.is_held();
        let waits = self.server.engine.is_journal_full()
            || (self.waiting.as_ref()).is_some_and(|waiting| waiting.parked.waits_for_disk());
        if !has_held_replies && !waits {
            return false;
        }
        let until = if waits { 0 } else { self.held_until };
        let client = &self.session.client;
        holders::hold(&self.server, client.worker, &self.signals, until)
    }

    /// Has what follows wait for the end of a pause, or no longer.
    fn postpone(&mut self, on: bool) {
        if self.is_postponed != on {
            self.is_postponed = on;
            let clients = &self.server.engine.clients;
            match on {
                true => clients.blocked.fetch_add(1, Relaxed),
                false => clients.blocked.fetch_sub(1, Relaxed),
            };
            self.session.client.set_flag(flag::POSTPONED, on);
        }
    }

    /// Handles the worker's mail now: what was published before these commands goes out before their replies.
    fn collect_mail(&mut self) {
        let worker = self.session.client.worker;
        let mailbox = &self.server.engine.mailboxes[worker];
        if mailbox.has_mail() && !collect_mail(&self.server, worker) {
            mailbox.post(Mail::Stop);
        }
        if self.signals.wants_attention() {
            self.open_letterbox();
        }
    }
}

impl Engine {
    /// The end of a client: its subscriptions, watched keys and place in the lists go. False when a script that takes long
    /// is in the way.
    fn forget_client(&self, lane: &Lane, session: &mut Session, was_parked: bool) -> bool {
        let Some(_passage) = self.keyspace.gate().pass_unless_stuck(lane.index) else {
            return false;
        };
        session.end_transaction();
        self.unwatch_all(session);
        self.unsubscribe_all(session);
        self.stop_tracking(session);
        self.stop_monitor(session);
        self.transfers.forget(session.client.id);
        if was_parked && session.client.has_flag(flag::BLOCKED) {
            self.clients.blocked.fetch_sub(1, Relaxed);
        }
        self.clients.remove(session.client.id);
        self.forget_account(&session.client);
        true
    }
}
