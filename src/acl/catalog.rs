//! What rules can name: commands, their subcommands, and categories.

use std::collections::HashMap;

/// Commands of Redis that this server may not have. Rules may name them all the same: users come from the files of servers that
/// have them.
const FOREIGN: &[&str] = &[
    "failover",
    "migrate",
    "psync",
    "replconf",
    "replicaof",
    "restore-asking",
    "slaveof",
    "sync",
];

/// A command as rules know it. Its place in the catalog is its number.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Lower-case name, `config|get` for a subcommand.
    pub name: String,
    /// A bit per category.
    pub categories: u32,
    /// The container of a subcommand.
    pub parent: Option<usize>,
    /// A container's subcommands.
    pub subcommands: Vec<usize>,
}

/// All commands and categories.
#[derive(Debug, Default)]
pub struct Catalog {
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
    categories: &'static [&'static str],
}

impl Catalog {
    /// A catalog of these commands; the names of categories are in the order of their bits.
    pub fn new(categories: &'static [&'static str], entries: Vec<Entry>) -> Self {
        let names = entries.iter().map(|entry| entry.name.clone());
        let mut catalog = Self {
            by_name: names.zip(0..).collect(),
            entries,
            categories,
        };
        FOREIGN.iter().for_each(|name| catalog.add_foreign(name));
        catalog
    }

    fn add_foreign(&mut self, name: &str) {
        if self.by_name.contains_key(name) {
            return;
        }
        let id = self.entries.len();
        let container = name.split_once('|').map(|(container, _)| container);
        let parent = container.and_then(|container| self.find(container.as_bytes()));
        if let Some(parent) = parent {
            self.entries[parent].subcommands.push(id);
        }
        self.by_name.insert(name.into(), id);
        self.entries.push(Entry {
            name: name.into(),
            categories: 0,
            parent,
            subcommands: Vec::new(),
        });
    }

    /// How many commands there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn entry(&self, id: usize) -> &Entry {
        &self.entries[id]
    }

    /// A command by its full name, in any case.
    pub(super) fn find(&self, name: &[u8]) -> Option<usize> {
        let name = std::str::from_utf8(name).ok()?;
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    /// The bit of a category, in any case.
    pub fn category(&self, name: &[u8]) -> Option<u32> {
        let mut names = self.categories.iter();
        let at = names.position(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
        Some(1 << at)
    }

    /// The commands of a category, containers before their subcommands.
    pub(super) fn of_category(&self, category: u32) -> impl Iterator<Item = usize> {
        let commands = self.entries.iter().enumerate();
        let members = commands.filter(move |(_, entry)| entry.categories & category != 0);
        members.map(|(id, _)| id)
    }
}
