//! Arguments that are addresses: objects that services hand to each other as light userdata.

use libc::{c_int, c_void};
use mlua_sys::{LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TUSERDATA};
use skynet_support::State;

/// The address that argument `arg` holds. Raises for anything but a light userdata, and for null.
pub(crate) fn address<T>(state: State<'_>, arg: c_int) -> *mut T {
    state.check_kind(arg, LUA_TLIGHTUSERDATA);
    let address = state.to_userdata(arg);
    if address.is_null() {
        state.argument_error(arg, c"null pointer");
    }
    address.cast()
}

/// The bytes of a message, of which null has none.
///
/// # Safety
/// So many bytes are there, which nobody writes or frees for `'a`.
pub(crate) unsafe fn bytes<'a>(data: *const c_void, size: usize) -> &'a [u8] {
    if data.is_null() {
        return &[];
    }
    // SAFETY: contract of this function.
    unsafe { std::slice::from_raw_parts(data.cast(), size) }
}

/// The data of a message, in `arg` and `arg + 1`: address and size, null (or nil) only for a size of 0. Raises otherwise.
pub(crate) fn message(state: State<'_>, arg: c_int) -> (*mut c_void, usize) {
    let kind = state.kind(arg);
    if kind != LUA_TUSERDATA && kind != LUA_TNIL {
        state.check_kind(arg, LUA_TLIGHTUSERDATA);
    }
    let data = state.to_userdata(arg);
    let size = state.check_integer(arg + 1);
    if size < 0 || (data.is_null() && size > 0) {
        state.argument_error(arg + 1, c"invalid message size");
    }
    (data, size as usize)
}
