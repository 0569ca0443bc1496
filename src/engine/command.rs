//! The record of a command: declared once beside its handler; arity, keys, categories and documentation follow from it.

use super::Engine;
use super::call::Call;
use super::dispatch::Elements;
use super::error::CommandError;
use crate::resp::args::Args;

/// What a handler returns; its reply has been written, or the error is the reply.
pub type CommandResult = Result<(), CommandError>;

/// A command's code.
pub type Handler = fn(&mut Call<'_, '_>) -> CommandResult;

/// Families of commands, as COMMAND DOCS names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Group {
    Bitmap,
    Cluster,
    Connection,
    Generic,
    Geo,
    Hash,
    HyperLogLog,
    List,
    PubSub,
    Scripting,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

impl Group {
    /// The name in COMMAND DOCS.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Cluster => "cluster",
            Self::Connection => "connection",
            Self::Generic => "generic",
            Self::Geo => "geo",
            Self::Hash => "hash",
            Self::HyperLogLog => "hyperloglog",
            Self::List => "list",
            Self::PubSub => "pubsub",
            Self::Scripting => "scripting",
            Self::Server => "server",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Stream => "stream",
            Self::String => "string",
            Self::Transactions => "transactions",
        }
    }

    /// The ACL category that every command of the family has, where there is one.
    pub fn category(self) -> Option<&'static str> {
        match self {
            Self::Bitmap => Some("bitmap"),
            Self::Cluster => None,
            Self::Connection => Some("connection"),
            Self::Generic => Some("keyspace"),
            Self::Geo => Some("geo"),
            Self::Hash => Some("hash"),
            Self::HyperLogLog => Some("hyperloglog"),
            Self::List => Some("list"),
            // Its commands are those with the flag of the same name.
            Self::PubSub => None,
            Self::Scripting => Some("scripting"),
            Self::Server => None,
            Self::Set => Some("set"),
            Self::SortedSet => Some("sortedset"),
            Self::Stream => Some("stream"),
            Self::String => Some("string"),
            Self::Transactions => Some("transaction"),
        }
    }
}

/// Properties of commands, one bit each.
pub mod flags {
    /// Changes data.
    pub const WRITE: u32 = 1;
    /// Reads data.
    pub const READONLY: u32 = 1 << 1;
    /// Refused when memory is short.
    pub const DENYOOM: u32 = 1 << 2;
    /// For administrators.
    pub const ADMIN: u32 = 1 << 3;
    /// About channels.
    pub const PUBSUB: u32 = 1 << 4;
    /// Not from scripts.
    pub const NOSCRIPT: u32 = 1 << 5;
    /// May wait.
    pub const BLOCKING: u32 = 1 << 6;
    /// Allowed while the data is being loaded.
    pub const LOADING: u32 = 1 << 7;
    /// Allowed on a replica with stale data.
    pub const STALE: u32 = 1 << 8;
    /// Not shown by MONITOR.
    pub const SKIP_MONITOR: u32 = 1 << 9;
    /// Not logged as slow.
    pub const SKIP_SLOWLOG: u32 = 1 << 10;
    /// Accepted during slot import.
    pub const ASKING: u32 = 1 << 11;
    /// Takes constant or logarithmic time.
    pub const FAST: u32 = 1 << 12;
    /// Allowed before AUTH.
    pub const NO_AUTH: u32 = 1 << 13;
    /// May have effects though it changes no data.
    pub const MAY_REPLICATE: u32 = 1 << 14;
    /// Not while a replica loads in the background.
    pub const NO_ASYNC_LOADING: u32 = 1 << 15;
    /// Not inside a transaction.
    pub const NO_MULTI: u32 = 1 << 16;
    /// Keys cannot all be told from fixed positions.
    pub const MOVABLE_KEYS: u32 = 1 << 17;
    /// Allowed while a script keeps everybody waiting.
    pub const ALLOW_BUSY: u32 = 1 << 18;
    /// In the `dangerous` category.
    pub const DANGEROUS: u32 = 1 << 19;
    /// In the `keyspace` category though not of the generic family.
    pub const KEYSPACE: u32 = 1 << 20;
    /// Controls a transaction: runs at once instead of being queued.
    pub const CONTROL: u32 = 1 << 21;
    /// Needs the whole keyspace at rest.
    pub const ALONE: u32 = 1 << 22;
    /// Looks at the whole keyspace shard by shard; inside a transaction it needs all of it.
    pub const WALKS: u32 = 1 << 23;
    /// A RESP2 subscriber may send it.
    pub const SUBSCRIBER: u32 = 1 << 24;
    /// Belongs to no family category (`keyspace` for generic commands and so on).
    pub const NO_GROUP_CATEGORY: u32 = 1 << 25;
    /// Ends a transaction by running what it has queued.
    pub const RUNS_QUEUE: u32 = 1 << 27;
    /// Over as soon as a fast one, though Redis does not call it fast: not worth a look at the clock of its own.
    pub const BRIEF: u32 = 1 << 31;
    /// In the `connection` category though not of the connection family.
    pub const CONNECTION: u32 = 1 << 28;
    /// May be called without any key.
    pub const NO_MANDATORY_KEYS: u32 = 1 << 29;

