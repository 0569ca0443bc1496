//! The writer: takes records from the journal, appends them to the present increment and forces them to the disk as
//! `appendfsync` asks.
//!
//! One thread writes. Under `everysec` a second one syncs, so that a slow disk delays neither writing nor, above all, the
//! workers: they only ever wait when the journal is full. What cannot be written is kept and tried again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::disk::DiskFile;
use super::file::LogFile;
use super::status::AofStatus;
use crate::base::clock::unix_ms;
use crate::base::machine::error_text;
use crate::config::{AppendFsync, ConfigStore};
use crate::journal::{Journal, Merger, write_command};

/// Time between two syncs under `everysec`.
const SECOND: Duration = Duration::from_secs(1);
/// Time between two tries after a failure.
const RETRY: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 1000 });
/// A sync that takes longer than this is told of: more than that may be lost now.
const LATE: Duration = Duration::from_secs(2);
/// How long records are gathered where no reply waits for them, so that a busy server does not write each on its own.
const GATHER: Duration = Duration::from_millis(1);
/// Longest wait for a record while something else may become due.
const PATIENCE: Duration = Duration::from_millis(100);
/// A buffer larger than this is not kept for the next records.
const KEPT_BUFFER: usize = 1 << 20;

/// Who is told how far the writer has come. Records count as [`Journal::next_number`] does.
pub trait Audience: Sync {
    /// Records below this number are as safe as `appendfsync` asks.
    fn written(&self, number: u64);
    /// Records below this number have been forced to the disk.
    fn synced(&self, number: u64);
    /// The disk refuses, or accepts again.
    fn trouble(&self, reason: Option<String>);
}

/// Going over to another file.
pub struct Switch {
    /// The file.
    pub file: LogFile,
    /// Makes it part of the log, when the one before is complete and on disk. If that fails, the one before goes on.
    pub publish: Box<dyn FnOnce() -> io::Result<()> + Send>,
    /// Where to say how it went.
    pub done: Sender<io::Result<()>>,
}

/// What the writer is asked for. Whoever sends an order rings the journal.
pub enum Order {
    /// Go over to another file, once [`Wiring::switch_at`] names its first record.
    Switch(Switch),
    /// Forget about that: no record was named.
    CallOff,
    /// Write and sync all there is; says how that went.
    Flush(Sender<Result<(), String>>),
    /// The same, and end.
    Close(Sender<Result<(), String>>),
}

/// What a writer works with.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct Wiring<'w> {
    pub journal: &'w Journal,
    pub config: &'w ConfigStore,
    pub status: &'w AofStatus,
    pub audience: &'w dyn Audience,
    /// The first record of the next file, or `u64::MAX`. Set after [`Order::Switch`] was sent and before that record can be
    /// appended, thus alone behind the gate.
    pub switch_at: &'w AtomicU64,
}

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

/// The thread that syncs under `everysec`.
struct Syncer {
    jobs: Sender<(Arc<dyn DiskFile>, u64)>,
    results: Receiver<(u64, io::Result<()>)>,
    is_busy: bool,
    is_late: bool,
}

/// The writer's state. [`Writer::run`] is its thread.
pub struct Writer<'w> {
    wiring: Wiring<'w>,
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
    /// When to try again, while the disk refuses.
    retry_at: Option<Instant>,
    /// Whether it was a sync that failed: writing alone does not heal that.
    has_sync_failed: bool,
    last_sync: Instant,
    syncer: Option<Syncer>,
}

impl<'w> Writer<'w> {
    /// A writer that appends records from `first` on to a file.
    pub fn new(wiring: Wiring<'w>, file: LogFile, first: u64, orders: Receiver<Order>) -> Self {
        Self {
            wiring,
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
            retry_at: None,
            has_sync_failed: false,
            last_sync: Instant::now(),
            syncer: None,
        }
    }

