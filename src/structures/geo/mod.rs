//! Places on the earth as numbers of 52 bits: longitude and latitude, 26 bits each, bit by bit in turn. Near places mostly
//! have near numbers, so that a range of scores is a box on the map.
//!
//! `cell` has the boxes, `search` what covers a circle or a rectangle, `polygon` Valkey's polygons; all of it agrees with Redis to the last bit.

mod cell;
mod polygon;
mod search;

use std::f64::consts::PI;

pub use cell::{Cell, standard_hash};
pub use polygon::Polygon;
pub use search::{Area, Shape};

/// Bits of each coordinate.
const MAX_STEP: u32 = 26;
/// Longitudes reach from minus this to this.
pub const MAX_LONGITUDE: f64 = 180.0;
/// Latitudes reach from minus this to this: the poles are not on the map.
pub const MAX_LATITUDE: f64 = 85.051_128_78;
/// Quadratic mean radius of the earth.
const EARTH_RADIUS_M: f64 = 6_372_797.560_856;

fn radians(degrees: f64) -> f64 {
    degrees * (PI / 180.0)
}

fn degrees(radians: f64) -> f64 {
    radians / (PI / 180.0)
}

/// A place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Degrees to the east.
    pub longitude: f64,
    /// Degrees to the north.
    pub latitude: f64,
}

impl Point {
    /// Whether the place is on the map.
    pub fn is_valid(self) -> bool {
        (-MAX_LONGITUDE..=MAX_LONGITUDE).contains(&self.longitude)
            && (-MAX_LATITUDE..=MAX_LATITUDE).contains(&self.latitude)
    }

    /// The score that stands for a place on the map.
    pub fn score(self) -> f64 {
        Cell::around(self, MAX_STEP).bits as f64
    }

    /// The place that a score stands for, whatever the score is.
    pub fn of_score(score: f64) -> Self {
        let cell = Cell {
            bits: to_bits(score),
            step: MAX_STEP,
        };
        cell.center()
    }

    /// Metres to another place, along a great circle.
    pub fn distance(self, other: Self) -> f64 {
        let half = ((radians(other.longitude) - radians(self.longitude)) / 2.0).sin();
        if half == 0.0 {
            return latitude_distance(self.latitude, other.latitude);
        }
        let (from, to) = (radians(self.latitude), radians(other.latitude));
        haversine(from, from.cos(), to, half)
    }
}

/// Metres between two latitudes.
fn latitude_distance(from: f64, to: f64) -> f64 {
    EARTH_RADIUS_M * (radians(to) - radians(from)).abs()
}

/// Metres between two latitudes in radians; `half` is the sine of half the difference of the longitudes.
#[inline]
fn haversine(from: f64, from_cos: f64, to: f64, half: f64) -> f64 {
    let u = ((to - from) / 2.0).sin();
    let a = u * u + from_cos * to.cos() * half * half;
    2.0 * EARTH_RADIUS_M * a.sqrt().asin()
}

/// A double as C converts it to an unsigned integer: a score need not come from this file.
fn to_bits(score: f64) -> u64 {
    const TOP: f64 = 9_223_372_036_854_775_808.0;
    let whole = |score: f64| match (-TOP..TOP).contains(&score) {
        true => score as i64 as u64,
        false => 1 << 63,
    };
    match score >= TOP {
        true => whole(score - TOP) ^ (1 << 63),
        false => whole(score),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PALERMO: Point = Point {
        longitude: 13.361389,
        latitude: 38.115556,
    };
    const CATANIA: Point = Point {
        longitude: 15.087269,
        latitude: 37.502669,
    };

    #[test]
    fn known_places_have_known_numbers() {
        assert_eq!(PALERMO.score(), 3_479_099_956_230_698.0);
        assert_eq!(CATANIA.score(), 3_479_447_370_796_909.0);
        let (from, to) = (PALERMO.score(), CATANIA.score());
        let distance = Point::of_score(from).distance(Point::of_score(to));
        assert_eq!(format!("{distance:.4}"), "166274.1516");
        assert_eq!(&standard_hash(Point::of_score(from)), b"sqc8b49rny0");
    }

    #[test]
    fn odd_scores_are_places_too() {
        for score in [
            -1.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e300,
            0.5,
            -0.0,
            1.8e19,
        ] {
            assert!(Point::of_score(score).is_valid(), "{score}");
        }
    }

    proptest! {
        #[test]
        fn places_come_back_nearly_as_they_were(longitude in -180.0..180.0f64, latitude in -85.0..85.0f64) {
            let point = Point { longitude, latitude };
            prop_assert!(Point::of_score(point.score()).distance(point) < 0.6);
        }

        #[test]
        fn a_search_misses_nothing(
            (longitude, latitude) in (-180.0..180.0f64, -80.0..80.0f64),
            (east, north) in (-1.0..1.0f64, -1.0..1.0f64),
            size in prop_oneof![1.0..1_000.0f64, 1e3..1e6f64],
            is_box: bool,
        ) {
            let center = Point { longitude, latitude };
            let point = Point { longitude: longitude + east * size / 1e5, latitude: latitude + north * size / 1e5 };
            prop_assume!(point.is_valid());
            let shape = match is_box {
                true => Shape::Box { width: size * 2.0, height: size },
                false => Shape::Circle { radius: size },
            };
            let point = Point::of_score(point.score());
            let area = Area::new(center, shape, 1.0);
            let within = match is_box {
                true => {
                    let across = Point { latitude: point.latitude, ..center };
                    across.distance(point) <= size && latitude_distance(latitude, point.latitude) <= size / 2.0
                }
                false => center.distance(point) <= size,
            };
            let distance = center.distance(point);
            prop_assert_eq!(area.distance_within(point), within.then_some(distance));
        }
    }
}
