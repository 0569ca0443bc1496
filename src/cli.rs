//! The command line: the same forms as redis-server's, and the texts of `--help` and `--version`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::builder::OsStringValueParser;
use clap::{Arg, ArgAction, Command};

use crate::base::version::{OXIDIS_VERSION, REDIS_VERSION};
use crate::config::{Sources, quote};

const ABOUT: &str = "A Redis-compatible in-memory data store that uses all cores";

const USAGE: &str = "oxidis [FILE|-] [--DIRECTIVE VALUE...]...";

const AFTER_HELP: &str = "\
FILE is a configuration file; - reads one from standard input. Directives are those of redis.conf, and
redis.conf.example describes all of them. Each can be given on the command line, where it has precedence
over the file, or as an environment variable, in capitals and with _ for - (OXIDIS_MAXMEMORY=1gb), which
stands between the two.

Examples:
  oxidis                                          the defaults: port 6379, data in the working directory
  oxidis /etc/redis.conf                          a configuration file
  oxidis --port 7777 --appendonly yes             directives only
  oxidis /etc/redis.conf --loglevel verbose       a file and directives
  oxidis --save 3600 1 300 100 --maxmemory 75%    a directive with several values
  oxidis --save \"\"                                no snapshots
  oxidis check-aof appendonly.aof.manifest        checks an append-only file, as redis-check-aof
  oxidis check-rdb dump.rdb                       checks a snapshot file, as redis-check-rdb
  oxidis --check-system                           checks the machine's settings
  echo 'maxmemory 128mb' | oxidis -               a configuration from standard input";

/// What the command line asks for.
#[derive(Debug)]
pub enum Launch {
    /// Print this text and end.
    Print(String),
    /// Serve clients with the configuration from these sources.
    Serve(Sources),
}

/// A program beside the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Checks append-only files.
    CheckAof,
    /// Checks snapshot files.
    CheckRdb,
    /// Checks the machine's settings.
    CheckSystem,
}

/// Names of tools: as a subcommand, and what a program file of theirs is called.
const TOOLS: &[(&str, &str, Tool)] = &[
    ("check-aof", "redis-check-aof", Tool::CheckAof),
    ("check-rdb", "redis-check-rdb", Tool::CheckRdb),
    ("check-system", "--check-system", Tool::CheckSystem),
];

/// The tool that is meant by the program's name or its first argument, what it is called, and what follows.
pub fn tool<'w>(
    program: Option<&OsStr>,
    words: &'w [OsString],
) -> Option<(Tool, String, &'w [OsString])> {
    let program = program.and_then(|path| Path::new(path).file_name());
    let program = program.unwrap_or_default().to_string_lossy();
    for (subcommand, name, tool) in TOOLS {
        if program == *name || program == *subcommand {
            return Some((*tool, program.into_owned(), words));
        }
        if let Some((first, rest)) = words.split_first()
            && (first == subcommand || first == name)
        {
            return Some((*tool, format!("{program} {subcommand}"), rest));
        }
    }
    None
}

/// The command line cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

/// Reads the command line (without the program's name) and the environment.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Launch, UsageError> {
    let matches = command().try_get_matches_from(arguments).map_err(|error| {
        let text = error.to_string();
        UsageError(text.lines().next().unwrap_or_default().to_owned())
    })?;
    if matches.get_flag("version") {
        return Ok(Launch::Print(version() + "\n"));
    }
    if matches.get_flag("help") {
        return Ok(Launch::Print(
            command().render_long_help().to_string() + "\n",
        ));
    }
    let words = matches
        .get_many::<OsString>("arguments")
        .into_iter()
        .flatten();
    let words: Vec<Vec<u8>> = words.map(|word| word.as_encoded_bytes().to_vec()).collect();
    let file = matches
        .get_many::<OsString>("arguments")
        .and_then(|mut words| words.next());
    let file = file.filter(|word| !word.as_encoded_bytes().starts_with(b"-"));
    let (command_line, stdin) = directives(&words, usize::from(file.is_some()));
    Ok(Launch::Serve(Sources {
        file: file.map(PathBuf::from),
        stdin,
        environment: named_variables(variables),
        command_line,
    }))
}

