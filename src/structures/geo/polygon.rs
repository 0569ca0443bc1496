//! A polygon on the map: its sides are straight lines between longitudes and latitudes.

use super::{Area, Point, Shape};

/// What lies between these corners.
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon {
    corners: Vec<Point>,
}

impl Polygon {
    /// The polygon of at least three corners, in their order.
    pub fn new(corners: Vec<Point>) -> Self {
        Self { corners }
    }

    /// The middle of the corners.
    pub fn center(&self) -> Point {
        let count = self.corners.len().max(1) as f64;
        let sum = |part: fn(&Point) -> f64| self.corners.iter().map(part).sum::<f64>();
        Point {
            longitude: sum(|corner| corner.longitude) / count,
            latitude: sum(|corner| corner.latitude) / count,
        }
    }

    /// Whether a place is within: a ray from there to the east crosses an odd number of sides.
    pub fn contains(&self, point: Point) -> bool {
        let mut is_within = false;
        let mut last = self.corners.len().saturating_sub(1);
        for (at, &to) in self.corners.iter().enumerate() {
            let from = self.corners[last];
            last = at;
            if (from.latitude > point.latitude) == (to.latitude > point.latitude) {
                continue;
            }
            let share = (point.latitude - from.latitude) / (to.latitude - from.latitude);
            let crossing = from.longitude + share * (to.longitude - from.longitude);
            is_within ^= point.longitude < crossing;
        }
        is_within
    }

    /// A rectangle around it, in metres.
    pub fn frame(&self) -> Area {
        let ends = |part: fn(&Point) -> f64| {
            let parts = self.corners.iter().map(part);
            parts.fold((f64::MAX, f64::MIN), |(min, max), part| {
                (min.min(part), max.max(part))
            })
        };
        let (west, east) = ends(|corner| corner.longitude);
        let (south, north) = ends(|corner| corner.latitude);
        let center = Point {
            longitude: (west + east) / 2.0,
            latitude: (south + north) / 2.0,
        };
        // A degree of longitude is longest at the equator.
        let widest = 0.0_f64.clamp(south, north);
        let middle = Point {
            latitude: widest,
            ..center
        };
        let corner = |longitude, latitude| Point {
            longitude,
            latitude,
        };
        let slack = 1.001;
        let shape = Shape::Box {
            width: middle.distance(corner(east, widest)) * 2.0 * slack,
            height: center.distance(corner(center.longitude, north)) * 2.0 * slack,
        };
        Area::new(center, shape, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(longitude: f64, latitude: f64) -> Point {
        Point {
            longitude,
            latitude,
        }
    }

    #[test]
    fn what_is_within() {
        let bay = [
            (0.0, 0.0),
            (10.0, 0.0),
            (10.0, 10.0),
            (5.0, 2.0),
            (0.0, 10.0),
        ];
        let bay = Polygon::new(bay.into_iter().map(|(x, y)| point(x, y)).collect());
        assert!(bay.contains(point(1.0, 5.0)) && bay.contains(point(9.0, 5.0)));
        assert!(!bay.contains(point(5.0, 5.0)), "between its arms");
        assert!(!bay.contains(point(11.0, 5.0)) && !bay.contains(point(5.0, -1.0)));
        assert_eq!(bay.center(), point(5.0, 4.4));
    }

    proptest! {
        #[test]
        fn the_frame_has_all_that_is_within(
            corners in prop::collection::vec((-179.0..179.0f64, -80.0..80.0f64), 3..7),
            x in 0.0..1.0f64,
            y in 0.0..1.0f64,
        ) {
            // Half of the earth and more is beyond what a rectangle of great circles can say.
            let corners: Vec<Point> = corners.iter().map(|&(x, y)| point(x / 3.0, y)).collect();
            let polygon = Polygon::new(corners.clone());
            let mix = |a: Point, b: Point, share: f64| point(
                a.longitude + (b.longitude - a.longitude) * share,
                a.latitude + (b.latitude - a.latitude) * share,
            );
            let place = mix(mix(corners[0], corners[1], x), corners[2], y);
            if polygon.contains(place) {
                let frame = polygon.frame();
                prop_assert!(frame.distance_within(place).is_some());
                let score = place.score();
                let is_covered = frame.cells().iter().any(|cell| {
                    let (min, max) = cell.scores();
                    (min..max).contains(&score)
                });
                prop_assert!(is_covered);
            }
        }
    }
}
