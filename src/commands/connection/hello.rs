//! HELLO: protocol, login and name in one step.

use crate::base::numbers::parse_i64;
use crate::base::version::REDIS_VERSION;
use crate::engine::{Call, CommandError, CommandResult, Names, state};
use crate::resp::args::Args;

const NOT_LOGGED_IN: &str = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> \
     option can be used to authenticate the client and select the RESP protocol version at the same time";

/// What HELLO asks for.
struct Wish<'r> {
    is_resp3: Option<bool>,
    login: Option<(&'r [u8], &'r [u8])>,
    name: Option<&'r [u8]>,
}

pub(super) fn hello(call: &mut Call) -> CommandResult {
    let wish = parse(call)?;
    if let Some((user, password)) = wish.login {
        let engine = call.engine;
        engine.log_in(call.session, (user, password), call.args.at(0))?;
    }
    if call.session.is(state::UNAUTHENTICATED) {
        return Err(CommandError::text(NOT_LOGGED_IN));
    }
    if let Some(name) = wish.name {
        call.session.client.names.lock().name = name.to_vec();
    }
    if let Some(is_resp3) = wish.is_resp3 {
        call.session.set_resp3(is_resp3);
        call.reply.set_resp3(is_resp3);
    }
    introduce(call);
    Ok(())
}

fn parse<'r>(call: &Call<'r, '_>) -> Result<Wish<'r>, CommandError> {
    let args = call.args;
    let is_resp3 = match args.get(1).map(parse_i64) {
        None => None,
        Some(Some(version @ (2 | 3))) => Some(version == 3),
        Some(Some(_)) => {
            return Err(CommandError::text("NOPROTO unsupported protocol version"));
        }
        Some(None) => {
            return Err(CommandError::text(
                "ERR Protocol version is not an integer or out of range",
            ));
        }
    };
    let (mut login, mut name, mut at) = (None, None, 2);
    while at < args.len() {
        match (args.get(at + 1), args.get(at + 2)) {
            (Some(user), Some(password)) if args.is(at, "AUTH") => {
                login = Some((user, password));
                at += 3;
            }
            (Some(text), _) if args.is(at, "SETNAME") => {
                Names::check(text)?;
                name = Some(text);
                at += 2;
            }
            _ => {
                return Err(CommandError::quoting(
                    "ERR Syntax error in HELLO option '",
                    args.at(at),
                    "'",
                ));
            }
        }
    }
    Ok(Wish {
        is_resp3,
        login,
        name,
    })
}

/// User and password of AUTH, wherever among the options it stands.
pub(super) fn secrets(args: Args<'_>, show: &mut dyn FnMut(usize)) {
    let logins = (2..args.len()).filter(|&at| args.is(at, "AUTH"));
    let words = logins.flat_map(|at| [at + 1, at + 2]);
    words.filter(|&at| at < args.len()).for_each(show);
}

fn introduce(call: &mut Call) {
    let (session, reply) = (&*call.session, &mut *call.reply);
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.integer(if session.is_resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.integer(session.client.id as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
}
