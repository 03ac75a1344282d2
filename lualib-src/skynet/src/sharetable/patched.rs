//! What this module needs of the patched Lua beyond the official interface: its functions for sharing, and three places
//! inside of its structures, which that patch keeps where modules expect them (lgc.h, lstate.h).

use std::sync::OnceLock;

use libc::{c_char, c_int, c_uchar, c_uint, c_void};
use mlua_sys::lua_State;

unsafe extern "C-unwind" {
    /// `luaL_loadfilex` without the cache of compiled files.
    pub(super) fn luaL_loadfilex_(
        state: *mut lua_State,
        filename: *const c_char,
        mode: *const c_char,
    ) -> c_int;

    /// Pushes a shared table of another state.
    pub(super) fn lua_clonetable(state: *mut lua_State, table: *const c_void);

    /// Shares the prototype of a Lua function.
    pub(super) fn lua_sharefunction(state: *mut lua_State, index: c_int);

    /// Shares a string.
    pub(super) fn lua_sharestring(state: *mut lua_State, index: c_int);
}

type SharedUse = unsafe extern "C-unwind" fn(
    *mut lua_State,
    owners: *const *mut lua_State,
    count: c_int,
    used: *mut c_uchar,
);

unsafe extern "C-unwind" {
    /// Whether a state refers to what others share (luse.h).
    fn lua_shareduse(
        state: *mut lua_State,
        owners: *const *mut lua_State,
        count: c_int,
        used: *mut c_uchar,
    );
}

static SHARED_USE: OnceLock<SharedUse> = OnceLock::new();

/// Lets a service say which versions of a shared table it still has: the calling program links the patched Lua of `3rd/lua`.
/// Without it, as in a `.so` that another executable loads, versions stay until the services that read them end.
// Inline, so that only a program that calls it refers to that function.
#[inline]
pub fn readers_can_be_asked() {
    SHARED_USE.get_or_init(|| lua_shareduse);
}

/// `lua_shareduse`, if the program has it.
pub(super) fn shared_use() -> Option<SharedUse> {
    SHARED_USE.get().copied()
}

/// Offset of `marked`, one byte, in every object that is collected.
const MARKED: usize = 9;
/// The age in `marked`, and the age of objects that are shared.
const SHARED: u8 = 7;
/// Offset of `l_G` in a state, and of `seed` in what it points to.
const GLOBAL: usize = 24;
const SEED: usize = 96;

/// Whether an object is shared.
///
/// # Safety
/// `object` is a table or a Lua function: what `lua_topointer` gives for one.
pub(super) unsafe fn is_shared(object: *const c_void) -> bool {
    // SAFETY: contract of this function; the byte of a shared object is not written.
    let marked = unsafe { object.cast::<u8>().add(MARKED).read() };
    marked & SHARED == SHARED
}

/// Makes an object shared: no collector touches it any more.
///
/// # Safety
/// As for [`is_shared`]; the object belongs to a state that only this thread uses.
pub(super) unsafe fn make_shared(object: *const c_void) {
    // SAFETY: contract of this function.
    unsafe { *object.cast_mut().cast::<u8>().add(MARKED) |= SHARED }
}

/// The seed of the strings' hashes: states that share strings have the same.
///
/// # Safety
/// `state` is a state of the patched Lua.
pub(super) unsafe fn seed(state: *mut lua_State) -> c_uint {
    // SAFETY: contract of this function; both fields are aligned.
    unsafe {
        let global = *state.cast::<u8>().add(GLOBAL).cast::<*const u8>();
        global.add(SEED).cast::<c_uint>().read()
    }
}
