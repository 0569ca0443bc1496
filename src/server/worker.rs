//! A worker thread: its own runtime, its connections, its mailbox, its timer. Worker 0 also accepts.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::connection::{self, Connection};
use super::stream::{Accepted, Stream};
use super::{Server, holders, signals, tick, tls};
use crate::engine::{Client, Mail, Session, flag};
use crate::pubsub::{Kind, Publication};
use crate::resp::reply::Reply;

/// Time at the end for clients to read their replies.
const GOODBYE: Duration = Duration::from_secs(5);

/// Runs worker `index` until it is told to stop; says when it has all that it works with.
pub(super) fn run(server: Arc<Server>, index: usize, ready: Sender<()>) {
    connection::prepare_thread(&server, index);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("Worker {index} cannot start: {error}");
            return server.exit.end(1);
        }
    };
    runtime.block_on(async {
        if index == 0 {
            server.listeners.accept(&server);
            server.metrics.accept(&server);
            tokio::spawn(super::shutdown::await_signals(server.clone()));
        }
        tokio::spawn(tick::run(server.clone(), index));
        tokio::spawn(holders::commit_for(server.clone(), index));
        // Nobody listens when the server has ended meanwhile.
        let _ = ready.send(());
        drop(ready);
        read_mail(&server, index).await;
        say_goodbye().await;
    });
    // Dropping the runtime drops the connections' tasks, which closes their sockets.
}

