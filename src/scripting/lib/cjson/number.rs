//! Numbers as C prints them with `%.14g` and as C's `strtod` reads them.

use std::io::Write as _;

/// The digits of the widest precision that scripts can set.
pub const MOST_DIGITS: i32 = 14;
/// Whole numbers below this print alike with and without an exponent's rule, at the widest precision.
const MOST_WHOLE: f64 = 1e14;
/// The largest significand read without the general parser.
const EXACT_DIGITS: usize = 15;
/// Exponents of hexadecimal numbers beyond this are zero or infinity whatever the digits that fit a string.
const FARTHEST_EXPONENT: i64 = 1 << 40;

/// Appends a number as `printf` would with `%.{precision}g`.
pub fn print(out: &mut Vec<u8>, value: f64, precision: i32) {
    if value == value.trunc() && value.abs() < MOST_WHOLE && precision == MOST_DIGITS {
        if value == 0.0 && value.is_sign_negative() {
            out.push(b'-');
        }
        out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
        return;
    }
    if !value.is_finite() {
        out.extend_from_slice(match value {
            f64::INFINITY => b"inf".as_slice(),
            f64::NEG_INFINITY => b"-inf",
            _ if value.is_sign_negative() => b"-nan",
            _ => b"nan",
        });
        return;
    }
    let precision = usize::try_from(precision.max(1)).unwrap_or(1);
    print_general(out, value, precision);
}

fn print_general(out: &mut Vec<u8>, value: f64, precision: usize) {
    let mut buffer = [0; 48];
    let mut rest = buffer.as_mut_slice();
    // 14 digits, a sign, a point and an exponent of three digits fit.
    if write!(rest, "{:.*e}", precision - 1, value.abs()).is_err() {
        return;
    }
    let left = rest.len();
    let text = &buffer[..buffer.len() - left];
    let Some(mark) = text.iter().position(|byte| *byte == b'e') else {
        return;
    };
    let exponent = crate::base::numbers::parse_i64(&text[mark + 1..]).unwrap_or(0) as i32;
    let mut digits = [b'0'; 32];
    let mut count = 0;
    for digit in text[..mark].iter().filter(|byte| **byte != b'.') {
        digits[count] = *digit;
        count += 1;
    }
    while count > 1 && digits[count - 1] == b'0' {
        count -= 1;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if exponent < -4 || exponent >= precision as i32 {
        print_with_exponent(out, &digits[..count], exponent);
    } else {
        print_plainly(out, &digits[..count], exponent);
    }
}

fn print_with_exponent(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    let exponent = exponent.unsigned_abs();
    if exponent < 10 {
        out.push(b'0');
    }
    out.extend_from_slice(itoa::Buffer::new().format(exponent).as_bytes());
}

fn print_plainly(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend((1..-exponent).map(|_| b'0'));
        out.extend_from_slice(digits);
        return;
    }
    let whole = exponent as usize + 1;
    out.extend_from_slice(&digits[..whole.min(digits.len())]);
    out.extend((digits.len()..whole).map(|_| b'0'));
    if digits.len() > whole {
        out.push(b'.');
        out.extend_from_slice(&digits[whole..]);
    }
}

/// Reads the number at the start of `text`: its value and how many bytes it takes; 0 where there is none.
pub fn read(text: &[u8]) -> (f64, usize) {
    let signs = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let (magnitude, length) = read_magnitude(&text[signs..]);
    if length == 0 {
        return (0.0, 0);
    }
    let is_negative = text[0] == b'-';
    (
        if is_negative { -magnitude } else { magnitude },
        signs + length,
    )
}

fn read_magnitude(text: &[u8]) -> (f64, usize) {
    match text {
        [b'0', b'x' | b'X', digits @ ..] => match read_hexadecimal(digits) {
            (_, 0) => (0.0, 1),
            (value, length) => (value, 2 + length),
        },
        [b'0'..=b'9' | b'.', ..] => read_decimal(text),
        _ if starts_with(text, b"infinity") => (f64::INFINITY, 8),
        _ if starts_with(text, b"inf") => (f64::INFINITY, 3),
        _ if starts_with(text, b"nan") => (f64::NAN, 3 + payload_length(&text[3..])),
        _ => (0.0, 0),
    }
}

