//! What modules have written. Their values say nothing without them, but can be walked over.

use std::fmt;

use super::cursor::{Malformed, Reader};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const NAME: usize = 9;
/// In an id, the bits below the name.
const VERSION_BITS: u32 = 10;

const END: u64 = 0;
const SIGNED: u64 = 1;
/// A number that is not negative; it also announces when a module wants its data.
pub(super) const UNSIGNED: u64 = 2;
const FLOAT: u64 = 3;
const DOUBLE: u64 = 4;
const STRING: u64 = 5;

/// The name of a module's type, of nine characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleName([u8; NAME]);

impl ModuleName {
    /// The name in an id.
    pub(super) fn of(id: u64) -> Self {
        let mut name = [0; NAME];
        for (place, letter) in name.iter_mut().rev().enumerate() {
            let bits = id >> (VERSION_BITS as usize + 6 * place) & 0x3f;
            *letter = ALPHABET[bits as usize];
        }
        Self(name)
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|letter| write!(out, "{}", char::from(*letter)))
    }
}

/// Walks over what a module has written, its end included.
pub(super) fn skip(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    loop {
        match reader.length()? {
            END => return Ok(()),
            SIGNED | UNSIGNED => reader.length().map(drop)?,
            FLOAT => reader.take(4).map(drop)?,
            DOUBLE => reader.take(8).map(drop)?,
            STRING => reader.skip_string()?,
            other => return Err(Malformed::Module(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_names() {
        let id = b"ReJSON-RL".iter().fold(0, |id, letter| {
            let place = ALPHABET.iter().position(|known| known == letter);
            id << 6 | place.unwrap_or_default() as u64
        });
        assert_eq!(
            ModuleName::of(id << VERSION_BITS | 3).to_string(),
            "ReJSON-RL"
        );
    }
}
