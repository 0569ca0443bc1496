//! CRC64 with the polynomial of Jones, as snapshots and dumped values are protected by it.

use std::array;
use std::sync::LazyLock;

/// The polynomial, its highest power in the lowest bit.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;

/// Bytes of each of two parts that are gone through side by side.
const PART: usize = 8 << 10;

/// What the bytes of a checksum become when a part of zeros follows.
static BEHIND: LazyLock<[[u64; 256]; 8]> = LazyLock::new(|| {
    let bits: [u64; 64] = array::from_fn(|bit| after_zeros(1 << bit, PART as u64));
    array::from_fn(|byte| array::from_fn(|value| times(&bits, (value as u64) << (8 * byte))))
});

/// What each byte does, so many bytes further on: eight bytes are taken at a time.
static TABLES: [[u64; 256]; 8] = tables();

const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u64, 0);
        while bit < 8 {
            crc = (crc >> 1) ^ (if crc & 1 == 1 { POLYNOMIAL } else { 0 });
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut further = 1;
    while further < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[further - 1][byte];
            tables[further][byte] = tables[0][(before & 0xff) as usize] ^ (before >> 8);
            byte += 1;
        }
        further += 1;
    }
    tables
}

/// Goes on with a checksum; 0 begins one.
pub fn crc64(mut crc: u64, mut bytes: &[u8]) -> u64 {
    // Each step waits for the one before, so two parts are gone through side by side.
    while let Some((both, rest)) = bytes.split_at_checked(2 * PART) {
        let (one, other) = both.split_at(PART);
        let (words, others) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
        let mut second = 0;
        for (word, other) in words.iter().zip(others) {
            crc = with_word(crc, *word);
            second = with_word(second, *other);
        }
        crc = (BEHIND.iter().zip(crc.to_le_bytes()))
            .fold(second, |sum, (table, byte)| sum ^ table[usize::from(byte)]);
        bytes = rest;
    }
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        crc = with_word(crc, *word);
    }
    for byte in rest {
        crc = TABLES[0][usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    }
    crc
}

#[inline]
fn with_word(crc: u64, word: [u8; 8]) -> u64 {
    let mixed = (crc ^ u64::from_le_bytes(word)).to_le_bytes();
    let tables = TABLES.iter().rev().zip(mixed);
    tables.fold(0, |crc, (table, byte)| crc ^ table[usize::from(byte)])
}

/// What a checksum becomes when so many zero bytes follow. Checksums are linear: that of a text in which some bytes have
/// been changed differs by that of the difference, followed by zeros.
pub fn after_zeros(mut crc: u64, mut count: u64) -> u64 {
    // A column for each bit: what it becomes. Squared, it stands for twice as many zeros.
    let mut step: [u64; 64] = array::from_fn(|bit| crc64(1 << bit, &[0]));
    while count > 0 {
        if count & 1 == 1 {
            crc = times(&step, crc);
        }
        step = array::from_fn(|bit| times(&step, step[bit]));
        count >>= 1;
    }
    crc
}

fn times(matrix: &[u64; 64], mut vector: u64) -> u64 {
    let mut sum = 0;
    while vector != 0 {
        sum ^= matrix[vector.trailing_zeros() as usize];
        vector &= vector - 1;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{PART, after_zeros, crc64};

    #[test]
    fn a_change_is_a_difference_and_zeros() {
        for len in [0, 1, 7, 300, 5_000] {
            let zeros = vec![0; len];
            assert_eq!(after_zeros(0x1234, len as u64), crc64(0x1234, &zeros));
            let (one, other) = (
                [b"0010", &zeros[..]].concat(),
                [b"0012", &zeros[..]].concat(),
            );
            let difference = after_zeros(crc64(0, &[0, 0, 0, 2]), len as u64);
            assert_eq!(crc64(0, &one) ^ difference, crc64(0, &other));
        }
    }

    #[test]
    fn checksums_are_those_of_redis() {
        assert_eq!(crc64(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        let long: Vec<u8> = (0..5 * PART).map(|n| (n % 251) as u8).collect();
        let pieces = long.chunks(1000);
        let by_pieces = pieces.fold(7, crc64);
        assert_eq!(crc64(7, &long), by_pieces);
        let bytes: Vec<u8> = (0..100).collect();
        for cut in 0..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(crc64(crc64(0, head), tail), crc64(0, &bytes));
        }
    }
}
