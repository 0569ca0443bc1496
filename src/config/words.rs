//! The words of a line of `redis.conf`: splitting at blanks with quotes and escapes, and quoting
//! back.
//!
//! In double quotes `\n \r \t \b \a \xHH` are escapes and any other `\c` is `c`; in single quotes
//! only `\'` is. A closing quote ends its word, so something other than a blank after it is an
//! error.

/// A quote was opened and not closed, or closed in the middle of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unbalanced quotes")]
pub struct UnbalancedQuotes;

/// Splits a line into its words.
pub fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, UnbalancedQuotes> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let mut word = Vec::new();
        rest = take_word(rest, &mut word)?.trim_ascii_start();
        words.push(word);
    }
    Ok(words)
}

/// Moves one word from the front of `rest` into `word`; what follows it.
fn take_word<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], UnbalancedQuotes> {
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'"' => return after_quote(take_double_quoted(after, word)?),
            b'\'' => return after_quote(take_single_quoted(after, word)?),
            _ if byte.is_ascii_whitespace() => break,
            _ => {
                word.push(byte);
                after
            }
        };
    }
    Ok(rest)
}

fn after_quote(rest: &[u8]) -> Result<&[u8], UnbalancedQuotes> {
    match rest.first() {
        Some(byte) if !byte.is_ascii_whitespace() => Err(UnbalancedQuotes),
        _ => Ok(rest),
    }
}

fn take_double_quoted<'a>(
    mut rest: &'a [u8],
    word: &mut Vec<u8>,
) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Ok(after),
            [b'\\', b'x', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                word.push(hex_digit(*high) << 4 | hex_digit(*low));
                after
            }
            [b'\\', escaped, after @ ..] => {
                word.push(unescape(*escaped));
                after
            }
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
            [] => return Err(UnbalancedQuotes),
        };
    }
}

fn take_single_quoted<'a>(
    mut rest: &'a [u8],
    word: &mut Vec<u8>,
) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        rest = match rest {
            [b'\'', after @ ..] => return Ok(after),
            [b'\\', b'\'', after @ ..] => {
                word.push(b'\'');
                after
            }
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
            [] => return Err(UnbalancedQuotes),
        };
    }
}

fn hex_digit(byte: u8) -> u8 {
    char::from(byte).to_digit(16).map_or(0, |digit| digit as u8)
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

/// A word as a line may hold it: in quotes if it would be read as something else without.
pub fn quote_if_needed(word: impl AsRef<[u8]>) -> String {
    let word = word.as_ref();
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    match std::str::from_utf8(word) {
        Ok(text) if !text.is_empty() && word.iter().all(is_plain) => text.to_owned(),
        _ => quote(word),
    }
}

/// The bytes in double quotes, so that [`split`] gives them back. What cannot be shown becomes
/// escapes.
pub fn quote(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for &byte in text {
        match byte {
            b'\\' | b'"' => quoted.extend(['\\', char::from(byte)]),
            b'\n' => quoted.push_str("\\n"),
            b'\r' => quoted.push_str("\\r"),
            b'\t' => quoted.push_str("\\t"),
            0x08 => quoted.push_str("\\b"),
            0x07 => quoted.push_str("\\a"),
            b' '..=b'~' => quoted.push(char::from(byte)),
            _ => quoted.push_str(&format!("\\x{byte:02x}")),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<String> {
        let split = split(line.as_bytes()).expect("balanced quotes");
        split
            .into_iter()
            .map(|word| String::from_utf8_lossy(&word).into_owned())
            .collect()
    }

    #[test]
    fn blanks_separate() {
        assert_eq!(words("  save\t60  1 \r\n"), ["save", "60", "1"]);
        assert_eq!(words(""), Vec::<String>::new());
    }

    #[test]
    fn quotes_and_escapes() {
        assert_eq!(words(r#"a "b c" 'd e' """#), ["a", "b c", "d e", ""]);
        assert_eq!(
            words(r#""\n\r\t\b\a\x41\q\"\\""#),
            ["\n\r\t\u{8}\u{7}Aq\"\\"]
        );
        assert_eq!(words(r#""\x4g""#), ["x4g"]);
        assert_eq!(words(r"'it\'s' 'a\n'"), ["it's", r"a\n"]);
        assert_eq!(words(r#"pre"fix post""#), ["prefix post"]);
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [
            r#""abc"#,
            "'abc",
            r#""a"b"#,
            "'a'b",
            r#"a "b\""#,
            r#"'a'"b""#,
        ] {
            assert_eq!(split(line.as_bytes()), Err(UnbalancedQuotes), "{line}");
        }
    }

    proptest! {
        #[test]
        fn quoting_round_trips(texts in proptest::collection::vec(any::<Vec<u8>>(), 0..5)) {
            let line: Vec<String> = texts.iter().map(quote).collect();
            prop_assert!(line.iter().all(|word| word.is_ascii()));
            prop_assert_eq!(split(line.join(" ").as_bytes()), Ok(texts));
        }

        #[test]
        fn any_bytes_are_harmless(line: Vec<u8>) {
            let _ = split(&line);
        }
    }
}
