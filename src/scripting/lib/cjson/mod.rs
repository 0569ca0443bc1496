//! The library `cjson`: JSON to Lua values and back, with the results, the limits and the error texts of the library that
//! Redis carries. Start with `decode`; `number` has the two conversions of numbers that C's library defines.

use std::cell::Cell;

use super::failure::Failure;
use super::stack::{self, Body, Kind, Scratch, Stack};

mod decode;
mod encode;
mod number;

#[cfg(test)]
mod tests;

/// What a script may set; each table made by `new` has its own.
#[derive(Clone, Copy)]
struct Settings {
    sparse_as_object: bool,
    /// Arrays with more than this many places for each element are sparse; 0: none is.
    sparse_ratio: i32,
    /// Arrays up to this length are never sparse.
    sparse_safe: i32,
    encode_depth: i32,
    decode_depth: i32,
    encode_invalid_numbers: InvalidNumbers,
    decode_invalid_numbers: bool,
    precision: i32,
    /// Kept for scripts that set it; working memory is reused whatever it says.
    keep_buffer: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum InvalidNumbers {
    Refused,
    AsTheyAre,
    AsNull,
}

const DEFAULTS: Settings = Settings {
    sparse_as_object: false,
    sparse_ratio: 2,
    sparse_safe: 10,
    encode_depth: 1000,
    decode_depth: 1000,
    encode_invalid_numbers: InvalidNumbers::Refused,
    decode_invalid_numbers: true,
    precision: 14,
    keep_buffer: true,
};

const FUNCTIONS: &[(&str, Body<Settings>)] = &[
    ("encode", encode::encode),
    ("decode", decode::decode),
    ("encode_sparse_array", encode_sparse_array),
    ("encode_max_depth", encode_max_depth),
    ("decode_max_depth", decode_max_depth),
    ("encode_number_precision", encode_number_precision),
    ("encode_keep_buffer", encode_keep_buffer),
    ("encode_invalid_numbers", encode_invalid_numbers),
    ("decode_invalid_numbers", decode_invalid_numbers),
    ("new", new),
];

/// The library's table.
pub fn open(lua: &mlua::Lua) -> mlua::Result<mlua::Table> {
    stack::library(lua, push)
}

fn push(stack: &mut Stack<'_>) -> Result<(), Failure> {
    stack.push_library(DEFAULTS, FUNCTIONS)?;
    stack.push_bytes(b"null")?;
    stack.push_null()?;
    stack.set(3)?;
    stack.set_text("_NAME", "cjson")?;
    stack.set_text("_VERSION", "2.1.0")
}

fn new(stack: &mut Stack<'_>, _: &mut Scratch, _: &Cell<Settings>) -> Result<i32, Failure> {
    push(stack)?;
    Ok(1)
}

// ---- Settings

type Outcome = Result<i32, Failure>;

fn encode_sparse_array(
    stack: &mut Stack<'_>,
    _: &mut Scratch,
    settings: &Cell<Settings>,
) -> Outcome {
    expect_at_most(stack, 3)?;
    change(settings, |to| {
        switch(stack, 1, &mut to.sparse_as_object)?;
        integer(stack, 2, &mut to.sparse_ratio, 0, i32::MAX)?;
        integer(stack, 3, &mut to.sparse_safe, 0, i32::MAX)
    })?;
    Ok(3)
}

fn encode_max_depth(stack: &mut Stack<'_>, _: &mut Scratch, settings: &Cell<Settings>) -> Outcome {
    expect_at_most(stack, 1)?;
    change(settings, |to| {
        integer(stack, 1, &mut to.encode_depth, 1, i32::MAX)
    })
}

fn decode_max_depth(stack: &mut Stack<'_>, _: &mut Scratch, settings: &Cell<Settings>) -> Outcome {
    expect_at_most(stack, 1)?;
    change(settings, |to| {
        integer(stack, 1, &mut to.decode_depth, 1, i32::MAX)
    })
}

fn encode_number_precision(
    stack: &mut Stack<'_>,
    _: &mut Scratch,
    settings: &Cell<Settings>,
) -> Outcome {
    expect_at_most(stack, 1)?;
    change(settings, |to| {
        integer(stack, 1, &mut to.precision, 1, number::MOST_DIGITS)
    })
}

fn encode_keep_buffer(
    stack: &mut Stack<'_>,
    _: &mut Scratch,
    settings: &Cell<Settings>,
) -> Outcome {
    expect_at_most(stack, 1)?;
    change(settings, |to| switch(stack, 1, &mut to.keep_buffer))
}

fn decode_invalid_numbers(
    stack: &mut Stack<'_>,
    _: &mut Scratch,
    settings: &Cell<Settings>,
) -> Outcome {
    expect_at_most(stack, 1)?;
    change(settings, |to| {
        switch(stack, 1, &mut to.decode_invalid_numbers)
    })
}

fn encode_invalid_numbers(
    stack: &mut Stack<'_>,
    _: &mut Scratch,
    settings: &Cell<Settings>,
) -> Outcome {
    const CHOICES: [InvalidNumbers; 3] = [
        InvalidNumbers::Refused,
        InvalidNumbers::AsTheyAre,
        InvalidNumbers::AsNull,
    ];
    expect_at_most(stack, 1)?;
    if let Some(choice) = choice(stack, 1, &["off", "on", "null"])? {
        change(settings, |to| {
            to.encode_invalid_numbers = CHOICES[choice];
            Ok(())
        })?;
    }
    match settings.get().encode_invalid_numbers {
        InvalidNumbers::Refused => stack.push_boolean(false)?,
        InvalidNumbers::AsTheyAre => stack.push_boolean(true)?,
        InvalidNumbers::AsNull => stack.push_bytes(b"null")?,
    }
    Ok(1)
}

/// Settings read before an argument that is refused stay changed, as in the original.
fn change(
    settings: &Cell<Settings>,
    edit: impl FnOnce(&mut Settings) -> Result<(), Failure>,
) -> Outcome {
    let mut changed = settings.get();
    let outcome = edit(&mut changed);
    settings.set(changed);
    outcome.map(|()| 1)
}

fn expect_at_most(stack: &Stack<'_>, most: i32) -> Result<(), Failure> {
    if stack.arguments() > most {
        return Err(Failure::argument(most + 1, "found too many arguments"));
    }
    Ok(())
}

fn expect_one(stack: &Stack<'_>) -> Result<(), Failure> {
    if stack.arguments() != 1 {
        return Err(Failure::argument(1, "expected 1 argument"));
    }
    Ok(())
}

/// Changes an integer if the argument is there, and pushes what it is now.
fn integer(
    stack: &mut Stack<'_>,
    argument: i32,
    setting: &mut i32,
    least: i32,
    most: i32,
) -> Result<(), Failure> {
    if is_given(stack, argument) {
        let value = stack.integer_argument(argument)? as i32;
        if value < least || value > most {
            // Whichever argument it is, the first one is named.
            let text = format!("expected integer between {least} and {most}");
            return Err(Failure::argument(1, text));
        }
        *setting = value;
    }
    stack.push_number(f64::from(*setting))
}

/// Changes a switch if the argument is there, and pushes what it is now.
fn switch(stack: &mut Stack<'_>, argument: i32, setting: &mut bool) -> Result<(), Failure> {
    if let Some(choice) = choice(stack, argument, &["off", "on"])? {
        *setting = choice == 1;
    }
    stack.push_boolean(*setting)
}

/// Which of the names an argument is; false and true stand for the first two.
fn choice(stack: &mut Stack<'_>, argument: i32, names: &[&str]) -> Result<Option<usize>, Failure> {
    if !is_given(stack, argument) {
        return Ok(None);
    }
    if let Some(value) = stack.boolean_argument(argument) {
        return Ok(Some(usize::from(value)));
    }
    let text = stack.text_argument(argument)?;
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    match names.iter().position(|name| name.as_bytes() == text) {
        Some(choice) => Ok(Some(choice)),
        None => {
            let text = [b"invalid option '", text, b"'"].concat();
            Err(Failure::argument(argument, text))
        }
    }
}

fn is_given(stack: &Stack<'_>, argument: i32) -> bool {
    !matches!(stack.argument_kind(argument), Kind::None | Kind::Nil)
}
