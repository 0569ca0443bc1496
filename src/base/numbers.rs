//! Numbers as the protocol writes them: strict integer parsing, Redis's float parsing and printing.

use smallvec::SmallVec;

/// Parses a signed 64-bit integer exactly as Redis does: no spaces, no `+`, no leading zeros, no `-0`.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let magnitude = match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {
            let mut value = 0u64;
            for &digit in digits {
                let digit = digit.wrapping_sub(b'0');
                if digit > 9 {
                    return None;
                }
                // 19 digits stay below 10^19, which fits a u64.
                value = value * 10 + u64::from(digit);
            }
            value
        }
        _ => return None,
    };
    if negative {
        (magnitude <= i64::MIN.unsigned_abs()).then(|| (magnitude as i64).wrapping_neg())
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// Parses an unsigned 64-bit integer with the same strictness as [`parse_i64`].
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    match text {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] => {
            let mut value = 0u64;
            for &digit in text {
                let digit = digit.wrapping_sub(b'0');
                if digit > 9 {
                    return None;
                }
                value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
            }
            Some(value)
        }
        _ => None,
    }
}

/// Parses a double as Redis's `string2d` does: decimal, exponent, hexadecimal, `inf`; no spaces, no NaN, no overflow.
#[inline]
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    parse_short_f64(text).or_else(|| parse_any_f64(text))
}

