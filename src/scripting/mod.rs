//! Lua: scripts and functions. What Redis's users see of it is in `commands`, how a script's commands are run in
//! `engine`; here live the interpreter, its sandbox and its libraries.

pub mod lib;
