//! The way from Lua to a library's function and back: a checked view of Lua's own stack, and the frame around each call.
//!
//! A function of a library raises its errors as Lua's own functions do: a string, with the place of the caller in front.
//! A callback of `mlua` can only raise an object of its own, walks at most 200 tables deep, and holds 8,000 references;
//! so the libraries are registered as functions of Lua's C interface, and everything unsafe about that stands here.
//!
//! How a call runs: [`enter`] calls [`run`] in protected mode, so that an error of Lua itself (memory) ends there, where
//! nothing with a destructor is alive; `run` calls the library's [`Body`], safe Rust, in which a panic is caught too.

use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int, c_void};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

use mlua::ffi;

use super::failure::{Failure, overflow, wrong_type};

/// Slots that Lua leaves to each function beside its arguments, less those that the frame uses.
const SLOTS_AT_START: i32 = 16;
/// How many slots are asked for at once when they run out.
const SLOTS_A_STEP: i32 = 8;
/// What a library may make in one call; far more than a script should hold, far less than what brings a machine down.
pub const LONGEST_OUTPUT: usize = 512 * 1024 * 1024;
/// Working memory above this is given back after a call.
const KEPT_BYTES: usize = 64 * 1024;

/// A function of a library: takes its arguments from the stack, leaves its results on top, says how many.
/// Settings are shared by the functions of one library table.
pub type Body<S> = fn(&mut Stack<'_>, &mut Scratch, &Cell<S>) -> Result<i32, Failure>;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    None,
    Nil,
    Boolean,
    LightUserdata,
    Number,
    String,
    Table,
    Function,
    Userdata,
    Thread,
}

impl Kind {
    /// Lua's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "no value",
            Self::Nil => "nil",
            Self::Boolean => "boolean",
            Self::LightUserdata | Self::Userdata => "userdata",
            Self::Number => "number",
            Self::String => "string",
            Self::Table => "table",
            Self::Function => "function",
            Self::Thread => "thread",
        }
    }
}

/// Working memory of a call. It outlives errors that Lua raises, which leave a function without running destructors.
#[derive(Default)]
pub struct Scratch {
    pub bytes: Vec<u8>,
    pub frames: Vec<Frame>,
    raise: Raise,
}

/// One level of a nested value on its way in or out.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub shape: Shape,
    /// The element that comes next, counted from 1; in a map anything but 0 once a pair is through.
    pub next: u32,
    /// The last element; unused where it shows from the data.
    pub last: u32,
}

/// What a [`Frame`] walks through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Array,
    Map,
    /// A map whose key has been read and whose value comes next.
    MapValue,
}

/// How `enter` raises the text that `run` left on the stack.
#[derive(Clone, Copy, Default)]
enum Raise {
    #[default]
    Nothing,
    WithPlace,
    AsItIs,
    Argument(i32),
}

thread_local! {
    /// A finalizer may call a library while another call is in it, hence more than one.
    #[expect(clippy::vec_box, reason = "the boxes go to and fro as pointers")]
    static SPARE: RefCell<Vec<Box<Scratch>>> = const { RefCell::new(Vec::new()) };
}

/// Makes a library: `push` leaves its table on the stack.
pub fn library(
    lua: &mlua::Lua,
    push: fn(&mut Stack<'_>) -> Result<(), Failure>,
) -> mlua::Result<mlua::Table> {
    // SAFETY: the closure runs in protected mode and owns nothing with a destructor; it leaves one value on the stack.
    unsafe {
        lua.exec_raw((), |state| {
            push(&mut Stack::new(state, 0)).expect("an empty stack has room for a table");
        })
    }
}

/// Lua's stack within one call: the arguments below, above them what the function has pushed.
pub struct Stack<'call> {
    state: *mut ffi::lua_State,
    /// Arguments are never removed, so that what is borrowed from them stays.
    arguments: i32,
    top: i32,
    /// The slot up to which Lua has promised room.
    promised: i32,
    call: PhantomData<Cell<&'call ()>>,
}

impl<'call> Stack<'call> {
    /// # Safety
    /// `state` must be the state that a C function of Lua was called with and have `arguments` values on its stack.
    unsafe fn new(state: *mut ffi::lua_State, arguments: i32) -> Self {
        Self {
            state,
            arguments,
            top: arguments,
            promised: arguments + SLOTS_AT_START,
            call: PhantomData,
        }
    }

