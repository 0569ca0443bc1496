//! The protocol, both ways: bytes to arguments (`parser`) and replies to bytes (`reply`). Knows no command.

pub mod args;
mod inline;
pub mod parser;
mod put;
pub mod reply;
