//! The few functions of Lua that a memory report needs, if the process has a Lua.

use libc::{c_int, c_longlong, c_void};

unsafe extern "C" {
    fn skynet_rs_lua_newtable(state: *mut c_void, records: c_int) -> c_int;
    fn skynet_rs_lua_setinteger(state: *mut c_void, key: c_longlong, value: c_longlong);
}

/// Pushes a table of handle -> bytes; false, with nothing pushed, when the process has no Lua. `row` gives one row after the
/// other; any call into Lua may run code that comes here again.
///
/// # Safety
/// `state` is a Lua state with three free places on its stack. An error of Lua's leaves by longjmp: neither this frame nor
/// the caller's may own memory.
pub unsafe fn push_rows(state: *mut c_void, row: fn(usize) -> Option<(u32, usize)>) -> bool {
    // SAFETY: contract of this function.
    unsafe {
        if skynet_rs_lua_newtable(state, 0) == 0 {
            return false;
        }
        let mut index = 0;
        while let Some((handle, bytes)) = row(index) {
            index += 1;
            skynet_rs_lua_setinteger(state, c_longlong::from(handle), bytes as c_longlong);
        }
    }
    true
}
