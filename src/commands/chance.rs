//! What commands that choose elements by chance have in common: SRANDMEMBER, HRANDFIELD, ZRANDMEMBER.

use crate::base::numbers::parse_i64;
use crate::base::random;
use crate::engine::CommandError;

/// A reply has no more elements than this, however often they may be repeated: beyond it a client asks for more than it could
/// ever be sent.
pub(super) const MOST_REPEATS: u64 = 1 << 26;
/// Choosing from all elements is cheaper than picking single ones when more than one in so many is wanted.
pub(super) const PICK_BELOW: usize = 3;

/// How many elements are wanted; negative when they may repeat.
pub(super) fn count(text: &[u8]) -> Result<i64, CommandError> {
    let count = parse_i64(text).ok_or(CommandError::NotInteger)?;
    if count == i64::MIN {
        let (least, most) = (-i64::MAX, i64::MAX);
        return Err(CommandError::message(format!(
            "ERR value is out of range, value must between {least} and {most}"
        )));
    }
    Ok(count)
}

/// So many elements of `len`, each as likely to be among them as any other, in the order in which they come.
pub(super) fn some_of<T>(
    elements: impl Iterator<Item = T>,
    len: usize,
    wanted: usize,
) -> impl Iterator<Item = T> {
    // Each has the chance of what is still wanted among what is left.
    let (mut wanted, mut left) = (wanted as u64, len as u64);
    elements.filter(move |_| {
        let is_chosen = random::below(left) < wanted;
        left -= 1;
        wanted -= u64::from(is_chosen);
        is_chosen
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_chosen_as_are_wanted() {
        for wanted in 0..=10 {
            let chosen: Vec<_> = some_of(0..10, 10, wanted).collect();
            assert_eq!(chosen.len(), wanted);
            assert!(chosen.is_sorted());
        }
    }

    #[test]
    fn counts_have_an_opposite() {
        assert_eq!(count(b"-5").ok(), Some(-5));
        assert!(count(b"five").is_err() && count(b"-9223372036854775808").is_err());
    }
}
