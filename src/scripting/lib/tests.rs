//! What the libraries' tests share, and the properties that hold for all of them.

use mlua::{Lua, Table};

/// An interpreter with one library as a global.
pub fn lua_with(name: &str, open: fn(&Lua) -> mlua::Result<Table>) -> Lua {
    let lua = Lua::new();
    let library = open(&lua).expect("a library opens");
    lua.globals().set(name, library).expect("a global is set");
    lua
}

/// What `tostring` makes of an expression's values, separated by blanks.
pub fn text_of(lua: &Lua, expression: &str) -> String {
    let script = format!(
        "local r = {{{expression}}} local n = select('#', {expression})
         for i = 1, n do r[i] = tostring(r[i]) end return table.concat(r, ' ', 1, n)"
    );
    lua.load(script)
        .set_name("@script")
        .eval()
        .unwrap_or_else(|error| panic!("{expression}: {error}"))
}

/// The string that an expression raises.
pub fn error_of(lua: &Lua, expression: &str) -> String {
    let script = format!(
        "local ok, e = pcall(function() return ({expression}) end) assert(not ok, 'no error') assert(type(e) == 'string') return e"
    );
    let chunk = lua.load(script).set_name("@script");
    chunk
        .eval()
        .unwrap_or_else(|error| panic!("{expression}: {error}"))
}
