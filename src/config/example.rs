//! The example configuration file: every directive with its description and its default value, made
//! from the table.

use super::directive::{Directive, sections};
use super::rule::{Rule, Unit, print_memory};

/// The width of a line.
const WIDTH: usize = 100;

/// A number that bounds nothing in practice is not worth a word.
const PRACTICALLY_UNBOUNDED: i128 = i32::MAX as i128;

const HEADER: &str = "\
# Example configuration of Oxidis.
#
# Give the path of such a file to the program: oxidis /path/to/redis.conf
# A directive can also be given on the command line (--port 6380), which has precedence, or in the environment
# (OXIDIS_PORT=6380), which has precedence over the file. Files of Redis and Valkey are understood as they are.
#
# Sizes have units: 1k is 1000 bytes, 1kb is 1024 bytes, and so on with m, mb, g and gb, in either case. A value with blanks
# or special characters is written in double quotes, with \\n, \\r, \\t, \\\", \\\\ and \\x41 as escapes, or in single quotes.
#
# Besides the directives below there are, as often as needed:
#
# include /path/to/other.conf           reads another file at this place; the name may hold wildcards
# user <name> <rules>                   defines a user, in the words of ACL SETUSER
# rename-command <command> <new name>   gives a command another name, or removes it if the new name is \"\"
";

/// The text of the example file.
pub fn example_file() -> String {
    let mut text = HEADER.to_owned();
    for section in sections() {
        let rule = "#".repeat(WIDTH);
        text += &format!("\n{rule}\n# {}\n{rule}\n", section.title);
        for directive in section
            .directives
            .iter()
            .filter(|directive| !directive.is_hidden())
        {
            text += "\n";
            describe(directive, &mut text);
        }
    }
    text
}

fn describe(directive: &Directive, text: &mut String) {
    let sentences = [
        Some(directive.description().to_owned()),
        values(&directive.rule),
        directive.alias_name().map(also),
        when(directive),
    ];
    for line in wrap(
        &sentences
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
    ) {
        *text += &format!("# {line}\n");
    }
    for value in directive.example() {
        *text += &format!("# {} {value}\n", directive.name());
    }
}

fn also(alias: &str) -> String {
    format!("Also called {alias}.")
}

fn when(directive: &Directive) -> Option<String> {
    directive
        .is_immutable()
        .then(|| "Fixed at the start.".to_owned())
}

/// What the rule allows, where that is not plain from the value.
fn values(rule: &Rule) -> Option<String> {
    match rule {
        Rule::Choice(names) => Some(format!("One of {}.", names.join(", "))),
        Rule::Number {
            min,
            max,
            unit: Unit::Plain,
        } if *max < PRACTICALLY_UNBOUNDED => Some(format!("From {min} to {max}.")),
        Rule::Number {
            min,
            unit: Unit::Memory,
            ..
        } if *min > 1 => Some(format!(
            "At least {}.",
            print_memory(u64::try_from(*min).unwrap_or(0))
        )),
        Rule::Hint { min, max } => Some(format!("From {min} to {max}.")),
        _ => None,
    }
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() + 3 <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/redis.conf.example");

    /// Setting this variable writes the file instead of comparing it.
    const REGENERATE: &str = "REGENERATE_EXAMPLE";

    #[test]
    fn the_file_is_what_the_table_says() {
        let text = example_file();
        if std::env::var_os(REGENERATE).is_some() {
            std::fs::write(PATH, &text).expect("the example file is writable");
        }
        let present = std::fs::read_to_string(PATH).unwrap_or_default();
        assert!(
            present == text,
            "redis.conf.example is out of date: {REGENERATE}=1 cargo test --lib config::example"
        );
    }

    #[test]
    fn every_default_can_be_read() {
        let lines = example_file();
        let directives = lines
            .lines()
            .skip(HEADER.lines().count())
            .filter_map(|line| line.strip_prefix("# "));
        let is_directive = |line: &&str| {
            let name = line.split(' ').next().unwrap_or_default();
            Directive::by_name(name).is_some_and(|directive| {
                directive
                    .example()
                    .iter()
                    .any(|value| *line == format!("{name} {value}"))
            })
        };
        let text: Vec<&str> = directives.filter(is_directive).collect();
        assert!(text.len() > 200);
        let sources = Sources {
            command_line: text.join("\n").into_bytes(),
            ..Sources::default()
        };
        let config = Config::load(&sources).expect("the example file is good");
        let told = |config: &Config| {
            config
                .get(&["*"])
                .into_iter()
                .filter(|(name, _)| name != "io-threads")
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&config), told(&Config::default()));
    }
}
