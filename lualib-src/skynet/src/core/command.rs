//! Text commands: `command`, `intcommand`, `addresscommand`.

use std::ffi::CStr;
use std::ptr;

use libc::{c_char, c_int};
use mlua_sys::{
    lua_State, lua_gettop, lua_isnumber, lua_pushinteger, lua_pushnumber, lua_pushstring,
    luaL_checkinteger, luaL_checklstring, luaL_error,
};
use skynet_sys::skynet_command;

use super::context;

unsafe fn text(state: *mut lua_State, index: c_int) -> *const c_char {
    // SAFETY: called by Lua.
    unsafe { luaL_checklstring(state, index, ptr::null_mut()) }
}

/// Runs the command named by argument 1; argument 2, when there are two, is its parameter.
unsafe fn run(state: *mut lua_State) -> *const c_char {
    // SAFETY: called by Lua; the strings are arguments.
    unsafe {
        let command = text(state, 1);
        let parm = if lua_gettop(state) == 2 {
            text(state, 2)
        } else {
            ptr::null()
        };
        skynet_command(context(state), command, parm)
    }
}

/// `command(name [, parameter])`: the answer, or nothing.
pub unsafe extern "C-unwind" fn command(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the answer is null or a C string.
    unsafe {
        let answer = run(state);
        if answer.is_null() {
            return 0;
        }
        lua_pushstring(state, answer);
    }
    1
}

/// `addresscommand(name [, parameter])`: the handle that the answer, `:hex`, names, or nothing.
pub unsafe extern "C-unwind" fn addresscommand(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the answer is null or a C string.
    unsafe {
        let answer = run(state);
        if answer.is_null() {
            return 0;
        }
        let Some(handle) = address(CStr::from_ptr(answer).to_bytes()) else {
            return 0;
        };
        lua_pushinteger(state, handle.into());
    }
    1
}

fn address(answer: &[u8]) -> Option<u32> {
    let digits = answer.strip_prefix(b":")?;
    digits.iter().try_fold(0u32, |handle, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(handle.wrapping_mul(16).wrapping_add(digit))
    })
}

/// `intcommand(name [, parameter])`: the answer as a number, or nothing. A number as parameter is cut to 32 bits.
pub unsafe extern "C-unwind" fn intcommand(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; `decimal` outlives the command, and the answer is null or a C string.
    unsafe {
        let command = text(state, 1);
        let mut decimal: [c_char; 16] = [0; 16];
        let mut parm = ptr::null();
        if lua_gettop(state) == 2 {
            if lua_isnumber(state, 2) != 0 {
                let number = luaL_checkinteger(state, 2) as i32;
                libc::snprintf(decimal.as_mut_ptr(), decimal.len(), c"%d".as_ptr(), number);
                parm = decimal.as_ptr();
            } else {
                parm = text(state, 2);
            }
        }
        let answer = skynet_command(context(state), command, parm);
        if answer.is_null() {
            return 0;
        }
        let mut end: *mut c_char = ptr::null_mut();
        let integer = libc::strtoll(answer, &mut end, 0);
        if *end == 0 {
            lua_pushinteger(state, integer);
            return 1;
        }
        let real = libc::strtod(answer, &mut end);
        if *end != 0 {
            return luaL_error(state, c"Invalid result %s".as_ptr(), answer);
        }
        lua_pushnumber(state, real);
    }
    1
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_is_hexadecimal_after_a_colon() {
        assert_eq!(address(b":0100aBcD"), Some(0x0100_abcd));
        assert_eq!(address(b":"), Some(0));
        assert_eq!(address(b":12x"), None);
        assert_eq!(address(b"12"), None);
    }
}
