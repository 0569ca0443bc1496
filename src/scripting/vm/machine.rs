//! One interpreter. It calls Lua's C interface itself: a call of a script makes two tables and a protected call, and no
//! more than that.
//!
//! # Rules for whoever writes here
//! Lua leaves a function that has failed by `longjmp`. Whatever stands on the Rust stack between a call that may fail and
//! the protected call around it is just left: **no frame that calls into Lua may own anything that must be dropped.** What
//! must live longer belongs to [`Run`], which its caller owns. Nothing that can panic is done in functions that Lua calls,
//! but for what the [`Host`] does, and its panics are carried around Lua ([`Run::panic`]).

use std::any::Any;
use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::panic::resume_unwind;
use std::ptr;
use std::time::{Duration, Instant};

use mlua::ffi::{self, lua_State};

use super::super::functions::Function;
use super::super::host::Host;
use super::super::memory::{Purpose, Share};
use super::collector::{self, Collector};
use super::convert::{self, Names};
use super::{Failure, Inputs, guards, proven, sandbox};
use crate::base::machine::{memory_limit, total_memory};
use crate::resp::args::OwnedArgs;
use crate::resp::reply::Reply;

/// A function that this interpreter keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reference(pub(super) c_int);

/// Instructions between two looks at the clock: at first, while they are quick, and when they have turned out to be slow.
/// One instruction may join strings of hundreds of megabytes.
const INSTRUCTIONS_AT_FIRST: c_int = 50;
const INSTRUCTIONS: c_int = 2_000;
const INSTRUCTIONS_IF_SLOW: c_int = 20;
/// What so many instructions should not take.
const SLOW: Duration = Duration::from_millis(20);
/// Time between two questions to the server whether to go on.
const TIME_PER_QUESTION: Duration = Duration::from_micros(500);
/// The longest text that is compiled: lengths within it fit the numbers in which Lua's parser counts, also when doubled.
pub(super) const LONGEST_SOURCE: usize = 64 << 20;
/// Calls between two looks at the memory held.
const CALLS_PER_LOOK: u32 = 50;
/// The most that one interpreter may hold, as far as the machine has as much.
const MOST_MEMORY: u64 = 1 << 30;
const LEAST_MEMORY: u64 = 256 << 20;

/// One interpreter.
pub(super) struct Machine {
    /// Owns the state behind `state`.
    lua: mlua::Lua,
    state: *mut lua_State,
    names: Names,
    places: Places,
    proven: proven::Globals,
    collector: Collector,
    buffers: Buffers,
    share: Share,
    calls: u32,
}

/// What the registry holds at numbers of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    /// The function that runs a [`Task`].
    pub runner: c_int,
    /// The function that notes where an error arose.
    pub error_handler: c_int,
    /// The globals proper, which scripts see through a table that they cannot change.
    pub globals: c_int,
    /// The metatable of that table.
    pub window: c_int,
    /// What the code of a library sees instead while it is loaded; 0 in an interpreter for scripts.
    pub loading_globals: c_int,
}

// SAFETY: all that belongs to an interpreter lies in here, and nothing of it on a thread: only the call in progress does, and
// that ends on the thread on which it began. Nobody has a handle to it but through the only reference to this.
unsafe impl Send for Machine {}

/// Memory that calls take turns with.
#[derive(Default)]
struct Buffers {
    request: OwnedArgs,
    reply: Reply,
    scratch: Vec<u8>,
}

/// What of them is kept from one call to the next: bytes.
const KEPT: usize = 64 * 1024;

impl Buffers {
    fn clear(&mut self) {
        self.request.clear();
        self.reply.clear();
        self.scratch.clear();
        if self.scratch.capacity() > KEPT {
            self.scratch.shrink_to(KEPT);
        }
    }
}

