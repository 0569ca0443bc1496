//! A user: passwords, and selectors of which one must allow what is done.

use super::catalog::Catalog;
use super::error::RuleError;
use super::ordered::Ordered;
use super::password::{self, Hash};
use super::selector::{Denial, Reason, Selector, Wish};
use super::words::{self, Refused};
use crate::config::split_words;

/// The name of the user that every connection has until it says otherwise.
pub const DEFAULT_USER: &str = "default";

/// What a new user may do, as the configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// Use all channels.
    pub all_channels: bool,
}

/// A user. It never changes: a change makes another one of the same identity.
#[derive(Debug, Clone)]
pub struct User {
    identity: u64,
    name: Box<[u8]>,
    is_on: bool,
    has_no_password: bool,
    sanitizes: bool,
    passwords: Ordered<Hash, ()>,
    root: Selector,
    selectors: Vec<Selector>,
    is_unrestricted: bool,
    minds_keys: bool,
}

impl User {
    /// A user who may do nothing.
    pub(super) fn new(name: &[u8], identity: u64, catalog: &Catalog, defaults: Defaults) -> Self {
        let mut user = Self {
            identity,
            name: name.into(),
            is_on: false,
            has_no_password: false,
            sanitizes: true,
            passwords: Ordered::default(),
            root: Selector::new(catalog, defaults),
            selectors: Vec::new(),
            is_unrestricted: false,
            minds_keys: true,
        };
        user.note_rights();
        user
    }

    /// The default user as it is where nothing is configured: without a password, and with all rights.
    pub(super) fn default(identity: u64, catalog: &Catalog, defaults: Defaults) -> Self {
        let mut user = Self::new(DEFAULT_USER.as_bytes(), identity, catalog, defaults);
        for rule in ["+@all", "~*", "&*", "on", "nopass"] {
            let result = user.apply(catalog, defaults, rule.as_bytes());
            debug_assert_eq!(result, Ok(()));
        }
        user.note_rights();
        user
    }

