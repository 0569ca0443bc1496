//! MIGRATE's way to the other server: a thread per parcel, so that no worker waits. Connections are kept for a while, since
//! whoever moves keys mostly moves many.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Server;
use crate::engine::transfer::{Delivery, Parcel};
use crate::engine::{Client, Engine, Mail};
use crate::journal::write_command;

/// Stack of a thread that only copies bytes.
const STACK: usize = 256 * 1024;
/// Bytes that must be taken within the time allowed.
const CHUNK: usize = 64 * 1024;
/// Longest line of an answer.
const LINE: u64 = 1024;
/// How long an idle connection is kept.
const KEPT: Duration = Duration::from_secs(10);
/// How many idle connections are kept.
const MOST_KEPT: usize = 64;

const CONNECTING: &str = "IOERR error or timeout connecting to the client";
const WRITING: &str = "IOERR error or timeout writing to target instance";
const READING: &str = "IOERR error or timeout reading to target instance";

/// Sends a parcel; the client's worker is told when it is known what has become of it.
pub(super) fn send(server: Arc<Server>, parcel: Arc<Parcel>, client: Arc<Client>) {
    let (known, sender) = (server.clone(), client.clone());
    let thread = std::thread::Builder::new()
        .name("migrate".into())
        .stack_size(STACK)
        .spawn(move || {
            let mut delivery = Delivery::default();
            delivery.error = deliver(&known, &parcel, &mut delivery.accepted).err();
            report(&known, &sender, delivery);
        });
    if thread.is_err() {
        let delivery = Delivery {
            error: Some(CONNECTING.into()),
            ..Delivery::default()
        };
        report(&server, &client, delivery);
    }
}

fn report(server: &Server, client: &Client, delivery: Delivery) {
    if server.engine.transfers.end(client.id, delivery) {
        server.engine.mailboxes[client.worker].post(Mail::LookAgain(client.id));
    }
}

/// Connections that nobody uses at the moment, the one that has been left for longest first.
#[derive(Default)]
pub(super) struct Links(Mutex<Vec<Link>>);

impl Links {
    fn take(&self, parcel: &Parcel) -> Option<Link> {
        let mut kept = self.0.lock();
        let at = kept.iter().rposition(|link| link.suits(parcel))?;
        Some(kept.remove(at))
    }

    /// Keeps one for others; gives how many there are.
    fn keep(&self, mut link: Link) -> usize {
        link.left = Instant::now();
        let mut kept = self.0.lock();
        if kept.len() == MOST_KEPT {
            kept.remove(0);
        }
        kept.push(link);
        kept.len()
    }

    /// Closes what has been idle for too long; gives how many are left.
    pub(super) fn close_idle(&self) -> usize {
        let mut kept = self.0.lock();
        kept.retain(|link| link.left.elapsed() < KEPT);
        kept.len()
    }
}

/// A connection to another server, logged in.
struct Link {
    host: String,
    port: u16,
    /// As whom: one user's connection is not for another's keys.
    login: Option<Vec<u8>>,
    stream: BufReader<TcpStream>,
    left: Instant,
}

impl Link {
    fn suits(&self, parcel: &Parcel) -> bool {
        self.port == parcel.port && self.host == parcel.host && self.login == parcel.login
    }

    fn open(parcel: &Parcel) -> Option<Link> {
        let stream = connect(parcel)?;
        stream.set_nodelay(true).ok()?;
        Some(Link {
            host: parcel.host.clone(),
            port: parcel.port,
            login: parcel.login.clone(),
            stream: BufReader::new(stream),
            left: Instant::now(),
        })
    }

    /// Logs in, each time, since passwords change, and chooses the database.
    fn greet(&mut self, parcel: &Parcel) -> Result<(), String> {
        let stream = self.stream.get_ref();
        let timeouts = [
            stream.set_read_timeout(Some(parcel.timeout)),
            stream.set_write_timeout(Some(parcel.timeout)),
        ];
        if timeouts.iter().any(Result::is_err) {
            return Err(CONNECTING.into());
        }
        let login = parcel.login.as_ref();
        let mut greeting = login.cloned().unwrap_or_default();
        let database = parcel.database.to_string();
        let select = [&b"SELECT"[..], database.as_bytes()];
        write_command(&mut greeting, select.into_iter());
        self.write(&greeting)?;
        let mut refusal = None;
        for _ in 0..1 + usize::from(login.is_some()) {
            let answer = self.read()?;
            refusal = refusal.or(answer.err());
        }
        refusal.map_or(Ok(()), |text| Err(refused(&text)))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        for chunk in bytes.chunks(CHUNK) {
            self.stream
                .get_mut()
                .write_all(chunk)
                .map_err(|_| WRITING)?;
        }
        Ok(())
    }

