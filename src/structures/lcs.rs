//! The longest common subsequence of two strings, worked out in steps that end soon.
//!
//! Dynamic programming over all pairs of positions. Only one row of lengths is kept; where the way back needs to know
//! more, one bit per pair says in which direction it goes on.

use bytes::Bytes;

/// Pairs of positions, the border included; what Redis's limit on memory is about.
pub fn cells(a: &[u8], b: &[u8]) -> u128 {
    (a.len() as u128 + 1) * (b.len() as u128 + 1)
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// How long the subsequence is.
    Length,
    /// The subsequence itself.
    Runs,
}

/// A stretch of the subsequence that is contiguous in both strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Where it begins in the first string.
    pub a: usize,
    /// Where it begins in the second string.
    pub b: usize,
    /// How long it is.
    pub len: usize,
}

/// A search for the longest common subsequence.
pub struct Lcs {
    a: Bytes,
    b: Bytes,
    /// Whether rows go along the first string: they go along the shorter one.
    along_a: bool,
    /// Rows done.
    done: usize,
    /// Lengths of the row last done.
    row: Vec<u32>,
    /// One bit per pair, row by row: whether the way back goes to the byte before in the first string, where the two bytes
    /// differ.
    ways: Vec<u64>,
    goal: Goal,
}

impl Lcs {
    /// Prepares the search.
    pub fn new(a: Bytes, b: Bytes, goal: Goal) -> Self {
        let along_a = a.len() < b.len();
        let ways = match goal {
            Goal::Length => 0,
            Goal::Runs => (a.len() * b.len()).div_ceil(64),
        };
        Self {
            row: vec![0; a.len().min(b.len()) + 1],
            ways: vec![0; ways],
            along_a,
            done: 0,
            goal,
            a,
            b,
        }
    }

    /// The string across the rows, the one along them.
    fn sides(&self) -> (&Bytes, &Bytes) {
        match self.along_a {
            true => (&self.b, &self.a),
            false => (&self.a, &self.b),
        }
    }

    /// Works through about so many pairs; true when all is done.
    pub fn step(&mut self, pairs: usize) -> bool {
        let (across, along) = (self.sides().0.clone(), self.sides().1.clone());
        let rows = pairs / along.len().max(1) + 1;
        let end = across.len().min(self.done.saturating_add(rows));
        for row in self.done..end {
            match self.goal {
                Goal::Length => self.fill(across[row], &along, |_, _| ()),
                Goal::Runs => {
                    let (first, along_a) = (row * along.len(), self.along_a);
                    let mut ways = std::mem::take(&mut self.ways);
                    self.fill(across[row], &along, |at, order| {
                        let is_up = if along_a {
                            order.is_lt()
                        } else {
                            order.is_gt()
                        };
                        ways[(first + at) / 64] |= u64::from(is_up) << ((first + at) % 64);
                    });
                    self.ways = ways;
                }
            }
        }
        self.done = end;
        end == across.len()
    }

    /// Works out one row; shows for each position how the length without this row's byte compares to the one without the
    /// position's.
    fn fill(&mut self, byte: u8, along: &[u8], mut show: impl FnMut(usize, std::cmp::Ordering)) {
        let (mut diagonal, mut left) = (0, 0);
        for (at, (&other, slot)) in along.iter().zip(&mut self.row[1..]).enumerate() {
            let above = *slot;
            if byte == other {
                left = diagonal + 1;
            } else {
                show(at, above.cmp(&left));
                left = left.max(above);
            }
            *slot = left;
            diagonal = above;
        }
    }

    /// The length; known when all is done.
    pub fn len(&self) -> usize {
        self.row.last().map_or(0, |&len| len as usize)
    }

    /// Whether the strings have no byte in common.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The runs of the subsequence from the last to the first. Of several subsequences of the same length it is the one
    /// that Redis finds.
    pub fn runs(&self) -> Vec<Run> {
        let (mut i, mut j, mut runs) = (self.a.len(), self.b.len(), Vec::new());
        while i > 0 && j > 0 {
            if self.a[i - 1] != self.b[j - 1] {
                match self.goes_up(i - 1, j - 1) {
                    true => i -= 1,
                    false => j -= 1,
                }
                continue;
            }
            let matching = self.a[..i].iter().rev().zip(self.b[..j].iter().rev());
            let len = matching.take_while(|(a, b)| a == b).count();
            (i, j) = (i - len, j - len);
            runs.push(Run { a: i, b: j, len });
        }
        runs
    }

    fn goes_up(&self, i: usize, j: usize) -> bool {
        let at = match self.along_a {
            true => j * self.a.len() + i,
            false => i * self.b.len() + j,
        };
        self.ways
            .get(at / 64)
            .is_some_and(|ways| ways >> (at % 64) & 1 == 1)
    }

    /// The subsequence itself.
    pub fn text(&self) -> Vec<u8> {
        let runs = self.runs();
        let parts = runs.iter().rev().map(|run| &self.a[run.a..run.a + run.len]);
        parts.collect::<Vec<_>>().concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn solve(a: &[u8], b: &[u8], goal: Goal, pairs: usize) -> Lcs {
        let mut lcs = Lcs::new(Bytes::copy_from_slice(a), Bytes::copy_from_slice(b), goal);
        while !lcs.step(pairs) {}
        lcs
    }

    /// The definition, with a full table and the way back that Redis takes.
    fn naive(a: &[u8], b: &[u8]) -> (Vec<u8>, Vec<Run>) {
        let mut table = vec![vec![0u32; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                table[i][j] = if a[i - 1] == b[j - 1] {
                    table[i - 1][j - 1] + 1
                } else {
                    table[i - 1][j].max(table[i][j - 1])
                };
            }
        }
        let (mut i, mut j) = (a.len(), b.len());
        let (mut text, mut runs): (Vec<u8>, Vec<Run>) = (Vec::new(), Vec::new());
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                text.insert(0, a[i]);
                match runs
                    .last_mut()
                    .filter(|run| (run.a, run.b) == (i + 1, j + 1))
                {
                    Some(run) => {
                        *run = Run {
                            a: i,
                            b: j,
                            len: run.len + 1,
                        }
                    }
                    None => runs.push(Run { a: i, b: j, len: 1 }),
                }
            } else if table[i - 1][j] > table[i][j - 1] {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        (text, runs)
    }

    #[test]
    fn the_documented_example() {
        let lcs = solve(b"ohmytext", b"mynewtext", Goal::Runs, 1);
        assert_eq!((lcs.text(), lcs.len()), (b"mytext".to_vec(), 6));
        let [last, first] = lcs.runs()[..] else {
            panic!("two runs")
        };
        assert_eq!(last, Run { a: 4, b: 5, len: 4 });
        assert_eq!(first, Run { a: 2, b: 0, len: 2 });
        assert!(solve(b"", b"abc", Goal::Length, 1).is_empty());
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(a in "[abc]{0,40}", b in "[abc]{0,40}", pairs in 1usize..200) {
            let (text, runs) = naive(a.as_bytes(), b.as_bytes());
            let lcs = solve(a.as_bytes(), b.as_bytes(), Goal::Runs, pairs);
            prop_assert_eq!(lcs.len(), text.len());
            prop_assert_eq!(lcs.text(), text);
            prop_assert_eq!(lcs.runs(), runs);
            let length = solve(a.as_bytes(), b.as_bytes(), Goal::Length, pairs);
            prop_assert_eq!(length.len(), lcs.len());
        }
    }
}
