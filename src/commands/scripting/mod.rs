//! Scripts and functions: EVAL and FCALL with their variants, SCRIPT, FUNCTION.
//!
//! Whatever is called may touch any key, so it runs alone behind the gate. `call.rs` has what the ways to call have in
//! common.

mod call;
mod eval;
mod function;
mod function_list;
mod script;
mod table;

pub use table::COMMANDS;
