//! Which clients CLIENT LIST shows and CLIENT KILL closes. A filter is a list of conditions that all hold; Valkey's `NOT-`
//! turns one round.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::list::{capabilities, letters};
use crate::base::numbers::parse_i64;
use crate::engine::{Call, Client, CommandError, flag};

pub(super) const LIST_SYNTAX: &str = "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]] \
    [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME <YES | NO>] [MAXAGE maxage] [NAME name] [IDLE idle] \
    [FLAGS flags] [LIB-NAME libname] [LIB-VER libver] [DB db] [CAPA capa] [IP ip]";
pub(super) const KILL_SYNTAX: &str = "<ip:port | <[ID client-id [client-id ...]] | \
    [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | [USER username] | [ADDR ip:port] | [LADDR ip:port] | \
    [SKIPME <YES | NO>] | [MAXAGE maxage] | [NAME name] | [IDLE idle] | [FLAGS flags] | [LIB-NAME libname] | \
    [LIB-VER libver] | [DB db] | [CAPA capa] | [IP ip] ...>>";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Normal,
    Primary,
    Replica,
    PubSub,
}

enum Condition<'r> {
    Ids(Vec<u64>),
    Type(Type),
    User(&'r [u8]),
    Address(&'r [u8]),
    LocalAddress(&'r [u8]),
    Ip(&'r [u8]),
    Name(&'r [u8]),
    LibName(&'r [u8]),
    LibVersion(&'r [u8]),
    Flags(&'r [u8]),
    Capabilities(&'r [u8]),
    Database(u32),
    /// Milliseconds.
    MinAge(i64),
    /// Milliseconds.
    MinIdle(i64),
}

/// Which clients are meant.
pub(super) struct Filter<'r> {
    conditions: Vec<(Condition<'r>, bool)>,
    skips_own: bool,
    /// Whether a number that no client can have is refused.
    needs_real_ids: bool,
    /// How a number that is no client's is refused.
    bad_id: CommandError,
}

impl<'r> Filter<'r> {
    /// The filter of CLIENT LIST.
    pub fn of_list(call: &Call<'r, '_>) -> Result<Self, CommandError> {
        let filter = Self {
            conditions: Vec::new(),
            skips_own: false,
            needs_real_ids: false,
            bad_id: CommandError::text("ERR Invalid client ID"),
        };
        filter.parse(call)
    }

    /// The filter of CLIENT KILL.
    pub fn of_kill(call: &Call<'r, '_>) -> Result<Self, CommandError> {
        let filter = Self {
            conditions: Vec::new(),
            skips_own: true,
            needs_real_ids: true,
            bad_id: CommandError::text("ERR client-id should be greater than 0"),
        };
        filter.parse(call)
    }

    /// The filter of CLIENT KILL's old form.
    pub fn by_address(address: &'r [u8]) -> Self {
        Self {
            conditions: vec![(Condition::Address(address), true)],
            skips_own: false,
            needs_real_ids: false,
            bad_id: CommandError::Syntax,
        }
    }

    fn parse(mut self, call: &Call<'r, '_>) -> Result<Self, CommandError> {
        let mut at = 2;
        while at < call.args.len() {
            let (option, Some(value)) = (call.args.at(at), call.args.get(at + 1)) else {
                return Err(CommandError::Syntax);
            };
            at += 2;
            let option = option.to_ascii_uppercase();
            if option == b"SKIPME" {
                self.skips_own = yes_or_no(value)?;
                continue;
            }
            let (option, holds) = match option.strip_prefix(b"NOT-") {
                Some(option) if !matches!(option, b"MAXAGE" | b"IDLE") => (option, false),
                _ => (&option[..], true),
            };
            let condition = if option == b"ID" {
                let mut ids = vec![self.id(value)?];
                while let Some(id) = call.args.get(at).and_then(parse_i64) {
                    ids.push(self.checked(id)?);
                    at += 1;
                }
                Condition::Ids(ids)
            } else {
                condition(option, value, call)?
            };
            self.conditions.push((condition, holds));
        }
        Ok(self)
    }

    fn id(&self, word: &[u8]) -> Result<u64, CommandError> {
        match parse_i64(word) {
            Some(id) => self.checked(id),
            None => Err(self.bad_id.clone()),
        }
    }

    fn checked(&self, id: i64) -> Result<u64, CommandError> {
        match u64::try_from(id) {
            Ok(id) if id > 0 => Ok(id),
            _ if self.needs_real_ids => Err(self.bad_id.clone()),
            _ => Ok(0),
        }
    }

    /// The clients that are meant: in the order of their numbers, or in the order in which they were named.
    pub fn choose(&self, call: &Call) -> Vec<Arc<Client>> {
        let now = call.db.now();
        let clients = &call.engine.clients;
        let named = self
            .conditions
            .iter()
            .find_map(|condition| match condition {
                (Condition::Ids(ids), true) => Some(ids),
                _ => None,
            });
        let mut chosen = match named {
            Some(ids) => ids.iter().filter_map(|&id| clients.get(id)).collect(),
            None => clients.all(),
        };
        chosen.retain(|client| {
            let is_own = client.id == call.session.client.id;
            let is_skipped = is_own && self.skips_own || client.is_killed.load(Relaxed);
            let mut conditions = self.conditions.iter();
            !is_skipped
                && conditions.all(|(condition, holds)| condition.holds_for(client, now) == *holds)
        });
        chosen
    }
}

fn yes_or_no(word: &[u8]) -> Result<bool, CommandError> {
    match word.to_ascii_uppercase().as_slice() {
        b"YES" => Ok(true),
        b"NO" => Ok(false),
        _ => Err(CommandError::Syntax),
    }
}

fn condition<'r>(
    option: &[u8],
    value: &'r [u8],
    call: &Call<'r, '_>,
) -> Result<Condition<'r>, CommandError> {
    Ok(match option {
        b"TYPE" => Condition::Type(
            type_named(value)
                .ok_or_else(|| CommandError::quoting("ERR Unknown client type '", value, "'"))?,
        ),
        b"USER" if call.engine.acl.get(value).is_none() => {
            return Err(CommandError::quoting("ERR No such user '", value, "'"));
        }
        b"USER" => Condition::User(value),
        b"ADDR" => Condition::Address(value),
        b"LADDR" => Condition::LocalAddress(value),
        b"IP" => Condition::Ip(value),
        b"NAME" => Condition::Name(value),
        b"LIB-NAME" => Condition::LibName(value),
        b"LIB-VER" => Condition::LibVersion(value),
        b"FLAGS" => Condition::Flags(value),
        b"CAPA" => Condition::Capabilities(value),
        b"DB" => Condition::Database(database(value, call)?),
        b"MAXAGE" => Condition::MinAge(seconds("maxage", value)?),
        b"IDLE" => Condition::MinIdle(seconds("idle", value)?),
        _ => return Err(CommandError::Syntax),
    })
}

fn type_named(word: &[u8]) -> Option<Type> {
    match word.to_ascii_uppercase().as_slice() {
        b"NORMAL" => Some(Type::Normal),
        b"MASTER" | b"PRIMARY" => Some(Type::Primary),
        b"SLAVE" | b"REPLICA" => Some(Type::Replica),
        b"PUBSUB" => Some(Type::PubSub),
        _ => None,
    }
}

fn seconds(what: &str, value: &[u8]) -> Result<i64, CommandError> {
    let wrong = |how: &str| CommandError::message(format!("ERR {what} {how}"));
    match parse_i64(value) {
        None => Err(wrong("is not an integer or out of range")),
        Some(seconds) if seconds <= 0 => Err(wrong("should be greater than 0")),
        Some(seconds) => Ok(seconds.saturating_mul(1000)),
    }
}

fn database(value: &[u8], call: &Call) -> Result<u32, CommandError> {
    let databases = call.engine.keyspace.databases();
    let number = parse_i64(value)
        .ok_or_else(|| CommandError::text("ERR DB is not an integer or out of range"))?;
    match u32::try_from(number) {
        Ok(number) if (number as usize) < databases => Ok(number),
        _ => Err(CommandError::message(format!(
            "ERR DB number should be between 0 and {}",
            databases - 1
        ))),
    }
}

impl Condition<'_> {
    fn holds_for(&self, client: &Client, now: i64) -> bool {
        let names = || client.names.lock();
        match self {
            Self::Ids(ids) => ids.contains(&client.id),
            Self::Type(wanted) => match client.has_flag(flag::PUBSUB) {
                true => *wanted == Type::PubSub,
                false => *wanted == Type::Normal,
            },
            Self::User(user) => names().user == *user,
            Self::Address(address) => client.address.as_bytes() == *address,
            Self::LocalAddress(address) => client.local_address.as_bytes() == *address,
            Self::Ip(ip) => ip_of(&client.address).as_bytes() == *ip,
            Self::Name(name) => names().name == *name,
            Self::LibName(name) => names().lib_name == *name,
            Self::LibVersion(version) => names().lib_version == *version,
            Self::Flags(wanted) => {
                let letters = letters(client);
                wanted
                    .iter()
                    .all(|letter| letters.as_bytes().contains(letter))
            }
            Self::Capabilities(wanted) => {
                let has = capabilities(client).as_bytes();
                wanted.iter().all(|letter| has.contains(letter))
            }
            Self::Database(database) => client.database.load(Relaxed) == *database,
            Self::MinAge(age) => now - client.created_ms >= *age,
            Self::MinIdle(idle) => now - client.last_active_ms.load(Relaxed) >= *idle,
        }
    }
}

/// The address without its port.
fn ip_of(address: &str) -> &str {
    let ip = address.rsplit_once(':').map_or(address, |(ip, _)| ip);
    ip.trim_start_matches('[').trim_end_matches(']')
}
