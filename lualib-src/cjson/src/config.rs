//! The settings of a module, and the functions that read and change them.

use std::ffi::{CStr, c_int};

use mlua_sys::{LUA_TBOOLEAN, LUA_TNIL, lua_upvalueindex};
use skynet_support::State;

/// Plain data in a userdata; the text of `encode_indent` is its user value.
#[derive(Clone, Copy)]
pub struct Config {
    pub sparse_convert: bool,
    pub sparse_ratio: c_int,
    pub sparse_safe: c_int,
    pub encode_max_depth: c_int,
    pub decode_max_depth: c_int,
    pub precision: c_int,
    pub keep_buffer: bool,
    pub encode_invalid: InvalidNumbers,
    pub decode_invalid: bool,
    pub empty_table_as_object: bool,
    pub array_with_array_mt: bool,
    pub allow_comment: bool,
    pub escape_slash: bool,
    pub skip_unsupported: bool,
    pub has_indent: bool,
}

/// What `encode` does with NaN and the infinities.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum InvalidNumbers {
    Refused,
    Written,
    Null,
}

const FIRST: Config = Config {
    sparse_convert: false,
    sparse_ratio: 2,
    sparse_safe: 10,
    encode_max_depth: 1000,
    decode_max_depth: 1000,
    precision: 14,
    keep_buffer: true,
    encode_invalid: InvalidNumbers::Refused,
    decode_invalid: true,
    empty_table_as_object: true,
    array_with_array_mt: false,
    allow_comment: false,
    escape_slash: true,
    skip_unsupported: false,
    has_indent: false,
};

/// Pushes new settings.
pub fn push(state: State<'_>) {
    let place: *mut Config = state.push_userdata(1);
    // SAFETY: there is room for it.
    unsafe { place.write(FIRST) };
}

/// The settings of the running function.
pub fn current(state: State<'_>) -> &mut Config {
    // SAFETY: upvalue 1 of every function is a userdata of `push`, which lives as long as the function; one thread has the
    // Lua state, and no caller keeps the reference across a call.
    unsafe { &mut *state.to_userdata(lua_upvalueindex(1)).cast() }
}

/// Pushes the text of `encode_indent`, a string or nil.
pub fn push_indent(state: State<'_>) {
    state.get_user_value(lua_upvalueindex(1), 1);
}

/// Refuses more arguments than `most`, and fills up to it with nil.
fn arguments(state: State<'_>, most: c_int) {
    if state.top() > most {
        state.argument_error(most + 1, c"found too many arguments");
    }
    state.set_top(most);
}

/// An integer setting: argument `index` changes it unless it is nil. Pushes what holds then.
fn integer(
    state: State<'_>,
    index: c_int,
    setting: &mut c_int,
    least: c_int,
    most: c_int,
    range: &CStr,
) {
    if state.kind(index) != LUA_TNIL {
        let value = state.check_integer(index);
        match c_int::try_from(value) {
            Ok(value) if (least..=most).contains(&value) => *setting = value,
            _ => state.argument_error(1, range),
        }
    }
    state.push_integer((*setting).into());
}

const FROM_0: &CStr = c"expected integer between 0 and 2147483647";
const FROM_1: &CStr = c"expected integer between 1 and 2147483647";
const PRECISION: &CStr = c"expected integer between 1 and 16";

/// A setting that is on or off: a boolean, "on" or "off" as argument `index`. Pushes what holds then.
fn switch(state: State<'_>, index: c_int, setting: &mut bool) {
    match state.kind(index) {
        LUA_TNIL => {}
        LUA_TBOOLEAN => *setting = state.to_boolean(index),
        _ => *setting = state.check_option(index, &[c"off", c"on"]) == 1,
    }
    state.push_boolean(*setting);
}

macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident => $field:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(state: State<'_>) -> c_int {
            arguments(state, 1);
            switch(state, 1, &mut current(state).$field);
            1
        }
    )*};
}

