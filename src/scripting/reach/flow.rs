//! The proof: every instruction is followed, on every way to it, with what is known of the registers, until nothing new is
//! learnt. Then each call of a command stands with what its words can be.
//!
//! What it relies on. The code comes from Lua's compiler, not from a dump that somebody made. Scripts cannot change
//! globals, libraries and the metatable of strings, so a name means what it meant. A value that is *plain* is no library,
//! and neither the table of the keys nor that of the other arguments; plain values are never called, so a function that
//! hides among them is harmless. A table that the script builds is no plain value: it is put into others only where it
//! can be in few of them, and never into itself, since what walks through it would not come to an end. `KEYS` and `ARGV`
//! are never changed, nor put where they could be, so what is taken from
//! `KEYS` is a declared key, and a loop over either ends.

use super::bytecode::{CONSTANTS, Code, Constant, Instruction, op};
use super::names::{self, Function, Library};
use super::{Called, Word};

/// Rounds of a loop that counts.
const MOST_ROUNDS: f64 = 10_000.0;
/// A loop of more rounds must not move long texts in each of them.
const FEW_ROUNDS: f64 = 100.0;
/// Loops, none within another.
const MOST_LOOPS: usize = 8;
/// What a loop counts in is exact up to here. From where adding one changes nothing, it would never end.
const MOST_COUNTED: f64 = 1e9;
/// Steps as small as this one at least, for the same reason.
const SMALLEST_STEP: f64 = 1e-3;
/// Tables put into others: each may stand there more than once. None in a loop.
const MOST_NESTED: usize = 16;
/// Joins of texts, which might double each time. None in a loop.
const MOST_JOINS: usize = 16;

/// What is known of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// Plain: see above.
    Plain,
    /// This constant; plain.
    Constant(usize),
    /// Something taken from `KEYS`; plain.
    Key,
    /// How many keys, or other arguments, there are; plain.
    Count,
    Keys,
    Arguments,
    /// A table that the script has built, or something that it may have taken from one. Not plain, since it may be shared.
    Built,
    Library(Library),
    Function(Function),
    /// What `ipairs` and `pairs` give first.
    Next,
    /// Anything.
    Mixed,
}

impl Value {
    fn is_plain(self) -> bool {
        matches!(
            self,
            Self::Plain | Self::Constant(_) | Self::Key | Self::Count
        )
    }

    /// Whether it is neither a table of the server's nor what hides in one.
    fn is_own(self) -> bool {
        self.is_plain() || self == Self::Built
    }

    /// Whether it is the table of the keys, or that of the other arguments.
    fn is_list(self) -> bool {
        matches!(self, Self::Keys | Self::Arguments)
    }

    /// What is known where two ways meet.
    fn or(self, other: Self) -> Self {
        match self == other {
            true => self,
            false if self.is_plain() && other.is_plain() => Self::Plain,
            false if self.is_own() && other.is_own() => Self::Built,
            false => Self::Mixed,
        }
    }
}

/// What is known before an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    registers: Vec<Value>,
    /// After a call with any number of results: from which register on, and what they are.
    open: Option<(usize, Results)>,
}

/// Results of such a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Results {
    One,
    Keys,
    Many,
    /// What may be a table that the script has built, or stand in one.
    Built,
}

impl State {
    fn get(&self, register: usize) -> Option<Value> {
        self.registers.get(register).copied()
    }

    fn set(&mut self, register: usize, value: Value) -> Option<()> {
        *self.registers.get_mut(register)? = value;
        Some(())
    }

    /// How many of these registers hold tables that the script has built, where the others are plain.
    fn count_built(&self, registers: std::ops::Range<usize>) -> Option<usize> {
        let values = registers.map(|register| self.get(register).filter(|value| value.is_own()));
        values
            .map(|value| value.map(|value| usize::from(value == Value::Built)))
            .sum()
    }

