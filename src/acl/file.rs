//! The file of users (`aclfile`): a line `user <name> <rules>` for each, nothing else.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::RuleError;
use super::store::Acl;
use super::user::{Defaults, User};
use super::words::{self, is_name};
use crate::base::machine::error_text;

const NOTHING_DONE: &str =
    "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";

/// Reads users from a file. The error tells all that is wrong with it.
pub fn read_file(acl: &Acl, path: &str, defaults: Defaults) -> Result<Vec<User>, String> {
    let text = fs::read(path).map_err(|error| {
        let reason = error_text(&error);
        format!("Error loading ACLs, opening file '{path}': {reason}")
    })?;
    parse(acl, path, &text, defaults)
}

fn parse(acl: &Acl, path: &str, text: &[u8], defaults: Defaults) -> Result<Vec<User>, String> {
    let (mut users, mut errors) = (Vec::new(), String::new());
    let mut names = BTreeSet::new();
    for (line, number) in text.split(|&byte| byte == b'\n').zip(1..) {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let mut words = line.split(|&byte| byte == b' ');
        let (Some(b"user"), Some(name)) = (words.next(), words.next()) else {
            errors += &format!(
                "{path}:{number} should start with user keyword followed by the username. "
            );
            continue;
        };
        let shown = String::from_utf8_lossy(name);
        if !is_name(name) {
            errors +=
                &format!("'{path}:{number}: username '{shown}' contains invalid characters. ");
        } else if !names.insert(name) {
            errors += &format!("WARNING: Duplicate user '{shown}' found on line {number}. ");
        } else {
            let place = format!("{path}:{number}");
            users.extend(user(acl, name, words, defaults, &place, &mut errors));
        }
    }
    match errors.is_empty() {
        true => Ok(users),
        false => Err(errors + NOTHING_DONE),
    }
}

/// The user of a line, as far as its rules make sense.
fn user<'w>(
    acl: &Acl,
    name: &[u8],
    rules: impl Iterator<Item = &'w [u8]>,
    defaults: Defaults,
    place: &str,
    errors: &mut String,
) -> Option<User> {
    let mut user = acl.make(name, defaults);
    let Ok(rules) = words::rules(rules) else {
        *errors += &format!("{place}: Unmatched parenthesis in selector definition.");
        return None;
    };
    let mut is_told = false;
    for rule in rules {
        match user.apply(acl.catalog(), defaults, rule.trim_ascii()) {
            Ok(()) => {}
            // What names no command holds no secret.
            Err(error @ RuleError::Unknown) => {
                let rule = String::from_utf8_lossy(&rule);
                *errors += &format!("{place}: Error in applying operation '{rule}': {error}. ");
            }
            Err(error) if !is_told => {
                *errors += &format!("{place}: {error}. ");
                is_told = true;
            }
            Err(_) => {}
        }
    }
    user.note_rights();
    Some(user)
}

/// Writes all users to a file: to another one first, which then takes its place.
pub fn write_file(acl: &Acl, path: &str) -> io::Result<()> {
    let mut text = Vec::new();
    for user in acl.users().values() {
        text.extend([b"user ", user.name(), b" ", &user.describe(), b"\n"].concat());
    }
    let path = Path::new(path);
    let new = PathBuf::from(format!("{}.tmp-{}", path.display(), std::process::id()));
    let result = write_new(&new, &text).and_then(|()| fs::rename(&new, path));
    if result.is_err() {
        // It may not even be there.
        let _ = fs::remove_file(&new);
        return result;
    }
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::Catalog;

    const DEFAULTS: Defaults = Defaults {
        all_channels: false,
    };

    fn read(text: &str) -> Result<Vec<String>, String> {
        let acl = Acl::new(Catalog::default(), DEFAULTS);
        let users = parse(&acl, "f", text.as_bytes(), DEFAULTS)?;
        let describe = |user: &User| String::from_utf8_lossy(&user.describe()).into_owned();
        Ok(users.iter().map(describe).collect())
    }

    #[test]
    fn lines_are_users() {
        let users = read("user ann on ~a (~b  ~c)\r\n\n  user bob  \nuser default nopass").unwrap();
        assert_eq!(
            users,
            [
                "on sanitize-payload ~a resetchannels -@all (~b ~c resetchannels -@all)",
                "off sanitize-payload resetchannels -@all",
                "off nopass sanitize-payload resetchannels -@all",
            ]
        );
    }

    #[test]
    fn errors_are_collected() {
        for (text, expected) in [
            (
                "# a comment",
                "f:1 should start with user keyword followed by the username. ",
            ),
            (
                "user",
                "f:1 should start with user keyword followed by the username. ",
            ),
            (
                "user a\nuser a",
                "WARNING: Duplicate user 'a' found on line 2. ",
            ),
            (
                "user a\tb",
                "'f:1: username 'a\tb' contains invalid characters. ",
            ),
            (
                "user a (+get",
                "f:1: Unmatched parenthesis in selector definition.",
            ),
            (
                "user a +x -y nonsense >p <q",
                "f:1: Error in applying operation '+x': Unknown command or category name in ACL. f:1: Error in applying \
                 operation '-y': Unknown command or category name in ACL. f:1: Syntax error. ",
            ),
        ] {
            assert_eq!(
                read(text),
                Err(format!("{expected}{NOTHING_DONE}")),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("users.acl");
        let path = path.to_str().expect("a path");
        let acl = Acl::new(Catalog::default(), DEFAULTS);
        let rules = ["on", ">secret", "%R~a*", "&c", "(~b &*)"];
        let rules = rules.into_iter().map(str::as_bytes);
        acl.set(b"ann", DEFAULTS, rules).expect("a user");
        write_file(&acl, path).expect("a file");
        let users = read_file(&acl, path, DEFAULTS).expect("users");
        let known = acl.users();
        for user in users {
            assert_eq!(user.describe(), known[user.name()].describe());
        }
        assert!(read_file(&acl, "/nowhere/f", DEFAULTS).is_err());
        assert!(write_file(&acl, "/nowhere/f").is_err());
    }
}
