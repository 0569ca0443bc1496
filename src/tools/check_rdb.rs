//! `redis-check-rdb`: goes through a snapshot file and says whether it could be loaded, and if not, why and where.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use crate::base::clock::unix_ms;
use crate::base::machine::error_text;
use crate::base::version::{OXIDIS_VERSION, REDIS_VERSION};
use crate::config::Config;
use crate::persistence::rdb::{Check, Finding, check};

/// Bytes between two signs of progress.
const REPORT_EVERY: u64 = 64 << 20;

/// Runs the tool.
pub(super) fn run(name: &str, arguments: &[OsString]) -> i32 {
    let file = match arguments {
        [one] if one == "-v" || one == "--version" => {
            println!("{name} {REDIS_VERSION} (oxidis {OXIDIS_VERSION})");
            return 0;
        }
        [file] if file != "--help" => Path::new(file),
        _ => {
            eprintln!("Usage: {name} <rdb-file-name>");
            return 1;
        }
    };
    let checked = File::open(file).and_then(|opened| {
        let size = opened.metadata()?.len();
        println!("[offset 0] Checking RDB file {}", file.display());
        show(opened, size, &mut io::stdout().lock())
    });
    match checked {
        Ok(sound) => i32::from(sound.is_none()),
        Err(error) => {
            eprintln!(
                "Cannot open file {}: {}",
                file.display(),
                error_text(&error)
            );
            1
        }
    }
}

/// Checks a file and shows what is found; when it is sound, gives how many bytes it has.
pub(super) fn show(file: File, size: u64, out: &mut dyn Write) -> io::Result<Option<u64>> {
    let progress = Progress::new(size);
    let mut shown = Ok(());
    let Check { fault, tally } = check(file, &Config::default(), unix_ms(), &mut |finding| {
        let written = match finding {
            Finding::Field { offset, name, text } => {
                writeln!(out, "[offset {offset}] AUX FIELD {name} = '{text}'")
            }
            Finding::Database { offset, number } => {
                writeln!(out, "[offset {offset}] Selecting DB ID {number}")
            }
            Finding::Module { offset, name } => {
                writeln!(out, "[offset {offset}] MODULE AUX for: {name}")
            }
            Finding::Unchecked { offset } => writeln!(
                out,
                "[offset {offset}] RDB file was saved with checksum disabled: no check performed."
            ),
            Finding::ChecksumRight { offset } => writeln!(out, "[offset {offset}] Checksum OK"),
            Finding::Progress { offset } => {
                progress.show(offset);
                Ok(())
            }
        };
        if written.is_err() {
            shown = written;
        }
    });
    progress.clear();
    shown?;
    match &fault {
        None => writeln!(out, "[offset {}] \\o/ RDB looks OK! \\o/", tally.bytes)?,
        Some(fault) => {
            writeln!(out, "--- RDB ERROR DETECTED ---")?;
            writeln!(out, "[offset {}] {}", fault.offset, fault.problem)?;
            writeln!(out, "[additional info] While doing: {}", fault.doing)?;
            if let Some((key, kind, name)) = &fault.value {
                writeln!(out, "[additional info] Reading key '{key}'")?;
                writeln!(out, "[additional info] Reading type {kind} ({name})")?;
            }
        }
    }
    writeln!(out, "[info] {} keys read", tally.keys)?;
    writeln!(out, "[info] {} expires", tally.expiring)?;
    writeln!(out, "[info] {} already expired", tally.expired)?;
    Ok(fault.is_none().then_some(tally.bytes))
}

/// A line on the terminal that says how far a long check has come.
struct Progress {
    size: u64,
    is_shown: bool,
}

impl Progress {
    fn new(size: u64) -> Self {
        let is_shown = size > REPORT_EVERY && io::stderr().is_terminal();
        Self { size, is_shown }
    }

    fn show(&self, offset: u64) {
        if self.is_shown {
            eprint!("\r{} %", offset * 100 / self.size.max(1));
        }
    }

    fn clear(&self) {
        if self.is_shown {
            eprint!("\r     \r");
        }
    }
}
