//! AUTH: who the client is.

use crate::acl::DEFAULT_USER;
use crate::engine::{Call, CommandError, CommandResult};

pub(super) fn auth(call: &mut Call) -> CommandResult {
    let login = match call.args.len() {
        2 if call.engine.acl.default_user().has_no_password() => {
            return Err(CommandError::text(
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            ));
        }
        2 => (DEFAULT_USER.as_bytes(), call.args.at(1)),
        3 => (call.args.at(1), call.args.at(2)),
        _ => return Err(CommandError::Syntax),
    };
    let (engine, command) = (call.engine, call.args.at(0));
    engine.log_in(call.session, login, command)?;
    call.reply.ok();
    Ok(())
}