    /// In the `admin` category though without the flag.
    pub const ADMIN_CATEGORY: u32 = 1 << 30;

    /// The names that COMMAND INFO gives, in its order. Those that Redis hides are not among them.
    pub const NAMES: &[(u32, &str)] = &[
        (WRITE, "write"),
        (READONLY, "readonly"),
        (DENYOOM, "denyoom"),
        (ADMIN, "admin"),
        (PUBSUB, "pubsub"),
        (NOSCRIPT, "noscript"),
        (BLOCKING, "blocking"),
        (LOADING, "loading"),
        (STALE, "stale"),
        (SKIP_MONITOR, "skip_monitor"),
        (SKIP_SLOWLOG, "skip_slowlog"),
        (ASKING, "asking"),
        (FAST, "fast"),
        (NO_AUTH, "no_auth"),
        (NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (NO_ASYNC_LOADING, "no_async_loading"),
        (NO_MULTI, "no_multi"),
        (MOVABLE_KEYS, "movablekeys"),
        (ALLOW_BUSY, "allow_busy"),
    ];
}

/// Where the first key of a specification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At this argument.
    Index(usize),
    /// Behind this word, searched from an argument on (from the end when negative).
    Keyword(&'static str, i32),
    /// Nobody can tell.
    Unknown,
}

/// Which arguments from the first key on are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Find {
    /// Every `step`th up to `last`, relative to the first; negative counts from the end. With `last` -1 a `limit` of n
    /// takes only the first nth of what is left.
    Range {
        /// The last key.
        last: i32,
        /// Distance between keys.
        step: usize,
        /// Divisor of what is left; 0 and 1 are none.
        limit: usize,
    },
    /// As many as an argument says.
    Count {
        /// The argument that counts, relative to the begin.
        at: usize,
        /// The first key, relative to the begin.
        first: usize,
        /// Distance between keys.
        step: usize,
    },
    /// Nobody can tell.
    Unknown,
}

/// What a command does with some of its keys.
#[derive(Debug, Clone, Copy)]
pub struct KeySpec {
    /// Where they begin.
    pub begin: Begin,
    /// Which they are.
    pub find: Find,
    /// The words of COMMAND INFO: `RW`, `access`, `update` …
    pub flags: &'static [&'static str],
}

