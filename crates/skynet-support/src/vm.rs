//! A VM that Rust opens and closes, and what is asked of a VM as a whole: libraries, chunks, the stack as a text.

use std::ffi::CStr;
use std::ptr;

use libc::{c_int, c_uint, c_void};
use mlua_sys::{
    lua_CFunction, lua_State, lua_close, lua_newstate, luaL_loadbufferx, luaL_loadfilex,
    luaL_newstate, luaL_openlibs, luaL_requiref, luaL_traceback,
};

use crate::State;

unsafe extern "C" {
    /// Lua's own allocator, over the C allocator ("lauxlib.h"; `mlua_sys` has another type for its first parameter).
    fn luaL_alloc(ud: *mut c_void, block: *mut c_void, old: usize, new: usize) -> *mut c_void;
}

/// A VM without libraries, over the C allocator. Dropping it closes it.
pub struct Vm(*mut lua_State);

impl Vm {
    /// `None` when there is no memory.
    pub fn open() -> Option<Vm> {
        // SAFETY: no precondition.
        Vm::of(unsafe { luaL_newstate() })
    }

    /// [`Vm::open`] with a seed for the hashes of strings: VMs that share strings have the same.
    pub fn with_seed(seed: c_uint) -> Option<Vm> {
        // SAFETY: the allocator takes no data.
        Vm::of(unsafe { lua_newstate(luaL_alloc, ptr::null_mut(), seed) })
    }

    fn of(state: *mut lua_State) -> Option<Vm> {
        (!state.is_null()).then_some(Vm(state))
    }

    /// Its main state. Outside of a protected call an error ends the process: there rule 1 of [`State`] has nothing to say, but the
    /// lack of memory is such an error too.
    ///
    /// # Safety
    /// As for [`State::new`]; one thread at a time uses the VM.
    pub unsafe fn state(&self) -> State<'_> {
        // SAFETY: open until it is dropped; the rest is the caller's promise.
        unsafe { State::new(self.0) }
    }

    /// Keeps the VM open for good.
    pub fn leak(self) -> *mut lua_State {
        let state = self.0;
        std::mem::forget(self);
        state
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // SAFETY: opened by `of`'s callers, and closed nowhere else.
        unsafe { lua_close(self.0) };
    }
}

impl State<'_> {
    /// Opens the standard libraries. May raise.
    pub fn open_libraries(self) {
        // SAFETY: as for all methods of a state.
        unsafe { luaL_openlibs(self.raw()) }
    }

    /// Pushes a module, which is opened by this function if it is not there yet. May raise.
    pub fn require(self, name: &CStr, open: lua_CFunction) {
        // SAFETY: as for all methods of a state.
        unsafe { luaL_requiref(self.raw(), name.as_ptr(), open, 0) }
    }

    /// Pushes a text as a function and answers `LUA_OK`, or an error and another status. Compiled code is refused. Raises nothing.
    pub fn load_text(self, text: &[u8], name: &CStr) -> c_int {
        let (start, len) = (text.as_ptr().cast(), text.len());
        // SAFETY: as for all methods of a state; the bytes are there.
        unsafe { luaL_loadbufferx(self.raw(), start, len, name.as_ptr(), c"t".as_ptr()) }
    }

    /// Pushes a file, source or compiled code, as a function and answers `LUA_OK`, or an error and another status. Raises nothing but
    /// for want of memory.
    pub fn load_file(self, path: &CStr) -> c_int {
        // SAFETY: as for all methods of a state.
        unsafe { luaL_loadfilex(self.raw(), path.as_ptr(), ptr::null()) }
    }

    /// Pushes the stack of this state as a text, from a level on, behind the message if there is one. Raises for want of memory.
    pub fn push_traceback(self, message: Option<&CStr>, level: c_int) {
        let message = message.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: as for all methods of a state.
        unsafe { luaL_traceback(self.raw(), self.raw(), message, level) }
    }
}
