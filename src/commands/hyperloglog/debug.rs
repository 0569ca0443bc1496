//! PFDEBUG, PFSELFTEST: what is inside, and whether it works.

use super::{refuse, to_change};
use crate::engine::{Call, CommandError, CommandResult};
use crate::keyspace::Key;
use crate::structures::hyperloglog::{self as hll, Encoding, REGISTERS, Run, Sighting};

pub(super) fn pfdebug(call: &mut Call) -> CommandResult {
    let key = call.key(0);
    let Some(bytes) = to_change(call, key)? else {
        return Err(CommandError::text("ERR The specified key does not exist"));
    };
    let encoding = hll::encoding(bytes).map_err(refuse)?;
    let is = |word| call.args.is(1, word);
    match () {
        () if is("GETREG") => registers(call, key),
        () if is("TODENSE") => {
            let is_sparse = make_dense(call, key)?;
            call.reply.integer(i64::from(is_sparse));
            Ok(())
        }
        () if is("DECODE") => decode(call, key, encoding),
        () if is("ENCODING") => {
            let name = match encoding {
                Encoding::Dense => "dense",
                Encoding::Sparse => "sparse",
            };
            call.reply.simple(name);
            Ok(())
        }
        () => Err(CommandError::quoting(
            "ERR Unknown PFDEBUG subcommand '",
            call.args.at(1),
            "'",
        )),
    }
}

/// Makes the HyperLogLog under a key dense; false when it is.
fn make_dense(call: &mut Call, key: Key<'_>) -> Result<bool, CommandError> {
    let Some(bytes) = to_change(call, key)? else {
        return Ok(false);
    };
    if hll::encoding(bytes) == Ok(Encoding::Dense) {
        return Ok(false);
    }
    let mut bytes = bytes.to_vec();
    hll::make_dense(&mut bytes).map_err(refuse)?;
    call.db.replace_raw(key, bytes);
    call.effects.dirty += 1;
    Ok(true)
}

fn registers(call: &mut Call, key: Key<'_>) -> CommandResult {
    make_dense(call, key)?;
    let mut registers = [0; REGISTERS];
    if let Some(bytes) = to_change(call, key)? {
        hll::merge(&mut registers, bytes).map_err(refuse)?;
    }
    call.reply.array(registers.len());
    for register in registers {
        call.reply.integer(i64::from(register));
    }
    Ok(())
}

fn decode(call: &mut Call, key: Key<'_>, encoding: Encoding) -> CommandResult {
    if encoding == Encoding::Dense {
        return Err(CommandError::text("ERR HLL encoding is not sparse"));
    }
    let bytes = to_change(call, key)?.unwrap_or_default();
    let words = hll::runs(bytes).map(|run| match run {
        Run::Zeros(len) => format!("z:{len}"),
        Run::LongZeros(len) => format!("Z:{len}"),
        Run::Values(value, len) => format!("v:{value},{len}"),
    });
    let line = words.collect::<Vec<_>>().join(" ");
    call.reply.bulk(line.as_bytes());
    Ok(())
}

/// Elements that the self-test adds.
const TESTED: u64 = 1_000_000;

/// Adds many elements to a dense and a sparse one; both must agree, and count about right.
pub(super) fn pfselftest(call: &mut Call) -> CommandResult {
    let (mut sparse, mut dense) = (hll::empty(), hll::empty());
    hll::make_dense(&mut dense).map_err(refuse)?;
    let mut checkpoint = 1;
    for number in 1..=TESTED {
        let element = Sighting::of(&(number ^ call.db.now().cast_unsigned()).to_le_bytes());
        hll::add_dense(&mut dense, element);
        hll::add(&mut sparse, element, call.config.hll_sparse_max_bytes).map_err(refuse)?;
        if number == checkpoint {
            check(&sparse, &dense, number)?;
            checkpoint *= 10;
        }
    }
    call.reply.ok();
    Ok(())
}

fn check(sparse: &[u8], dense: &[u8], number: u64) -> CommandResult {
    let (one, other) = (
        hll::count(sparse).map_err(refuse)?,
        hll::count(dense).map_err(refuse)?,
    );
    if one != other {
        return Err(CommandError::text("ERR TESTFAILED dense/sparse disagree"));
    }
    let standard_error = 1.04 / (REGISTERS as f64).sqrt();
    let error = one.abs_diff(number.cast_signed());
    if error > (standard_error * 6.0 * number as f64).ceil() as u64 {
        return Err(CommandError::message(format!(
            "ERR TESTFAILED Too big error. card:{number} abserr:{error}"
        )));
    }
    Ok(())
}
