//! One file of a log: the snapshot that it may begin with and its commands are given to a player. Groups between MULTI and
//! EXEC come as a whole or not at all.

use std::io::{self, ErrorKind, Read, SeekFrom};
use std::ops::Range;

use super::{BadSnapshot, LoadError, Player, Refusal};
use crate::base::machine::error_text;
use crate::base::numbers::parse_i64;
use crate::persistence::disk::Input;
use crate::persistence::reader::{Fault, Reader, Step};
use crate::resp::args::{Args, OwnedArgs};

/// Commands between two reports of progress.
const REPORT_EVERY: u64 = 1024;
/// How an RDB file begins.
const RDB_MAGIC: &[u8] = b"REDIS";

/// Plays a file of `size` bytes from its beginning.
pub(super) fn play_file(
    name: &str,
    mut file: Box<dyn Input>,
    size: u64,
    player: &mut dyn Player,
) -> Result<Played, LoadError> {
    let unreadable = |error: io::Error| LoadError::Unreadable {
        file: name.into(),
        offset: 0,
        reason: error_text(&error),
    };
    let mut head = [0; RDB_MAGIC.len()];
    let is_rdb = match file.read_exact(&mut head) {
        Ok(()) => head == RDB_MAGIC,
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => false,
        Err(error) => return Err(unreadable(error)),
    };
    file.rewind().map_err(unreadable)?;
    let mut start = 0;
    if is_rdb {
        tracing::info!("Reading RDB preamble from AOF file {name}...");
        let snapshot = player.snapshot(&mut *file);
        start = snapshot.map_err(|BadSnapshot { offset, reason }| LoadError::Snapshot {
            file: name.into(),
            offset,
            reason,
        })?;
        file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
    }
    play(name, file, start..size, player)
}

/// How far a file was played.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Played {
    pub(super) bytes: u64,
    pub(super) commands: u64,
    /// Where the incomplete end begins.
    pub(super) torn: Option<u64>,
}

/// A group that EXEC has not ended yet.
struct Group {
    offset: u64,
    /// Commands with their offsets and databases.
    commands: Vec<(u64, usize, OwnedArgs)>,
}

/// Where the playing of one file stands.
struct Playback<'p> {
    name: &'p str,
    player: &'p mut dyn Player,
    database: usize,
    group: Option<Group>,
    commands: u64,
}

fn play<R: Read>(
    name: &str,
    input: R,
    part: Range<u64>,
    player: &mut dyn Player,
) -> Result<Played, LoadError> {
    let Range { start, end: size } = part;
    let mut reader = Reader::new(input, start, size);
    let mut playback = Playback {
        name,
        player,
        database: 0,
        group: None,
        commands: 0,
    };
    let mut reported = start;
    for count in 1u64.. {
        let step = reader
            .advance()
            .map_err(|fault| playback.fault(reader.offset(), fault))?;
        if count.is_multiple_of(REPORT_EVERY) || step != Step::Command {
            let progress = reader.offset() - reported;
            reported = reader.offset();
            if !playback.player.progress(progress) {
                return Err(LoadError::Stopped);
            }
        }
        match step {
            Step::Command => playback.take(reader.offset(), reader.args())?,
            Step::End | Step::Torn => {
                let torn = (step == Step::Torn).then(|| reader.offset());
                return Ok(Played {
                    bytes: size,
                    commands: playback.commands,
                    torn: playback.group.map(|group| group.offset).or(torn),
                });
            }
        }
    }
    Err(LoadError::Stopped)
}