    /// One answer: a line, without its first byte where it is an error.
    fn read(&mut self) -> Result<Result<(), String>, String> {
        let mut line = Vec::new();
        let read = (&mut self.stream).take(LINE).read_until(b'\n', &mut line);
        if read.is_err() || line.last() != Some(&b'\n') {
            return Err(READING.into());
        }
        Ok(match line.strip_prefix(b"-") {
            Some(text) => Err(String::from_utf8_lossy(text).trim_end().into()),
            None => Ok(()),
        })
    }
}

/// A connection that has answered: one that was kept, or else a new one.
fn link(server: &Server, parcel: &Parcel) -> Result<Link, String> {
    if let Some(mut kept) = server.links.take(parcel)
        && kept.greet(parcel).is_ok()
    {
        return Ok(kept);
    }
    let mut link = Link::open(parcel).ok_or(CONNECTING)?;
    link.greet(parcel)?;
    Ok(link)
}

/// Notes of which keys the other server says that it has them; the error is the client's.
fn deliver(server: &Server, parcel: &Parcel, accepted: &mut Vec<bool>) -> Result<(), String> {
    let mut link = link(server, parcel)?;
    // To replace a key by itself and then to delete it would be to lose it.
    if i64::try_from(parcel.source) == Ok(parcel.database)
        && leads_here(&server.engine, link.stream.get_ref())
    {
        return Err("ERR Source and target instances are the same".into());
    }
    for command in &parcel.commands {
        link.write(command)?;
    }
    let mut refusal = None;
    for _ in &parcel.commands {
        let answer = link.read()?;
        accepted.push(answer.is_ok());
        if let Err(text) = answer {
            refusal.get_or_insert(text);
        }
    }
    let kept = server.links.keep(link);
    server.engine.transfers.links.store(kept, Relaxed);
    refusal.map_or(Ok(()), |text| Err(refused(&text)))
}

fn refused(text: &str) -> String {
    format!("ERR Target instance replied with error: {text}")
}

fn connect(parcel: &Parcel) -> Option<TcpStream> {
    let addresses = (parcel.host.as_str(), parcel.port).to_socket_addrs().ok()?;
    let mut attempts =
        addresses.map(|address| TcpStream::connect_timeout(&address, parcel.timeout));
    attempts.find_map(Result::ok)
}

/// Whether the other end of a connection is this server.
fn leads_here(engine: &Engine, stream: &TcpStream) -> bool {
    let (Ok(own), Ok(other)) = (stream.local_addr(), stream.peer_addr()) else {
        return false;
    };
    let (own, other) = (own.to_string(), other.to_string());
    let clients = engine.clients.all();
    (clients.iter()).any(|client| client.address == own && client.local_address == other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn parcel(port: u16, login: Option<&[u8]>) -> Parcel {
        Parcel {
            host: "127.0.0.1".into(),
            port,
            timeout: Duration::from_secs(1),
            login: login.map(<[u8]>::to_vec),
            database: 0,
            source: 0,
            commands: Vec::new(),
        }
    }

    #[test]
    fn idle_connections_serve_their_like_until_their_time_is_up() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (one, other) = (parcel(port, None), parcel(port, Some(b"AUTH")));
        let links = Links::default();
        links.keep(Link::open(&one).expect("a connection"));
        assert!(links.take(&other).is_none());
        let taken = links.take(&one).expect("the one that was kept");
        assert!(links.take(&one).is_none());
        links.keep(taken);
        assert_eq!(links.close_idle(), 1);
        if let Some(long_ago) = Instant::now().checked_sub(KEPT) {
            links.0.lock()[0].left = long_ago;
            assert_eq!(links.close_idle(), 0);
            assert!(links.take(&one).is_none());
        }
    }
}
