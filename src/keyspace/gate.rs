//! The gate: a big-reader lock. A worker passes its own lane for each batch at the cost of one uncontended atomic
//! operation; who needs the whole keyspace at rest takes all lanes and is alone.
//!
//! Order: a lane first, then shards. Whoever wants all lanes gives up its own before it waits, so two of them cannot wait
//! for each other. Nobody holds a lane across an `.await`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_utils::CachePadded;
use parking_lot::{Mutex, MutexGuard};

/// Time between two looks at whether waiting has become pointless.
const PATIENCE: Duration = Duration::from_millis(5);

/// One lane per worker, and one for background work.
pub struct Gate {
    lanes: Box<[CachePadded<Mutex<()>>]>,
    /// How many wait for all lanes; newcomers let them go first.
    waiting: AtomicUsize,
    queue: Mutex<()>,
    /// Whether whoever is alone will be so for long. Workers do not wait then: they have clients to talk to.
    is_stuck: AtomicBool,
}

/// Passage through one lane: nobody is alone in the keyspace meanwhile.
pub struct Passage<'g>(#[allow(dead_code)] MutexGuard<'g, ()>);

/// All lanes: nobody else is in the keyspace.
pub struct Alone<'g> {
    lanes: Vec<MutexGuard<'g, ()>>,
    _queue: MutexGuard<'g, ()>,
}

impl Gate {
    /// A gate with this many lanes.
    pub fn new(lanes: usize) -> Self {
        Self {
            lanes: (0..lanes)
                .map(|_| CachePadded::new(Mutex::new(())))
                .collect(),
            waiting: AtomicUsize::new(0),
            queue: Mutex::new(()),
            is_stuck: AtomicBool::new(false),
        }
    }

    /// Passes through a lane; waits while somebody is alone or about to be.
    #[inline]
    pub fn pass(&self, lane: usize) -> Passage<'_> {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            // Whoever waits for all lanes holds the queue until done; let it go first.
            drop(self.queue.lock());
        }
        Passage(self.lanes[lane].lock())
    }

    /// Passes through a lane, or gives up when somebody is alone for long. For workers, which never wait for that: it may be
    /// their own thread that will end it.
    #[inline]
    pub fn pass_unless_stuck(&self, lane: usize) -> Option<Passage<'_>> {
        if self.waiting.load(Ordering::Relaxed) == 0
            && let Some(passage) = self.lanes[lane].try_lock()
        {
            return Some(Passage(passage));
        }
        self.pass_slowly(lane)
    }

    #[cold]
    fn pass_slowly(&self, lane: usize) -> Option<Passage<'_>> {
        while !self.is_stuck() {
            if self.waiting.load(Ordering::Relaxed) > 0
                && self.queue.try_lock_for(PATIENCE).is_none()
            {
                continue;
            }
            if let Some(passage) = self.lanes[lane].try_lock_for(PATIENCE) {
                return Some(Passage(passage));
            }
        }
        None
    }

    /// Like [`Gate::alone`], but gives up when somebody else is alone for long.
    pub fn alone_unless_stuck(&self) -> Option<Alone<'_>> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let mut queue = None;
        while queue.is_none() && !self.is_stuck() {
            queue = self.queue.try_lock_for(PATIENCE);
        }
        let lanes = queue
            .is_some()
            .then(|| self.lanes.iter().map(|lane| lane.lock()).collect());
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(Alone {
            lanes: lanes?,
            _queue: queue?,
        })
    }

    /// Whoever is alone says that this will take long, or that it is over.
    pub fn set_stuck(&self, is_stuck: bool) {
        self.is_stuck.store(is_stuck, Ordering::Relaxed);
    }

    /// Whether somebody is alone for long.
    pub fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Relaxed)
    }

    /// Waits until everybody has left and keeps them out. The caller must hold no passage.
    pub fn alone(&self) -> Alone<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let queue = self.queue.lock();
        let lanes = self.lanes.iter().map(|lane| lane.lock()).collect();
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Alone {
            lanes,
            _queue: queue,
        }
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.lanes.clear();
    }
}
