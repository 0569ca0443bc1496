//! Replies to bytes, in RESP2 or RESP3. A handler says what it means; the writer knows how each version puts it.

use bytes::Bytes;

use super::put;
use crate::base::numbers::format_f64;

/// Values from this length on are sent from where they are instead of being copied.
pub const SHARE_FROM: usize = 16 * 1024;

/// Replies on their way out: bytes, with shared values between them.
#[derive(Debug, Default)]
pub struct Reply {
    out: Vec<u8>,
    /// Shared values, each with the offset in `out` before which it belongs.
    shared: Vec<(usize, Bytes)>,
    shared_bytes: usize,
    is_resp3: bool,
}

/// A point in a reply to which it can be cut back.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    out: usize,
    shared: usize,
}

/// The head of an array or a map whose length is told when it has been written.
#[derive(Debug)]
#[must_use]
pub struct OpenHead(Mark);

impl Reply {
    /// An empty reply in RESP2.
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses the version for what follows.
    #[inline]
    pub fn set_resp3(&mut self, is_resp3: bool) {
        self.is_resp3 = is_resp3;
    }

    /// Whether RESP3 is being written.
    pub fn is_resp3(&self) -> bool {
        self.is_resp3
    }

    /// Bytes written, shared ones included.
    #[inline]
    pub fn len(&self) -> usize {
        self.out.len() + self.shared_bytes
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty() && self.shared.is_empty()
    }

    /// Where the reply stands.
    #[inline]
    pub fn mark(&self) -> Mark {
        Mark {
            out: self.out.len(),
            shared: self.shared.len(),
        }
    }

    /// Takes back everything since the mark.
    pub fn cut_back(&mut self, mark: Mark) {
        self.out.truncate(mark.out);
        let dropped: usize = self
            .shared
            .drain(mark.shared..)
            .map(|(_, bytes)| bytes.len())
            .sum();
        self.shared_bytes -= dropped;
    }

    /// Forgets everything but keeps the memory, up to a bound.
    pub fn clear(&mut self) {
        self.out.clear();
        self.out.shrink_to(64 * 1024);
        self.shared.clear();
        self.shared_bytes = 0;
    }

    /// The plain bytes, where nothing is shared.
    #[inline]
    pub fn plain(&self) -> Option<&[u8]> {
        self.shared.is_empty().then_some(&self.out)
    }

    /// Copies shared values to their places, so that the bytes are plain.
    pub fn join(&mut self) {
        self.out = self.pieces().collect::<Vec<_>>().concat();
        self.shared.clear();
        self.shared_bytes = 0;
    }