impl Playback<'_> {
    /// Runs a command, or adds it to the group that it belongs to.
    fn take(&mut self, offset: u64, args: Args<'_>) -> Result<(), LoadError> {
        if args.is(0, "SELECT") && args.len() == 2 {
            return self.select(offset, args);
        }
        let is_alone = args.len() == 1;
        if is_alone && args.is(0, "MULTI") && self.group.is_none() {
            self.group = Some(Group {
                offset,
                commands: Vec::new(),
            });
        } else if is_alone && args.is(0, "EXEC") {
            let Some(group) = self.group.take() else {
                return Err(self.refused(offset, args, "EXEC without MULTI"));
            };
            for (offset, database, args) in &group.commands {
                self.run(*offset, *database, args.view())?;
            }
        } else if let Some(group) = &mut self.group {
            group
                .commands
                .push((offset, self.database, OwnedArgs::copy(args.iter())));
        } else {
            self.run(offset, self.database, args)?;
        }
        Ok(())
    }

    fn select(&mut self, offset: u64, args: Args<'_>) -> Result<(), LoadError> {
        match parse_i64(args.at(1)).and_then(|number| usize::try_from(number).ok()) {
            Some(database) => {
                self.database = database;
                Ok(())
            }
            None => Err(self.refused(offset, args, "invalid DB index")),
        }
    }

    fn run(&mut self, offset: u64, database: usize, args: Args<'_>) -> Result<(), LoadError> {
        self.commands += 1;
        match self.player.run(database, args) {
            Ok(()) => Ok(()),
            Err(Refusal::UnknownCommand) => Err(LoadError::UnknownCommand {
                file: self.name.into(),
                offset,
                name: shown(args),
            }),
            Err(Refusal::Because(reason)) => Err(self.refused(offset, args, &reason)),
        }
    }

    fn refused(&self, offset: u64, args: Args<'_>, reason: &str) -> LoadError {
        LoadError::Refused {
            file: self.name.into(),
            offset,
            name: shown(args),
            reason: reason.into(),
        }
    }

    fn fault(&self, offset: u64, fault: Fault) -> LoadError {
        let file = self.name.into();
        match fault {
            Fault::Format(reason) => LoadError::Format {
                file,
                offset,
                reason,
            },
            Fault::Unreadable(error) => LoadError::Unreadable {
                file,
                offset,
                reason: error_text(&error),
            },
        }
    }
}

