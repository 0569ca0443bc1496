//! Tests that speak to a running server. One binary; a module per subject; `common` starts servers and speaks RESP.
//!
//! `OXIDIS_TEST_SERVER=/path/to/redis-server cargo test --test it` runs the same tests against another server, which
//! tells whether a test expects what Redis really does. A failing test prints the log of its server.

mod common;

mod acl;
mod acl_races;
mod acl_rules;
mod aof;
mod bitmaps;
mod blocking;
mod check_aof;
mod clients;
mod clients_admin;
mod command_table;
mod config_commands;
mod confined_scripts;
mod crowd;
mod daemon;
mod debug;
mod differential;
mod dump;
mod durability;
mod expiry;
mod full_disk;
mod functions;
mod geo;
mod hash_import;
mod hashes;
mod hostile;
mod hyperloglogs;
mod keys;
mod keyspace;
mod lists;
mod memory;
mod migrate;
mod monitor;
mod order;
mod protocol;
mod pubsub;
mod redis_cli;
mod running;
mod saving;
mod scan;
mod script_inputs;
mod scripts;
mod scripts_hostile;
mod server_info;
mod sets;
mod slow_log;
mod slow_scripts;
mod snapshots;
mod sort;
mod sorted_sets;
mod start;
mod stream_quota;
mod streams;
mod string_options;
mod strings;
mod takers;
mod tls;
mod tracking;
mod transactions;
mod waiters;
