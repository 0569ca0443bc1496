//! A call compared with what a selector allows.

use super::Selector;
use crate::base::glob;
use crate::resp::args::Args;

/// What is done, or may be done, with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access(u8);

impl Access {
    /// Nothing: it is enough that the key may be touched at all.
    pub const NONE: Self = Self(0);
    /// Its value is read.
    pub const READ: Self = Self(1);
    /// It is written.
    pub const WRITE: Self = Self(2);
    /// Both.
    pub const BOTH: Self = Self(3);

    /// Both this and that.
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether whoever may do this may do that.
    pub fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// How a rule begins that allows this.
    pub(super) fn sign(self) -> &'static [u8] {
        match self {
            Self::READ => b"%R~",
            Self::WRITE => b"%W~",
            _ => b"~",
        }
    }
}

/// A call, as far as users may be kept from it.
#[derive(Clone, Copy)]
pub struct Wish<'w> {
    /// The command's number in the catalog; `None` for one that everybody may call.
    pub command: Option<usize>,
    /// Its words.
    pub args: Args<'w>,
    /// How many of them are its name.
    pub name_words: usize,
    /// Which of them are keys, and what it does with them.
    pub keys: &'w [(usize, Access)],
    /// Which of them are channels.
    pub channels: &'w [usize],
    /// Whether these are patterns.
    pub are_patterns: bool,
}

/// What a user may not do; the last of them tells most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Call the command.
    Command,
    /// Touch a key in such a way.
    Key,
    /// Use a channel.
    Channel,
    /// Log in.
    Auth,
}

impl Reason {
    /// The word in ACL LOG.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Key => "key",
            Self::Channel => "channel",
            Self::Auth => "auth",
        }
    }
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denial {
    /// What is not allowed.
    pub reason: Reason,
    /// The word that names it.
    pub at: usize,
}

impl Selector {
    /// Whether this allows a call.
    pub(in crate::acl) fn check(&self, wish: &Wish<'_>) -> Result<(), Denial> {
        let denied = |reason, at| Err(Denial { reason, at });
        if let Some(command) = wish.command
            && !(self.commands).allow_call(command, wish.args.get(wish.name_words))
        {
            return denied(Reason::Command, 0);
        }
        if !self.has_all_keys {
            for &(at, access) in wish.keys {
                if !self.allows_key(wish.args.at(at), access) {
                    return denied(Reason::Key, at);
                }
            }
        }
        if !self.has_all_channels {
            for &at in wish.channels {
                if !self.allows_channel(wish.args.at(at), wish.are_patterns) {
                    return denied(Reason::Channel, at);
                }
            }
        }
        Ok(())
    }

    /// Whether this allows a key to be read.
    pub(in crate::acl) fn reads(&self, key: &[u8]) -> bool {
        self.has_all_keys || self.allows_key(key, Access::READ)
    }

    fn allows_key(&self, key: &[u8], wanted: Access) -> bool {
        let mut patterns = self.keys.iter();
        patterns.any(|(pattern, access)| access.covers(wanted) && glob::matches(pattern, key))
    }

    /// Whether a channel may be used. A pattern is only compared as it is: whether one covers another is nobody's to tell.
    pub(in crate::acl) fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        match is_pattern {
            true => self.channels.holds(channel),
            false => self
                .channels()
                .any(|pattern| glob::matches(pattern, channel)),
        }
    }
}
