//! From registers to a count: Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches",
//! arXiv:1702.01284.

use super::hash::REST_BITS;
use super::{REGISTERS, Registers};

/// Values that a register can have.
pub(super) const VALUES: usize = 64;
/// How many registers have each value.
pub(super) type Histogram = [u32; VALUES];

/// 0.5 / ln 2.
const ALPHA: f64 = 0.721_347_520_444_481_7;
/// The greatest value that an element can give to a register.
const GREATEST: usize = REST_BITS as usize + 1;

/// The count that registers stand for.
pub fn estimate(registers: &Registers) -> i64 {
    let mut histogram = [0; VALUES];
    for value in registers {
        histogram[usize::from(*value) % VALUES] += 1;
    }
    of_histogram(&histogram)
}

pub(super) fn of_histogram(histogram: &Histogram) -> i64 {
    let all = REGISTERS as f64;
    let share = |value: usize| f64::from(histogram[value]) / all;
    let mut sum = all * tau(1.0 - share(GREATEST));
    for value in (1..GREATEST).rev() {
        sum = (sum + f64::from(histogram[value])) * 0.5;
    }
    sum += all * sigma(share(0));
    let estimate = (ALPHA * all * all / sum).round();
    // Registers that no element has set may stand for no number at all; Redis makes the least integer of that.
    if estimate.is_finite() && estimate < i64::MAX as f64 {
        estimate as i64
    } else {
        i64::MIN
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if before == z {
            return z / 3.0;
        }
    }
}
