//! The library `bit`: bitwise operations on 32-bit integers, with the results of the library that Redis carries.

use std::cell::Cell;

use super::failure::Failure;
use super::stack::{self, Body, Kind, Scratch, Stack};

/// Adding it moves a double's integer part, modulo 2^32, into the low bits of its representation.
const SHIFT_TO_LOW_BITS: f64 = 6_755_399_441_055_744.0;
/// Digits of a 32-bit number.
const MOST_HEX_DIGITS: u32 = 8;

const FUNCTIONS: &[(&str, Body<()>)] = &[
    ("tobit", |stack, _, _| unary(stack, |bits| bits)),
    ("bnot", |stack, _, _| unary(stack, |bits| !bits)),
    ("bswap", |stack, _, _| unary(stack, u32::swap_bytes)),
    ("band", |stack, _, _| fold(stack, |a, b| a & b)),
    ("bor", |stack, _, _| fold(stack, |a, b| a | b)),
    ("bxor", |stack, _, _| fold(stack, |a, b| a ^ b)),
    ("lshift", |stack, _, _| shift(stack, |bits, n| bits << n)),
    ("rshift", |stack, _, _| shift(stack, |bits, n| bits >> n)),
    ("arshift", |stack, _, _| {
        shift(stack, |bits, n| (bits.cast_signed() >> n).cast_unsigned())
    }),
    ("rol", |stack, _, _| shift(stack, u32::rotate_left)),
    ("ror", |stack, _, _| shift(stack, u32::rotate_right)),
    ("tohex", to_hex),
];

/// The library's table.
pub fn open(lua: &mlua::Lua) -> mlua::Result<mlua::Table> {
    stack::library(lua, |stack| stack.push_library((), FUNCTIONS))
}

fn bits(stack: &Stack<'_>, number: i32) -> Result<u32, Failure> {
    stack.number_argument(number).map(low_bits)
}

fn low_bits(number: f64) -> u32 {
    (number + SHIFT_TO_LOW_BITS).to_bits() as u32
}

fn give(stack: &mut Stack<'_>, bits: u32) -> Result<i32, Failure> {
    stack.push_number(f64::from(bits.cast_signed()))?;
    Ok(1)
}

fn unary(stack: &mut Stack<'_>, operation: fn(u32) -> u32) -> Result<i32, Failure> {
    let operand = bits(stack, 1)?;
    give(stack, operation(operand))
}

fn fold(stack: &mut Stack<'_>, operation: fn(u32, u32) -> u32) -> Result<i32, Failure> {
    let mut result = bits(stack, 1)?;
    // Of several arguments that are no numbers the last is the one complained of.
    for number in (2..=stack.arguments()).rev() {
        result = operation(result, bits(stack, number)?);
    }
    give(stack, result)
}

fn shift(stack: &mut Stack<'_>, operation: fn(u32, u32) -> u32) -> Result<i32, Failure> {
    let (operand, distance) = (bits(stack, 1)?, bits(stack, 2)?);
    give(stack, operation(operand, distance & 31))
}

/// A negative count of digits means capital letters; the smallest integer, whose negative is no integer, is one too.
fn to_hex(stack: &mut Stack<'_>, _: &mut Scratch, _: &Cell<()>) -> Result<i32, Failure> {
    let value = bits(stack, 1)?;
    let digits = match stack.argument_kind(2) {
        Kind::None => 8,
        _ => bits(stack, 2)?.cast_signed(),
    };
    let alphabet = if digits < 0 {
        b"0123456789ABCDEF"
    } else {
        b"0123456789abcdef"
    };
    let count = digits.unsigned_abs().min(MOST_HEX_DIGITS) as usize;
    let mut text = [0; MOST_HEX_DIGITS as usize];
    for (place, digit) in text[..count].iter_mut().rev().enumerate() {
        *digit = alphabet[(value >> (4 * place)) as usize & 15];
    }
    stack.push_bytes(&text[..count])?;
    Ok(1)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{error_of, lua_with, text_of};

    #[test]
    fn operations_wrap_at_32_bits() {
        let lua = lua_with("bit", super::open);
        for (call, expected) in [
            ("bit.tobit(0xffffffff)", "-1"),
            ("bit.tobit(0xffffffff + 1)", "0"),
            ("bit.tobit(2^40 + 1234)", "1234"),
            ("bit.tobit('12')", "12"),
            ("bit.bnot(0)", "-1"),
            ("bit.band(0x12345678, 0xff, 0xf8)", "120"),
            ("bit.bor(1, 2, 4, 8)", "15"),
            ("bit.bxor(0xa5a5f0f0, 0xaa55ff00)", "267390960"),
            ("bit.lshift(1, 0)", "1"),
            ("bit.lshift(1, 40)", "256"),
            ("bit.rshift(-256, 8)", "16777215"),
            ("bit.arshift(-256, 8)", "-1"),
            ("bit.rol(0x12345678, 12)", "1164411171"),
            ("bit.ror(0x12345678, 12)", "1736516421"),
            ("bit.bswap(0x12345678)", "2018915346"),
            ("bit.tobit(0/0)", "0"),
        ] {
            assert_eq!(text_of(&lua, call), expected, "{call}");
        }
    }

    #[test]
    fn to_hex_takes_any_count_of_digits() {
        let lua = lua_with("bit", super::open);
        for (call, expected) in [
            ("bit.tohex(1)", "00000001"),
            ("bit.tohex(-1, 4)", "ffff"),
            ("bit.tohex(0xABC, -4)", "0ABC"),
            ("bit.tohex(1, 0)", ""),
            ("bit.tohex(1, 1000)", "00000001"),
            ("bit.tohex(-1, -2147483648)", "FFFFFFFF"),
        ] {
            assert_eq!(text_of(&lua, call), expected, "{call}");
        }
    }

    #[test]
    fn arguments_must_be_numbers() {
        let lua = lua_with("bit", super::open);
        assert_eq!(
            error_of(&lua, "bit.band()"),
            "script:1: bad argument #1 to 'band' (number expected, got no value)"
        );
        assert_eq!(
            error_of(&lua, "bit.band(1, {}, 'x')"),
            "script:1: bad argument #3 to 'band' (number expected, got string)"
        );
        assert_eq!(
            error_of(&lua, "bit.tohex(1, nil)"),
            "script:1: bad argument #2 to 'tohex' (number expected, got nil)"
        );
    }
}
