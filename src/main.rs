//! The `oxidis` program: arguments, start, exit code.

fn main() {}
