//! The manifest: which files make up the append-only file, in which order.
//!
//! A line per file, `file NAME seq N type T`, where T is `b` for the base (a copy of the data at one moment, at most one), `i`
//! for an increment (what was written since) and `h` for history (no longer needed, to be removed).

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use thiserror::Error;

use crate::config::{quote, split_words};

/// Bytes of the longest line, its end included.
const MAX_LINE: usize = 1024;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All data at one moment.
    Base,
    /// No longer needed.
    History,
    /// Commands since.
    Increment,
}

impl Kind {
    fn letter(self) -> char {
        match self {
            Self::Base => 'b',
            Self::History => 'h',
            Self::Increment => 'i',
        }
    }
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name within the folder.
    pub name: String,
    /// Its number among the files of its kind.
    pub number: i64,
}

/// A list of files that cannot be understood. The texts are Redis's, on one line.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ManifestError {
    #[error("Found an empty AOF manifest")]
    Empty,
    #[error("Read AOF manifest failed: {0}")]
    Unreadable(String),
    #[error("The AOF manifest file contains too long line{0}")]
    LongLine(Line),
    #[error("Invalid AOF manifest file format{0}")]
    Format(Line),
    #[error("File can't be a path, just a filename{0}")]
    PathInsteadOfName(Line),
    #[error("Found duplicate base file information{0}")]
    SecondBase(Line),
    #[error("Found a non-monotonic sequence number{0}")]
    NotAscending(Line),
    #[error("Unknown AOF file type{0}")]
    UnknownKind(Line),
}

/// A line as an error shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    number: usize,
    text: String,
}

impl std::fmt::Display for Line {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, " (line {}: '{}')", self.number, self.text)
    }
}

/// The files of an append-only file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The data at one moment.
    pub base: Option<Part>,
    /// Files to be removed.
    pub history: Vec<Part>,
    /// What was written after the base, in ascending order.
    pub increments: Vec<Part>,
    last_base: i64,
    last_increment: i64,
}

