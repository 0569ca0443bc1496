//! The 80-bit extended floats of x86, in which INCRBYFLOAT and HINCRBYFLOAT calculate: read from decimal and hexadecimal
//! text, added and printed exactly as the processor and the C library do it, on any machine.
//!
//! Texts are read exactly, with integers as long as it takes, and rounded once, to nearest, ties to even.

use std::cmp::Ordering;

use super::big::Big;

/// The exponent below which nothing is finer: values under 2^-16382 lose digits (subnormal numbers).
const MIN_EXPONENT: i32 = -16_445;
/// The exponent of the greatest finite values, whose mantissa has all its 64 bits.
const MAX_EXPONENT: i32 = 16_320;
/// Longer texts are no numbers for Redis.
const MAX_TEXT: usize = 5 * 1024;
/// Decimal powers beyond these are infinite, or zero, whatever the digits are.
const MAX_POWER: i64 = 4_933;
const MIN_POWER: i64 = -4_951;
/// Digits behind the point that are printed at most.
const FRACTION_DIGITS: u32 = 17;
const FRACTION: u128 = 10u128.pow(FRACTION_DIGITS);

/// A finite number, `mantissa` times two to the power of `exponent`, or an infinity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extended {
    is_negative: bool,
    /// Its highest bit is set, except in zero and in numbers at the least exponent.
    mantissa: u64,
    /// [`INFINITE`] for infinities.
    exponent: i32,
}

const INFINITE: i32 = i32::MAX;

/// A number that waits to be rounded: `bits` times two to the power of `exponent`, and a little more if `has_rest`.
struct Unrounded {
    bits: u128,
    exponent: i32,
    has_rest: bool,
}

impl Extended {
    /// Zero.
    pub const ZERO: Self = Self {
        is_negative: false,
        mantissa: 0,
        exponent: MIN_EXPONENT,
    };

    const INFINITY: Self = Self {
        is_negative: false,
        mantissa: 0,
        exponent: INFINITE,
    };

    /// Reads a number as Redis does through `strtold`: decimal, hexadecimal or `inf`; no spaces, no NaN, neither so large
    /// that it becomes infinite nor so small that it becomes zero.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() >= MAX_TEXT {
            return None;
        }
        let (is_negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let value = match unsigned {
            [b'0', b'x' | b'X', digits @ ..] => parse_hexadecimal(digits)?,
            [b'i' | b'I', ..] if is_infinity(unsigned) => Self::INFINITY,
            _ => parse_decimal(unsigned)?,
        };
        Some(Self {
            is_negative,
            ..value
        })
    }

    /// An integer, exactly.
    pub fn from_integer(value: i64) -> Self {
        let magnitude = Unrounded {
            bits: u128::from(value.unsigned_abs()),
            exponent: 0,
            has_rest: false,
        };
        Self {
            is_negative: value < 0,
            ..magnitude.round()
        }
    }

    /// Whether the number is an infinity.
    pub fn is_infinite(self) -> bool {
        self.exponent == INFINITE
    }

    fn is_zero(self) -> bool {
        self.mantissa == 0 && !self.is_infinite()
    }

    /// The number with the other sign.
    pub fn negated(self) -> Self {
        Self {
            is_negative: !self.is_negative,
            ..self
        }
    }

    /// Which of two is greater. Both zeros are the same.
    pub fn compare(self, other: Self) -> Ordering {
        let magnitude = |number: Self| (number.exponent, number.mantissa);
        let is_below = |number: Self| number.is_negative && !number.is_zero();
        match (is_below(self), is_below(other)) {
            (false, false) => magnitude(self).cmp(&magnitude(other)),
            (true, true) => magnitude(other).cmp(&magnitude(self)),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }

    /// The sum; `None` when it is infinite or no number.
    pub fn plus(self, other: Self) -> Option<Self> {
        if self.is_infinite() || other.is_infinite() {
            return None;
        }
        // A zero has the least exponent, so it is never the greater one of two.
        let (great, small) = if self.exponent >= other.exponent {
            (self, other)
        } else {
            (other, self)
        };
        // 62 bits below the greater mantissa are exact; what is beyond only matters as being there. Where that happens
        // the greater one has its highest bit set and keeps it, so the bit that stands for the rest is never rounded to.
        let distance = (great.exponent - small.exponent) as u32;
        let great_bits = u128::from(great.mantissa) << 62;
        let shifted = u128::from(small.mantissa) << 62;
        let small_bits = shifted.checked_shr(distance).unwrap_or(0);
        let is_exact = small_bits.checked_shl(distance).unwrap_or(0) == shifted;
        let small_bits = small_bits | u128::from(!is_exact);
        let (is_negative, bits) = if great.is_negative == small.is_negative {
            (great.is_negative, great_bits + small_bits)
        } else if great_bits >= small_bits {
            (great.is_negative, great_bits - small_bits)
        } else {
            (small.is_negative, small_bits - great_bits)
        };
        let sum = Unrounded {
            bits,
            exponent: great.exponent - 62,
            has_rest: false,
        };
        let sum = sum.round();
        (!sum.is_infinite()).then_some(Self { is_negative, ..sum })
    }

    /// Prints the number as Redis prints results for people: plain, with 17 digits behind the point but without the zeros
    /// at their end.
    pub fn print(self, out: &mut Vec<u8>) {
        let start = out.len();
        if self.is_negative {
            out.push(b'-');
        }
        if self.is_infinite() {
            return out.extend_from_slice(b"inf");
        }
        if self.exponent >= 0 {
            let whole = Big::from(self.mantissa).shifted_left(self.exponent as u32);
            return out.extend_from_slice(whole.to_decimal().as_bytes());
        }
        let parts = self.scaled_fraction();
        let (whole, fraction) = (parts / FRACTION, parts % FRACTION);
        if parts == 0 {
            // Redis has no negative zero here.
            out.truncate(start);
        }
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
        if fraction != 0 {
            let digits = format!("{fraction:017}");
            out.push(b'.');
            out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
        }
    }

    /// The magnitude of a number with a negative exponent in units of the last digit that is printed, rounded.
    fn scaled_fraction(self) -> u128 {
        let drop = self.exponent.unsigned_abs();
        let scaled = u128::from(self.mantissa) * FRACTION;
        if drop > 127 {
            return 0;
        }
        let (kept, rest, half) = (scaled >> drop, scaled & ((1 << drop) - 1), 1 << (drop - 1));
        kept + u128::from(rest > half || (rest == half && kept & 1 == 1))
    }
}