    /// Runs until [`Order::Close`].
    pub fn run(mut self) {
        let journal = self.wiring.journal;
        std::thread::scope(|scope| {
            let (jobs, todo) = channel::<(Arc<dyn DiskFile>, u64)>();
            let (done, results) = channel();
            scope.spawn(move || {
                for (file, number) in todo {
                    // The writer may have ended; then nobody needs the answer.
                    let _ = done.send((number, file.sync()));
                    journal.ring();
                }
            });
            self.syncer = Some(Syncer {
                jobs,
                results,
                is_busy: false,
                is_late: false,
            });
            while !self.round() {}
            // The sync thread ends when its jobs' sender does.
            self.syncer = None;
        });
    }

    /// Waits for something to do and does it; true at the end.
    fn round(&mut self) -> bool {
        let is_idle = self.retry_at.is_none() && self.written == self.synced;
        self.wiring
            .journal
            .wait(if is_idle { SECOND } else { PATIENCE });
        self.hear_syncer();
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Switch(switch) => self.next = Some(switch),
                Order::CallOff => self.next = None,
                Order::Flush(answer) => self.flush(&answer),
                Order::Close(answer) => {
                    self.flush(&answer);
                    return true;
                }
            }
        }
        if self.work() && self.policy() != AppendFsync::Always {
            std::thread::sleep(GATHER);
        }
        false
    }

    /// What to promise at the moment: while others keep the disk busy syncing may be off.
    fn policy(&self) -> AppendFsync {
        let (config, status) = (self.wiring.config.load(), self.wiring.status);
        let is_busy = status.is_rewriting.load(Relaxed) || status.is_saving.load(Relaxed);
        if config.no_appendfsync_on_rewrite && is_busy {
            AppendFsync::No
        } else {
            config.appendfsync
        }
    }

    /// Takes, writes and syncs once; true when there was something to write.
    fn work(&mut self) -> bool {
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        if self.buffer.bytes.is_empty() {
            self.gather();
        }
        let policy = self.policy();
        let had_work = !self.buffer.bytes.is_empty();
        let result = (self.write(policy))
            .and_then(|()| self.sync_when_due(policy))
            .and_then(|()| self.switch_when_complete());
        if let Err(error) = result {
            self.fail(&error);
        }
        had_work
    }

    /// Takes what the journal has.
    fn gather(&mut self) {
        let (wiring, mut number) = (self.wiring, self.merger.next_number());
        let second = if wiring.config.load().aof_timestamp_enabled {
            unix_ms() / 1000
        } else {
            0
        };
        self.merger.drain(wiring.journal, |database, record| {
            let is_ahead = number >= wiring.switch_at.load(Acquire);
            let buffer = if is_ahead {
                &mut self.ahead
            } else {
                &mut self.buffer
            };
            number += 1;
            if second > self.annotated {
                self.annotated = second;
                buffer
                    .bytes
                    .extend_from_slice(format!("#TS:{second}\r\n").as_bytes());
            }
            buffer.add(database, record);
        });
        self.note_buffer();
    }

    fn note_buffer(&self) {
        let length = self.buffer.bytes.len() - self.stuck + self.ahead.bytes.len();
        self.wiring
            .status
            .buffer_length
            .store(length as u64, Relaxed);
    }

    /// Appends the buffer. Under `always` it is kept until it is on disk: what a failed sync leaves in the file may be lost
    /// without another error, so it is written again.
    fn write(&mut self, policy: AppendFsync) -> io::Result<()> {
        let bytes = &self.buffer.bytes[self.stuck..];
        if self.buffer.bytes.is_empty() {
            return Ok(());
        }
        if let Err(stuck) = self.file.append(bytes) {
            self.stuck += stuck.bytes;
            return Err(stuck.error);
        }
        if policy == AppendFsync::Always
            && let Err(error) = self.file.sync()
        {
            if !self.file.cut_back(bytes.len()) {
                self.stuck += bytes.len();
            }
            self.has_sync_failed = true;
            return Err(error);
        }
        self.wiring
            .status
            .note_written(self.buffer.bytes.len() as u64);
        self.written = (self.merger.next_number()).min(self.wiring.switch_at.load(Acquire));
        self.buffer.bytes.clear();
        self.buffer.bytes.shrink_to(KEPT_BUFFER);
        self.stuck = 0;
        self.note_buffer();
        if policy == AppendFsync::Always {
            self.has_synced(self.written);
        } else if !self.has_sync_failed {
            self.heal();
        }
        self.wiring.audience.written(self.written);
        Ok(())
    }

    /// Syncs what was written and is not on disk yet.
    fn sync_when_due(&mut self, policy: AppendFsync) -> io::Result<()> {
        if policy == AppendFsync::No && std::mem::take(&mut self.has_sync_failed) {
            self.heal();
        }
        if self.written == self.synced || policy == AppendFsync::No {
            return Ok(());
        }
        if policy == AppendFsync::Always {
            return self.sync_now();
        }
        let is_due = self.last_sync.elapsed() >= SECOND;
        let Some(syncer) = self.syncer.as_mut().filter(|_| is_due) else {
            return Ok(());
        };
        let status = self.wiring.status;
        if syncer.is_busy {
            let is_late = self.last_sync.elapsed() >= LATE;
            if is_late && !std::mem::replace(&mut syncer.is_late, true) {
                status.delayed_syncs.fetch_add(1, Relaxed);
                tracing::info!(
                    "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for it."
                );
            }
            return Ok(());
        }
        self.last_sync = Instant::now();
        syncer.is_busy = syncer.jobs.send((self.file.handle(), self.written)).is_ok();
        status
            .pending_syncs
            .store(u64::from(syncer.is_busy), Relaxed);
        Ok(())
    }

    fn sync_now(&mut self) -> io::Result<()> {
        if let Err(error) = self.file.sync() {
            self.has_sync_failed = true;
            return Err(error);
        }
        self.last_sync = Instant::now();
        self.has_synced(self.written);
        Ok(())
    }

    fn has_synced(&mut self, number: u64) {
        self.has_sync_failed = false;
        if self.buffer.bytes.is_empty() {
            self.heal();
        }
        if number > self.synced {
            self.synced = number;
            self.wiring.audience.synced(number);
        }
    }

    /// Takes the sync thread's answer.
    fn hear_syncer(&mut self) {
        let Some(syncer) = &mut self.syncer else {
            return;
        };
        let Ok((number, result)) = syncer.results.try_recv() else {
            return;
        };
        (syncer.is_busy, syncer.is_late) = (false, false);
        self.wiring.status.pending_syncs.store(0, Relaxed);
        match result {
            Ok(()) => self.has_synced(number),
            Err(error) => {
                self.has_sync_failed = true;
                self.wiring.status.is_doubtful.store(true, Relaxed);
                self.fail(&error);
            }
        }
    }

    /// The disk refuses: says so once and tries again later.
    fn fail(&mut self, error: &io::Error) {
        let reason = error_text(error);
        if self.retry_at.is_none() {
            tracing::error!(
                "Error writing to the AOF file: {reason}. Writes are refused until it succeeds."
            );
            self.wiring.status.has_write_failed.store(true, Relaxed);
            self.wiring.audience.trouble(Some(reason));
        }
        self.retry_at = Some(Instant::now() + RETRY);
    }

    /// The disk accepts.
    fn heal(&mut self) {
        if self.retry_at.take().is_some() {
            tracing::info!("AOF write error looks solved, Oxidis can write again.");
            self.wiring.status.has_write_failed.store(false, Relaxed);
            self.wiring.audience.trouble(None);
        }
    }

    /// Writes and syncs all that is in the journal, and says how that went.
    fn flush(&mut self, answer: &Sender<Result<(), String>>) {
        let result = self.write_everything().map_err(|error| {
            self.fail(&error);
            error_text(&error)
        });
        // Nobody may be waiting any more.
        let _ = answer.send(result);
    }

    fn write_everything(&mut self) -> io::Result<()> {
        let target = self.wiring.journal.next_number();
        loop {
            self.write(self.policy())?;
            self.switch_when_complete()?;
            let is_all_written = self.buffer.bytes.is_empty() && self.ahead.bytes.is_empty();
            if is_all_written && self.merger.next_number() >= target {
                return self.sync_now();
            }
            if self.buffer.bytes.is_empty() {
                self.gather();
            }
        }
    }

    /// Goes over to the next file when the present one has all its records.
    fn switch_when_complete(&mut self) -> io::Result<()> {
        let at = self.wiring.switch_at.load(Acquire);
        let is_complete = self.buffer.bytes.is_empty() && self.merger.next_number() >= at;
        if !is_complete || self.next.is_none() {
            return Ok(());
        }
        self.sync_now()?;
        if let Some(switch) = self.next.take() {
            let published = (switch.publish)();
            if published.is_ok() {
                self.file = switch.file;
                self.wiring.status.begin_increment();
            }
            self.buffer = std::mem::take(&mut self.ahead);
            self.wiring.switch_at.store(u64::MAX, Release);
            // Nobody may be waiting any more.
            let _ = switch.done.send(published);
        }
        self.write(self.policy())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use parking_lot::Mutex;
    use tempfile::TempDir;

    use super::super::disk::RealDisk;
    use super::*;
    use crate::config::Config;

    #[derive(Default)]
    struct Listener {
        written: AtomicU64,
        synced: AtomicU64,
        troubles: Mutex<Vec<Option<String>>>,
    }

    impl Audience for Listener {
        fn written(&self, number: u64) {
            self.written.store(number, Relaxed);
        }

        fn synced(&self, number: u64) {
            self.synced.store(number, Relaxed);
        }

        fn trouble(&self, reason: Option<String>) {
            self.troubles.lock().push(reason);
        }
    }

    struct Bench {
        folder: TempDir,
        journal: Journal,
        config: ConfigStore,
        status: AofStatus,
        listener: Listener,
        switch_at: AtomicU64,
    }

    impl Bench {
        fn new(policy: AppendFsync) -> Self {
            let mut config = Config::default();
            config.appendfsync = policy;
            Self {
                folder: TempDir::new().expect("a folder"),
                journal: Journal::new(2),
                config: ConfigStore::new(config),
                status: AofStatus::default(),
                listener: Listener::default(),
                switch_at: AtomicU64::new(u64::MAX),
            }
        }

        fn append(&self, lane: usize, database: usize, text: &str) {
            self.journal
                .append(lane, database, |out| out.extend_from_slice(text.as_bytes()));
            self.journal.ring();
        }

        fn order_switch(
            &self,
            orders: &Sender<Order>,
            path: &Path,
            publish: fn() -> io::Result<()>,
        ) -> Receiver<io::Result<()>> {
            let (done, answer) = channel();
            let switch = Switch {
                file: LogFile::create(&RealDisk, path).expect("a file"),
                publish: Box::new(publish),
                done,
            };
            (orders.send(Order::Switch(switch))).expect("the writer listens");
            self.journal.ring();
            answer
        }

        /// Runs a writer on a file while `work` goes on; gives the answer to the closing.
        fn with_writer(
            &self,
            path: &Path,
            work: impl FnOnce(&Sender<Order>),
        ) -> Result<(), String> {
            let (sender, orders) = channel();
            let wiring = Wiring {
                journal: &self.journal,
                config: &self.config,
                status: &self.status,
                audience: &self.listener,
                switch_at: &self.switch_at,
            };
            let file = LogFile::open(&RealDisk, path).expect("a file");
            std::thread::scope(|scope| {
                scope.spawn(|| Writer::new(wiring, file, 0, orders).run());
                work(&sender);
                let (answer, closed) = channel();
                sender
                    .send(Order::Close(answer))
                    .expect("the writer listens");
                self.journal.ring();
                closed.recv().expect("an answer")
            })
        }
    }

    #[track_caller]
    fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !condition() {
            assert!(Instant::now() < deadline, "still not true: {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    const SELECT_0: &str = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";
    const SELECT_1: &str = "*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n";

    #[test]
    fn every_policy_writes_what_the_journal_has() {
        for policy in [
            AppendFsync::Always,
            AppendFsync::EverySecond,
            AppendFsync::No,
        ] {
            let bench = Bench::new(policy);
            let path = bench.folder.path().join("log");
            let closed = bench.with_writer(&path, |_| {
                bench.append(0, 0, "a");
                bench.append(1, 0, "b");
                bench.append(0, 1, "c");
                eventually("written", || bench.listener.written.load(Relaxed) == 3);
                if policy == AppendFsync::Always {
                    assert_eq!(bench.listener.synced.load(Relaxed), 3);
                }
                bench.append(1, 1, "d");
            });
            assert_eq!(closed, Ok(()));
            let text = fs::read_to_string(&path).expect("the file");
            assert_eq!(text, format!("{SELECT_0}ab{SELECT_1}cd"));
            assert_eq!(bench.status.current_size(), text.len() as u64);
            assert_eq!(bench.listener.synced.load(Relaxed), 4);
        }
    }

    #[test]
    fn everysec_syncs_by_itself() {
        let bench = Bench::new(AppendFsync::EverySecond);
        let closed = bench.with_writer(&bench.folder.path().join("log"), |_| {
            bench.append(0, 0, "a");
            eventually("synced", || bench.listener.synced.load(Relaxed) == 1);
        });
        assert_eq!(closed, Ok(()));
    }

    #[test]
    fn a_full_disk_is_told_once_and_nothing_is_acknowledged() {
        let bench = Bench::new(AppendFsync::Always);
        let closed = bench.with_writer(Path::new("/dev/full"), |_| {
            bench.append(0, 0, "a");
            eventually("trouble", || !bench.listener.troubles.lock().is_empty());
            bench.append(0, 0, "b");
            std::thread::sleep(Duration::from_millis(50));
        });
        assert_eq!(closed, Err("No space left on device".into()));
        let troubles = bench.listener.troubles.lock();
        assert_eq!(*troubles, [Some("No space left on device".into())]);
        assert_eq!(bench.listener.written.load(Relaxed), 0);
        assert!(bench.status.has_write_failed.load(Relaxed));
    }

    #[test]
    fn a_switch_falls_between_two_records() {
        let bench = Bench::new(AppendFsync::No);
        let [old, new] = ["old", "new"].map(|name| bench.folder.path().join(name));
        let closed = bench.with_writer(&old, |orders| {
            bench.append(0, 0, "a");
            let answer = bench.order_switch(orders, &new, || Ok(()));
            std::thread::sleep(Duration::from_millis(20));
            bench.switch_at.store(1, Release);
            bench.append(0, 0, "b");
            bench.append(1, 0, "c");
            assert!(answer.recv().expect("an answer").is_ok());
            bench.append(0, 0, "d");
        });
        assert_eq!(closed, Ok(()));
        let [old, new] = [old, new].map(|path| fs::read_to_string(path).expect("the file"));
        assert_eq!(old, format!("{SELECT_0}a"));
        assert_eq!(new, format!("{SELECT_0}bcd"));
    }

    #[test]
    fn a_switch_that_fails_leaves_the_old_file_in_use() {
        let bench = Bench::new(AppendFsync::Always);
        let [old, new] = ["old", "new"].map(|name| bench.folder.path().join(name));
        let closed = bench.with_writer(&old, |orders| {
            let answer =
                bench.order_switch(orders, &new, || Err(io::ErrorKind::StorageFull.into()));
            bench.append(0, 0, "a");
            bench.switch_at.store(1, Release);
            bench.append(0, 0, "b");
            assert!(answer.recv().expect("an answer").is_err());
            bench.append(0, 0, "c");
        });
        assert_eq!(closed, Ok(()));
        let [old, new] = [old, new].map(|path| fs::read_to_string(path).expect("the file"));
        assert_eq!(old, format!("{SELECT_0}a{SELECT_0}bc"));
        assert_eq!(new, "");
    }
}
