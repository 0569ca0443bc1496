//! ACL LOAD and ACL SAVE.

use crate::acl::{DEFAULT_USER, read_file, write_file};
use crate::base::machine::error_text;
use crate::engine::{Call, CommandError, CommandResult, defaults};

const NO_FILE: &str = "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL \
                       SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in \
                       order to store users in the Redis configuration.";

/// The file's path.
fn path(call: &Call) -> Result<String, CommandError> {
    match call.config.aclfile.as_str() {
        "" => Err(CommandError::text(NO_FILE)),
        path => Ok(path.to_owned()),
    }
}

/// All users but the default one are new ones afterwards, also those of the same name: their connections are closed.
pub(super) fn load(call: &mut Call) -> CommandResult {
    let (path, engine) = (path(call)?, call.engine);
    let defaults = defaults(&engine.config.load());
    let users = read_file(&engine.acl, &path, defaults);
    let users = users.map_err(|errors| CommandError::message(format!("ERR {errors}")))?;
    let (old, old_default) = (engine.acl.users(), engine.acl.default_user());
    engine.acl.replace(users, defaults);
    for name in old
        .keys()
        .filter(|name| ***name != *DEFAULT_USER.as_bytes())
    {
        engine.close_clients_of(name, call.session);
    }
    let default = engine.acl.default_user();
    if !old_default.keeps_channels_as(&default) {
        engine.close_listeners(&default, call.session);
    }
    call.reply.ok();
    Ok(())
}

pub(super) fn save(call: &mut Call) -> CommandResult {
    let path = path(call)?;
    if let Err(error) = write_file(&call.engine.acl, &path) {
        tracing::warn!("Saving users to {path} failed: {}", error_text(&error));
        return Err(CommandError::text(
            "ERR There was an error trying to save the ACLs. Please check the server logs for more information",
        ));
    }
    call.reply.ok();
    Ok(())
}
