//! Bitmaps: strings seen as rows of bits. The commands stand in `table`.

mod table;

pub use table::COMMANDS;