/// Whether the text starts with a word, in small letters or capitals.
pub fn starts_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// The part in parentheses that may follow `nan`.
fn payload_length(text: &[u8]) -> usize {
    if text.first() != Some(&b'(') {
        return 0;
    }
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let inner = text[1..].iter().take_while(|byte| is_inner(byte)).count();
    if text.get(1 + inner) == Some(&b')') {
        inner + 2
    } else {
        0
    }
}

fn read_decimal(text: &[u8]) -> (f64, usize) {
    let whole = count_digits(text);
    let mut end = whole;
    if text.get(end) == Some(&b'.') {
        let fraction = count_digits(&text[end + 1..]);
        if whole + fraction == 0 {
            return (0.0, 0);
        }
        end += 1 + fraction;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        end += exponent_length(&text[end..]);
    }
    if end == whole && whole <= EXACT_DIGITS {
        let value = text[..end]
            .iter()
            .fold(0, |value: u64, digit| value * 10 + u64::from(digit - b'0'));
        return (value as f64, end);
    }
    let value = std::str::from_utf8(&text[..end])
        .ok()
        .and_then(|text| text.parse().ok());
    (value.unwrap_or(0.0), end)
}

fn count_digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The length of an exponent with its mark and sign; 0 where no digit follows.
fn exponent_length(text: &[u8]) -> usize {
    let signs = usize::from(matches!(text.get(1), Some(b'-' | b'+')));
    match count_digits(&text[1 + signs..]) {
        0 => 0,
        digits => 1 + signs + digits,
    }
}

/// The digits after `0x`; the length is 0 where there is none.
fn read_hexadecimal(text: &[u8]) -> (f64, usize) {
    let (mut significand, mut exponent) = (0u64, 0i64);
    let (mut digits, mut is_fraction, mut end) = (0, false, 0);
    for byte in text {
        if *byte == b'.' && !is_fraction {
            is_fraction = true;
        } else if let Some(digit) = char::from(*byte).to_digit(16) {
            digits += 1;
            if significand >> 60 == 0 {
                significand = significand << 4 | u64::from(digit);
                exponent -= if is_fraction { 4 } else { 0 };
            } else {
                // What no longer fits decides only whether a tie is one.
                significand |= u64::from(digit != 0);
                exponent += if is_fraction { 0 } else { 4 };
            }
        } else {
            break;
        }
        end += 1;
    }
    if digits == 0 {
        return (0.0, 0);
    }
    if matches!(text.get(end), Some(b'p' | b'P')) {
        let length = exponent_length(&text[end..]);
        exponent += binary_exponent(&text[end + 1.min(length)..end + length]);
        end += length;
    }
    (scale(significand, exponent), end)
}

fn binary_exponent(text: &[u8]) -> i64 {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    let (digits, is_negative) = match digits.strip_prefix(b"-") {
        Some(digits) => (digits, true),
        None => (digits, false),
    };
    let value = digits.iter().fold(0, |value: i64, digit| {
        (value * 10 + i64::from(digit - b'0')).min(FARTHEST_EXPONENT)
    });
    if is_negative { -value } else { value }
}

/// `significand` times two to the `exponent`, rounded once, to the nearest double, a tie to the even one.
fn scale(significand: u64, exponent: i64) -> f64 {
    if significand == 0 {
        return 0.0;
    }
    let shift = significand.leading_zeros();
    let (significand, exponent) = (significand << shift, exponent - i64::from(shift));
    // The number is significand * 2^exponent, with 64 bits; its top bit is worth 2^(exponent + 63).
    let top = exponent + 63;
    if top > 1023 {
        return f64::INFINITY;
    }
    // 53 bits stay, fewer where the number is too small for an exponent of its own.
    let dropped = if top >= -1022 { 11 } else { 11 + (-1022 - top) };
    if dropped > 64 {
        return 0.0;
    }
    let wide = u128::from(significand);
    let kept = (wide >> dropped) as u64;
    let rest = wide & ((1u128 << dropped) - 1);
    let half = 1u128 << (dropped - 1);
    let is_up = rest > half || (rest == half && kept & 1 == 1);
    let kept = kept + u64::from(is_up);
    // A significand that overflows into the next power of two carries into the exponent by itself.
    let biased = if top >= -1022 { (top + 1022) as u64 } else { 0 };
    f64::from_bits((biased << 52) + kept)
}
