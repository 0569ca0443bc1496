//! Scripts and functions: EVAL and FCALL with their variants, SCRIPT, FUNCTION.
//!
//! Whatever is called may touch any key, so it runs alone behind the gate, but for scripts that have been proven to keep to
//! the keys that they declare. `call.rs` has what the ways to call have in
//! common.

mod call;
mod eval;
mod function;
mod function_list;
mod script;
mod table;
#[cfg(test)]
mod tests;

pub use table::COMMANDS;
