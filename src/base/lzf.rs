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
const SLOTS: usize = 1 << SLOTS_BITS;
/// Places without a repeat after which fewer are looked at.
const PATIENCE: usize = 32;
/// How far a step goes then, at most.
const MOST_SKIPPED: usize = 16;

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
    seen: Option<Box<[u32; SLOTS]>>,
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
        let seen = self.seen.get_or_insert_with(|| Box::new([0; SLOTS]));
        if self.base == 0 || self.base.checked_add(len).is_none() {
            seen.fill(0);
            self.base = 1;
        }
        let base = self.base;
        self.base = base.checked_add(len)?;
        self.out.clear();
        pack_into(&mut self.out, seen, base, bytes, most).then_some(&self.out)
    }
}

/// Packs bytes, if that makes them smaller by some. Whoever packs many keeps a [`Packer`].
pub fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    Packer::default().pack(bytes).map(<[u8]>::to_vec)
}

fn pack_into(
    out: &mut Vec<u8>,
    seen: &mut [u32; SLOTS],
    base: u32,
    bytes: &[u8],
    most: usize,
) -> bool {
    let (mut at, mut literals, mut misses) = (0, 0, 0);
    while let Some(next) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let slot = &mut seen[slot(*next)];
        let before = std::mem::replace(slot, base + at as u32).wrapping_sub(base) as usize;
        // A place of a string before is below the base: so it lies behind.
        let is_near = before < at && at - before <= MOST_BACK;
        let len = if is_near { same(bytes, before, at) } else { 0 };
        if len >= SHORTEST {
            write_literals(out, &bytes[literals..at]);
            write_repeat(out, at - before - 1, len);
            at += len;
            (literals, misses) = (at, 0);
        } else {
            // What has long not been like anything before will hardly be so soon.
            misses += 1;
            at += (1 + misses / PATIENCE).min(MOST_SKIPPED);
        }
        if out.len() + (at.min(bytes.len()) - literals) > most {
            return false;
        }
    }
    write_literals(out, &bytes[literals..]);
    out.len() <= most
}

fn slot(next: [u8; 4]) -> usize {
    // Three bytes count: the shortest repeat.
    ((u32::from_le_bytes(next) << 8).wrapping_mul(0x9e37_79b1) >> (32 - SLOTS_BITS)) as usize
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