    /// The reply as pieces in sending order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let ends = self
            .shared
            .iter()
            .map(|(at, _)| *at)
            .chain([self.out.len()]);
        let starts = [0].into_iter().chain(self.shared.iter().map(|(at, _)| *at));
        let plain = starts.zip(ends).map(|(start, end)| &self.out[start..end]);
        let shared = self
            .shared
            .iter()
            .map(|(_, bytes)| &bytes[..])
            .chain([&[][..]]);
        plain
            .zip(shared)
            .flat_map(|(plain, shared)| [plain, shared])
            .filter(|piece| !piece.is_empty())
    }

    /// Takes everything out as shared pieces, for a queue that outlives this buffer. The first `skip` bytes are left out.
    pub fn take_pieces(&mut self, mut skip: usize, mut take: impl FnMut(Bytes)) {
        let left = self.out.len() - skip.min(self.out.len());
        // What is taken may be kept for long: a large buffer for a few bytes is not.
        let capacity = self.out.capacity();
        let mut rest = if self.shared.is_empty() && left < capacity - capacity / 8 {
            let rest = Bytes::copy_from_slice(&self.out[self.out.len() - left..]);
            self.out.clear();
            skip = 0;
            rest
        } else {
            self.out.shrink_to_fit();
            Bytes::from(std::mem::take(&mut self.out))
        };
        let mut taken = 0;
        let mut give = |mut piece: Bytes| {
            let skipped = skip.min(piece.len());
            skip -= skipped;
            bytes::Buf::advance(&mut piece, skipped);
            if !piece.is_empty() {
                take(piece);
            }
        };
        for (at, shared) in self.shared.drain(..) {
            give(rest.split_to(at - taken));
            taken = at;
            give(shared);
        }
        give(rest);
        self.shared_bytes = 0;
    }

    /// Moves what `other` holds behind this reply, without a copy.
    pub fn append(&mut self, other: &mut Reply) {
        other.take_pieces(0, |piece| {
            self.shared_bytes += piece.len();
            self.shared.push((self.out.len(), piece));
        });
    }

    /// Adds bytes that are already in the protocol's form.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    fn header(&mut self, kind: u8, number: i64) {
        put::line(&mut self.out, kind, number);
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A simple string; must not hold a line end.
    pub fn simple(&mut self, text: &str) {
        self.out.push(b'+');
        self.out.extend_from_slice(text.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    /// A simple string that may hold anything; a line end inside becomes a space.
    pub fn status(&mut self, text: &[u8]) {
        self.line(b'+', text);
    }

    /// An error line. A line end inside becomes a space: a reply is one line, whatever a client put into it.
    pub fn error(&mut self, text: &[u8]) {
        self.line(b'-', text);
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.push(kind);
        self.out.extend(text.iter().map(|&byte| {
            if matches!(byte, b'\r' | b'\n') {
                b' '
            } else {
                byte
            }
        }));
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, number: i64) {
        self.header(b':', number);
    }

    /// A count or a length.
    #[inline]
    pub fn count(&mut self, number: usize) {
        self.header(b':', number as i64);
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        put::bulk(&mut self.out, bytes);
    }

    /// A bulk string that is shared when it is long.
    pub fn bulk_shared(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARE_FROM {
            return self.bulk(bytes);
        }
        self.header(b'$', bytes.len() as i64);
        self.shared.push((self.out.len(), bytes.clone()));
        self.shared_bytes += bytes.len();
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer as a bulk string.
    #[inline]
    pub fn bulk_integer(&mut self, number: i64) {
        put::bulk_integer(&mut self.out, number);
    }

    /// The null that stands for a missing string.
    #[inline]
    pub fn null(&mut self) {
        self.out
            .extend_from_slice(if self.is_resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// The null that stands for a missing array.
    pub fn null_array(&mut self) {
        self.out
            .extend_from_slice(if self.is_resp3 { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// The head of an array of `len` elements.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len as i64);
    }

    /// The head of a map of `pairs` pairs; a flat array in RESP2.
    pub fn map(&mut self, pairs: usize) {
        match self.is_resp3 {
            true => self.header(b'%', pairs as i64),
            false => self.header(b'*', pairs as i64 * 2),
        }
    }

    /// Begins an array or a map of a length that is not known yet.
    pub fn open(&mut self) -> OpenHead {
        let mark = self.mark();
        // Most lengths have one digit.
        self.out.extend_from_slice(b"*0\r\n");
        OpenHead(mark)
    }

    /// Ends an array of `len` elements.
    pub fn close_array(&mut self, head: OpenHead, len: usize) {
        self.close(head, b'*', len);
    }

    /// Ends a map of `pairs` pairs; in RESP2 an array of pairs, each an array of two.
    pub fn close_map_of_pairs(&mut self, head: OpenHead, pairs: usize) {
        self.close(head, if self.is_resp3 { b'%' } else { b'*' }, pairs);
    }

    fn close(&mut self, OpenHead(mark): OpenHead, kind: u8, len: usize) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(len).as_bytes();
        self.out[mark.out] = kind;
        self.out
            .splice(mark.out + 1..mark.out + 2, digits.iter().copied());
        for (at, _) in &mut self.shared[mark.shared..] {
            *at += digits.len() - 1;
        }
    }

    /// The head of a set; an array in RESP2.
    pub fn set(&mut self, len: usize) {
        self.header(if self.is_resp3 { b'~' } else { b'*' }, len as i64);
    }

    /// The head of an out-of-band message; an array in RESP2.
    pub fn push(&mut self, len: usize) {
        self.header(if self.is_resp3 { b'>' } else { b'*' }, len as i64);
    }

    /// A double; a bulk string in RESP2.
    #[inline]
    pub fn double(&mut self, value: f64) {
        let whole = value as i32;
        if f64::from(whole) != value || whole == 0 {
            return self.any_double(value);
        }
        match self.is_resp3 {
            true => self.header(b',', i64::from(whole)),
            false => self.bulk_integer(i64::from(whole)),
        }
    }

    /// [`Reply::double`] for any number; most are whole, and not big.
    fn any_double(&mut self, value: f64) {
        let text = format_f64(value);
        match self.is_resp3 {
            true => {
                self.out.push(b',');
                self.out.extend_from_slice(&text);
                self.out.extend_from_slice(b"\r\n");
            }
            false => self.bulk(&text),
        }
    }

    /// A double in fixed notation, as many digits as its decimal expansion has, but 17 behind the point at most; a bulk
    /// string in RESP2.
    pub fn fixed_double(&mut self, value: f64) {
        let text = format!("{value:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        let text = if text == "-0" { "0" } else { text };
        match self.is_resp3 {
            true => {
                self.out.push(b',');
                self.out.extend_from_slice(text.as_bytes());
                self.out.extend_from_slice(b"\r\n");
            }
            false => self.bulk(text.as_bytes()),
        }
    }

    /// A boolean; 0 or 1 in RESP2.
    pub fn boolean(&mut self, value: bool) {
        match (self.is_resp3, value) {
            (true, true) => self.raw(b"#t\r\n"),
            (true, false) => self.raw(b"#f\r\n"),
            (false, value) => self.integer(i64::from(value)),
        }
    }

    /// A text for people, `format` being `txt` or `mkd`; a bulk string in RESP2.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        if !self.is_resp3 {
            return self.bulk(text);
        }
        self.header(b'=', text.len() as i64 + 4);
        self.raw(format.as_bytes());
        self.raw(b":");
        self.raw(text);
        self.raw(b"\r\n");
    }

    /// A number of any size, as decimal digits; a bulk string in RESP2.
    pub fn big_number(&mut self, digits: &[u8]) {
        if !self.is_resp3 {
            return self.bulk(digits);
        }
        self.raw(b"(");
        self.raw(digits);
        self.raw(b"\r\n");
    }

    /// The head of an attribute of `pairs` pairs; RESP3 only.
    pub fn attribute(&mut self, pairs: usize) {
        self.header(b'|', pairs as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply) -> Vec<u8> {
        reply.pieces().collect::<Vec<_>>().concat()
    }

    #[test]
    fn versions_differ_where_they_should() {
        let mut both = Vec::new();
        for is_resp3 in [false, true] {
            let mut reply = Reply::new();
            reply.set_resp3(is_resp3);
            reply.map(1);
            reply.null();
            reply.double(1.5);
            reply.boolean(true);
            reply.verbatim("txt", b"hi");
            reply.set(2);
            both.push(String::from_utf8(written(&reply)).unwrap());
        }
        assert_eq!(
            both[0],
            "*2\r\n$-1\r\n$3\r\n1.5\r\n:1\r\n$2\r\nhi\r\n*2\r\n"
        );
        assert_eq!(both[1], "%1\r\n_\r\n,1.5\r\n#t\r\n=6\r\ntxt:hi\r\n~2\r\n");
    }

    #[test]
    fn shared_values_keep_their_place() {
        let long = Bytes::from(vec![b'x'; SHARE_FROM]);
        let mut reply = Reply::new();
        reply.ok();
        reply.bulk_shared(&long);
        let mark = reply.mark();
        reply.bulk_shared(&long);
        reply.cut_back(mark);
        reply.bulk_shared(&long);
        reply.integer(7);
        let expected = [
            b"+OK\r\n$16384\r\n",
            &long[..],
            b"\r\n$16384\r\n",
            &long[..],
            b"\r\n:7\r\n",
        ]
        .concat();
        assert_eq!(written(&reply), expected);
        assert_eq!(reply.len(), expected.len());
        for skip in [0, 3, 5, 20, 17_000, expected.len()] {
            let mut copy = Reply::new();
            copy.ok();
            copy.bulk_shared(&long);
            copy.bulk_shared(&long);
            copy.integer(7);
            let mut taken = Vec::new();
            copy.take_pieces(skip, |piece| taken.extend_from_slice(&piece));
            assert_eq!(taken, expected[skip..]);
        }
    }

    #[test]
    fn an_error_stays_on_its_line() {
        let mut reply = Reply::new();
        reply.error(b"ERR a\r\nb");
        assert_eq!(written(&reply), b"-ERR a  b\r\n");
    }
}
