//! Lua: scripts and functions. What Redis's users see of them is in `commands/scripting`, how a script's commands are run
//! in `engine/script.rs`; here live the interpreter with its sandbox (`vm`), the libraries that scripts find (`lib`),
//! the lists of what was loaded (`cache`, `functions`), and what can be told of a script beforehand (`reach`).
//!
//! Knows commands only as something that a [`Host`] runs. Read `vm/mod.rs` first.

mod cache;
mod functions;
mod header;
mod host;
pub mod lib;
mod memory;
mod pattern;
mod random;
pub mod reach;
mod vm;

pub use cache::{Digest, Keep, Reach, Script, Scripts, digest_of, digest_of_script, parse_digest};
pub use functions::{Found, Function, Functions, LOAD_LIMIT, Libraries, Library, Policy};
pub use header::{ScriptFlags, declared};
pub use host::{Host, Level};
pub use memory::{vm_eval, vm_functions};
pub use vm::{
    Failure, Inputs, LONGEST_EXPLORED, NotCompiled, compile, forget_scripts, is_confined,
    run_script,
};
