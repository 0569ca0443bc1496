//! Bytes seen as a row of bits, the first one being the highest of the first byte: counted, searched, combined.
//!
//! Whole strings of megabytes pass through here, so the loops work on words and blocks, and where the processor has wider
//! registers than every x86-64 has, they are compiled for these, too.

use std::ops::Range;

/// Bytes combined at a time: the part of the result that is being made stays in the nearest cache.
const BLOCK: usize = 4096;
/// Bytes passed over at a time in a search.
const STRIDE: usize = 32;

/// Compiles a function a second time, for wide registers, and takes that one where the processor has them.
macro_rules! wide {
    ($(#[$doc:meta])* $visible:vis fn $name:ident($($arg:ident: $type:ty),*) $(-> $result:ty)? = $body:ident) => {
        $(#[$doc])*
        $visible fn $name($($arg: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,popcnt")]
                fn wide($($arg: $type),*) $(-> $result)? {
                    $body($($arg),*)
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
                    // SAFETY: the processor has what the function is compiled for.
                    return unsafe { wide($($arg),*) };
                }
            }
            $body($($arg),*)
        }
    };
}

wide! {
    /// How many bits are set.
    pub fn count(bytes: &[u8]) -> u64 = count_words
}

#[inline(always)]
fn count_words(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let ones = |word: &[u8; 8]| u64::from(u64::from_ne_bytes(*word).count_ones());
    let rest: u32 = rest.iter().map(|byte| byte.count_ones()).sum();
    words.iter().map(ones).sum::<u64>() + u64::from(rest)
}

/// How many bits of a range are set. The range lies within the bytes.
pub fn count_within(bytes: &[u8], range: Range<u64>) -> u64 {
    let Some((bytes, head, tail)) = cover(bytes, range) else {
        return 0;
    };
    let outside = |byte: Option<&u8>, mask: u8| byte.map_or(0, |byte| (byte & !mask).count_ones());
    count(bytes) - u64::from(outside(bytes.first(), head) + outside(bytes.last(), tail))
}

/// The bytes that a range touches; which bits of the first and of the last one belong to it.
fn cover(bytes: &[u8], range: Range<u64>) -> Option<(&[u8], u8, u8)> {
    let last = range
        .end
        .checked_sub(1)
        .filter(|last| *last >= range.start)?;
    let bytes = bytes.get((range.start / 8) as usize..=(last / 8) as usize)?;
    Some((bytes, 0xff >> (range.start % 8), 0xff << (7 - last % 8)))
}

/// The first bit of a range that is set, or clear. The range lies within the bytes.
pub fn find_within(bytes: &[u8], range: Range<u64>, bit: bool) -> Option<u64> {
    let (part, head, _) = cover(bytes, range.clone())?;
    let flip = if bit { 0 } else { 0xff };
    let (first, rest) = part.split_first()?;
    let start = range.start / 8 * 8;
    let found = match (first ^ flip) & head {
        0 => start + 8 + find(rest, flip)?,
        byte => start + u64::from(byte.leading_zeros()),
    };
    (found < range.end).then_some(found)
}

/// The first bit that is set once every byte is flipped.
fn find(bytes: &[u8], flip: u8) -> Option<u64> {
    let strides = bytes.as_chunks::<STRIDE>().0.iter();
    let passed =
        strides.take_while(|stride| stride.iter().fold(0, |any, byte| any | (byte ^ flip)) == 0);
    let passed = passed.count() * STRIDE;
    let rest = &bytes[passed..];
    let at = rest.iter().position(|byte| *byte != flip)?;
    Some((passed + at) as u64 * 8 + u64::from((rest[at] ^ flip).leading_zeros()))
}

/// One bit; those behind the end are clear.
#[inline]
pub fn get(bytes: &[u8], offset: u64) -> bool {
    let byte = usize::try_from(offset / 8)
        .ok()
        .and_then(|at| bytes.get(at));
    byte.is_some_and(|byte| byte & (0x80 >> (offset % 8)) != 0)
}

/// Sets or clears a bit, and gives what it was. It must be there.
#[inline]
pub fn set(bytes: &mut [u8], offset: u64, bit: bool) -> bool {
    let byte = &mut bytes[(offset / 8) as usize];
    let mask = 0x80 >> (offset % 8);
    let before = *byte & mask != 0;
    *byte = if bit { *byte | mask } else { *byte & !mask };
    before
}

/// How strings are combined bit by bit. The first string is `x`, the others are `ys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Set in all.
    And,
    /// Set in any.
    Or,
    /// Set in an odd number of them.
    Xor,
    /// Clear in `x`.
    Not,
    /// Set in `x`, and in none of the `ys`.
    Diff,
    /// Set in any of the `ys`, and not in `x`.
    Diff1,
    /// Set in `x`, and in any of the `ys`.
    AndOr,
    /// Set in exactly one.
    One,
}

/// Combines strings. The result is as long as the longest; the shorter ones go on with zeros.
pub fn combine(operation: Operation, sources: &[&[u8]]) -> Vec<u8> {
    let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let mut result = vec![0; len];
    combine_into(operation, sources, &mut result);
    result
}

wide! {
    fn combine_into(operation: Operation, sources: &[&[u8]], result: &mut [u8]) = combine_blocks
}

#[inline(always)]
fn combine_blocks(operation: Operation, sources: &[&[u8]], result: &mut [u8]) {
    for (n, block) in result.chunks_mut(BLOCK).enumerate() {
        let len = block.len();
        let parts = sources.iter().map(|source| part(source, n * BLOCK, len));
        combine_block(operation, parts, block);
    }
}

/// At most `len` bytes from `start` on: as many as there are.
#[inline(always)]
fn part(source: &[u8], start: usize, len: usize) -> &[u8] {
    let rest = source.get(start..).unwrap_or_default();
    &rest[..rest.len().min(len)]
}

#[inline(always)]
fn combine_block<'a>(
    operation: Operation,
    mut parts: impl Iterator<Item = &'a [u8]>,
    block: &mut [u8],
) {
    let x = parts.next().unwrap_or_default();
    // What the loops below begin with: `x`, or what is known of the `ys`.
    if !matches!(operation, Operation::Diff1 | Operation::AndOr) {
        block[..x.len()].copy_from_slice(x);
    }
    match operation {
        Operation::And => parts.for_each(|y| intersect(block, y)),
        Operation::Or => parts.for_each(|y| zip(block, y, |one, other| one | other)),
        Operation::Xor => parts.for_each(|y| zip(block, y, |one, other| one ^ other)),
        Operation::Not => block.iter_mut().for_each(|byte| *byte = !*byte),
        Operation::Diff => parts.for_each(|y| zip(block, y, |one, other| one & !other)),
        Operation::Diff1 => {
            parts.for_each(|y| zip(block, y, |one, other| one | other));
            zip(block, x, |any, x| any & !x);
        }
        Operation::AndOr => {
            parts.for_each(|y| zip(block, y, |one, other| one | other));
            intersect(block, x);
        }
        Operation::One => exactly_one(parts, block),
    }
}