/// A call in progress: all that the functions which Lua calls find of it.
pub(super) struct Run<'h> {
    pub host: &'h mut dyn Host,
    /// The command that is about to be called.
    pub request: &'h mut OwnedArgs,
    /// Its reply.
    pub reply: &'h mut Reply,
    /// Bytes on their way to Lua.
    pub scratch: &'h mut Vec<u8>,
    pub names: Names,
    /// Whether replies come in RESP3.
    pub is_resp3: bool,
    /// Whether a command is being called. Lua's collector may run code of the script meanwhile.
    pub is_calling: bool,
    /// Values that have been written into the reply.
    pub written: u32,
    /// When the clock was last looked at, and when the server was last asked whether to go on.
    looked: Option<Instant>,
    asked: Option<Instant>,
    /// Why the script is to end.
    pub stop: Option<&'static str>,
    /// A panic on its way around Lua.
    pub panic: Option<Box<dyn Any + Send>>,
    /// What a library has registered, while it is loaded.
    pub registered: Option<Vec<(Reference, Function)>>,
}

thread_local! {
    static CURRENT: Cell<*mut Run<'static>> = const { Cell::new(ptr::null_mut()) };
}

/// The call in progress on this thread; null outside of any.
pub(super) fn current() -> *mut Run<'static> {
    CURRENT.get()
}

/// What the runner does.
struct Task<'a> {
    function: Reference,
    inputs: Option<Inputs<'a>>,
    kind: Kind,
    places: Places,
    proven: &'a mut proven::Globals,
    out: &'a mut Reply,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Script,
    Proven,
    Function,
    Library,
}

impl Machine {
    /// A fresh interpreter.
    pub fn new(purpose: Purpose) -> Self {
        let built = sandbox::build(purpose, runner, note_place);
        let available = memory_limit().into_iter().chain(total_memory()).min();
        let limit = (available.unwrap_or(MOST_MEMORY) / 2).clamp(LEAST_MEMORY, MOST_MEMORY);
        // SAFETY: it has just been built.
        let collector = unsafe { Collector::new(built.state) };
        // Only an interpreter with an allocator of somebody else's has no limit to set.
        let _ = built.lua.set_memory_limit(limit as usize);
        Self {
            lua: built.lua,
            state: built.state,
            names: built.names,
            places: built.places,
            proven: built.proven,
            collector,
            buffers: Buffers::default(),
            share: Share::new(purpose),
            calls: 0,
        }
    }

    /// Compiles a text. The error is Lua's.
    pub fn compile(&mut self, text: &[u8], source: &CStr) -> Result<Reference, Vec<u8>> {
        if text.first() == Some(&guards::ESCAPE) {
            let source = source.to_bytes();
            let source = source.strip_prefix(b"@").unwrap_or(source);
            return Err([source, b":1: unexpected symbol near 'char(27)'"].concat());
        }
        if text.len() > LONGEST_SOURCE {
            return Err(b"script is too long".to_vec());
        }
        let mut job = Compile {
            text,
            source,
            reference: 0,
        };
        // SAFETY: the state lives as long as `self.lua`. `compile_protected` runs within `lua_cpcall`, and the job that
        // it gets outlives the call.
        let result = unsafe {
            let job = ptr::from_mut(&mut job).cast::<c_void>();
            match ffi::lua_cpcall(self.state, compile_protected, job) {
                ffi::LUA_OK => None,
                _ => Some(self.take_text()),
            }
        };
        self.share.tell(self.lua.used_memory());
        match result {
            None => Ok(Reference(job.reference)),
            Some(error) => Err(error),
        }
    }

    /// A function's code as Lua writes it out.
    pub fn dump(&mut self, function: Reference) -> Vec<u8> {
        let mut dump = Vec::new();
        // SAFETY: the state lives as long as `self.lua`, and a stack that was balanced has room. Writing out allocates
        // nothing of Lua's and does not fail; `gather` is given the vector, which nobody else uses meanwhile.
        unsafe {
            ffi::lua_rawgeti(self.state, ffi::LUA_REGISTRYINDEX, function.0.into());
            ffi::lua_dump_(self.state, gather, ptr::from_mut(&mut dump).cast());
            ffi::lua_settop(self.state, 0);
        }
        dump
    }

    /// Has a script find its globals as proven scripts do; it is proven, and called as one from now on.
    pub fn set_proven(&mut self, script: Reference) {
        // SAFETY: the state lives as long as `self.lua`, and a stack that was balanced has room.
        unsafe { self.proven.give(self.state, script.0) };
    }

    /// Lets a function go.
    pub fn release(&mut self, reference: Reference) {
        // SAFETY: the state lives as long as `self.lua`; the registry has the number, so setting it allocates nothing.
        unsafe { ffi::luaL_unref(self.state, ffi::LUA_REGISTRYINDEX, reference.0) };
    }

