//! A connection that keeps replies as bytes, and the tree that such bytes stand for.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const REPLY_LIMIT: Duration = Duration::from_secs(15);

pub struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
    consumed: usize,
}

impl Wire {
    pub fn connect(port: u16) -> Wire {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a running server accepts");
        stream.set_nodelay(true).expect("a connected socket");
        stream
            .set_read_timeout(Some(REPLY_LIMIT))
            .expect("a limit that is not zero");
        Wire {
            stream,
            received: Vec::new(),
            consumed: 0,
        }
    }

    pub fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        self.stream.write_all(frames)
    }

    /// The bytes of the next reply.
    pub fn reply(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let rest = &self.received[self.consumed..];
            if let Some(length) = reply_length(rest)? {
                let reply = rest[..length].to_vec();
                self.consumed += length;
                return Ok(reply);
            }
            self.received.drain(..self.consumed);
            self.consumed = 0;
            let mut chunk = [0; 1 << 16];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.received.extend_from_slice(&chunk[..count]),
                // This process was stopped for a while.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends one command and takes its reply.
    pub fn ask(&mut self, args: &[impl AsRef<[u8]>]) -> io::Result<Vec<u8>> {
        let mut frame = Vec::new();
        encode(&mut frame, args);
        self.send(&frame)?;
        self.reply()
    }

    /// Reads until all that was sent has been answered, in whatever state the connection is.
    pub fn drain(&mut self) -> io::Result<()> {
        let mut frames = Vec::new();
        encode(&mut frames, &["RESET"]);
        encode(&mut frames, &["PING", "drained"]);
        self.send(&frames)?;
        while !self.reply()?.ends_with(b"\r\ndrained\r\n") {}
        Ok(())
    }
}

/// Appends the frame of one command.
pub fn encode(frames: &mut Vec<u8>, args: &[impl AsRef<[u8]>]) {
    frames.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args.iter().map(AsRef::as_ref) {
        frames.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        frames.extend_from_slice(arg);
        frames.extend_from_slice(b"\r\n");
    }
}

/// The length of the first reply in `bytes`; `None` while its end is missing.
fn reply_length(bytes: &[u8]) -> io::Result<Option<usize>> {
    let (mut at, mut pending) = (0, 1);
    while pending > 0 {
        let Some(line) = line(&bytes[at..]) else {
            return Ok(None);
        };
        at += line.len() + 2;
        pending -= 1;
        match shape(line).ok_or_else(|| malformed(line))? {
            Shape::Line => {}
            Shape::Text(length) => at += length + 2,
            Shape::Items(count) => pending += count,
        }
        if at > bytes.len() {
            return Ok(None);
        }
    }
    Ok(Some(at))
}

fn malformed(line: &[u8]) -> io::Error {
    let text = format!("not RESP: \"{}\"", line.escape_ascii());
    io::Error::new(ErrorKind::InvalidData, text)
}

fn line(bytes: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b'\r', bytes)?;
    (bytes.get(end + 1) == Some(&b'\n')).then_some(&bytes[..end])
}

/// What follows the first line of a reply.
enum Shape {
    Line,
    Text(usize),
    Items(usize),
}

fn shape(line: &[u8]) -> Option<Shape> {
    let (sign, rest) = line.split_first()?;
    let count = || std::str::from_utf8(rest).ok()?.parse::<i64>().ok();
    Some(match sign {
        b'+' | b'-' | b':' | b'(' | b',' | b'#' | b'_' => Shape::Line,
        b'$' | b'*' if rest == b"-1" => Shape::Line,
        b'$' | b'=' => Shape::Text(usize::try_from(count()?).ok()?),
        b'*' | b'~' | b'>' => Shape::Items(usize::try_from(count()?).ok()?),
        b'%' => Shape::Items(usize::try_from(count()?).ok()? * 2),
        _ => return None,
    })
}

/// A reply taken apart. The null bulk string and the null array keep their lines as text and have the sign `N`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tree {
    pub sign: u8,
    pub text: Vec<u8>,
    /// A map's keys and values in turn.
    pub items: Vec<Tree>,
}

impl Tree {
    /// Takes apart what `Wire::reply` gave.
    pub fn parse(reply: &[u8]) -> Tree {
        let mut rest = reply;
        let tree = Tree::take(&mut rest);
        assert!(rest.is_empty(), "one reply at a time");
        tree
    }

    fn take(rest: &mut &[u8]) -> Tree {
        let line = line(rest).expect("the reply is complete");
        *rest = &rest[line.len() + 2..];
        let mut tree = Tree {
            sign: line[0],
            text: Vec::new(),
            items: Vec::new(),
        };
        match shape(line).expect("the reply is well formed") {
            Shape::Line if matches!(line[0], b'$' | b'*') => {
                tree.sign = b'N';
                tree.text = line.to_vec();
            }
            Shape::Line => tree.text = line[1..].to_vec(),
            Shape::Text(length) => {
                tree.text = rest[..length].to_vec();
                *rest = &rest[length + 2..];
            }
            Shape::Items(count) => tree.items = (0..count).map(|_| Tree::take(rest)).collect(),
        }
        tree
    }

    pub fn integer(&self) -> Option<i64> {
        let is_integer = self.sign == b':';
        std::str::from_utf8(&self.text)
            .ok()
            .filter(|_| is_integer)?
            .parse()
            .ok()
    }
}