impl Manifest {
    /// Reads a manifest's text.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let mut manifest = Self::default();
        if text.is_empty() {
            return Err(ManifestError::Empty);
        }
        for (index, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
            if line.first() == Some(&b'#') {
                continue;
            }
            let shown = || Line {
                number: index + 1,
                text: String::from_utf8_lossy(line.trim_ascii_end())
                    .chars()
                    .take(128)
                    .collect(),
            };
            if line.len() > MAX_LINE || !line.ends_with(b"\n") {
                return Err(ManifestError::LongLine(shown()));
            }
            manifest.add_line(line, shown)?;
        }
        Ok(manifest)
    }

    fn add_line(&mut self, line: &[u8], shown: impl Fn() -> Line) -> Result<(), ManifestError> {
        let invalid = || ManifestError::Format(shown());
        let words = split_words(line).map_err(|_| invalid())?;
        // More pairs than the three known ones may come in later versions.
        if words.len() < 6 || words.len() % 2 == 1 {
            return Err(invalid());
        }
        let (mut name, mut number, mut kind) = (None, 0, None);
        for pair in words.chunks_exact(2) {
            let value = String::from_utf8(pair[1].clone()).map_err(|_| invalid())?;
            match pair[0].to_ascii_lowercase().as_slice() {
                b"file" if value.contains(['/', '\\']) => {
                    return Err(ManifestError::PathInsteadOfName(shown()));
                }
                b"file" => name = Some(value),
                b"seq" => number = value.parse().unwrap_or(0),
                b"type" => kind = value.chars().next(),
                _ => {}
            }
        }
        match (name, number, kind) {
            (Some(name), 1.., Some(kind)) => self.add(Part { name, number }, kind, shown),
            _ => Err(invalid()),
        }
    }

    fn add(
        &mut self,
        part: Part,
        kind: char,
        shown: impl Fn() -> Line,
    ) -> Result<(), ManifestError> {
        match kind {
            'b' if self.base.is_some() => return Err(ManifestError::SecondBase(shown())),
            'b' => {
                self.last_base = part.number;
                self.base = Some(part);
            }
            'h' => self.history.push(part),
            'i' if part.number <= self.last_increment => {
                return Err(ManifestError::NotAscending(shown()));
            }
            'i' => {
                self.last_increment = part.number;
                self.increments.push(part);
            }
            _ => return Err(ManifestError::UnknownKind(shown())),
        }
        Ok(())
    }

    /// The text that [`Manifest::parse`] reads.
    pub fn text(&self) -> String {
        let kinds = [
            (Kind::Base, self.base.as_slice()),
            (Kind::History, &self.history),
            (Kind::Increment, &self.increments),
        ];
        let mut text = String::new();
        for (kind, parts) in kinds {
            for Part { name, number } in parts {
                let name = if needs_quotes(name) {
                    quote(name)
                } else {
                    name.clone()
                };
                text += &format!("file {name} seq {number} type {}\n", kind.letter());
            }
        }
        text
    }

    /// Whether there is nothing to load.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.increments.is_empty()
    }

    /// The files to load, in order.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.base.iter().chain(&self.increments)
    }

    /// Makes a file that is there already the base.
    pub fn adopt_base(&mut self, name: String) {
        self.last_base = 1;
        self.base = Some(Part { name, number: 1 });
    }

    /// Adds a base of the next number, a snapshot or commands; the one before becomes history. Returns its name.
    pub fn add_base(&mut self, file_name: &str, is_rdb: bool) -> String {
        self.history.splice(0..0, self.base.take());
        self.last_base += 1;
        let format = if is_rdb { "rdb" } else { "aof" };
        let name = format!("{file_name}.{}.base.{format}", self.last_base);
        self.base = Some(Part {
            name: name.clone(),
            number: self.last_base,
        });
        name
    }

    /// Adds an increment of the next number. Returns its name.
    pub fn add_increment(&mut self, file_name: &str) -> String {
        // One that is still to be removed has its name yet.
        let increments = self
            .history
            .iter()
            .filter(|part| part.name.contains(".incr."));
        let last = increments.map(|part| part.number).max();
        self.last_increment = self.last_increment.max(last.unwrap_or(0)) + 1;
        let name = format!("{file_name}.{}.incr.aof", self.last_increment);
        self.increments.push(Part {
            name: name.clone(),
            number: self.last_increment,
        });
        name
    }

    /// Has the numbers of increments go on from the highest that has been seen, and notes that.
    pub fn go_on_from(&mut self, seen: &AtomicI64) {
        let last = self.last_increment;
        self.last_increment = seen.fetch_max(last, Relaxed).max(last);
    }

    /// Turns all increments into history: a new base holds what they hold, and nothing is logged any more.
    pub fn retire_all(&mut self) {
        self.history.splice(0..0, self.increments.drain(..));
    }

    /// Turns all increments but the last into history: a new base holds what they hold.
    pub fn retire_increments(&mut self) {
        if let Some(last) = self.increments.pop() {
            self.retire_all();
            self.increments.push(last);
        }
    }
}

