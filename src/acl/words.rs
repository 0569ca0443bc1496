//! The words of a user's description: which of them make one rule, and which rule was refused.

use std::borrow::Cow;

use super::error::RuleError;

/// A rule that was refused, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// This rule.
    Rule(Vec<u8>, RuleError),
    /// This word opens a parenthesis that is never closed.
    Unmatched(Vec<u8>),
}

/// Whether a user may be called so: nothing in it looks like the end of a word or of a line.
pub fn is_name(name: &[u8]) -> bool {
    let is_bad = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, 0 | 0x0b);
    !name.iter().any(is_bad)
}

/// Puts the words of selectors together again: a selector should be one word, `(+get ~a)`, but may come as several.
pub(super) fn rules<'a>(
    words: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<Cow<'a, [u8]>>, Refused> {
    let mut rules = Vec::new();
    let mut open: Option<(&[u8], Vec<u8>)> = None;
    for word in words {
        match &mut open {
            Some((_, selector)) => {
                selector.push(b' ');
                selector.extend_from_slice(word);
                if word.last() == Some(&b')') {
                    rules.extend(open.take().map(|(_, selector)| Cow::Owned(selector)));
                }
            }
            None if word.first() == Some(&b'(') && word.last() != Some(&b')') => {
                open = Some((word, word.to_vec()));
            }
            None => rules.push(Cow::Borrowed(word)),
        }
    }
    match open {
        Some((first, _)) => Err(Refused::Unmatched(first.to_vec())),
        None => Ok(rules),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(line: &str) -> Result<Vec<String>, String> {
        let rules = rules(line.split(' ').map(str::as_bytes));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match rules {
            Ok(rules) => Ok(rules.iter().map(|rule| text(rule)).collect()),
            Err(Refused::Unmatched(word)) => Err(text(&word)),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn selectors_are_one_rule() {
        for (line, expected) in [
            ("on +get", vec!["on", "+get"]),
            ("(+get ~a) on", vec!["(+get ~a)", "on"]),
            ("( +get ) (+set) ()", vec!["( +get )", "(+set)", "()"]),
            ("(a (b c) d)", vec!["(a (b c)", "d)"]),
        ] {
            assert_eq!(merged(line).expect(line), expected);
        }
        assert_eq!(merged("on (+get ~a"), Err("(+get".into()));
        assert_eq!(merged("("), Err("(".into()));
        let nested = vec!["("; 100_000].join(" ");
        assert_eq!(merged(&nested), Err("(".into()));
    }

    #[test]
    fn names_have_no_blanks() {
        assert!(is_name(b"ann") && is_name(b"") && is_name(b"\xff(~"));
        for wrong in [&b"a b"[..], b"a\n", b"\0", b"\t", b"\x0b", b"\x0c"] {
            assert!(!is_name(wrong), "{wrong:?}");
        }
    }
}
