//! The configuration at the start: file, standard input, environment and command line, the later
//! ones having precedence.

mod environment;

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Config;
use super::directive::{Directive, NOT_UTF8, Words, all};
use super::rule::Reason;
use super::words;
use crate::base::glob;
use crate::base::machine::error_text;

/// How deep files may include each other.
const MAX_INCLUDE_DEPTH: usize = 16;

/// Directives of old versions of Redis that have no meaning any more: skipped when they have one
/// value.
const OBSOLETE: [&str; 3] = [
    "list-max-ziplist-entries",
    "list-max-ziplist-value",
    "lua-replicate-commands",
];

/// Where the configuration comes from, in ascending precedence.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// A configuration file.
    pub file: Option<PathBuf>,
    /// Whether to read more of it from standard input.
    pub stdin: bool,
    /// Environment variables: `OXIDIS_MAXMEMORY` stands for `maxmemory`. Others are passed over.
    pub environment: Vec<(String, Vec<u8>)>,
    /// Directives of the command line, as lines of a configuration file.
    pub command_line: Vec<u8>,
}

/// Why there is no configuration to start with, in one line that names the place.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("can't read the configuration file '{}': {}", .path.display(), error_text(.error))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A line is wrong.
    #[error("{place}: '{text}': {reason}")]
    Line {
        /// File and line, or where else it was given.
        place: String,
        /// What is wrong.
        reason: Reason,
        /// The line, or only its beginning if the rest is a secret.
        text: String,
    },
    /// The directives contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
}

impl Config {
    /// Reads all sources; the first thing that is wrong ends it.
    pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
        let mut loader = Loader {
            config: Config::default(),
            accumulated: HashMap::new(),
        };
        if let Some(path) = &sources.file {
            loader.file(path, 0)?;
            loader.config.file = Some(std::path::absolute(path).unwrap_or_else(|_| path.clone()));
        }
        if sources.stdin {
            let mut text = Vec::new();
            let read = io::stdin().read_to_end(&mut text);
            read.map_err(|error| ConfigError::Unreadable {
                path: "standard input".into(),
                error,
            })?;
            loader.text(&text, "standard input", 0)?;
        }
        for (name, value) in &sources.environment {
            loader.variable(name, value)?;
        }
        loader.text(&sources.command_line, "command line", 0)?;
        loader.finish()
    }
}

struct Loader {
    config: Config,
    /// The words that lines have given so far to the directives of several lines.
    accumulated: HashMap<&'static str, Vec<String>>,
}

impl Loader {
    fn file(&mut self, path: &Path, depth: usize) -> Result<(), ConfigError> {
        let text = fs::read(path).map_err(|error| ConfigError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        self.text(&text, &path.display().to_string(), depth)
    }

    fn text(&mut self, text: &[u8], origin: &str, depth: usize) -> Result<(), ConfigError> {
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let place = if origin == "command line" {
                origin.to_owned()
            } else {
                format!("{origin}:{}", index + 1)
            };
            let wrong = |reason| ConfigError::Line {
                place,
                reason,
                text: shown_line(line),
            };
            match self.line(line) {
                Ok(None) => {}
                Ok(Some(include)) if depth < MAX_INCLUDE_DEPTH => {
                    match self.include(&include, depth + 1) {
                        // Which file wants it?
                        Err(unreadable @ ConfigError::Unreadable { .. }) => {
                            return Err(wrong(unreadable.to_string().into()));
                        }
                        included => included?,
                    }
                }
                Ok(Some(_)) => return Err(wrong("files include each other too deeply".into())),
                Err(reason) => return Err(wrong(reason)),
            }
        }
        Ok(())
    }

