//! Two ways to make the values of a message: through Lua's interface, or with the functions of the patched Lua.

use libc::{c_int, c_void};
use mlua_sys::lua_Integer;
use skynet_support::State;

use super::in_place::{FLOAT, Functions, INTEGER, NONE, TRUE};
use super::reader::Scalar;

/// Every function may raise an error, and needs a free place on the stack for each value that it pushes and one more.
pub(super) trait Maker: Copy {
    /// A table that is being filled; it is on the stack.
    type Table: Copy;

    fn push(self, state: State<'_>, value: Scalar);

    fn string(self, state: State<'_>, text: &[u8]);

    /// Pushes a new table.
    fn table(self, state: State<'_>, array: c_int, pairs: c_int) -> Self::Table;

    /// Sets the value at an index of the table at the top.
    fn index(self, state: State<'_>, table: Self::Table, index: lua_Integer, value: Scalar);

    /// Sets the value at an index to the one at the top, and pops it. The table is below.
    fn index_top(self, state: State<'_>, index: lua_Integer);

    /// Sets a field of the table at the top.
    fn field(self, state: State<'_>, key: Key, value: Scalar);

    /// Before the value of [`Maker::field_top`] is pushed.
    fn key(self, state: State<'_>, key: Key);

    /// Sets a field to the value at the top, and pops it. The table is below, and between them what [`Maker::key`] pushed.
    fn field_top(self, state: State<'_>, key: Key);
}

/// A text of at most 31 bytes, which stays where it is while its field is made.
pub(super) type Key<'a> = &'a [u8];

/// `lua.h`.
#[derive(Clone, Copy)]
pub(super) struct Interface;

impl Maker for Interface {
    type Table = ();

    #[inline(always)]
    fn push(self, state: State<'_>, value: Scalar) {
        let Scalar { kind, bits } = value;
        match kind {
            INTEGER => state.push_integer(bits),
            FLOAT => state.push_number(f64::from_bits(bits as u64)),
            NONE => state.push_nil(),
            _ => state.push_boolean(kind == TRUE),
        }
    }

    #[inline(always)]
    fn string(self, state: State<'_>, text: &[u8]) {
        state.push_bytes(text);
    }

    fn table(self, state: State<'_>, array: c_int, pairs: c_int) {
        state.create_table(array, pairs);
    }

    #[inline(always)]
    fn index(self, state: State<'_>, _: (), index: lua_Integer, value: Scalar) {
        self.push(state, value);
        state.raw_set_i(-2, index);
    }

    #[inline(always)]
    fn index_top(self, state: State<'_>, index: lua_Integer) {
        state.raw_set_i(-2, index);
    }

    #[inline(always)]
    fn field(self, state: State<'_>, key: Key, value: Scalar) {
        self.key(state, key);
        self.push(state, value);
        state.raw_set(-3);
    }

    #[inline(always)]
    fn key(self, state: State<'_>, key: Key) {
        self.string(state, key);
    }

    #[inline(always)]
    fn field_top(self, state: State<'_>, _: Key) {
        state.raw_set(-3);
    }
}

/// `lbuild.h`.
#[derive(Clone, Copy)]
pub(super) struct InPlace(pub &'static Functions);

/// The address of a table that [`InPlace::table`] has pushed.
#[derive(Clone, Copy)]
pub(super) struct Filled(*mut c_void);

// SAFETY (for all blocks): these are functions of Lua's interface like those of lua.h, under the rules of `State`: the state is
// that of the running function, and a text is read before the call returns.
impl Maker for InPlace {
    type Table = Filled;

    #[inline(always)]
    fn push(self, state: State<'_>, value: Scalar) {
        // SAFETY: see above.
        unsafe { (self.0.value)(state.raw(), value.kind, value.bits) }
    }

    #[inline(always)]
    fn string(self, state: State<'_>, text: &[u8]) {
        // SAFETY: see above.
        unsafe { (self.0.string)(state.raw(), text.as_ptr().cast(), text.len()) }
    }

    fn table(self, state: State<'_>, array: c_int, pairs: c_int) -> Filled {
        // SAFETY: see above.
        Filled(unsafe { (self.0.table)(state.raw(), array, pairs) })
    }

    #[inline(always)]
    fn index(self, state: State<'_>, Filled(table): Filled, index: lua_Integer, value: Scalar) {
        // SAFETY: see above; the table is alive, because it is on the stack while it is being filled.
        if unsafe { (self.0.index)(table, index, value.kind, value.bits) } == 0 {
            self.push(state, value);
            self.index_top(state, index);
        }
    }

    #[inline(always)]
    fn index_top(self, state: State<'_>, index: lua_Integer) {
        // SAFETY: see above.
        unsafe { (self.0.index_top)(state.raw(), index) }
    }

    #[inline(always)]
    fn field(self, state: State<'_>, key: Key, value: Scalar) {
        let (kind, bits) = (value.kind, value.bits);
        // SAFETY: see above.
        unsafe { (self.0.field)(state.raw(), key.as_ptr().cast(), key.len(), kind, bits) }
    }

    #[inline(always)]
    fn key(self, _: State<'_>, _: Key) {}

    #[inline(always)]
    fn field_top(self, state: State<'_>, key: Key) {
        // SAFETY: see above.
        unsafe { (self.0.field_top)(state.raw(), key.as_ptr().cast(), key.len()) }
    }
}
