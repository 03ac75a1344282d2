//! The process: its command line, `skynet check`, and files of machine code that projects bring along.
#![cfg(feature = "lua")]

mod check;
mod command_line;
mod console;
mod debugger;
mod descriptors;
mod foreign;
mod memory;
mod project;
mod repeatable;
mod testing;
#[path = "../tools/mod.rs"]
mod tools;
mod top;
