//! Serialised Lua values: the messages of `skynet.pack` and `skynet.unpack`.
//!
//! A message is the concatenation of its values. Each begins with one byte, `kind | cookie << 3`:
//!
//! | kind | value | cookie and body |
//! |---|---|---|
//! | 0 | nil | 0 |
//! | 1 | boolean | 0 or 1 |
//! | 2 | number | 0: zero; 1, 2, 4, 6: integer of 1, 2 (unsigned), 4, 8 (signed) bytes; 8: double |
//! | 3 | light userdata | 8 bytes |
//! | 4 | string | length 0..=31, bytes |
//! | 5 | string | 2 or 4: bytes of the length that follows, bytes |
//! | 6 | table | array length 0..=30, or 31 and an integer; array values, pairs, nil |
//!
//! Numbers are in host order.

use mlua_sys::lua_State;

mod in_place;
mod make;
mod pack;
mod pointers;
mod reader;
mod scratch;
#[cfg(test)]
mod tests;
mod unpack;
mod view;

pub use in_place::values_in_place;

pub(crate) use pack::{pack, packstring};
pub(crate) use pointers::has_pointer;
pub(crate) use unpack::unpack;

/// The arguments of a function that takes a message, looked at in place: a light userdata and a size of 0 to 2 GiB. `None`
/// for others, and where nothing is done in place.
///
/// # Safety
/// The function is being called by Lua.
#[inline(always)]
pub(crate) unsafe fn block(state: *mut lua_State) -> Option<(*const u8, usize)> {
    // SAFETY: the caller's.
    in_place::functions().and_then(|lua| unsafe { view::block(state, lua) })
}

const NIL: u8 = 0;
const BOOLEAN: u8 = 1;
const NUMBER: u8 = 2;
const POINTER: u8 = 3;
const SHORT: u8 = 4;
const LONG: u8 = 5;
const TABLE: u8 = 6;

/// Cookies of [`NUMBER`].
mod number {
    pub const ZERO: u8 = 0;
    pub const BYTE: u8 = 1;
    pub const WORD: u8 = 2;
    pub const DWORD: u8 = 4;
    pub const QWORD: u8 = 6;
    pub const REAL: u8 = 8;
}

/// Cookie of a [`TABLE`] whose array length follows.
const LONG_ARRAY: u8 = 31;

const fn head(kind: u8, cookie: u8) -> u8 {
    kind | cookie << 3
}
