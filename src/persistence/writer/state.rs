//! What the writer has in hand: records on their way to a file, and how far that file is safe.

use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use super::super::file::LogFile;
use super::syncer::{Outcome, Syncer};
use super::{Order, Switch, Wiring, policy};
use crate::base::clock::unix_ms;
use crate::base::machine::error_text;
use crate::config::AppendFsync;
use crate::journal::{Merger, write_command};
use crate::observe::latency::event;

/// Time between two syncs under `everysec`.
const SECOND: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 1000 });
/// Time between two tries after a failure.
const RETRY: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 1000 });
/// A buffer larger than this is not kept for the next records.
const KEPT_BUFFER: usize = 1 << 20;
/// Workers write and sync themselves while that takes no longer than this: it is how long their other clients wait.
const QUICK: Duration = Duration::from_millis(1);
/// The same for what the journal has where it must be synced: with more to do, as of pipelining clients, it pays that workers
/// go on meanwhile.
const SHORT: u64 = 16 << 10;
/// The same where it need only be written.
const BULKY: u64 = 1 << 20;

/// Records on their way to a file.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// The database of the last record.
    database: Option<u32>,
}

impl Buffer {
    /// Adds a record, with a SELECT where the database changes.
    fn add(&mut self, database: u32, record: &[u8]) {
        if self.database != Some(database) {
            self.database = Some(database);
            let number = database.to_string();
            write_command(
                &mut self.bytes,
                [&b"SELECT"[..], number.as_bytes()].into_iter(),
            );
        }
        self.bytes.extend_from_slice(record);
    }
}

/// The writer's state, with whoever is at work.
pub(super) struct State {
    orders: Receiver<Order>,
    merger: Merger,
    file: LogFile,
    /// Records taken and not written.
    buffer: Buffer,
    /// Bytes of the buffer that are in the file already and cannot be taken back.
    stuck: usize,
    /// Records for the next file.
    ahead: Buffer,
    next: Option<Switch>,
    /// The second of the last time annotation.
    annotated: i64,
    /// Records below this number are in the file.
    written: u64,
    /// Records below this number are on disk.
    synced: u64,
    /// What the audience was told last: see [`super::Audience::reached`].
    told: (u64, u64),
    /// Whether the audience has been told something since it was last woken.
    has_news: bool,
    /// When to try again, while the disk refuses.
    retry_at: Option<Instant>,
    /// Whether it was a sync that failed: writing alone does not heal that.
    has_sync_failed: bool,
    last_sync: Instant,
    /// How long writing takes, under `always` with the sync, the newer ones counting more.
    time: Duration,
    pub syncer: Option<Syncer>,
    /// The log has ended: what the journal has is no longer this writer's.
    is_closed: bool,
}

impl State {
    pub fn new(file: LogFile, first: u64, orders: Receiver<Order>) -> Self {
        Self {
            orders,
            merger: Merger::new(first),
            file,
            buffer: Buffer::default(),
            stuck: 0,
            ahead: Buffer::default(),
            next: None,
            annotated: 0,
            written: first,
            synced: first,
            told: (first, first),
            has_news: false,
            retry_at: None,
            has_sync_failed: false,
            last_sync: Instant::now(),
            time: Duration::ZERO,
            syncer: None,
            is_closed: false,
        }
    }

    /// Whether nothing can become due by itself.
    pub fn is_idle(&self) -> bool {
        self.retry_at.is_none() && self.written == self.synced
    }

    /// How long it takes to write and sync, where replies wait for that and it is more than a worker takes upon itself; else zero.
    pub fn slow_sync(&self, wiring: Wiring<'_>) -> Duration {
        match policy(wiring) == AppendFsync::Always && self.time > QUICK {
            true => self.time,
            false => Duration::ZERO,
        }
    }

