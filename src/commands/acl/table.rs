//! The family's commands.

use super::super::help::help;
use super::{cat, dryrun, file, genpass, log, users, whoami};
use crate::engine::{Command, Group, Handler, flags::*};

const OWN: u32 = NOSCRIPT | LOADING | STALE;
const ADMINISTERS: u32 = ADMIN | OWN;
/// Alone, so that no batch goes on that does not know what has become of its user.
const CHANGES: u32 = ADMINISTERS | ALONE;
const TO_ALL: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
const PER_USER: &str = "O(N) in the number of users";
const PER_RULE: &str = "O(N) in the number of rules";

const fn own(name: &'static str, syntax: &'static str, handler: Handler) -> Command {
    Command::new(name, Group::Server, syntax, handler).flags(OWN)
}

const fn shows(name: &'static str, syntax: &'static str, handler: Handler) -> Command {
    Command::new(name, Group::Server, syntax, handler).flags(ADMINISTERS)
}

const fn changes(name: &'static str, syntax: &'static str, handler: Handler) -> Command {
    Command::new(name, Group::Server, syntax, handler).flags(CHANGES)
}

const SUBCOMMANDS: &[Command] = &[
    own("CAT", "[category]", cat).docs(
        "6.0.0",
        "O(1)",
        "Lists the categories of commands, or the commands of one.",
    ),
    changes("DELUSER", "username [username ...]", users::deluser)
        .tips(TO_ALL)
        .docs(
            "6.0.0",
            "O(1) per user",
            "Removes users and closes their connections.",
        ),
    shows("DRYRUN", "username command [arg [arg ...]]", dryrun).docs(
        "7.0.0",
        "O(1)",
        "Says whether a user may call a command, without calling it.",
    ),
    own("GENPASS", "[bits]", genpass).docs(
        "6.0.0",
        "O(1)",
        "Makes a password that nobody guesses.",
    ),
    shows("GETUSER", "username", users::getuser).docs(
        "6.0.0",
        PER_RULE,
        "Shows a user's passwords and rights.",
    ),
    Command::new("HELP", Group::Server, "", help)
        .flags(LOADING | STALE)
        .docs("6.0.0", "O(1)", "Lists the subcommands."),
    shows("LIST", "", users::list).docs(
        "6.0.0",
        PER_USER,
        "Shows all users by the rules that make them.",
    ),
    changes("LOAD", "", file::load).docs("6.0.0", PER_USER, "Reads all users from their file."),
    shows("LOG", "[count | RESET]", log::log).docs(
        "6.0.0",
        "O(N) in the number of entries",
        "Shows what was refused lately, or forgets it.",
    ),
    shows("SAVE", "", file::save).tips(TO_ALL).docs(
        "6.0.0",
        PER_USER,
        "Writes all users to their file.",
    ),
    changes("SETUSER", "username [rule [rule ...]]", users::setuser)
        .secrets(|args, show| (2..args.len()).for_each(show))
        .tips(TO_ALL)
        .docs("6.0.0", PER_RULE, "Makes a user, or changes one, by rules."),
    shows("USERS", "", users::users).docs("6.0.0", PER_USER, "Lists the names of all users."),
    own("WHOAMI", "", whoami).docs("6.0.0", "O(1)", "Gives the name of the connection's user."),
];

/// The family.
pub const COMMANDS: &[Command] = &[Command::container("ACL", Group::Server, SUBCOMMANDS).docs(
    "6.0.0",
    "Depends on subcommand.",
    "Groups the commands about users and what they may do.",
)];
