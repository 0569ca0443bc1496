//! Integers of any width inside a string: BITFIELD, BITFIELD_RO.

use super::offset;
use crate::base::numbers::parse_i64;
use crate::commands::string::{length_to_change, text_of};
use crate::engine::{Call, CommandError, CommandResult, event};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::structures::bitfield::{Form, Overflow};

/// What is done with a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

/// One subcommand.
struct Step {
    action: Action,
    form: Form,
    offset: u64,
    overflow: Overflow,
}

impl Step {
    /// The first bit behind the field.
    fn end(&self) -> u64 {
        self.offset + u64::from(self.form.bits)
    }

    /// Reads or changes the field and replies; true when a number was written that differs, or `has_grown`.
    fn run(&self, bytes: &mut [u8], has_grown: bool, reply: &mut Reply) -> bool {
        let old = self.form.read(bytes, self.offset);
        let wanted = match self.action {
            Action::Get => {
                reply.integer(old);
                return false;
            }
            Action::Set(number) => self.form.taken(number),
            Action::Add(number) => i128::from(old) + i128::from(number),
        };
        let Some(new) = self.form.fit(wanted, self.overflow) else {
            reply.null();
            return false;
        };
        self.form.write(bytes, self.offset, new);
        reply.integer(if matches!(self.action, Action::Set(_)) {
            old
        } else {
            new
        });
        has_grown || old != new
    }
}

pub(super) fn bitfield(call: &mut Call) -> CommandResult {
    let steps = parse(call)?;
    let writes = steps.iter().filter(|step| step.action != Action::Get);
    match writes.map(Step::end).max() {
        Some(end) => change(call, &steps, end),
        None => read(call, &steps),
    }
}

pub(super) fn bitfield_ro(call: &mut Call) -> CommandResult {
    let steps = parse(call)?;
    if steps.iter().any(|step| step.action != Action::Get) {
        return Err(CommandError::text(
            "ERR BITFIELD_RO only supports the GET subcommand",
        ));
    }
    read(call, &steps)
}

fn read(call: &mut Call, steps: &[Step]) -> CommandResult {
    let key = call.key(0);
    call.note_miss(key);
    let mut buffer = itoa::Buffer::new();
    let text = match call.db.read(key) {
        Some(entry) => text_of(entry.value(), &mut buffer)?,
        None => b"",
    };
    call.reply.array(steps.len());
    for step in steps {
        call.reply.integer(step.form.read(text, step.offset));
    }
    Ok(())
}

fn change(call: &mut Call, steps: &[Step], end: u64) -> CommandResult {
    let key = call.key(0);
    let before = length_to_change(call, key)?;
    let len = end.div_ceil(8) as usize;
    let has_grown = before.is_none_or(|before| before < len);
    let (reply, mut changes) = (&mut *call.reply, 0);
    reply.array(steps.len());
    call.db.edit_string(key, len, |bytes| {
        for step in steps {
            changes += usize::from(step.run(bytes, has_grown, reply));
        }
    });
    if before.is_none() {
        call.created(key);
    }
    if changes > 0 {
        call.elements_changed(key, event::string("setbit"), changes);
    }
    Ok(())
}

fn parse(call: &Call) -> Result<Vec<Step>, CommandError> {
    let args = call.args;
    let (mut steps, mut overflow, mut at) = (Vec::new(), Overflow::Wrap, 2);
    while let Some(word) = word(args, at) {
        if word == Word::Overflow {
            overflow = parse_overflow(args, at + 1)?;
            at += 2;
            continue;
        }
        let form = parse_form(args.at(at + 1))?;
        let offset = offset(call, args.at(at + 2), Some(form.bits))?;
        let action = match word {
            Word::Set => Action::Set(call.integer(at + 3)?),
            Word::Add => Action::Add(call.integer(at + 3)?),
            Word::Get | Word::Overflow => Action::Get,
        };
        at += if action == Action::Get { 3 } else { 4 };
        steps.push(Step {
            action,
            form,
            offset,
            overflow,
        });
    }
    match at == args.len() {
        true => Ok(steps),
        false => Err(CommandError::Syntax),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Get,
    Set,
    Add,
    Overflow,
}

/// The subcommand at an argument, if as many arguments follow as it needs.
fn word(args: Args<'_>, at: usize) -> Option<Word> {
    const WORDS: &[(&str, Word, usize)] = &[
        ("GET", Word::Get, 2),
        ("SET", Word::Set, 3),
        ("INCRBY", Word::Add, 3),
        ("OVERFLOW", Word::Overflow, 1),
    ];
    let mut words = WORDS.iter();
    let found = words.find(|(name, _, following)| args.is(at, name) && at + following < args.len());
    found.map(|(_, word, _)| *word)
}

fn parse_overflow(args: Args<'_>, at: usize) -> Result<Overflow, CommandError> {
    const NAMES: &[(&str, Overflow)] = &[
        ("WRAP", Overflow::Wrap),
        ("SAT", Overflow::Saturate),
        ("FAIL", Overflow::Fail),
    ];
    let found = NAMES.iter().find(|(name, _)| args.is(at, name));
    let invalid = CommandError::text("ERR Invalid OVERFLOW type specified");
    found.map(|(_, overflow)| *overflow).ok_or(invalid)
}

fn parse_form(text: &[u8]) -> Result<Form, CommandError> {
    let (is_signed, bits) = match text {
        [b'i', bits @ ..] => (true, bits),
        [b'u', bits @ ..] => (false, bits),
        _ => (false, &b""[..]),
    };
    let most = if is_signed { 64 } else { 63 };
    match parse_i64(bits) {
        Some(bits) if (1..=most).contains(&bits) => Ok(Form {
            is_signed,
            bits: bits as u32,
        }),
        _ => Err(CommandError::text(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        )),
    }
}

/// What a BITFIELD does with its key.
pub(super) fn key_flags(args: Args<'_>) -> &'static [&'static str] {
    let mut at = 2;
    while at < args.len() {
        at += match word(args, at) {
            Some(Word::Get) => 3,
            Some(Word::Overflow) => 2,
            Some(Word::Set | Word::Add) | None => return &["RW", "access", "update"],
        };
    }
    &["RO", "access"]
}
