//! Who may use what is dangerous: nobody, clients on this machine, everybody.

use std::net::SocketAddr;

use crate::config::{Caller, Permission};
use crate::engine::{Call, Client, CommandError, CommandResult, flag};

/// Where a client is.
pub(super) fn caller(client: &Client) -> Caller {
    let is_loopback = |address: SocketAddr| address.ip().to_canonical().is_loopback();
    let is_local =
        client.has_flag(flag::UNIX_SOCKET) || client.address.parse().is_ok_and(is_loopback);
    if is_local {
        Caller::Local
    } else {
        Caller::Remote
    }
}

/// The error of a command that a client may not use, where it may not.
pub(super) fn require(
    permission: Permission,
    call: &Call,
    command: &str,
    directive: &str,
) -> CommandResult {
    if covers(permission, &call.session.client) {
        return Ok(());
    }
    Err(CommandError::message(format!(
        "ERR {command} command not allowed. If the {directive} option is set to \"local\", you can run it from a local \
         connection, otherwise you need to set this option in the configuration file, and then restart the server."
    )))
}

/// Whether a permission covers a client.
fn covers(permission: Permission, client: &Client) -> bool {
    match permission {
        Permission::Yes => true,
        Permission::Local => caller(client) == Caller::Local,
        Permission::No => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_clients_are_known_by_their_address() {
        let at = |address: &str| Client::new(1, 0, address.into(), String::new(), 0);
        for local in ["127.0.0.1:5", "[::1]:5", "[::ffff:127.0.0.1]:5"] {
            assert_eq!(caller(&at(local)), Caller::Local, "{local}");
        }
        for remote in ["10.0.0.1:5", "[2001:db8::1]:5", ""] {
            assert_eq!(caller(&at(remote)), Caller::Remote, "{remote}");
            assert!(!covers(Permission::Local, &at(remote)));
        }
        let unix = at("/run/oxidis.sock:0");
        unix.set_flag(flag::UNIX_SOCKET, true);
        assert!(covers(Permission::Local, &unix) && !covers(Permission::No, &unix));
    }
}
