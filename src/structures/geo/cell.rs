//! Boxes on the map: those places whose numbers begin with the same bits.

use super::{MAX_LATITUDE, MAX_LONGITUDE, MAX_STEP, Point};

/// Bits of the latitude; those of the longitude are between them.
const LATITUDE_BITS: u64 = 0x5555_5555_5555_5555;
const LONGITUDE_BITS: u64 = !LATITUDE_BITS;

/// A box: the first bits of the numbers of all places in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The common bits.
    pub bits: u64,
    /// Bits of each coordinate.
    pub step: u32,
}

/// The edges of a cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edges {
    pub west: f64,
    pub east: f64,
    pub south: f64,
    pub north: f64,
}

/// Spreads bits to every second place.
fn spread(bits: u32) -> u64 {
    let mut spread = u64::from(bits);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, LATITUDE_BITS),
    ] {
        spread = (spread | (spread << shift)) & mask;
    }
    spread
}

/// Undoes [`spread`].
fn gather(spread: u64) -> u32 {
    let mut bits = spread & LATITUDE_BITS;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | (bits >> shift)) & mask;
    }
    bits as u32
}

/// The bits of a place on a map that reaches as far as this in each direction.
fn encode(point: Point, max_longitude: f64, max_latitude: f64, step: u32) -> u64 {
    let share = |value: f64, max: f64| (value + max) / (max + max);
    let scale = (1u64 << step) as f64;
    let latitude = share(point.latitude, max_latitude) * scale;
    let longitude = share(point.longitude, max_longitude) * scale;
    spread(latitude as u32) | (spread(longitude as u32) << 1)
}

/// The usual geohash of a place, whose map has the poles, in 11 letters.
pub fn standard_hash(point: Point) -> [u8; 11] {
    const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    let bits = encode(point, 180.0, 90.0, MAX_STEP);
    // 52 bits are ten letters and a bit: the last letter is always the same.
    std::array::from_fn(|at| match at {
        10 => b'0',
        _ => LETTERS[(bits >> (52 - (at + 1) * 5)) as usize & 31],
    })
}

impl Cell {
    /// The cell of a place.
    pub fn around(point: Point, step: u32) -> Self {
        Self {
            bits: encode(point, MAX_LONGITUDE, MAX_LATITUDE, step),
            step,
        }
    }

    pub(super) fn edges(self) -> Edges {
        let scale = (1u64 << self.step) as f64;
        let edge = |at: u32, max: f64| -max + (f64::from(at) / scale) * (max + max);
        let (latitude, longitude) = (gather(self.bits), gather(self.bits >> 1));
        Edges {
            west: edge(longitude, MAX_LONGITUDE),
            east: edge(longitude.wrapping_add(1), MAX_LONGITUDE),
            south: edge(latitude, MAX_LATITUDE),
            north: edge(latitude.wrapping_add(1), MAX_LATITUDE),
        }
    }

    /// The place in the middle.
    pub(super) fn center(self) -> Point {
        let edges = self.edges();
        Point {
            longitude: ((edges.west + edges.east) / 2.0).clamp(-MAX_LONGITUDE, MAX_LONGITUDE),
            latitude: ((edges.south + edges.north) / 2.0).clamp(-MAX_LATITUDE, MAX_LATITUDE),
        }
    }

    /// The neighbour so many cells to the east and to the north, each -1, 0 or 1. The map has no edges here.
    pub(super) fn neighbour(self, east: i32, north: i32) -> Self {
        let shift = 64 - self.step * 2;
        let mut longitude = self.bits & LONGITUDE_BITS;
        let mut latitude = self.bits & LATITUDE_BITS;
        // Filling the bits between lets a carry run through them.
        let (between_longitude, between_latitude) =
            (LATITUDE_BITS >> shift, LONGITUDE_BITS >> shift);
        match east {
            0 => {}
            1.. => longitude = longitude.wrapping_add(between_longitude + 1),
            _ => longitude = (longitude | between_longitude).wrapping_sub(between_longitude + 1),
        }
        match north {
            0 => {}
            1.. => latitude = latitude.wrapping_add(between_latitude.wrapping_add(1)),
            _ => {
                latitude =
                    (latitude | between_latitude).wrapping_sub(between_latitude.wrapping_add(1));
            }
        }
        if east != 0 {
            longitude &= LONGITUDE_BITS >> shift;
        }
        if north != 0 {
            latitude &= LATITUDE_BITS >> shift;
        }
        Self {
            bits: longitude | latitude,
            step: self.step,
        }
    }

    /// The scores of all places in the cell: the first, and the first behind.
    pub fn scores(self) -> (f64, f64) {
        let shift = 52 - self.step * 2;
        (
            (self.bits << shift) as f64,
            ((self.bits + 1) << shift) as f64,
        )
    }
}
