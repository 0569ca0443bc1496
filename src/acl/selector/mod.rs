//! A selector: commands, keys and channels that are allowed together. `commands` has the rules of commands, `check` compares a
//! call with what is allowed.

mod check;
mod commands;

pub use check::{Access, Denial, Reason, Wish};

use self::commands::Commands;
use super::catalog::Catalog;
use super::error::RuleError;
use super::ordered::Ordered;
use super::user::Defaults;
use super::words::is_name;

/// Commands, keys and channels that are allowed together.
#[derive(Debug, Clone)]
pub struct Selector {
    commands: Commands,
    has_all_keys: bool,
    keys: Ordered<Box<[u8]>, Access>,
    has_all_channels: bool,
    channels: Ordered<Box<[u8]>, ()>,
}

impl Selector {
    /// A selector that allows nothing, but for channels where the configuration says so.
    pub(super) fn new(catalog: &Catalog, defaults: Defaults) -> Self {
        Self {
            commands: Commands::none(catalog),
            has_all_keys: false,
            keys: Ordered::default(),
            has_all_channels: defaults.all_channels,
            channels: Ordered::default(),
        }
    }

    /// Whether everything is allowed.
    pub(super) fn allows_everything(&self) -> bool {
        self.commands.are_all() && self.has_all_keys && self.has_all_channels
    }

    pub(super) fn has_all_keys(&self) -> bool {
        self.has_all_keys
    }

    /// Whether every key may be read.
    pub(super) fn reads_everything(&self) -> bool {
        let reads_all = |(pattern, access): &(Box<[u8]>, Access)| {
            **pattern == *b"*" && access.covers(Access::READ)
        };
        self.has_all_keys || self.keys.iter().any(reads_all)
    }

    pub(super) fn has_all_channels(&self) -> bool {
        self.has_all_channels
    }

    /// The patterns of channels that are allowed, unless all are.
    pub(super) fn channels(&self) -> impl Iterator<Item = &[u8]> {
        self.channels.iter().map(|(pattern, ())| &**pattern)
    }

    /// Takes a rule. After an error nothing has changed.
    pub(super) fn apply(&mut self, catalog: &Catalog, rule: &[u8]) -> Result<(), RuleError> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        match rule {
            _ if is("allkeys") || is("~*") => self.set_all_keys(true),
            _ if is("resetkeys") => self.set_all_keys(false),
            _ if is("allchannels") || is("&*") => self.set_all_channels(true),
            _ if is("resetchannels") => self.set_all_channels(false),
            _ if is("allcommands") || is("+@all") => self.commands.set_all(true),
            _ if is("nocommands") || is("-@all") => self.commands.set_all(false),
            [b'~', pattern @ ..] => self.add_keys(pattern, Access::BOTH)?,
            [b'%', rule @ ..] => {
                let (access, pattern) = access(rule)?;
                self.add_keys(pattern, access)?;
            }
            [b'&', pattern @ ..] => self.add_channels(pattern)?,
            [b'+', name @ ..] => self.commands.allow(catalog, name)?,
            [b'-', name @ ..] => self.commands.refuse(catalog, name)?,
            _ => return Err(RuleError::Syntax),
        }
        Ok(())
    }

    fn set_all_keys(&mut self, all: bool) {
        self.has_all_keys = all;
        self.keys.clear();
    }

    fn set_all_channels(&mut self, all: bool) {
        self.has_all_channels = all;
        self.channels.clear();
    }

    fn add_keys(&mut self, pattern: &[u8], access: Access) -> Result<(), RuleError> {
        if self.has_all_keys {
            return Err(RuleError::KeysAfterAll);
        }
        if !is_name(pattern) {
            return Err(RuleError::Syntax);
        }
        let known = self.keys.entry(pattern.into(), access);
        *known = known.with(access);
        Ok(())
    }

    fn add_channels(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        if self.has_all_channels {
            return Err(RuleError::ChannelsAfterAll);
        }
        if !is_name(pattern) {
            return Err(RuleError::Syntax);
        }
        self.channels.entry(pattern.into(), ());
        Ok(())
    }

    /// The rules of commands that amount to what is allowed.
    pub fn command_rules(&self) -> String {
        self.commands.describe()
    }

    /// The rules of keys.
    pub fn key_rules(&self) -> Vec<u8> {
        if self.has_all_keys {
            return b"~*".to_vec();
        }
        let rules = self.keys.iter();
        let rules = rules.map(|(pattern, access)| [access.sign(), pattern].concat());
        rules.collect::<Vec<_>>().join(&b' ')
    }

    /// The rules of channels.
    pub fn channel_rules(&self) -> Vec<u8> {
        if self.has_all_channels {
            return b"&*".to_vec();
        }
        let rules = self.channels().map(|pattern| [b"&", pattern].concat());
        rules.collect::<Vec<_>>().join(&b' ')
    }

    /// The rules that make such a selector of one that allows nothing.
    pub(super) fn describe(&self) -> Vec<u8> {
        let mut rules = vec![self.key_rules()];
        if !self.has_all_channels {
            rules.push(b"resetchannels".to_vec());
        }
        rules.push(self.channel_rules());
        rules.push(self.command_rules().into_bytes());
        rules.retain(|rule| !rule.is_empty());
        rules.join(&b' ')
    }
}

/// `RW~pattern`, behind its `%`.
fn access(rule: &[u8]) -> Result<(Access, &[u8]), RuleError> {
    let mut access = Access::NONE;
    for (at, letter) in rule.iter().enumerate() {
        let more = match letter.to_ascii_uppercase() {
            b'R' => Access::READ,
            b'W' => Access::WRITE,
            b'~' if access != Access::NONE => return Ok((access, &rule[at + 1..])),
            _ => return Err(RuleError::Syntax),
        };
        if access.covers(more) {
            return Err(RuleError::Syntax);
        }
        access = access.with(more);
    }
    Err(RuleError::Syntax)
}
