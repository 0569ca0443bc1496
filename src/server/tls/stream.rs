//! An encrypted connection over a TCP socket that does not block.
//!
//! Ciphertext is read into memory that the connections of a thread share, and decrypted at once, so an idle connection keeps
//! no more than the unfinished record that it may have received.

use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags};
use rustls::pki_types::CertificateDer;
use rustls::{ServerConfig, ServerConnection};
use smallvec::SmallVec;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Bytes of ciphertext read at once.
const READ_SIZE: usize = 64 * 1024;
/// The least room for plaintext to read into.
const LEAST_ROOM: usize = 16 * 1024;

thread_local! {
    static CIPHERTEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// An encrypted connection.
pub(in crate::server) struct TlsStream {
    socket: TcpStream,
    session: ServerConnection,
    /// Whether the first byte of what is to be written next has been encrypted already. As long as the socket has not
    /// taken all ciphertext, the last byte of its plaintext is not called written, so the caller comes back with it.
    is_first_byte_done: bool,
}

impl TlsStream {
    /// The server's side of a connection, before its handshake.
    pub fn new(socket: TcpStream, config: Arc<ServerConfig>) -> io::Result<Self> {
        let session = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self {
            socket,
            session,
            is_first_byte_done: false,
        })
    }

    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// The client's certificate, if it has shown one.
    pub fn certificate(&self) -> Option<CertificateDer<'static>> {
        self.session.peer_certificates()?.first().cloned()
    }

    /// Whether the handshake goes on.
    pub fn is_shaking_hands(&self) -> bool {
        self.session.is_handshaking()
    }

    /// Whether there is ciphertext to be sent.
    pub fn wants_write(&self) -> bool {
        self.session.wants_write()
    }

    /// Takes one step of the handshake, if something has arrived for it. What the client sends behind the handshake is kept.
    pub fn step(&mut self) -> io::Result<()> {
        // A record's worth at most: less than the session accepts unread.
        let mut bytes = [0; 4096];
        let count = match self.receive(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            count => count?,
        };
        self.decrypt(&bytes[..count], &mut []).map(drop)
    }

    /// Reads plaintext; 0 is the end.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // An end without farewell is as good: commands say themselves where they end.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Ok(0));
                }
                result => return Poll::Ready(result),
            }
            ready!(self.socket.poll_read_ready(context))?;
            let result = CIPHERTEXT.with_borrow_mut(|ciphertext| {
                ciphertext.resize(READ_SIZE, 0);
                // More would not find room once it is decrypted.
                let most = buffer.len().min(READ_SIZE);
                let count = self.receive(&mut ciphertext[..most])?;
                match count {
                    0 => Ok(None),
                    _ => self.decrypt(&ciphertext[..count], buffer).map(Some),
                }
            });
            match result {
                Ok(None) => return Poll::Ready(Ok(0)),
                // Not yet a whole record, or none with data in it.
                Ok(Some(0)) => {}
                Ok(Some(count)) => return Poll::Ready(Ok(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Reads plaintext behind what is in a buffer.
    pub fn poll_read_more(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut bytes::BytesMut,
    ) -> Poll<io::Result<usize>> {
        let len = buffer.len();
        let room = (buffer.capacity() - len).max(LEAST_ROOM);
        buffer.resize(len + room, 0);
        let result = self.poll_read(context, &mut buffer[len..]);
        let count = match &result {
            Poll::Ready(Ok(count)) => *count,
            _ => 0,
        };
        buffer.truncate(len + count);
        result
    }

    /// Receives ciphertext. A short read tells that the socket is drained, which saves the call that would be told so by the
    /// kernel.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut drained = None;
        let result = self.socket.try_io(Interest::READABLE, || {
            let socket = self.socket.as_fd();
            let count = rustix::net::recv(socket, &mut *buffer, RecvFlags::empty())?.0;
            if (1..buffer.len()).contains(&count) {
                drained = Some(count);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(count)
        });
        drained.map_or(result, Ok)
    }

    /// Decrypts what was received, as far as there is room; the session keeps the rest.
    fn decrypt(&mut self, mut ciphertext: &[u8], buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while !ciphertext.is_empty() {
            if self.session.read_tls(&mut ciphertext)? == 0 {
                // Nothing counts that follows the other side's farewell.
                break;
            }
            if let Err(error) = self.session.process_new_packets() {
                // The client is told why, if it still listens.
                let _ = self.write_out();
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            match self.session.reader().read(&mut buffer[filled..]) {
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Writes plaintext.
    pub fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_pieces(context, &[IoSlice::new(bytes)])
    }

    /// Writes plaintext from several places, which share records.
    pub fn poll_write_pieces(
        &mut self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(context))?;
        let done = usize::from(std::mem::take(&mut self.is_first_byte_done));
        let mut pieces: SmallVec<[IoSlice<'_>; 8]> = pieces
            .iter()
            .filter(|piece| !piece.is_empty())
            .map(|piece| IoSlice::new(piece))
            .collect();
        let mut rest = &mut pieces[..];
        IoSlice::advance_slices(&mut rest, done);
        let taken = self.session.writer().write_vectored(rest)? + done;
        match self.poll_flush(context)? {
            Poll::Ready(()) => Poll::Ready(Ok(taken)),
            Poll::Pending => {
                self.is_first_byte_done = true;
                match taken.saturating_sub(1) {
                    0 => Poll::Pending,
                    told => Poll::Ready(Ok(told)),
                }
            }
        }
    }

    /// Sends ciphertext until none is left.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.write_out() {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_write_ready(context))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn write_out(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut Sender(&self.socket))?;
        }
        Ok(())
    }
}

impl Drop for TlsStream {
    /// Says farewell, as far as the socket takes it.
    fn drop(&mut self) {
        self.session.send_close_notify();
        let _ = self.write_out();
    }
}

/// Writes to a socket that does not block.
struct Sender<'s>(&'s TcpStream);

impl Write for Sender<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_io(Interest::WRITABLE, || {
            Ok(rustix::net::send(
                self.0.as_fd(),
                bytes,
                SendFlags::NOSIGNAL,
            )?)
        })
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match pieces {
            [piece] => self.write(piece),
            pieces => self.0.try_write_vectored(pieces),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