/// What a call with some arguments does with its keys.
pub type KeyFlagsOf = fn(Args<'_>) -> &'static [&'static str];

/// Shows the keys of a call whose key specifications leave some unknown, if they can be told after all: then these are all
/// that it touches, and it needs no more than their locks. False when it may touch any key.
pub type KnownKeys = fn(Args<'_>, &mut dyn FnMut(usize)) -> bool;

/// Shows the arguments that logs and MONITOR must not show.
pub type Secrets = fn(Args<'_>, &mut dyn FnMut(usize));

/// Whether a call with some arguments may change data, where the arguments tell: those of a script that says it does not.
pub type MayWrite = fn(&Engine, Args<'_>) -> bool;

/// Whether a call of a command that may touch any key has been proven to touch none but those that it declares.
pub type IsConfined = fn(&Engine, Args<'_>) -> bool;

/// Which arguments of a command are channels.
#[derive(Debug, Clone, Copy)]
pub struct Channels {
    /// The first.
    pub first: usize,
    /// Whether all that follow are channels, too.
    pub are_many: bool,
    /// Whether they are patterns.
    pub are_patterns: bool,
}

/// The words of [`KeySpec::flags`], in the order in which COMMAND INFO names them.
pub const KEY_FLAGS: &[&str] = &[
    "RO",
    "RW",
    "OW",
    "RM",
    "access",
    "update",
    "insert",
    "delete",
    "not_key",
    "incomplete",
    "variable_flags",
];

impl KeySpec {
    /// Whether these arguments are keys, and not only routed like keys.
    pub fn is_key(&self) -> bool {
        !self.flags.contains(&"not_key")
    }
}

/// One key, at argument `at`.
pub const fn one_key(at: usize, flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        begin: Begin::Index(at),
        find: Find::Range {
            last: 0,
            step: 1,
            limit: 0,
        },
        flags,
    }
}

/// All arguments from `at` on are keys.
pub const fn all_keys(at: usize, flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        begin: Begin::Index(at),
        find: Find::Range {
            last: -1,
            step: 1,
            limit: 0,
        },
        flags,
    }
}

/// Every second argument from `at` on is a key.
pub const fn key_pairs(at: usize, flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        begin: Begin::Index(at),
        find: Find::Range {
            last: -1,
            step: 2,
            limit: 0,
        },
        flags,
    }
}

/// A command, or a subcommand of a container.
pub struct Command {
    /// Upper-case name.
    pub name: &'static str,
    /// Family.
    pub group: Group,
    /// Arguments behind the name, as documentation writes them: `key [value ...]`.
    pub syntax: &'static str,
    /// Code.
    pub handler: Handler,
    /// Keys.
    pub keys: &'static [KeySpec],
    /// What it does with its keys where that depends on its arguments (`variable_flags`).
    pub key_flags: Option<KeyFlagsOf>,
    /// Its keys, where specifications cannot tell them but some calls can.
    pub known_keys: Option<KnownKeys>,
    /// Where it names elements of its key's value, if it does and there may be many.
    pub elements: Option<Elements>,
    /// The channels that it sends to, or listens to from now on.
    pub channels: Option<Channels>,
    /// Its arguments that logs and MONITOR must not show, where it has any.
    pub secrets: Option<Secrets>,
    /// See [`flags`].
    pub flags: u32,
    /// ACL categories besides those that follow from flags and family.
    pub categories: &'static [&'static str],
    /// Whether a call may change data after all, where its arguments tell.
    pub may_write: Option<MayWrite>,
    /// Whether a call has been proven to touch only the keys that it declares, where it could touch any.
    pub is_confined: Option<IsConfined>,
    /// Where the syntax does not say it: exact number of words if positive, least if negative.
    pub arity: Option<i32>,
    /// First version of Redis (or Valkey) that has it.
    pub since: &'static str,
    /// Time, in O-notation.
    pub complexity: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Hints for clients and proxies, as COMMAND INFO prints them.
    pub tips: &'static [&'static str],
    /// Subcommands of a container.
    pub subcommands: &'static [Command],
    /// Since when something else is recommended, and what.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Whether it is for servers and their tests rather than for applications.
    pub is_internal: bool,
}

impl Command {
    /// A command without keys and flags.
    pub const fn new(
        name: &'static str,
        group: Group,
        syntax: &'static str,
        handler: Handler,
    ) -> Self {
        Self {
            name,
            group,
            syntax,
            handler,
            keys: &[],
            key_flags: None,
            known_keys: None,
            elements: None,
            channels: None,
            secrets: None,
            flags: 0,
            categories: &[],
            may_write: None,
            is_confined: None,
            arity: None,
            since: "1.0.0",
            complexity: "O(1)",
            summary: "",
            tips: &[],
            subcommands: &[],
            deprecated: None,
            is_internal: false,
        }
    }

    /// A command that only has subcommands.
    pub const fn container(
        name: &'static str,
        group: Group,
        subcommands: &'static [Command],
    ) -> Self {
        let mut container = Self::new(name, group, "", |_| Err(CommandError::Syntax));
        container.subcommands = subcommands;
        container.arity = Some(-2);
        container.flags = flags::NO_GROUP_CATEGORY;
        container
    }

    /// Declares subcommands of a command that also does something by itself.
    pub const fn subcommands(mut self, subcommands: &'static [Command]) -> Self {
        self.subcommands = subcommands;
        self
    }

    /// Says since when something else is recommended, and what.
    pub const fn deprecated(mut self, since: &'static str, replacement: &'static str) -> Self {
        self.deprecated = Some((since, replacement));
        self
    }

    /// Says that applications have no use for it.
    pub const fn internal(mut self) -> Self {
        self.is_internal = true;
        self
    }

    /// Declares keys.
    pub const fn keys(mut self, keys: &'static [KeySpec]) -> Self {
        self.keys = keys;
        self
    }

    /// Declares what calls do with their keys, depending on their arguments.
    pub const fn key_flags(mut self, key_flags: KeyFlagsOf) -> Self {
        self.key_flags = Some(key_flags);
        self
    }

    /// Declares how to tell the keys of those calls that know them.
    pub const fn known_keys(mut self, known_keys: KnownKeys) -> Self {
        self.known_keys = Some(known_keys);
        self
    }

    /// Declares channels.
    pub const fn channels(mut self, channels: Channels) -> Self {
        self.channels = Some(channels);
        self
    }

    /// Declares arguments that logs and MONITOR must not show.
    pub const fn secrets(mut self, secrets: Secrets) -> Self {
        self.secrets = Some(secrets);
        self
    }

    /// Declares flags.
    pub const fn flags(mut self, flags: u32) -> Self {
        self.flags = flags;
        self
    }

    /// Declares ACL categories besides those that follow from flags and family.
    pub const fn categories(mut self, categories: &'static [&'static str]) -> Self {
        self.categories = categories;
        self
    }

    /// Declares how to tell whether a call may change data.
    pub const fn may_write(mut self, may_write: MayWrite) -> Self {
        self.may_write = Some(may_write);
        self
    }

    /// Declares how to tell whether a call keeps to the keys that it declares.
    pub const fn confined(mut self, is_confined: IsConfined) -> Self {
        self.is_confined = Some(is_confined);
        self
    }

    /// Declares the arity where the syntax does not say it.
    pub const fn arity(mut self, arity: i32) -> Self {
        self.arity = Some(arity);
        self
    }

    /// Declares hints.
    pub const fn tips(mut self, tips: &'static [&'static str]) -> Self {
        self.tips = tips;
        self
    }

    /// Documents: first version, complexity, one sentence.
    pub const fn docs(
        mut self,
        since: &'static str,
        complexity: &'static str,
        summary: &'static str,
    ) -> Self {
        self.since = since;
        self.complexity = complexity;
        self.summary = summary;
        self
    }
}
