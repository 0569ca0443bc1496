//! AUTH: who the client is.

use std::hint::black_box;
use std::sync::atomic::Ordering::Relaxed;

use crate::engine::{Call, CommandError, CommandResult, Names, state};

pub(super) fn auth(call: &mut Call) -> CommandResult {
    let (user, password) = match call.args.len() {
        2 if call.config.requirepass.is_empty() => {
            return Err(CommandError::text(
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            ));
        }
        2 => (Names::default_user().into_bytes(), call.args.at(1)),
        3 => (call.args.at(1).to_vec(), call.args.at(2)),
        _ => return Err(CommandError::Syntax),
    };
    log_in(call, &user, password)?;
    call.reply.ok();
    Ok(())
}

/// Logs the connection in, or counts a failure. There is one user, who takes any password where none is configured.
pub(super) fn log_in(call: &mut Call, user: &[u8], password: &[u8]) -> CommandResult {
    let expected = call.config.requirepass.as_bytes();
    let is_user = user == Names::default_user().as_bytes();
    if !is_user || !(expected.is_empty() || is_same(password, expected)) {
        call.engine.stats.auth_failures.fetch_add(1, Relaxed);
        return Err(CommandError::WrongPass);
    }
    call.session.client.names.lock().user = Names::default_user();
    call.session.set(state::UNAUTHENTICATED, false);
    Ok(())
}

/// Compares in a time that does not tell where the first difference is.
fn is_same(given: &[u8], expected: &[u8]) -> bool {
    let mut difference = u8::from(given.len() != expected.len());
    for (byte, expected) in given.iter().zip(expected.iter().cycle()) {
        difference |= black_box(byte ^ expected);
    }
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn only_the_same_password_is_the_same() {
        assert!(is_same(b"secret", b"secret"));
        for wrong in [&b""[..], b"s", b"Secret", b"secreT", b"secretsecret"] {
            assert!(!is_same(wrong, b"secret"), "{wrong:?}");
        }
    }
}
