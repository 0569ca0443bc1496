//! What Redis promises: one file or folder per family, each with its table at the foot.
//!
//! Handlers see arguments, keys and a reply; no sockets, no locks, no files.

mod client;
mod command;
mod connection;
mod help;
mod keys;
mod pubsub;
mod server;
mod string;
mod transactions;

use crate::engine::Command;

/// Every family's commands.
pub const FAMILIES: &[&[Command]] = &[
    client::COMMANDS,
    command::COMMANDS,
    connection::COMMANDS,
    keys::COMMANDS,
    pubsub::COMMANDS,
    server::COMMANDS,
    string::COMMANDS,
    transactions::COMMANDS,
];