    /// Collects all garbage.
    pub fn collect(&mut self) {
        // SAFETY: the state lives as long as `self.lua`. No script can give a value a finalizer, so nothing that fails runs.
        unsafe { ffi::lua_gc(self.state, ffi::LUA_GCCOLLECT, 0) };
        self.share.tell(self.lua.used_memory());
    }

    /// Calls a script; its result becomes the reply.
    pub fn call_script(
        &mut self,
        function: Reference,
        is_proven: bool,
        inputs: Inputs<'_>,
        host: &mut dyn Host,
        out: &mut Reply,
    ) -> Result<(), Failure> {
        let kind = match is_proven {
            true => Kind::Proven,
            false => Kind::Script,
        };
        self.call(function, Some(inputs), kind, host, out).map(drop)
    }

    /// Calls a function; its result becomes the reply.
    pub fn call_function(
        &mut self,
        function: Reference,
        inputs: Inputs<'_>,
        host: &mut dyn Host,
        out: &mut Reply,
    ) -> Result<(), Failure> {
        let inputs = Some(inputs);
        self.call(function, inputs, Kind::Function, host, out)
            .map(drop)
    }

    /// Runs the code of a library; gives what it registers.
    pub fn register(
        &mut self,
        code: Reference,
        host: &mut dyn Host,
    ) -> Result<Vec<(Reference, Function)>, Failure> {
        let registered = self.call(code, None, Kind::Library, host, &mut Reply::new())?;
        Ok(registered.unwrap_or_default())
    }

    fn call(
        &mut self,
        function: Reference,
        inputs: Option<Inputs<'_>>,
        kind: Kind,
        host: &mut dyn Host,
        out: &mut Reply,
    ) -> Result<Option<Vec<(Reference, Function)>>, Failure> {
        let buffers = &mut self.buffers;
        let mut run = Run {
            host,
            request: &mut buffers.request,
            reply: &mut buffers.reply,
            scratch: &mut buffers.scratch,
            names: self.names,
            is_resp3: false,
            is_calling: false,
            written: 0,
            looked: None,
            asked: None,
            stop: None,
            panic: None,
            registered: (kind == Kind::Library).then(Vec::new),
        };
        let mark = out.mark();
        let mut task = Task {
            function,
            inputs,
            kind,
            places: self.places,
            proven: &mut self.proven,
            out,
        };
        // SAFETY: the state lives as long as `self.lua`; `run` and `task` outlive the call, and nobody else looks at
        // them meanwhile: what Lua calls reaches `run` by `current` alone, and `task` only in the runner.
        let failure = unsafe { execute(self.state, &mut run, &mut task) };
        if let Some(panic) = run.panic.take() {
            resume_unwind(panic);
        }
        let registered = run.registered.take();
        self.buffers.clear();
        self.end_call();
        match failure {
            None => Ok(registered),
            Some(failure) => {
                out.cut_back(mark);
                for (reference, _) in registered.into_iter().flatten() {
                    self.release(reference);
                }
                Err(failure)
            }
        }
    }

    /// Now and then, a look at the memory held.
    fn end_call(&mut self) {
        self.calls += 1;
        if self.calls >= CALLS_PER_LOOK {
            self.calls = 0;
            let used = self.lua.used_memory();
            // SAFETY: the state lives as long as `self.lua`.
            unsafe { self.collector.step(self.state, used) };
            self.share.tell(used);
        }
    }

    /// Takes an error's text from the stack.
    ///
    /// # Safety
    /// Something lies on the stack.
    unsafe fn take_text(&mut self) -> Vec<u8> {
        // SAFETY: see above; the text is copied before it is taken away.
        unsafe {
            let text = convert::bytes_at(self.state, -1)
                .unwrap_or(b"unknown error")
                .to_vec();
            ffi::lua_settop(self.state, 0);
            text
        }
    }
}

