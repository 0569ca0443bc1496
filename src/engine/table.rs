//! The command table: every declared command with what follows from its declaration, found by name.

use super::Engine;
use super::categories::key_range;
use super::command::{Begin, Command, Find, Group, KeySpec, flags};
use super::names::{MAX_NAME, Names};
use super::syntax;
use crate::resp::args::Args;

/// What must be locked for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locks {
    /// Nothing.
    Nothing,
    /// The shard of the key at this argument.
    One(usize),
    /// The shards of all its keys.
    Keys,
    /// The whole keyspace.
    Everything,
    /// Nothing outside a transaction, the whole keyspace inside.
    Walk,
    /// What the queued commands need.
    Transaction,
}

/// A command with what follows from its declaration.
pub struct Spec {
    /// Its number; counters are kept by it.
    pub id: usize,
    /// The declaration.
    pub command: &'static Command,
    /// Lower-case name, `config|get` for a subcommand.
    pub name: String,
    /// Exact number of words if positive, least if negative.
    pub arity: i32,
    /// See [`flags`].
    pub flags: u32,
    /// What it locks.
    pub locks: Locks,
    /// The container of a subcommand.
    pub parent: Option<usize>,
    /// A container's subcommands.
    pub subcommands: Vec<usize>,
}

impl Spec {
    /// Whether so many words may be right.
    #[inline]
    pub fn accepts(&self, words: usize) -> bool {
        words == self.arity as usize
            || self.arity < 0 && words >= self.arity.unsigned_abs() as usize
    }

    /// Whether all these flags are set.
    #[inline]
    pub fn has(&self, flags: u32) -> bool {
        self.flags & flags == flags
    }

    /// Whether it answers with messages, as subscribing does: a client that wants no replies gets them all the same.
    pub fn answers_with_messages(&self) -> bool {
        self.has(flags::PUBSUB | flags::NOSCRIPT)
    }

    /// The flags of a call with these arguments.
    pub fn flags_of(&self, engine: &Engine, args: Args<'_>) -> u32 {
        match self.command.may_write {
            Some(may_write) if !may_write(engine, args) => {
                self.flags & !(flags::WRITE | flags::MAY_REPLICATE)
            }
            _ => self.flags,
        }
    }

    /// Whether it runs Lua, which may take long.
    #[inline]
    pub fn runs_script(&self) -> bool {
        self.command.group == Group::Scripting && self.locks == Locks::Everything
    }

    /// Shows the arguments that are keys, in order. False when the arguments make no sense: a count that is no number, or
    /// more keys than arguments.
    pub fn for_each_key(
        &self,
        args: Args<'_>,
        mut show: impl FnMut(usize, &'static KeySpec),
    ) -> bool {
        self.command
            .keys
            .iter()
            .all(|spec| for_each_key_of(spec, args, |at| show(at, spec)))
    }
}

impl Spec {
    /// Shows the arguments that a call uses as keys, each with the words that say what it does with it; those that are only
    /// routed like keys are left out. False when the arguments make no sense.
    pub fn for_each_key_used(
        &self,
        args: Args<'_>,
        mut show: impl FnMut(usize, &'static [&'static str]),
    ) -> bool {
        let Some(known_keys) = self.command.known_keys else {
            let varying = self.command.key_flags;
            return self.for_each_key(args, |at, key| {
                if key.is_key() {
                    show(at, varying.map_or(key.flags, |flags_of| flags_of(args)));
                }
            });
        };
        // The second key belongs to the last specification that is about changing, since what is read besides is named by
        // patterns; all others, and all of a command that has no such one, belong to the first.
        let specs = self.command.keys;
        let written = specs.iter().rfind(|key| key.flags.contains(&"OW"));
        let first = specs.first().into_iter();
        let mut flags = first.clone().chain(written).chain(first.cycle());
        known_keys(args, &mut |at| {
            if let Some(spec) = flags.next() {
                show(at, spec.flags);
            }
        });
        true
    }
}

fn for_each_key_of(spec: &KeySpec, args: Args<'_>, mut show: impl FnMut(usize)) -> bool {
    let begin = match spec.begin {
        Begin::Index(at) => at,
        Begin::Keyword(word, from) => {
            let found = match usize::try_from(from) {
                Ok(from) => (from..args.len()).find(|&at| args.is(at, word)),
                Err(_) => {
                    let last = args.len().saturating_sub(from.unsigned_abs() as usize);
                    (1..=last).rev().find(|&at| args.is(at, word))
                }
            };
            match found {
                Some(at) => at + 1,
                None => return true,
            }
        }
        Begin::Unknown => return true,
    };
    let (first, end, step) = match spec.find {
        Find::Range { last, step, limit } => {
            let end = match usize::try_from(last) {
                Ok(last) => begin + last,
                Err(_) => {
                    let end = args.len().saturating_sub(last.unsigned_abs() as usize);
                    // With a limit of n only the first nth of what is left are keys.
                    if limit > 1 {
                        begin + ((end + 1).saturating_sub(begin) / limit).saturating_sub(1)
                    } else {
                        end
                    }
                }
            };
            (begin, end, step)
        }
        Find::Count { at, first, step } => {
            let count = args
                .get(begin + at)
                .and_then(crate::base::numbers::parse_i64);
            let Some(count) = count.and_then(|count| usize::try_from(count).ok()) else {
                return false;
            };
            if count == 0 {
                return true;
            }
            let Some(last) = count.checked_sub(1).and_then(|n| n.checked_mul(step)) else {
                return false;
            };
            let Some(end) = last.checked_add(begin + first) else {
                return false;
            };
            (begin + first, end, step)
        }
        Find::Unknown => return true,
    };
    if end >= args.len() {
        // A missing key of an optional specification is no error; too large a count is.
        return !matches!(spec.find, Find::Count { .. });
    }
    (first..=end).step_by(step.max(1)).for_each(&mut show);
    true
}