    // ---- Arguments

    /// How many arguments were given.
    pub fn arguments(&self) -> i32 {
        self.arguments
    }

    /// What the argument `number`, counted from 1, is.
    pub fn argument_kind(&self, number: i32) -> Kind {
        if (1..=self.arguments).contains(&number) {
            self.kind_of_slot(number)
        } else {
            Kind::None
        }
    }

    /// A string, or a number as text.
    pub fn text_argument(&mut self, number: i32) -> Result<&'call [u8], Failure> {
        match self.argument_kind(number) {
            Kind::String | Kind::Number => {}
            kind => return Err(wrong_type(number, "string", kind)),
        }
        let mut length = 0;
        // SAFETY: the slot holds a string or a number, which becomes one in place; arguments stay on the stack for the
        // whole call and Lua's strings neither move nor change, so the bytes live as long as `'call`.
        unsafe {
            let text = ffi::lua_tolstring(self.state, number, &mut length);
            Ok(slice::from_raw_parts(text.cast(), length))
        }
    }

    /// A number, or a string that reads as one; `None` for anything else.
    pub fn number_argument_if_any(&self, number: i32) -> Option<f64> {
        match self.argument_kind(number) {
            Kind::String | Kind::Number => self.number_of_slot(number),
            _ => None,
        }
    }

    /// A number, or a string that reads as one.
    pub fn number_argument(&self, number: i32) -> Result<f64, Failure> {
        self.number_argument_if_any(number)
            .ok_or_else(|| wrong_type(number, "number", self.argument_kind(number)))
    }

    /// A number without its fraction.
    pub fn integer_argument(&self, number: i32) -> Result<i64, Failure> {
        self.number_argument(number).map(truncate)
    }

    /// A number without its fraction, or what stands for a missing one.
    pub fn optional_integer_argument(&self, number: i32, missing: i64) -> Result<i64, Failure> {
        match self.argument_kind(number) {
            Kind::None | Kind::Nil => Ok(missing),
            _ => self.integer_argument(number),
        }
    }

    pub fn boolean_argument(&self, number: i32) -> Option<bool> {
        (self.argument_kind(number) == Kind::Boolean).then(|| self.boolean_of_slot(number))
    }

    // ---- Values, counted from the top: 1 is the top itself

    pub fn kind(&self, down: i32) -> Kind {
        self.kind_of_slot(self.slot(down))
    }

    /// The boolean there; anything else counts as Lua counts it.
    pub fn boolean(&self, down: i32) -> bool {
        self.boolean_of_slot(self.slot(down))
    }

    /// The number there, also of a string that reads as one.
    pub fn number(&self, down: i32) -> Option<f64> {
        self.number_of_slot(self.slot(down))
    }

    /// The string there.
    pub fn bytes(&self, down: i32) -> Option<&[u8]> {
        let slot = self.slot(down);
        if self.kind_of_slot(slot) != Kind::String {
            return None;
        }
        let mut length = 0;
        // SAFETY: the slot holds a string; it cannot leave the stack while `self` is borrowed.
        unsafe {
            let text = ffi::lua_tolstring(self.state, slot, &mut length);
            Some(slice::from_raw_parts(text.cast(), length))
        }
    }

    /// Whether this is the value that stands for JSON's null.
    pub fn is_null(&self, down: i32) -> bool {
        let slot = self.slot(down);
        // SAFETY: the slot is in use.
        self.kind_of_slot(slot) == Kind::LightUserdata
            && unsafe { ffi::lua_touserdata(self.state, slot) }.is_null()
    }

    // ---- Pushing and popping

    /// Makes room for `count` values; false if Lua's limit is reached.
    pub fn reserve(&mut self, count: i32) -> bool {
        if self.top + count <= self.promised {
            return true;
        }
        // SAFETY: no condition; an error for want of memory ends the call.
        let is_granted = unsafe { ffi::lua_checkstack(self.state, count) } != 0;
        if is_granted {
            self.promised = self.top + count;
        }
        is_granted
    }

    pub fn push_nil(&mut self) -> Result<(), Failure> {
        self.grow()?;
        // SAFETY: `grow` has made room.
        unsafe { ffi::lua_pushnil(self.state) };
        Ok(())
    }

    pub fn push_boolean(&mut self, value: bool) -> Result<(), Failure> {
        self.grow()?;
        // SAFETY: `grow` has made room.
        unsafe { ffi::lua_pushboolean(self.state, c_int::from(value)) };
        Ok(())
    }

    pub fn push_number(&mut self, value: f64) -> Result<(), Failure> {
        self.grow()?;
        // SAFETY: `grow` has made room.
        unsafe { ffi::lua_pushnumber(self.state, value) };
        Ok(())
    }

    /// Pushes the value that stands for JSON's null.
    pub fn push_null(&mut self) -> Result<(), Failure> {
        self.grow()?;
        // SAFETY: `grow` has made room.
        unsafe { ffi::lua_pushlightuserdata(self.state, std::ptr::null_mut()) };
        Ok(())
    }

    pub fn push_bytes(&mut self, value: &[u8]) -> Result<(), Failure> {
        self.grow()?;
        // SAFETY: `grow` has made room; Lua copies the bytes.
        unsafe { ffi::lua_pushlstring_(self.state, value.as_ptr().cast(), value.len()) };
        Ok(())
    }

    pub fn push_table(&mut self) -> Result<(), Failure> {
        self.grow()?;
        // SAFETY: `grow` has made room.
        unsafe { ffi::lua_createtable(self.state, 0, 0) };
        Ok(())
    }

    /// Pushes a copy of an argument.
    pub fn push_argument(&mut self, number: i32) -> Result<(), Failure> {
        assert!((1..=self.arguments).contains(&number));
        self.grow()?;
        // SAFETY: `grow` has made room, the slot is in use.
        unsafe { ffi::lua_pushvalue(self.state, number) };
        Ok(())
    }

    /// Pushes a copy of a value counted from the top.
    pub fn push_copy(&mut self, down: i32) -> Result<(), Failure> {
        let slot = self.slot(down);
        self.grow()?;
        // SAFETY: `grow` has made room, the slot is in use.
        unsafe { ffi::lua_pushvalue(self.state, slot) };
        Ok(())
    }

    pub fn pop(&mut self, count: i32) {
        assert!(count >= 0 && self.top - count >= self.arguments);
        self.top -= count;
        // SAFETY: that many values were pushed in this call.
        unsafe { ffi::lua_settop(self.state, self.top) };
    }

    /// Moves the top down, so that `above` values stand above it.
    pub fn sink(&mut self, above: i32) {
        let slot = self.slot(above + 1);
        assert!(slot > self.arguments);
        // SAFETY: the slot is in use and no argument.
        unsafe { ffi::lua_insert(self.state, slot) };
    }

    // ---- Tables, counted from the top

    /// Takes the key on top and pushes the table's next key and value; false, with nothing pushed, after the last.
    pub fn next(&mut self, table: i32) -> Result<bool, Failure> {
        let slot = self.table_slot(table);
        self.grow()?;
        self.top -= 1;
        // SAFETY: the slot holds a table, room for one more value has been made, the key comes from the table itself.
        let is_more = unsafe { ffi::lua_next(self.state, slot) } != 0;
        self.top += if is_more { 1 } else { -1 };
        Ok(is_more)
    }

    /// Pushes the element at `index`.
    pub fn push_element(&mut self, table: i32, index: i32) -> Result<(), Failure> {
        let slot = self.table_slot(table);
        self.grow()?;
        // SAFETY: `grow` has made room, the slot holds a table.
        unsafe { ffi::lua_rawgeti_(self.state, slot, index) };
        Ok(())
    }

    /// Takes the value on top and makes it the element at `index`.
    pub fn set_element(&mut self, table: i32, index: i32) {
        let slot = self.table_slot(table);
        assert!(self.top > self.arguments && slot != self.top);
        self.top -= 1;
        // SAFETY: the slot holds a table, the value on top was pushed in this call.
        unsafe { ffi::lua_rawseti_(self.state, slot, index) };
    }

    /// Takes key and value from the top and puts them into the table.
    pub fn set(&mut self, table: i32) -> Result<(), Failure> {
        let slot = self.table_slot(table);
        assert!(table > 2 && self.top - 2 >= self.arguments);
        match self.kind(2) {
            Kind::Nil => return Err(Failure::Bare("table index is nil")),
            Kind::Number if self.number(2).is_some_and(f64::is_nan) => {
                return Err(Failure::Bare("table index is NaN"));
            }
            _ => {}
        }
        self.top -= 2;
        // SAFETY: the slot holds a table, key and value were pushed in this call, the key is one that tables take.
        unsafe { ffi::lua_rawset(self.state, slot) };
        Ok(())
    }

    /// How many elements the table has, as the operator `#` counts.
    pub fn length(&self, table: i32) -> usize {
        // SAFETY: the slot holds a table.
        unsafe { ffi::lua_objlen(self.state, self.table_slot(table)) }
    }

    /// Pushes a table of functions that share `settings`.
    pub fn push_library<S: Copy + 'static>(
        &mut self,
        settings: S,
        functions: &[(&str, Body<S>)],
    ) -> Result<(), Failure> {
        const { assert!(align_of::<S>() <= align_of::<*mut c_void>()) };
        self.push_table()?;
        if !self.reserve(6) {
            return Err(overflow("too many libraries"));
        }
        // SAFETY: room for the five values below has been made. The block is as large as its content and aligned for any
        // type that Lua knows; it needs no destructor. `run` takes the two upvalues as what they are made here.
        unsafe {
            let block = ffi::lua_newuserdata(self.state, size_of::<Cell<S>>());
            block.cast::<Cell<S>>().write(Cell::new(settings));
            for (name, body) in functions {
                ffi::lua_pushlstring_(self.state, name.as_ptr().cast(), name.len());
                ffi::lua_pushvalue(self.state, -2);
                ffi::lua_pushlightuserdata(self.state, *body as *mut c_void);
                ffi::lua_pushcclosure(self.state, run::<S>, 2);
                ffi::lua_pushcclosure(self.state, enter, 1);
                ffi::lua_rawset(self.state, -4);
            }
            ffi::lua_settop(self.state, self.top);
        }
        Ok(())
    }

    /// Sets a field of the table on top to a text.
    pub fn set_text(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        self.push_bytes(name.as_bytes())?;
        self.push_bytes(value.as_bytes())?;
        self.set(3)
    }

    // ---- Slots

    fn slot(&self, down: i32) -> i32 {
        assert!(down >= 1 && down <= self.top);
        self.top + 1 - down
    }

    fn table_slot(&self, down: i32) -> i32 {
        let slot = self.slot(down);
        assert!(self.kind_of_slot(slot) == Kind::Table);
        slot
    }

    fn kind_of_slot(&self, slot: i32) -> Kind {
        // SAFETY: callers pass slots in use.
        match unsafe { ffi::lua_type(self.state, slot) } {
            ffi::LUA_TNIL => Kind::Nil,
            ffi::LUA_TBOOLEAN => Kind::Boolean,
            ffi::LUA_TLIGHTUSERDATA => Kind::LightUserdata,
            ffi::LUA_TNUMBER => Kind::Number,
            ffi::LUA_TSTRING => Kind::String,
            ffi::LUA_TTABLE => Kind::Table,
            ffi::LUA_TFUNCTION => Kind::Function,
            ffi::LUA_TUSERDATA => Kind::Userdata,
            ffi::LUA_TTHREAD => Kind::Thread,
            _ => Kind::None,
        }
    }

    fn boolean_of_slot(&self, slot: i32) -> bool {
        // SAFETY: callers pass slots in use.
        unsafe { ffi::lua_toboolean(self.state, slot) != 0 }
    }

    fn number_of_slot(&self, slot: i32) -> Option<f64> {
        // SAFETY: callers pass slots in use.
        unsafe {
            let number = ffi::lua_tonumber(self.state, slot);
            (number != 0.0 || ffi::lua_isnumber(self.state, slot) != 0).then_some(number)
        }
    }

    /// Counts one more value, and makes room for it first if need be.
    fn grow(&mut self) -> Result<(), Failure> {
        if self.top >= self.promised && !self.reserve(SLOTS_A_STEP) && !self.reserve(1) {
            return Err(overflow("too many values"));
        }
        self.top += 1;
        Ok(())
    }
}

