//! LOLWUT: a flake of rust, another one each time, and the version.

use crate::base::random;
use crate::base::version::{OXIDIS_VERSION, REDIS_VERSION};
use crate::engine::{Call, Command, CommandResult, Group, flags::*};

/// Dots from the flake's centre to its edge.
const RADIUS: i32 = 16;
const SIDE: usize = 2 * RADIUS as usize;
/// Grains that drift in until they stick.
const GRAINS: usize = 60;

/// A square of dots, printed as braille characters of two by four.
struct Canvas([[bool; SIDE]; SIDE]);

impl Canvas {
    fn has(&self, x: i32, y: i32) -> bool {
        let (column, row) = ((x + RADIUS) as usize, (y + RADIUS) as usize);
        self.0
            .get(row)
            .and_then(|row| row.get(column))
            .is_some_and(|&dot| dot)
    }

    /// Sets a dot and its seven mirror images.
    fn set(&mut self, x: i32, y: i32) {
        for (x, y) in [(x, y), (y, x)] {
            for (x, y) in [(x, y), (-x, y), (x, -y), (-x, -y)] {
                let (column, row) = ((x + RADIUS) as usize, (y + RADIUS) as usize);
                if let Some(dot) = self.0.get_mut(row).and_then(|row| row.get_mut(column)) {
                    *dot = true;
                }
            }
        }
    }

    fn has_neighbour(&self, x: i32, y: i32) -> bool {
        (-1..=1).any(|dx| (-1..=1).any(|dy| self.has(x + dx, y + dy)))
    }

    /// A flake grown by grains that wander about from the edge until they touch it.
    fn grown() -> Self {
        let mut canvas = Self([[false; SIDE]; SIDE]);
        canvas.set(0, 0);
        for _ in 0..GRAINS {
            let (mut x, mut y) = (RADIUS - 1, random::below(RADIUS as u64) as i32);
            while !canvas.has_neighbour(x, y) {
                // Towards the centre more often than not, so that every grain arrives.
                let step = |at: i32| match random::below(4) {
                    0 => (at + 1).min(RADIUS - 1),
                    1 | 2 => (at - 1).max(0),
                    _ => at,
                };
                (x, y) = (step(x), step(y));
            }
            canvas.set(x, y);
        }
        canvas
    }

    fn print(&self) -> String {
        let mut text = String::new();
        for rows in self.0.chunks(4) {
            for column in (0..SIDE).step_by(2) {
                // Unicode numbers a character's dots down the columns, the lowest row last.
                const BITS: [[u32; 2]; 4] =
                    [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
                let dots = rows.iter().zip(BITS);
                let bits = dots.map(|(row, [left, right])| {
                    u32::from(row[column]) * left + u32::from(row[column + 1]) * right
                });
                text.push(char::from_u32(0x2800 + bits.sum::<u32>()).unwrap_or(' '));
            }
            text.push('\n');
        }
        text
    }
}

fn lolwut(call: &mut Call) -> CommandResult {
    if call.args.is(1, "VERSION") && call.args.len() >= 3 {
        // One picture for all versions.
        call.integer(2)?;
    }
    let picture = Canvas::grown().print();
    let text = format!(
        "{picture}\nRust never sleeps. Redis ver. {REDIS_VERSION}, Oxidis ver. {OXIDIS_VERSION}\n"
    );
    call.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// LOLWUT.
pub(super) const LOLWUT: Command =
    Command::new("LOLWUT", Group::Server, "[VERSION version]", lolwut)
        .flags(READONLY | FAST)
        .docs("5.0.0", "O(1)", "Draws something, and tells the version.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flake_is_symmetric() {
        let canvas = Canvas::grown();
        for (x, y) in (1 - RADIUS..RADIUS).flat_map(|x| (1 - RADIUS..RADIUS).map(move |y| (x, y))) {
            assert_eq!(canvas.has(x, y), canvas.has(-x, y));
            assert_eq!(canvas.has(x, y), canvas.has(y, x));
        }
        assert_eq!(canvas.print().lines().count(), SIDE / 4);
    }
}