    /// Of registers from a call's own on nothing is known.
    fn forget_from(&mut self, first: usize) {
        self.open = None;
        for value in self.registers.iter_mut().skip(first) {
            *value = Value::Mixed;
        }
    }

    /// Takes in what another way to the same place knows; whether that was news.
    fn meet(&mut self, other: &Self) -> bool {
        let before = self.clone();
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            *mine = mine.or(*theirs);
        }
        if self.open != other.open {
            self.open = None;
        }
        *self != before
    }
}

/// All that a script calls, if that can be told and it is over soon.
pub(super) fn calls(code: &Code) -> Option<Vec<Called>> {
    let loops = loops(code)?;
    let is_joining = |instruction: &&Instruction| instruction.op == op::CONCAT;
    if code.instructions.iter().filter(is_joining).count() > MOST_JOINS {
        return None;
    }
    let mut proof = Proof {
        code,
        loops,
        states: vec![None; code.instructions.len()],
        nested: vec![0; code.instructions.len()],
        long_loops: Vec::new(),
        work: Vec::new(),
    };
    // Parameters there are none; everything else begins as nil.
    let registers = vec![Value::Plain; code.registers];
    let open = None;
    proof.reach(0, &State { registers, open })?;
    while let Some(at) = proof.work.pop() {
        let state = proof.states[at].clone()?;
        proof.step(at, state)?;
    }
    if proof.nested.iter().sum::<usize>() > MOST_NESTED {
        return None;
    }
    let reached = proof.states.iter().enumerate();
    let reached = reached.filter_map(|(at, state)| Some((at, state.as_ref()?)));
    let calling = reached.filter(|(at, state)| proof.calls_command(*at, state));
    calling.map(|(at, state)| proof.called(at, state)).collect()
}

/// The loops, from their first to their last instruction. `None` where there are others than those that count, or go through
/// a list, or one within another.
fn loops(code: &Code) -> Option<Vec<(usize, usize)>> {
    let mut loops: Vec<(usize, usize)> = Vec::new();
    for (at, instruction) in code.instructions.iter().enumerate() {
        let goes_back = match instruction.op {
            op::FORLOOP => true,
            op::JMP => instruction.jump < 0,
            _ => false,
        };
        if !goes_back {
            continue;
        }
        let before = at.checked_sub(1).map(|at| code.instructions[at].op);
        if instruction.op == op::JMP && before != Some(op::TFORLOOP) {
            return None;
        }
        let first = (at + 1).checked_add_signed(instruction.jump)?;
        // The loop that ends first lies within one that begins before it.
        if loops.last().is_some_and(|(_, last)| first <= *last) {
            return None;
        }
        loops.push((first, at));
    }
    (loops.len() <= MOST_LOOPS).then_some(loops)
}

struct Proof<'c> {
    code: &'c Code,
    loops: Vec<(usize, usize)>,
    /// What is known before each instruction; nothing where no way to it has been found.
    states: Vec<Option<State>>,
    /// How many tables each instruction puts into another.
    nested: Vec<usize>,
    /// Loops of many rounds, by their last instructions.
    long_loops: Vec<usize>,
    /// Instructions before which something new is known.
    work: Vec<usize>,
}

