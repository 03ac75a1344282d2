//! The Lua module `bson`: MongoDB's documents.
//!
//! A document is a userdata with the metatable "bson", or a light userdata that points to one. Values that Lua has no type
//! for are strings: a zero byte, the type of the element (see [`kind`]), and the value.
//!
//! Errors in Lua are longjmps: everything on the stack of this crate is plain data.

mod date;
mod decimal;
mod decode;
mod element;
mod encode;
mod index;
mod kind;
mod object;
mod object_id;
mod reader;
mod utf8;

use std::ffi::CStr;
use std::{ptr, slice};

use libc::c_int;
use mlua_sys::{LUA_TUSERDATA, lua_CFunction, lua_Integer, lua_newuserdatauv, lua_upvalueindex};
use skynet_support::{Entry, State, lua_functions, lua_module};

use reader::Problem;

/// What `require` opens: module name and opening function.
pub static MODULES: &[(&CStr, lua_CFunction)] = &[(c"bson", luaopen_bson)];

/// Functions with the metatable of documents and the buffer's userdata as their upvalues.
const MAKERS: &[Entry] = lua_functions!(unsafe {
    c"encode" => encode::encode,
    c"encode_order" => encode::encode_order,
});

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"decode" => decode::decode,
    c"to_lightuserdata" => to_lightuserdata,
    c"date" => object::date,
    c"exact_dates" => object::exact_dates,
    c"decimal128" => object::decimal128,
    c"timestamp" => object::timestamp,
    c"regex" => object::regex,
    c"binary" => object::binary,
    c"int64" => object::int64,
    c"objectid" => object_id::objectid,
});

const METHODS: &[Entry] = lua_functions!(unsafe {
    c"decode" => decode::decode,
    c"makeindex" => index::makeindex,
});

/// Name of the metatable of documents in the registry.
const DOCUMENT: &CStr = c"bson";

lua_module!(unsafe luaopen_bson => fn open);

/// Opens the module: pushes its table.
fn open(state: State<'_>) -> c_int {
    const CONSTANTS: [(&CStr, u8); 3] = [
        (c"null", kind::NULL),
        (c"minkey", kind::MIN_KEY),
        (c"maxkey", kind::MAX_KEY),
    ];
    state.push_module(FUNCTIONS);
    metatable(state);
    state.push_nil();
    state.register(MAKERS, 2);
    for (name, kind) in CONSTANTS {
        state.push_bytes(&[0, kind]);
        state.set_field(-2, name);
    }
    object::push_type_function(state);
    state.set_field(-2, c"type");
    1
}

/// Pushes the metatable of documents.
fn metatable(state: State<'_>) {
    const EVENTS: &[Entry] = lua_functions!(unsafe {
        c"__tostring" => document_tostring,
        c"__len" => document_len,
        c"__newindex" => index::replace,
    });
    if !state.new_metatable(DOCUMENT) {
        return;
    }
    state.register(EVENTS, 0);
    state.create_table(0, METHODS.len() as c_int);
    state.register(METHODS, 0);
    state.set_field(-2, c"__index");
}

/// Makes a document of `bytes`: pushes the userdata, which gets the metatable in upvalue 1 of the running function.
fn push_document(state: State<'_>, bytes: &[u8]) {
    // SAFETY: the running state, with room for two values; the block has as many bytes.
    unsafe {
        let place = lua_newuserdatauv(state.raw(), bytes.len(), 1);
        ptr::copy_nonoverlapping(bytes.as_ptr(), place.cast::<u8>(), bytes.len());
    }
    state.push_copy(lua_upvalueindex(1));
    state.set_metatable(-2);
}

/// The document that the userdata at `index` holds or points to. Of a light one only the length in its first four bytes is
/// known. `None`: no userdata, or a null pointer.
fn document_at(state: State<'_>, index: c_int) -> Option<Result<&[u8], Problem>> {
    let start: *const u8 = state.to_userdata(index).cast();
    if start.is_null() {
        return None;
    }
    if state.kind(index) == LUA_TUSERDATA {
        // SAFETY: so many bytes are in the userdata, which is on the stack.
        let held = unsafe { slice::from_raw_parts(start, state.raw_len(index)) };
        return Some(reader::document(held));
    }
    // SAFETY: who passes an address says that a document is there, which begins with its length.
    let length = unsafe { i32::from_le_bytes(start.cast::<[u8; 4]>().read_unaligned()) };
    if length < reader::SMALLEST {
        return Some(Err(Problem::too_short(length, reader::SMALLEST)));
    }
    // SAFETY: who passes an address says that a document is there, so as many bytes as its length says.
    let bytes = unsafe { slice::from_raw_parts(start, length as usize) };
    Some(reader::document(bytes))
}

/// `document:tostring`, also `tostring(document)`: its bytes.
fn document_tostring(state: State<'_>) -> c_int {
    let start: *mut u8 = state.check_userdata(1, DOCUMENT);
    // SAFETY: so many bytes are in the userdata, an argument.
    state.push_bytes(unsafe { slice::from_raw_parts(start, state.raw_len(1)) });
    1
}

/// `#document`: its length in bytes.
fn document_len(state: State<'_>) -> c_int {
    state.check_userdata::<u8>(1, DOCUMENT);
    state.push_integer(state.raw_len(1) as lua_Integer);
    1
}

/// `to_lightuserdata(document)`: a pointer to it, good as long as the document is kept.
fn to_lightuserdata(state: State<'_>) -> c_int {
    let start = state.to_userdata(1);
    state.push_light(start);
    1
}
