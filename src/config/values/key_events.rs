//! `notify-keyspace-events`: the classes of keyspace events that are published.

use crate::config::rule::{Reason, Rule, Setting, only};

/// A set of classes of keyspace events, and the channels on which they are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyEvents(u16);

impl KeyEvents {
    /// `K`: published on `__keyspace@db__:key`.
    pub const KEYSPACE: KeyEvents = KeyEvents(1 << 0);
    /// `E`: published on `__keyevent@db__:event`.
    pub const KEYEVENT: KeyEvents = KeyEvents(1 << 1);
    /// `g`: commands for any type, such as DEL and EXPIRE.
    pub const GENERIC: KeyEvents = KeyEvents(1 << 2);
    /// `$`: strings.
    pub const STRING: KeyEvents = KeyEvents(1 << 3);
    /// `l`: lists.
    pub const LIST: KeyEvents = KeyEvents(1 << 4);
    /// `s`: sets.
    pub const SET: KeyEvents = KeyEvents(1 << 5);
    /// `h`: hashes.
    pub const HASH: KeyEvents = KeyEvents(1 << 6);
    /// `z`: sorted sets.
    pub const SORTED_SET: KeyEvents = KeyEvents(1 << 7);
    /// `x`: keys whose time to live has passed.
    pub const EXPIRED: KeyEvents = KeyEvents(1 << 8);
    /// `e`: keys evicted for want of memory.
    pub const EVICTED: KeyEvents = KeyEvents(1 << 9);
    /// `t`: streams.
    pub const STREAM: KeyEvents = KeyEvents(1 << 10);
    /// `d`: types that a module defines.
    pub const MODULE: KeyEvents = KeyEvents(1 << 11);
    /// `n`: keys that did not exist before. Not part of `A`.
    pub const NEW: KeyEvents = KeyEvents(1 << 12);
    /// `m`: keys that were looked for and did not exist. Not part of `A`.
    pub const MISS: KeyEvents = KeyEvents(1 << 13);
    /// Never configured: changed keys are broadcast to clients that track by prefix.
    pub const BROADCAST: KeyEvents = KeyEvents(1 << 15);
    /// `A`: `g$lshzxetd`.
    pub const ALL: KeyEvents = KeyEvents(0b1111_1111_1100);

    /// The letters, in the order in which Redis prints them; `A` comes first when all of its
    /// classes are there.
    const LETTERS: [(char, KeyEvents); 14] = [
        ('g', Self::GENERIC),
        ('$', Self::STRING),
        ('l', Self::LIST),
        ('s', Self::SET),
        ('h', Self::HASH),
        ('z', Self::SORTED_SET),
        ('x', Self::EXPIRED),
        ('e', Self::EVICTED),
        ('t', Self::STREAM),
        ('d', Self::MODULE),
        ('n', Self::NEW),
        ('K', Self::KEYSPACE),
        ('E', Self::KEYEVENT),
        ('m', Self::MISS),
    ];

    /// Whether every class of `other` is in this set.
    pub const fn contains(self, other: KeyEvents) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether no class is published.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether some class is published, rather than just broadcast.
    #[inline]
    pub const fn has_events(self) -> bool {
        self.0 & !Self::BROADCAST.0 != 0
    }

    /// The classes of both sets.
    pub const fn with(self, other: KeyEvents) -> KeyEvents {
        KeyEvents(self.0 | other.0)
    }

    fn letters(self) -> String {
        let all = self.contains(Self::ALL);
        let told = |class: KeyEvents| self.contains(class) && !(all && Self::ALL.contains(class));
        let letters = Self::LETTERS
            .iter()
            .filter(|(_, class)| told(*class))
            .map(|(letter, _)| *letter);
        all.then_some('A').into_iter().chain(letters).collect()
    }

    fn of_letter(letter: char) -> Option<KeyEvents> {
        if letter == 'A' {
            return Some(Self::ALL);
        }
        Self::LETTERS
            .iter()
            .find(|(known, _)| *known == letter)
            .map(|(_, class)| *class)
    }
}

impl Setting for KeyEvents {
    fn read(&mut self, words: &[&str], _: &Rule) -> Result<(), Reason> {
        let classes: Option<Vec<KeyEvents>> =
            only(words).chars().map(KeyEvents::of_letter).collect();
        let classes = classes.ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
        *self = classes
            .into_iter()
            .fold(KeyEvents::default(), KeyEvents::with);
        Ok(())
    }

    // Redis leaves `n` out when it shows `A`. The file must not lose it.
    fn shown(&self, _: &Rule) -> String {
        let hidden = if self.contains(Self::ALL) {
            Self::NEW
        } else {
            KeyEvents::default()
        };
        KeyEvents(self.0 & !hidden.0).letters()
    }

    fn written(&self, _: &Rule) -> Vec<String> {
        vec![format!("\"{}\"", self.letters())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_and_printed_in_redis_order() {
        let cases = [
            ("", ""),
            ("KEA", "AKE"),
            ("mKg$", "g$Km"),
            ("td$lshzxegE", "AE"),
            ("xxE", "xE"),
            ("nK", "nK"),
        ];
        for (given, shown) in cases {
            let mut events = KeyEvents::default();
            assert_eq!(events.read(&[given], &Rule::Own), Ok(()));
            assert_eq!(events.shown(&Rule::Own), shown, "{given}");
        }
    }

    #[test]
    fn new_keys_are_not_shown_beside_all_but_written() {
        let mut events = KeyEvents::default();
        assert_eq!(events.read(&["AmnE"], &Rule::Own), Ok(()));
        assert_eq!(
            (
                events.shown(&Rule::Own).as_str(),
                &events.written(&Rule::Own)[0][..]
            ),
            ("AEm", "\"AnEm\"")
        );
    }

    #[test]
    fn unknown_letters_are_refused() {
        let mut events = KeyEvents::ALL;
        assert!(events.read(&["KQ"], &Rule::Own).is_err());
        assert_eq!(events, KeyEvents::ALL);
    }
}
