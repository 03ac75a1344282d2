//! The `skynet` executable.

fn main() {}
