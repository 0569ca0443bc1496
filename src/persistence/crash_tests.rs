//! Lives of a log on a disk that fails, each ended by a power cut: what was acknowledged is found again, and nothing that was
//! never written. The data is just a number: commands count it up by one, a base tells it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc::channel;
use std::time::Duration;

use parking_lot::Mutex;

use super::base::{Base, Shown, save_base};
use super::disk::Input;
use super::disk::{Disk, append_all};
use super::file::Folder;
use super::load::{BadSnapshot, Player, Refusal, load};
use super::rdb;
use super::rewrite::{Helm, Source};
use super::simulated::{SimulatedDisk, Troubles};
use super::status::AofStatus;
use super::writer::{Audience, Order, Wiring, Writer};
use crate::base::numbers::parse_i64;
use crate::config::{AppendFsync, Config, ConfigStore};
use crate::journal::{Journal, write_command};
use crate::keyspace::{
    AccessClock, Cursor, Db, Expiry, Key, Keyspace, Moment, Notes, Value, ValueRef,
};
use crate::resp::args::Args;

/// Plays a log.
#[derive(Default)]
struct Counter(i64);

impl Player for Counter {
    fn run(&mut self, _: usize, args: Args<'_>) -> Result<(), Refusal> {
        let number = parse_i64(args.at(1)).ok_or(Refusal::UnknownCommand)?;
        if args.is(0, "COUNT") && number == self.0 {
            self.0 += 1;
        } else if args.is(0, "BASE") {
            self.0 = number;
        } else {
            return Err(Refusal::Because(format!("{number} after {}", self.0)));
        }
        Ok(())
    }

    fn snapshot(&mut self, _: &mut dyn Input) -> Result<u64, BadSnapshot> {
        Ok(0)
    }

    fn progress(&mut self, _: u64) -> bool {
        true
    }
}

#[derive(Default)]
struct Acknowledged {
    written: AtomicU64,
    synced: AtomicU64,
}

impl Audience for Acknowledged {
    fn reached(&self, durable: u64, synced: u64) {
        self.written.store(durable, SeqCst);
        self.synced.store(synced, SeqCst);
    }

    fn trouble(&self, _: Option<String>) {}
}

/// The data of a life that began with a number.
struct Data<'a> {
    folder: &'a Folder,
    journal: &'a Journal,
    first: i64,
    /// Held while a record is appended.
    gate: Mutex<()>,
    ends: AtomicBool,
}

impl Source for Data<'_> {
    fn write(&self, path: &Path, meanwhile: &dyn Fn()) -> anyhow::Result<u64> {
        let number = {
            let _alone = self.gate.lock();
            meanwhile();
            self.first + self.journal.next_number() as i64
        };
        let file = self.folder.disk().create(path)?;
        let text = encode("BASE", number);
        append_all(&*file, &text)?;
        file.sync()?;
        Ok(text.len() as u64)
    }

    fn is_rdb(&self) -> bool {
        false
    }

    fn is_wanted(&self) -> bool {
        !self.ends.load(Relaxed)
    }
}

fn encode(word: &str, number: i64) -> Vec<u8> {
    let mut out = Vec::new();
    let number = number.to_string();
    write_command(&mut out, [word.as_bytes(), number.as_bytes()].into_iter());
    out
}

/// What a life has left.
struct Left {
    /// The number that must be found, and the one that must not be exceeded.
    least: i64,
    most: i64,
}

/// Appends records while a rewrite may go on, until there are `count` of them or the power is gone. Some are put on the disk by
/// whoever appends them.
fn append(data: &Data<'_>, disk: &SimulatedDisk, count: u64, commit: &dyn Fn()) {
    for number in 0..count {
        if disk.is_dark() {
            return;
        }
        {
            let _passage = data.gate.lock();
            let record = encode("COUNT", data.first + number as i64);
            data.journal
                .append(0, 0, |out| out.extend_from_slice(&record));
        }
        if number % 5 < 2 {
            commit();
        } else {
            data.journal.ring();
        }
        if number % 3 == 0 {
            std::thread::sleep(Duration::from_micros(300));
        }
    }
}