/// Whether the whole part of a double is an integer of 64 bits.
pub fn fits_integer(number: f64) -> bool {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (-LIMIT..LIMIT).contains(&number)
}

/// A double as the processors that Redis runs on make an integer of it: what does not fit becomes the smallest.
pub fn truncate(number: f64) -> i64 {
    if fits_integer(number) {
        number as i64
    } else {
        i64::MIN
    }
}

// ---- The frame around a call

/// What Lua calls. Its only upvalue is the closure of `run`. Nothing in this frame has a destructor, for Lua leaves it by
/// a long jump when it raises.
unsafe extern "C-unwind" fn enter(state: *mut ffi::lua_State) -> c_int {
    let scratch = Box::into_raw(take_scratch());
    // SAFETY: Lua leaves 20 slots to a function; three are used. `scratch` is given back once, on both ways out.
    unsafe {
        let count = ffi::lua_gettop(state);
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
        ffi::lua_insert(state, 1);
        ffi::lua_pushlightuserdata(state, scratch.cast());
        let status = ffi::lua_pcall(state, count + 1, ffi::LUA_MULTRET, 0);
        let raise = std::mem::take(&mut (*scratch).raise);
        give_back(scratch);
        match raise {
            _ if status != 0 => {}
            Raise::Nothing => return ffi::lua_gettop(state),
            Raise::AsItIs => {}
            Raise::Argument(number) => {
                let text = ffi::lua_tolstring(state, -1, std::ptr::null_mut());
                return ffi::luaL_argerror(state, number, text);
            }
            Raise::WithPlace => {
                ffi::luaL_where(state, 1);
                ffi::lua_insert(state, -2);
                ffi::lua_concat(state, 2);
            }
        }
        ffi::lua_error(state)
    }
}