/// A command's name as an error shows it.
fn shown(args: Args<'_>) -> String {
    args.at(0)
        .iter()
        .take(64)
        .flat_map(|byte| byte.escape_ascii())
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::write_command;
    use proptest::prelude::*;

    /// Notes what it is given: database and words.
    #[derive(Default)]
    struct Notes(Vec<(usize, Vec<Vec<u8>>)>);

    impl Player for Notes {
        fn run(&mut self, database: usize, args: Args<'_>) -> Result<(), Refusal> {
            if args.is(0, "NONSENSE") {
                return Err(Refusal::UnknownCommand);
            }
            self.0
                .push((database, args.iter().map(<[u8]>::to_vec).collect()));
            Ok(())
        }

        fn snapshot(&mut self, _: &mut dyn Input) -> Result<u64, BadSnapshot> {
            Ok(0)
        }

        fn progress(&mut self, _bytes: u64) -> bool {
            true
        }
    }

    fn command(words: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        write_command(&mut out, words.iter().copied());
        out
    }

    fn line(text: &str) -> Vec<u8> {
        command(&text.split(' ').map(str::as_bytes).collect::<Vec<_>>())
    }

    /// Commands with the database that each ran in.
    type Seen = Vec<(usize, Vec<Vec<u8>>)>;

    fn played(text: &[u8]) -> (Seen, Result<Played, LoadError>) {
        let mut notes = Notes::default();
        let result = play("f", text, 0..text.len() as u64, &mut notes);
        (notes.0, result)
    }

    fn error(text: &[u8]) -> String {
        played(text).1.expect_err("a bad file").to_string()
    }

    #[test]
    fn bad_files_are_named_with_the_place() {
        let good = line("SET a 1");
        let at = |bad: &[u8]| error(&[&good[..], bad, &good].concat());
        let (offset, format) = (
            good.len(),
            "Bad file format reading the append only file f at offset",
        );
        for bad in [
            &b"!!!"[..],
            b"*0\r\n",
            b"*1\r\n+OK\r\n",
            b"*x\r\n",
            b"\0\0\0",
            b"*1\r\n$-1\r\n",
        ] {
            assert!(
                at(bad).starts_with(&format!("{format} {offset} ")),
                "{}",
                at(bad)
            );
        }
        let too_long = [&b"*1\r\n$4\r\nPINGxx"[..], &good].concat();
        assert!(
            error(&too_long).starts_with(&format!("{format} 0 ")),
            "{}",
            error(&too_long)
        );
        assert_eq!(
            at(&line("NONSENSE x")),
            format!("Unknown command 'NONSENSE' reading the append only file f at offset {offset}")
        );
        let group = [line("MULTI"), line("NONSENSE"), line("EXEC")].concat();
        let offset = offset + line("MULTI").len();
        assert_eq!(
            at(&group),
            format!("Unknown command 'NONSENSE' reading the append only file f at offset {offset}")
        );
        assert!(error(&line("EXEC")).contains("EXEC without MULTI"));
        assert!(error(&line("SELECT -1")).contains("invalid DB index"));
    }

    #[test]
    fn annotations_are_passed_over_and_databases_chosen() {
        let text = [
            b"#TS:1700000000\r\n".to_vec(),
            line("SET a 1"),
            b"#anything\n#TS:1\r\n".to_vec(),
            line("SELECT 3"),
            line("SET b 2"),
        ]
        .concat();
        let (commands, result) = played(&text);
        assert!(result.expect("a good file").torn.is_none());
        assert_eq!(
            commands
                .iter()
                .map(|(database, _)| *database)
                .collect::<Vec<_>>(),
            [0, 3]
        );
    }

    #[test]
    fn a_length_beyond_the_end_costs_no_memory() {
        let text = [line("SET a 1"), b"*2\r\n$4000000000\r\nabc".to_vec()].concat();
        let (commands, result) = played(&text);
        assert_eq!(commands.len(), 1);
        assert_eq!(
            result.expect("a torn file").torn,
            Some(line("SET a 1").len() as u64)
        );
    }

    #[test]
    fn long_commands_go_through() {
        let big = vec![b'x'; 3_000_000];
        let text = [
            line("SET a 1"),
            command(&[b"SET", b"b", &big]),
            line("SET c 2"),
        ]
        .concat();
        let (commands, result) = played(&text);
        assert!(result.expect("a good file").torn.is_none());
        assert_eq!((commands.len(), &commands[1].1[2]), (3, &big));
    }

    /// A unit of a log: its bytes, and the commands that loading it must run.
    type Unit = (Vec<u8>, Vec<Vec<Vec<u8>>>);

    fn words() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let word = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20),
            Just(b"*1\r\n$4\r\nEXEC\r\n".to_vec()),
        ];
        prop::collection::vec(word, 1..4).prop_map(|mut words| {
            words.insert(0, b"DO".to_vec());
            words
        })
    }

    fn encode(words: &[Vec<u8>]) -> Vec<u8> {
        command(&words.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    fn unit() -> impl Strategy<Value = Unit> {
        prop_oneof![
            words().prop_map(|words| (encode(&words), vec![words])),
            prop::collection::vec(words(), 0..4).prop_map(|group| {
                let inside: Vec<u8> = group.iter().flat_map(|words| encode(words)).collect();
                ([line("MULTI"), inside, line("EXEC")].concat(), group)
            }),
            Just((b"#TS:123\r\n".to_vec(), Vec::new())),
            Just((line("SELECT 1"), Vec::new())),
        ]
    }

    proptest! {
        #[test]
        fn any_cut_loads_whole_commands_and_groups(units in prop::collection::vec(unit(), 1..8), cut in any::<prop::sample::Index>()) {
            let whole: Vec<u8> = units.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
            let cut = cut.index(whole.len() + 1);
            let (mut at, mut expected, mut is_torn) = (0, Vec::new(), false);
            for (bytes, commands) in &units {
                if at + bytes.len() > cut {
                    is_torn = at < cut;
                    break;
                }
                at += bytes.len();
                expected.extend(commands.clone());
            }
            let (commands, result) = played(&whole[..cut]);
            let commands: Vec<_> = commands.into_iter().map(|(_, words)| words).collect();
            prop_assert_eq!(commands, expected);
            let torn = result.map(|played| played.torn).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(torn, is_torn.then_some(at as u64));
        }

        #[test]
        fn damage_is_an_error_with_its_place_or_loads(
            units in prop::collection::vec(unit(), 1..8),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..4),
        ) {
            let mut bytes: Vec<u8> = units.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
            for (place, byte, how) in damage {
                let place = place.index(bytes.len() + 1);
                match how {
                    0 => bytes.insert(place, byte),
                    1 if place < bytes.len() => bytes[place] = byte,
                    _ if place < bytes.len() => drop(bytes.remove(place)),
                    _ => {}
                }
            }
            let (_, result) = played(&bytes);
            match result {
                Ok(played) => prop_assert!(played.torn.is_none_or(|torn| torn <= bytes.len() as u64)),
                Err(error) => prop_assert!(error.to_string().contains("at offset"), "{}", error),
            }
        }

        #[test]
        fn noise_never_panics(input in prop::collection::vec(prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'#'), b'0'..=b'9', any::<u8>()], 0..300)) {
            let _ = played(&input);
        }
    }
}
