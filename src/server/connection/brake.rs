//! Connections that are not read from until clients which take too much memory have been closed.
//!
//! Without this each of them would fill memory once more before those are seen to: a worker comes to all that can be read
//! before it comes to the same connection again.

use std::cell::{Cell, RefCell};
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Waker};

use super::Connection;

thread_local! {
    /// Those of this worker that wait.
    static HELD: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
    /// How often they have been let go on.
    static ROUND: Cell<u64> = const { Cell::new(1) };
}

/// What a connection knows of the brake.
#[derive(Default)]
pub(super) struct Brake {
    /// The round in which it waits.
    waits_in: u64,
    /// Commands that have been read were left for later.
    pub has_left_commands: bool,
}

/// Lets this worker's connections go on.
pub(in crate::server) fn release() {
    let held = HELD.take();
    ROUND.set(ROUND.get() + 1);
    held.iter().for_each(Waker::wake_by_ref);
}

impl Connection {
    /// Whether others are to be closed first. The connection is then woken when they have been, or after a while.
    #[inline]
    pub(super) fn makes_way(&mut self, context: &Context<'_>) -> bool {
        let is_due = self.server.engine.memory.is_closing_clients();
        if is_due {
            self.make_way(context);
        }
        is_due
    }

    #[cold]
    fn make_way(&mut self, context: &Context<'_>) {
        // Who is to be closed hears of it.
        self.collect_mail();
        self.note_sizes();
        if self.session.client.is_killed.load(Relaxed) {
            context.waker().wake_by_ref();
        } else if self.brake.waits_in != ROUND.get() {
            self.brake.waits_in = ROUND.get();
            HELD.with_borrow_mut(|held| held.push(context.waker().clone()));
        }
    }
}