    /// Takes a line; the path of the file to go on with if it is an `include`.
    fn line(&mut self, line: &[u8]) -> Result<Option<String>, Reason> {
        let words = words::split(line).map_err(|error| error.to_string())?;
        if let [name, user @ ..] = &words[..]
            && name.eq_ignore_ascii_case(b"user")
            && !user.is_empty()
        {
            self.config.users.push(user.to_vec());
            return Ok(None);
        }
        let words: Result<Vec<String>, _> = words.into_iter().map(String::from_utf8).collect();
        let words = words.map_err(|_| NOT_UTF8)?;
        let Some((name, values)) = words.split_first() else {
            return Ok(None);
        };
        if let Some(directive) = Directive::by_name(name) {
            return self.directive(directive, values).map(|()| None);
        }
        match (name.to_ascii_lowercase().as_str(), values) {
            ("include", [path]) => return Ok(Some(path.clone())),
            ("rename-command", [from, to]) => self
                .config
                .renamed_commands
                .push((from.clone(), to.clone())),
            ("loadmodule", [module, ..]) => self.warn(format!(
                "module '{module}' is not loaded: modules are not supported"
            )),
            ("include" | "rename-command" | "user" | "loadmodule", _) => {
                return Err("wrong number of arguments".into());
            }
            ("sentinel", _) => return Err("sentinel directive while not in sentinel mode".into()),
            (obsolete, [_]) if OBSOLETE.contains(&obsolete) => {}
            (module, [_, ..]) if module.contains('.') => {
                self.warn(format!("'{name}' is passed over: there are no modules"))
            }
            _ => return Err(format!("unknown directive '{name}'").into()),
        }
        Ok(None)
    }

    fn warn(&mut self, warning: String) {
        self.config.warnings.push(warning);
    }

    /// Sets a directive to the values of a line. A value that should be several words may be quoted
    /// as one.
    fn directive(
        &mut self,
        directive: &'static Directive,
        values: &[String],
    ) -> Result<(), Reason> {
        let mut values = values.to_vec();
        if let ([value], true) = (values.as_slice(), directive.words != Words::One)
            && !value.is_empty()
        {
            let split = words::split(value.as_bytes()).map_err(|error| error.to_string())?;
            values = split
                .iter()
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect();
        }
        if directive.words == Words::Accumulated {
            values = self.accumulate(directive, values);
        }
        directive.set(
            &mut self.config,
            &values.iter().map(String::as_str).collect::<Vec<_>>(),
        )
    }

    /// What this line and those before it amount to: the first one replaces the default, an empty
    /// value begins anew.
    fn accumulate(&mut self, directive: &'static Directive, values: Vec<String>) -> Vec<String> {
        let sum = self.accumulated.entry(directive.name()).or_default();
        if values == [""] {
            sum.clear();
        } else {
            sum.extend(values);
        }
        if sum.is_empty() {
            vec![String::new()]
        } else {
            sum.clone()
        }
    }

    fn finish(mut self) -> Result<Config, ConfigError> {
        let config = &mut self.config;
        if config.cluster_enabled && config.replicaof.is_some() {
            return Err(ConfigError::Contradiction(
                "replicaof directive not allowed in cluster mode",
            ));
        }
        if !config.aclfile.is_empty() && !config.users.is_empty() {
            return Err(ConfigError::Contradiction(
                "users are defined both in the configuration and by an aclfile: choose one",
            ));
        }
        if config.cluster_enabled && config.databases > 1 {
            config.databases = 1;
            config
                .warnings
                .push("cluster mode has one database: databases is set to 1".to_owned());
        }
        for directive in all() {
            let Some(warning) = directive.warning_when_set() else {
                continue;
            };
            if directive.written(config) != directive.written(Config::initial()) {
                config
                    .warnings
                    .push(format!("{}: {warning}", directive.name()));
            }
        }
        Ok(self.config)
    }

    fn include(&mut self, path: &str, depth: usize) -> Result<(), ConfigError> {
        if !glob::is_pattern(path.as_bytes()) {
            return self.file(Path::new(path), depth);
        }
        files_matching(path)
            .iter()
            .try_for_each(|path| self.file(path, depth))
    }
}

