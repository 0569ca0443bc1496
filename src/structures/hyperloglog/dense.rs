//! Registers of six bits each, the lowest bits of a byte first.

use super::REGISTERS;

const BITS: usize = 6;
const MASK: u16 = (1 << BITS) - 1;
/// Bytes of all registers.
pub(super) const SIZE: usize = REGISTERS * BITS / 8;

/// The two bytes that a register touches, and its shift within them. The last register ends with the last byte.
#[inline]
fn place(index: usize) -> (usize, usize) {
    let at = (index * BITS / 8).min(SIZE - 2);
    (at, index * BITS - at * 8)
}

#[inline]
pub(super) fn get(registers: &[u8], index: usize) -> u8 {
    let (at, shift) = place(index);
    let pair = u16::from_le_bytes([registers[at], registers[at + 1]]);
    (pair >> shift & MASK) as u8
}

/// Sets a register that is lower; true when it was.
#[inline]
pub(super) fn raise(registers: &mut [u8], index: usize, value: u8) -> bool {
    let (at, shift) = place(index);
    let Some(bytes) = registers.get_mut(at..).and_then(<[u8]>::first_chunk_mut) else {
        return false;
    };
    let pair = u16::from_le_bytes(*bytes);
    let is_lower = ((pair >> shift & MASK) as u8) < value;
    if is_lower {
        *bytes = with(pair, shift, value).to_le_bytes();
    }
    is_lower
}

/// Two bytes with a register set.
#[inline]
fn with(pair: u16, shift: usize, value: u8) -> u16 {
    pair & !(MASK << shift) | (u16::from(value) & MASK) << shift
}

#[inline]
pub(super) fn set(registers: &mut [u8], index: usize, value: u8) {
    let (at, shift) = place(index);
    let pair = u16::from_le_bytes([registers[at], registers[at + 1]]);
    registers[at..at + 2].copy_from_slice(&with(pair, shift, value).to_le_bytes());
}

/// Shows every register, four of them from three bytes at a time.
#[inline]
pub(super) fn each(registers: &[u8], mut show: impl FnMut(usize, u8)) {
    let (groups, _) = registers.as_chunks::<3>();
    for (n, [a, b, c]) in groups.iter().enumerate() {
        let group = u32::from_le_bytes([*a, *b, *c, 0]);
        for place in 0..4 {
            show(n * 4 + place, (group >> (place * BITS)) as u8 & MASK as u8);
        }
    }
}
