//! A connection that sends any bytes and reads replies one by one.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::Reply;

const LIMIT_IO: Duration = Duration::from_secs(30);

/// A raw connection. Reads and writes give up after 30 seconds.
pub struct Raw {
    stream: TcpStream,
    received: Vec<u8>,
    consumed: usize,
}

/// Sends each row's command and compares the reply; the failure names the row.
#[track_caller]
pub fn check(raw: &mut Raw, rows: &[(&str, Reply)]) {
    for (number, (command, expected)) in rows.iter().enumerate() {
        let reply = raw.ask(command);
        assert_eq!(&reply, expected, "row {number}: {command}");
    }
}

/// The frame of one command.
pub fn frame(args: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

impl Raw {
    /// Connects to the port on this machine.
    #[track_caller]
    pub fn connect(port: u16) -> Raw {
        Raw::try_connect(port)
            .unwrap_or_else(|error| panic!("cannot connect to port {port}: {error}"))
    }

    /// Connects, or says why not.
    pub fn try_connect(port: u16) -> io::Result<Raw> {
        let stream =
            TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), LIMIT_IO)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT_IO))?;
        stream.set_write_timeout(Some(LIMIT_IO))?;
        Ok(Raw {
            stream,
            received: Vec::new(),
            consumed: 0,
        })
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes.as_ref())
            .expect("the server takes what is sent");
    }

    /// Sends bytes, or says why not: a server may close the connection meanwhile.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends one command and reads one reply.
    #[track_caller]
    pub fn command(&mut self, args: &[&[u8]]) -> Reply {
        self.send(frame(args));
        self.read()
    }

    /// Sends one command written as at redis-cli's prompt (words, double quotes, `\r \n \t \" \\ \xHH` within them) and
    /// reads one reply.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> Reply {
        self.tell(line);
        self.read()
    }

    /// Sends one command written as for `ask` and reads nothing.
    #[track_caller]
    pub fn tell(&mut self, line: &str) {
        let words = words(line);
        let args: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.send(frame(&args));
    }

    /// Reads the next reply.
    #[track_caller]
    pub fn read(&mut self) -> Reply {
        self.try_read().unwrap_or_else(|error| {
            let rest = self.received[self.consumed..].escape_ascii();
            panic!("no reply: {error}; received so far: \"{rest}\"")
        })
    }

    /// Reads so many replies.
    #[track_caller]
    pub fn read_many(&mut self, count: usize) -> Vec<Reply> {
        (0..count).map(|_| self.read()).collect()
    }

    /// Reads the next reply, or says why there is none.
    pub fn try_read(&mut self) -> io::Result<Reply> {
        let line = self.line()?;
        let text = || String::from_utf8_lossy(&line[1..]).into_owned();
        Ok(match line.first() {
            Some(b'+') => Reply::Simple(text()),
            Some(b'-') => Reply::Error(text()),
            Some(b':') => Reply::Integer(number(&line)?),
            Some(b'(') => Reply::BigNumber(text()),
            Some(b',') => Reply::Double(text().parse().map_err(|_| malformed(&line))?),
            Some(b'#') if line.len() == 2 => Reply::Bool(line[1] == b't'),
            Some(b'_') if line.len() == 1 => Reply::Null,
            Some(b'$') if line == b"$-1" => Reply::NullBulk,
            Some(b'*') if line == b"*-1" => Reply::NullArray,
            Some(b'$') => Reply::Bulk(self.bytes(number(&line)?)?),
            Some(b'=') => self.verbatim(number(&line)?)?,
            Some(b'*') => Reply::Array(self.several(number(&line)?)?),
            Some(b'~') => Reply::Set(self.several(number(&line)?)?),
            Some(b'>') => Reply::Push(self.several(number(&line)?)?),
            Some(b'%') => Reply::Map(self.pairs(number(&line)?)?),
            Some(b'|') => Reply::Attribute(self.pairs(number(&line)?)?),
            _ => return Err(malformed(&line)),
        })
    }

    /// Asserts that the server has closed the connection and that nothing is left to read.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        match self.fill() {
            Ok(()) => {}
            // What was sent after the server closed is answered by a reset.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ) => {}
            Err(error) => panic!("the connection is not closed: {error}"),
        }
        let rest = &self.received[self.consumed..];
        assert!(
            rest.is_empty(),
            "expected the end of the connection, got \"{}\"",
            rest.escape_ascii()
        );
    }

    /// Asserts that nothing arrives for so long.
    #[track_caller]
    pub fn expect_silence(&mut self, span: Duration) {
        self.set_timeout(span);
        let result = self.fill();
        self.set_timeout(LIMIT_IO);
        let rest = &self.received[self.consumed..];
        assert!(
            rest.is_empty(),
            "expected silence, got \"{}\"",
            rest.escape_ascii()
        );
        let kind = result.expect_err("nothing was received").kind();
        assert!(
            matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut),
            "expected silence, got {kind:?}"
        );
    }

    /// How long a read waits from now on.
    pub fn set_timeout(&mut self, span: Duration) {
        self.stream
            .set_read_timeout(Some(span))
            .expect("a timeout that is not zero");
    }

    /// How long a write waits from now on.
    pub fn set_write_timeout(&mut self, span: Duration) {
        self.stream
            .set_write_timeout(Some(span))
            .expect("a timeout that is not zero");
    }

    /// Says that nothing more will be sent, and keeps reading.
    pub fn finish_sending(&mut self) {
        self.stream
            .shutdown(std::net::Shutdown::Write)
            .expect("an open connection");
    }

    fn verbatim(&mut self, length: i64) -> io::Result<Reply> {
        let bytes = self.bytes(length)?;
        match bytes.get(3) {
            Some(b':') => Ok(Reply::Verbatim(
                String::from_utf8_lossy(&bytes[..3]).into_owned(),
                bytes[4..].to_vec(),
            )),
            _ => Err(malformed(&bytes)),
        }
    }

    fn several(&mut self, count: i64) -> io::Result<Vec<Reply>> {
        (0..count).map(|_| self.try_read()).collect()
    }

    fn pairs(&mut self, count: i64) -> io::Result<Vec<(Reply, Reply)>> {
        (0..count)
            .map(|_| Ok((self.try_read()?, self.try_read()?)))
            .collect()
    }

    /// The next line, without its CRLF.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut searched = self.consumed;
        loop {
            if let Some(at) = self.received[searched..]
                .windows(2)
                .position(|pair| pair == b"\r\n")
            {
                let end = searched + at;
                let line = self.received[self.consumed..end].to_vec();
                self.consumed = end + 2;
                return Ok(line);
            }
            searched = self.received.len().saturating_sub(1).max(self.consumed);
            let dropped = self.consumed;
            self.fill()?;
            searched -= dropped - self.consumed;
        }
    }

    fn bytes(&mut self, length: i64) -> io::Result<Vec<u8>> {
        let length = usize::try_from(length).map_err(|_| malformed(b"a negative length"))?;
        while self.received.len() - self.consumed < length + 2 {
            self.fill()?;
        }
        let end = self.consumed + length;
        let bytes = self.received[self.consumed..end].to_vec();
        if &self.received[end..end + 2] != b"\r\n" {
            return Err(malformed(&self.received[end..end + 2]));
        }
        self.consumed = end + 2;
        Ok(bytes)
    }

    /// Receives at least one more byte.
    fn fill(&mut self) -> io::Result<()> {
        self.received.drain(..self.consumed);
        self.consumed = 0;
        let mut chunk = [0; 64 * 1024];
        let count = loop {
            match self.stream.read(&mut chunk) {
                // This process was stopped for a while.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        match count {
            0 => Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "the server closed the connection",
            )),
            count => {
                self.received.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }
}

