//! DEBUG's small probes: replies of every type, errors, sleep, switches.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::super::config;
use super::unknown;
use crate::base::{glob, random};
use crate::config::{Extent, parse_memory};
use crate::engine::{Call, CommandError, CommandResult};

/// A switch as C reads numbers: whatever does not begin with one is 0.
fn is_on(word: &[u8]) -> bool {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    let end = digits.iter().position(|byte| !byte.is_ascii_digit());
    digits[..end.unwrap_or(digits.len())]
        .iter()
        .any(|&digit| digit != b'0')
}

/// SLEEP.
pub(super) fn sleep(call: &mut Call) -> CommandResult {
    let text = std::str::from_utf8(call.args.at(2)).unwrap_or_default();
    let span = text.parse().ok().map(Duration::try_from_secs_f64);
    if let Some(Ok(span)) = span {
        std::thread::sleep(span);
    }
    call.reply.ok();
    Ok(())
}

/// SET-ACTIVE-EXPIRE.
pub(super) fn set_active_expire(call: &mut Call) -> CommandResult {
    let is_on = is_on(call.args.at(2));
    call.engine.expires_actively.store(is_on, Relaxed);
    call.reply.ok();
    Ok(())
}

/// SET-SKIP-CHECKSUM-VALIDATION.
pub(super) fn skip_checksums(call: &mut Call) -> CommandResult {
    let is_on = is_on(call.args.at(2));
    call.engine.skips_checksums.store(is_on, Relaxed);
    call.reply.ok();
    Ok(())
}

/// SET-DISABLE-DENY-SCRIPTS.
pub(super) fn set_script_denials(call: &mut Call) -> CommandResult {
    let is_off = is_on(call.args.at(2));
    call.engine.allows_all_in_scripts.store(is_off, Relaxed);
    call.reply.ok();
    Ok(())
}

/// CHANGE-REPL-ID.
pub(super) fn change_replication_id(call: &mut Call) -> CommandResult {
    tracing::info!("Changing replication IDs after receiving DEBUG change-repl-id");
    *call.engine.identity.replication_id.lock() = random::hex(40);
    call.reply.ok();
    Ok(())
}

/// CONFIG-REWRITE-FORCE-ALL.
pub(super) fn rewrite_config(call: &mut Call) -> CommandResult {
    config::write_file(call, Extent::Everything)
}

/// PAUSE-CRON.
pub(super) fn pause_timers(call: &mut Call) -> CommandResult {
    let is_on = is_on(call.args.at(2));
    call.engine.puts_off_signals.store(is_on, Relaxed);
    call.reply.ok();
    Ok(())
}

/// STRINGMATCH-LEN.
pub(super) fn string_match(call: &mut Call) -> CommandResult {
    let matches = glob::matches(call.args.at(2), call.args.at(3));
    call.reply.integer(matches.into());
    Ok(())
}

/// ERROR.
pub(super) fn error(call: &mut Call) -> CommandResult {
    call.reply.error(call.args.at(2));
    Ok(())
}

/// LOG.
pub(super) fn log(call: &mut Call) -> CommandResult {
    let message = String::from_utf8_lossy(call.args.at(2));
    tracing::warn!("DEBUG LOG: {message}");
    call.reply.ok();
    Ok(())
}

/// REPLYBUFFER.
pub(super) fn reply_buffer(call: &mut Call) -> CommandResult {
    if call.args.is(2, "PEAK-RESET-TIME") {
        if !call.args.is(3, "NEVER") && !call.args.is(3, "RESET") {
            call.integer(3)?;
        }
    } else if !call.args.is(2, "RESIZING") {
        return Err(unknown(call));
    }
    call.reply.ok();
    Ok(())
}

/// QUICKLIST-PACKED-THRESHOLD.
pub(super) fn packed_threshold(call: &mut Call) -> CommandResult {
    const GREATEST: u64 = (1 << 32) - (1 << 20);
    let size = std::str::from_utf8(call.args.at(2)).ok();
    match size.and_then(parse_memory) {
        Some(0..=GREATEST) => call.reply.ok(),
        _ => {
            return Err(CommandError::text(
                "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
            ));
        }
    }
    Ok(())
}

/// PROTOCOL.
pub(super) fn protocol(call: &mut Call) -> CommandResult {
    let name = call.args.at(2).to_ascii_lowercase();
    let reply = &mut *call.reply;
    match name.as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.integer(12345),
        b"double" => reply.double(3141.0 / 1000.0),
        b"bignum" => reply.big_number(b"1234567999999999999999999999999999999"),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"map" => {
            reply.map(3);
            for number in 0..3 {
                reply.integer(number);
                reply.boolean(number == 1);
            }
        }
        b"attrib" => attribute(call),
        b"push" => return push(call),
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        _ => {
            return Err(CommandError::text(
                "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}

fn attribute(call: &mut Call) {
    if call.reply.is_resp3() {
        call.reply.attribute(1);
        call.reply.bulk(b"key-popularity");
        call.reply.array(2);
        call.reply.bulk(b"key:123");
        call.reply.integer(90);
    }
    call.reply.bulk(b"Some real reply following the attribute");
}

fn push(call: &mut Call) -> CommandResult {
    if !call.reply.is_resp3() {
        return Err(CommandError::text(
            "ERR RESP2 is not supported by this command",
        ));
    }
    call.reply.push(2);
    call.reply.bulk(b"server-cpu-usage");
    call.reply.integer(42);
    call.reply.bulk(b"Some real reply following the push reply");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_read_as_in_c() {
        for on in ["1", "2", "-1", "10", "1x", "01"] {
            assert!(is_on(on.as_bytes()), "{on}");
        }
        for off in ["0", "", "x1", "-", "00"] {
            assert!(!is_on(off.as_bytes()), "{off}");
        }
    }
}
