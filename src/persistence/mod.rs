//! Files that keep the data: the append-only file in the parts that Redis 7 makes of it. Start with `manifest`, then
//! `writer`, then `load`.
//!
//! Knows no command but those that the file format itself has (SELECT, MULTI, EXEC), no client and no worker.

mod base;
mod file;
mod list;
mod load;
mod manifest;
pub mod rdb;
mod reader;
mod status;
mod streams;
mod writer;

pub use base::{Encoder, write_base};
pub use file::{Folder, LogFile};
pub use load::{LoadError, Loaded, Player, Refusal, load, total_size};
pub use manifest::{Kind, Manifest, ManifestError, Part};
pub use status::AofStatus;
pub use writer::{Audience, Order, Wiring, Writer};
