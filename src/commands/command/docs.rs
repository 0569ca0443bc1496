//! COMMAND DOCS: what a command is for, and the tree of its arguments, from its syntax line.

use super::history;
use crate::engine::syntax::{self, Argument, Kind};
use crate::engine::{Call, CommandResult, CommandTable, Spec};
use crate::resp::reply::Reply;

pub(super) fn docs(call: &mut Call) -> CommandResult {
    let table = &call.engine.commands;
    let specs: Vec<&Spec> = if call.args.len() == 2 {
        let all = table.all().iter();
        all.filter(|spec| spec.parent.is_none()).collect()
    } else {
        let names = call.args.from(2);
        names.filter_map(|name| table.find(name)).collect()
    };
    call.reply.map(specs.len());
    for spec in specs {
        call.reply.bulk(spec.name.as_bytes());
        describe(call.reply, table, spec);
    }
    Ok(())
}

fn describe(reply: &mut Reply, table: &CommandTable, spec: &Spec) {
    let command = spec.command;
    let arguments = syntax::parse(command.syntax);
    let texts = [
        ("summary", command.summary),
        ("since", command.since),
        ("group", command.group.name()),
        ("complexity", command.complexity),
    ];
    let flags: Vec<&str> = [
        (command.deprecated.is_some(), "deprecated"),
        (command.is_internal, "syscmd"),
    ]
    .into_iter()
    .filter_map(|(is_so, name)| is_so.then_some(name))
    .collect();
    let deprecation = if command.deprecated.is_some() { 2 } else { 0 };
    let changes = history::of(&spec.name);
    let lists = [
        flags.len(),
        changes.len(),
        arguments.len(),
        spec.subcommands.len(),
    ];
    let lists = lists.iter().filter(|&&len| len > 0).count();
    reply.map(texts.len() + deprecation + lists);
    texts
        .iter()
        .for_each(|(name, value)| text(reply, name, value));
    if !flags.is_empty() {
        reply.bulk(b"doc_flags");
        reply.set(flags.len());
        flags.iter().for_each(|flag| reply.simple(flag));
    }
    if let Some((since, replacement)) = command.deprecated {
        text(reply, "deprecated_since", since);
        text(reply, "replaced_by", replacement);
    }
    if !changes.is_empty() {
        reply.bulk(b"history");
        reply.set(changes.len());
        for (version, change) in changes {
            reply.array(2);
            text(reply, version, change);
        }
    }
    if !arguments.is_empty() {
        reply.bulk(b"arguments");
        let keys = command.keys.iter().filter(|key| key.is_key()).count();
        Tree {
            reply,
            keys,
            seen: 0,
        }
        .list(&arguments);
    }
    if !spec.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(spec.subcommands.len());
        for &id in &spec.subcommands {
            let subcommand = &table.all()[id];
            reply.bulk(subcommand.name.as_bytes());
            describe(reply, table, subcommand);
        }
    }
}

fn text(reply: &mut Reply, name: &str, value: &str) {
    reply.bulk(name.as_bytes());
    reply.bulk(value.as_bytes());
}

/// Writes a tree of arguments.
struct Tree<'r> {
    reply: &'r mut Reply,
    /// Key specifications of the command.
    keys: usize,
    /// Keys written so far: the nth belongs to the nth specification, as far as there are any.
    seen: usize,
}

impl Tree<'_> {
    fn list(&mut self, arguments: &[Argument<'_>]) {
        self.reply.array(arguments.len());
        arguments
            .iter()
            .for_each(|argument| self.argument(argument));
    }

    fn argument(&mut self, argument: &Argument<'_>) {
        let name = name_of(argument);
        let inner = match &argument.kind {
            Kind::OneOf(inner) | Kind::Block(inner) => Some(inner),
            Kind::Token | Kind::Value => None,
        };
        let type_name = type_of(argument);
        let is_key = type_name == "key" && self.keys > 0;
        let flags: Vec<&str> = [
            (argument.is_optional, "optional"),
            (argument.is_multiple, "multiple"),
            (argument.repeats_token, "multiple_token"),
        ]
        .into_iter()
        .filter_map(|(is_so, name)| is_so.then_some(name))
        .collect();
        let pairs = 3
            + usize::from(is_key)
            + usize::from(argument.token.is_some())
            + usize::from(!flags.is_empty());
        self.reply.map(pairs);
        text(self.reply, "name", &name);
        text(self.reply, "type", type_name);
        if inner.is_none() {
            text(self.reply, "display_text", &name);
        }
        if is_key {
            self.reply.bulk(b"key_spec_index");
            self.reply.count(self.seen.min(self.keys - 1));
            self.seen += 1;
        }
        if let Some(token) = argument.token {
            text(self.reply, "token", token);
        }
        if !flags.is_empty() {
            self.reply.bulk(b"flags");
            self.reply.set(flags.len());
            flags.iter().for_each(|flag| self.reply.simple(flag));
        }
        if let Some(inner) = inner {
            self.reply.bulk(b"arguments");
            self.list(inner);
        }
    }
}

/// An argument's name; a group is called by all that it holds.
fn name_of(argument: &Argument<'_>) -> String {
    match &argument.kind {
        Kind::Token | Kind::Value => argument.name.to_ascii_lowercase(),
        Kind::OneOf(inner) | Kind::Block(inner) => {
            inner.iter().map(name_of).collect::<Vec<_>>().join("_")
        }
    }
}

/// Names of arguments that are integers.
const INTEGERS: &[&str] = &[
    "client-id",
    "count",
    "cursor",
    "db",
    "decrement",
    "destination-db",
    "end",
    "group",
    "id",
    "idle",
    "increment",
    "index",
    "index1",
    "index2",
    "length",
    "len",
    "limit",
    "maxlen",
    "maxage",
    "milliseconds",
    "min-match-len",
    "num",
    "numkeys",
    "numfields",
    "numlocal",
    "numreplicas",
    "offset",
    "protover",
    "rank",
    "seconds",
    "start",
    "stop",
    "threshold",
    "timeout",
];

fn type_of(argument: &Argument<'_>) -> &'static str {
    match argument.kind {
        Kind::Token => "pure-token",
        Kind::OneOf(_) => "oneof",
        Kind::Block(_) => "block",
        Kind::Value => match argument.name {
            "key" | "newkey" | "source" | "destination" | "key1" | "key2" => "key",
            "pattern" => "pattern",
            "score" | "longitude" | "latitude" | "radius" | "width" | "height" | "weight" => {
                "double"
            }
            name if name.starts_with("unix-time") => "unix-time",
            name if INTEGERS.contains(&name) => "integer",
            _ => "string",
        },
    }
}
