//! HyperLogLogs: how many different elements there were, roughly. The commands stand in `table`.

mod table;

pub use table::COMMANDS;