impl Unrounded {
    /// From a long integer: its highest 128 bits, and whether there is more.
    fn of(big: &Big, exponent: i32) -> Self {
        let (bits, dropped, has_rest) = big.high_bits();
        Self {
            bits,
            exponent: exponent + dropped as i32,
            has_rest,
        }
    }

    /// Rounds to 64 bits, to nearest, ties to even; fewer bits near zero.
    fn round(self) -> Extended {
        if self.bits == 0 {
            return Extended::ZERO;
        }
        let length = (128 - self.bits.leading_zeros()) as i32;
        let drop = (length - 64).max(MIN_EXPONENT - self.exponent);
        let exponent = self.exponent + drop;
        let (kept, rest, half) = match drop {
            ..=0 => (self.bits << -drop, 0, 1),
            1..=127 => (
                self.bits >> drop,
                self.bits & ((1 << drop) - 1),
                1 << (drop - 1),
            ),
            128 => (0, self.bits, 1 << 127),
            _ => (0, 0, 1),
        };
        let is_up = rest > half || (rest == half && (self.has_rest || kept & 1 == 1));
        let kept = kept + u128::from(is_up);
        let (mantissa, exponent) = match u64::try_from(kept) {
            Ok(mantissa) => (mantissa, exponent),
            Err(_) => (1 << 63, exponent + 1),
        };
        if exponent > MAX_EXPONENT {
            return Extended::INFINITY;
        }
        Extended {
            is_negative: false,
            mantissa,
            exponent,
        }
    }

    /// Rounds what was read; `None` for what is out of range.
    fn read(self) -> Option<Extended> {
        let value = self.round();
        (!value.is_infinite() && !value.is_zero()).then_some(value)
    }
}

fn is_infinity(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity")
}

/// The digits of a number around its point.
struct Digits<'a> {
    whole: &'a [u8],
    fraction: &'a [u8],
    /// What the exponent says.
    power: i64,
}

