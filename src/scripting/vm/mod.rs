//! The interpreters: one for scripts per worker, with what this worker has compiled, and one for functions, which all share,
//! since libraries keep values in their variables. They are made when they are first needed.
//!
//! - `machine`: one interpreter: compiling, calling, errors;
//! - `sandbox`: what its scripts find, and find locked;
//! - `guards`: Lua's own functions where they must be kept from more than scripts may do;
//! - `patterns`: those that match patterns, which can be interrupted;
//! - `proven`: what scripts find instead that need no locks;
//! - `collector`: when garbage is collected;
//! - `api`: the table `redis`;
//! - `registration`: what the code of a library calls to say which functions it has;
//! - `convert`: replies to Lua values and back.
//!
//! A script never runs inside another one, so a worker's interpreters are borrowed for as long as one of them runs.

mod api;
mod collector;
mod convert;
mod guards;
mod machine;
mod patterns;
mod proven;
mod registration;
mod sandbox;

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::cache::{Digest, Script, Scripts};
use super::functions::{Found, Function, Library};
use super::host::Host;
use super::memory::Purpose;
use super::reach;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use machine::{Machine, Reference};

/// What a script is called with.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The command's arguments.
    pub args: Args<'a>,
    /// Where the first key stands.
    pub first: usize,
    /// How many keys there are; the other arguments follow them.
    pub keys: usize,
}

impl Inputs<'_> {
    /// Which arguments are the keys.
    fn keys(&self) -> Range<usize> {
        self.first..self.first + self.keys
    }

    /// Which are those after them.
    fn others(&self) -> Range<usize> {
        self.first + self.keys..self.args.len()
    }
}

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The error's line, code word first.
    pub line: Vec<u8>,
    /// Where in the script: source and line.
    pub place: Option<(Vec<u8>, i64)>,
    /// Whether it has been counted already, as an error of a command that the script called.
    pub is_counted: bool,
    /// Whether the error value was one that Redis does not look into: then the line says that running failed.
    pub is_odd: bool,
}

/// A script is not in Lua: what Lua says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCompiled(pub Vec<u8>);

/// What a script calls, or that this cannot be told.
pub type Calls = Result<Vec<reach::Called>, Unproven>;

/// Nothing is known of a script's reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unproven;

/// A worker's interpreter for scripts.
struct ScriptVm {
    machine: Machine,
    compiled: HashMap<Digest, Compiled, BuildHasherDefault<FirstBytes>>,
    /// How many may be kept before those are let go that are no longer in the cache.
    room: usize,
    /// How often the cache had been flushed when this was made.
    flushes: u64,
}

/// Where a SHA1 belongs in a map: it is as good as a hash already.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    /// The length, which is always the same.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A script as this worker runs it.
struct Compiled {
    script: Arc<Script>,
    function: Reference,
    /// Whether it finds its globals as proven scripts do.
    is_proven: bool,
}

/// The interpreter for functions. Whoever calls a function is alone behind the gate, so nobody waits for it.
#[derive(Default)]
pub(super) struct FunctionVm(Mutex<Option<Functions>>);

struct Functions {
    machine: Machine,
    libraries: HashMap<u64, Vec<Reference>>,
}

thread_local! {
    static SCRIPTS: RefCell<Option<ScriptVm>> = const { RefCell::new(None) };
}

const SOURCE_OF_SCRIPTS: &std::ffi::CStr = c"@user_script";
const SOURCE_OF_FUNCTIONS: &std::ffi::CStr = c"@user_function";
/// Compiled scripts kept before the first look at which of them are still wanted.
const ROOM: usize = 1_000;
/// Texts longer than this are not looked at for what they reach.
pub const LONGEST_EXPLORED: usize = 16 << 10;

/// The interpreter for scripts. SCRIPT FLUSH gives all that it held back: it begins anew.
fn with_scripts<R>(flushes: u64, work: impl FnOnce(&mut ScriptVm) -> R) -> R {
    SCRIPTS.with_borrow_mut(|vm| {
        if vm.as_ref().is_some_and(|vm| vm.flushes != flushes) {
            *vm = None;
        }
        let vm = vm.get_or_insert_with(|| ScriptVm {
            machine: Machine::new(Purpose::Scripts),
            compiled: HashMap::default(),
            room: ROOM,
            flushes,
        });
        work(vm)
    })
}

/// Gives back what this worker's interpreter for scripts holds.
pub fn forget_scripts() {
    SCRIPTS.set(None);
}

impl ScriptVm {
    fn compile(&mut self, script: &Script) -> Result<Reference, NotCompiled> {
        let text = &script.body[script.skip..];
        let compiled = self.machine.compile(text, SOURCE_OF_SCRIPTS);
        compiled.map_err(NotCompiled)
    }

    /// What a script calls, where nobody has looked at that.
    fn explore(&mut self, script: &Script, reference: Reference) -> Option<Calls> {
        let is_short = script.body.len() <= LONGEST_EXPLORED;
        (is_short && script.is_unexplored())
            .then(|| reach::calls(&self.machine.dump(reference)).ok_or(Unproven))
    }

    fn keep(&mut self, script: Arc<Script>, function: Reference) {
        if self.compiled.len() >= self.room {
            let machine = &mut self.machine;
            self.compiled.retain(
                |_,
                 Compiled {
                     function, script, ..
                 }| {
                    let stays = !script.is_gone();
                    if !stays {
                        machine.release(*function);
                    }
                    stays
                },
            );
            machine.collect();
            self.room = (self.compiled.len() * 2).max(ROOM);
        }
        let (digest, is_proven) = (script.digest, script.is_proven());
        if is_proven {
            self.machine.set_proven(function);
        }
        let compiled = Compiled {
            script,
            function,
            is_proven,
        };
        if let Some(old) = self.compiled.insert(digest, compiled) {
            self.machine.release(old.function);
        }
    }
}