/// Lets connections send the replies that they owe, for as long as their clients read them.
async fn say_goodbye() {
    let begun = Instant::now();
    loop {
        let left = signals::all();
        // Whoever came at the last moment may not have been among them before.
        left.iter().for_each(|signals| signals.tell_end());
        if left.is_empty() || begun.elapsed() >= GOODBYE {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Handles the mailbox until told to stop.
async fn read_mail(server: &Arc<Server>, index: usize) {
    let mailbox = &server.engine.mailboxes[index];
    loop {
        mailbox.wait().await;
        if !collect_mail(server, index) {
            return;
        }
    }
}

/// Handles what is in the mailbox, on this worker's thread. False when the worker is to stop.
pub(super) fn collect_mail(server: &Arc<Server>, index: usize) -> bool {
    for mail in server.engine.mailboxes[index].take() {
        match mail {
            Mail::Publish(publication) => deliver(server, index, &publication),
            Mail::Kill(id) => {
                if let Some(signals) = signals::get(id) {
                    signals.client.is_killed.store(true, Relaxed);
                    signals.post(|_| {});
                }
            }
            Mail::Unblock(id, how) => {
                if let Some(signals) = signals::get(id) {
                    signals.post(|inbox| inbox.unblock = Some(how));
                }
            }
            Mail::Served(id, served) => {
                if let Some(signals) = signals::get(id) {
                    signals.post(|inbox| {
                        inbox.before_served = inbox.pushes.len();
                        inbox.served = Some(served);
                    });
                }
            }
            Mail::LookAgain(id) => {
                // By a task of its own: whoever collects mail may be about to run commands.
                tokio::spawn(tick::look_again(server.clone(), index, id));
            }
            Mail::Tracking(id, message, underway) => {
                if let Some(signals) = signals::get(id) {
                    let client = &signals.client;
                    let is_resp3 = client.is_resp3.load(Relaxed);
                    let push = message.encode(is_resp3, client.has_flag(flag::PUBSUB));
                    signals.post(|inbox| {
                        inbox.pushes.extend(push);
                        inbox.underway.absorb(underway);
                    });
                }
            }
            Mail::Push(id, bytes) => {
                if let Some(signals) = signals::get(id) {
                    signals.post(|inbox| inbox.pushes.push(bytes));
                }
            }
            Mail::Durable => holders::release(server, index),
            Mail::Recheck => signals::all()
                .iter()
                .for_each(|signals| signals.post(|_| {})),
            Mail::Connection(socket) => {
                if let Ok(socket) = socket.downcast::<Accepted>() {
                    adopt(server, index, *socket);
                }
            }
            Mail::Purge => server.engine.memory.purge(),
            Mail::Room => connection::brake::release(),
            Mail::Stop => return false,
        }
    }
    true
}

/// What a client takes besides its connection and what others see of it: the runtime's task and registration, its place in
/// lists of clients, its inbox, names and addresses.
const BESIDE_CONNECTION: usize = 600;

/// Starts serving an accepted socket on this worker.
pub(super) fn adopt(server: &Arc<Server>, index: usize, socket: Accepted) {
    let stream = match socket {
        Accepted::Tcp(socket) => tokio::net::TcpStream::from_std(socket).map(Stream::from),
        Accepted::Unix(socket) => tokio::net::UnixStream::from_std(socket).map(Stream::from),
        Accepted::Tls(socket) => {
            return drop(tokio::spawn(tls::welcome(server.clone(), index, socket)));
        }
    };
    match stream {
        Ok(stream) => serve(server, index, stream, &[]),
        Err(error) => {
            server.connections[index].fetch_sub(1, Relaxed);
            tracing::debug!("A new connection was lost: {error}");
        }
    }
}

/// Starts serving a client on this worker: as the first of these users that there is, if any.
pub(super) fn serve(server: &Arc<Server>, index: usize, stream: Stream, users: &[String]) {
    let mut session = new_session(server, index, &stream);
    server.engine.log_in_known(&mut session, users);
    let client = session.client.clone();
    let besides = stream.allocated() + BESIDE_CONNECTION;
    let connection = Connection::new(server.clone(), stream, session).serve();
    let bytes = size_of_val(&connection) + besides;
    client.connection_bytes.store(bytes as u64, Relaxed);
    tokio::spawn(connection);
}

fn new_session(server: &Arc<Server>, index: usize, stream: &Stream) -> Session {
    let engine = &server.engine;
    let config = engine.config.load();
    let (address, local) = stream.addresses(&config.unixsocket);
    let client = Arc::new(Client::new(
        engine.clients.next_id(),
        index,
        address,
        local,
        stream.fd(),
    ));
    client.set_flag(crate::engine::flag::UNIX_SOCKET, stream.is_unix());
    engine.clients.add(client.clone());
    Session::new(client, engine.new_login())
}

/// Gives a published message to this worker's listeners, encoded once per protocol.
fn deliver(server: &Arc<Server>, index: usize, publication: &Publication) {
    let mut encoded: Vec<(Option<Bytes>, bool, Bytes)> = Vec::new();
    server
        .engine
        .pubsub
        .deliver(index, publication, |client, pattern| {
            let Some(signals) = signals::get(client) else {
                return;
            };
            let is_resp3 = signals.client.is_resp3.load(Relaxed);
            let known = encoded
                .iter()
                .find(|(known, resp3, _)| known.as_ref() == pattern && *resp3 == is_resp3);
            let message = match known {
                Some((_, _, bytes)) => bytes.clone(),
                None => {
                    let bytes = encode(publication, pattern, is_resp3);
                    encoded.push((pattern.cloned(), is_resp3, bytes.clone()));
                    bytes
                }
            };
            signals.post(|inbox| inbox.pushes.push(message));
        });
}

fn encode(publication: &Publication, pattern: Option<&Bytes>, is_resp3: bool) -> Bytes {
    let mut reply = Reply::new();
    reply.set_resp3(is_resp3);
    match (pattern, publication.kind) {
        (Some(pattern), _) => {
            reply.push(4);
            reply.bulk(b"pmessage");
            reply.bulk(pattern);
        }
        (None, Kind::Shard) => {
            reply.push(3);
            reply.bulk(b"smessage");
        }
        (None, _) => {
            reply.push(3);
            reply.bulk(b"message");
        }
    }
    reply.bulk(&publication.channel);
    reply.bulk(&publication.message);
    let mut bytes = Bytes::new();
    reply.take_pieces(0, |piece| bytes = piece);
    bytes
}
