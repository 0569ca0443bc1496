//! Directives from environment variables: `OXIDIS_MAXMEMORY` stands for `maxmemory`.

use super::{ConfigError, Loader};
use crate::config::directive::{Directive, NOT_UTF8, all};

/// What the name of an environment variable begins with if it stands for a directive.
const ENVIRONMENT_PREFIX: &str = "OXIDIS_";

impl Loader {
    /// Takes an environment variable. Unlike a further line of the file, it replaces what was
    /// accumulated.
    pub(super) fn variable(&mut self, name: &str, value: &[u8]) -> Result<(), ConfigError> {
        let Some(wanted) = name.strip_prefix(ENVIRONMENT_PREFIX) else {
            return Ok(());
        };
        let Some(directive) = directive_of_variable(wanted) else {
            if let Some(word) = repeated_of_variable(wanted) {
                return self.repeated(word, value);
            }
            self.warn(format!(
                "the environment variable {name} stands for no directive"
            ));
            return Ok(());
        };
        if is_of_a_service(value) {
            self.warn(format!(
                "the environment variable {name} is passed over: it tells where a service of this name is"
            ));
            return Ok(());
        }
        self.accumulated.remove(directive.name());
        let shown = String::from_utf8_lossy(value);
        let text = format!(
            "{name}={}",
            if directive.is_sensitive() {
                "..."
            } else {
                &shown
            }
        );
        let taken = std::str::from_utf8(value)
            .map_err(|_| NOT_UTF8.into())
            .and_then(|value| self.directive(directive, &[value.to_owned()]));
        taken.map_err(|reason| ConfigError::Line {
            place: "environment".to_owned(),
            reason,
            text,
        })
    }

    /// Takes an environment variable for something that is given as often as needed: once with each of its lines.
    fn repeated(&mut self, word: &str, value: &[u8]) -> Result<(), ConfigError> {
        let lines = value.split(|byte| *byte == b'\n');
        let wanted = lines.filter(|line| !line.trim_ascii().is_empty());
        let text: Vec<u8> = wanted
            .flat_map(|line| [word.as_bytes(), b" ", line, b"\n"].concat())
            .collect();
        self.text(&text, "environment", 0)
    }
}

/// Kubernetes, and Docker's links, tell containers of a service called `oxidis` by variables such as
/// `OXIDIS_PORT=tcp://10.0.0.1:6379`.
fn is_of_a_service(value: &[u8]) -> bool {
    value.starts_with(b"tcp://") || value.starts_with(b"udp://")
}

/// The directive whose name, or alias, a variable spells with `_` for `-`.
fn directive_of_variable(wanted: &str) -> Option<&'static Directive> {
    all().find(|directive| {
        let names = [Some(directive.name()), directive.alias_name()];
        let spells = |name: &str| name.replace('-', "_").eq_ignore_ascii_case(wanted);
        names.into_iter().flatten().any(spells)
    })
}

/// What a variable spells of that which a file may have as often as needed.
fn repeated_of_variable(wanted: &str) -> Option<&'static str> {
    const WORDS: &[&str] = &["include", "rename-command", "user"];
    let spelt = |word: &&&str| word.replace('-', "_").eq_ignore_ascii_case(wanted);
    WORDS.iter().find(spelt).copied()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{load, shown};

    #[test]
    fn environment() {
        let config = load(
            "",
            &[
                ("OXIDIS_NO_SUCH", "1"),
                ("OXIDIS_SERVER_CPULIST", "0-1"),
                ("OXIDIS_BIND", "a -b"),
                ("OXIDIS_PORT", "tcp://10.0.0.1:6379"),
            ],
            "",
        );
        let config = config.expect("a good configuration");
        assert_eq!(
            config.warnings,
            [
                "the environment variable OXIDIS_NO_SUCH stands for no directive",
                "the environment variable OXIDIS_PORT is passed over: it tells where a service of this name is"
            ]
        );
        assert_eq!(config.port, 6379);
        assert_eq!(
            (shown(&config, "server-cpulist").as_str(), config.bind.len()),
            ("0-1", 2)
        );
        let secret = load("", &[("OXIDIS_MAXCLIENTS", "x")], "").expect_err("no number");
        assert_eq!(
            secret,
            "environment: 'OXIDIS_MAXCLIENTS=x': argument couldn't be parsed into an integer"
        );
    }

    #[test]
    fn variables_of_several_lines() {
        let environment = [
            ("OXIDIS_RENAME_COMMAND", "FLUSHALL \"\"\nKEYS list-keys\n"),
            ("OXIDIS_USER", "shop on >secret ~cart:* +@all"),
        ];
        let config = load("rename-command DEBUG \"\"", &environment, "");
        let config = config.expect("a good configuration");
        let renamed = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let expected = [
            renamed("DEBUG", ""),
            renamed("FLUSHALL", ""),
            renamed("KEYS", "list-keys"),
        ];
        assert_eq!(config.renamed_commands, expected);
        assert_eq!(config.users.len(), 1);
        assert_eq!(config.warnings, Vec::<String>::new());
        let wrong = load("", &[("OXIDIS_RENAME_COMMAND", "KEYS")], "");
        assert_eq!(
            wrong.expect_err("one word"),
            "environment:1: 'rename-command KEYS': wrong number of arguments"
        );
    }
}
