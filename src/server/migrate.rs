//! MIGRATE's way to the other server: a thread per parcel, so that no worker waits.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;

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
            delivery.error = deliver(&known.engine, &parcel, &mut delivery.accepted).err();
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

/// Notes of which keys the other server says that it has them; the error is the client's.
fn deliver(engine: &Engine, parcel: &Parcel, accepted: &mut Vec<bool>) -> Result<(), String> {
    let mut stream = connect(parcel).ok_or(CONNECTING)?;
    let copy = stream.try_clone().map_err(|_| CONNECTING)?;
    let mut answers = BufReader::new(copy);
    let mut greeting = parcel.login.clone().unwrap_or_default();
    let database = parcel.database.to_string();
    let select = [&b"SELECT"[..], database.as_bytes()];
    write_command(&mut greeting, select.into_iter());
    write(&mut stream, &greeting)?;
    let mut refusal = None;
    for _ in 0..1 + usize::from(parcel.login.is_some()) {
        let answer = read(&mut answers)?;
        refusal = refusal.or(answer.err());
    }
    if let Some(refusal) = refusal {
        return Err(refused(&refusal));
    }
    // To replace a key by itself and then to delete it would be to lose it.
    if i64::try_from(parcel.source) == Ok(parcel.database) && leads_here(engine, &stream) {
        return Err("ERR Source and target instances are the same".into());
    }
    for command in &parcel.commands {
        write(&mut stream, command)?;
    }
    for _ in &parcel.commands {
        let answer = read(&mut answers)?;
        accepted.push(answer.is_ok());
        if let Err(text) = answer {
            refusal.get_or_insert(text);
        }
    }
    refusal.map_or(Ok(()), |text| Err(refused(&text)))
}

fn refused(text: &str) -> String {
    format!("ERR Target instance replied with error: {text}")
}

fn connect(parcel: &Parcel) -> Option<TcpStream> {
    let addresses = (parcel.host.as_str(), parcel.port).to_socket_addrs().ok()?;
    let mut attempts =
        addresses.map(|address| TcpStream::connect_timeout(&address, parcel.timeout));
    let stream = attempts.find_map(Result::ok)?;
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(parcel.timeout)).ok()?;
    stream.set_write_timeout(Some(parcel.timeout)).ok()?;
    Some(stream)
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

fn write(stream: &mut TcpStream, bytes: &[u8]) -> Result<(), String> {
    for chunk in bytes.chunks(CHUNK) {
        stream.write_all(chunk).map_err(|_| WRITING)?;
    }
    Ok(())
}

/// One answer: a line, without its first byte where it is an error.
fn read(answers: &mut BufReader<TcpStream>) -> Result<Result<(), String>, String> {
    let mut line = Vec::new();
    let read = answers.take(LINE).read_until(b'\n', &mut line);
    if read.is_err() || line.last() != Some(&b'\n') {
        return Err(READING.into());
    }
    Ok(match line.strip_prefix(b"-") {
        Some(text) => Err(String::from_utf8_lossy(text).trim_end().into()),
        None => Ok(()),
    })
}
