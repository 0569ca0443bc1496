//! What a running script asks of the server.

use crate::resp::args::Args;
use crate::resp::reply::Reply;

/// How grave a line is that a script logs.
pub type Level = crate::base::severity::Severity;

/// The server, as a running script sees it.
pub trait Host {
    /// Runs a command. Its reply goes to `reply`, in the version that this is set to; an error line, code word first, is
    /// returned instead and has been counted.
    fn call(&mut self, args: Args<'_>, reply: &mut Reply) -> Result<(), Vec<u8>>;

    /// Whether the caller may run a command; `None` if there is no such command.
    fn may_call(&mut self, args: Args<'_>) -> Option<bool>;

    /// Whether the effects of what follows go to the append-only file.
    fn set_journaled(&mut self, on: bool);

    /// An error has become a reply, or a part of one; whether it has been counted when it arose, in a command.
    fn note_error(&mut self, line: &[u8], is_counted: bool);

    /// Called every now and then while Lua runs: says why it must stop.
    fn interrupt(&mut self) -> Option<&'static str>;
}
