//! CONFIG GET and CONFIG SET: looking values up by name or pattern, and a new configuration from
//! the old one.

use std::collections::HashSet;

use super::Config;
use super::directive::{Directive, NOT_UTF8, Words, all};
use super::rule::Reason;
use super::values::Permission;
use crate::base::glob;

/// Who asks for a change: some directives are protected from clients on other machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A client on this machine.
    Local,
    /// A client on another machine.
    Remote,
}

/// Why CONFIG SET changed nothing; the text is the reply's, without the code word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// There is no directive of this name.
    #[error("Unknown option or number of arguments for CONFIG SET - '{}'", String::from_utf8_lossy(.0))]
    Unknown(Vec<u8>),
    /// The directive cannot be set, or not to this value.
    #[error("CONFIG SET failed (possibly related to argument '{name}') - {reason}")]
    Refused {
        /// The directive, as the request named it.
        name: String,
        /// What is wrong.
        reason: Reason,
    },
}

fn refused(name: &[u8], reason: impl Into<Reason>) -> SetError {
    SetError::Refused {
        name: String::from_utf8_lossy(name).into_owned(),
        reason: reason.into(),
    }
}

impl Config {
    /// Names and values of the directives that any of the patterns describes, each name once in whatever case. A
    /// name without wildcards is answered as it was asked for, also if it is an alias or hidden
    /// from patterns.
    pub fn get<P: AsRef<[u8]>>(&self, patterns: &[P]) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        let mut told = HashSet::new();
        for pattern in patterns.iter().map(AsRef::as_ref) {
            for (name, directive) in matching(pattern) {
                if told.insert(name.to_ascii_lowercase()) {
                    found.push((name, directive.shown(self)));
                }
            }
        }
        found
    }

    /// As [`Config::with_from`] for a caller on another machine.
    pub fn with(
        &self,
        pairs: &[(&[u8], &[u8])],
    ) -> Result<(Config, Vec<&'static Directive>), SetError> {
        self.with_from(pairs, Caller::Remote)
    }

    /// A configuration in which all these directives are set, and those among them whose value is
    /// another now; or the first error.
    pub fn with_from(
        &self,
        pairs: &[(&[u8], &[u8])],
        caller: Caller,
    ) -> Result<(Config, Vec<&'static Directive>), SetError> {
        let mut config = self.clone();
        let directives = self.permitted(pairs, caller)?;
        for (directive, (name, value)) in directives.iter().zip(pairs) {
            directive
                .assign(&mut config, value)
                .map_err(|reason| refused(directive.spelled(name).as_bytes(), reason))?;
        }
        let is_changed = |directive: &&Directive| {
            directive.is_read_anew() || directive.written(self) != directive.written(&config)
        };
        let changed = directives.into_iter().filter(is_changed).collect();
        Ok((config, changed))
    }

    /// The directives that the pairs name, once all of them are known to be changeable.
    fn permitted(
        &self,
        pairs: &[(&[u8], &[u8])],
        caller: Caller,
    ) -> Result<Vec<&'static Directive>, SetError> {
        let mut named: Vec<&'static Directive> = Vec::with_capacity(pairs.len());
        for (name, _) in pairs {
            let directive = std::str::from_utf8(name)
                .ok()
                .and_then(Directive::by_name)
                .ok_or_else(|| SetError::Unknown(name.to_vec()))?;
            if directive.is_immutable() {
                return Err(refused(name, "can't set immutable config"));
            }
            if directive.is_protected() && !self.lets_change_protected(caller) {
                return Err(refused(name, "can't set protected config"));
            }
            if named
                .iter()
                .any(|earlier| std::ptr::eq(*earlier, directive))
            {
                return Err(refused(name, "duplicate parameter"));
            }
            named.push(directive);
        }
        Ok(named)
    }

    fn lets_change_protected(&self, caller: Caller) -> bool {
        match self.enable_protected_configs {
            Permission::Yes => true,
            Permission::Local => caller == Caller::Local,
            Permission::No => false,
        }
    }
}

impl Directive {
    /// Sets the value that one text holds, its words separated by single blanks.
    fn assign(&self, config: &mut Config, value: &[u8]) -> Result<(), Reason> {
        let value = std::str::from_utf8(value).map_err(|_| NOT_UTF8)?;
        match self.words {
            Words::One => self.set(config, &[value]),
            Words::Many | Words::Accumulated => {
                self.set(config, &value.split(' ').collect::<Vec<_>>())
            }
        }
    }
}