/// Parses a double of at most 15 digits, with or without a point, as most are.
fn parse_short_f64(text: &[u8]) -> Option<f64> {
    /// Any number of so many digits is a double.
    const MOST_DIGITS: usize = 15;
    let (is_negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (mut digits, mut point) = (0u64, None);
    for (at, &byte) in unsigned.iter().enumerate() {
        match byte {
            b'0'..=b'9' if at <= MOST_DIGITS => digits = digits * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let decimals = match point {
        Some(0) => return None,
        Some(at) => unsigned.len() - at - 1,
        None => 0,
    };
    let count = unsigned.len() - usize::from(point.is_some());
    if count == 0 || count > MOST_DIGITS {
        return None;
    }
    // A quotient of two doubles is rounded once, as the number that is meant would be.
    let magnitude = match decimals {
        0 => digits as f64,
        _ => digits as f64 / POWERS_OF_TEN[decimals],
    };
    Some(if is_negative { -magnitude } else { magnitude })
}

/// Powers of ten up to 10^15, all of which are doubles.
static POWERS_OF_TEN: [f64; 16] = {
    let (mut powers, mut at) = ([1.0; 16], 1);
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10.0;
        at += 1;
    }
    powers
};

#[inline(never)]
fn parse_any_f64(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.len() > 2 && unsigned.as_bytes()[..2].eq_ignore_ascii_case(b"0x") {
        let magnitude = parse_hex_float(&unsigned.as_bytes()[2..])?;
        return Some(if text.starts_with('-') {
            -magnitude
        } else {
            magnitude
        });
    }
    let value: f64 = text.parse().ok()?;
    let named_infinity =
        unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity");
    if value.is_nan() || (value.is_infinite() && !named_infinity) {
        return None;
    }
    Some(value)
}

/// The digits of a C hexadecimal float after `0x`: `1.8p3`.
fn parse_hex_float(text: &[u8]) -> Option<f64> {
    let (mantissa, exponent) = match text
        .iter()
        .position(|byte| byte.eq_ignore_ascii_case(&b'p'))
    {
        Some(at) => {
            let exponent = std::str::from_utf8(&text[at + 1..]).ok()?;
            (&text[..at], exponent.parse::<i32>().ok()?)
        }
        None => (text, 0),
    };
    let (mut value, mut scale, mut fraction, mut digits) = (0f64, 0i32, false, 0);
    for &byte in mantissa {
        if byte == b'.' && !fraction {
            fraction = true;
            continue;
        }
        let digit = char::from(byte).to_digit(16)?;
        value = value * 16.0 + f64::from(digit);
        scale -= if fraction { 4 } else { 0 };
        digits += 1;
    }
    let value = value * 2f64.powi(scale.saturating_add(exponent));
    (digits > 0 && value.is_finite()).then_some(value)
}

/// A double as text.
pub type FloatText = SmallVec<[u8; 32]>;

/// Prints a double in the shortest form that reads back as the same value, laid out as Redis lays out RESP3 doubles and
/// scores.
pub fn format_f64(value: f64) -> FloatText {
    // Half of what an i64 holds: up to here Redis prints whole numbers as integers.
    const MOST_WHOLE: f64 = 4_611_686_018_427_387_904.0;
    let mut out = FloatText::new();
    if value == value.trunc() && value.abs() <= MOST_WHOLE {
        if value == 0.0 && value.is_sign_negative() {
            out.extend_from_slice(b"-0");
        } else {
            out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
        }
    } else {
        return format_shortest(value);
    }
    out
}

/// [`format_f64`], but whole numbers get no treatment of their own: 1e15 stays short.
pub fn format_shortest(value: f64) -> FloatText {
    let mut out = FloatText::new();
    if value == 0.0 {
        out.extend_from_slice(if value.is_sign_negative() {
            b"-0"
        } else {
            b"0"
        });
    } else if value.is_finite() {
        let mut buffer = ryu::Buffer::new();
        lay_out(buffer.format_finite(value).as_bytes(), &mut out);
    } else {
        let text: &[u8] = match value {
            f64::INFINITY => b"inf",
            f64::NEG_INFINITY => b"-inf",
            _ => b"nan",
        };
        out.extend_from_slice(text);
    }
    out
}

/// Shortest digits, as they are printed with or without a point and an exponent, in Redis's layout.
fn lay_out(text: &[u8], out: &mut FloatText) {
    let text = match text {
        [b'-', rest @ ..] => {
            out.push(b'-');
            rest
        }
        _ => text,
    };
    match is_laid_out(text) {
        true => out.extend_from_slice(text),
        false => lay_out_anew(text, out),
    }
}

fn lay_out_anew(text: &[u8], out: &mut FloatText) {
    let (mantissa, exponent) = match text.iter().position(|&byte| byte == b'e') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &b"0"[..]),
    };
    let mut power = parse_i64(exponent).unwrap_or_default() as i32;
    let (mut digits, mut behind_point) = (SmallVec::<[u8; 32]>::new(), false);
    for &byte in mantissa {
        match byte {
            b'.' => behind_point = true,
            b'0' if digits.is_empty() => power -= i32::from(behind_point),
            digit => {
                digits.push(digit);
                power -= i32::from(behind_point);
            }
        }
    }
    while digits.last() == Some(&b'0') {
        digits.pop();
        power += 1;
    }
    print_digits(&digits, power, out);
}

/// Whether shortest digits are in Redis's layout as they are: up to four of them before the point, and a few behind it. Most
/// numbers that are not whole are.
fn is_laid_out(text: &[u8]) -> bool {
    let whole = text.iter().take(5).position(|&byte| byte == b'.');
    whole.is_some()
        && !matches!(text, [b'0', _, b'0', ..])
        && !text.ends_with(b".0")
        && !text.contains(&b'e')
}

