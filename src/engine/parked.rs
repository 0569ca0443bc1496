//! Commands that wait, or that go on for long: they leave the worker to others and are looked at again.

use super::Engine;
use super::mailbox::Unblock;
use super::session::Session;
use crate::resp::reply::Reply;

/// What a parked command says when it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It has replied.
    Done,
    /// It has more to do and should be looked at again soon.
    Busy,
    /// It waits for something outside.
    Waiting,
}

/// Whether a wait has been ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It has.
    Yes,
    /// It has just been served, so its reply is on its way.
    Served,
    /// A script keeps everybody from the keys that it waits for; try again later.
    NotNow,
}

/// A command that has not replied yet. Its connection's later commands wait behind it.
pub trait Parked: Send {
    /// Goes on for a little while. Called with a passage through the gate.
    fn resume(&mut self, engine: &Engine, session: &mut Session, reply: &mut Reply) -> Progress;

    /// When it gives up waiting, in Unix milliseconds.
    fn deadline(&self) -> Option<i64> {
        None
    }

    /// Before its wait is ended from outside, or its client is forgotten. Called without a passage through the gate.
    fn end_wait(&mut self, _engine: &Engine) -> Ended {
        Ended::Yes
    }

    /// Its time is up, or somebody ended its wait: writes the reply.
    fn unblock(&mut self, engine: &Engine, session: &mut Session, how: Unblock, reply: &mut Reply);

    /// Whether it must be looked at again when more of the journal has been forced to the disk.
    fn waits_for_disk(&self) -> bool {
        false
    }

    /// Whether CLIENT UNBLOCK may end it, and CLIENT LIST shows it as blocked.
    fn is_blocked(&self) -> bool {
        true
    }
}
