//! Two ways to make the values of a message: through Lua's interface, or with the functions of the patched Lua.

use libc::{c_char, c_int, c_void};
use mlua_sys::{
    lua_Integer, lua_State, lua_createtable, lua_pushboolean, lua_pushinteger, lua_pushlstring,
    lua_pushnil, lua_pushnumber, lua_rawset, lua_rawseti,
};

use super::in_place::{FLOAT, Functions, INTEGER, NONE, TRUE};
use super::reader::Scalar;

/// Every function may raise an error, and needs a free place on the stack for each value that it pushes and one more.
pub(super) trait Maker: Copy {
    /// A table that is being filled; it is on the stack.
    type Table: Copy;

    unsafe fn push(self, state: *mut lua_State, value: Scalar);

    unsafe fn string(self, state: *mut lua_State, text: &[u8]);

    /// Pushes a new table.
    unsafe fn table(self, state: *mut lua_State, array: c_int, pairs: c_int) -> Self::Table;

    /// Sets the value at an index of the table at the top.
    unsafe fn index(
        self,
        state: *mut lua_State,
        table: Self::Table,
        index: lua_Integer,
        value: Scalar,
    );

    /// Sets the value at an index to the one at the top, and pops it. The table is below.
    unsafe fn index_top(self, state: *mut lua_State, index: lua_Integer);

    /// Sets a field of the table at the top.
    unsafe fn field(self, state: *mut lua_State, key: Key, value: Scalar);

    /// Before the value of [`Maker::field_top`] is pushed.
    unsafe fn key(self, state: *mut lua_State, key: Key);

    /// Sets a field to the value at the top, and pops it. The table is below, and between them what [`Maker::key`] pushed.
    unsafe fn field_top(self, state: *mut lua_State, key: Key);
}

/// A text of at most 31 bytes, which stays where it is while its field is made.
pub(super) type Key<'a> = &'a [u8];

/// `lua.h`.
#[derive(Clone, Copy)]
pub(super) struct Interface;

impl Maker for Interface {
    type Table = ();

    #[inline(always)]
    unsafe fn push(self, state: *mut lua_State, value: Scalar) {
        let Scalar { kind, bits } = value;
        // SAFETY: the caller's.
        unsafe {
            match kind {
                INTEGER => lua_pushinteger(state, bits),
                FLOAT => lua_pushnumber(state, f64::from_bits(bits as u64)),
                NONE => lua_pushnil(state),
                _ => lua_pushboolean(state, (kind == TRUE).into()),
            }
        }
    }

    #[inline(always)]
    unsafe fn string(self, state: *mut lua_State, text: &[u8]) {
        // SAFETY: the caller's.
        unsafe {
            lua_pushlstring(state, text.as_ptr().cast::<c_char>(), text.len());
        }
    }

    unsafe fn table(self, state: *mut lua_State, array: c_int, pairs: c_int) {
        // SAFETY: the caller's.
        unsafe { lua_createtable(state, array, pairs) }
    }

    #[inline(always)]
    unsafe fn index(self, state: *mut lua_State, _: (), index: lua_Integer, value: Scalar) {
        // SAFETY: the caller's.
        unsafe {
            self.push(state, value);
            lua_rawseti(state, -2, index);
        }
    }

    #[inline(always)]
    unsafe fn index_top(self, state: *mut lua_State, index: lua_Integer) {
        // SAFETY: the caller's.
        unsafe { lua_rawseti(state, -2, index) }
    }

    #[inline(always)]
    unsafe fn field(self, state: *mut lua_State, key: Key, value: Scalar) {
        // SAFETY: the caller's.
        unsafe {
            self.key(state, key);
            self.push(state, value);
            lua_rawset(state, -3);
        }
    }

    #[inline(always)]
    unsafe fn key(self, state: *mut lua_State, key: Key) {
        // SAFETY: the caller's.
        unsafe { self.string(state, key) }
    }

    #[inline(always)]
    unsafe fn field_top(self, state: *mut lua_State, _: Key) {
        // SAFETY: the caller's.
        unsafe { lua_rawset(state, -3) }
    }
}

/// `lbuild.h`.
#[derive(Clone, Copy)]
pub(super) struct InPlace(pub &'static Functions);

impl Maker for InPlace {
    type Table = *mut c_void;

    #[inline(always)]
    unsafe fn push(self, state: *mut lua_State, value: Scalar) {
        // SAFETY: the caller's.
        unsafe { (self.0.value)(state, value.kind, value.bits) }
    }

    #[inline(always)]
    unsafe fn string(self, state: *mut lua_State, text: &[u8]) {
        // SAFETY: the caller's.
        unsafe { (self.0.string)(state, text.as_ptr().cast(), text.len()) }
    }

    unsafe fn table(self, state: *mut lua_State, array: c_int, pairs: c_int) -> *mut c_void {
        // SAFETY: the caller's.
        unsafe { (self.0.table)(state, array, pairs) }
    }

    #[inline(always)]
    unsafe fn index(
        self,
        state: *mut lua_State,
        table: *mut c_void,
        index: lua_Integer,
        value: Scalar,
    ) {
        // SAFETY: the caller's; the table is alive, because it is on the stack.
        unsafe {
            if (self.0.index)(table, index, value.kind, value.bits) == 0 {
                self.push(state, value);
                self.index_top(state, index);
            }
        }
    }

    #[inline(always)]
    unsafe fn index_top(self, state: *mut lua_State, index: lua_Integer) {
        // SAFETY: the caller's.
        unsafe { (self.0.index_top)(state, index) }
    }

    #[inline(always)]
    unsafe fn field(self, state: *mut lua_State, key: Key, value: Scalar) {
        let (kind, bits) = (value.kind, value.bits);
        // SAFETY: the caller's.
        unsafe { (self.0.field)(state, key.as_ptr().cast(), key.len(), kind, bits) }
    }

    #[inline(always)]
    unsafe fn key(self, _: *mut lua_State, _: Key) {}

    #[inline(always)]
    unsafe fn field_top(self, state: *mut lua_State, key: Key) {
        // SAFETY: the caller's.
        unsafe { (self.0.field_top)(state, key.as_ptr().cast(), key.len()) }
    }
}
