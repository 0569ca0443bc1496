//! A graph of samples in plain characters, with their ages written downwards below them.

use super::latency::Series;

/// Lines of the graph.
const ROWS: usize = 4;
/// Samples beside each other; more go below.
const COLUMNS: usize = 80;
/// How much of a line's height a sample fills, from little to all.
const LEVELS: [u8; 3] = *b"_o#";

/// Draws a series as of a time in Unix seconds.
pub fn draw(event: &str, series: &Series, now: i64) -> String {
    let latencies = || series.samples.iter().map(|sample| sample.latency);
    let high = latencies().max().unwrap_or(0);
    let low = latencies().min().unwrap_or(0);
    let mut out = format!(
        "{event} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        series.worst,
        "-".repeat(COLUMNS)
    );
    for (number, samples) in series.samples.chunks(COLUMNS).enumerate() {
        if number > 0 {
            out.push('\n');
        }
        let steps: Vec<usize> = samples
            .iter()
            .map(|sample| step(sample.latency - low, high - low))
            .collect();
        for row in (0..ROWS).rev() {
            push_line(&mut out, steps.iter().map(|&step| character(step, row)));
        }
        push_labels(
            &mut out,
            samples.iter().map(|sample| age(now - sample.time)),
        );
    }
    out
}

/// How high a sample stands, in levels of all rows.
fn step(above_low: u64, range: u64) -> usize {
    let steps = (LEVELS.len() * ROWS) as u64;
    let step = above_low * steps / range.max(1);
    step.min(steps - 1) as usize
}

fn character(step: usize, row: usize) -> u8 {
    match step.checked_sub(row * LEVELS.len()) {
        None => b' ',
        Some(level) => *LEVELS.get(level).unwrap_or(&b'|'),
    }
}

fn push_line(out: &mut String, characters: impl Iterator<Item = u8>) {
    out.extend(characters.map(char::from));
    out.push('\n');
}

fn push_labels(out: &mut String, labels: impl Iterator<Item = String>) {
    let labels: Vec<String> = labels.collect();
    push_line(out, labels.iter().map(|_| b' '));
    let longest = labels.iter().map(String::len).max().unwrap_or(0);
    for at in 0..longest {
        let characters = labels.iter();
        push_line(
            out,
            characters.map(|label| *label.as_bytes().get(at).unwrap_or(&b' ')),
        );
    }
}

/// How long ago something was.
fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::latency::Sample;

    #[test]
    fn high_samples_stand_on_bars() {
        let samples = [(990, 300), (880, 400), (1000, 500)];
        let samples = samples.map(|(time, latency)| Sample { time, latency });
        let series = Series {
            samples: samples.to_vec(),
            worst: 900,
        };
        let line = "-".repeat(80);
        let expected = format!(
            "command - high 500 ms, low 300 ms (all time high 900 ms)\n{line}\n  #\n _|\n ||\n_||\n   \n120\n0ms\ns  \n"
        );
        let drawn = draw("command", &series, 1000);
        assert_eq!(drawn, expected);
    }

    #[test]
    fn many_samples_take_several_blocks() {
        let samples = (0..100).map(|time| Sample { time, latency: 7 }).collect();
        let series = Series { samples, worst: 7 };
        let drawn = draw("x", &series, 100);
        assert!(drawn.contains(&format!("{}\n", "_".repeat(80))));
        assert!(drawn.contains(&format!("{}\n", "_".repeat(20))));
    }
}
