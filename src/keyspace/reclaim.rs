//! Freeing what takes long to free where nobody waits for it: one thread for the whole server, started when first needed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};

use super::entry::{Entry, EntryRef};
use super::sweep::Dropped;
use super::table::Table;

/// Values that are no more work than this are freed on the spot: handing them over would cost as much.
const SMALL_EFFORT: usize = 64;

/// What the thread has to do.
enum Task {
    Free(Garbage),
    /// To be done when all that came before it has been freed.
    Then(Box<dyn FnOnce() + Send>),
}

struct Garbage {
    /// Never looked at again, only dropped.
    what: Box<dyn Send>,
    objects: u64,
    bytes: u64,
}

#[derive(Default)]
struct Counts {
    pending: AtomicU64,
    pending_bytes: AtomicU64,
    freed: AtomicU64,
}

/// The way to the thread that frees.
#[derive(Default)]
pub struct Reclaimer {
    /// Nothing inside when the thread could not be started; then everything is freed on the spot.
    sender: OnceLock<Option<Sender<Task>>>,
    counts: Arc<Counts>,
}

impl Reclaimer {
    /// Whether to free an entry is so little work that it is done on the spot.
    pub(super) fn is_small(entry: EntryRef<'_>) -> bool {
        entry.free_effort() <= SMALL_EFFORT
    }

    /// Frees a removed entry: here when it is small, else in the background.
    pub fn free(&self, entry: Entry) {
        self.free_promised(entry, 0);
    }

    /// Before an entry is removed to make room: counts the bytes that this will free only later, and gives them.
    pub(super) fn promise(&self, entry: EntryRef<'_>) -> u64 {
        if Self::is_small(entry) {
            return 0;
        }
        let bytes = (entry.allocated() + entry.value_allocated()) as u64;
        self.counts.pending_bytes.fetch_add(bytes, Relaxed);
        bytes
    }

    /// Frees a removed entry of which so many bytes were promised.
    pub(super) fn free_promised(&self, entry: Entry, bytes: u64) {
        if !Self::is_small(entry.view()) {
            self.send(Box::new(entry), 1, bytes);
        }
    }

    /// Frees in the background what flushing took out, so many keys.
    pub fn free_flushed(&self, dropped: Dropped, keys: u64) {
        if keys > 0 {
            self.send(Box::new(dropped), keys, 0);
        }
    }

    /// Frees in the background a table that was flushed earlier, when its keys were counted: whoever has it may hold up others.
    pub(super) fn free_table(&self, table: Table) {
        self.send(Box::new(table), 0, 0);
    }

    /// Does something when all has been freed that waits for it now: in the background, or here when there is nothing.
    pub fn then(&self, what: impl FnOnce() + Send + 'static) {
        match self.sender.get() {
            Some(Some(sender)) => {
                // The thread lives as long as this sender, so nothing comes back.
                let _ = sender.send(Task::Then(Box::new(what)));
            }
            _ => what(),
        }
    }

    /// Values and keys that wait to be freed.
    pub fn pending(&self) -> u64 {
        self.counts.pending.load(Relaxed)
    }

    /// Bytes of the evicted ones among them, about.
    pub fn pending_bytes(&self) -> u64 {
        self.counts.pending_bytes.load(Relaxed)
    }

    /// Values and keys freed in the background so far.
    pub fn freed(&self) -> u64 {
        self.counts.freed.load(Relaxed)
    }

    /// Counts from zero again (CONFIG RESETSTAT).
    pub fn reset(&self) {
        self.counts.freed.store(0, Relaxed);
    }

    fn send(&self, what: Box<dyn Send>, objects: u64, bytes: u64) {
        if let Some(sender) = self.sender.get_or_init(|| start(&self.counts)) {
            self.counts.pending.fetch_add(objects, Relaxed);
            // The thread lives as long as this sender, so nothing comes back.
            let _ = sender.send(Task::Free(Garbage {
                what,
                objects,
                bytes,
            }));
        } else {
            self.counts.pending_bytes.fetch_sub(bytes, Relaxed);
        }
    }
}

