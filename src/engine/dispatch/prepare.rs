//! Before a batch runs: its commands are looked up, its keys hashed, and what they will need is brought into the cache.

use super::{Lane, Prepared, UNKNOWN};
use crate::engine::Engine;
use crate::engine::call::KeyRef;
use crate::engine::session::Session;
use crate::engine::table::{Locks, Spec};
use crate::resp::args::Args;
use crate::resp::parser::Batch;

/// Batches smaller than this gain nothing from prefetching: the keys would be needed before they arrive.
const PREFETCH_FROM: usize = 3;
/// Room for keys that is kept from one batch to the next.
const KEPT_KEYS: usize = 4096;

/// The command that a thread met last, by the name that it was called by: mostly the next one is the same, and is not looked up.
#[derive(Default, Clone, Copy)]
pub(super) struct Recent {
    name: [u8; 16],
    len: usize,
    spec: usize,
}

impl Recent {
    fn name(&self) -> &[u8] {
        &self.name[..self.len]
    }

    /// The name and the command, where there is one yet.
    fn get<'a>(&'a self, engine: &'a Engine) -> Option<(&'a [u8], &'a Spec)> {
        (self.len > 0).then(|| (self.name(), &engine.commands.all()[self.spec]))
    }

    /// Remembers a command, unless its name is too long.
    #[inline(never)]
    fn set(&mut self, name: &[u8], spec: &Spec) {
        if let Some(room) = self.name.get_mut(..name.len()) {
            room.copy_from_slice(name);
            (self.len, self.spec) = (name.len(), spec.id);
        }
    }
}

impl Engine {
    /// Looks up the commands of a batch and hashes their keys; brings what they will need into the cache. True when one of
    /// them runs a script, so that [`Engine::run_batch`] may take long: it should be run where it can be put aside.
    pub fn prepare(
        &self,
        lane: &mut Lane,
        session: &Session,
        buffer: &[u8],
        batch: &Batch,
    ) -> bool {
        let transaction = session.transaction.as_ref();
        let mut runs_script = transaction.is_some_and(|queue| queue.runs_script);
        let Lane {
            prepared,
            keys,
            recent,
            ..
        } = lane;
        prepared.clear();
        keys.clear();
        keys.shrink_to(KEPT_KEYS);
        let known = *recent;
        let mut last = known.get(self);
        for command in &batch.commands {
            let args = batch.args(buffer, command);
            let name = args.at(0);
            let spec = match last {
                // Pipelines mostly repeat one command.
                Some((known, spec)) if is_same(known, name) => Some(spec),
                _ => {
                    let spec = self.commands.resolve(args);
                    last = spec
                        .filter(|spec| spec.parent.is_none() && spec.subcommands.is_empty())
                        .map(|spec| (name, spec));
                    spec
                }
            };
            let first_key = keys.len() as u32;
            if let Some(spec) = spec {
                runs_script |= spec.runs_script();
                collect_keys(spec, args, keys);
            }
            let spec = spec.map_or(UNKNOWN, |spec| spec.id as u32);
            prepared.push(Prepared {
                spec,
                first_key,
                keys: keys.len() as u32 - first_key,
            });
        }
        if let Some((name, spec)) = last.filter(|(name, _)| !is_same(name, known.name())) {
            recent.set(name, spec);
        }
        if keys.len() >= PREFETCH_FROM {
            let hashes = keys.iter().map(|key| key.hash);
            self.keyspace.prefetch(session.database, hashes);
        }
        runs_script
    }
}

/// Whether two names are the same: without a call for short ones, as most are.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match one.len() {
        2..=3 => {
            one.first_chunk::<2>() == other.first_chunk()
                && one.last_chunk::<2>() == other.last_chunk()
        }
        4..=8 => {
            one.first_chunk::<4>() == other.first_chunk()
                && one.last_chunk::<4>() == other.last_chunk()
        }
        _ => one == other,
    }
}

/// Whether a call of a command that may touch any key touches only those that it names.
pub(super) fn knows_its_keys(engine: &Engine, spec: &Spec, args: Args<'_>) -> bool {
    if let Some(is_confined) = spec.command.is_confined {
        return is_confined(engine, args);
    }
    let known_keys = spec.command.known_keys;
    known_keys.is_some_and(|known_keys| known_keys(args, &mut |_| {}))
}

#[inline(always)]
pub(in crate::engine) fn collect_keys(spec: &Spec, args: Args<'_>, keys: &mut Vec<KeyRef>) {
    match spec.locks {
        Locks::One(at) if at < args.len() => keys.push(KeyRef::new(args, at)),
        Locks::Keys | Locks::Everything => collect_several(spec, args, keys),
        _ => {}
    }
}

fn collect_several(spec: &Spec, args: Args<'_>, keys: &mut Vec<KeyRef>) {
    let mut add = |at: usize| keys.push(KeyRef::new(args, at));
    match spec.command.known_keys {
        Some(known_keys) => drop(known_keys(args, &mut add)),
        None => drop(spec.for_each_key(args, |at, _| add(at))),
    }
}
