//! The writer by itself, on a real disk.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering::Release;
use std::sync::mpsc::channel;
use std::time::Instant;

use parking_lot::Mutex;
use tempfile::TempDir;

use super::super::disk::{Disk, RealDisk};
use super::super::simulated::{SimulatedDisk, Troubles};
use super::super::status::LATE;
use super::*;
use crate::config::Config;

#[derive(Default)]
struct Listener {
    written: AtomicU64,
    synced: AtomicU64,
    troubles: Mutex<Vec<Option<String>>>,
    /// Clients are expected who do not come.
    is_incomplete: AtomicBool,
}

impl Audience for Listener {
    fn reached(&self, durable: u64, synced: u64) {
        self.written.store(durable, Relaxed);
        self.synced.store(synced, Relaxed);
    }

    fn trouble(&self, reason: Option<String>) {
        self.troubles.lock().push(reason);
    }

    fn is_complete(&self) -> bool {
        !self.is_incomplete.load(Relaxed)
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

    fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        let mut config = Config::clone(&self.config.load());
        change(&mut config);
        self.config = ConfigStore::new(config);
    }

    fn wiring(&self) -> Wiring<'_> {
        Wiring {
            journal: &self.journal,
            config: &self.config,
            status: &self.status,
            audience: &self.listener,
            switch_at: &self.switch_at,
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

    fn with_writer(&self, path: &Path, work: impl FnOnce(&Sender<Order>)) -> Result<(), String> {
        let file = LogFile::open(&RealDisk, path).expect("a file");
        self.with_writer_of(file, |orders, _| work(orders))
    }

    /// Runs a writer on a file while `work` goes on; gives the answer to the closing.
    fn with_writer_of(
        &self,
        file: LogFile,
        work: impl FnOnce(&Sender<Order>, &(dyn Fn() + Sync)),
    ) -> Result<(), String> {
        let (sender, orders) = channel();
        let wiring = self.wiring();
        let writer = Writer::new(file, 0, orders);
        std::thread::scope(|scope| {
            scope.spawn(|| writer.run(wiring));
            work(&sender, &|| writer.commit(wiring));
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
        let answer = bench.order_switch(orders, &new, || Err(io::ErrorKind::StorageFull.into()));
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

#[test]
fn workers_put_what_they_wait_for_on_the_disk_themselves() {
    let bench = Bench::new(AppendFsync::Always);
    let path = bench.folder.path().join("log");
    let file = LogFile::open(&RealDisk, &path).expect("a file");
    let closed = bench.with_writer_of(file, |_, commit| {
        std::thread::scope(|scope| {
            for lane in 0..2 {
                let bench = &bench;
                scope.spawn(move || {
                    for _ in 0..100 {
                        let number = (bench.journal)
                            .append(lane, 0, |out| out.extend_from_slice(b"PING\r\n"));
                        while bench.listener.synced.load(Relaxed) <= number {
                            commit();
                        }
                    }
                });
            }
        });
        assert_eq!(bench.listener.written.load(Relaxed), 200);
    });
    assert_eq!(closed, Ok(()));
    let text = fs::read_to_string(&path).expect("the file");
    assert_eq!(text, format!("{SELECT_0}{}", "PING\r\n".repeat(200)));
}

#[test]
fn on_a_slow_disk_nobody_waits_for_ever_for_those_who_have_left() {
    let bench = Bench::new(AppendFsync::Always);
    let disk = SimulatedDisk::new(1);
    let file = LogFile::open(&disk, Path::new("/log")).expect("a file");
    disk.trouble(Troubles {
        slow: Duration::from_millis(3),
        ..Troubles::default()
    });
    let closed = bench.with_writer_of(file, |_, commit| {
        for round in 0..60 {
            bench.listener.is_incomplete.store(round >= 30, Relaxed);
            for lane in 0..2 {
                bench.journal.append(lane, 0, |out| out.push(b'a'));
            }
            commit();
            let synced = &bench.listener.synced;
            eventually("synced", || synced.load(Relaxed) == (round + 1) * 2);
        }
    });
    assert_eq!(closed, Ok(()));
}

#[test]
fn a_worker_that_meets_a_full_disk_leaves_it_to_the_thread() {
    let bench = Bench::new(AppendFsync::Always);
    let file = LogFile::open(&RealDisk, Path::new("/dev/full")).expect("the device");
    let closed = bench.with_writer_of(file, |_, commit| {
        bench.journal.append(0, 0, |out| out.push(b'a'));
        commit();
        eventually("trouble", || !bench.listener.troubles.lock().is_empty());
        commit();
        assert_eq!(bench.listener.written.load(Relaxed), 0);
    });
    assert_eq!(closed, Err("No space left on device".into()));
}

#[test]
fn a_writer_that_has_ended_takes_no_more_records() {
    let bench = Bench::new(AppendFsync::Always);
    let (sender, orders) = channel();
    let path = bench.folder.path().join("log");
    let writer = Writer::new(LogFile::open(&RealDisk, &path).expect("a file"), 0, orders);
    let wiring = bench.wiring();
    let (answer, closed) = channel();
    sender.send(Order::Close(answer)).expect("it listens");
    bench.journal.ring();
    writer.run(wiring);
    assert_eq!(closed.recv().expect("an answer"), Ok(()));
    bench.journal.append(0, 0, |out| out.push(b'a'));
    writer.commit(wiring);
    assert_eq!(fs::read(&path).expect("the file"), b"");
    assert!(bench.journal.pending() > 0, "it is somebody else's");
}

#[test]
fn syncing_pauses_during_a_rewrite_if_asked_to() {
    let mut bench = Bench::new(AppendFsync::EverySecond);
    bench.configure(|config| config.no_appendfsync_on_rewrite = true);
    let path = bench.folder.path().join("log");
    let closed = bench.with_writer(&path, |_| {
        bench.status.is_rewriting.store(true, Relaxed);
        bench.append(0, 0, "a");
        eventually("written", || bench.listener.written.load(Relaxed) == 1);
        std::thread::sleep(LATE * 2);
        assert_eq!(bench.listener.synced.load(Relaxed), 0);
        assert!(!bench.status.is_behind(), "nothing was promised");
        bench.status.is_rewriting.store(false, Relaxed);
        eventually("synced", || bench.listener.synced.load(Relaxed) == 1);
    });
    assert_eq!(closed, Ok(()));
}

/// What a client was told, and when.
struct Acknowledged {
    number: u64,
    at: Instant,
}

/// Appends for a while as a client does that waits for replies: they wait for the disk once it is late.
fn write_for(bench: &Bench, time: Duration) -> Vec<Acknowledged> {
    let begun = Instant::now();
    let mut acknowledged = Vec::new();
    let mut waiting = std::collections::VecDeque::new();
    while begun.elapsed() < time {
        let number = (bench.journal).append(0, 0, |out| out.extend_from_slice(b"PING\r\n"));
        bench.journal.ring();
        let is_held = bench.status.is_behind();
        waiting.push_back((number, is_held));
        let durable = bench.listener.written.load(Relaxed);
        while let Some((number, is_held)) = waiting.front().copied()
            && (!is_held || number < durable)
        {
            waiting.pop_front();
            let at = Instant::now();
            acknowledged.push(Acknowledged { number, at });
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    acknowledged
}

#[test]
fn everysec_loses_no_more_than_promised_on_a_disk_that_takes_seconds() {
    for round in 0..4u32 {
        let bench = Bench::new(AppendFsync::EverySecond);
        let disk = SimulatedDisk::new(round.into());
        let path = Path::new("/log");
        let file = LogFile::open(&disk, path).expect("a file");
        disk.sync_folder(path).expect("a name");
        disk.trouble(Troubles {
            slow: LATE * (round + 1),
            ..Troubles::default()
        });
        let mut acknowledged = Vec::new();
        let mut found = 0;
        // How it is closed does not matter: the power is gone by then.
        let _ = bench.with_writer_of(file, |_, _| {
            acknowledged = write_for(&bench, LATE * 5 + SLICE * round);
            disk.trouble(Troubles {
                power: Some(0),
                ..Troubles::default()
            });
            let after = disk.after_power_cut();
            let mut text = Vec::new();
            let mut file = after.read(path).expect("the file");
            file.read_to_end(&mut text).expect("its bytes");
            found = (text.len().saturating_sub(SELECT_0.len()) / b"PING\r\n".len()) as u64;
        });
        let lost = acknowledged.iter().find(|told| told.number >= found);
        if let (Some(lost), Some(last)) = (lost, acknowledged.last()) {
            let span = last.at - lost.at;
            assert!(span <= LATE + SLICE, "{span:?} of writes are lost");
        }
        if round > 0 {
            assert!(bench.status.delayed_syncs.load(Relaxed) > 0, "{round}");
        }
        assert!(!acknowledged.is_empty());
    }
}

/// What a moment is to a machine that is busy with other tests.
const SLICE: Duration = Duration::from_millis(60);
