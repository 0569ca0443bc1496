//! Inline commands: the words of a line, as people type them.

use super::args::ArgRange;

/// A quote that is not closed, or is followed by something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unbalanced;

/// Splits a line into words as Redis does, quotes and escapes undone in place.
pub(super) fn split_line(
    buffer: &mut [u8],
    start: usize,
    end: usize,
    ranges: &mut Vec<ArgRange>,
) -> Result<(), Unbalanced> {
    let (mut read, mut write) = (start, start);
    loop {
        while read < end && is_space(buffer[read]) {
            read += 1;
        }
        if read == end {
            return Ok(());
        }
        let word = write.max(start);
        read = unquote_word(buffer, read, end, &mut write)?;
        ranges.push(ArgRange {
            start: word as u32,
            len: (write - word) as u32,
        });
    }
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b || byte == 0
}

/// Vertical tabs and form feeds stand between words, but do not end one.
fn ends_word(byte: u8) -> bool {
    is_space(byte) && byte != 0x0b && byte != 0x0c
}

/// Copies one word from `read` to `write` (never ahead of it) without its quotes; returns where the next one may begin.
fn unquote_word(
    buffer: &mut [u8],
    mut read: usize,
    end: usize,
    write: &mut usize,
) -> Result<usize, Unbalanced> {
    let mut put = |buffer: &mut [u8], byte: u8| {
        buffer[*write] = byte;
        *write += 1;
    };
    while read < end && !ends_word(buffer[read]) {
        let quote = buffer[read];
        if quote != b'"' && quote != b'\'' {
            put(buffer, quote);
            read += 1;
            continue;
        }
        read += 1;
        loop {
            if read >= end {
                return Err(Unbalanced);
            }
            let byte = buffer[read];
            if byte == quote {
                read += 1;
                break;
            }
            let (decoded, used) = if byte == b'\\' {
                unescape(&buffer[read..end], quote)
            } else {
                (byte, 1)
            };
            put(buffer, decoded);
            read += used;
        }
        // A closing quote ends the word.
        if read < end && !is_space(buffer[read]) {
            return Err(Unbalanced);
        }
    }
    Ok(read)
}

/// Decodes one escape; in single quotes only `\'` is one.
fn unescape(text: &[u8], quote: u8) -> (u8, usize) {
    let hex = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    match (quote, text) {
        (b'\'', [_, b'\'', ..]) => (b'\'', 2),
        (b'\'', _) => (b'\\', 1),
        (_, [_, b'x', high, low, ..]) if hex(*high).is_some() && hex(*low).is_some() => {
            (hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0), 4)
        }
        (_, [_, escaped, ..]) => {
            let decoded = match escaped {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'b' => 8,
                b'a' => 7,
                other => *other,
            };
            (decoded, 2)
        }
        _ => (b'\\', 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_words_may_be_quoted() {
        let words = |line: &str| {
            let (mut buffer, mut ranges) = (line.as_bytes().to_vec(), Vec::new());
            let end = buffer.len();
            split_line(&mut buffer, 0, end, &mut ranges)?;
            let word =
                |range: &ArgRange| buffer[range.start as usize..][..range.len as usize].to_vec();
            Ok(ranges.iter().map(word).collect::<Vec<_>>())
        };
        assert_eq!(words("SET  a\tb").unwrap(), [b"SET", &b"a"[..], b"b"]);
        assert_eq!(
            words(r#"SET "a b" 'c\'d' "\x41\n""#).unwrap(),
            [b"SET", &b"a b"[..], b"c'd", b"A\n"]
        );
        assert_eq!(words(r#"SET "" ''"#).unwrap(), [b"SET", &b""[..], b""]);
        assert_eq!(words("").unwrap(), Vec::<Vec<u8>>::new());
        assert_eq!(
            words("\x0b\x0cSET\x0ba \x0bb").unwrap(),
            [&b"SET\x0ba"[..], b"b"]
        );
        for bad in [r#"SET "a"#, r#"SET "a"b"#, "SET 'a"] {
            assert_eq!(words(bad), Err(Unbalanced), "{bad}");
        }
    }
}
