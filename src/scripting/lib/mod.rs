//! The libraries that scripts find beside Lua's own. Each gives a table, knows nothing of the server, and trusts nothing
//! that a script hands it.

pub mod bit;
pub mod cjson;
pub mod cmsgpack;
pub mod stack;
pub mod struct_;

#[cfg(test)]
mod tests;