fn needs_quotes(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'\'');
    name.is_empty() || !name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        Manifest::parse(text.as_bytes())
            .expect_err("a bad manifest")
            .to_string()
    }

    #[test]
    fn increments_are_not_named_as_what_is_still_to_be_removed() {
        let text = "file a.2.base.rdb seq 2 type b\nfile a.7.incr.aof seq 7 type h\n";
        let mut manifest = Manifest::parse(text.as_bytes()).expect("a good manifest");
        assert_eq!(manifest.add_increment("a"), "a.8.incr.aof");
    }

    #[test]
    fn bad_manifests_are_named_as_redis_names_them() {
        let base = "file a.1.base.aof seq 1 type b\n";
        assert_eq!(error(""), "Found an empty AOF manifest");
        assert_eq!(error("\n"), "Invalid AOF manifest file format (line 1: '')");
        assert_eq!(
            error("# c\nfile a seq 1\n"),
            "Invalid AOF manifest file format (line 2: 'file a seq 1')"
        );
        for (text, wanted) in [
            ("file a seq x type b\n", "Invalid AOF manifest file format"),
            (
                "file a seq 1 type b more\n",
                "Invalid AOF manifest file format",
            ),
            (
                "file \"a seq 1 type b\n",
                "Invalid AOF manifest file format",
            ),
            ("file a seq 1 tpye b\n", "Invalid AOF manifest file format"),
            ("file a seq 1 type x\n", "Unknown AOF file type"),
            (
                "file /a seq 1 type b\n",
                "File can't be a path, just a filename",
            ),
            (
                "file a seq 1 type b",
                "The AOF manifest file contains too long line",
            ),
            (
                &format!("{base}{base}"),
                "Found duplicate base file information",
            ),
            (
                "file a seq 2 type i\nfile b seq 2 type i\n",
                "Found a non-monotonic sequence number",
            ),
            (
                &format!("file {} seq 1 type b\n", "x".repeat(1024)),
                "The AOF manifest file contains too long line",
            ),
        ] {
            assert!(error(text).starts_with(wanted), "{text}: {}", error(text));
        }
    }

    #[test]
    fn unknown_words_and_comments_are_passed_over() {
        let text = "#hello\nFILE x SEQ 3 Type base new thing\nfile \"a \\x62\" seq 9 type i\n";
        let manifest = Manifest::parse(text.as_bytes()).expect("a good manifest");
        assert_eq!(
            manifest.text(),
            "file x seq 3 type b\nfile \"a b\" seq 9 type i\n"
        );
    }

    #[test]
    fn numbers_go_on() {
        let mut manifest = Manifest::default();
        assert_eq!(manifest.add_base("a", false), "a.1.base.aof");
        assert_eq!(manifest.add_increment("a"), "a.1.incr.aof");
        manifest.add_base("a", true);
        manifest.add_increment("a");
        manifest.retire_increments();
        assert_eq!(
            manifest.text(),
            "file a.2.base.rdb seq 2 type b\nfile a.1.incr.aof seq 1 type h\n\
             file a.1.base.aof seq 1 type h\nfile a.2.incr.aof seq 2 type i\n"
        );
    }

    proptest! {
        #[test]
        fn a_manifest_gives_back_what_it_was_given(
            base in prop::option::of(("[^/\\\\]{1,20}", 1i64..)),
            history in prop::collection::vec(("[^/\\\\]{1,20}", 1i64..), 0..4),
            mut increments in prop::collection::vec(("[^/\\\\]{1,20}", 1i64..), 0..4),
        ) {
            increments.sort_by_key(|(_, number)| *number);
            increments.dedup_by_key(|(_, number)| *number);
            let part = |(name, number): (String, i64)| Part { name, number };
            let manifest = Manifest {
                last_base: base.as_ref().map_or(0, |(_, number)| *number),
                last_increment: increments.last().map_or(0, |(_, number)| *number),
                base: base.map(part),
                history: history.into_iter().map(part).collect(),
                increments: increments.into_iter().map(part).collect(),
            };
            prop_assume!(!manifest.text().is_empty());
            prop_assert_eq!(Manifest::parse(manifest.text().as_bytes()), Ok(manifest));
        }

        #[test]
        fn damage_is_an_error_with_its_line_or_loads(
            at in 0usize..200, byte in any::<u8>(), at_too in 0usize..200, removes in any::<bool>(),
        ) {
            let good = "file a.2.base.rdb seq 2 type b\nfile a.1.incr.aof seq 1 type h\n#c\nfile \"a \\x20b\" seq 2 type i\nfile c seq 3 type i\n";
            let mut text = good.as_bytes().to_vec();
            let at = at % text.len();
            text[at] = byte;
            if removes {
                text.remove(at_too % text.len());
            }
            if let Err(error) = Manifest::parse(&text) {
                prop_assert!(error.to_string().contains("(line "), "{}", error);
            }
        }

        #[test]
        fn noise_never_panics(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Manifest::parse(&text);
        }
    }
}