/// Compiles a script on this worker. The error is Lua's.
pub fn compile(script: &Script, scripts: &Scripts) -> Result<(), NotCompiled> {
    with_scripts(scripts.flushes(), |vm| {
        let reference = vm.compile(script)?;
        vm.machine.release(reference);
        Ok(())
    })
}

/// Whether this worker has a script compiled of which it has been proven that it keeps to its keys and is over soon.
pub fn is_confined(scripts: &Scripts, digest: &Digest) -> bool {
    SCRIPTS.with(|vm| {
        // Borrowed it is by a script that has been put aside.
        let Ok(vm) = vm.try_borrow() else {
            return false;
        };
        let current = vm.as_ref().filter(|vm| vm.flushes == scripts.flushes());
        let known = current.and_then(|vm| vm.compiled.get(digest));
        known.is_some_and(|known| known.script.is_confined() && !known.script.is_gone())
    })
}

/// Calls a script. `find` looks it up, or brings it, where this worker does not know it, and `keep` gets it when it has
/// been compiled, with what it [calls](reach::calls) if nobody has looked at that; `begin` may still refuse it, and gives what it runs with. None of them may come back here.
pub fn run_script<H: Host, E: From<NotCompiled>>(
    scripts: &Scripts,
    digest: &Digest,
    inputs: Inputs<'_>,
    out: &mut Reply,
    find: impl FnOnce() -> Result<Arc<Script>, E>,
    keep: impl FnOnce(Arc<Script>, Option<Calls>) -> Arc<Script>,
    begin: impl FnOnce(&Script) -> Result<H, E>,
) -> Result<Result<(), Failure>, E> {
    with_scripts(scripts.flushes(), |vm| {
        let is_known = vm.compiled.get(digest);
        if is_known.is_none_or(|known| known.script.is_gone()) {
            let script = find()?;
            let reference = vm.compile(&script)?;
            let calls = vm.explore(&script, reference);
            vm.keep(keep(script, calls), reference);
        }
        let known = &vm.compiled[digest];
        let mut host = begin(&known.script)?;
        let (function, is_proven) = (known.function, known.is_proven);
        Ok((vm.machine).call_script(function, is_proven, inputs, &mut host, out))
    })
}

impl FunctionVm {
    fn with<R>(&self, work: impl FnOnce(&mut Functions) -> R) -> R {
        let mut functions = self.0.lock();
        work(functions.get_or_insert_with(|| Functions {
            machine: Machine::new(Purpose::Functions),
            libraries: HashMap::new(),
        }))
    }

    /// Calls a function. An error before it runs is a line.
    pub fn call(
        &self,
        found: &Found,
        inputs: Inputs<'_>,
        host: &mut dyn Host,
        out: &mut Reply,
    ) -> Result<Result<(), Failure>, String> {
        self.with(|vm| {
            let loaded = vm.libraries.get(&found.library.id);
            let reference = loaded.and_then(|references| references.get(found.index));
            let reference = *reference.ok_or("Function not found")?;
            Ok(vm.machine.call_function(reference, inputs, host, out))
        })
    }

    /// Runs the code of a library and gives what it registers.
    pub fn load(
        &self,
        library: &Library,
        limit: Option<Duration>,
    ) -> Result<Vec<Function>, String> {
        self.with(|vm| {
            let (references, functions) = run_library(&mut vm.machine, library, limit)?;
            vm.libraries.insert(library.id, references);
            Ok(functions)
        })
    }

    /// Forgets libraries that are there no more; with all of them, all that the interpreter held.
    pub fn forget(&self, is_there: impl Fn(u64) -> bool) {
        let mut functions = self.0.lock();
        let Some(vm) = &mut *functions else { return };
        let machine = &mut vm.machine;
        vm.libraries.retain(|id, references| {
            let stays = is_there(*id);
            if !stays {
                references
                    .iter()
                    .for_each(|reference| machine.release(*reference));
            }
            stays
        });
        if vm.libraries.is_empty() {
            *functions = None;
        }
    }
}

fn run_library(
    machine: &mut Machine,
    library: &Library,
    limit: Option<Duration>,
) -> Result<(Vec<Reference>, Vec<Function>), String> {
    let text = &library.code[library.skip..];
    let compiled = machine
        .compile(text, SOURCE_OF_FUNCTIONS)
        .map_err(|error| {
            let error = String::from_utf8_lossy(&error).into_owned();
            format!("Error compiling function: {error}")
        })?;
    let mut loader = Loader {
        until: limit.map(|limit| Instant::now() + limit),
    };
    let registered = machine.register(compiled, &mut loader);
    machine.release(compiled);
    let registered = registered.map_err(|failure| {
        let line = String::from_utf8_lossy(&failure.line).into_owned();
        format!("Error registering functions: {line}")
    })?;
    Ok(registered.into_iter().unzip())
}

/// The server as the code of a library sees it while it is loaded: it offers nothing.
struct Loader {
    until: Option<Instant>,
}

impl Host for Loader {
    fn call(&mut self, _: Args<'_>, _: &mut Reply) -> Result<(), Vec<u8>> {
        Err(b"ERR redis.call is not available while a library is loaded".to_vec())
    }

    fn may_call(&mut self, _: Args<'_>) -> Option<bool> {
        None
    }

    fn set_journaled(&mut self, _: bool) {}

    fn note_error(&mut self, _: &[u8], _: bool) {}

    fn interrupt(&mut self) -> Option<&'static str> {
        let is_late = self.until.is_some_and(|until| Instant::now() > until);
        is_late.then_some("FUNCTION LOAD timeout")
    }
}