/// Starts the thread; it ends when its sender is dropped.
fn start(counts: &Arc<Counts>) -> Option<Sender<Task>> {
    let (sender, receiver) = channel();
    let counts = counts.clone();
    let thread = std::thread::Builder::new().name("lazy-free".into());
    match thread.spawn(move || run(receiver, &counts)) {
        Ok(_) => Some(sender),
        Err(error) => {
            tracing::warn!("Memory is freed in the foreground, for want of a thread: {error}");
            None
        }
    }
}

fn run(receiver: Receiver<Task>, counts: &Counts) {
    for task in receiver {
        let Garbage {
            what,
            objects,
            bytes,
        } = match task {
            Task::Free(garbage) => garbage,
            Task::Then(what) => {
                what();
                continue;
            }
        };
        drop(what);
        counts.pending_bytes.fetch_sub(bytes, Relaxed);
        counts.freed.fetch_add(objects, Relaxed);
        counts.pending.fetch_sub(objects, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{AccessClock, Db, Expiry, Key, Keyspace, Moment, Notes, Value};
    use crate::structures::hash::{Hash, Lifetime, Limits};

    #[test]
    fn only_what_is_big_is_freed_in_the_background() {
        let reclaimer = Reclaimer::default();
        reclaimer.free(Entry::new(b"small", Value::Str(b"text"), None, 0));
        assert!(reclaimer.sender.get().is_none());
        reclaimer.free(Entry::new(
            b"big",
            Value::Str(&vec![b'x'; 4 << 20]),
            None,
            0,
        ));
        while reclaimer.pending() > 0 {
            std::thread::yield_now();
        }
        assert_eq!(reclaimer.freed(), 1);
    }

    /// A hash that takes long to free.
    fn big() -> Hash {
        let (mut hash, limits) = (
            Hash::default(),
            Limits {
                entries: 1,
                value: 1,
            },
        );
        for n in 0..1000 {
            hash.set(
                n.to_string().as_bytes(),
                b"value",
                Lifetime::Endless,
                &limits,
            );
        }
        hash
    }

    #[test]
    fn what_comes_behind_waits_until_all_has_been_freed() {
        struct Slow(Arc<AtomicU64>);
        impl Drop for Slow {
            fn drop(&mut self) {
                std::thread::sleep(std::time::Duration::from_millis(20));
                self.0.fetch_add(1, Relaxed);
            }
        }
        let (reclaimer, freed) = (Reclaimer::default(), Arc::new(AtomicU64::new(0)));
        let (sender, receiver) = channel();
        let then = |reclaimer: &Reclaimer| {
            let (sender, freed) = (sender.clone(), freed.clone());
            reclaimer.then(move || sender.send(freed.load(Relaxed)).expect("it is awaited"));
        };
        then(&reclaimer);
        assert_eq!(receiver.try_recv(), Ok(0));
        for _ in 0..3 {
            reclaimer.send(Box::new(Slow(freed.clone())), 1, 0);
        }
        then(&reclaimer);
        assert_eq!(receiver.recv(), Ok(3));
    }

    #[test]
    fn what_overwrites_or_expires_a_big_value_has_it_freed_in_the_background() {
        let (keyspace, key) = (Keyspace::new(1, 1), Key::new(b"key"));
        let (mut scope, mut notes) = (keyspace.lock_one(key.shard()), Notes::default());
        let moment = Moment {
            now: 1_000_000,
            access: AccessClock::lru(1_000_000),
            no_touch: false,
            ignore_expiry: false,
            keeps_expired: false,
        };
        let mut db = Db::new(&mut scope, &mut notes, 0, moment);
        db.store(key, big());
        db.store(key, big());
        db.set(key, Value::Int(1), Expiry::Clear);
        db.store(key, big());
        db.set_raw(key, b"text".to_vec());
        db.store(key, big());
        db.set_expiry(key, Some(1));
        assert!(db.peek(key).is_none());
        while keyspace.reclaimer().pending() > 0 {
            std::thread::yield_now();
        }
        assert_eq!(keyspace.reclaimer().freed(), 4);
    }
}
