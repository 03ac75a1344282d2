//! The module as Lua sees it.

mod build;
mod capture;
mod convert;
mod dump;
mod grammar;
mod locale;
mod matching;
mod pattern;
mod table;

use std::ffi::CStr;

use libc::c_int;
use mlua_sys::{LUA_REGISTRYINDEX, lua_Integer};
use skynet_support::{Entry, State, lua_functions, lua_module};

use crate::tree::Key;

pub(crate) use pattern::Block;

/// Where in the registry the metatable of patterns is. Not the name that LPeg in C has: a process may load both.
const METATABLE: &CStr = c"lpeg-pattern in Rust";

/// The name of patterns in error messages.
const PATTERN: &CStr = c"lpeg-pattern";

/// Where in the registry the limit of the machine's stack is.
pub(crate) const MAX_STACK_KEY: &CStr = c"lpeg-maxstack";

/// The limit when the program sets none; a lower one has no effect.
pub(crate) const DEFAULT_STACK: usize = 400;

/// The highest limit.
const HIGHEST_STACK: lua_Integer = (c_int::MAX / 100) as lua_Integer;

/// Where `match` has its subject.
pub(crate) const SUBJECT: c_int = 2;

/// The arguments of `match` before those for captures.
const FIXED_ARGUMENTS: c_int = 3;

/// Where a match has its things on Lua's stack: from 1 on the arguments, then some slots, then the runtime values.
#[derive(Clone, Copy)]
pub(crate) struct Slots {
    arguments: c_int,
}

impl Slots {
    /// How many values there are between the arguments and the runtime values.
    const COUNT: c_int = 4;

    /// Where the value of a key is kept for a while.
    pub fn cache(self) -> c_int {
        self.arguments + 1
    }

    /// The memory of the captures.
    pub fn captures(self) -> c_int {
        self.arguments + 2
    }

    /// The memory of the machine's stack.
    pub fn stack(self) -> c_int {
        self.arguments + 3
    }

    /// The pattern's table of values.
    pub fn values(self) -> c_int {
        self.arguments + 4
    }

    /// The runtime value of a number from 1.
    pub fn runtime(self, number: Key) -> c_int {
        self.arguments + Slots::COUNT + c_int::from(number)
    }

    /// The argument for captures with a number from 1, if there is one.
    pub fn argument(self, number: Key) -> Option<c_int> {
        let place = FIXED_ARGUMENTS + c_int::from(number);
        (place <= self.arguments).then_some(place)
    }
}

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"match" => matching::run,
    c"type" => matching::kind,
    c"P" => build::pattern,
    c"S" => build::set,
    c"R" => build::range,
    c"utfR" => build::utf8_range,
    c"B" => build::behind,
    c"V" => build::variable,
    c"C" => capture::simple,
    c"Carg" => capture::argument,
    c"Cb" => capture::back_reference,
    c"Cc" => capture::constant,
    c"Cf" => capture::fold,
    c"Cg" => capture::group,
    c"Cmt" => capture::match_time,
    c"Cp" => capture::position,
    c"Cs" => capture::substitution,
    c"Ct" => capture::table,
    c"locale" => locale::locale,
    c"setmaxstack" => set_max_stack,
    c"ptree" => dump::tree,
    c"pcode" => dump::code,
});

const OPERATORS: &[Entry] = lua_functions!(unsafe {
    c"__mul" => build::sequence,
    c"__add" => build::choice,
    c"__sub" => build::difference,
    c"__pow" => build::repetition,
    c"__unm" => build::not,
    c"__len" => build::and,
    c"__div" => capture::divide,
    c"__mod" => capture::accumulate,
});

lua_module!(unsafe luaopen_lpeg => fn open);

/// Opens the module: pushes its table.
fn open(state: State<'_>) -> c_int {
    state.push_module(&[]);
    state.push_integer(DEFAULT_STACK as lua_Integer);
    state.set_field(LUA_REGISTRYINDEX, MAX_STACK_KEY);
    // Every function has the metatable of patterns as its upvalue: that is how it knows them.
    state.new_metatable(METATABLE);
    state.push_text(PATTERN);
    state.set_field(-2, c"__name");
    state.push_copy(-1);
    state.register(OPERATORS, 1);
    state.push_copy(-2);
    state.push_copy(-2);
    state.register(FUNCTIONS, 1);
    state.push_text(c"LPeg 1.1.0");
    state.set_field(-2, c"version");
    state.push_copy(-1);
    state.set_field(-3, c"__index");
    1
}

/// `setmaxstack(limit)`: sets how many calls and alternatives a match may have open.
fn set_max_stack(state: State<'_>) -> c_int {
    let limit = state.check_integer(1);
    if !(1..=HIGHEST_STACK).contains(&limit) {
        state.argument_error(1, c"out of range");
    }
    state.set_top(1);
    state.set_field(LUA_REGISTRYINDEX, MAX_STACK_KEY);
    0
}
