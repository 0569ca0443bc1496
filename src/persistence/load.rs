//! Loading: all parts of the log, in order, are given to a player; the last one's torn end is cut off.

mod play;

use std::io;
use std::time::Instant;

use thiserror::Error;

use super::disk::Input;
use super::file::Folder;
use super::manifest::Manifest;
use crate::base::machine::error_text;
use crate::resp::args::Args;

/// Runs what is loaded.
pub trait Player {
    /// Runs a command in a database.
    fn run(&mut self, database: usize, args: Args<'_>) -> Result<(), Refusal>;
    /// Takes all data from a snapshot; gives how many bytes it has.
    fn snapshot(&mut self, input: &mut dyn Input) -> Result<u64, BadSnapshot>;
    /// Hears how many more bytes have been read; false ends the loading.
    fn progress(&mut self, bytes: u64) -> bool;
}

/// Where a snapshot cannot be read on, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct BadSnapshot {
    pub offset: u64,
    pub reason: String,
}

/// Why a command stops the loading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such command.
    UnknownCommand,
    /// Anything else.
    Because(String),
}

/// Why the data cannot be loaded.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum LoadError {
    #[error("Fatal error: can't open the append log file {file} for reading: {reason}")]
    Open { file: String, reason: String },
    #[error("Unrecoverable error reading the append only file {file} at offset {offset}: {reason}")]
    Unreadable {
        file: String,
        offset: u64,
        reason: String,
    },
    #[error(
        "Bad file format reading the append only file {file} at offset {offset} ({reason}): make a backup of your AOF file, then use redis-check-aof --fix"
    )]
    Format {
        file: String,
        offset: u64,
        reason: String,
    },
    #[error("Unknown command '{name}' reading the append only file {file} at offset {offset}")]
    UnknownCommand {
        file: String,
        offset: u64,
        name: String,
    },
    #[error(
        "Command '{name}' refused reading the append only file {file} at offset {offset}: {reason}"
    )]
    Refused {
        file: String,
        offset: u64,
        name: String,
        reason: String,
    },
    #[error(
        "Unexpected end of file reading the append only file {file}: its last {bytes} bytes, from offset {offset} on, are incomplete. Make a backup of your AOF file, then use redis-check-aof --fix, or set the 'aof-load-truncated' configuration option to yes and restart the server."
    )]
    Torn {
        file: String,
        offset: u64,
        bytes: u64,
    },
    #[error(
        "Fatal error: the truncated file is not the last file: {file} is incomplete from offset {offset} on"
    )]
    TornBeforeLast { file: String, offset: u64 },
    #[error("Error truncating the AOF file {file} at offset {offset}: {reason}")]
    Truncate {
        file: String,
        offset: u64,
        reason: String,
    },
    #[error(
        "Error reading the RDB preamble of the AOF file {file} at offset {offset}, AOF loading aborted: {reason}"
    )]
    Snapshot {
        file: String,
        offset: u64,
        reason: String,
    },
    #[error("The loading was stopped")]
    Stopped,
}

/// What was loaded.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Bytes of all parts.
    pub bytes: u64,
    /// Bytes of the base.
    pub base_bytes: u64,
    /// Commands run.
    pub commands: u64,
}

/// The sizes of all parts together, so that progress can be told.
pub fn total_size(folder: &Folder, manifest: &Manifest) -> Result<u64, LoadError> {
    let sizes = manifest.parts().map(|part| size_of(folder, &part.name));
    sizes.sum()
}

/// Loads all parts. The last one may end in the middle of a command when `truncates`; it is then cut off there.
pub fn load(
    folder: &Folder,
    manifest: &Manifest,
    truncates: bool,
    player: &mut dyn Player,
) -> Result<Loaded, LoadError> {
    let mut loaded = Loaded::default();
    for (index, part) in manifest.parts().enumerate() {
        let is_base = index == 0 && manifest.base.is_some();
        let started = Instant::now();
        let size = size_of(folder, &part.name)?;
        let file = folder.disk().read(&folder.file(&part.name));
        let file = file.map_err(|error| open_error(&part.name, &error))?;
        let played = play::play_file(&part.name, file, size, player)?;
        if let Some(offset) = played.torn {
            let mut later = manifest.parts().skip(index + 1);
            // A crash may have come just when the log was about to go on in a new file.
            let is_last = later.all(|part| size_of(folder, &part.name).is_ok_and(|size| size == 0));
            let torn = TornEnd {
                file: part.name.clone(),
                offset,
                bytes: played.bytes - offset,
            };
            torn.cut(folder, is_last, truncates)?;
        }
        let bytes = played.torn.unwrap_or(played.bytes);
        loaded.bytes += bytes;
        loaded.commands += played.commands;
        if is_base {
            loaded.base_bytes = bytes;
        }
        tracing::info!(
            "DB loaded from {} file {}: {:.3} seconds",
            if is_base { "base" } else { "incr" },
            part.name,
            started.elapsed().as_secs_f64()
        );
    }
    Ok(loaded)
}

fn open_error(name: &str, error: &io::Error) -> LoadError {
    LoadError::Open {
        file: name.into(),
        reason: error_text(error),
    }
}

fn size_of(folder: &Folder, name: &str) -> Result<u64, LoadError> {
    let size = folder.disk().length(&folder.file(name));
    size.map_err(|error| open_error(name, &error))
}

/// The end of a file where a command is not complete.
struct TornEnd {
    file: String,
    offset: u64,
    bytes: u64,
}

impl TornEnd {
    /// Cuts it off where that is allowed.
    fn cut(self, folder: &Folder, is_last: bool, truncates: bool) -> Result<(), LoadError> {
        let Self {
            file,
            offset,
            bytes,
        } = self;
        if !is_last {
            return Err(LoadError::TornBeforeLast { file, offset });
        }
        if !truncates {
            return Err(LoadError::Torn {
                file,
                offset,
                bytes,
            });
        }
        tracing::warn!(
            "!!! Warning: short read while loading the AOF file {file}: truncating it at offset {offset}, its last {bytes} bytes are incomplete !!!"
        );
        let part = folder.disk().append(&folder.file(&file));
        part.and_then(|part| part.cut(offset).and_then(|()| part.sync()))
            .map_err(|error| LoadError::Truncate {
                file: file.clone(),
                offset,
                reason: error_text(&error),
            })?;
        tracing::warn!("AOF {file} loaded anyway because aof-load-truncated is enabled");
        Ok(())
    }
}
