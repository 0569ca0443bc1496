//! HELP subcommands: the lines that explain a container.

use crate::engine::{Call, CommandResult};

/// Replies with a container's subcommands: of each its syntax and, indented, what it does.
pub(super) fn help(call: &mut Call, lines: &[(&str, &str)]) -> CommandResult {
    let container = String::from_utf8_lossy(call.args.at(0)).to_ascii_uppercase();
    let own = [("HELP", "Shows this text.")];
    call.reply.array(1 + 2 * (lines.len() + own.len()));
    call.reply.simple(&format!(
        "{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    ));
    for (syntax, explanation) in lines.iter().chain(&own) {
        call.reply.simple(syntax);
        call.reply.simple(&format!("    {explanation}"));
    }
    Ok(())
}
