//! The libraries that scripts find beside Lua's own. Each gives a table, knows nothing of the server, and trusts nothing
//! that a script hands it.

/// Makes a library's table.
type Open = fn(&mlua::Lua) -> mlua::Result<mlua::Table>;

/// Every library by its name.
pub(super) const LIBRARIES: &[(&str, Open)] = &[];
