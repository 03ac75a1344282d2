//! Rust objects as userdata of Lua.
//!
//! A userdata holds a pointer to the object; null after it was closed. Errors of Lua are longjmps, so objects and problems
//! live in the userdata or are given up before anything raises.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::{ptr, slice};

use libc::{c_char, c_int};
use mlua_sys::{
    lua_CFunction, lua_State, lua_createtable, lua_newuserdatauv, lua_pushcfunction, lua_setfield,
    lua_setmetatable, lua_tolstring, luaL_error, luaL_newmetatable, luaL_testudata,
};
use skynet_support::{Entry, register};

use crate::problem::Problem;

/// A kind of userdata.
pub struct Kind {
    /// Name of the metatable in the registry.
    pub name: &'static CStr,
    /// Its methods.
    pub methods: &'static [Entry],
    /// Frees the object.
    pub collect: lua_CFunction,
}

/// Pushes a userdata without an object. Returns the place for its pointer.
///
/// # Safety
/// Called by a function that Lua called, with room for four values. Nothing with a destructor is alive.
pub unsafe fn create<T>(state: *mut lua_State, kind: &Kind) -> *mut *mut T {
    // SAFETY: as the caller promises; a userdata is aligned for pointers.
    unsafe {
        let place: *mut *mut T = lua_newuserdatauv(state, size_of::<*mut T>(), 0).cast();
        place.write(ptr::null_mut());
        if luaL_newmetatable(state, kind.name.as_ptr()) != 0 {
            lua_createtable(state, 0, kind.methods.len() as c_int);
            register(state, kind.methods, 0);
            lua_setfield(state, -2, c"__index".as_ptr());
            lua_pushcfunction(state, kind.collect);
            lua_setfield(state, -2, c"__gc".as_ptr());
        }
        lua_setmetatable(state, -2);
        place
    }
}

/// The place in the userdata at `index`; null when it is something else.
///
/// # Safety
/// Called by a function that Lua called; all userdata of that kind are of [`create`] with the same `T`.
pub unsafe fn place<T>(state: *mut lua_State, index: c_int, kind: &Kind) -> *mut *mut T {
    // SAFETY: as the caller promises.
    unsafe { luaL_testudata(state, index, kind.name.as_ptr()).cast() }
}

/// Frees the object in a place, if there are both.
///
/// # Safety
/// `place` is null or of [`create`], and the object was a `Box`.
pub unsafe fn close<T>(place: *mut *mut T) {
    // SAFETY: as the caller promises; the pointer is gone before the object is.
    unsafe {
        if !place.is_null() {
            let object = place.replace(ptr::null_mut());
            if !object.is_null() {
                drop(Box::from_raw(object));
            }
        }
    }
}

/// Runs what may fail, or panic.
pub fn guarded<R>(work: impl FnOnce() -> Result<R, Problem>) -> Result<R, Problem> {
    let result = catch_unwind(AssertUnwindSafe(work));
    result.unwrap_or_else(|_| Err(Problem::new("internal error of the TLS library")))
}

/// Raises an error with that text, cut to 511 bytes.
///
/// # Safety
/// Called by a function that Lua called; nothing else with a destructor is alive.
pub unsafe fn fail(state: *mut lua_State, problem: Problem) -> c_int {
    let mut text = [0_u8; 512];
    let copied = problem.to_string();
    let len = copied.len().min(text.len() - 1);
    text[..len].copy_from_slice(&copied.as_bytes()[..len]);
    drop((copied, problem));
    // SAFETY: as the caller promises; the text ends with a zero.
    unsafe { luaL_error(state, c"%s".as_ptr(), text.as_ptr().cast::<c_char>()) }
}

/// Argument `index` if it is a string or a number.
///
/// # Safety
/// Called by a function that Lua called. The bytes live as long as the argument is on the stack.
pub unsafe fn string<'a>(state: *mut lua_State, index: c_int) -> Option<&'a [u8]> {
    let mut len = 0;
    // SAFETY: as the caller promises.
    unsafe {
        let text = lua_tolstring(state, index, &mut len);
        (!text.is_null()).then(|| slice::from_raw_parts(text.cast(), len))
    }
}

/// A file's name.
pub fn path(name: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(name))
}