switches! {
    /// `encode_keep_buffer([on])`: whether the memory of a text that was encoded waits for the next one (true).
    encode_keep_buffer => keep_buffer;
    /// `decode_invalid_numbers([on])`: whether `decode` takes numbers that are not JSON's: hexadecimal, infinity, NaN, with
    /// leading zeros or a plus (true).
    decode_invalid_numbers => decode_invalid;
    /// `encode_empty_table_as_object([on])`: whether an empty table is `{}` (true) or `[]`.
    encode_empty_table_as_object => empty_table_as_object;
    /// `decode_array_with_array_mt([on])`: whether arrays get the metatable `array_mt` (false), so that `encode` makes arrays
    /// of them again even when they are empty.
    decode_array_with_array_mt => array_with_array_mt;
    /// `decode_allow_comment([on])`: whether `decode` skips comments as in C (false).
    decode_allow_comment => allow_comment;
    /// `encode_escape_forward_slash([on])`: whether `/` becomes `\/` (true).
    encode_escape_forward_slash => escape_slash;
    /// `encode_skip_unsupported_value_types([on])`: whether functions, threads and userdata in tables are left out (false)
    /// instead of raising.
    encode_skip_unsupported_value_types => skip_unsupported;
}

/// `encode_empty_table_as_array([on])`: the contrary of `encode_empty_table_as_object`.
pub fn encode_empty_table_as_array(state: State<'_>) -> c_int {
    arguments(state, 1);
    let mut on = !current(state).empty_table_as_object;
    switch(state, 1, &mut on);
    current(state).empty_table_as_object = !on;
    1
}

/// `encode_sparse_array([convert [, ratio [, safe]]])`: a table whose largest index is above `safe` (10), and more than `ratio`
/// (2) times the number of its elements, raises an error, or becomes an object if `convert` is true (false). A ratio of 0
/// allows all. Returns the three.
pub fn encode_sparse_array(state: State<'_>) -> c_int {
    const MOST: c_int = c_int::MAX;
    arguments(state, 3);
    let config = current(state);
    switch(state, 1, &mut config.sparse_convert);
    integer(state, 2, &mut config.sparse_ratio, 0, MOST, FROM_0);
    integer(state, 3, &mut config.sparse_safe, 0, MOST, FROM_0);
    3
}

/// `encode_max_depth([depth])`: how deep tables may be in each other (1000).
pub fn encode_max_depth(state: State<'_>) -> c_int {
    arguments(state, 1);
    let depth = &mut current(state).encode_max_depth;
    integer(state, 1, depth, 1, c_int::MAX, FROM_1);
    1
}

/// `decode_max_depth([depth])`: how deep arrays and objects may be in each other (1000).
pub fn decode_max_depth(state: State<'_>) -> c_int {
    arguments(state, 1);
    let depth = &mut current(state).decode_max_depth;
    integer(state, 1, depth, 1, c_int::MAX, FROM_1);
    1
}

/// `encode_number_precision([digits])`: significant digits of a float, 1 to 16 (14). Integers have all of theirs.
pub fn encode_number_precision(state: State<'_>) -> c_int {
    arguments(state, 1);
    let precision = &mut current(state).precision;
    integer(state, 1, precision, 1, 16, PRECISION);
    1
}

/// `encode_invalid_numbers([what])`: for NaN and the infinities `encode` raises (false, "off"), writes `NaN` and `Infinity`
/// (true, "on"), or writes `null` ("null").
pub fn encode_invalid_numbers(state: State<'_>) -> c_int {
    arguments(state, 1);
    let chosen = match state.kind(1) {
        LUA_TNIL => None,
        LUA_TBOOLEAN => Some(state.to_boolean(1).into()),
        _ => Some(state.check_option(1, &[c"off", c"on", c"null"])),
    };
    let setting = &mut current(state).encode_invalid;
    match chosen {
        None => {}
        Some(0) => *setting = InvalidNumbers::Refused,
        Some(1) => *setting = InvalidNumbers::Written,
        Some(_) => *setting = InvalidNumbers::Null,
    }
    match *setting {
        InvalidNumbers::Refused => state.push_boolean(false),
        InvalidNumbers::Written => state.push_boolean(true),
        InvalidNumbers::Null => state.push_text(c"null"),
    }
    1
}

/// `encode_indent([text])`: what a line is indented with for each level. "" puts all in one line, without blanks (the first
/// setting).
pub fn encode_indent(state: State<'_>) -> c_int {
    arguments(state, 1);
    if state.kind(1) != LUA_TNIL {
        let is_empty = state.check_bytes(1).is_empty();
        state.set_user_value(lua_upvalueindex(1), 1);
        current(state).has_indent = !is_empty;
    }
    push_indent(state);
    if state.kind(-1) == LUA_TNIL {
        state.push_text(c"");
    }
    1
}