/// Prints `digits` times ten to the `power`.
fn print_digits(digits: &[u8], power: i32, out: &mut FloatText) {
    let count = digits.len() as i32;
    // The power of ten of the first digit.
    let first = power + count - 1;
    if power >= 0 && first < count + 7 {
        out.extend_from_slice(digits);
        out.extend((0..power).map(|_| b'0'));
    } else if power < 0 && (power > -7 || first.abs() < 4) {
        let whole = usize::try_from(count + power).unwrap_or(0);
        if whole == 0 {
            out.extend_from_slice(b"0.");
            out.extend((0..-(count + power)).map(|_| b'0'));
            return out.extend_from_slice(digits);
        }
        out.extend_from_slice(&digits[..whole]);
        out.push(b'.');
        out.extend_from_slice(&digits[whole..]);
    } else {
        out.extend_from_slice(&digits[..1]);
        if count > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.extend_from_slice(if first < 0 { b"e-" } else { b"e+" });
        let exponent = first.unsigned_abs();
        out.extend_from_slice(itoa::Buffer::new().format(exponent).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn printed(value: f64) -> String {
        String::from_utf8(format_f64(value).to_vec()).unwrap()
    }

    #[test]
    fn integers_are_strict() {
        for good in [
            "0",
            "1",
            "-1",
            "9223372036854775807",
            "-9223372036854775808",
            "10",
        ] {
            assert_eq!(parse_i64(good.as_bytes()), good.parse().ok(), "{good}");
        }
        for bad in [
            "",
            "-",
            "+1",
            "01",
            "-0",
            " 1",
            "1 ",
            "9223372036854775808",
            "-9223372036854775809",
            "1a",
            "0x1",
            "10000000000000000000",
        ] {
            assert_eq!(parse_i64(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn short_floats_are_rounded_as_others(text in "-?0{0,3}[0-9]{0,16}(\\.[0-9]{0,16})?") {
            let expected = text.parse::<f64>().ok();
            let parsed = parse_f64(text.as_bytes());
            prop_assert_eq!(parsed.map(f64::to_bits), expected.map(f64::to_bits), "{}", text);
        }
    }

    #[test]
    fn floats_follow_redis() {
        assert_eq!(parse_f64(b"0x1.8p1"), Some(3.0));
        assert_eq!(parse_f64(b"-inf"), Some(f64::NEG_INFINITY));
        assert_eq!(parse_f64(b"1e5"), Some(1e5));
        for bad in ["nan", "", " 1", "1 ", "1e400", "0x", "abc", "1_0"] {
            assert_eq!(parse_f64(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(printed(3.0), "3");
        assert_eq!(printed(1.5), "1.5");
        assert_eq!(printed(1e-7), "1e-7");
        assert_eq!(printed(1e20), "1e+20");
        assert_eq!(printed(0.1), "0.1");
        assert_eq!(printed(0.0001), "0.0001");
        assert_eq!(printed(1.25e-5), "1.25e-5");
        for text in [
            "-0",
            "inf",
            "-inf",
            "nan",
            "0.000001",
            "1.5e+300",
            "12345678901234567000",
            "1e+19",
            "-1.7976931348623157e+308",
            "5e-324",
            "123456.789",
            "1234.5678901234",
            "1.23456789012345e+4",
            "4611686018427387904",
            "3.14159265358979",
        ] {
            assert_eq!(printed(text.parse().unwrap()), text);
        }
    }

    proptest! {
        #[test]
        fn any_integer_round_trips(value: i64) {
            prop_assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
        }

        #[test]
        fn any_text_agrees_with_the_standard_parser(text in "-?[0-9]{1,21}") {
            let canonical = text.parse::<i64>().ok().filter(|value| value.to_string() == text);
            prop_assert_eq!(parse_i64(text.as_bytes()), canonical);
        }

        #[test]
        fn whole_numbers_are_read_like_all_others(value: i64, shift in 0u32..64) {
            let text = (value >> shift).to_string();
            prop_assert_eq!(parse_f64(text.as_bytes()), parse_any_f64(text.as_bytes()));
        }

        #[test]
        fn any_double_round_trips(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(printed(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }

        #[test]
        fn what_is_left_as_it_is_is_as_redis_has_it(whole in 0i64..20_000, part in 0u64..1 << 53, shift in 0u32..54, power in -8i32..8) {
            let value = (whole as f64 + (part >> shift) as f64 / (1u64 << 53 >> shift) as f64) * 10f64.powi(power);
            let mut buffer = ryu::Buffer::new();
            let text = buffer.format(value).as_bytes();
            let mut anew = FloatText::new();
            lay_out_anew(text, &mut anew);
            prop_assert!(!is_laid_out(text) || text == &anew[..]);
        }
    }
}
