//! Elements and what they are compared by, all in one piece of memory.

use std::cmp::Ordering;
use std::ops::Range;

use super::no_number;
use super::options::Options;
use crate::base::numbers::{parse_f64, parse_i64};
use crate::engine::CommandError;
use crate::structures::listpack::Item;

/// One element: where its bytes are, and what it is compared by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// The number that it is compared by.
    score: f64,
    start: usize,
    len: usize,
    /// The text that it is compared by, if there is one.
    weight: Option<(usize, usize)>,
}

/// The elements.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: Vec<Row>,
    bytes: Vec<u8>,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn reserve(&mut self, count: usize) {
        self.rows.reserve(count);
    }

    /// Adds an element. Numbers need not be read from their text again.
    #[inline]
    pub fn add(&mut self, item: Item<'_>) {
        let score = match item {
            Item::Int(number) => number as f64,
            Item::Str(_) => f64::NAN,
        };
        let start = self.bytes.len();
        self.bytes
            .extend_from_slice(item.as_bytes(&mut itoa::Buffer::new()));
        self.rows.push(Row {
            score,
            start,
            len: self.bytes.len() - start,
            weight: None,
        });
    }

    pub fn element(&self, at: usize) -> &[u8] {
        self.text(&self.rows[at])
    }

    #[inline]
    pub fn text(&self, row: &Row) -> &[u8] {
        &self.bytes[row.start..row.start + row.len]
    }

    /// Reads as numbers what is to be compared as numbers.
    pub fn weigh_elements(&mut self) -> Result<(), CommandError> {
        let Self { rows, bytes } = self;
        for row in rows {
            if row.score.is_nan() {
                row.score = number(&bytes[row.start..row.start + row.len])?;
            }
        }
        Ok(())
    }

    /// Sets what an element is compared by.
    pub fn set_weight(
        &mut self,
        at: usize,
        weight: &[u8],
        is_alpha: bool,
    ) -> Result<(), CommandError> {
        let row = &mut self.rows[at];
        if is_alpha {
            row.weight = Some((self.bytes.len(), weight.len()));
            self.bytes.extend_from_slice(weight);
        } else {
            row.score = number(weight)?;
        }
        Ok(())
    }

    /// An element that nothing is known of counts as 0, or as less than any text.
    pub fn clear_weight(&mut self, at: usize) {
        self.rows[at].score = 0.0;
    }

    /// Puts those rows into their places that are wanted.
    pub fn sort(&mut self, options: &Options<'_>, wanted: Range<usize>) {
        let Self { rows, bytes } = self;
        let bytes = &*bytes;
        let text = |row: &Row| &bytes[row.start..row.start + row.len];
        let compare = |one: &Row, other: &Row| {
            let order = if !options.is_alpha {
                let by_score = one.score.partial_cmp(&other.score);
                by_score
                    .unwrap_or(Ordering::Equal)
                    .then_with(|| text(one).cmp(text(other)))
            } else if options.by.is_some() {
                let weight = |row: &Row| row.weight.map(|(at, len)| &bytes[at..at + len]);
                weight(one).cmp(&weight(other))
            } else {
                text(one).cmp(text(other))
            };
            if options.is_descending {
                order.reverse()
            } else {
                order
            }
        };
        if wanted.is_empty() {
            return;
        }
        let rows = match wanted.end < rows.len() {
            // The rest need not be in order.
            true => {
                rows.select_nth_unstable_by(wanted.end, compare);
                &mut rows[..wanted.end]
            }
            false => &mut rows[..],
        };
        match options.is_alpha && options.by.is_some() {
            true => rows.sort_by(compare),
            false => rows.sort_unstable_by(compare),
        }
    }

    pub fn part(&self, wanted: Range<usize>) -> &[Row] {
        &self.rows[wanted]
    }
}

/// Reads a number as C does: space before it, and whatever stands behind a zero byte, do not matter; too big or too small is
/// none.
fn number(text: &[u8]) -> Result<f64, CommandError> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Ok(0.0);
    }
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().take_while(|byte| is_space(byte)).count();
    let text = &text[start..];
    if let Some(integer) = parse_i64(text) {
        return Ok(integer as f64);
    }
    let value = parse_f64(text).ok_or_else(no_number)?;
    let mut digits = text
        .iter()
        .take_while(|byte| !byte.eq_ignore_ascii_case(&b'e'));
    let is_lost = value.abs() < f64::MIN_POSITIVE && digits.any(|byte| matches!(byte, b'1'..=b'9'));
    match is_lost {
        true => Err(no_number()),
        false => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, expected) in [
            ("", Some(0.0)),
            ("12", Some(12.0)),
            (" +1.5e1", Some(15.0)),
            ("-0", Some(-0.0)),
            ("0x10", Some(16.0)),
            ("inf", Some(f64::INFINITY)),
            ("7\0abc", Some(7.0)),
            ("1 ", None),
            (" ", None),
            ("abc", None),
            ("nan", None),
            ("1e400", None),
            ("1e-400", None),
        ] {
            assert_eq!(number(text.as_bytes()).ok(), expected, "{text:?}");
        }
    }
}
