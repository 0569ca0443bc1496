//! CLIENT TRACKING, CACHING, GETREDIR and TRACKINGINFO: client-side caching.

use std::sync::atomic::Ordering::Relaxed;

use crate::engine::tracking::{TrackingWish, mode};
use crate::engine::{Call, CommandError, CommandResult, state};
use crate::tracking::overlap;

pub(super) const SYNTAX: &str = "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] \
    [NOLOOP]";

const OPT_MODES: u32 = mode::OPT_IN | mode::OPT_OUT;

pub(super) fn tracking(call: &mut Call) -> CommandResult {
    let wish = parse(call)?;
    if call.args.is(2, "OFF") {
        call.engine.stop_tracking(call.session);
    } else if call.args.is(2, "ON") {
        check(call, &wish)?;
        call.engine.start_tracking(call.session, &completed(wish));
    } else {
        return Err(CommandError::Syntax);
    }
    call.reply.ok();
    Ok(())
}

fn parse<'r>(call: &Call<'r, '_>) -> Result<TrackingWish<'r>, CommandError> {
    let args = call.args;
    let mut wish = TrackingWish {
        mode: 0,
        redirect: 0,
        prefixes: Vec::new(),
    };
    let mut at = 3;
    while at < args.len() {
        match args.get(at + 1) {
            Some(_) if args.is(at, "REDIRECT") => {
                at += 1;
                wish.redirect = redirect(call, at, wish.redirect)?;
            }
            Some(prefix) if args.is(at, "PREFIX") => {
                at += 1;
                wish.prefixes.push(prefix);
            }
            _ if args.is(at, "BCAST") => wish.mode |= mode::BROADCAST,
            _ if args.is(at, "OPTIN") => wish.mode |= mode::OPT_IN,
            _ if args.is(at, "OPTOUT") => wish.mode |= mode::OPT_OUT,
            _ if args.is(at, "NOLOOP") => wish.mode |= mode::NO_LOOP,
            _ => return Err(CommandError::Syntax),
        }
        at += 1;
    }
    Ok(wish)
}

fn redirect(call: &Call, at: usize, earlier: u64) -> Result<u64, CommandError> {
    if earlier != 0 {
        return Err(CommandError::text(
            "ERR A client can only redirect to a single other client",
        ));
    }
    let id = u64::try_from(call.integer(at)?).unwrap_or(0);
    let client = call.engine.clients.get(id);
    client
        .map(|client| client.id)
        .ok_or_else(|| CommandError::text("ERR The client ID you want redirect to does not exist"))
}

/// Whether the options agree with each other and with what is on already.
fn check(call: &Call, wish: &TrackingWish<'_>) -> CommandResult {
    let has = |bits: u32| wish.mode & bits != 0;
    let now = call.session.client.tracking.load(Relaxed);
    let was = |bits: u32| now & bits != 0;
    let refusals = [
        (
            !has(mode::BROADCAST) && !wish.prefixes.is_empty(),
            "ERR PREFIX option requires BCAST mode to be enabled",
        ),
        (
            was(mode::ON) && was(mode::BROADCAST) != has(mode::BROADCAST),
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a \
             different mode.",
        ),
        (
            has(mode::BROADCAST) && has(OPT_MODES),
            "ERR OPTIN and OPTOUT are not compatible with BCAST",
        ),
        (
            has(mode::OPT_IN) && has(mode::OPT_OUT),
            "ERR You can't specify both OPTIN mode and OPTOUT mode",
        ),
        (
            has(mode::OPT_IN) && was(mode::OPT_OUT) || has(mode::OPT_OUT) && was(mode::OPT_IN),
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a \
             different mode.",
        ),
    ];
    if let Some((_, refusal)) = refusals.into_iter().find(|(applies, _)| *applies) {
        return Err(CommandError::text(refusal));
    }
    let known = call.session.tracking.iter().flat_map(|known| known.iter());
    let known: Vec<&[u8]> = known.map(|prefix| &**prefix).collect();
    for (number, prefix) in wish.prefixes.iter().enumerate() {
        let others = &wish.prefixes[number + 1..];
        let clash = |what: &str, other: &[u8]| {
            let middle = format!("' overlaps with {what} prefix '");
            let end = b"'. Prefixes for a single client must not overlap.";
            let line = [b"ERR Prefix '", *prefix, middle.as_bytes(), other, end].concat();
            CommandError::Quoting(Box::new(line))
        };
        if let Some(other) = known.iter().find(|other| overlap(prefix, other)) {
            return Err(clash("an existing", other));
        }
        if let Some(other) = others.iter().find(|other| overlap(prefix, other)) {
            return Err(clash("another provided", other));
        }
    }
    Ok(())
}

/// Without a prefix all keys are broadcast.
fn completed(mut wish: TrackingWish<'_>) -> TrackingWish<'_> {
    if wish.mode & mode::BROADCAST != 0 && wish.prefixes.is_empty() {
        wish.prefixes.push(b"");
    }
    wish
}

pub(super) fn caching(call: &mut Call) -> CommandResult {
    let now = call.session.client.tracking.load(Relaxed);
    if now & mode::ON == 0 {
        return Err(CommandError::text(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ));
    }
    let (needed, refusal) = if call.args.is(2, "YES") {
        (
            mode::OPT_IN,
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        )
    } else if call.args.is(2, "NO") {
        (
            mode::OPT_OUT,
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        )
    } else {
        return Err(CommandError::Syntax);
    };
    if now & needed == 0 {
        return Err(CommandError::text(refusal));
    }
    call.session.set(state::CACHING, true);
    call.session.note_tracking();
    call.reply.ok();
    Ok(())
}

/// The client that gets the messages, 0 for the client itself, or -1 where nothing is tracked.
fn receiver(call: &Call) -> i64 {
    let client = &call.session.client;
    match client.tracking.load(Relaxed) & mode::ON {
        0 => -1,
        _ => client.redirect.load(Relaxed) as i64,
    }
}

pub(super) fn getredir(call: &mut Call) -> CommandResult {
    let receiver = receiver(call);
    call.reply.integer(receiver);
    Ok(())
}

pub(super) fn trackinginfo(call: &mut Call) -> CommandResult {
    let now = call.session.client.tracking.load(Relaxed);
    let was_asked = call.session.is(state::CACHING);
    let has = |bit: u32| now & bit != 0;
    let words = [
        (has(mode::ON), "on"),
        (!has(mode::ON), "off"),
        (has(mode::BROADCAST), "bcast"),
        (has(mode::OPT_IN), "optin"),
        (has(mode::OPT_IN) && was_asked, "caching-yes"),
        (has(mode::OPT_OUT), "optout"),
        (has(mode::OPT_OUT) && was_asked, "caching-no"),
        (has(mode::NO_LOOP), "noloop"),
        (has(mode::BROKEN), "broken_redirect"),
    ];
    let told = words.iter().filter(|(applies, _)| *applies);
    call.reply.map(3);
    call.reply.bulk(b"flags");
    call.reply.set(told.clone().count());
    told.for_each(|(_, word)| call.reply.bulk(word.as_bytes()));
    call.reply.bulk(b"redirect");
    let receiver = receiver(call);
    call.reply.integer(receiver);
    call.reply.bulk(b"prefixes");
    let prefixes = call.session.tracking.iter().flat_map(|known| known.iter());
    call.reply.array(prefixes.clone().count());
    prefixes.for_each(|prefix| call.reply.bulk(prefix));
    Ok(())
}
