//! Passwords: only their SHA-256 is kept, and how long a comparison takes tells nothing about it.

use std::hint::black_box;

use sha2::{Digest, Sha256};

use super::error::RuleError;

/// A password as it is kept.
pub(super) type Hash = [u8; 32];

/// The hash of a password.
pub(super) fn hash(password: &[u8]) -> Hash {
    Sha256::digest(password).into()
}

/// Whether a hash is among those that are known. All are looked at, to their last byte.
pub(super) fn is_among<'a>(given: &Hash, known: impl Iterator<Item = &'a Hash>) -> bool {
    let mut is_found = false;
    for hash in known {
        let mut difference = 0;
        for (byte, expected) in given.iter().zip(hash) {
            difference |= black_box(byte ^ expected);
        }
        is_found |= black_box(difference == 0);
    }
    is_found
}

/// A hash as rules write it.
pub(super) fn parse(text: &[u8]) -> Result<Hash, RuleError> {
    let mut hash = Hash::default();
    let is_digit = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != hash.len() * 2 || !text.iter().all(is_digit) {
        return Err(RuleError::BadHash);
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit - b'a' + 10,
    };
    for (byte, pair) in hash.iter_mut().zip(text.chunks_exact(2)) {
        *byte = value(pair[0]) << 4 | value(pair[1]);
    }
    Ok(hash)
}

/// A hash as rules write it.
pub(super) fn show(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_sha256() {
        let known = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        assert_eq!(show(&hash(b"secret")), known);
        assert_eq!(parse(known.as_bytes()), Ok(hash(b"secret")));
        for wrong in ["", &known[1..], &known.to_uppercase(), &format!("{known}0")] {
            assert_eq!(parse(wrong.as_bytes()), Err(RuleError::BadHash), "{wrong}");
        }
    }

    #[test]
    fn only_the_same_password_is_the_same() {
        let known = [hash(b"one"), hash(b"two"), hash(b"three")];
        assert!(is_among(&hash(b"one"), known.iter()));
        assert!(is_among(&hash(b"three"), known.iter()));
        for wrong in [&b""[..], b"One", b"onetwo", b"tw"] {
            assert!(!is_among(&hash(wrong), known.iter()));
        }
        assert!(!is_among(&hash(b""), [].iter()));
    }
}
