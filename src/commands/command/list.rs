//! COMMAND LIST.

use crate::base::glob;
use crate::engine::{Call, CommandError, CommandResult, Spec};

pub(super) const SYNTAX: &str =
    "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]";

enum Filter<'r> {
    None,
    /// No command comes from a module.
    Module,
    Category(&'r [u8]),
    Pattern(&'r [u8]),
}

impl Filter<'_> {
    fn shows(&self, spec: &Spec) -> bool {
        match self {
            Self::None => true,
            Self::Module => false,
            Self::Category(wanted) => {
                let mut categories = spec.categories().into_iter();
                categories.any(|category| category.as_bytes().eq_ignore_ascii_case(wanted))
            }
            Self::Pattern(pattern) => {
                let pattern = pattern.to_ascii_lowercase();
                glob::matches(&pattern, spec.name.as_bytes())
            }
        }
    }
}

pub(super) fn list(call: &mut Call) -> CommandResult {
    let args = call.args;
    let filter = match (args.len(), args.get(4)) {
        (2, _) => Filter::None,
        (5, Some(value)) if args.is(2, "FILTERBY") => match () {
            () if args.is(3, "MODULE") => Filter::Module,
            () if args.is(3, "ACLCAT") => Filter::Category(value),
            () if args.is(3, "PATTERN") => Filter::Pattern(value),
            () => return Err(CommandError::Syntax),
        },
        _ => return Err(CommandError::Syntax),
    };
    let commands = call.engine.commands.all();
    let shown: Vec<_> = commands.iter().filter(|spec| filter.shows(spec)).collect();
    call.reply.array(shown.len());
    shown
        .iter()
        .for_each(|spec| call.reply.bulk(spec.name.as_bytes()));
    Ok(())
}