/// All commands.
pub struct CommandTable {
    specs: Vec<Spec>,
    /// What commands are called by, which `rename-command` may have changed.
    names: Names,
}

impl CommandTable {
    /// Builds the table from the families' lists. Names must be unique.
    pub fn new(families: &[&'static [Command]]) -> Self {
        let mut table = Self {
            specs: Vec::new(),
            names: Names::default(),
        };
        for command in families.iter().flat_map(|family| family.iter()) {
            let parent = table.add(command, None);
            for subcommand in command.subcommands {
                let child = table.add(subcommand, Some(parent));
                table.specs[parent].subcommands.push(child);
            }
        }
        table
    }

    fn add(&mut self, command: &'static Command, parent: Option<usize>) -> usize {
        let id = self.specs.len();
        let own = command.name.to_ascii_lowercase();
        let name = parent.map_or(own.clone(), |parent| {
            format!("{}|{own}", self.specs[parent].name)
        });
        let words = if parent.is_some() { 2 } else { 1 };
        let (_, movable) = key_range(command.keys);
        self.specs.push(Spec {
            id,
            command,
            arity: command
                .arity
                .unwrap_or_else(|| syntax::arity(command.syntax, words)),
            flags: command.flags | if movable { flags::MOVABLE_KEYS } else { 0 },
            locks: locks_of(command),
            parent,
            subcommands: Vec::new(),
            name: name.clone(),
        });
        self.names.insert(&name, id);
        id
    }

    /// Has a command called by another name, or by none if that is empty. The error says why it cannot be.
    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), &'static str> {
        if new.len() > MAX_NAME {
            return Err("Target command name is too long");
        }
        if !new.eq_ignore_ascii_case(old) && self.find(new.as_bytes()).is_some() {
            return Err("Target command name already exists");
        }
        let Some(id) = self.names.remove(old) else {
            return Err("No such command in rename-command");
        };
        if !new.is_empty() {
            self.names.insert(new, id);
        }
        Ok(())
    }

    /// All commands and subcommands, in the order of declaration.
    pub fn all(&self) -> &[Spec] {
        &self.specs
    }

    /// Finds a command by its full name in any case (`get`, `CONFIG|GET`).
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<&Spec> {
        self.names.find(name).map(|id| &self.specs[id])
    }

    /// Finds the command that some arguments call: of a container its subcommand, or itself where no word follows.
    #[inline]
    pub fn resolve(&self, args: Args<'_>) -> Option<&Spec> {
        // A subcommand's full name is no way to call it.
        let spec = self.find(args.at(0)).filter(|spec| spec.parent.is_none())?;
        if spec.subcommands.is_empty() {
            return Some(spec);
        }
        match args.get(1) {
            Some(word) => self.subcommand(spec, word),
            None => Some(spec),
        }
    }

    /// [`CommandTable::resolve`] for what a file calls: a command's effects are there under names of their own, whatever
    /// `rename-command` has made of these.
    pub fn resolve_replayed(&self, args: Args<'_>) -> Option<&Spec> {
        self.resolve(args).or_else(|| {
            let name = args.at(0);
            let spec = self.specs.iter().find(|spec| {
                spec.parent.is_none() && spec.command.name.as_bytes().eq_ignore_ascii_case(name)
            })?;
            match args.get(1) {
                Some(word) if !spec.subcommands.is_empty() => self.subcommand(spec, word),
                _ => Some(spec),
            }
        })
    }

    /// A container's subcommand by its own name.
    pub fn subcommand(&self, container: &Spec, name: &[u8]) -> Option<&Spec> {
        let mut children = container.subcommands.iter().map(|&id| &self.specs[id]);
        children.find(|child| child.command.name.as_bytes().eq_ignore_ascii_case(name))
    }
}

fn locks_of(command: &Command) -> Locks {
    if command.flags & flags::RUNS_QUEUE != 0 {
        return Locks::Transaction;
    }
    if command.flags & flags::ALONE != 0 {
        return Locks::Everything;
    }
    if command.flags & flags::WALKS != 0 {
        return Locks::Walk;
    }
    match command.keys {
        [] => Locks::Nothing,
        [
            KeySpec {
                begin: Begin::Index(at),
                find: Find::Range { last: 0, .. },
                flags,
            },
        ] if !flags.contains(&"not_key") => Locks::One(*at),
        specs if specs.iter().all(|spec| !spec.is_key()) => Locks::Nothing,
        specs
            if specs
                .iter()
                .any(|spec| spec.begin == Begin::Unknown || spec.find == Find::Unknown) =>
        {
            Locks::Everything
        }
        _ => Locks::Keys,
    }
}
