//! Sorted sets as the commands that make them.

use super::Encoder;
use crate::base::numbers::{FloatText, format_f64};
use crate::structures::sorted_set::SortedSet;

/// Members that one command adds at most.
const BATCH: usize = 64;

impl Encoder {
    /// Adds the commands that make a sorted set.
    pub(super) fn sorted_set(&mut self, key: &[u8], set: &SortedSet) {
        let mut entries = set.iter().map(|(member, score)| {
            let member = member.as_bytes(&mut itoa::Buffer::new()).to_vec();
            (format_f64(score), member)
        });
        while entries.len() > 0 {
            let batch: Vec<(FloatText, Vec<u8>)> = entries.by_ref().take(BATCH).collect();
            let pairs = batch
                .iter()
                .flat_map(|(score, member)| [&score[..], member]);
            let args: Vec<&[u8]> = [&b"ZADD"[..], key].into_iter().chain(pairs).collect();
            self.command(&args);
        }
    }
}