/// The names that a pattern describes. Name and alias are two names.
fn matching(pattern: &[u8]) -> Vec<(String, &'static Directive)> {
    if !glob::is_pattern(pattern) {
        let name = String::from_utf8_lossy(pattern).into_owned();
        return Directive::by_name(&name)
            .map(|directive| (name, directive))
            .into_iter()
            .collect();
    }
    all()
        .filter(|directive| !directive.is_hidden())
        .flat_map(|directive| {
            [Some(directive.name()), directive.alias_name()]
                .into_iter()
                .flatten()
                .map(move |name| (name, directive))
        })
        .filter(|(name, _)| glob::matches_ignore_case(pattern, name.as_bytes()))
        .map(|(name, directive)| (name.to_owned(), directive))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(config: &Config, pairs: &[(&str, &str)]) -> Result<(Config, Vec<&'static str>), String> {
        let pairs: Vec<(&[u8], &[u8])> = pairs
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let (config, changed) = config.with(&pairs).map_err(|error| error.to_string())?;
        Ok((config, changed.into_iter().map(Directive::name).collect()))
    }

    fn refusal(name: &str, value: &str) -> String {
        set(&Config::default(), &[(name, value)]).expect_err("a refusal")
    }

    #[test]
    fn all_or_nothing() {
        let before = Config::default();
        let (after, changed) = set(
            &before,
            &[
                ("maxclients", "50"),
                ("TIMEOUT", "0"),
                ("slave-priority", "7"),
            ],
        )
        .expect("accepted");
        assert_eq!((after.maxclients, before.maxclients), (50, 10_000));
        assert_eq!(
            changed,
            ["maxclients", "replica-priority"],
            "what keeps its value is not changed"
        );
        let error =
            set(&before, &[("maxclients", "50"), ("timeout", "-1")]).expect_err("a refusal");
        assert!(
            error.contains("'timeout') - argument must be between 0 and 2147483647 inclusive"),
            "{error}"
        );
    }

    #[test]
    fn errors_are_those_of_redis() {
        for (name, value, expected) in [
            (
                "daemonize",
                "yes",
                "'daemonize') - can't set immutable config",
            ),
            ("Dir", "/", "'Dir') - can't set protected config"),
            (
                "MAXMEMORY",
                "x",
                "'maxmemory') - argument must be a memory value",
            ),
            (
                "slave-priority",
                "-5",
                "'slave-priority') - argument must be between 0 and 2147483647 inclusive",
            ),
            (
                "appendonly",
                "maybe",
                "'appendonly') - argument must be 'yes' or 'no'",
            ),
            (
                "port",
                "abc",
                "'port') - argument couldn't be parsed into an integer",
            ),
            (
                "proto-max-bulk-len",
                "5",
                "') - argument must be between 1048576 and 9223372036854775807 inclusive",
            ),
            ("save", "60", "'save') - Invalid save parameters"),
            (
                "oom-score-adj-values",
                "1 2",
                "') - wrong number of arguments",
            ),
            (
                "maxmemory-policy",
                "lru",
                "') - argument(s) must be one of the following: volatile-lru, volatile-lfu, ",
            ),
        ] {
            let error = refusal(name, value);
            assert!(
                error.starts_with("CONFIG SET failed (possibly related to argument '"),
                "{error}"
            );
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(
            refusal("foo", "1"),
            "Unknown option or number of arguments for CONFIG SET - 'foo'"
        );
        let twice = set(&Config::default(), &[("hz", "10"), ("HZ", "20")]).expect_err("a refusal");
        assert_eq!(
            twice,
            "CONFIG SET failed (possibly related to argument 'HZ') - duplicate parameter"
        );
    }

    #[test]
    fn protected_directives_open_by_permission() {
        let pairs: &[(&[u8], &[u8])] = &[(b"dbfilename", b"other.rdb")];
        let local = Config {
            enable_protected_configs: Permission::Local,
            ..Config::default()
        };
        assert!(local.with_from(pairs, Caller::Remote).is_err());
        assert!(local.with_from(pairs, Caller::Local).is_ok());
        let open = Config {
            enable_protected_configs: Permission::Yes,
            ..Config::default()
        };
        assert!(open.with(pairs).is_ok());
    }

    #[test]
    fn values_of_several_words() {
        let (config, _) = set(
            &Config::default(),
            &[("save", "60 1"), ("bind", "127.0.0.1 -::1")],
        )
        .expect("accepted");
        assert_eq!(
            (config.save.len(), config.bind.as_slice()),
            (1, &["127.0.0.1".to_owned(), "-::1".to_owned()][..])
        );
        let (config, _) = set(
            &config,
            &[("save", ""), ("client-output-buffer-limit", "pubsub 1 2 3")],
        )
        .expect("accepted");
        assert_eq!(config.get(&["save"])[0].1, "");
        assert_eq!(
            config.get(&["client-output-buffer-limit"])[0].1,
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 1 2 3"
        );
    }

    #[test]
    fn remembered_values_are_shown() {
        let (config, changed) =
            set(&Config::default(), &[("repl-backlog-size", "2mb")]).expect("accepted");
        assert_eq!(changed, ["repl-backlog-size"]);
        assert_eq!(config.get(&["repl-backlog-size"])[0].1, "2097152");
    }

    #[test]
    fn names_and_patterns() {
        let config = Config::default();
        let names = |patterns: &[&str]| {
            config
                .get(patterns)
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(&["MaxMemory", "nonsense", "MaxMemory"]),
            ["MaxMemory"]
        );
        assert_eq!(names(&["SLAVE-pri*"]), ["slave-priority"]);
        assert_eq!(
            names(&["maxmemory-s*", "maxmemory-[s]amples"]),
            ["maxmemory-samples"]
        );
        assert_eq!(names(&["watchdog-period"]), ["watchdog-period"]);
        assert!(!names(&["*"]).contains(&"watchdog-period".to_owned()));
        assert!(names(&["*"]).len() > 200);
    }
}
