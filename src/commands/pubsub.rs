//! Channels, patterns and shard channels. Who listens is the registry's knowledge; messages travel by the workers' mail.

use super::help::help;
use crate::engine::{
    Call, Channels, Command, CommandError, CommandResult, Group, all_keys, flags::*, one_key,
};
use crate::pubsub::Kind;

/// Says that a subscription has begun or ended, and how many there are now.
fn confirm(call: &mut Call, word: &str, kind: Kind, name: Option<&[u8]>) {
    let count = call
        .session
        .subscriptions
        .as_ref()
        .map_or(0, |subscriptions| subscriptions.count_with(kind));
    call.reply.push(3);
    call.reply.bulk(word.as_bytes());
    match name {
        Some(name) => call.reply.bulk(name),
        None => call.reply.null(),
    }
    call.reply.count(count);
}

fn begin(call: &mut Call, word: &str, kind: Kind) -> CommandResult {
    for name in call.args.from(1) {
        call.engine.subscribe(call.session, kind, name);
        confirm(call, word, kind, Some(name));
    }
    Ok(())
}

/// Ends the subscriptions named, or all; where there is none to end it says that, once.
fn end(call: &mut Call, word: &str, kind: Kind) -> CommandResult {
    if call.args.len() > 1 {
        for name in call.args.from(1) {
            call.engine.unsubscribe(call.session, kind, name);
            confirm(call, word, kind, Some(name));
        }
        return Ok(());
    }
    let subscriptions = call.session.subscriptions.as_ref();
    let names: Vec<_> = subscriptions
        .map(|subscriptions| subscriptions.of(kind).iter().cloned().collect())
        .unwrap_or_default();
    if names.is_empty() {
        confirm(call, word, kind, None);
    }
    for name in names {
        call.engine.unsubscribe(call.session, kind, &name);
        confirm(call, word, kind, Some(&name));
    }
    Ok(())
}

fn subscribe(call: &mut Call) -> CommandResult {
    begin(call, "subscribe", Kind::Channel)
}

fn psubscribe(call: &mut Call) -> CommandResult {
    begin(call, "psubscribe", Kind::Pattern)
}

fn ssubscribe(call: &mut Call) -> CommandResult {
    // The other two may stand in a transaction, though each of their channels is one reply of its own.
    if call.is_nested {
        return Err(CommandError::text(
            "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client",
        ));
    }
    begin(call, "ssubscribe", Kind::Shard)
}

fn unsubscribe(call: &mut Call) -> CommandResult {
    end(call, "unsubscribe", Kind::Channel)
}

fn punsubscribe(call: &mut Call) -> CommandResult {
    end(call, "punsubscribe", Kind::Pattern)
}

fn sunsubscribe(call: &mut Call) -> CommandResult {
    end(call, "sunsubscribe", Kind::Shard)
}

fn publish(call: &mut Call) -> CommandResult {
    send(call, Kind::Channel)
}

fn spublish(call: &mut Call) -> CommandResult {
    send(call, Kind::Shard)
}

fn send(call: &mut Call, kind: Kind) -> CommandResult {
    let (channel, message) = (call.args.at(1), call.args.at(2));
    let listeners = call.engine.publish(kind, channel, message);
    call.reply.count(listeners);
    Ok(())
}

fn channels(call: &mut Call) -> CommandResult {
    active(call, Kind::Channel)
}

fn shardchannels(call: &mut Call) -> CommandResult {
    active(call, Kind::Shard)
}

fn active(call: &mut Call, kind: Kind) -> CommandResult {
    if call.args.len() > 3 {
        return Err(call.subcommand_syntax());
    }
    let names = call.engine.pubsub.active(kind, call.args.get(2));
    call.reply.array(names.len());
    names.iter().for_each(|name| call.reply.bulk(name));
    Ok(())
}

fn numsub(call: &mut Call) -> CommandResult {
    listeners(call, Kind::Channel)
}

fn shardnumsub(call: &mut Call) -> CommandResult {
    listeners(call, Kind::Shard)
}

fn listeners(call: &mut Call, kind: Kind) -> CommandResult {
    let names = call.args.from(2);
    call.reply.array(names.len() * 2);
    for name in names {
        call.reply.bulk(name);
        call.reply.count(call.engine.pubsub.listeners(kind, name));
    }
    Ok(())
}

fn numpat(call: &mut Call) -> CommandResult {
    call.reply.count(call.engine.pubsub.pattern_count());
    Ok(())
}

