//! Commands that follow each other on one key: what they name in its value is brought into the cache before the first runs.
//! The keys themselves have been brought when the batch was prepared.

use super::{Commands, Input};
use crate::engine::Engine;
use crate::engine::command::Command;
use crate::engine::table::Spec;
use crate::keyspace::{AHEAD, Key};

/// So few elements gain nothing: they would be needed before they arrive.
const FEW: usize = 2;

impl Engine {
    /// Looks at the commands from `first` on that are of one kind and on one key, and brings the elements that they name into
    /// the cache. Gives the first command that has not been looked at.
    pub(super) fn look_ahead(
        &self,
        commands: Commands<'_>,
        database: usize,
        first: usize,
        (spec, elements): (&Spec, Elements),
    ) -> usize {
        let Input { buffer, batch } = commands.input;
        let hash_at = |index: usize| {
            let prepared = &commands.prepared[index];
            (prepared.spec as usize == spec.id && prepared.keys == 1)
                .then(|| commands.keys[prepared.first_key as usize])
        };
        let Some(key) = hash_at(first) else {
            return first + 1;
        };
        let most = batch.commands.len().min(first + AHEAD);
        let is_other = |&index: &usize| hash_at(index).is_none_or(|next| next.hash != key.hash);
        let end = (first + 1..most).find(is_other).unwrap_or(most);
        let commands = batch.commands[first..end].iter();
        let names = commands.flat_map(|command| {
            let args = batch.args(buffer, command);
            args.from(elements.first).step_by(elements.step)
        });
        if names.clone().nth(FEW).is_some() {
            let bytes = batch
                .args(buffer, &batch.commands[first])
                .at(key.arg as usize);
            let key = Key {
                bytes,
                hash: key.hash,
            };
            self.keyspace.prefetch_elements(database, key, names);
        }
        end
    }
}

/// Where a command names elements of its key's value, if it does: from which argument on, and how far apart.
#[derive(Debug, Clone, Copy)]
pub struct Elements {
    /// The first.
    pub first: usize,
    /// From one to the next.
    pub step: usize,
}

impl Spec {
    /// Where it names elements of its key's value, if it does.
    #[inline]
    pub(super) fn elements(&self) -> Option<(&Self, Elements)> {
        Some((self, self.command.elements?))
    }
}

impl Command {
    /// Declares where elements of the key's value are named, if the value may have many. Only a hint: other arguments may
    /// stand there.
    pub const fn elements(mut self, first: usize, step: usize) -> Self {
        self.elements = Some(Elements { first, step });
        self
    }
}
