//! Values of Rust in userdata of Lua.

use std::ffi::CStr;
use std::ptr;

use libc::c_int;
use mlua_sys::{LUA_REGISTRYINDEX, lua_CFunction};
use skynet_support::State;

/// Pushes a userdata of `kind`, a metatable of the registry, whose finaliser may run from then on. The value lives in Lua's
/// memory, which does not move. Raises for want of memory; needs room for two values.
pub(crate) fn push<T>(state: State<'_>, kind: &CStr, value: T) -> *mut T {
    // An error loses nothing.
    const { assert!(!std::mem::needs_drop::<T>()) };
    let object: *mut T = state.push_userdata(0);
    // SAFETY: there is room for the value, which is written before it has a metatable.
    unsafe { object.write(value) };
    state.get_field(LUA_REGISTRYINDEX, kind);
    state.set_metatable(-2);
    object
}

/// A value that is told from other userdata by a mark in front of it, without a look-up in the registry.
pub(crate) trait Marked: Default {
    /// The metatable in the registry.
    const KIND: &'static CStr;

    /// An address that no other type has.
    fn mark() -> *const u8;
}

#[repr(C)]
struct Place<T> {
    mark: *const u8,
    value: T,
}

/// Pushes the userdata of a new value. Its `__gc` is to leave a value behind, as a finaliser that runs later may still see it. Raises
/// for want of memory; needs room for three values.
pub(crate) fn push_marked<T: Marked>(state: State<'_>, gc: lua_CFunction) -> *mut T {
    let place: *mut Place<T> = state.push_userdata(0);
    // SAFETY: there is room for it, and it is complete before it gets the metatable.
    let value = unsafe {
        place.write(Place {
            mark: T::mark(),
            value: T::default(),
        });
        &raw mut (*place).value
    };
    if state.new_metatable(T::KIND) {
        state.push_function(gc);
        state.set_field(-2, c"__gc");
    }
    state.set_metatable(-2);
    value
}

/// The value at an index; null for anything else.
#[inline]
pub(crate) fn marked<T: Marked>(state: State<'_>, index: c_int) -> *mut T {
    let place: *mut Place<T> = state.to_userdata(index).cast();
    if place.is_null() || state.raw_len(index) != size_of::<Place<T>>() {
        return ptr::null_mut();
    }
    // SAFETY: the mark is read only from a block that has room for it: the length of a light userdata is 0.
    unsafe {
        if (&raw const (*place).mark).read() != T::mark() {
            return ptr::null_mut();
        }
        &raw mut (*place).value
    }
}