const ALL_CHANNELS: Channels = Channels {
    first: 1,
    are_many: true,
    are_patterns: false,
};
const PATTERNS: Channels = Channels {
    are_patterns: true,
    ..ALL_CHANNELS
};
const ONE_CHANNEL: Channels = Channels {
    are_many: false,
    ..ALL_CHANNELS
};
const LISTENING: u32 = PUBSUB | NOSCRIPT | LOADING | STALE | SUBSCRIBER;
const SENDING: u32 = PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE;
const ABOUT: u32 = PUBSUB | LOADING | STALE;
const PER_NAME: &str = "O(N) in the number of names given";
const PER_LISTENER: &str = "O(N+M) in the listeners of the channel and the patterns of all clients";

const QUESTIONS: &[Command] = &[
    Command::new("CHANNELS", Group::PubSub, "[pattern]", channels)
        .flags(ABOUT)
        .docs(
            "2.8.0",
            "O(N) in the number of channels",
            "Lists the channels that somebody listens to.",
        ),
    Command::new("NUMPAT", Group::PubSub, "", numpat)
        .flags(ABOUT)
        .docs(
            "2.8.0",
            "O(1)",
            "Counts the patterns that somebody listens to.",
        ),
    Command::new("NUMSUB", Group::PubSub, "[channel [channel ...]]", numsub)
        .flags(ABOUT)
        .docs(
            "2.8.0",
            PER_NAME,
            "Counts the listeners of channels, without those of patterns.",
        ),
    Command::new("SHARDCHANNELS", Group::PubSub, "[pattern]", shardchannels)
        .flags(ABOUT)
        .docs(
            "7.0.0",
            "O(N) in the number of shard channels",
            "Lists the shard channels that somebody listens to.",
        ),
    Command::new(
        "SHARDNUMSUB",
        Group::PubSub,
        "[shardchannel [shardchannel ...]]",
        shardnumsub,
    )
    .flags(ABOUT)
    .docs("7.0.0", PER_NAME, "Counts the listeners of shard channels."),
    Command::new("HELP", Group::PubSub, "", help)
        .flags(LOADING | STALE)
        .docs("6.2.0", "O(1)", "Lists the subcommands."),
];

/// The family.
pub const COMMANDS: &[Command] = &[
    Command::new(
        "SUBSCRIBE",
        Group::PubSub,
        "channel [channel ...]",
        subscribe,
    )
    .channels(ALL_CHANNELS)
    .flags(LISTENING)
    .docs("2.0.0", PER_NAME, "Listens to channels."),
    Command::new(
        "UNSUBSCRIBE",
        Group::PubSub,
        "[channel [channel ...]]",
        unsubscribe,
    )
    .flags(LISTENING)
    .docs("2.0.0", PER_NAME, "Stops listening to channels, or to all."),
    Command::new(
        "PSUBSCRIBE",
        Group::PubSub,
        "pattern [pattern ...]",
        psubscribe,
    )
    .channels(PATTERNS)
    .flags(LISTENING)
    .docs(
        "2.0.0",
        PER_NAME,
        "Listens to the channels whose names match patterns.",
    ),
    Command::new(
        "PUNSUBSCRIBE",
        Group::PubSub,
        "[pattern [pattern ...]]",
        punsubscribe,
    )
    .flags(LISTENING)
    .docs("2.0.0", PER_NAME, "Stops listening by patterns, or by all."),
    Command::new("PUBLISH", Group::PubSub, "channel message", publish)
        .channels(ONE_CHANNEL)
        .flags(SENDING)
        .docs(
            "2.0.0",
            PER_LISTENER,
            "Sends a message to all who listen to a channel.",
        ),
    Command::new(
        "SSUBSCRIBE",
        Group::PubSub,
        "shardchannel [shardchannel ...]",
        ssubscribe,
    )
    .channels(ALL_CHANNELS)
    .keys(&[all_keys(1, &["not_key"])])
    .flags(LISTENING)
    .docs("7.0.0", PER_NAME, "Listens to shard channels."),
    Command::new(
        "SUNSUBSCRIBE",
        Group::PubSub,
        "[shardchannel [shardchannel ...]]",
        sunsubscribe,
    )
    .keys(&[all_keys(1, &["not_key"])])
    .flags(LISTENING)
    .docs(
        "7.0.0",
        PER_NAME,
        "Stops listening to shard channels, or to all.",
    ),
    Command::new("SPUBLISH", Group::PubSub, "shardchannel message", spublish)
        .channels(ONE_CHANNEL)
        .keys(&[one_key(1, &["not_key"])])
        .flags(SENDING)
        .docs(
            "7.0.0",
            "O(N) in the listeners of the shard channel",
            "Sends a message to all who listen to a shard channel.",
        ),
    Command::container("PUBSUB", Group::PubSub, QUESTIONS).docs(
        "2.8.0",
        "Depends on subcommand",
        "Tells about channels and their listeners.",
    ),
];