impl Proof<'_> {
    fn is_repeated(&self, at: usize) -> bool {
        let mut loops = self.loops.iter();
        loops.any(|(first, last)| (*first..=*last).contains(&at))
    }

    fn is_repeated_often(&self, at: usize) -> bool {
        let mut loops = self.loops.iter();
        loops.any(|(first, last)| (*first..=*last).contains(&at) && self.long_loops.contains(last))
    }

    /// A way to an instruction has been found.
    fn reach(&mut self, at: usize, state: &State) -> Option<()> {
        let known = self.states.get_mut(at)?;
        let is_news = match known {
            Some(known) => known.meet(state),
            None => {
                *known = Some(state.clone());
                true
            }
        };
        if is_news {
            self.work.push(at);
        }
        Some(())
    }

    fn constant(&self, index: usize) -> Option<Value> {
        (index < self.code.constants.len()).then_some(Value::Constant(index))
    }

    /// An operand that is a register or a constant.
    fn operand(&self, state: &State, operand: usize) -> Option<Value> {
        match operand.checked_sub(CONSTANTS) {
            Some(index) => self.constant(index),
            None => state.get(operand),
        }
    }

    fn text(&self, value: Value) -> Option<&[u8]> {
        let Value::Constant(index) = value else {
            return None;
        };
        match self.code.constants.get(index)? {
            Constant::Text(text) => Some(text),
            _ => None,
        }
    }

    fn number(&self, value: Value) -> Option<f64> {
        let Value::Constant(index) = value else {
            return None;
        };
        match self.code.constants.get(index)? {
            Constant::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Follows one instruction.
    fn step(&mut self, at: usize, mut state: State) -> Option<()> {
        let instruction = self.code.instructions[at];
        let Instruction { op, a, b, c, .. } = instruction;
        if !matches!(op, op::CALL | op::TAILCALL | op::RETURN | op::SETLIST) {
            state.open = None;
        }
        match op {
            op::RETURN => return Some(()),
            op::JMP | op::FORPREP | op::FORLOOP | op::TFORLOOP => {
                return self.turn(at, state);
            }
            op::EQ..=op::TEST => {
                self.reach(at + 1, &state)?;
                return self.reach(at + 2, &state);
            }
            op::TESTSET => {
                self.reach(at + 2, &state)?;
                let value = state.get(b)?;
                state.set(a, value)?;
            }
            op::LOADBOOL if c != 0 => {
                state.set(a, Value::Plain)?;
                return self.reach(at + 2, &state);
            }
            op::CALL | op::TAILCALL => self.call(at, &mut state)?,
            _ => self.compute(at, &mut state)?,
        }
        self.reach(at + 1, &state)
    }

    /// What goes elsewhere.
    fn turn(&mut self, at: usize, mut state: State) -> Option<()> {
        let Instruction { op, a, c, jump, .. } = self.code.instructions[at];
        let target = (at + 1).checked_add_signed(jump);
        match op {
            op::FORPREP => {
                let (rounds, target) = (self.rounds(&state, a)?, target?);
                if rounds > FEW_ROUNDS {
                    self.long_loops.push(target);
                }
                let leads_to_loop = self.code.instructions.get(target)?.op == op::FORLOOP;
                return self.reach(target, &state).filter(|()| leads_to_loop);
            }
            op::FORLOOP => {
                self.reach(at + 1, &state)?;
                state.set(a, Value::Plain)?;
                state.set(a + 3, Value::Plain)?;
            }
            op::TFORLOOP => {
                self.reach(at + 2, &state)?;
                let element = match (state.get(a)?, state.get(a + 1)?) {
                    (Value::Next, Value::Keys) => Value::Key,
                    (Value::Next, Value::Arguments) => Value::Plain,
                    _ => return None,
                };
                state.set(a + 2, Value::Plain)?;
                for register in a + 3..a + 3 + c {
                    state.set(register, Value::Plain)?;
                }
                if c > 1 {
                    state.set(a + 4, element)?;
                }
                return self.reach(at + 1, &state);
            }
            _ => {}
        }
        self.reach(target?, &state)
    }

    /// The rounds of a loop that counts, 0 for as many as there are keys or other arguments. `None` for too many.
    fn rounds(&self, state: &State, first: usize) -> Option<f64> {
        let start = self.number(state.get(first)?)?;
        let step = self.number(state.get(first + 2)?)?;
        let limit = state.get(first + 1)?;
        if limit == Value::Count {
            return (start >= 0.0 && step >= 1.0).then_some(0.0);
        }
        let limit = self.number(limit)?;
        let is_exact = start.abs() <= MOST_COUNTED
            && limit.abs() <= MOST_COUNTED
            && step.abs() >= SMALLEST_STEP;
        let rounds = (limit - start) / step;
        (is_exact && rounds <= MOST_ROUNDS).then_some(rounds)
    }

    /// What sets registers, and no more.
    fn compute(&mut self, at: usize, state: &mut State) -> Option<()> {
        let Instruction {
            op, a, b, c, bx, ..
        } = self.code.instructions[at];
        let value = match op {
            op::MOVE => state.get(b)?,
            op::LOADK => self.constant(bx)?,
            op::LOADNIL => {
                for register in a..b {
                    state.set(register, Value::Plain)?;
                }
                return state.set(b, Value::Plain);
            }
            op::GETGLOBAL => self.global(self.text(self.constant(bx)?)?)?,
            op::GETTABLE => self.element(state.get(b)?, self.operand(state, c)?)?,
            op::SELF => {
                let name = self.text(self.operand(state, c)?)?;
                let function = names::of_string(name)?;
                let text = state.get(b).filter(|value| value.is_own())?;
                state.set(a + 1, text)?;
                Value::Function(function)
            }
            op::SETTABLE => {
                let are_plain = state.get(a)? == Value::Built
                    && self.operand(state, b)?.is_plain()
                    && self.operand(state, c)?.is_plain();
                return are_plain.then_some(());
            }
            op::SETLIST => {
                let open = state.open.take();
                let is_known = (b > 0 || open.is_some()) && c > 0 && state.get(a)? == Value::Built;
                let end = match (b, open) {
                    (0, Some((_, Results::Built))) => return None,
                    (0, Some((start, _))) => start,
                    _ => a + 1 + b,
                };
                let nested = state.count_built(a + 1..end)?;
                self.nested[at] = nested;
                return (is_known && (nested == 0 || !self.is_repeated(at))).then_some(());
            }
            op::LEN => match state.get(b)? {
                Value::Keys | Value::Arguments => Value::Count,
                _ => Value::Plain,
            },
            op::CONCAT if self.is_repeated(at) => return None,
            op::NEWTABLE => Value::Built,
            op::LOADBOOL | op::ADD..=op::POW | op::UNM | op::NOT | op::CONCAT => Value::Plain,
            _ => return None,
        };
        state.set(a, value)
    }

    fn global(&self, name: &[u8]) -> Option<Value> {
        match name {
            b"KEYS" => Some(Value::Keys),
            b"ARGV" => Some(Value::Arguments),
            _ => match names::library(name) {
                Some(library) => Some(Value::Library(library)),
                None => names::global(name).map(Value::Function),
            },
        }
    }

    fn element(&self, table: Value, index: Value) -> Option<Value> {
        if !index.is_own() {
            return None;
        }
        match table {
            Value::Keys => Some(Value::Key),
            Value::Library(library) => {
                let name = self.text(index)?;
                if library.has_value(name) {
                    return Some(Value::Plain);
                }
                library.function(name).map(Value::Function)
            }
            Value::Arguments => Some(Value::Plain),
            Value::Built => Some(Value::Built),
            value => value.is_plain().then_some(Value::Plain),
        }
    }

    /// A call's arguments: registers, and what may follow them.
    fn arguments(&self, at: usize, state: &State) -> Option<(Vec<Value>, Option<Results>)> {
        let Instruction { a, b, .. } = self.code.instructions[at];
        let (end, open) = match b {
            0 => state.open.map(|(start, results)| (start, Some(results)))?,
            _ => (a + b, None),
        };
        let values = (a + 1..end).map(|register| state.get(register));
        Some((values.collect::<Option<_>>()?, open))
    }

    fn call(&self, at: usize, state: &mut State) -> Option<()> {
        let Instruction { op, a, c, .. } = self.code.instructions[at];
        let Value::Function(function) = state.get(a)? else {
            return None;
        };
        let (values, open) = self.arguments(at, state)?;
        if function == Function::Each {
            return begin_each(state, a, &values, c == 4 && open.is_none());
        }
        let results = self.results(at, function, &values, open)?;
        state.forget_from(a);
        let value = match results {
            Results::Keys => Value::Key,
            Results::One | Results::Many => Value::Plain,
            Results::Built => Value::Built,
        };
        for register in a..(a + c).saturating_sub(1) {
            state.set(register, value)?;
        }
        if c == 0 || op == op::TAILCALL {
            state.open = Some((a, results));
        }
        Some(())
    }

    /// What a call gives, if it may be made.
    fn results(
        &self,
        at: usize,
        function: Function,
        values: &[Value],
        open: Option<Results>,
    ) -> Option<Results> {
        let is_repeated = self.is_repeated(at);
        let are_plain = |values: &[Value]| values.iter().all(|value| value.is_plain());
        let results = match open {
            Some(Results::Built) => Results::Built,
            _ => Results::Many,
        };
        match function {
            Function::Command => {
                let are_own = values.iter().all(|value| value.is_own());
                are_own.then_some(Results::One)
            }
            Function::Assert => are_plain(values).then_some(results),
            Function::Insert => {
                let is_quick = values.len() == 2 && open.is_none();
                let (table, rest) = values.split_first()?;
                let are_known = *table == Value::Built && are_plain(rest);
                let is_known = are_known && open != Some(Results::Built);
                (is_known && (is_quick || !is_repeated)).then_some(Results::Many)
            }
            Function::Plain {
                is_quick,
                reads_lists,
            } => {
                let is_fine = |value: &Value| value.is_own() || reads_lists && value.is_list();
                let are_fine = values.iter().all(is_fine) && (is_quick || !is_repeated);
                are_fine.then_some(Results::Many)
            }
            Function::Unpack => {
                let (list, rest) = values.split_first()?;
                let results = match list {
                    Value::Keys => Results::Keys,
                    Value::Built => Results::Built,
                    list if list.is_plain() || list.is_list() => Results::Many,
                    _ => return None,
                };
                (are_plain(rest) && !is_repeated).then_some(results)
            }
            Function::Each => None,
        }
    }

    fn calls_command(&self, at: usize, state: &State) -> bool {
        let Instruction { op, a, .. } = self.code.instructions[at];
        let is_call = matches!(op, op::CALL | op::TAILCALL);
        is_call && state.get(a) == Some(Value::Function(Function::Command))
    }

    /// The command that an instruction calls.
    fn called(&self, at: usize, state: &State) -> Option<Called> {
        let (values, open) = self.arguments(at, state)?;
        let mut words: Vec<Word> = values.iter().map(|value| self.word(*value)).collect();
        let rest = match open {
            Some(Results::One) => {
                words.push(Word::Other);
                None
            }
            Some(Results::Keys) => Some(Word::Key),
            Some(Results::Many | Results::Built) => Some(Word::Other),
            None => None,
        };
        Some(Called {
            words,
            rest,
            is_repeated: self.is_repeated(at),
            is_repeated_often: self.is_repeated_often(at),
        })
    }

    fn word(&self, value: Value) -> Word {
        /// Whole numbers up to here are written as such.
        const WHOLE: f64 = 1_000_000.0;
        if value == Value::Key {
            return Word::Key;
        }
        match (self.text(value), self.number(value)) {
            (Some(text), _) => Word::Text(text.into()),
            (_, Some(number)) if number.trunc() == number && number.abs() < WHOLE => {
                Word::Text(format!("{number:.0}").into_bytes().into())
            }
            _ => Word::Other,
        }
    }
}

/// `ipairs(KEYS)`, where a loop begins.
fn begin_each(state: &mut State, first: usize, values: &[Value], is_loop: bool) -> Option<()> {
    let [list] = values else { return None };
    let is_known = is_loop && list.is_list();
    state.forget_from(first);
    state.set(first, Value::Next)?;
    state.set(first + 1, *list)?;
    state.set(first + 2, Value::Plain)?;
    is_known.then_some(())
}
