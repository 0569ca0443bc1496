//! The family's commands.

use super::{combine, field, search, single};
use crate::engine::{Command, Group, KeySpec, all_keys, flags::*, one_key};

/// Read and changed.
const CHANGED: &[KeySpec] = &[one_key(1, &["RW", "access", "update"])];
/// Read.
const READ: &[KeySpec] = &[one_key(1, &["RO", "access"])];

/// The family.
pub const COMMANDS: &[Command] = &[
    Command::new("SETBIT", Group::Bitmap, "key offset value", single::setbit)
        .keys(CHANGED)
        .flags(WRITE | DENYOOM | BRIEF)
        .docs("2.2.0", "O(1)", "Sets or clears one bit of a string, which grows as far as needed."),
    Command::new("GETBIT", Group::Bitmap, "key offset", single::getbit)
        .keys(READ)
        .flags(READONLY | FAST)
        .docs("2.2.0", "O(1)", "Gives one bit of a string."),
    Command::new("BITCOUNT", Group::Bitmap, "key [start end [BYTE | BIT]]", search::bitcount)
        .keys(READ)
        .flags(READONLY)
        .docs("2.6.0", "O(N)", "Counts the bits that are set in a string or a part of it."),
    Command::new("BITPOS", Group::Bitmap, "key bit [start [end [BYTE | BIT]]]", search::bitpos)
        .keys(READ)
        .flags(READONLY)
        .docs("2.8.7", "O(N)", "Finds the first bit that is set, or clear, in a string or a part of it."),
    Command::new("BITOP", Group::Bitmap, "<AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]", combine::bitop)
        .keys(&[one_key(2, &["OW", "update"]), all_keys(3, &["RO", "access"])])
        .flags(WRITE | DENYOOM)
        .docs("2.6.0", "O(N)", "Combines strings bit by bit and stores the result."),
    Command::new("BITFIELD", Group::Bitmap, "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment> [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment> ...]]", field::bitfield)
        .keys(&[one_key(1, &["RW", "access", "update", "variable_flags"])])
        .key_flags(field::key_flags)
        .flags(WRITE | DENYOOM)
        .docs("3.2.0", "O(1) for each subcommand", "Reads and changes integers of any width anywhere in a string."),
    Command::new("BITFIELD_RO", Group::Bitmap, "key [GET encoding offset [GET encoding offset ...]]", field::bitfield_ro)
        .keys(READ)
        .flags(READONLY | FAST)
        .docs("6.0.0", "O(1) for each subcommand", "Reads integers of any width anywhere in a string."),
];
