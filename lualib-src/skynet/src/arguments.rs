//! Arguments that are addresses: objects that services hand to each other as light userdata.

use libc::{c_int, c_void};
use mlua_sys::{
    LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TUSERDATA, lua_State, lua_touserdata, lua_type,
    luaL_argerror, luaL_checktype,
};

/// The address that argument `arg` holds. Raises for anything but a light userdata, and for null.
///
/// # Safety
/// Called by a function of Lua; nothing with a destructor is alive.
pub(crate) unsafe fn address<T>(state: *mut lua_State, arg: c_int) -> *mut T {
    // SAFETY: as the caller promises.
    unsafe {
        luaL_checktype(state, arg, LUA_TLIGHTUSERDATA);
        let address = lua_touserdata(state, arg);
        if address.is_null() {
            luaL_argerror(state, arg, c"null pointer".as_ptr());
        }
        address.cast()
    }
}

/// The data of a message, in `arg` and `arg + 1`: address and size, null (or nil) only for a size of 0. Raises otherwise.
///
/// # Safety
/// Called by a function of Lua; nothing with a destructor is alive.
pub(crate) unsafe fn message(state: *mut lua_State, arg: c_int) -> (*mut c_void, usize) {
    // SAFETY: as the caller promises.
    unsafe {
        let kind = lua_type(state, arg);
        if kind != LUA_TUSERDATA && kind != LUA_TNIL {
            luaL_checktype(state, arg, LUA_TLIGHTUSERDATA);
        }
        let data = lua_touserdata(state, arg);
        let size = mlua_sys::luaL_checkinteger(state, arg + 1);
        if size < 0 || (data.is_null() && size > 0) {
            luaL_argerror(state, arg + 1, c"invalid message size".as_ptr());
        }
        (data, size as usize)
    }
}
