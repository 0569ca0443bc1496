//! ACL: users and what they may do. `users` changes and shows them, `file` is about the file of users, `log` about what was
//! refused.

mod file;
mod log;
mod table;
mod users;

pub use table::COMMANDS;

use crate::base::random;
use crate::engine::{CATEGORIES, Call, CommandError, CommandResult};
use crate::resp::args::OwnedArgs;

fn cat(call: &mut Call) -> CommandResult {
    if call.args.len() > 3 {
        return Err(call.subcommand_syntax());
    }
    let Some(name) = call.args.get(2) else {
        call.reply.array(CATEGORIES.len());
        CATEGORIES
            .iter()
            .for_each(|name| call.reply.bulk(name.as_bytes()));
        return Ok(());
    };
    let mut known = CATEGORIES.iter();
    let Some(category) = known.find(|known| known.as_bytes().eq_ignore_ascii_case(name)) else {
        let name = &name[..name.len().min(128)];
        return Err(CommandError::quoting("ERR Unknown category '", name, "'"));
    };
    let commands = call.engine.commands.all().iter();
    let members: Vec<_> = commands
        .filter(|spec| spec.categories().contains(category))
        .collect();
    call.reply.array(members.len());
    for spec in members {
        call.reply.bulk(spec.name.as_bytes());
    }
    Ok(())
}

fn whoami(call: &mut Call) -> CommandResult {
    call.reply.bulk(call.session.user_name());
    Ok(())
}

fn genpass(call: &mut Call) -> CommandResult {
    const MOST_BITS: i64 = 4096;
    if call.args.len() > 3 {
        return Err(call.subcommand_syntax());
    }
    let bits = match call.args.len() {
        2 => 256,
        _ => call.integer(2)?,
    };
    if !(1..=MOST_BITS).contains(&bits) {
        return Err(CommandError::message(format!(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to {MOST_BITS}"
        )));
    }
    let digits = (bits as usize).div_ceil(4);
    let password = random::secret_hex(digits);
    let password = password.ok_or_else(|| CommandError::text("ERR no random numbers to be had"))?;
    call.reply.bulk(password.as_bytes());
    Ok(())
}

fn dryrun(call: &mut Call) -> CommandResult {
    let (name, command) = (call.args.at(2), call.args.at(3));
    let user = call.engine.acl.get(name);
    let user = user.ok_or_else(|| CommandError::quoting("ERR User '", name, "' not found"))?;
    let inner = OwnedArgs::copy(call.args.from(3));
    let spec = call.engine.commands.resolve(inner.view());
    let spec =
        spec.ok_or_else(|| CommandError::quoting("ERR Command '", command, "' not found"))?;
    if !spec.accepts(inner.view().len()) {
        return Err(CommandError::arity(&spec.name));
    }
    match spec.check_user(&user, inner.view()) {
        Ok(()) => call.reply.ok(),
        Err(denial) => {
            let text = spec.denial(&user, inner.view(), denial, true);
            call.reply.bulk(&text);
        }
    }
    Ok(())
}
