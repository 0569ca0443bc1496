//! Lists. The commands stand in `table`.

mod table;

pub use table::COMMANDS;