/// The text of `--version`, in the form that tools read from redis-server.
pub fn version() -> String {
    let revision = option_env!("OXIDIS_REVISION").unwrap_or("00000000");
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let bits = usize::BITS;
    format!(
        "Oxidis server v={REDIS_VERSION} sha={revision}:0 oxidis={OXIDIS_VERSION} malloc=mimalloc \
         bits={bits} build={build}"
    )
}

fn command() -> Command {
    let flag = |name: &'static str, short| {
        Arg::new(name)
            .long(name)
            .short(short)
            .action(ArgAction::SetTrue)
    };
    Command::new("oxidis")
        .about(ABOUT)
        .override_usage(USAGE)
        .after_long_help(AFTER_HELP)
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(flag("help", 'h').help("Print this text"))
        .arg(flag("version", 'v').help("Print the version"))
        .arg(
            Arg::new("arguments")
                .hide(true)
                .value_parser(OsStringValueParser::new())
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true),
        )
}

/// The directives among the arguments from `first` on, as lines of a configuration file, and
/// whether standard input is to be read. A word with `--` begins a directive unless the one before
/// it has no value yet.
fn directives(words: &[Vec<u8>], first: usize) -> (Vec<u8>, bool) {
    let mut text = Vec::new();
    let mut stdin = false;
    let mut has_value = true;
    for (index, word) in words.iter().enumerate().skip(first) {
        let next = words.get(index + 1);
        if word == b"-" && (index == 0 || next.is_none()) {
            stdin = true;
        } else if let (Some(directive), true) = (word.strip_prefix(b"--"), has_value) {
            text.push(b'\n');
            text.extend_from_slice(directive);
            has_value = directive.trim_ascii().contains(&b' ');
            // Before Redis 7 a missing value of `save` stood for an empty one: programs rely on it.
            if directive.eq_ignore_ascii_case(b"save")
                && next.is_none_or(|next| next.starts_with(b"--"))
            {
                text.extend_from_slice(b" \"\"");
                has_value = true;
            }
        } else {
            text.push(b' ');
            text.extend_from_slice(quote(word).as_bytes());
            has_value = true;
        }
    }
    (text, stdin)
}

