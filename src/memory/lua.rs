//! The few functions of Lua that a memory report needs, if the process has a Lua.

use libc::{c_int, c_longlong, c_void};

unsafe extern "C" {
    fn skynet_rs_lua_newtable(state: *mut c_void, records: c_int) -> c_int;
    fn skynet_rs_lua_setinteger(state: *mut c_void, key: c_longlong, value: c_longlong);
}

/// Pushes a table of handle -> bytes; false, with nothing pushed, when the process has no Lua.
///
/// # Safety
/// `state` is a Lua state with three free places on its stack. An error of Lua's leaves by longjmp: neither this frame nor
/// the caller's may own memory. `rows` has `count` elements.
pub unsafe fn push_rows(state: *mut c_void, rows: *const (u32, usize), count: usize) -> bool {
    // SAFETY: by contract.
    unsafe {
        if skynet_rs_lua_newtable(state, 0) == 0 {
            return false;
        }
        for index in 0..count {
            let (handle, bytes) = rows.add(index).read();
            skynet_rs_lua_setinteger(state, c_longlong::from(handle), bytes as c_longlong);
        }
    }
    true
}
