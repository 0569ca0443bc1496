//! `redis-check-aof`: says whether the parts of an append-only file are whole, and cuts off the end of the last one where it
//! is not, or where it goes beyond a time. Speaks as Redis's tool does, since scripts read what that says.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::Path;

use super::check_rdb;
use crate::base::machine::error_text;
use crate::persistence::Manifest;

/// Bytes of the longest line that holds a number.
const NUMBER_LINE: u64 = 127;
/// Bytes of the longest annotation.
const ANNOTATION_LINE: u64 = 1023;
/// Bytes of the shortest snapshot header.
const RDB_HEADER: u64 = 8;
/// Bytes of an argument that are looked at.
const NAME: usize = 8;

/// What is to be done.
#[derive(Debug, Default)]
struct Task<'a> {
    fixes: bool,
    timestamp: i64,
    path: &'a str,
}

/// Ends the tool: what there was to say has been said.
struct Failed;

type Checked<T> = Result<T, Failed>;

/// What became of one file.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Valid,
    Empty,
    Cut,
    CutToTimestamp,
}

/// How one record was read.
enum Record {
    Whole,
    /// What stands there is not whole; the reason, where there is more to say than that the file ends.
    Broken(Option<String>),
    /// The file was cut off before it.
    Cut,
}

/// The tool at work.
struct Check<'a> {
    task: Task<'a>,
    /// What is asked of the user is answered here.
    answers: &'a mut dyn BufRead,
    out: &'a mut dyn Write,
    /// Lines read in all files.
    lines: u64,
    /// Where what was read last begins.
    place: u64,
}

/// One file being read.
struct Source {
    reader: BufReader<File>,
    offset: u64,
}

impl Source {
    /// A line, its end included, of at most `limit` bytes.
    fn line(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let reader = self.reader.by_ref();
        self.offset += reader.take(limit).read_until(b'\n', &mut line)? as u64;
        Ok(line)
    }

    /// Passes over bytes; gives the first and the last of them, and how many there were.
    fn pass(&mut self, mut count: u64) -> io::Result<(Vec<u8>, Vec<u8>, u64)> {
        let (mut first, mut last, mut passed) = (Vec::new(), Vec::new(), 0);
        while count > 0 {
            let chunk = self.reader.fill_buf()?;
            let len = (chunk.len() as u64).min(count) as usize;
            if len == 0 {
                break;
            }
            let chunk = &chunk[..len];
            first.extend_from_slice(&chunk[..len.min(NAME - first.len().min(NAME))]);
            last.extend_from_slice(&chunk[len.saturating_sub(2)..]);
            last.drain(..last.len().saturating_sub(2));
            self.reader.consume(len);
            count -= len as u64;
            passed += len as u64;
        }
        self.offset += passed;
        Ok((first, last, passed))
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.reader.fill_buf()?.first().copied())
    }
}

/// Runs the tool.
pub(super) fn run(name: &str, arguments: &[OsString]) -> i32 {
    let words: Vec<String> = arguments
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let (mut answers, mut out) = (io::stdin().lock(), io::stdout().lock());
    i32::from(!check(name, &words, &mut answers, &mut out))
}

/// Does what the arguments ask for; true when all is well.
fn check(name: &str, words: &[String], answers: &mut dyn BufRead, out: &mut dyn Write) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut check = Check {
        task: Task::default(),
        answers,
        out,
        lines: 1,
        place: 0,
    };
    let task = &mut check.task;
    match words[..] {
        [path] if path != "--help" => task.path = path,
        ["--fix", path] => (task.fixes, task.path) = (true, path),
        ["--truncate-to-timestamp", second, path] => {
            let Ok(second) = second.trim_start().parse() else {
                check.say("Invalid timestamp, aborting...");
                return false;
            };
            (task.timestamp, task.path) = (second, path);
        }
        _ => {
            check.say(format!(
                "Usage: {name} [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>"
            ));
            return false;
        }
    }
    let is_well = check.run().is_ok();
    // Where standard output is gone nobody reads it.
    let _ = check.out.flush();
    is_well
}

