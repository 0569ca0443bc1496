//! HyperLogLog: about how many different elements were added, within 0.81 %, in at most 12 KiB. Its bytes are a string's,
//! laid out as Redis lays them out.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `HYLL` |
//! | 1 | 0 dense, 1 sparse |
//! | 3 | nothing |
//! | 8 | the count as last estimated, little endian; the highest bit tells that it is out of date |
//! | … | the registers |
//!
//! An element's hash chooses one of 16,384 registers, which holds the longest run of zeros seen in the rest of a hash.
//! `dense` and `sparse` are the two ways to write the registers down; `estimate` makes a count of them.

mod dense;
mod estimate;
mod hash;
mod sparse;

pub use self::estimate::estimate;
pub use self::hash::Sighting;
pub use self::sparse::Run;

/// How many registers there are.
pub const REGISTERS: usize = 1 << hash::INDEX_BITS;

const HEADER: usize = 16;
const MAGIC: [u8; 4] = *b"HYLL";
const ENCODING: usize = 4;
const CACHE: std::ops::Range<usize> = 8..16;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
const DENSE_SIZE: usize = HEADER + dense::SIZE;
/// In the last byte of the cached count: it is out of date.
const OUT_OF_DATE: u8 = 0x80;

/// Sparse ones up to so many bytes stay as they are, whatever the limit for new ones.
const OVERSIZED: usize = 3_000;

/// How the registers are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Six bits each.
    Dense,
    /// Runs of equal ones.
    Sparse,
}

/// Why bytes are no HyperLogLog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// They do not look like one.
    Foreign,
    /// They do, but their registers make no sense.
    Corrupt,
}

/// The registers, a byte each.
pub type Registers = [u8; REGISTERS];

/// A HyperLogLog without elements.
pub fn empty() -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &[SPARSE], &[0; 11]].concat();
    bytes.extend_from_slice(&sparse::EMPTY);
    bytes
}

/// The encoding of bytes that look like a HyperLogLog.
#[inline]
pub fn encoding(bytes: &[u8]) -> Result<Encoding, Invalid> {
    match bytes.get(ENCODING) {
        _ if bytes.len() < HEADER || bytes.first_chunk() != Some(&MAGIC) => Err(Invalid::Foreign),
        Some(&DENSE) if bytes.len() == DENSE_SIZE => Ok(Encoding::Dense),
        Some(&SPARSE) => Ok(Encoding::Sparse),
        _ => Err(Invalid::Foreign),
    }
}

/// The registers as they are written down.
fn body(bytes: &[u8]) -> &[u8] {
    bytes.get(HEADER..).unwrap_or_default()
}

/// Whether an element would change anything. `Corrupt` if that cannot be told.
pub fn would_change(bytes: &[u8], sighting: Sighting) -> Result<bool, Invalid> {
    let known = match encoding(bytes)? {
        Encoding::Dense => dense::get(body(bytes), sighting.index),
        Encoding::Sparse => sparse::find(body(bytes), sighting.index)
            .ok_or(Invalid::Corrupt)?
            .value(),
    };
    Ok(sighting.count > known)
}

/// Adds an element to a dense one; true when that changes anything.
#[inline]
pub fn add_dense(bytes: &mut [u8], sighting: Sighting) -> bool {
    let registers = bytes.get_mut(HEADER..).unwrap_or_default();
    dense::raise(registers, sighting.index, sighting.count)
}

/// Whether a sparse one is longer than any that was made here: looking for a register takes steps in proportion.
pub fn is_oversized(bytes: &[u8], most: usize) -> bool {
    bytes.len() > most.max(OVERSIZED) && encoding(bytes) == Ok(Encoding::Sparse)
}

/// Adds an element; true when that changes anything. A sparse one that would take more than `most` bytes becomes dense.
pub fn add(bytes: &mut Vec<u8>, sighting: Sighting, most: usize) -> Result<bool, Invalid> {
    if is_oversized(bytes, most) {
        make_dense(bytes)?;
    }
    if encoding(bytes)? == Encoding::Sparse {
        if sighting.count <= sparse::MOST {
            match sparse::add(bytes, HEADER, sighting, most) {
                sparse::Added::Done(changed) => return Ok(changed),
                sparse::Added::Corrupt => return Err(Invalid::Corrupt),
                sparse::Added::Full => {}
            }
        }
        make_dense(bytes)?;
    }
    Ok(add_dense(bytes, sighting))
}

/// Writes the registers down densely.
pub fn make_dense(bytes: &mut Vec<u8>) -> Result<(), Invalid> {
    if encoding(bytes)? == Encoding::Dense {
        return Ok(());
    }
    let mut dense = vec![0; DENSE_SIZE];
    dense[..HEADER].copy_from_slice(&bytes[..HEADER]);
    dense[ENCODING] = DENSE;
    let registers = &mut dense[HEADER..];
    sparse::each(body(bytes), |index, value| {
        dense::set(registers, index, value)
    })?;
    *bytes = dense;
    Ok(())
}

/// Raises registers to those of a HyperLogLog where these are higher.
pub fn merge(registers: &mut Registers, bytes: &[u8]) -> Result<(), Invalid> {
    let mut raise = |index: usize, value: u8| registers[index] = registers[index].max(value);
    match encoding(bytes)? {
        Encoding::Dense => dense::each(body(bytes), raise),
        Encoding::Sparse => sparse::each(body(bytes), &mut raise)?,
    }
    Ok(())
}

/// How many registers have each value.
fn histogram(bytes: &[u8]) -> Result<estimate::Histogram, Invalid> {
    let mut histogram = [0; estimate::VALUES];
    match encoding(bytes)? {
        Encoding::Dense => dense::each(body(bytes), |_, value| histogram[usize::from(value)] += 1),
        Encoding::Sparse => {
            let mut registers = 0;
            for run in runs(bytes) {
                histogram[usize::from(run.value())] += run.len() as u32;
                registers += run.len();
            }
            if registers != REGISTERS || sparse::is_cut(body(bytes)) {
                return Err(Invalid::Corrupt);
            }
        }
    }
    Ok(histogram)
}

/// The runs of a sparse one.
pub fn runs(bytes: &[u8]) -> impl Iterator<Item = Run> {
    sparse::runs(body(bytes))
}

/// The count of all elements, as far as it can be told.
pub fn count(bytes: &[u8]) -> Result<i64, Invalid> {
    histogram(bytes).map(|histogram| estimate::of_histogram(&histogram))
}

/// The count as last estimated, unless it is out of date.
#[inline]
pub fn cached(bytes: &[u8]) -> Option<i64> {
    let count = bytes.get(CACHE)?.first_chunk().copied()?;
    (count[7] & OUT_OF_DATE == 0).then(|| i64::from_le_bytes(count))
}

/// Writes an estimate down.
pub fn set_cached(bytes: &mut [u8], count: i64) {
    if let Some(cache) = bytes.get_mut(CACHE) {
        cache.copy_from_slice(&count.to_le_bytes());
    }
}

/// Says that the estimate is out of date.
pub fn invalidate(bytes: &mut [u8]) {
    if let Some(last) = bytes.get_mut(CACHE.end - 1) {
        *last |= OUT_OF_DATE;
    }
}

#[cfg(test)]
mod tests;
