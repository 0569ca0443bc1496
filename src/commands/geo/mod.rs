//! Places on the earth, kept in sorted sets. The commands stand in `table`.

mod table;

pub use table::COMMANDS;