fn number(line: &[u8]) -> io::Result<i64> {
    let digits = std::str::from_utf8(&line[1..]).map_err(|_| malformed(line))?;
    digits.parse().map_err(|_| malformed(line))
}

fn malformed(bytes: &[u8]) -> io::Error {
    io::Error::new(
        ErrorKind::InvalidData,
        format!("not RESP: \"{}\"", bytes.escape_ascii()),
    )
}

/// The words of a command line.
#[track_caller]
fn words(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(inner) => quoted(inner),
            None => {
                let end = rest.find(' ').unwrap_or(rest.len());
                (rest.as_bytes()[..end].to_vec(), &rest[end..])
            }
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}

/// The word within quotes, and what follows the closing one.
#[track_caller]
fn quoted(inner: &str) -> (Vec<u8>, &str) {
    let mut word = Vec::new();
    let mut chars = inner.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (word, &inner[at + 1..]),
            '\\' => match chars.next().map(|(_, escaped)| escaped) {
                Some('r') => word.push(b'\r'),
                Some('n') => word.push(b'\n'),
                Some('t') => word.push(b'\t'),
                Some('x') => {
                    word.push(
                        u8::from_str_radix(&inner[at + 2..at + 4], 16)
                            .expect("two hexadecimal digits"),
                    );
                    chars.nth(1);
                }
                Some(escaped) => {
                    word.extend_from_slice(escaped.encode_utf8(&mut [0; 4]).as_bytes())
                }
                None => break,
            },
            char => word.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    panic!("no closing quote in \"{inner}")
}
