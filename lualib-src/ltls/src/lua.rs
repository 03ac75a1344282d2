//! Rust objects as userdata of Lua.
//!
//! A userdata holds a pointer to the object; null after it was closed. Errors of Lua are longjmps, so objects and problems
//! live in the userdata or are given up before anything raises.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::ptr;

use libc::c_int;
use skynet_support::state::Shown;
use skynet_support::{Entry, State, lua_function};

use crate::problem::Problem;

/// A kind of userdata, of objects of one type.
pub trait Kind: Sized {
    /// Name of the metatable in the registry.
    const NAME: &'static CStr;
    /// Its methods, `__gc` among them.
    const METHODS: &'static [Entry];
}

/// Pushes a userdata without an object. Returns the place for its pointer. Raises for want of memory; needs room for four values.
pub fn create<T: Kind>(state: State<'_>) -> *mut *mut T {
    let place: *mut *mut T = state.push_userdata(0);
    // SAFETY: there is room for a pointer, and it is aligned for one.
    unsafe { place.write(ptr::null_mut()) };
    if state.new_metatable(T::NAME) {
        state.register(T::METHODS, 0);
        state.push_copy(-1);
        state.set_field(-2, c"__index");
    }
    state.set_metatable(-2);
    place
}

/// The place in the userdata at `index`; null when it is something else.
pub fn place<T: Kind>(state: State<'_>, index: c_int) -> *mut *mut T {
    state.test_userdata(index, T::NAME)
}

/// Frees the object in a place, if there are both.
///
/// # Safety
/// `place` is null or of [`create`], and the object was a `Box`.
pub unsafe fn close<T>(place: *mut *mut T) {
    // SAFETY: contract of this function; the pointer is gone before the object is.
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

/// Raises an error with that text, all of it.
pub fn fail(state: State<'_>, problem: Problem) -> ! {
    let text = problem.into_text();
    // In a protected call: what is raised for want of memory must not leave the text behind.
    state.push_function(lua_function!(unsafe push_copy));
    state.push_light(&raw const text);
    state.protected_call(1, 1, 0);
    drop(text);
    let message = state.to_bytes(-1).unwrap_or_default();
    state.error_with(format_args!("{}", Shown(message)))
}

/// Pushes a copy of the text that the argument is the address of.
fn push_copy(state: State<'_>) -> c_int {
    // SAFETY: `fail` passes a text that outlives the call.
    let text = unsafe { &*state.to_userdata(1).cast::<String>() };
    state.push_bytes(text.as_bytes());
    1
}

/// A file's name.
pub fn path(name: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(name))
}
