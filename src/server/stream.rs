//! A client's socket, TCP or Unix, plain or encrypted.

use std::io::{self, IoSlice, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use rustix::net::{RecvFlags, SendFlags};
use tokio::io::{AsyncWrite, Interest};
use tokio::net::{TcpStream, UnixStream};

use super::tls::TlsStream;

/// A connected socket that belongs to no runtime yet.
pub(super) enum Accepted {
    Tcp(std::net::TcpStream),
    /// Before its handshake.
    Tls(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Accepted {
    /// Tells a client that there is no place for it, as far as that can be told without a handshake.
    pub fn turn_away(self, line: &str) {
        // The socket does not block; whoever cannot take one line is gone.
        let _ = match self {
            Self::Tcp(mut socket) => socket.write_all(line.as_bytes()),
            Self::Tls(_) => Ok(()),
            Self::Unix(mut socket) => socket.write_all(line.as_bytes()),
        };
    }
}

/// A connected socket.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream>),
}

impl From<TcpStream> for Stream {
    fn from(socket: TcpStream) -> Self {
        Self::Tcp(socket)
    }
}

impl From<UnixStream> for Stream {
    fn from(socket: UnixStream) -> Self {
        Self::Unix(socket)
    }
}

impl Stream {
    /// The client's address and the server's, as CLIENT LIST shows them.
    pub fn addresses(&self, unix_path: &str) -> (String, String) {
        let socket = match self {
            Self::Tcp(socket) => socket,
            Self::Tls(stream) => stream.socket(),
            Self::Unix(_) => return (format!("{unix_path}:0"), format!("{unix_path}:0")),
        };
        let text = |address: io::Result<std::net::SocketAddr>| {
            address.map(|a| a.to_string()).unwrap_or_default()
        };
        (text(socket.peer_addr()), text(socket.local_addr()))
    }

    /// What it takes besides itself: rustls's state and buffers while nothing is underway, about.
    pub fn allocated(&self) -> usize {
        match self {
            Self::Tls(_) => 8 << 10,
            Self::Tcp(_) | Self::Unix(_) => 0,
        }
    }

    pub fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    pub fn fd(&self) -> i32 {
        match self {
            Self::Tcp(socket) => socket.as_raw_fd(),
            Self::Tls(stream) => stream.socket().as_raw_fd(),
            Self::Unix(socket) => socket.as_raw_fd(),
        }
    }

    /// Reads into initialised memory. A short read tells that the socket is drained, which saves the call that would be
    /// told so by the kernel.
    #[inline]
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if let Self::Tls(stream) = self {
            return stream.poll_read(context, buffer);
        }
        loop {
            let mut drained = None;
            let result = self.try_io(Interest::READABLE, |socket| {
                let count = rustix::net::recv(socket, &mut *buffer, RecvFlags::empty())?.0;
                if (1..buffer.len()).contains(&count) {
                    // The runtime takes note that there is no more, and waits for the kernel's next word.
                    drained = Some(count);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(count)
            });
            if let Some(count) = drained {
                return Poll::Ready(Ok(count));
            }
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_read_ready(context))?;
                }
                result => return Poll::Ready(result),
            }
        }
    }

    /// Whether there may be more after a read that has not filled its buffer; wakes the task when there is.
    #[inline]
    pub fn poll_more(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            // The session may hold plaintext.
            Self::Tls(_) => Poll::Ready(Ok(())),
            plain => plain.poll_read_ready(context),
        }
    }

    #[inline]
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => socket.poll_read_ready(context),
            Self::Tls(stream) => stream.socket().poll_read_ready(context),
            Self::Unix(socket) => socket.poll_read_ready(context),
        }
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => socket.poll_write_ready(context),
            Self::Tls(stream) => stream.socket().poll_write_ready(context),
            Self::Unix(socket) => socket.poll_write_ready(context),
        }
    }

    /// Calls the kernel, if the socket is ready as far as the runtime knows. The calls are made without the C library:
    /// there they are points where a thread may be cancelled, which costs more than the rest of the library's work.
    #[inline]
    fn try_io<R>(
        &self,
        interest: Interest,
        call: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        match self {
            Self::Tcp(socket) => socket.try_io(interest, || call(socket.as_fd())),
            Self::Tls(stream) => {
                let socket = stream.socket();
                socket.try_io(interest, || call(socket.as_fd()))
            }
            Self::Unix(socket) => socket.try_io(interest, || call(socket.as_fd())),
        }
    }

    /// Reads into the spare room of a buffer.
    pub fn poll_read_more(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(match self {
                Self::Tls(stream) => return stream.poll_read_more(context, buffer),
                ref plain => plain.poll_read_ready(context),
            })?;
            let result = match self {
                Self::Tls(_) => Ok(0),
                Self::Tcp(socket) => socket.try_read_buf(buffer),
                Self::Unix(socket) => socket.try_read_buf(buffer),
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    #[inline]
    pub fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Self::Tls(stream) = self {
            return stream.poll_write(context, bytes);
        }
        loop {
            let result = self.try_io(Interest::WRITABLE, |socket| {
                Ok(rustix::net::send(socket, bytes, SendFlags::NOSIGNAL)?)
            });
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_write_ready(context))?;
                }
                result => return Poll::Ready(result),
            }
        }
    }

    pub fn poll_write_pieces(
        &mut self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(socket) => Pin::new(socket).poll_write_vectored(context, pieces),
            Self::Tls(stream) => stream.poll_write_pieces(context, pieces),
            Self::Unix(socket) => Pin::new(socket).poll_write_vectored(context, pieces),
        }
    }
}
