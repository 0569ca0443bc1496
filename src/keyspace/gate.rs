//! The gate: a big-reader lock. A worker passes its own lane for each batch at the cost of one uncontended atomic
//! operation; who needs the whole keyspace at rest takes all lanes and is alone.
//!
//! Order: a lane first, then shards. Whoever wants all lanes gives up its own before it waits, so two of them cannot wait
//! for each other. Nobody holds a lane across an `.await`.

use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;
use parking_lot::{Mutex, MutexGuard};

/// One lane per worker, and one for background work.
pub struct Gate {
    lanes: Box<[CachePadded<Mutex<()>>]>,
    /// How many wait for all lanes; newcomers let them go first.
    waiting: AtomicUsize,
    queue: Mutex<()>,
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
