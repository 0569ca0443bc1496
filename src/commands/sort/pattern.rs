//! BY's and GET's patterns: the key, or the field of a hash, that belongs to an element.

use memchr::memmem;

use crate::keyspace::{Key, ValueRef};
use crate::structures::ObjectRef;
use crate::structures::hash::Seen;

/// A pattern, taken apart.
pub(super) enum Pattern<'r> {
    /// `#`: the element itself.
    Element,
    /// Without a `*`: nothing.
    Nothing,
    /// A key around the element, and the field of the hash there.
    Key {
        before: &'r [u8],
        after: &'r [u8],
        field: Option<&'r [u8]>,
    },
}

impl<'r> Pattern<'r> {
    pub fn new(pattern: &'r [u8]) -> Self {
        if pattern == b"#" {
            return Self::Element;
        }
        let Some(star) = memchr::memchr(b'*', pattern) else {
            return Self::Nothing;
        };
        let (before, rest) = (&pattern[..star], &pattern[star + 1..]);
        // An arrow at the very end is part of the key.
        let arrow = memmem::find(rest, b"->").filter(|arrow| arrow + 2 < rest.len());
        let (after, field) = match arrow {
            Some(arrow) => (&rest[..arrow], Some(&rest[arrow + 2..])),
            None => (rest, None),
        };
        Self::Key {
            before,
            after,
            field,
        }
    }

    /// The key that belongs to an element, its name written into `name`. None where the pattern leads to no key.
    pub fn key<'n>(&self, element: &[u8], name: &'n mut Vec<u8>) -> Option<Key<'n>> {
        let Self::Key { before, after, .. } = self else {
            return None;
        };
        name.clear();
        [before, element, after]
            .iter()
            .for_each(|part| name.extend_from_slice(part));
        Some(Key::new(name))
    }

    /// Shows what the pattern means of the value found, at a moment; false when that is nothing.
    pub fn show(&self, value: ValueRef<'_>, now: i64, show: impl FnOnce(&[u8])) -> bool {
        let field = match self {
            Self::Key { field, .. } => *field,
            _ => None,
        };
        match (value, field) {
            (ValueRef::Inline(text), None) => show(text),
            (ValueRef::Int(number), None) => show(itoa::Buffer::new().format(number).as_bytes()),
            (ValueRef::Object(ObjectRef::Bytes(text)), None) => show(text),
            (ValueRef::Object(ObjectRef::Hash(hash)), Some(field)) => {
                match hash.get(field, Seen::at(now)) {
                    Some(value) => show(value.as_bytes(&mut itoa::Buffer::new())),
                    None => return false,
                }
            }
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_taken_apart_as_redis_does() {
        for (pattern, expected) in [
            ("w_*", Some(("w_", "", None))),
            ("a*b*c", Some(("a", "b*c", None))),
            ("h_*->f", Some(("h_", "", Some("f")))),
            ("h_*x->f->g", Some(("h_", "x", Some("f->g")))),
            ("h_*->", Some(("h_", "->", None))),
            ("->*", Some(("->", "", None))),
            ("plain", None),
        ] {
            let found = match Pattern::new(pattern.as_bytes()) {
                Pattern::Key {
                    before,
                    after,
                    field,
                } => Some((before, after, field)),
                _ => None,
            };
            let expected = expected.map(|(before, after, field): (&str, &str, Option<&str>)| {
                (
                    before.as_bytes(),
                    after.as_bytes(),
                    field.map(str::as_bytes),
                )
            });
            assert_eq!(found, expected, "{pattern}");
        }
        assert!(matches!(Pattern::new(b"#"), Pattern::Element));
    }
}