    /// The same user after some rules, or the first rule that makes no sense.
    pub fn with<'w>(
        &self,
        catalog: &Catalog,
        defaults: Defaults,
        words: impl Iterator<Item = &'w [u8]>,
    ) -> Result<Self, Refused> {
        let mut user = self.clone();
        for rule in words::rules(words)? {
            let result = user.apply(catalog, defaults, &rule);
            result.map_err(|error| Refused::Rule(rule.into_owned(), error))?;
        }
        user.note_rights();
        Ok(user)
    }

    /// Takes a rule. Rights have to be noted after the last one.
    pub(super) fn apply(
        &mut self,
        catalog: &Catalog,
        defaults: Defaults,
        rule: &[u8],
    ) -> Result<(), RuleError> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        match rule {
            [] => {}
            _ if is("on") => self.is_on = true,
            _ if is("off") => self.is_on = false,
            _ if is("sanitize-payload") => self.sanitizes = true,
            _ if is("skip-sanitize-payload") => self.sanitizes = false,
            _ if is("nopass") => self.set_no_password(true),
            _ if is("resetpass") => self.set_no_password(false),
            _ if is("clearselectors") => self.selectors.clear(),
            _ if is("reset") => {
                let (name, identity) = (self.name.clone(), self.identity);
                *self = Self::new(&name, identity, catalog, defaults);
            }
            [b'>', password @ ..] => self.add_password(password::hash(password)),
            [b'#', hash @ ..] => self.add_password(password::parse(hash)?),
            [b'<', password @ ..] => self.remove_password(password::hash(password))?,
            [b'!', hash @ ..] => self.remove_password(password::parse(hash)?)?,
            [b'(', rules @ .., b')'] => {
                let mut selector = Selector::new(catalog, defaults);
                for rule in split_words(rules).map_err(|_| RuleError::Syntax)? {
                    selector.apply(catalog, &rule)?;
                }
                self.selectors.push(selector);
            }
            _ => self.root.apply(catalog, rule)?,
        }
        Ok(())
    }

    fn set_no_password(&mut self, has_no_password: bool) {
        self.has_no_password = has_no_password;
        self.passwords.clear();
    }

    fn add_password(&mut self, hash: Hash) {
        self.passwords.entry(hash, ());
        self.has_no_password = false;
    }

    fn remove_password(&mut self, hash: Hash) -> Result<(), RuleError> {
        match self.passwords.remove(&hash) {
            true => Ok(()),
            false => Err(RuleError::NoSuchPassword),
        }
    }

    pub(super) fn note_rights(&mut self) {
        let is_unrestricted = self.all_selectors().any(Selector::allows_everything);
        let minds_keys = !self.all_selectors().all(Selector::has_all_keys);
        (self.is_unrestricted, self.minds_keys) = (is_unrestricted, minds_keys);
    }

    /// Tells this user from others of the same name before or after it; 0 is the default user's.
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// The user's name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether anybody may log in as this user.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether any password is the right one.
    pub fn has_no_password(&self) -> bool {
        self.has_no_password
    }

    /// Whether a connection need not log in as this user.
    pub fn is_open(&self) -> bool {
        self.is_on && self.has_no_password
    }

    /// Whether nothing is refused to the user.
    pub fn is_unrestricted(&self) -> bool {
        self.is_unrestricted
    }

    /// Whether it matters which keys a call touches.
    pub fn minds_keys(&self) -> bool {
        self.minds_keys
    }

    /// The rights outside parentheses.
    pub fn root(&self) -> &Selector {
        &self.root
    }

    /// The rights in parentheses.
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    fn all_selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// Whether a password is the user's.
    pub(super) fn accepts(&self, password: &Hash) -> bool {
        let known = self.passwords.iter().map(|(hash, ())| hash);
        let is_known = password::is_among(password, known);
        self.is_on && (self.has_no_password || is_known)
    }

    /// Whether the user may do something: whether one selector allows all of it. Of what they refuse, that is told which came
    /// furthest.
    pub fn check(&self, wish: &Wish<'_>) -> Result<(), Denial> {
        let mut denial = Denial {
            reason: Reason::Command,
            at: 0,
        };
        for selector in self.all_selectors() {
            match selector.check(wish) {
                Ok(()) => return Ok(()),
                Err(other) => denial = denial.max(other),
            }
        }
        Err(denial)
    }

    /// Whether the user may do something and read any key besides, by the same selector.
    pub fn may_read_all(&self, wish: &Wish<'_>) -> bool {
        let mut selectors = self.all_selectors();
        selectors.any(|selector| selector.check(wish).is_ok() && selector.reads_everything())
    }

    /// Whether the user may read a key, by whatever commands.
    pub fn may_read(&self, key: &[u8]) -> bool {
        let mut selectors = self.all_selectors();
        !self.minds_keys || selectors.any(|selector| selector.reads(key))
    }

    /// Whether the user may use a channel, or subscribe to a pattern.
    pub fn may_use_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        let mut selectors = self.all_selectors();
        selectors.any(|selector| {
            selector.has_all_channels() || selector.allows_channel(channel, is_pattern)
        })
    }

    /// Whether `other` has all patterns of channels that this user has.
    pub fn keeps_channels_as(&self, other: &Self) -> bool {
        if other.all_selectors().any(Selector::has_all_channels) {
            return true;
        }
        let is_kept = |pattern: &[u8]| other.may_use_channel(pattern, true);
        !self.all_selectors().any(Selector::has_all_channels)
            && self
                .all_selectors()
                .all(|selector| selector.channels().all(is_kept))
    }

    /// The words of the user's flags.
    pub fn flags(&self) -> Vec<&'static str> {
        let words = [
            Some(if self.is_on { "on" } else { "off" }),
            self.has_no_password.then_some("nopass"),
            Some(match self.sanitizes {
                true => "sanitize-payload",
                false => "skip-sanitize-payload",
            }),
        ];
        words.into_iter().flatten().collect()
    }

    /// The hashes of the passwords.
    pub fn passwords(&self) -> impl ExactSizeIterator<Item = String> {
        (self.passwords.iter()).map(|(hash, ())| password::show(hash))
    }

    /// The words that define the user in a configuration: the name, then the rules.
    pub fn words(&self) -> Vec<Vec<u8>> {
        let rules = self.describe();
        let rules = rules.split(|&byte| byte == b' ').map(<[u8]>::to_vec);
        std::iter::once(self.name.to_vec()).chain(rules).collect()
    }

    /// The rules that make such a user of a new one.
    pub fn describe(&self) -> Vec<u8> {
        let flags = self
            .flags()
            .into_iter()
            .map(|word| word.as_bytes().to_vec());
        let passwords = self.passwords().map(|hash| format!("#{hash}").into_bytes());
        let selectors = self.selectors.iter();
        let selectors = selectors.map(|selector| [b"(", &selector.describe()[..], b")"].concat());
        let words = flags.chain(passwords);
        let words = words.chain([self.root.describe()]).chain(selectors);
        words.collect::<Vec<_>>().join(&b' ')
    }
}

#[cfg(test)]
mod tests;