/// The line as an error shows it: of a directive that holds a secret the name only.
fn shown_line(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let name = text.split_ascii_whitespace().next().unwrap_or_default();
    let is_secret = name.eq_ignore_ascii_case("user")
        || Directive::by_name(name).is_some_and(Directive::is_sensitive);
    if is_secret {
        format!("{name} ...")
    } else {
        text.into_owned()
    }
}

/// The files that a pattern describes, sorted; wildcards stand for anything but `/` and a leading
/// dot.
fn files_matching(pattern: &str) -> Vec<PathBuf> {
    let (root, relative) = match pattern.strip_prefix('/') {
        Some(relative) => ("/", relative),
        None => ("", pattern),
    };
    let mut paths = vec![PathBuf::from(root)];
    for part in relative.split('/').filter(|part| !part.is_empty()) {
        paths = if glob::is_pattern(part.as_bytes()) {
            paths
                .iter()
                .flat_map(|path| children_matching(path, part))
                .collect()
        } else {
            paths.iter().map(|path| path.join(part)).collect()
        };
    }
    paths.retain(|path| path.exists());
    paths
}

fn children_matching(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let listed = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let entries = fs::read_dir(listed).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.retain(|name| {
        name.starts_with('.') == pattern.starts_with('.')
            && glob::matches(pattern.as_bytes(), name.as_bytes())
    });
    names.sort();
    names.into_iter().map(|name| folder.join(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn load(
        file: &str,
        environment: &[(&str, &str)],
        command_line: &str,
    ) -> Result<Config, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("redis.conf");
        fs::write(&path, file).expect("a file");
        let environment = environment
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.into()))
            .collect();
        let sources = Sources {
            file: Some(path),
            stdin: false,
            environment,
            command_line: command_line.into(),
        };
        Config::load(&sources).map_err(|error| {
            error
                .to_string()
                .replace(&*folder.path().to_string_lossy(), "")
        })
    }

    fn of_file(file: &str) -> Config {
        load(file, &[], "").expect("a good configuration")
    }

    pub(super) fn shown(config: &Config, name: &str) -> String {
        config
            .get(&[name])
            .pop()
            .map(|(_, value)| value)
            .unwrap_or_default()
    }

    #[test]
    fn lines_comments_and_quotes() {
        let config = of_file(
            "# a comment\r\n\n  PORT 7000\r\nrequirepass \"a b\\x21\"\nlogfile ''\n\tMaxMemory 1gb\nunixsocketperm 700\n",
        );
        assert_eq!((config.port, config.requirepass.as_str()), (7000, "a b!"));
        assert_eq!(
            (config.maxmemory.bytes_of(0), config.unixsocketperm),
            (1 << 30, 0o700)
        );
    }

    #[test]
    fn errors_name_file_line_and_text() {
        for (file, expected) in [
            (
                "port 1\nfoo bar",
                "/redis.conf:2: 'foo bar': unknown directive 'foo'",
            ),
            ("port", "/redis.conf:1: 'port': wrong number of arguments"),
            (
                "port 1 2",
                "/redis.conf:1: 'port 1 2': wrong number of arguments",
            ),
            (
                "\n\n port x ",
                "/redis.conf:3: 'port x': argument couldn't be parsed into an integer",
            ),
            ("dir \"/", "/redis.conf:1: 'dir \"/': unbalanced quotes"),
            (
                "requirepass \"secret",
                "/redis.conf:1: 'requirepass ...': unbalanced quotes",
            ),
            (
                "include",
                "/redis.conf:1: 'include': wrong number of arguments",
            ),
            (
                "sentinel monitor",
                "/redis.conf:1: 'sentinel monitor': sentinel directive while not in sentinel mode",
            ),
            (
                "cluster-enabled yes\nreplicaof a 1",
                "replicaof directive not allowed in cluster mode",
            ),
        ] {
            assert_eq!(load(file, &[], "").expect_err(file), expected);
        }
        let missing = Sources {
            file: Some("/nonexistent/redis.conf".into()),
            ..Sources::default()
        };
        let error = Config::load(&missing)
            .expect_err("a missing file")
            .to_string();
        assert_eq!(
            error,
            "can't read the configuration file '/nonexistent/redis.conf': No such file or directory"
        );
    }

    #[test]
    fn repeated_lines() {
        assert_eq!(shown(&of_file(""), "save"), "3600 1 300 100 60 10000");
        assert_eq!(
            shown(&of_file("save 900 1\nsave 60 5 30 2"), "save"),
            "900 1 60 5 30 2"
        );
        assert_eq!(
            shown(&of_file("save \"900 1\"\nsave \"\"\nsave 60 5"), "save"),
            "60 5"
        );
        assert_eq!(shown(&of_file("save \"\""), "save"), "");
        let config = of_file(
            "client-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit replica 4 5 6\nbind a b\nbind c",
        );
        assert_eq!(
            shown(&config, "client-output-buffer-limit"),
            "normal 1 2 3 slave 4 5 6 pubsub 33554432 8388608 60"
        );
        assert_eq!(config.bind, ["c"]);
        let config = of_file(
            "rename-command CONFIG \"\"\nrename-command KEYS k\nuser ann on\nuser bob off >x",
        );
        assert_eq!(config.renamed_commands.len(), 2);
        let users = [vec![&b"ann"[..], b"on"], vec![b"bob", b"off", b">x"]];
        assert_eq!(config.users, users);
    }

    #[test]
    fn precedence() {
        let file = "maxclients 1\ntimeout 1\nhz 1\nsave 1 1";
        let environment = [
            ("OXIDIS_TIMEOUT", "2"),
            ("OXIDIS_HZ", "2"),
            ("OXIDIS_SAVE", "2 2"),
            ("OTHER", "x"),
        ];
        let config = load(file, &environment, "hz 3").expect("a good configuration");
        assert_eq!((config.maxclients, config.timeout, config.hz), (1, 2, 3));
        assert_eq!(shown(&config, "save"), "2 2");
        assert_eq!(
            shown(
                &load(file, &[], "save 3 3").expect("a good configuration"),
                "save"
            ),
            "1 1 3 3"
        );
        assert_eq!(
            load("", &[], "foo 1").expect_err("unknown"),
            "command line: 'foo 1': unknown directive 'foo'"
        );
    }

    #[test]
    fn warnings_for_what_is_not_there() {
        let config =
            of_file("loadmodule x.so\nmodule.option 1\nlua-replicate-commands no\nreplicaof a 1");
        assert_eq!(config.warnings.len(), 3, "{:?}", config.warnings);
        assert!(of_file("tls-port 0").warnings.is_empty());
    }

    #[test]
    fn includes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write =
            |name: &str, text: String| fs::write(folder.path().join(name), text).expect("a file");
        let root = folder.path().display();
        fs::create_dir(folder.path().join("conf.d")).expect("a folder");
        write("conf.d/20.conf", "port 20".to_owned());
        write("conf.d/10.conf", "port 10\nhz 11".to_owned());
        write("conf.d/.hidden.conf", "nonsense".to_owned());
        write("loop.conf", format!("include {root}/loop.conf"));
        let load = |text: String| {
            write("redis.conf", text);
            let sources = Sources {
                file: Some(folder.path().join("redis.conf")),
                ..Sources::default()
            };
            Config::load(&sources).map_err(|error| error.to_string())
        };
        let config = load(format!(
            "port 1\ninclude {root}/conf.d/*.conf\ninclude {root}/none.d/*.conf\n"
        ))
        .expect("good");
        assert_eq!((config.port, config.hz), (20, 11));
        assert!(
            load(format!("include {root}/loop.conf"))
                .expect_err("a loop")
                .contains("too deeply")
        );
        assert!(
            load(format!("include {root}/missing.conf"))
                .expect_err("a missing file")
                .contains("missing.conf")
        );
    }
}