fn named_variables(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<(String, Vec<u8>)> {
    let named = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_encoded_bytes()))
    };
    variables.into_iter().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn launch(words: &[&str]) -> Launch {
        parse(words.iter().map(OsString::from), []).expect("a good command line")
    }

    fn sources(words: &[&str]) -> Sources {
        match launch(words) {
            Launch::Serve(sources) => sources,
            Launch::Print(text) => panic!("{words:?} prints {text}"),
        }
    }

    fn lines(words: &[&str]) -> String {
        String::from_utf8(sources(words).command_line)
            .expect("text")
            .trim_start()
            .to_owned()
    }

    #[test]
    fn help_and_version() {
        for words in [["--version"], ["-v"]] {
            let Launch::Print(text) = launch(&words) else {
                panic!("no text")
            };
            assert!(
                text.starts_with("Oxidis server v=7.4.0 sha=") && text.ends_with('\n'),
                "{text}"
            );
            assert_eq!(text.lines().count(), 1);
        }
        for words in [["--help"], ["-h"]] {
            let Launch::Print(text) = launch(&words) else {
                panic!("no text")
            };
            assert!(
                text.contains("OXIDIS_MAXMEMORY") && text.contains("Usage: oxidis [FILE|-]"),
                "{text}"
            );
        }
    }

    #[test]
    fn tools_are_called_by_either_name() {
        let words: Vec<OsString> = ["check-rdb", "dump.rdb"].map(OsString::from).to_vec();
        let rest = &words[1..];
        let server = Some(OsStr::new("/usr/bin/oxidis"));
        assert_eq!(
            tool(server, &words),
            Some((Tool::CheckRdb, "oxidis check-rdb".into(), rest))
        );
        let link = Some(OsStr::new("/usr/bin/redis-check-rdb"));
        assert_eq!(
            tool(link, rest),
            Some((Tool::CheckRdb, "redis-check-rdb".into(), rest))
        );
        let alone = [OsString::from("--check-system")];
        let found = tool(server, &alone).map(|(tool, ..)| tool);
        assert_eq!(found, Some(Tool::CheckSystem));
        assert_eq!(tool(server, rest), None);
        assert_eq!(tool(None, &[]), None);
    }

    #[test]
    fn a_file_comes_first() {
        assert_eq!(sources(&[]).file, None);
        let given = sources(&["/etc/redis.conf", "--port", "1"]);
        assert_eq!(
            (given.file, given.stdin),
            (Some("/etc/redis.conf".into()), false)
        );
        assert_eq!(sources(&["--port", "1"]).file, None);
    }

    #[test]
    fn standard_input_is_first_or_last() {
        assert!(sources(&["-"]).stdin);
        assert!(sources(&["-", "--port", "1"]).stdin);
        assert!(sources(&["redis.conf", "-"]).stdin);
        assert!(sources(&["--port", "1", "-"]).stdin);
        assert_eq!(
            lines(&["--logfile", "-", "--port", "1"]),
            "logfile \"-\"\nport \"1\""
        );
    }

    #[test]
    fn directives_become_lines() {
        assert_eq!(
            lines(&["--port", "1", "--appendonly", "yes"]),
            "port \"1\"\nappendonly \"yes\""
        );
        assert_eq!(lines(&["--port 1", "--hz 2"]), "port 1\nhz 2");
        assert_eq!(
            lines(&["--save", "3600", "1", "300", "100"]),
            "save \"3600\" \"1\" \"300\" \"100\""
        );
        assert_eq!(lines(&["--save", ""]), "save \"\"");
        assert_eq!(lines(&["--save", "--port", "1"]), "save \"\"\nport \"1\"");
        assert_eq!(lines(&["--SAVE"]), "SAVE \"\"");
        assert_eq!(
            lines(&["--requirepass", "--secret", "--port", "1"]),
            "requirepass \"--secret\"\nport \"1\""
        );
        assert_eq!(lines(&["--dir", "a \"b\""]), "dir \"a \\\"b\\\"\"");
        assert_eq!(lines(&["redis.conf", "--version"]), "version");
    }

    #[test]
    fn the_result_is_a_configuration() {
        let words = [
            "--save",
            "3600",
            "1",
            "300",
            "100",
            "--client-output-buffer-limit",
            "normal 1mb 0 0",
            "--maxmemory",
            "1gb",
        ];
        let config = Config::load(&sources(&words)).expect("a good configuration");
        assert_eq!(config.save.len(), 2);
        assert_eq!(config.client_output_buffer_limit.normal.hard_bytes, 1 << 20);
        let error = |words: &[&str]| {
            Config::load(&sources(words))
                .expect_err("an error")
                .to_string()
        };
        assert_eq!(
            error(&["--nonsense", "1"]),
            "command line: 'nonsense \"1\"': unknown directive 'nonsense'"
        );
        assert_eq!(
            error(&["--port"]),
            "command line: 'port': wrong number of arguments"
        );
        assert_eq!(
            error(&["-p", "1"]),
            "command line: '\"-p\" \"1\"': unknown directive '-p'"
        );
    }

    #[test]
    fn the_environment_is_taken_along() {
        let variables =
            [("OXIDIS_PORT", "7"), ("HOME", "/")].map(|(name, value)| (name.into(), value.into()));
        let Ok(Launch::Serve(sources)) = parse([], variables) else {
            panic!("no sources")
        };
        assert_eq!(
            Config::load(&sources).expect("a good configuration").port,
            7
        );
    }
}