    /// Whether there is news since this was asked last.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// What the thread does when it has been rung; says whether it is to end.
    pub fn round(&mut self, wiring: Wiring<'_>) -> bool {
        self.hear_syncer(wiring);
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Switch(switch) => self.next = Some(switch),
                Order::CallOff => self.next = None,
                Order::Flush(answer) => self.flush(wiring, &answer),
                Order::Close(answer) => {
                    self.flush(wiring, &answer);
                    self.is_closed = true;
                    return true;
                }
            }
        }
        self.work(wiring);
        false
    }

    /// The same for a worker. False when the thread must see to it: workers do not wait for a slow disk, do not try again what
    /// has failed, and make no new files part of the log.
    pub fn commit(&mut self, wiring: Wiring<'_>) -> bool {
        if self.is_closed {
            return true;
        }
        // While a sync is under way a write may have to wait for it.
        let is_syncing = (self.syncer.as_ref()).is_some_and(Syncer::is_busy);
        let most = match policy(wiring) {
            AppendFsync::Always => SHORT,
            AppendFsync::EverySecond | AppendFsync::No => BULKY,
        };
        let is_short = wiring.journal.pending() < most && self.time <= QUICK;
        if self.next.is_some() || is_syncing || !is_short {
            return false;
        }
        if self.retry_at.is_some() {
            // The thread knows.
            self.tell(wiring);
            return true;
        }
        self.work(wiring);
        self.retry_at.is_none()
    }

    /// Takes, writes and syncs once.
    fn work(&mut self, wiring: Wiring<'_>) {
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return self.tell(wiring);
        }
        if self.buffer.bytes.is_empty() {
            self.gather(wiring);
        }
        let policy = policy(wiring);
        let result = (self.write(wiring, policy))
            .and_then(|()| self.sync_when_due(wiring, policy))
            .and_then(|()| self.switch_when_complete(wiring));
        if let Err(error) = result {
            self.fail(wiring, &error);
        }
        self.tell(wiring);
    }

    /// Takes what the journal has.
    fn gather(&mut self, wiring: Wiring<'_>) {
        let mut number = self.merger.next_number();
        let config = wiring.config.load();
        let second = if config.aof_timestamp_enabled {
            unix_ms() / 1000
        } else {
            0
        };
        let (buffer, ahead, annotated) = (&mut self.buffer, &mut self.ahead, &mut self.annotated);
        self.merger.drain(wiring.journal, |database, record| {
            let is_ahead = number >= wiring.switch_at.load(Acquire);
            let buffer = if is_ahead { &mut *ahead } else { &mut *buffer };
            number += 1;
            if second > *annotated {
                *annotated = second;
                buffer
                    .bytes
                    .extend_from_slice(format!("#TS:{second}\r\n").as_bytes());
            }
            buffer.add(database, record);
        });
        let is_timed = config.appendfsync == AppendFsync::EverySecond;
        if is_timed && self.merger.next_number() > self.synced {
            wiring.status.note_unsynced();
        }
        self.note_buffer(wiring);
    }

    fn note_buffer(&self, wiring: Wiring<'_>) {
        let length = self.buffer.bytes.len() - self.stuck + self.ahead.bytes.len();
        let status = wiring.status;
        status.buffer_length.store(length as u64, Relaxed);
    }

    /// What else is done with files while one writes.
    fn circumstance(&self, wiring: Wiring<'_>) -> &'static str {
        let status = wiring.status;
        if self.syncer.as_ref().is_some_and(Syncer::is_busy) {
            event::AOF_WRITE_PENDING_FSYNC
        } else if status.is_rewriting.load(Relaxed) || status.is_saving.load(Relaxed) {
            event::AOF_WRITE_ACTIVE_CHILD
        } else {
            event::AOF_WRITE_ALONE
        }
    }

    /// Appends the buffer. Under `always` it is kept until it is on disk: what a failed sync leaves in the file may be lost
    /// without another error, so it is written again.
    fn write(&mut self, wiring: Wiring<'_>, policy: AppendFsync) -> io::Result<()> {
        let bytes = &self.buffer.bytes[self.stuck..];
        if self.buffer.bytes.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        if let Err(stuck) = self.file.append(bytes) {
            self.stuck += stuck.bytes;
            return Err(stuck.error);
        }
        let (audience, written) = (wiring.audience, Instant::now());
        audience.took(event::AOF_WRITE, written - begun);
        audience.took(self.circumstance(wiring), written - begun);
        if policy == AppendFsync::Always
            && let Err(error) = self.file.sync()
        {
            if !self.file.cut_back(bytes.len()) {
                self.stuck += bytes.len();
            }
            self.has_sync_failed = true;
            return Err(error);
        }
        let status = wiring.status;
        status.note_written(self.buffer.bytes.len() as u64);
        self.written = (self.merger.next_number()).min(wiring.switch_at.load(Acquire));
        self.buffer.bytes.clear();
        self.buffer.bytes.shrink_to(KEPT_BUFFER);
        self.stuck = 0;
        self.note_buffer(wiring);
        let sync_time = written.elapsed();
        self.time = (self.time * 7 + begun.elapsed()) / 8;
        if policy == AppendFsync::Always {
            audience.took(event::AOF_FSYNC_ALWAYS, sync_time);
            self.has_synced(wiring, self.written);
        } else if !self.has_sync_failed {
            self.heal(wiring);
        }
        Ok(())
    }

    /// Syncs what was written and is not on disk yet.
    fn sync_when_due(&mut self, wiring: Wiring<'_>, policy: AppendFsync) -> io::Result<()> {
        let status = wiring.status;
        if policy != AppendFsync::EverySecond {
            status.forget_unsynced();
        } else if self.written > self.synced {
            status.note_unsynced();
        }
        if policy == AppendFsync::No && std::mem::take(&mut self.has_sync_failed) {
            self.heal(wiring);
        }
        if self.written == self.synced || policy == AppendFsync::No {
            return Ok(());
        }
        if policy == AppendFsync::Always {
            return self.sync_now(wiring);
        }
        if self.last_sync.elapsed() >= SECOND
            && let Some(syncer) = &mut self.syncer
            && syncer.sync(self.file.handle(), self.written, status)
        {
            self.last_sync = Instant::now();
        }
        Ok(())
    }

    fn sync_now(&mut self, wiring: Wiring<'_>) -> io::Result<()> {
        let begun = Instant::now();
        if let Err(error) = self.file.sync() {
            self.has_sync_failed = true;
            return Err(error);
        }
        self.last_sync = Instant::now();
        self.has_synced(wiring, self.written);
        self.note_safe(wiring, begun);
        Ok(())
    }

    fn has_synced(&mut self, wiring: Wiring<'_>, number: u64) {
        self.has_sync_failed = false;
        if self.buffer.bytes.is_empty() {
            self.heal(wiring);
        }
        self.synced = self.synced.max(number);
    }

    /// Notes that what was written before a moment is on disk: the rest is no older than that.
    fn note_safe(&self, wiring: Wiring<'_>, moment: Instant) {
        let is_timed = policy(wiring) == AppendFsync::EverySecond;
        if is_timed && self.merger.next_number() > self.synced {
            wiring.status.note_unsynced_since(moment);
        } else {
            wiring.status.forget_unsynced();
        }
    }

    /// Tells how far the log has come. Under `everysec` replies wait for the sync once it is late. While the disk refuses
    /// they wait under `always` only: what is to come is refused then.
    fn tell(&mut self, wiring: Wiring<'_>) {
        let waits = policy(wiring) == AppendFsync::Always || wiring.status.is_behind();
        let durable = match (waits, self.retry_at) {
            (true, _) => self.synced,
            (false, None) => self.written,
            (false, Some(_)) => wiring.journal.next_number(),
        };
        let reached = (self.told.0.max(durable), self.synced);
        if reached != self.told {
            self.told = reached;
            self.has_news = true;
            wiring.audience.reached(reached.0, reached.1);
        }
    }

    /// Takes the sync thread's answer.
    fn hear_syncer(&mut self, wiring: Wiring<'_>) {
        let outcome = (self.syncer.as_mut()).and_then(|syncer| syncer.outcome(wiring.status));
        let Some(Outcome {
            number,
            began,
            result,
        }) = outcome
        else {
            return;
        };
        match result {
            Ok(()) => {
                self.has_synced(wiring, number);
                self.note_safe(wiring, began);
                self.tell(wiring);
            }
            Err(error) => {
                self.has_sync_failed = true;
                wiring.status.is_doubtful.store(true, Relaxed);
                self.fail(wiring, &error);
            }
        }
    }

    /// The disk refuses: says so once and tries again later.
    fn fail(&mut self, wiring: Wiring<'_>, error: &io::Error) {
        let reason = error_text(error);
        if self.retry_at.is_none() {
            tracing::error!(
                "Error writing to the AOF file: {reason}. Writes are refused until it succeeds."
            );
            wiring.status.has_write_failed.store(true, Relaxed);
            wiring.audience.trouble(Some(reason));
            self.has_news = true;
        }
        self.retry_at = Some(Instant::now() + RETRY);
    }

    /// The disk accepts.
    fn heal(&mut self, wiring: Wiring<'_>) {
        if self.retry_at.take().is_some() {
            tracing::info!("AOF write error looks solved, Oxidis can write again.");
            wiring.status.has_write_failed.store(false, Relaxed);
            wiring.audience.trouble(None);
            self.has_news = true;
        }
    }

    /// Writes and syncs all that is in the journal, and says how that went.
    fn flush(&mut self, wiring: Wiring<'_>, answer: &Sender<Result<(), String>>) {
        let result = self.write_everything(wiring).map_err(|error| {
            self.fail(wiring, &error);
            error_text(&error)
        });
        self.tell(wiring);
        // Nobody may be waiting any more.
        let _ = answer.send(result);
    }

    fn write_everything(&mut self, wiring: Wiring<'_>) -> io::Result<()> {
        let target = wiring.journal.next_number();
        loop {
            self.write(wiring, policy(wiring))?;
            self.switch_when_complete(wiring)?;
            let is_all_written = self.buffer.bytes.is_empty() && self.ahead.bytes.is_empty();
            if is_all_written && self.merger.next_number() >= target {
                return self.sync_now(wiring);
            }
            if self.buffer.bytes.is_empty() {
                self.gather(wiring);
            }
        }
    }

    /// Goes over to the next file when the present one has all its records.
    fn switch_when_complete(&mut self, wiring: Wiring<'_>) -> io::Result<()> {
        let at = wiring.switch_at.load(Acquire);
        let is_complete = self.buffer.bytes.is_empty() && self.merger.next_number() >= at;
        if !is_complete || self.next.is_none() {
            return Ok(());
        }
        self.sync_now(wiring)?;
        if let Some(switch) = self.next.take() {
            let published = (switch.publish)();
            if published.is_ok() {
                self.file = switch.file;
                wiring.status.begin_increment();
            }
            self.buffer = std::mem::take(&mut self.ahead);
            wiring.switch_at.store(u64::MAX, Release);
            // Nobody may be waiting any more.
            let _ = switch.done.send(published);
        }
        self.write(wiring, policy(wiring))
    }
}