/// Runs a task under the error handler.
///
/// # Safety
/// The state is there. Nothing but the functions that Lua calls may use `run` and `task` meanwhile.
unsafe fn execute(
    state: *mut lua_State,
    run: &mut Run<'_>,
    task: &mut Task<'_>,
) -> Option<Failure> {
    // SAFETY: numbers, light userdata and values of the registry are pushed without an allocation, and a stack that
    // was balanced has room for them. The pointer in `CURRENT` is taken back before `run` ends.
    unsafe {
        CURRENT.set(ptr::from_mut(run).cast());
        ffi::lua_sethook(state, Some(hook), ffi::LUA_MASKCOUNT, INSTRUCTIONS_AT_FIRST);
        ffi::lua_rawgeti(
            state,
            ffi::LUA_REGISTRYINDEX,
            task.places.error_handler.into(),
        );
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, task.places.runner.into());
        ffi::lua_pushlightuserdata(state, ptr::from_mut(task).cast());
        let status = ffi::lua_pcall(state, 1, 0, -3);
        ffi::lua_sethook(state, None, 0, 0);
        CURRENT.set(ptr::null_mut());
        if task.kind == Kind::Library {
            show_globals(state, task.places, task.places.globals);
        }
        let failure = match status {
            ffi::LUA_OK => None,
            _ => Some(convert::failure(state, &run.names)),
        };
        ffi::lua_settop(state, 0);
        if status == ffi::LUA_ERRMEM {
            ffi::lua_gc(state, ffi::LUA_GCCOLLECT, 0);
        }
        failure
    }
}

struct Compile<'a> {
    text: &'a [u8],
    source: &'a CStr,
    reference: c_int,
}

/// Compiles within a protected call.
unsafe extern "C-unwind" fn compile_protected(state: *mut lua_State) -> c_int {
    // SAFETY: the only argument is the job of `Machine::compile`, which waits for this. Nothing here needs to be dropped.
    unsafe {
        let job = ffi::lua_touserdata(state, 1).cast::<Compile<'_>>();
        let Compile { text, source, .. } = &*job;
        let status = ffi::luaL_loadbuffer(state, text.as_ptr().cast(), text.len(), source.as_ptr());
        if status != ffi::LUA_OK {
            ffi::lua_error(state);
        }
        (*job).reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        0
    }
}

/// Takes a piece of a dump.
unsafe extern "C-unwind" fn gather(
    _: *mut lua_State,
    piece: *const c_void,
    len: usize,
    dump: *mut c_void,
) -> c_int {
    // SAFETY: `Machine::dump` gives its vector; a piece that is not empty is where Lua says.
    unsafe {
        if len > 0 {
            let piece = std::slice::from_raw_parts(piece.cast::<u8>(), len);
            (*dump.cast::<Vec<u8>>()).extend_from_slice(piece);
        }
    }
    0
}

/// Runs a task within a protected call.
unsafe extern "C-unwind" fn runner(state: *mut lua_State) -> c_int {
    // SAFETY: the only argument is the task of `Machine::call`, which waits for this. Nothing here needs to be dropped.
    unsafe {
        let task = &mut *ffi::lua_touserdata(state, 1).cast::<Task<'_>>();
        ffi::lua_settop(state, 0);
        let registry = ffi::LUA_REGISTRYINDEX;
        match (task.kind, &task.inputs) {
            (Kind::Library, _) | (_, None) => {
                show_globals(state, task.places, task.places.loading_globals);
                ffi::lua_rawgeti(state, registry, task.function.0.into());
                ffi::lua_call(state, 0, 0);
                return 0;
            }
            (Kind::Script, Some(inputs)) => {
                ffi::lua_rawgeti(state, registry, task.places.globals.into());
                proven::set_fresh(state, inputs);
                ffi::lua_settop(state, 0);
                ffi::lua_rawgeti(state, registry, task.function.0.into());
                ffi::lua_call(state, 0, 1);
            }
            (Kind::Proven, Some(inputs)) => {
                task.proven.set(state, inputs);
                ffi::lua_rawgeti(state, registry, task.function.0.into());
                ffi::lua_call(state, 0, 1);
            }
            (Kind::Function, Some(inputs)) => {
                ffi::lua_rawgeti(state, registry, task.function.0.into());
                proven::push_list(state, inputs, inputs.keys());
                proven::push_list(state, inputs, inputs.others());
                ffi::lua_call(state, 2, 1);
            }
        }
        convert::write_value(state, current(), ptr::from_mut(task.out));
        0
    }
}

