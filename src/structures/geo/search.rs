//! What covers a circle or a rectangle: up to nine cells, and what of them is within.

use super::cell::Cell;
use super::{EARTH_RADIUS_M, MAX_STEP, Point, degrees, haversine, latitude_distance, radians};

/// Half the length of the equator on the map.
const MERCATOR_MAX: f64 = 20_037_726.37;
/// The neighbours in the order in which they are searched: cells to the east, cells to the north.
const NEIGHBOURS: [(i32, i32); 8] = [
    (0, 1),
    (0, -1),
    (1, 0),
    (-1, 0),
    (1, 1),
    (-1, 1),
    (1, -1),
    (-1, -1),
];

/// A shape around a place, in some unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// All that is at most so far away.
    Circle {
        /// How far.
        radius: f64,
    },
    /// All that is at most half of this away in each direction.
    Box {
        /// From west to east.
        width: f64,
        /// From south to north.
        height: f64,
    },
}

/// A shape at its place, in metres, with what is needed for each place that is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Area {
    center: Point,
    shape: Shape,
    /// Metres in one of the shape's units.
    unit: f64,
    latitude: f64,
    latitude_cos: f64,
    longitude: f64,
}

impl Area {
    /// A shape around a place; `unit` is in metres.
    pub fn new(center: Point, shape: Shape, unit: f64) -> Self {
        let latitude = radians(center.latitude);
        Self {
            center,
            shape,
            unit,
            latitude,
            latitude_cos: latitude.cos(),
            longitude: radians(center.longitude),
        }
    }

    /// Metres from the center to a place, if it is within.
    #[inline]
    pub fn distance_within(&self, point: Point) -> Option<f64> {
        match self.shape {
            Shape::Circle { radius } => {
                let radius = radius * self.unit;
                // Quicker to tell, and never more than the distance but for the last digits.
                let north = latitude_distance(self.center.latitude, point.latitude);
                if north > radius * (1.0 + 1e-9) + 1e-6 {
                    return None;
                }
                Some(self.distance(point)).filter(|distance| *distance <= radius)
            }
            Shape::Box { width, height } => {
                let north = latitude_distance(point.latitude, self.center.latitude);
                if north > height * self.unit / 2.0 {
                    return None;
                }
                let across = Point {
                    latitude: point.latitude,
                    ..self.center
                };
                if point.distance(across) > width * self.unit / 2.0 {
                    return None;
                }
                Some(self.distance(point))
            }
        }
    }

    /// [`Point::distance`] from the center.
    #[inline]
    fn distance(&self, point: Point) -> f64 {
        let half = ((radians(point.longitude) - self.longitude) / 2.0).sin();
        if half == 0.0 {
            return latitude_distance(self.center.latitude, point.latitude);
        }
        haversine(
            self.latitude,
            self.latitude_cos,
            radians(point.latitude),
            half,
        )
    }

    /// The cells that cover the area, in the order in which they are searched.
    pub fn cells(&self) -> Vec<Cell> {
        let (west, south, east, north) = self.bounds();
        let mut cell = Cell::around(self.center, self.step());
        if cell.step > 1 && !reaches(cell, west, south, east, north) {
            cell = Cell::around(self.center, cell.step - 1);
        }
        let edges = cell.edges();
        let is_needless = |(x, y): (i32, i32)| {
            cell.step >= 2
                && ((y < 0 && edges.south < south)
                    || (y > 0 && edges.north > north)
                    || (x < 0 && edges.west < west)
                    || (x > 0 && edges.east > east))
        };
        let mut cells = vec![cell];
        let mut last = None;
        for (x, y) in NEIGHBOURS.into_iter().filter(|at| !is_needless(*at)) {
            let next = cell.neighbour(x, y);
            // Few and big cells may be neighbours of each other on both sides.
            if last != Some(next) {
                cells.push(next);
                last = Some(next);
            }
        }
        cells
    }

    /// West, south, east and north end.
    fn bounds(&self) -> (f64, f64, f64, f64) {
        let (width, height) = match self.shape {
            Shape::Circle { radius } => (self.unit * radius, self.unit * radius),
            Shape::Box { width, height } => (self.unit * (width / 2.0), self.unit * (height / 2.0)),
        };
        let Point {
            longitude,
            latitude,
        } = self.center;
        let north = degrees(height / EARTH_RADIUS_M);
        // The same width spans more degrees towards a pole.
        let widest = match latitude < 0.0 {
            true => latitude - north,
            false => latitude + north,
        };
        let east = degrees(width / EARTH_RADIUS_M / radians(widest).cos());
        (
            longitude - east,
            latitude - north,
            longitude + east,
            latitude + north,
        )
    }

    /// How fine cells may be so that nine of them cover the area, mostly.
    fn step(&self) -> u32 {
        let reach = match self.shape {
            Shape::Circle { radius } => radius,
            Shape::Box { width, height } => {
                let (width, height) = (width / 2.0, height / 2.0);
                (width * width + height * height).sqrt()
            }
        };
        let mut reach = reach * self.unit;
        if reach == 0.0 {
            return MAX_STEP;
        }
        let mut step = 1;
        while reach < MERCATOR_MAX {
            reach *= 2.0;
            step += 1;
        }
        step -= 2;
        // Towards the poles a cell is narrower.
        let latitude = self.center.latitude.abs();
        step -= i32::from(latitude > 66.0) + i32::from(latitude > 80.0);
        step.clamp(1, MAX_STEP as i32) as u32
    }
}

/// Whether a cell and its neighbours reach to all of these ends.
fn reaches(cell: Cell, west: f64, south: f64, east: f64, north: f64) -> bool {
    let edges = |x, y| cell.neighbour(x, y).edges();
    edges(0, 1).north >= north
        && edges(0, -1).south <= south
        && edges(1, 0).east >= east
        && edges(-1, 0).west <= west
}
