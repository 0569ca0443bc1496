//! What a script can reach, read from its compiled code before it runs.
//!
//! Most scripts are a few calls of commands on `KEYS[1]` and its like. Of such a one can be proven that it never touches
//! a key that it does not declare, and that it is over soon; it needs no more than the locks of its keys then. The proof
//! is about the code that runs, not about its text: every instruction is followed with what is known of the registers
//! (`flow`), and whatever the proof does not understand ends it. So it costs nothing to be careful: a script without a
//! proof runs as all scripts did.
//!
//! - `bytecode`: the compiled code as Lua writes it out;
//! - `names`: the functions that a proven script may call, and what is known of them;
//! - `flow`: the proof.
//!
//! Knows no commands: what a script calls is told ([`Called`]) to somebody who does.

mod bytecode;
mod flow;
mod names;
#[cfg(test)]
mod tests;

use bytecode::Code;

/// What is known of one word of a command that a script calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Always this.
    Text(Box<[u8]>),
    /// One of the keys that the script declares, or nothing, and then the call fails.
    Key,
    /// Nothing is known.
    Other,
}

/// A call of a command as it stands in a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Its words.
    pub words: Vec<Word>,
    /// What any number of words may follow them.
    pub rest: Option<Word>,
    /// Whether it stands in a loop.
    pub is_repeated: bool,
    /// Whether that has many rounds, whatever the script is given.
    pub is_repeated_often: bool,
}

/// The globals that a script may use of which this can be told; besides, it has `KEYS` and `ARGV`. It changes none of them,
/// nor what it finds there, and does nothing with a library but to take values from it by their names.
pub fn known_globals() -> impl Iterator<Item = &'static str> {
    names::globals()
}

/// All that a script calls, given its code as Lua writes it out. `None` where that cannot be told, or where the script might
/// go on for long by itself.
pub fn calls(dump: &[u8]) -> Option<Vec<Called>> {
    flow::calls(&Code::parse(dump)?)
}