/// Has scripts see these globals.
unsafe fn show_globals(state: *mut lua_State, places: Places, globals: c_int) {
    // SAFETY: the caller has room on the stack for two values; the key is there already, so nothing is allocated.
    unsafe {
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, places.window.into());
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, globals.into());
        ffi::lua_setfield(state, -2, c"__index".as_ptr());
        ffi::lua_settop(state, -2);
    }
}

/// Notes in an error where it arose; a text becomes a table first.
unsafe extern "C-unwind" fn note_place(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with the error alone, in protected mode. Nothing here needs to be dropped.
    unsafe {
        ffi::lua_settop(state, 1);
        if ffi::lua_type(state, 1) != ffi::LUA_TTABLE {
            convert::describe(state);
        }
        number_to_text(state);
        let mut place: ffi::lua_Debug = std::mem::zeroed();
        // Level 0 is this function, 1 the one that failed. Of a function in C its caller is told.
        if ffi::lua_getstack(state, 1, &mut place) == 0 {
            return 1;
        }
        ffi::lua_getinfo(state, c"Sl".as_ptr(), &mut place);
        if CStr::from_ptr(place.what) == c"C" {
            if ffi::lua_getstack(state, 2, &mut place) == 0 {
                return 1;
            }
            ffi::lua_getinfo(state, c"Sl".as_ptr(), &mut place);
        }
        // A table that the script may not change is left as it is.
        if guards::is_sealed(state, 1) {
            return 1;
        }
        ffi::lua_pushstring(state, c"source".as_ptr());
        ffi::lua_pushstring(state, place.source);
        ffi::lua_rawset(state, 1);
        ffi::lua_pushstring(state, c"line".as_ptr());
        ffi::lua_pushnumber(state, place.currentline.into());
        ffi::lua_rawset(state, 1);
        1
    }
}

/// An error's text that is a number is written out here, where Lua may allocate.
unsafe fn number_to_text(state: *mut lua_State) {
    // SAFETY: `note_place` calls this with the error at 1 and alone.
    unsafe {
        if !guards::is_sealed(state, 1) {
            ffi::lua_pushstring(state, c"err".as_ptr());
            ffi::lua_pushvalue(state, -1);
            if ffi::lua_rawget(state, 1) == ffi::LUA_TNUMBER {
                ffi::lua_tostring(state, -1);
                ffi::lua_rawset(state, 1);
            }
            ffi::lua_settop(state, 1);
        }
    }
}

/// Every now and then: ends a script that is to end.
unsafe extern "C-unwind" fn hook(state: *mut lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: Lua calls this while it runs a script, so within `Machine::execute`, and where a script may fail. Nothing
    // here needs to be dropped when it does.
    unsafe {
        let run = current();
        if run.is_null() {
            return;
        }
        collector::watch(state);
        let before = (*run).looked;
        look(state);
        let taken = before.zip((*run).looked).map(|(before, now)| now - before);
        let count = match taken {
            None => INSTRUCTIONS_AT_FIRST,
            Some(taken) if taken > SLOW => INSTRUCTIONS_IF_SLOW,
            Some(_) => INSTRUCTIONS,
        };
        if ffi::lua_gethookcount(state) != count {
            ffi::lua_sethook(state, Some(hook), ffi::LUA_MASKCOUNT, count);
        }
    }
}

/// Ends the script if it is to end; otherwise comes back, perhaps after others had their turn. What takes long without
/// being Lua's code calls this, too.
///
/// # Safety
/// Within a call, where a script may fail; the caller's frame owns nothing.
pub(super) unsafe fn look(state: *mut lua_State) {
    // SAFETY: the caller's.
    unsafe {
        let run = current();
        if run.is_null() {
            return;
        }
        let now = Instant::now();
        (*run).looked = Some(now);
        let asked = *(*run).asked.get_or_insert(now);
        if (*run).stop.is_none() && now - asked >= TIME_PER_QUESTION {
            (*run).stop = (*run).host.interrupt();
            (*run).asked = Some(Instant::now());
        }
        if let Some(reason) = (*run).stop {
            // From now on at every line, so that no `pcall` saves it.
            let mask = ffi::LUA_MASKLINE | ffi::LUA_MASKCOUNT;
            ffi::lua_sethook(state, Some(hook), mask, 1);
            convert::push_error(state, run, reason.as_bytes(), false);
            ffi::lua_error(state);
        }
    }
}
