//! Registers as runs of equal ones, a run in one byte or two:
//!
//! | bits | what |
//! |---|---|
//! | `00llllll` | 1 to 64 zeros |
//! | `01llllll llllllll` | 1 to 16,384 zeros |
//! | `1vvvvvll` | 1 to 4 registers with a value of 1 to 32 |
//!
//! Where runs are cut and joined is Redis's way, to the byte: what one server writes the other would have written.

use super::hash::Sighting;
use super::{Invalid, REGISTERS};

/// The greatest value.
pub(super) const MOST: u8 = 32;
const LONG_ZEROS: u8 = 0x40;
const VALUES: u8 = 0x80;
const MOST_SHORT_ZEROS: usize = 64;
const MOST_VALUES: usize = 4;
/// All registers zero.
pub(super) const EMPTY: [u8; 2] = [LONG_ZEROS | 0x3f, 0xff];
/// Runs looked at from the one before a change, to be joined.
const LOOKED_AT: usize = 5;

/// A run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// Up to 64 zeros.
    Zeros(usize),
    /// Zeros in two bytes.
    LongZeros(usize),
    /// A value, and how many registers have it.
    Values(u8, usize),
}

impl Run {
    /// The run that begins the bytes.
    #[inline]
    fn read(bytes: &[u8]) -> Option<Self> {
        let &first = bytes.first()?;
        Some(if first & VALUES != 0 {
            Self::Values((first >> 2 & 0x1f) + 1, usize::from(first & 3) + 1)
        } else if first & LONG_ZEROS != 0 {
            let len = usize::from(first & 0x3f) << 8 | usize::from(*bytes.get(1)?);
            Self::LongZeros(len + 1)
        } else {
            Self::Zeros(usize::from(first) + 1)
        })
    }

    /// Registers.
    #[inline]
    pub fn len(self) -> usize {
        let (Self::Zeros(len) | Self::LongZeros(len) | Self::Values(_, len)) = self;
        len
    }

    /// Never: a run has a register.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// What its registers hold.
    #[inline]
    pub fn value(self) -> u8 {
        match self {
            Self::Values(value, _) => value,
            Self::Zeros(_) | Self::LongZeros(_) => 0,
        }
    }

    /// Bytes.
    #[inline]
    fn size(self) -> usize {
        1 + usize::from(matches!(self, Self::LongZeros(_)))
    }

    /// The run of so many registers with a value, if there are any.
    fn of(value: u8, len: usize) -> Option<Self> {
        match (value, len) {
            (_, 0) => None,
            (0, 1..=MOST_SHORT_ZEROS) => Some(Self::Zeros(len)),
            (0, _) => Some(Self::LongZeros(len)),
            (value, len) => Some(Self::Values(value, len)),
        }
    }
}

/// A few runs as bytes.
#[derive(Default)]
struct Sequence {
    bytes: [u8; 5],
    len: usize,
}

impl Sequence {
    fn push(&mut self, run: Option<Run>) {
        let Some(run) = run else { return };
        let len = run.len() - 1;
        self.bytes[self.len] = match run {
            Run::Zeros(_) => len as u8,
            Run::LongZeros(_) => (len >> 8) as u8 | LONG_ZEROS,
            Run::Values(value, _) => (value - 1) << 2 | len as u8 | VALUES,
        };
        if let Run::LongZeros(_) = run {
            self.bytes[self.len + 1] = len as u8;
        }
        self.len += run.size();
    }
}

/// Whether the last run lacks its second byte.
pub(super) fn is_cut(bytes: &[u8]) -> bool {
    let whole: usize = runs(bytes).map(Run::size).sum();
    whole < bytes.len()
}

/// All runs, as far as there are whole ones.
pub(super) fn runs(mut bytes: &[u8]) -> impl Iterator<Item = Run> {
    std::iter::from_fn(move || {
        let run = Run::read(bytes)?;
        bytes = &bytes[run.size()..];
        Some(run)
    })
}

/// Shows every register that is not zero.
pub(super) fn each(bytes: &[u8], mut show: impl FnMut(usize, u8)) -> Result<(), Invalid> {
    let mut index = 0;
    for run in runs(bytes) {
        let end = index + run.len();
        if end > REGISTERS {
            return Err(Invalid::Corrupt);
        }
        if run.value() > 0 {
            (index..end).for_each(|index| show(index, run.value()));
        }
        index = end;
    }
    match index {
        REGISTERS if !is_cut(bytes) => Ok(()),
        _ => Err(Invalid::Corrupt),
    }
}

/// Where the run of a register stands.
struct Spot {
    at: usize,
    /// Where the run before it stands.
    before: Option<usize>,
    /// Its first register.
    first: usize,
    run: Run,
}

#[inline]
fn locate(bytes: &[u8], index: usize) -> Option<Spot> {
    let (mut at, mut before, mut first) = (0, None, 0);
    loop {
        let run = Run::read(bytes.get(at..)?)?;
        if index < first + run.len() {
            return Some(Spot {
                at,
                before,
                first,
                run,
            });
        }
        before = Some(at);
        at += run.size();
        first += run.len();
    }
}

/// The run that a register is part of.
pub(super) fn find(bytes: &[u8], index: usize) -> Option<Run> {
    locate(bytes, index).map(|spot| spot.run)
}

/// What came of adding an element.
pub(super) enum Added {
    /// It is there; whether that changed anything.
    Done(bool),
    /// There is no room for it.
    Full,
    /// The runs make no sense.
    Corrupt,
}

/// Adds an element to the runs that begin at `start`, if the bytes stay within `most`.
pub(super) fn add(bytes: &mut Vec<u8>, start: usize, sighting: Sighting, most: usize) -> Added {
    let Sighting { index, count } = sighting;
    let Some(spot) = locate(bytes.get(start..).unwrap_or_default(), index) else {
        return Added::Corrupt;
    };
    let (known, size) = (spot.run.value(), spot.run.size());
    if known >= count {
        return Added::Done(false);
    }
    let mut sequence = Sequence::default();
    sequence.push(Run::of(known, index - spot.first));
    sequence.push(Run::of(count, 1));
    sequence.push(Run::of(known, spot.first + spot.run.len() - 1 - index));
    if sequence.len > size && bytes.len() + sequence.len - size > most {
        return Added::Full;
    }
    let at = start + spot.at;
    bytes.splice(
        at..at + size,
        sequence.bytes[..sequence.len].iter().copied(),
    );
    join(bytes, start + spot.before.unwrap_or(0));
    Added::Done(true)
}

/// Joins neighbours of equal value from a run on.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..LOOKED_AT {
        let Some(run) = bytes.get(at..).and_then(Run::read) else {
            return;
        };
        if let Run::Values(value, len) = run
            && let Some(Run::Values(next, more)) = bytes.get(at + 1..).and_then(Run::read)
            && value == next
            && len + more <= MOST_VALUES
        {
            let mut joined = Sequence::default();
            joined.push(Run::of(value, len + more));
            bytes[at] = joined.bytes[0];
            bytes.remove(at + 1);
            continue;
        }
        at += run.size();
    }
}
