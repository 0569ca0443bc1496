//! Files that keep the data: the append-only file in the parts that Redis 7 makes of it. Start with `manifest`, then
//! `writer`, then `load`.
//!
//! Knows no command but those that the file format itself has (SELECT, MULTI, EXEC), no client and no worker.

mod base;
#[cfg(test)]
mod crash_tests;
mod disk;
mod file;
mod load;
mod manifest;
pub mod rdb;
mod reader;
mod rewrite;
#[cfg(test)]
mod simulated;
mod status;
mod writer;

pub use base::{Base, Shown, save_base, write_base};
pub use disk::{Disk, DiskFile, Input, RealDisk};
pub use file::{Folder, LogFile};
pub use load::{BadSnapshot, LoadError, Loaded, Player, Refusal, load, total_size};
pub use manifest::{Kind, Manifest, ManifestError, Part};
pub use rewrite::{Helm, Rewritten, Source};
pub use status::{AofStatus, Job, Jobs, SnapshotStatus};
pub use writer::{Audience, Order, Switch, Wiring, Writer};
