//! The commands of a selector: a bit for each, first arguments that allow one without its bit, and the rules that led there.
//!
//! Rules are kept as they were given, the last one of each name, since what a category holds differs between versions: a
//! description that named single commands would not survive an update.

use std::collections::{BTreeMap, BTreeSet};

use super::super::catalog::Catalog;
use super::super::error::RuleError;

/// A rule of a command or category: when it was given, and whether it allows.
#[derive(Debug, Clone, Copy)]
struct Given {
    number: u64,
    allows: bool,
}

/// Which commands are allowed.
#[derive(Debug, Clone)]
pub(super) struct Commands {
    bits: Box<[u64]>,
    /// Whether all are, and no rule has taken one away since.
    are_all: bool,
    /// Whether the rules begin with all commands.
    begins_with_all: bool,
    /// Lower-case first arguments with which a command is allowed that is not.
    first_arguments: BTreeMap<usize, BTreeSet<Box<[u8]>>>,
    /// Rules since all commands were allowed or refused, without their signs.
    rules: BTreeMap<Box<[u8]>, Given>,
    next: u64,
}

impl Commands {
    pub fn none(catalog: &Catalog) -> Self {
        Self {
            bits: vec![0; catalog.len().div_ceil(64)].into(),
            are_all: false,
            begins_with_all: false,
            first_arguments: BTreeMap::new(),
            rules: BTreeMap::new(),
            next: 0,
        }
    }

    pub fn are_all(&self) -> bool {
        self.are_all
    }

    /// Whether a command is allowed, with this first argument of its own.
    pub fn allow_call(&self, command: usize, first: Option<&[u8]>) -> bool {
        if self.are_all || self.bits[command / 64] >> (command % 64) & 1 != 0 {
            return true;
        }
        let (Some(words), Some(first)) = (self.first_arguments.get(&command), first) else {
            return false;
        };
        words.contains(&*first.to_ascii_lowercase())
    }

    pub fn set_all(&mut self, all: bool) {
        self.bits.fill(if all { u64::MAX } else { 0 });
        (self.are_all, self.begins_with_all) = (all, all);
        self.first_arguments.clear();
        self.rules.clear();
    }

    /// `+name`, behind its sign.
    pub fn allow(&mut self, catalog: &Catalog, name: &[u8]) -> Result<(), RuleError> {
        if let [b'@', category @ ..] = name {
            return self.set_category(catalog, category, true);
        }
        let Some(bar) = name.iter().rposition(|&byte| byte == b'|') else {
            return self.set_named(catalog, name, true);
        };
        let (command, word) = (&name[..bar], &name[bar + 1..]);
        let command = catalog.find(command).ok_or(RuleError::Unknown)?;
        let entry = catalog.entry(command);
        if entry.parent.is_some() {
            return Err(RuleError::FirstArgumentOfSubcommand);
        }
        if word.is_empty() {
            return Err(RuleError::Syntax);
        }
        if !entry.subcommands.is_empty() {
            return self.set_named(catalog, name, true);
        }
        let words = self.first_arguments.entry(command).or_default();
        words.insert(word.to_ascii_lowercase().into());
        self.note(name, true);
        Ok(())
    }

    /// `-name`, behind its sign.
    pub fn refuse(&mut self, catalog: &Catalog, name: &[u8]) -> Result<(), RuleError> {
        match name {
            [b'@', category @ ..] => self.set_category(catalog, category, false),
            _ => self.set_named(catalog, name, false),
        }
    }

    fn set_named(&mut self, catalog: &Catalog, name: &[u8], allows: bool) -> Result<(), RuleError> {
        let command = catalog.find(name).ok_or(RuleError::Unknown)?;
        self.set(catalog, command, allows);
        self.note(catalog.entry(command).name.as_bytes(), allows);
        Ok(())
    }

    fn set_category(
        &mut self,
        catalog: &Catalog,
        name: &[u8],
        allows: bool,
    ) -> Result<(), RuleError> {
        let category = catalog.category(name).ok_or(RuleError::Unknown)?;
        let members = catalog.of_category(category);
        members.for_each(|command| self.set(catalog, command, allows));
        self.note(&[b"@", name].concat(), allows);
        Ok(())
    }

    /// Allows or refuses a command, a container with all that it holds.
    fn set(&mut self, catalog: &Catalog, command: usize, allows: bool) {
        self.set_bit(command, allows);
        self.first_arguments.remove(&command);
        let subcommands = catalog.entry(command).subcommands.iter();
        subcommands.for_each(|&subcommand| self.set_bit(subcommand, allows));
    }

    fn set_bit(&mut self, command: usize, on: bool) {
        let (word, bit) = (&mut self.bits[command / 64], 1 << (command % 64));
        match on {
            true => *word |= bit,
            false => *word &= !bit,
        }
        self.are_all &= on;
    }

    /// Remembers a rule in the place of those that it makes void: about the same name, or about a part of what it names.
    fn note(&mut self, name: &[u8], allows: bool) {
        let name: Box<[u8]> = name.to_ascii_lowercase().into();
        let begin = [&name, &b"|"[..]].concat().into_boxed_slice();
        let parts = self.rules.range(begin.clone()..);
        let parts = parts.take_while(|(part, _)| part.starts_with(&begin));
        for part in parts.map(|(part, _)| part.clone()).collect::<Vec<_>>() {
            self.rules.remove(&part);
        }
        let number = self.next;
        self.next += 1;
        self.rules.insert(name, Given { number, allows });
    }

    /// The rules that amount to what is allowed.
    pub fn describe(&self) -> String {
        let mut rules: Vec<_> = self.rules.iter().collect();
        rules.sort_unstable_by_key(|(_, given)| given.number);
        let mut text = String::from(match self.begins_with_all {
            true => "+@all",
            false => "-@all",
        });
        for (name, given) in rules {
            text += if given.allows { " +" } else { " -" };
            text += &String::from_utf8_lossy(name);
        }
        text
    }
}