/// Splits a number into digits and exponent; `mark` is the letter before the exponent.
fn split(text: &[u8], mark: u8, is_digit: fn(&u8) -> bool) -> Option<Digits<'_>> {
    let (digits, power) = match text
        .iter()
        .position(|byte| byte.to_ascii_lowercase() == mark)
    {
        Some(at) => (&text[..at], parse_power(&text[at + 1..])?),
        None => (text, 0),
    };
    let (whole, fraction) = match digits.iter().position(|&byte| byte == b'.') {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, &[][..]),
    };
    let is_number = whole.len() + fraction.len() > 0 && whole.iter().chain(fraction).all(is_digit);
    is_number.then_some(Digits {
        whole,
        fraction,
        power,
    })
}

/// An exponent; far beyond what any number has it does not matter how great it is.
fn parse_power(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let power = digits.iter().fold(0i64, |power, digit| {
        (power * 10 + i64::from(digit - b'0')).min(1_000_000_000)
    });
    Some(if is_negative { -power } else { power })
}

fn parse_decimal(text: &[u8]) -> Option<Extended> {
    let Digits {
        whole,
        fraction,
        power,
    } = split(text, b'e', u8::is_ascii_digit)?;
    let digits: Vec<u8> = (whole.iter().chain(fraction).copied())
        .skip_while(|&digit| digit == b'0')
        .collect();
    if digits.is_empty() {
        return Some(Extended::ZERO);
    }
    // The number is at least ten to the power of `highest`, and less than ten times that.
    let power = power - fraction.len() as i64;
    let highest = power + digits.len() as i64 - 1;
    if !(MIN_POWER - 1..=MAX_POWER).contains(&highest) {
        return None;
    }
    let digits = Big::from_decimal(&digits);
    let Ok(scale) = u32::try_from(power) else {
        return quotient(&digits, &Big::power_of_ten(power.unsigned_abs() as u32)).read();
    };
    Unrounded::of(&digits.times(&Big::power_of_ten(scale)), 0).read()
}

/// Divides two long integers: 66 bits, and whether more would follow.
fn quotient(dividend: &Big, divisor: &Big) -> Unrounded {
    // Shifted so that the first bit may be zero, the second is one.
    let shift = divisor.length() as i32 - dividend.length() as i32;
    let (mut rest, divisor) = if shift >= 0 {
        (dividend.shifted_left(shift as u32), divisor.clone())
    } else {
        (dividend.clone(), divisor.shifted_left(shift.unsigned_abs()))
    };
    let mut bits = 0u128;
    for _ in 0..67 {
        bits <<= 1;
        if rest.subtract(&divisor) {
            bits |= 1;
        }
        rest.double();
    }
    Unrounded {
        bits,
        exponent: -shift - 66,
        has_rest: !rest.is_zero(),
    }
}

