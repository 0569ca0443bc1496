//! HELP of any container, told from the command table.

use crate::engine::{Call, CommandResult};

/// Lists the subcommands of the container, each with its syntax and its summary.
pub(super) fn help(call: &mut Call) -> CommandResult {
    let commands = &call.engine.commands;
    let container = call.spec.parent.map(|id| &commands.all()[id]);
    let Some(container) = container else {
        return Err(call.subcommand_syntax());
    };
    let title = container.command.name;
    let mut lines = vec![format!(
        "{title} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    )];
    for &id in &container.subcommands {
        let command = commands.all()[id].command;
        lines.push(
            format!("{} {}", command.name, command.syntax)
                .trim_end()
                .to_owned(),
        );
        lines.push(format!("    {}", command.summary));
    }
    call.reply.array(lines.len());
    lines.iter().for_each(|line| call.reply.simple(line));
    Ok(())
}
