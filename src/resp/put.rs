//! Lines and short strings of a reply, each written in one step: one look at the room that is left, then words instead of
//! bytes. A reply of a hundred elements is made of hundreds of them.

/// Numbers below this are written from a word.
const SMALL: u64 = 1_000_000;
/// Strings up to this length are copied without a call.
const SHORT: usize = 32;
/// Room for the head and the end of a string: `$999999`, twice a line end, and what whole words write beyond.
const FRAME: usize = 16;

/// All numbers of two digits, each as its two bytes.
static PAIRS: [u16; 100] = {
    let mut pairs = [0; 100];
    let mut at = 0;
    while at < 100 {
        pairs[at] = u16::from_le_bytes([b'0' + (at / 10) as u8, b'0' + (at % 10) as u8]);
        at += 1;
    }
    pairs
};

const LINE_END: u64 = u16::from_le_bytes(*b"\r\n") as u64;

/// The digits of a number below [`SMALL`] and a line end, the first byte lowest; and how many bytes that is, 8 at most.
#[inline]
fn small_line(number: u64) -> (u64, usize) {
    let digit = |digit: u64| u64::from(b'0') + digit;
    let pair = |pair: u64| u64::from(PAIRS[pair as usize % 100]);
    match number {
        0..10 => (digit(number) | LINE_END << 8, 3),
        10..100 => (pair(number) | LINE_END << 16, 4),
        100..1000 => (
            digit(number / 100) | pair(number % 100) << 8 | LINE_END << 24,
            5,
        ),
        1000..10_000 => (
            pair(number / 100) | pair(number % 100) << 16 | LINE_END << 32,
            6,
        ),
        10_000..100_000 => {
            let rest = pair(number / 100 % 100) << 8 | pair(number % 100) << 24;
            (digit(number / 10_000) | rest | LINE_END << 40, 7)
        }
        _ => {
            let rest = pair(number / 100 % 100) << 16 | pair(number % 100) << 32;
            (pair(number / 10_000) | rest | LINE_END << 48, 8)
        }
    }
}

/// Adds a line: its kind, a number.
#[inline]
pub(super) fn line(out: &mut Vec<u8>, kind: u8, number: i64) {
    let Some(number) = small(number) else {
        return long_line(out, kind, number);
    };
    let (digits, len) = small_line(number);
    out.reserve(FRAME);
    // SAFETY: there is room for 16 bytes behind the end; 9 are written, and `1 + len` of them are at most those.
    unsafe {
        let to = out.as_mut_ptr().add(out.len());
        to.write(kind);
        to.add(1).cast::<u64>().write_unaligned(digits.to_le());
        out.set_len(out.len() + 1 + len);
    }
}

#[inline]
fn small(number: i64) -> Option<u64> {
    let number = number.cast_unsigned();
    (number < SMALL).then_some(number)
}

#[inline(never)]
fn long_line(out: &mut Vec<u8>, kind: u8, number: i64) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Adds a number as a bulk string.
#[inline]
pub(super) fn bulk_integer(out: &mut Vec<u8>, number: i64) {
    let Some(number) = small(number) else {
        return bulk(out, itoa::Buffer::new().format(number).as_bytes());
    };
    let (digits, len) = small_line(number);
    // Six digits at most: the head is always four bytes.
    let head = u32::from(b'$') | (u32::from(b'0') + len as u32 - 2) << 8 | (LINE_END as u32) << 16;
    out.reserve(FRAME);
    // SAFETY: there is room for 16 bytes behind the end; 12 are written, and `4 + len` of them are at most those.
    unsafe {
        let to = out.as_mut_ptr().add(out.len());
        to.cast::<u32>().write_unaligned(head.to_le());
        to.add(4).cast::<u64>().write_unaligned(digits.to_le());
        out.set_len(out.len() + 4 + len);
    }
}

/// Adds a bulk string.
#[inline]
pub(super) fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() > SHORT {
        return long_bulk(out, bytes);
    }
    let (head, head_len) = small_line(bytes.len() as u64);
    out.reserve(FRAME + SHORT);
    // SAFETY: there is room for 48 bytes behind the end. The head is `1 + head_len` of them, at most 9 and written as 9; the
    // string's are 32 at most, and the line end 2.
    unsafe {
        let to = out.as_mut_ptr().add(out.len());
        to.write(b'$');
        to.add(1).cast::<u64>().write_unaligned(head.to_le());
        let to = to.add(1 + head_len);
        copy_short(bytes, to);
        let end = to.add(bytes.len()).cast::<u16>();
        end.write_unaligned((LINE_END as u16).to_le());
        out.set_len(out.len() + 1 + head_len + bytes.len() + 2);
    }
}

#[inline(never)]
fn long_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().saturating_add(32));
    line(out, b'$', bytes.len() as i64);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Copies up to [`SHORT`] bytes as two words that may overlap.
///
/// # Safety
/// There is room for as many bytes at `to`, which is not within `bytes`.
#[inline(always)]
unsafe fn copy_short(bytes: &[u8], to: *mut u8) {
    /// The first and the last `N` of at least as many bytes.
    #[inline(always)]
    unsafe fn ends<const N: usize>(from: *const u8, to: *mut u8, len: usize) {
        // SAFETY: both ranges lie within `len` bytes, as the caller promises for either side.
        unsafe {
            let first = from.cast::<[u8; N]>().read();
            let last = from.add(len - N).cast::<[u8; N]>().read();
            to.cast::<[u8; N]>().write(first);
            to.add(len - N).cast::<[u8; N]>().write(last);
        }
    }
    let (from, len) = (bytes.as_ptr(), bytes.len());
    // SAFETY: each arm touches `len` bytes on either side, which the length of `bytes` and the caller vouch for.
    unsafe {
        match len {
            16.. => ends::<16>(from, to, len),
            8.. => ends::<8>(from, to, len),
            4.. => ends::<4>(from, to, len),
            2.. => ends::<2>(from, to, len),
            1 => to.write(from.read()),
            0 => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_long_way() {
        let powers = (0..19).map(|power| 10i64.pow(power));
        let near = powers.flat_map(|power| [power - 1, power, power + 1, -power, power * 7 / 3]);
        let numbers = near
            .chain(0..2000)
            .chain([i64::MIN, i64::MAX, 123_456, 999_999]);
        let (mut out, mut bulks, mut expected, mut expected_bulks) =
            (Vec::new(), Vec::new(), String::new(), String::new());
        for number in numbers {
            line(&mut out, b':', number);
            bulk_integer(&mut bulks, number);
            let text = number.to_string();
            expected += &format!(":{text}\r\n");
            expected_bulks += &format!("${}\r\n{text}\r\n", text.len());
        }
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert_eq!(String::from_utf8(bulks).unwrap(), expected_bulks);
    }

    #[test]
    fn strings_of_all_lengths() {
        let all: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        let (mut out, mut expected) = (Vec::new(), Vec::new());
        for len in (0..300).chain([999, 1000, 65_535, 70_000]) {
            out.shrink_to_fit();
            bulk(&mut out, &all[..len]);
            expected.extend_from_slice(format!("${len}\r\n").as_bytes());
            expected.extend_from_slice(&all[..len]);
            expected.extend_from_slice(b"\r\n");
        }
        assert_eq!(out, expected);
    }
}