fn parse_hexadecimal(text: &[u8]) -> Option<Extended> {
    let Digits {
        whole,
        fraction,
        power,
    } = split(text, b'p', u8::is_ascii_hexdigit)?;
    let (mut bits, mut dropped, mut has_rest) = (0u128, 0i64, false);
    for &byte in whole.iter().chain(fraction) {
        let digit = char::from(byte).to_digit(16)?;
        if bits >> 124 == 0 {
            bits = bits << 4 | u128::from(digit);
        } else {
            has_rest |= digit != 0;
            dropped += 4;
        }
    }
    if bits == 0 {
        return Some(Extended::ZERO);
    }
    let exponent = power + dropped - 4 * fraction.len() as i64;
    let unrounded = Unrounded {
        bits,
        exponent: exponent.clamp(-100_000, 100_000) as i32,
        has_rest,
    };
    unrounded.read()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Extended {
        Extended::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text} is no number"))
    }

    fn printed(value: Extended) -> String {
        let mut out = Vec::new();
        value.print(&mut out);
        String::from_utf8(out).expect("digits are text")
    }

    fn sum(one: &str, other: &str) -> String {
        printed(read(one).plus(read(other)).expect("a finite sum"))
    }

    #[test]
    fn numbers_are_in_order() {
        let ascending = [
            "-inf", "-1e4000", "-2.5", "-2", "-1e-4940", "0", "1e-4940", "0.1", "2", "3", "1e4000",
            "inf",
        ];
        for (at, one) in ascending.iter().enumerate() {
            for (other_at, other) in ascending.iter().enumerate() {
                assert_eq!(
                    read(one).compare(read(other)),
                    at.cmp(&other_at),
                    "{one} and {other}"
                );
                assert_eq!(
                    read(one).negated().compare(read(other).negated()),
                    other_at.cmp(&at)
                );
            }
        }
        assert_eq!(read("-0").compare(read("0")), Ordering::Equal);
    }

    #[test]
    fn sums_are_those_of_the_processor() {
        // Taken from Redis 7.0 on x86-64.
        for (one, other, expected) in [
            ("10.5", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("3.0e3", "1.5", "3001.5"),
            ("0.1", "0.2", "0.3"),
            ("1", "-1.1", "-0.1"),
            ("17179869184", "1.5", "17179869185.5"),
            ("-0", "0", "0"),
            ("0x10", "0x1p3", "24"),
            ("1e-20", "0", "0"),
            ("-1e-20", "0", "0"),
            ("3.14159265358979323846", "0", "3.14159265358979324"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("18446744073709551616", "1", "18446744073709551616"),
            ("18446744073709551616", "3", "18446744073709551620"),
        ] {
            assert_eq!(sum(one, other), expected, "{one} + {other}");
        }
    }

    #[test]
    fn texts_are_numbers_as_far_as_the_library_says_so() {
        for good in [
            "0",
            "-0",
            "+1",
            "1.",
            ".5",
            "-.5e-3",
            "1e4932",
            "1e-4950",
            "0x.8",
            "0X1P-3",
            "0e99999999999",
            "INF",
            "-infinity",
            "000001.50",
        ] {
            assert!(Extended::parse(good.as_bytes()).is_some(), "{good}");
        }
        let long = "1".repeat(MAX_TEXT);
        for bad in [
            "",
            " 1",
            "1 ",
            "1e",
            "e1",
            ".",
            "-",
            "--1",
            "nan",
            "0x",
            "0xp1",
            "1_0",
            "1,5",
            "1e5000",
            "1e-5000",
            "1\0",
            "0x1p20000",
            "0x1p-20000",
            "infinit",
            &long,
        ] {
            assert_eq!(Extended::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn the_borders_of_the_range_are_kept() {
        let greatest = read("1.189731495357231765021263853e4932");
        assert_eq!(
            (greatest.mantissa, greatest.exponent),
            (u64::MAX, MAX_EXPONENT)
        );
        assert_eq!(greatest.plus(greatest), None);
        assert_eq!(greatest.plus(read("inf")), None);
        let least = read("3.6451995318824746025e-4951");
        assert_eq!((least.mantissa, least.exponent), (1, MIN_EXPONENT));
        assert_eq!(Extended::parse(b"1.8e-4951"), None);
        assert_eq!(read("1.9e-4951"), least);
        assert_eq!(least.plus(least).map(|sum| sum.mantissa), Some(2));
        assert_eq!(printed(read("1e4932")).len(), 4933);
    }

    #[test]
    fn ties_go_to_the_even_neighbour() {
        assert_eq!(read("18446744073709551617"), read("18446744073709551616"));
        assert_eq!(read("18446744073709551619"), read("18446744073709551620"));
        assert_eq!(
            read("0x1.00000000000000010p64"),
            read("0x1.0000000000000000p64")
        );
        assert_eq!(
            read("0x1.00000000000000010000000000000000000001p64"),
            read("0x1.0000000000000002p64")
        );
        assert_eq!(sum("0x1p-18", "0"), "0.00000381469726562");
    }

    proptest! {
        #[test]
        fn integers_are_exact(value: i64) {
            prop_assert_eq!(printed(Extended::from_integer(value)), value.to_string());
            prop_assert_eq!(read(&value.to_string()), Extended::from_integer(value));
        }

        #[test]
        fn doubles_are_read_exactly_and_their_sums_are_too_where_they_fit(one in -1i64 << 53..1 << 53, other in -1i64 << 53..1 << 53, power in 0u32..9) {
            let scale = f64::from(1 << power);
            let (one, other) = (one as f64 / scale, other as f64 / scale);
            let expected = format!("{:.17}", one + other);
            prop_assume!((one + other).abs() < 9e15 / scale);
            let expected = expected.trim_end_matches('0').trim_end_matches('.');
            let expected = if expected == "-0" { "0" } else { expected };
            prop_assert_eq!(sum(&format!("{one:.9}"), &format!("{other:.9}")), expected);
        }

        #[test]
        fn any_text_is_survived(text in "[-+0-9a-fA-FxXpPeE.]{0,12}") {
            if let Some(value) = Extended::parse(text.as_bytes()) {
                prop_assert!(value.is_infinite() || value.plus(Extended::ZERO).is_some());
            }
        }
    }
}
