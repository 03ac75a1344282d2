//! The Lua modules `cjson` and `cjson.safe`: JSON to and from Lua values, with the interface of lua-cjson (OpenResty's and
//! cloudwu's additions included).
//!
//! No tree stands between text and tables: `decode` leaves values on Lua's stack and makes each table in its final size,
//! `encode` walks tables and appends to one buffer. Neither recurses, so that depth costs memory in proportion and no C stack.
//!
//! Errors in Lua are longjmps: everything on the stack of this crate is plain data.

mod config;
mod containers;
mod decode;
mod encode;
mod number;
mod place;
mod real;
mod scan;
mod string;
mod table;

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use mlua_sys::{LUA_ERRRUN, LUA_OK, LUA_REGISTRYINDEX, LUA_TNIL, lua_CFunction, lua_upvalueindex};
use skynet_support::{Entry, State, lua_function, lua_functions, lua_module};

/// What `require` opens: module name and opening function.
pub static MODULES: &[(&CStr, lua_CFunction)] = &[
    (c"cjson", luaopen_cjson),
    (c"cjson.safe", luaopen_cjson_safe),
];

/// All have the settings as upvalue 1, and upvalue 2 for a buffer that is not in use.
const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"encode" => encode::encode,
    c"decode" => decode::decode,
    c"new" => new,
    c"encode_sparse_array" => config::encode_sparse_array,
    c"encode_max_depth" => config::encode_max_depth,
    c"decode_max_depth" => config::decode_max_depth,
    c"encode_number_precision" => config::encode_number_precision,
    c"encode_keep_buffer" => config::encode_keep_buffer,
    c"encode_invalid_numbers" => config::encode_invalid_numbers,
    c"decode_invalid_numbers" => config::decode_invalid_numbers,
    c"encode_empty_table_as_object" => config::encode_empty_table_as_object,
    c"encode_empty_table_as_array" => config::encode_empty_table_as_array,
    c"decode_array_with_array_mt" => config::decode_array_with_array_mt,
    c"decode_allow_comment" => config::decode_allow_comment,
    c"encode_escape_forward_slash" => config::encode_escape_forward_slash,
    c"encode_skip_unsupported_value_types" => config::encode_skip_unsupported_value_types,
    c"encode_indent" => config::encode_indent,
});

/// What programs compare with: the release of lua-cjson whose interface this is.
const VERSION: &CStr = c"2.1.0.11";

/// Its address is `cjson.empty_array`, and the key of `cjson.array_mt` in the registry.
static ARRAY: u8 = 1;
/// Its address is the key of `cjson.empty_array_mt` in the registry.
static EMPTY_ARRAY: u8 = 2;

/// `cjson.empty_array`, and where [`push_array_mt`] finds its table.
fn array_key() -> *const c_void {
    (&raw const ARRAY).cast()
}

fn empty_array_key() -> *const c_void {
    (&raw const EMPTY_ARRAY).cast()
}

lua_module!(unsafe luaopen_cjson => fn new);
lua_module!(unsafe luaopen_cjson_safe => fn new_safe);

/// `cjson.new()`: the module again, with settings of its own, which are the first ones. That of `cjson.safe` is safe.
fn new(state: State<'_>) -> c_int {
    state.push_module(&[]);
    config::push(state);
    state.push_nil();
    state.register(FUNCTIONS, 2);
    state.push_light(ptr::null::<u8>());
    state.set_field(-2, c"null");
    state.push_light(array_key());
    state.set_field(-2, c"empty_array");
    push_registered(state, array_key());
    state.set_field(-2, c"array_mt");
    push_registered(state, empty_array_key());
    state.set_field(-2, c"empty_array_mt");
    state.push_text(c"cjson");
    state.set_field(-2, c"_NAME");
    state.push_text(VERSION);
    state.set_field(-2, c"_VERSION");

    1
}

/// [`new`] of `cjson.safe`.
fn new_safe(state: State<'_>) -> c_int {
    new(state);
    state.push_function(lua_function!(unsafe new_safe));
    state.set_field(-2, c"new");
    for name in [c"encode", c"decode"] {
        state.get_field(-1, name);
        state.push_closure(lua_function!(unsafe protected), 1);
        state.set_field(-2, name);
    }

    1
}

/// Calls the function in upvalue 1; its error becomes nil and a text.
fn protected(state: State<'_>) -> c_int {
    check_one_argument(state);
    state.push_copy(lua_upvalueindex(1));
    state.insert(1);
    match state.protected_call(1, 1, 0) {
        LUA_OK => 1,
        LUA_ERRRUN => {
            state.push_nil();
            state.insert(-2);
            2
        }
        _ => state.error(c"Memory allocation error in CJSON protected call"),
    }
}

/// Pushes the table that all modules of this Lua share, for one of the two keys.
fn push_registered(state: State<'_>, key: *const c_void) {
    if state.raw_get_p(LUA_REGISTRYINDEX, key) == LUA_TNIL {
        state.pop(1);
        state.create_table(0, 0);
        state.push_copy(-1);
        state.raw_set_p(LUA_REGISTRYINDEX, key);
    }
}

/// Pushes `cjson.array_mt`.
fn push_array_mt(state: State<'_>) {
    push_registered(state, array_key())
}

fn check_one_argument(state: State<'_>) {
    if state.top() != 1 {
        state.argument_error(1, c"expected 1 argument");
    }
}