impl Check<'_> {
    fn say(&mut self, line: impl AsRef<str>) {
        // Where standard output is gone nobody reads it.
        let _ = writeln!(self.out, "{}", line.as_ref());
    }

    fn fail<T>(&mut self, line: impl AsRef<str>) -> Checked<T> {
        self.say(line);
        Err(Failed)
    }

    fn run(&mut self) -> Checked<()> {
        let path = self.task.path;
        match is_manifest(Path::new(path)) {
            Ok(true) => self.run_manifest(Path::new(path)),
            Ok(false) => {
                let is_rdb = self.is_rdb(Path::new(path))?;
                self.say("Start checking Old-Style AOF");
                let outcome = self.file(path, Path::new(path), true, is_rdb)?;
                self.report("AOF", path, &outcome);
                Ok(())
            }
            Err(error) => self.fail(format!("Cannot open file {path}: {}", error_text(&error))),
        }
    }

    fn run_manifest(&mut self, path: &Path) -> Checked<()> {
        self.say("Start checking Multi Part AOF");
        let text = std::fs::read(path).unwrap_or_default();
        let manifest = match Manifest::parse(&text) {
            Ok(manifest) => manifest,
            Err(error) => return self.fail(error.to_string()),
        };
        let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let count = manifest.parts().count();
        if let Some(base) = &manifest.base {
            let file = folder.join(&base.name);
            let is_rdb = self.is_rdb(&file)?;
            let format = if is_rdb { "RDB" } else { "RESP" };
            self.say(format!("Start to check BASE AOF ({format} format)."));
            let outcome = self.file(&base.name, &file, count == 1, is_rdb)?;
            self.report("BASE AOF", &base.name, &outcome);
        }
        if !manifest.increments.is_empty() {
            self.say("Start to check INCR files.");
        }
        for (index, part) in manifest.increments.iter().enumerate() {
            let is_last = index + 1 == manifest.increments.len();
            let outcome = self.file(&part.name, &folder.join(&part.name), is_last, false)?;
            self.report("INCR AOF", &part.name, &outcome);
        }
        self.say("All AOF files and manifest are valid");
        Ok(())
    }

    fn report(&mut self, kind: &str, name: &str, outcome: &Outcome) {
        let timestamp = self.task.timestamp;
        self.say(match outcome {
            Outcome::Valid => format!("{kind} {name} is valid"),
            Outcome::Empty => format!("{kind} {name} is empty"),
            Outcome::Cut => format!("Successfully truncated AOF {name}"),
            Outcome::CutToTimestamp => {
                format!("Successfully truncated AOF {name} to timestamp {timestamp}")
            }
        });
    }

    fn is_rdb(&mut self, path: &Path) -> Checked<bool> {
        let mut head = [0; RDB_HEADER as usize];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
        match read {
            Ok(()) => Ok(head.starts_with(b"REDIS") || head.starts_with(b"VALKEY")),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => self.fail(format!(
                "Cannot open file {}: {}",
                path.display(),
                error_text(&error)
            )),
        }
    }

    /// Checks one file.
    fn file(&mut self, name: &str, path: &Path, is_last: bool, is_rdb: bool) -> Checked<Outcome> {
        let opened = OpenOptions::new().read(true).write(true).open(path);
        let opened = opened.and_then(|file| Ok((file.metadata()?.len(), file)));
        let (size, file) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let reason = error_text(&error);
                return self.fail(format!(
                    "Cannot open file {}: {reason}, aborting...",
                    path.display()
                ));
            }
        };
        if size == 0 {
            return Ok(Outcome::Empty);
        }
        let mut source = Source {
            reader: BufReader::new(file),
            offset: 0,
        };
        if is_rdb {
            self.preamble(name, &mut source)?;
        }
        let (whole, cut) = match self.records(name, path, &mut source, is_last) {
            Ok(read) => read?,
            Err(error) => {
                return self.fail(format!(
                    "Failed to read from AOF {name}, aborting... ({error})"
                ));
            }
        };
        if cut {
            return Ok(Outcome::CutToTimestamp);
        }
        self.conclude(name, source.reader.get_ref(), size, whole, is_last)
    }

    fn preamble(&mut self, name: &str, source: &mut Source) -> Checked<()> {
        self.say(format!("[offset 0] Checking RDB file {name}"));
        let file = source.reader.get_ref();
        let checked = (file
            .try_clone()
            .and_then(|file| Ok((file.metadata()?.len(), file))))
        .and_then(|(size, file)| check_rdb::show(file, size, &mut self.out));
        let Ok(Some(length)) = checked else {
            return self.fail("RDB preamble of AOF file is not sane, aborting.");
        };
        self.say("RDB preamble is OK, proceeding with AOF tail...");
        match source.reader.seek(io::SeekFrom::Start(length)) {
            Ok(_) => source.offset = length,
            Err(error) => return self.fail(format!("Failed to fseek in AOF {name}: {error}")),
        }
        Ok(())
    }

    /// Reads records up to the first that is not whole; gives where the last whole one ends, and whether the file was cut
    /// off there because of a time.
    fn records(
        &mut self,
        name: &str,
        path: &Path,
        source: &mut Source,
        is_last: bool,
    ) -> io::Result<Checked<(u64, bool)>> {
        let (mut is_group, mut whole) = (false, 0);
        loop {
            if !is_group {
                whole = source.offset;
            }
            let record = match source.peek()? {
                None => Record::Broken(None),
                Some(b'#') => match self.annotation(path, source, is_last)? {
                    Ok(record) => record,
                    Err(failed) => return Ok(Err(failed)),
                },
                Some(b'*') => self.command(path, source, &mut is_group)?,
                Some(_) => Record::Broken(Some(format!("AOF {name} format error"))),
            };
            match record {
                Record::Whole => {}
                Record::Cut => return Ok(Ok((whole, true))),
                Record::Broken(reason) => {
                    let unended = || self.located("Reached EOF before reading EXEC for MULTI");
                    if let Some(reason) = reason.or_else(|| is_group.then(unended)) {
                        self.say(reason);
                    }
                    return Ok(Ok((whole, false)));
                }
            }
        }
    }

    /// A line that begins with `#`: past the time asked for, the file is cut off before it.
    fn annotation(
        &mut self,
        path: &Path,
        source: &mut Source,
        is_last: bool,
    ) -> io::Result<Checked<Record>> {
        let (start, target, file) = (source.offset, self.task.timestamp, path.display());
        self.place = start;
        let line = source.line(ANNOTATION_LINE)?;
        let Some(digits) = line.strip_prefix(b"#TS:").filter(|_| target != 0) else {
            return Ok(Ok(Record::Whole));
        };
        let (second, rest) = leading_number(digits);
        if rest.first() != Some(&b'\r') {
            return Ok(self.fail("Invalid timestamp annotation"));
        }
        if second <= target {
            return Ok(Ok(Record::Whole));
        }
        if start == 0 {
            return Ok(self.fail(format!(
                "AOF {file} has nothing before timestamp {target}, aborting..."
            )));
        }
        if !is_last {
            self.say(format!(
                "Failed to truncate AOF {file} to timestamp {target} to offset {start} because it is not the last file."
            ));
            return Ok(self.fail(
                "If you insist, please delete all files after this file according to the manifest file and delete the \
                 corresponding records in manifest file manually. Then re-run redis-check-aof.",
            ));
        }
        if source.reader.get_ref().set_len(start).is_err() {
            return Ok(self.fail(format!(
                "Failed to truncate AOF {file} to timestamp {target}"
            )));
        }
        Ok(Ok(Record::Cut))
    }

    /// A command in RESP.
    fn command(
        &mut self,
        path: &Path,
        source: &mut Source,
        is_group: &mut bool,
    ) -> io::Result<Record> {
        let count = match self.number(source, b'*')? {
            Ok(count) => count,
            Err(reason) => return Ok(Record::Broken(reason)),
        };
        for index in 0..count {
            let word = match self.argument(source)? {
                Ok(word) => word,
                Err(reason) => return Ok(Record::Broken(reason)),
            };
            let (begins, ends) = (
                index == 0 && word.eq_ignore_ascii_case(b"multi\r\n"),
                index == 0 && word.eq_ignore_ascii_case(b"exec\r\n"),
            );
            if (begins && *is_group) || (ends && !*is_group) {
                let name = if begins { "MULTI" } else { "EXEC" };
                let reason = format!("Unexpected {name} in AOF {}", path.display());
                return Ok(Record::Broken(Some(self.located(&reason))));
            }
            *is_group = (*is_group || begins) && !ends;
        }
        Ok(Record::Whole)
    }

    /// A line with a number behind a sign. The error is a reason, or none at the end of the file.
    fn number(&mut self, source: &mut Source, sign: u8) -> io::Result<Result<i64, Option<String>>> {
        self.place = source.offset;
        let line = source.line(NUMBER_LINE)?;
        let Some((&first, digits)) = line.split_first() else {
            return Ok(Err(None));
        };
        if first != sign {
            let (sign, first) = (char::from(sign), char::from(first));
            let reason = format!("Expected prefix '{sign}', got: '{first}'");
            return Ok(Err(Some(self.located(&reason))));
        }
        let (number, rest) = leading_number(digits);
        Ok(self.line_end(rest).map(|()| number).map_err(Some))
    }

    fn line_end(&mut self, rest: &[u8]) -> Result<(), String> {
        if rest.starts_with(b"\r\n") {
            self.lines += 1;
            return Ok(());
        }
        let at = |index: usize| rest.get(index).copied().unwrap_or(0);
        let reason = format!("Expected \\r\\n, got: {:02x}{:02x}", at(0), at(1));
        Err(self.located(&reason))
    }

    /// A reason with its place.
    fn located(&self, reason: &str) -> String {
        format!("0x{:>16x}: {reason}", self.place)
    }

    /// An argument: the beginning of its text with the line's end, where it is short enough to be one of the words looked for.
    fn argument(&mut self, source: &mut Source) -> io::Result<Result<Vec<u8>, Option<String>>> {
        let length = match self.number(source, b'$')? {
            Ok(length) => length,
            Err(reason) => return Ok(Err(reason)),
        };
        let Some(wanted) = u64::try_from(length)
            .ok()
            .filter(|_| length <= i64::MAX - 2)
        else {
            let reason = format!(
                "Expected to read string of {length} bytes, which is not in the suitable range"
            );
            return Ok(Err(Some(self.located(&reason))));
        };
        self.place = source.offset;
        let wanted = wanted + 2;
        let (first, last, got) = source.pass(wanted)?;
        if got < wanted {
            let reason = format!("Expected to read {wanted} bytes, got {got} bytes");
            return Ok(Err(Some(self.located(&reason))));
        }
        let word = if wanted <= NAME as u64 {
            first
        } else {
            Vec::new()
        };
        Ok(self.line_end(&last).map(|()| word).map_err(Some))
    }

    /// Says how far the file is whole, and cuts off the rest if that is asked for.
    fn conclude(
        &mut self,
        name: &str,
        file: &File,
        size: u64,
        whole: u64,
        is_last: bool,
    ) -> Checked<Outcome> {
        let (rest, timestamp, lines) = (size - whole, self.task.timestamp, self.lines);
        if rest == 0 && timestamp != 0 {
            self.say(format!(
                "Truncate nothing in AOF {name} to timestamp {timestamp}"
            ));
            return Ok(Outcome::Valid);
        }
        self.say(format!(
            "AOF analyzed: filename={name}, size={size}, ok_up_to={whole}, ok_up_to_line={lines}, diff={rest}"
        ));
        if rest == 0 {
            return Ok(Outcome::Valid);
        }
        if !self.task.fixes {
            return self.fail(format!(
                "AOF {name} is not valid. Use the --fix option to try fixing it."
            ));
        }
        if !is_last {
            return self.fail(format!(
                "Failed to truncate AOF {name} because it is not the last file"
            ));
        }
        self.say(format!(
            "This will shrink the AOF {name} from {size} bytes, with {rest} bytes, to {whole} bytes"
        ));
        let _ = write!(self.out, "Continue? [y/N]: ").and_then(|()| self.out.flush());
        let mut answer = String::new();
        let is_answered = self.answers.read_line(&mut answer).is_ok();
        if !is_answered || !answer.starts_with(['y', 'Y']) {
            return self.fail("Aborting...");
        }
        match file.set_len(whole).and_then(|()| file.sync_all()) {
            Ok(()) => Ok(Outcome::Cut),
            Err(_) => self.fail(format!("Failed to truncate AOF {name}")),
        }
    }
}

/// Whether a line names a file: only manifests have such.
fn is_manifest(path: &Path) -> io::Result<bool> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line of a log may be as long as the log.
        let read = reader.by_ref().take(1024).read_until(b'\n', &mut line)?;
        if read == 0 || line.starts_with(b"file") {
            return Ok(read > 0);
        }
    }
}

/// The number that a text begins with, as C reads it, and what follows it.
fn leading_number(text: &[u8]) -> (i64, &[u8]) {
    let text = text.trim_ascii_start();
    let (is_negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let count = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let number = digits[..count].iter().fold(0i64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    let number = if is_negative { -number } else { number };
    (number, &digits[count..])
}