/// Rewrites again and again.
fn rewrite(data: &Data<'_>, helm: &Helm, disk: &SimulatedDisk) {
    while data.is_wanted() && !disk.is_dark() {
        if let Ok(mut rewritten) = data.folder.rewrite(helm, data.journal, data) {
            // What stays does no harm.
            let _ = data.folder.remove_history(&mut rewritten.manifest);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// One life: load, go on, fail. Gives what the next life has to find.
fn live(disk: &SimulatedDisk, config: &Config, before: &Left, troubles: Troubles) -> Left {
    let folder = Folder::on(config, Arc::new(disk.clone()));
    let mut counter = Counter::default();
    let mut manifest = folder.read_manifest().expect("a good manifest");
    load(&folder, &manifest, true, &mut counter).expect("files that can be loaded");
    let found = counter.0;
    assert!(
        (before.least..=before.most).contains(&found),
        "{} was acknowledged, {} written, {found} found",
        before.least,
        before.most
    );
    let journal = Journal::new(1);
    let data = Data {
        folder: &folder,
        journal: &journal,
        first: found,
        gate: Mutex::default(),
        ends: AtomicBool::new(false),
    };
    let count = u64::from(troubles.power.unwrap_or(100)).min(150);
    disk.trouble(troubles);
    let none = Left {
        least: found,
        most: found,
    };
    let Ok((file, _)) = folder.open(&mut manifest, &data) else {
        return none;
    };
    let config = ConfigStore::new(config.clone());
    let (status, told) = (AofStatus::default(), Acknowledged::default());
    let (orders, inbox) = channel();
    let helm = Helm {
        orders,
        switch_at: Arc::new(AtomicU64::new(u64::MAX)),
    };
    let wiring = Wiring {
        journal: &journal,
        config: &config,
        status: &status,
        audience: &told,
        switch_at: &helm.switch_at,
    };
    let writer = Writer::new(file, 0, inbox);
    std::thread::scope(|scope| {
        let writer = &writer;
        scope.spawn(move || writer.run(wiring));
        scope.spawn(|| rewrite(&data, &helm, disk));
        append(&data, disk, count, &|| writer.commit(wiring));
        data.ends.store(true, Relaxed);
        let (answer, closed) = channel();
        (helm.orders.send(Order::Close(answer))).expect("the writer listens");
        journal.ring();
        // On a disk that fails this fails.
        let _ = closed.recv().expect("an answer");
    });
    let safe = told.synced.load(SeqCst);
    if config.load().appendfsync == AppendFsync::Always {
        assert_eq!(safe, told.written.load(SeqCst), "replies wait for the disk");
    }
    Left {
        least: found + safe as i64,
        most: found + journal.next_number() as i64,
    }
}

/// What a snapshot file holds, if there is one.
fn stored(disk: &SimulatedDisk, path: &Path) -> Option<i64> {
    let file = disk.read(path).ok()?;
    let keyspace = Keyspace::new(1, 3);
    let config = Config::default();
    let options = rdb::Options {
        limits: rdb::Limits::of(&config),
        access: AccessClock::lru(0),
        now: 0,
        sums: true,
        drops_expired: false,
        replaces: false,
        workers: 2,
        delay: 0,
    };
    rdb::load(file, &keyspace, options, &mut Deaf).expect("a whole snapshot");
    assert_eq!(keyspace.len(0), KEYS as usize);
    let mut found = None;
    let mut cursor = Some(Cursor::START);
    while let Some(at) = cursor {
        cursor = keyspace.nothing().scan(0, at, 100, i64::MIN, |entry| {
            let ValueRef::Int(number) = entry.value() else {
                panic!("a number");
            };
            assert!(found.is_none_or(|known| known == number), "two moments");
            found = Some(number);
        });
    }
    found
}

struct Deaf;

impl rdb::Listener for Deaf {
    fn field(&mut self, _: &[u8], _: &[u8]) {}

    fn function(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn module_data(&mut self, _: rdb::ModuleName) {}

    fn progress(&mut self, _: u64) -> bool {
        true
    }
}

const KEYS: i64 = 500;

/// Saves a snapshot in which every key holds this number.
fn save(disk: &SimulatedDisk, path: &Path, number: i64) -> bool {
    let keyspace = Keyspace::new(1, 2);
    for key in 0..KEYS {
        let (key, _passage) = (key.to_string(), keyspace.gate().pass(0));
        let key = Key::new(key.as_bytes());
        let (mut scope, mut notes) = (keyspace.lock_one(key.shard()), Notes::default());
        let moment = Moment {
            now: 0,
            access: AccessClock::lru(0),
            no_touch: false,
            ignore_expiry: true,
            keeps_expired: false,
        };
        let mut db = Db::new(&mut scope, &mut notes, 0, moment);
        db.set(key, Value::Int(number), Expiry::Clear);
    }
    let base = Arc::new(Base::rdb(rdb::Preamble::default(), true));
    let keep = Arc::new(Shown(base.clone()));
    let snapshot = {
        let alone = keyspace.gate().alone();
        keyspace.cut(&alone, 1, keep).expect("the only copy")
    };
    let temporary = path.with_extension("temp");
    save_base(disk, [path, &temporary], snapshot, &base, &|_| true).is_ok()
}

#[test]
fn a_snapshot_file_is_always_whole() {
    let path = Path::new("/data/dump.rdb");
    let mut disk = SimulatedDisk::new(17);
    let mut last = None;
    for round in 0..400u32 {
        disk.trouble(Troubles {
            full: [0, 3][round as usize % 2],
            broken: [0, 0, 3][round as usize % 3],
            refused: [0, 0, 0, 4][round as usize % 4],
            power: Some(1 + round % 9),
            ..Troubles::default()
        });
        let number = i64::from(round);
        let is_saved = save(&disk, path, number);
        disk = disk.after_power_cut();
        let found = stored(&disk, path);
        // A failure may have come after the fact.
        let is_old = found == last && !is_saved;
        assert!(found == Some(number) || is_old, "{found:?} in {round}");
        last = found;
    }
    assert!(last.is_some(), "some were saved");
}

fn lives(policy: AppendFsync, seed: u64, troubles: impl Fn(u32) -> Troubles) {
    let rounds = std::env::var("OXIDIS_POWER_CUTS").ok();
    let rounds = rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(60);
    let mut config = Config::default();
    config.appendfsync = policy;
    let mut disk = SimulatedDisk::new(seed);
    let mut left = Left { least: 0, most: 0 };
    for round in 0..rounds {
        left = live(&disk, &config, &left, troubles(round));
        disk = disk.after_power_cut();
    }
}

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    for policy in [
        AppendFsync::Always,
        AppendFsync::EverySecond,
        AppendFsync::No,
    ] {
        lives(policy, 7, |round| Troubles {
            power: Some(3 + round * 7 % 160),
            ..Troubles::default()
        });
    }
}

#[test]
fn nor_does_a_disk_that_is_full_at_times_or_cannot_be_forced() {
    lives(AppendFsync::Always, 11, |round| Troubles {
        full: 4,
        broken: 12,
        power: Some(20 + round * 11 % 300),
        ..Troubles::default()
    });
}

#[test]
fn nor_does_a_disk_that_refuses_to_rename_and_remove() {
    lives(AppendFsync::Always, 13, |round| Troubles {
        full: 6,
        refused: 5,
        power: Some(20 + round * 13 % 300),
        ..Troubles::default()
    });
}
