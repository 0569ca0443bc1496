//! Glob patterns as Redis reads them: `*`, `?`, `[a-z]`, `[^x]` and `\` before a byte that stands for itself.
//!
//! Matching never takes more than pattern length times text length steps, whatever the pattern: only the last `*` can be
//! worth a second try, so one remembered position is enough. Redis's corner cases are kept, since clients see them: an
//! empty text is matched by an empty pattern only (not by `*`), a class without `]` ends with the pattern, and an escaped
//! byte inside a class is compared with its case even when case is ignored.

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Sensitive,
    Ignored,
}

impl Case {
    fn fold(self, byte: u8) -> u8 {
        match self {
            Case::Sensitive => byte,
            Case::Ignored => byte.to_ascii_lowercase(),
        }
    }
}

/// Whether the whole of `text` is described by `pattern`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    search(pattern, text, Case::Sensitive)
}

/// Like [`matches()`], with ASCII letters equal in either case.
pub fn matches_ignore_case(pattern: &[u8], text: &[u8]) -> bool {
    search(pattern, text, Case::Ignored)
}

/// Whether `pattern` holds a character that makes it more than a plain name.
pub fn is_pattern(pattern: &[u8]) -> bool {
    memchr::memchr3(b'*', b'?', b'[', pattern).is_some()
}

fn search(pattern: &[u8], text: &[u8], case: Case) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut at, mut seen) = (0, 0);
    // Where to go on when the present attempt fails: after the last `*`, and the text position it is to cover next.
    let mut retry: Option<(usize, usize)> = None;
    while seen < text.len() {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, seen));
        } else if let Some(next) = step(pattern, at, text[seen], case) {
            at = next;
            seen += 1;
        } else if let Some((after_star, covered)) = retry {
            at = after_star;
            seen = covered + 1;
            retry = Some((after_star, seen));
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

/// Matches one byte against the pattern's element at `at`; the position of the next element if it fits.
fn step(pattern: &[u8], at: usize, byte: u8, case: Case) -> Option<usize> {
    let fits = |expected: u8| case.fold(expected) == case.fold(byte);
    match *pattern.get(at)? {
        b'?' => Some(at + 1),
        b'[' => class(pattern, at + 1, byte, case),
        b'\\' if at + 1 < pattern.len() => fits(pattern[at + 1]).then_some(at + 2),
        literal => fits(literal).then_some(at + 1),
    }
}

/// Matches one byte against the class whose first byte is at `at`; the position after the class if it fits.
fn class(pattern: &[u8], mut at: usize, byte: u8, case: Case) -> Option<usize> {
    let negated = pattern.get(at) == Some(&b'^');
    at += usize::from(negated);
    let mut found = false;
    while let Some(&first) = pattern.get(at) {
        if first == b'\\' && at + 1 < pattern.len() {
            found |= pattern[at + 1] == byte;
            at += 2;
        } else if first == b']' {
            at += 1;
            break;
        } else if at + 2 < pattern.len() && pattern[at + 1] == b'-' {
            let last = pattern[at + 2];
            let (low, high) = (case.fold(first.min(last)), case.fold(first.max(last)));
            found |= (low..=high).contains(&case.fold(byte));
            at += 3;
        } else {
            found |= case.fold(first) == case.fold(byte);
            at += 1;
        }
    }
    (found != negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// (pattern, text, expected), as a Redis server answers them.
    const CASES: &[(&str, &str, bool)] = &[
        ("", "", true),
        ("", "a", false),
        ("*", "", false),
        ("*", "anything", true),
        ("**", "a", true),
        ("a*", "a", true),
        ("a**", "a", true),
        ("*a", "bca", true),
        ("*a", "bac", false),
        ("a*c*e", "abcde", true),
        ("a*c*e", "abcdf", false),
        ("h?llo", "hello", true),
        ("h?llo", "hllo", false),
        ("h[ae]llo", "hallo", true),
        ("h[ae]llo", "hillo", false),
        ("h[^e]llo", "hallo", true),
        ("h[^e]llo", "hello", false),
        ("h[a-b]llo", "hbllo", true),
        ("h[b-a]llo", "hallo", true),
        ("h[a-b]llo", "hcllo", false),
        (r"\*", "*", true),
        (r"\*", "a", false),
        (r"a\", r"a\", true),
        (r"[\]]", "]", true),
        (r"[\-x]", "-", true),
        ("[abc", "b", true),
        ("[", "[", false),
        ("[^", "x", true),
        ("[]", "]", false),
        ("[a-]", "a", true),
        ("a[]", "a", false),
        ("*[0-9]", "key:7", true),
        ("*b", "aab", true),
        ("Hello", "hello", false),
        ("x?", "x", false),
    ];

    #[test]
    fn cases() {
        for &(pattern, text, expected) in CASES {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern:?} against {text:?}"
            );
        }
    }

    #[test]
    fn case_is_ignored_on_request() {
        assert!(matches_ignore_case(b"HeL*", b"hello"));
        assert!(matches_ignore_case(b"[A-C]x", b"bX"));
        assert!(!matches_ignore_case(br"[\A]", b"a"));
    }

    #[test]
    fn patterns_are_told_from_names() {
        assert!(is_pattern(b"max*") && is_pattern(b"a?") && is_pattern(b"[x"));
        assert!(!is_pattern(b"maxmemory") && !is_pattern(br"\x"));
    }

    #[test]
    fn many_stars_end_quickly() {
        let pattern = b"a*".repeat(200);
        let text = [b"a".repeat(5_000), b"b".to_vec()].concat();
        assert!(matches(&pattern, &text));
        assert!(!matches(&[pattern, b"c".to_vec()].concat(), &text));
    }

    /// The definition, written for clarity and not for speed.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.first() {
            None => text.is_empty(),
            Some(b'*') => (0..=text.len()).any(|skip| naive(&pattern[1..], &text[skip..])),
            Some(_) if text.is_empty() => false,
            Some(_) => step(pattern, 0, text[0], Case::Sensitive)
                .is_some_and(|next| naive(&pattern[next..], &text[1..])),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?\\[\\]^\\\\-]{0,8}", text in "[ab]{1,8}") {
            prop_assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), naive(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn any_bytes_are_harmless(pattern: Vec<u8>, text: Vec<u8>) {
            matches(&pattern, &text);
            matches_ignore_case(&pattern, &text);
        }

        #[test]
        fn an_escaped_text_matches_itself(text in proptest::collection::vec(any::<u8>(), 1..20)) {
            let pattern: Vec<u8> = text.iter().flat_map(|&byte| [b'\\', byte]).collect();
            prop_assert!(matches(&pattern, &text));
        }
    }
}
