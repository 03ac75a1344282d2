//! Values of Rust in userdata of Lua.

use std::ffi::CStr;

use mlua_sys::{LUA_REGISTRYINDEX, lua_State, lua_getfield, lua_newuserdatauv, lua_setmetatable};

/// Pushes a userdata of `kind`, a metatable of the registry, whose finaliser may run from then on. The value lives in Lua's
/// memory, which does not move.
///
/// # Safety
/// Called by a function of Lua, with room for two values; may raise an error.
pub(crate) unsafe fn push<T>(state: *mut lua_State, kind: &CStr, value: T) -> *mut T {
    // SAFETY: by contract; the value is written before it has a metatable. It has no destructor, so an error loses nothing.
    unsafe {
        const { assert!(!std::mem::needs_drop::<T>()) };
        let object: *mut T = lua_newuserdatauv(state, size_of::<T>(), 0).cast();
        object.write(value);
        lua_getfield(state, LUA_REGISTRYINDEX, kind.as_ptr());
        lua_setmetatable(state, -2);
        object
    }
}
