//! The libraries that scripts find beside Lua's own. Each gives a table, knows nothing of the server, and trusts nothing
//! that a script hands it. Start with `stack`, the way from Lua to their functions and back.

mod bit;
mod cjson;
mod cmsgpack;
mod failure;
mod stack;
mod struct_;

#[cfg(test)]
mod tests;

/// Makes a library's table.
type Open = fn(&mlua::Lua) -> mlua::Result<mlua::Table>;

/// Every library by its name.
pub(super) const LIBRARIES: &[(&str, Open)] = &[
    ("bit", bit::open),
    ("cjson", cjson::open),
    ("cmsgpack", cmsgpack::open),
    ("struct", struct_::open),
];
