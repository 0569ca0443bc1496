//! The interpreters: per worker one for scripts and one for functions, made when they are first needed, with what this
//! worker has compiled.
//!
//! - `machine`: one interpreter: compiling, calling, errors;
//! - `sandbox`: what its scripts find, and find locked;
//! - `guards`: Lua's own functions where they must be kept from more than scripts may do;
//! - `patterns`: those that match patterns, which can be interrupted;
//! - `api`: the table `redis`;
//! - `convert`: replies to Lua values and back.
//!
//! A script never runs inside another one, so a worker's interpreters are borrowed for as long as one of them runs.

mod api;
mod convert;
mod guards;
mod machine;
mod patterns;
mod sandbox;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use super::cache::{Digest, Script, Scripts};
use super::functions::{Found, Function, Library};
use super::host::Host;
use super::memory::Purpose;
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

/// A worker's interpreter for scripts.
struct ScriptVm {
    machine: Machine,
    compiled: HashMap<Digest, (Reference, Arc<Script>), RandomState>,
    /// How many may be kept before those are let go that are no longer in the cache.
    room: usize,
    /// How often the cache had been flushed when this was made.
    flushes: u64,
}

/// A worker's interpreter for functions.
struct FunctionVm {
    machine: Machine,
    libraries: HashMap<u64, Vec<Reference>>,
}

thread_local! {
    static SCRIPTS: RefCell<Option<ScriptVm>> = const { RefCell::new(None) };
    static FUNCTIONS: RefCell<Option<FunctionVm>> = const { RefCell::new(None) };
}

const SOURCE_OF_SCRIPTS: &std::ffi::CStr = c"@user_script";
const SOURCE_OF_FUNCTIONS: &std::ffi::CStr = c"@user_function";
/// Compiled scripts kept before the first look at which of them are still wanted.
const ROOM: usize = 1_000;

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

fn with_functions<R>(work: impl FnOnce(&mut FunctionVm) -> R) -> R {
    FUNCTIONS.with_borrow_mut(|vm| {
        let vm = vm.get_or_insert_with(|| FunctionVm {
            machine: Machine::new(Purpose::Functions),
            libraries: HashMap::new(),
        });
        work(vm)
    })
}

impl ScriptVm {
    fn compile(&mut self, script: &Script) -> Result<Reference, NotCompiled> {
        let text = &script.body[script.skip..];
        let compiled = self.machine.compile(text, SOURCE_OF_SCRIPTS);
        compiled.map_err(NotCompiled)
    }

    fn keep(&mut self, script: Arc<Script>, reference: Reference) {
        if self.compiled.len() >= self.room {
            let machine = &mut self.machine;
            self.compiled.retain(|_, (reference, script)| {
                let stays = !script.is_gone();
                if !stays {
                    machine.release(*reference);
                }
                stays
            });
            machine.collect();
            self.room = (self.compiled.len() * 2).max(ROOM);
        }
        let digest = script.digest;
        if let Some((old, _)) = self.compiled.insert(digest, (reference, script)) {
            self.machine.release(old);
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

/// Calls a script. `find` looks it up, or brings it, where this worker does not know it, and `keep` gets it when it has
/// been compiled; `begin` may still refuse it, and gives what it runs with. None of them may come back here.
pub fn run_script<H: Host, E: From<NotCompiled>>(
    scripts: &Scripts,
    digest: &Digest,
    inputs: Inputs<'_>,
    out: &mut Reply,
    find: impl FnOnce() -> Result<Arc<Script>, E>,
    keep: impl FnOnce(Arc<Script>) -> Arc<Script>,
    begin: impl FnOnce(&Script) -> Result<H, E>,
) -> Result<(H, Result<(), Failure>), E> {
    with_scripts(scripts.flushes(), |vm| {
        let is_known = vm.compiled.get(digest);
        if is_known.is_none_or(|(_, script)| script.is_gone()) {
            let script = find()?;
            let reference = vm.compile(&script)?;
            vm.keep(keep(script), reference);
        }
        let (reference, script) = &vm.compiled[digest];
        let mut host = begin(script)?;
        let result = vm.machine.call_script(*reference, inputs, &mut host, out);
        Ok((host, result))
    })
}

/// Calls a function. An error before it runs is a line.
pub fn call_function(
    found: &Found,
    inputs: Inputs<'_>,
    host: &mut dyn Host,
    out: &mut Reply,
) -> Result<Result<(), Failure>, String> {
    with_functions(|vm| {
        let library = &found.library;
        let loaded = match vm.libraries.get(&library.id) {
            Some(references) => references,
            None => {
                let (references, _) = run_library(&mut vm.machine, library, None)?;
                vm.libraries.entry(library.id).or_insert(references)
            }
        };
        let reference = loaded.get(found.index).copied();
        let reference = reference.ok_or("Function not found")?;
        Ok(vm.machine.call_function(reference, inputs, host, out))
    })
}

/// Runs the code of a library on this worker and gives what it registers.
pub(super) fn load_library(
    library: &Library,
    limit: Option<Duration>,
) -> Result<Vec<Function>, String> {
    with_functions(|vm| {
        let (references, functions) = run_library(&mut vm.machine, library, limit)?;
        vm.libraries.insert(library.id, references);
        Ok(functions)
    })
}

/// Forgets what this worker holds of libraries that are there no more.
pub fn forget_libraries(is_there: impl Fn(u64) -> bool) {
    FUNCTIONS.with_borrow_mut(|vm| {
        let Some(vm) = vm else { return };
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
    });
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
