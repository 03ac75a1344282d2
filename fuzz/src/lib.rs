//! What the fuzz targets share: a Lua state in which a decoder reads the bytes of the fuzzer.
//!
//! A target fails when the sanitizer finds an invalid access, when a panic is raised, when a run takes too long, and when a
//! decoder needs memory out of proportion to its input. A Lua error is a decoder's proper answer to bad bytes.

mod memory;

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use libc::c_void;
use mlua_sys::{
    LUA_GCCOLLECT, LUA_OK, LUA_REGISTRYINDEX, LUA_TFUNCTION, LUA_TTABLE, lua_CFunction, lua_State,
    lua_call, lua_gc, lua_getfield, lua_gettop, lua_newstate, lua_pcall, lua_pushcfunction,
    lua_pushlightuserdata, lua_pushlstring, lua_pushvalue, lua_remove, lua_setfield, lua_settop,
};
// Linked for their C functions.
use skynet as _;
use skynet_lua as _;

use memory::Memory;

/// A Lua state with one function to feed. It lives as long as the process.
struct Machine {
    state: *mut lua_State,
    memory: &'static Memory,
}

thread_local! {
    static MACHINE: RefCell<Option<Machine>> = const { RefCell::new(None) };
}

/// Calls the function `name` of the module that `open` (a `luaopen_*`) opens with `data` as a string. True when it
/// returned, false when it raised an error. All calls of a process name the same module and function.
///
/// # Panics
/// When there is no such function, and when the call needs memory out of proportion to `data`.
pub fn feed_module(open: lua_CFunction, name: &CStr, data: &[u8]) -> bool {
    // SAFETY: the closure leaves the function on a stack with room for LUA_MINSTACK values.
    feed_with(data, |state| unsafe {
        // Some modules belong to a service; decoders do not use it.
        lua_pushlightuserdata(state, ptr::dangling_mut::<c_void>());
        lua_setfield(state, LUA_REGISTRYINDEX, c"skynet_context".as_ptr());
        lua_pushcfunction(state, open);
        lua_call(state, 0, 1);
        let ty = lua_getfield(state, -1, name.as_ptr());
        assert_eq!(ty, LUA_TFUNCTION, "{name:?} is no function");
        lua_remove(state, -2);
    })
}

/// Calls a C function of Lua with `data` as a string; otherwise as [`feed_module`].
pub fn feed_function(function: lua_CFunction, data: &[u8]) -> bool {
    // SAFETY: as in `feed_module`.
    feed_with(data, |state| unsafe { lua_pushcfunction(state, function) })
}

/// Pushes the module that `open` opens, which is done once. For functions of [`feed_function`].
///
/// # Safety
/// Called in a function of Lua's with room for a few values.
pub unsafe fn push_module(state: *mut lua_State, name: &CStr, open: lua_CFunction) {
    // SAFETY: as the caller promises.
    unsafe {
        if lua_getfield(state, LUA_REGISTRYINDEX, name.as_ptr()) == LUA_TTABLE {
            return;
        }
        lua_settop(state, -2);
        lua_pushcfunction(state, open);
        lua_call(state, 0, 1);
        lua_pushvalue(state, -1);
        lua_setfield(state, LUA_REGISTRYINDEX, name.as_ptr());
    }
}

fn feed_with(data: &[u8], prepare: impl FnOnce(*mut lua_State)) -> bool {
    MACHINE.with_borrow_mut(|machine| {
        let machine = machine.get_or_insert_with(|| {
            let memory: &'static Memory = Box::leak(Box::default());
            // SAFETY: `memory` lives for ever.
            let state = unsafe { lua_newstate(Memory::allocate, memory.as_ud(), 0) };
            assert!(!state.is_null());
            prepare(state);
            // SAFETY: the state is this function's.
            assert_eq!(unsafe { lua_gettop(state) }, 1);
            Machine { state, memory }
        });
        machine.call(data)
    })
}

impl Machine {
    fn call(&self, data: &[u8]) -> bool {
        let Machine { state, memory } = *self;
        // SAFETY: the stack has the function alone; nothing that raises runs outside the protected call but the copy of
        // the string, for which the memory is not limited.
        let status = unsafe {
            lua_pushvalue(state, 1);
            lua_pushlstring(state, data.as_ptr().cast::<c_char>(), data.len());
            memory.limit(data.len());
            let status: c_int = lua_pcall(state, 1, -1, 0);
            memory.unlimit();
            lua_settop(state, 1);
            lua_gc(state, LUA_GCCOLLECT);
            status
        };
        assert!(!memory.exceeded(), "memory out of proportion to the input");
        status == LUA_OK
    }
}