#[inline(always)]
fn zip(block: &mut [u8], part: &[u8], combine: impl Fn(u8, u8) -> u8) {
    for (byte, other) in block.iter_mut().zip(part) {
        *byte = combine(*byte, *other);
    }
}

#[inline(always)]
fn intersect(block: &mut [u8], part: &[u8]) {
    zip(block, part, |one, other| one & other);
    block[part.len()..].fill(0);
}

#[inline(always)]
fn exactly_one<'a>(parts: impl Iterator<Item = &'a [u8]>, block: &mut [u8]) {
    let mut twice = [0; BLOCK];
    for part in parts {
        for ((byte, twice), other) in block.iter_mut().zip(&mut twice).zip(part) {
            *twice |= *byte & other;
            *byte |= other;
        }
    }
    zip(block, &twice, |any, twice| any & !twice);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(bytes: &[u8]) -> Vec<bool> {
        (0..bytes.len() as u64 * 8)
            .map(|at| get(bytes, at))
            .collect()
    }

    fn bytes_of(bits: &[bool]) -> Vec<u8> {
        let mut bytes = vec![0; bits.len() / 8];
        for (at, bit) in bits.iter().enumerate() {
            set(&mut bytes, at as u64, *bit);
        }
        bytes
    }

    fn is_set(operation: Operation, bits: &[bool]) -> bool {
        let (x, ys) = (bits[0], &bits[1..]);
        let any = ys.contains(&true);
        match operation {
            Operation::And => !bits.contains(&false),
            Operation::Or => bits.contains(&true),
            Operation::Xor => bits.iter().filter(|bit| **bit).count() % 2 == 1,
            Operation::Not => !x,
            Operation::Diff => x && !any,
            Operation::Diff1 => !x && any,
            Operation::AndOr => x && any,
            Operation::One => bits.iter().filter(|bit| **bit).count() == 1,
        }
    }

    fn strings() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let string = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..100),
            (any::<u8>(), 4_000usize..9_000).prop_map(|(byte, len)| vec![byte; len]),
        ];
        prop::collection::vec(string, 1..6)
    }

    const OPERATIONS: [Operation; 8] = [
        Operation::And,
        Operation::Or,
        Operation::Xor,
        Operation::Not,
        Operation::Diff,
        Operation::Diff1,
        Operation::AndOr,
        Operation::One,
    ];

    #[test]
    fn the_first_bit_is_the_highest() {
        let mut bytes = [0; 2];
        assert!(!set(&mut bytes, 0, true) && set(&mut bytes, 0, true));
        assert!(!set(&mut bytes, 15, true));
        assert_eq!(bytes, [0x80, 1]);
        assert!(get(&bytes, 15) && !get(&bytes, 14) && !get(&bytes, 16) && !get(&bytes, u64::MAX));
        assert!(set(&mut bytes, 0, false) && !set(&mut bytes, 0, false));
    }

    proptest! {
        #[test]
        fn strings_combine_bit_by_bit(strings in strings(), operation in prop::sample::select(&OPERATIONS[..])) {
            let kept = if operation == Operation::Not { 1 } else { strings.len() };
            let sources: Vec<&[u8]> = strings[..kept].iter().map(|string| &string[..]).collect();
            let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
            let bits = (0..len as u64 * 8).map(|at| {
                let column: Vec<bool> = sources.iter().map(|source| get(source, at)).collect();
                is_set(operation, &column)
            });
            prop_assert_eq!(combine(operation, &sources), bytes_of(&bits.collect::<Vec<_>>()));
        }

        #[test]
        fn bits_are_counted_and_found(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                prop::collection::vec(prop::sample::select(&[0u8, 0xff][..]), 0..6),
                (prop::sample::select(&[0u8, 0xff][..]), 0usize..200, 0u8..=255)
                    .prop_map(|(byte, len, last)| [vec![byte; len], vec![last]].concat()),
            ],
            ends: (prop::sample::Index, prop::sample::Index),
        ) {
            let bits = row(&bytes);
            prop_assert_eq!(count(&bytes), bits.iter().filter(|bit| **bit).count() as u64);
            prop_assert_eq!(count_words(&bytes), count(&bytes));
            let (start, end) = (ends.0.index(bits.len() + 1), ends.1.index(bits.len() + 1));
            let range = start as u64..end as u64;
            let within = bits.get(start..end).unwrap_or_default();
            prop_assert_eq!(count_within(&bytes, range.clone()), within.iter().filter(|bit| **bit).count() as u64);
            for bit in [true, false] {
                let found = within.iter().position(|found| *found == bit);
                prop_assert_eq!(find_within(&bytes, range.clone(), bit), found.map(|at| (start + at) as u64));
            }
        }
    }
}
