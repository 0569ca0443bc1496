//! LZF: the light compression of strings in snapshots, and of the inner parts of long lists.
//!
//! | bits | what |
//! |---|---|
//! | `000lllll` | `l` + 1 bytes as they are |
//! | `lllooooo oooooooo` | `l` + 2 bytes from `o` + 1 bytes before; `l` is 1 to 6 |
//! | `111ooooo llllllll oooooooo` | `l` + 9 bytes from there |

/// Most bytes that three bytes can stand for.
const MOST_OF_THREE: usize = 264;
const MOST_LITERALS: usize = 32;
const MOST_BACK: usize = 1 << 13;
const SHORTEST: usize = 3;
/// Bits of the number of slots in the table of places seen.
const SLOTS_BITS: u32 = 13;

/// Unpacks bytes into exactly `len`; `None` if they do not make as many.
pub fn unpack(mut packed: &[u8], len: usize) -> Option<Vec<u8>> {
    // Nothing is allocated for a length that cannot be.
    if len > packed.len().saturating_mul(MOST_OF_THREE) / 3 + MOST_OF_THREE {
        return None;
    }
    let mut out = Vec::with_capacity(len);
    while let Some((&control, rest)) = packed.split_first() {
        let control = usize::from(control);
        if control < MOST_LITERALS {
            let (literals, rest) = rest.split_at_checked(control + 1)?;
            out.extend_from_slice(literals);
            packed = rest;
        } else {
            let (count, rest) = match control >> 5 {
                7 => rest
                    .split_first()
                    .map(|(more, rest)| (usize::from(*more) + 9, rest))?,
                count => (count + 2, rest),
            };
            let (&low, rest) = rest.split_first()?;
            let back = ((control & 0x1f) << 8 | usize::from(low)) + 1;
            let from = out.len().checked_sub(back)?;
            repeat(&mut out, from, count);
            packed = rest;
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

/// Adds bytes that stand at `from`, some of which may be just being added.
fn repeat(out: &mut Vec<u8>, from: usize, count: usize) {
    let end = from + count;
    if end <= out.len() {
        return out.extend_from_within(from..end);
    }
    (from..end).for_each(|at| out.push(out[at]));
}

/// Packs bytes; keeps its memory from one string to the next.
#[derive(Debug, Default)]
pub struct Packer {
    /// Where three bytes were last seen, by their hash: a place counted from `base`.
    seen: Vec<u32>,
    /// What is behind all places of strings before.
    base: u32,
    out: Vec<u8>,
}

impl Packer {
    /// Packs bytes, if that makes them smaller by some.
    pub fn pack(&mut self, bytes: &[u8]) -> Option<&[u8]> {
        let most = bytes.len().checked_sub(4)?;
        let len = u32::try_from(bytes.len()).ok()?;
        // Places of strings before are told by being below the base; only when that would overflow is the table cleared.
        let base = match self.base.checked_add(len) {
            Some(end) if !self.seen.is_empty() && end < u32::MAX => self.base,
            _ => {
                self.seen.clear();
                self.seen.resize(1 << SLOTS_BITS, 0);
                1
            }
        };
        self.base = base.checked_add(len)?;
        self.out.clear();
        pack_into(&mut self.out, &mut self.seen, base, bytes, most).then_some(&self.out)
    }
}

/// Packs bytes, if that makes them smaller by some. Whoever packs many keeps a [`Packer`].
pub fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    Packer::default().pack(bytes).map(<[u8]>::to_vec)
}

fn pack_into(out: &mut Vec<u8>, seen: &mut [u32], base: u32, bytes: &[u8], most: usize) -> bool {
    let (mut at, mut literals) = (0, 0);
    while at + SHORTEST <= bytes.len() {
        let slot = &mut seen[slot(&bytes[at..])];
        let before = slot.checked_sub(base).map(|before| before as usize);
        *slot = base + at as u32;
        let found = before.filter(|before| at - before <= MOST_BACK);
        let len = found.map_or(0, |before| same(bytes, before, at));
        match found {
            Some(before) if len >= SHORTEST => {
                write_literals(out, &bytes[literals..at]);
                write_repeat(out, at - before - 1, len);
                at += len;
                literals = at;
            }
            _ => at += 1,
        }
        if out.len() + (at - literals) > most {
            return false;
        }
    }
    write_literals(out, &bytes[literals..]);
    out.len() <= most
}

fn slot(bytes: &[u8]) -> usize {
    let [a, b, c] = [0, 1, 2].map(|at| u32::from(bytes.get(at).copied().unwrap_or(0)));
    ((a << 16 | b << 8 | c).wrapping_mul(0x9e37_79b1) >> (32 - SLOTS_BITS)) as usize
}

fn same(bytes: &[u8], before: usize, at: usize) -> usize {
    let pairs = bytes[before..].iter().zip(&bytes[at..]);
    pairs
        .take(MOST_OF_THREE)
        .take_while(|(one, other)| one == other)
        .count()
}

fn write_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for part in literals.chunks(MOST_LITERALS) {
        out.push(part.len() as u8 - 1);
        out.extend_from_slice(part);
    }
}

fn write_repeat(out: &mut Vec<u8>, back: usize, len: usize) {
    let high = (back >> 8) as u8;
    if len < 9 {
        out.push((len as u8 - 2) << 5 | high);
    } else {
        out.extend_from_slice(&[7 << 5 | high, (len - 9) as u8]);
    }
    out.push(back as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn repeats_may_overlap() {
        assert_eq!(unpack(&[0, b'a', 0xe0, 200, 0], 210), Some(vec![b'a'; 210]));
        assert_eq!(
            unpack(&[0x20, 0], 3),
            None,
            "nothing stands before the first byte"
        );
        assert_eq!(unpack(&[5, b'a'], 6), None);
        assert_eq!(unpack(&[0, b'a'], usize::MAX), None);
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(
            bytes in prop::collection::vec(0u8..4, 0..3_000),
            run in 0usize..20_000,
            nearly_full in any::<bool>(),
        ) {
            let mut packer = Packer::default();
            let bytes = [&bytes[..], &vec![b'x'; run], &bytes].concat();
            for _ in 0..3 {
                if let Some(packed) = packer.pack(&bytes) {
                    prop_assert!(packed.len() < bytes.len());
                    prop_assert_eq!(unpack(packed, bytes.len()), Some(bytes.clone()));
                }
                if nearly_full {
                    packer.base = packer.base.max(u32::MAX - 30_000);
                }
            }
        }

        #[test]
        fn hostile_bytes_do_no_harm(packed in prop::collection::vec(any::<u8>(), 0..200), len in 0usize..50_000) {
            let _ = unpack(&packed, len);
        }
    }
}
