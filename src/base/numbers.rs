//! Numbers as the protocol writes them: strict integer parsing, Redis's float parsing and printing.

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
pub fn parse_f64(text: &[u8]) -> Option<f64> {
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

/// Prints a double in the shortest form that reads back as the same value, the way RESP3 doubles and scores are printed:
/// `%.17g` style, with the fewest digits.
pub fn format_f64(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        return out.extend_from_slice(b"nan");
    }
    if value.is_infinite() {
        return out.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" });
    }
    if value == value.trunc() && value.abs() < 1e17 {
        if value == 0.0 && value.is_sign_negative() {
            return out.extend_from_slice(b"-0");
        }
        return out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    print_general(mantissa, exponent, out);
}

/// Lays out shortest digits as C's `%g` would: plain between 1e-5 and 1e17, else with a two-digit exponent.
fn print_general(mantissa: &str, exponent: i32, out: &mut Vec<u8>) {
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: String = format!("{whole}{fraction}");
    let leading_zeros = digits.len() - digits.trim_start_matches('0').len();
    // The power of ten of the first significant digit.
    let power = exponent + whole.len() as i32 - 1 - leading_zeros as i32;
    let digits = digits.trim_start_matches('0').trim_end_matches('0');
    out.extend_from_slice(sign.as_bytes());
    let text = if (-4..17).contains(&power) {
        plain_digits(digits, power)
    } else {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let sign = if power < 0 { '-' } else { '+' };
        format!("{first}{point}{rest}e{sign}{:02}", power.abs())
    };
    out.extend_from_slice(text.as_bytes());
}

fn plain_digits(digits: &str, power: i32) -> String {
    if power < 0 {
        return format!("0.{}{digits}", "0".repeat((-power - 1) as usize));
    }
    let whole = power as usize + 1;
    match digits.len() <= whole {
        true => format!("{digits}{}", "0".repeat(whole - digits.len())),
        false => format!("{}.{}", &digits[..whole], &digits[whole..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn printed(value: f64) -> String {
        let mut out = Vec::new();
        format_f64(value, &mut out);
        String::from_utf8(out).unwrap()
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
        assert_eq!(printed(1e-7), "1e-07");
        assert_eq!(printed(1e20), "1e+20");
        assert_eq!(printed(0.1), "0.1");
        assert_eq!(printed(0.0001), "0.0001");
        assert_eq!(printed(1.25e-5), "1.25e-05");
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
        fn any_double_round_trips(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(printed(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }
}
