//! The Lua module `lpeg`: pattern matching with parsing expression grammars, with the interface of LPeg 1.1.
//!
//! A pattern is a tree, built by the functions and operators of Lua. Before its first match it is compiled, with what its
//! facts and its first bytes allow, to a program that a machine runs; `captures` turns what the machine wrote down into Lua
//! values.
//!
//! Errors in Lua are longjmps. Trees, programs, and the stacks of a match that have become long are memory of Lua, and
//! nothing that has a destructor is alive across a call that can raise an error.

mod api;
mod captures;
mod charset;
mod compile;
mod facts;
mod first;
mod program;
mod solve;
mod tree;
mod verify;
mod vm;

use std::ffi::CStr;

use mlua_sys::lua_CFunction;

pub use api::luaopen_lpeg;

/// What `require` opens: module name and opening function.
pub static MODULES: &[(&CStr, lua_CFunction)] = &[(c"lpeg", luaopen_lpeg)];
