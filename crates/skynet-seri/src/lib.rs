//! The format of serialised Lua values: the messages of `skynet.pack` and `skynet.unpack`. Nothing here needs Lua.
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

mod pointers;

pub use pointers::has_pointer;

/// Kind of a value.
pub const NIL: u8 = 0;
/// See [`NIL`].
pub const BOOLEAN: u8 = 1;
/// See [`NIL`].
pub const NUMBER: u8 = 2;
/// See [`NIL`].
pub const POINTER: u8 = 3;
/// See [`NIL`].
pub const SHORT: u8 = 4;
/// See [`NIL`].
pub const LONG: u8 = 5;
/// See [`NIL`].
pub const TABLE: u8 = 6;

/// Cookies of [`NUMBER`].
#[allow(missing_docs)]
pub mod number {
    pub const ZERO: u8 = 0;
    pub const BYTE: u8 = 1;
    pub const WORD: u8 = 2;
    pub const DWORD: u8 = 4;
    pub const QWORD: u8 = 6;
    pub const REAL: u8 = 8;
}

/// Cookie of a [`TABLE`] whose array length follows.
pub const LONG_ARRAY: u8 = 31;

/// Tables within tables, at most. The packer stops at 33; more of them could only exhaust the C stack.
pub const MAX_DEPTH: u32 = 1000;

/// The byte that begins a value.
pub const fn head(kind: u8, cookie: u8) -> u8 {
    kind | cookie << 3
}
