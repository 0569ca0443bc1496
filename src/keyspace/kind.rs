//! What a value is called: the names of types and encodings, and how much work it is to free.

use super::entry::{EntryRef, ValueRef};

/// Longest string that Redis stores in one piece with its header.
const MAX_EMBEDDED: usize = 44;

impl EntryRef<'_> {
    /// The type, as TYPE names it.
    pub fn type_name(self) -> &'static str {
        match self.value() {
            ValueRef::Int(_) | ValueRef::Inline(_) => "string",
            ValueRef::Object(object) => object.type_name(),
        }
    }

    /// The encoding, as OBJECT ENCODING names it.
    pub fn encoding(self) -> &'static str {
        match self.value() {
            ValueRef::Int(_) => "int",
            ValueRef::Inline(text) if text.len() <= MAX_EMBEDDED && !self.is_raw() => "embstr",
            ValueRef::Inline(_) => "raw",
            ValueRef::Object(object) => object.encoding(),
        }
    }

    /// About how many small allocations freeing takes.
    pub fn free_effort(self) -> usize {
        match self.value() {
            ValueRef::Int(_) | ValueRef::Inline(_) => 1,
            ValueRef::Object(object) => object.free_effort(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Entry, Value};

    #[test]
    fn strings_are_named_as_redis_names_them() {
        for (text, encoding) in [
            (b"12".to_vec(), "int"),
            (b"012".to_vec(), "embstr"),
            (vec![b'x'; 44], "embstr"),
            (vec![b'x'; 45], "raw"),
            (vec![b'x'; 20_000], "raw"),
        ] {
            let mut entry = Entry::new(b"key", Value::of_string(&text), Some(7), 0);
            assert_eq!(
                (entry.view().type_name(), entry.view().encoding()),
                ("string", encoding)
            );
            let copy = entry.view().copied(b"other", 1);
            assert_eq!(
                (copy.view().key(), copy.view().expires_at()),
                (&b"other"[..], Some(7))
            );
            assert_eq!(
                (copy.view().access(), copy.view().encoding()),
                (1, encoding)
            );
            if encoding == "embstr" {
                entry.exclusive().set_raw();
                assert_eq!(entry.view().copied(b"other", 1).view().encoding(), "raw");
            }
        }
    }
}