/// Runs the body, in protected mode. The last argument is the working memory.
unsafe extern "C-unwind" fn run<S: Copy + 'static>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `enter` passes a valid `Scratch` that nobody else uses meanwhile; `push_library` has made the upvalues, and
    // the settings live as long as this closure.
    unsafe {
        let scratch = &mut *ffi::lua_touserdata(state, -1).cast::<Scratch>();
        ffi::lua_settop(state, -2);
        let settings = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Cell<S>>();
        let body = ffi::lua_touserdata(state, ffi::lua_upvalueindex(2));
        let body = std::mem::transmute::<*mut c_void, Body<S>>(body);
        let mut stack = Stack::new(state, ffi::lua_gettop(state));
        let outcome = catch_unwind(AssertUnwindSafe(|| body(&mut stack, scratch, settings)));
        let (raise, text) = match outcome {
            Ok(Ok(results)) => return results.clamp(0, stack.top - stack.arguments),
            Ok(Err(Failure::Error(text))) => (Raise::WithPlace, text),
            Ok(Err(Failure::Bare(text))) => (Raise::AsItIs, text.into()),
            Ok(Err(Failure::Argument(number, text))) => (Raise::Argument(number), text),
            Err(_) => (Raise::WithPlace, b"internal error of a library".to_vec()),
        };
        scratch.raise = raise;
        // The text moves to where it survives an error raised while Lua copies it.
        scratch.bytes = text;
        ffi::lua_settop(state, 0);
        let text = &scratch.bytes;
        ffi::lua_pushlstring_(state, text.as_ptr().cast::<c_char>(), text.len());
        1
    }
}

fn take_scratch() -> Box<Scratch> {
    let mut scratch = SPARE
        .with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| Box::new(Scratch::default()));
    scratch.bytes.clear();
    scratch.frames.clear();
    scratch.raise = Raise::Nothing;
    scratch
}

/// # Safety
/// `scratch` must come from `take_scratch` by `Box::into_raw` and not be used again.
unsafe fn give_back(scratch: *mut Scratch) {
    // SAFETY: as the caller promises.
    let mut scratch = unsafe { Box::from_raw(scratch) };
    if scratch.bytes.capacity() > KEPT_BYTES {
        scratch.bytes = Vec::new();
    }
    scratch.frames.shrink_to(KEPT_BYTES);
    SPARE.with_borrow_mut(|spare| spare.push(scratch));
}
