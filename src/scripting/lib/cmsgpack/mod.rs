//! The library `cmsgpack`: MessagePack to Lua values and back, with the choice of forms, the limits and the error texts of
//! the library that Redis carries.

use super::failure::Failure;
use super::stack::{self, Body, Stack};

mod pack;
mod unpack;

#[cfg(test)]
mod tests;

const FUNCTIONS: &[(&str, Body<()>)] = &[
    ("pack", pack::pack),
    ("unpack", unpack::unpack),
    ("unpack_one", unpack::unpack_one),
    ("unpack_limit", unpack::unpack_limit),
];

/// The library's table.
pub fn open(lua: &mlua::Lua) -> mlua::Result<mlua::Table> {
    stack::library(lua, push)
}

fn push(stack: &mut Stack<'_>) -> Result<(), Failure> {
    stack.push_library((), FUNCTIONS)?;
    stack.set_text("_NAME", "cmsgpack")?;
    stack.set_text("_VERSION", "lua-cmsgpack 0.4.0")?;
    stack.set_text("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    stack.set_text("_DESCRIPTION", "MessagePack C implementation for Lua")
}

/// The first byte of each form that is not a short one.
mod tag {
    pub const NIL: u8 = 0xc0;
    pub const FALSE: u8 = 0xc2;
    pub const TRUE: u8 = 0xc3;
    pub const FLOAT_32: u8 = 0xca;
    pub const FLOAT_64: u8 = 0xcb;
    pub const UINT_8: u8 = 0xcc;
    pub const UINT_16: u8 = 0xcd;
    pub const UINT_32: u8 = 0xce;
    pub const UINT_64: u8 = 0xcf;
    pub const INT_8: u8 = 0xd0;
    pub const INT_16: u8 = 0xd1;
    pub const INT_32: u8 = 0xd2;
    pub const INT_64: u8 = 0xd3;
    pub const STRING_8: u8 = 0xd9;
    pub const STRING_16: u8 = 0xda;
    pub const STRING_32: u8 = 0xdb;
    pub const ARRAY_16: u8 = 0xdc;
    pub const ARRAY_32: u8 = 0xdd;
    pub const MAP_16: u8 = 0xde;
    pub const MAP_32: u8 = 0xdf;
    pub const SHORT_MAP: u8 = 0x80;
    pub const SHORT_ARRAY: u8 = 0x90;
    pub const SHORT_STRING: u8 = 0xa0;
}
