//! Runs a config file in a Lua state of its own.

use super::limits::Limits;
use super::{Settings, keys};
use mlua_sys::lua55::{
    LUA_TBOOLEAN, LUA_TSTRING, lua_State, lua_close, lua_createtable, lua_next, lua_pcall, lua_pop,
    lua_pushnil, lua_pushstring, lua_pushvalue, lua_rawgeti, lua_rawlen, lua_toboolean,
    lua_tolstring, lua_type, luaL_loadbufferx, luaL_newstate, luaL_openlibs,
};
use std::ffi::{CStr, CString};

const LOADER: &[u8] = include_bytes!("load.lua");

/// A Lua state that is closed at the end, and then what limits it.
struct State(*mut lua_State, Option<Limits>);

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: opened by `read` and not closed before.
        unsafe { lua_close(self.0) };
    }
}

/// The settings of a config file: strings as they are, numbers as Lua writes them, booleans as `true` and `false`. The
/// error is a line for the user.
pub fn read(path: &CStr) -> Result<Settings, String> {
    let file = run(path, false)?;
    keys::note_used(file.used);
    Ok(file.settings)
}

/// As [`read`], for a look at a config of another machine: variables that the environment lacks stand as `SKYNET_NO_NAME`, and
/// a file that does not come to an end is refused.
pub fn read_elsewhere(path: &CStr) -> Result<File, String> {
    run(path, true)
}

/// What a config file has.
pub struct File {
    /// What it sets.
    pub settings: Settings,
    /// Variables that the environment lacks.
    pub missing: Vec<String>,
    /// Settings that it reads itself, as parts of others.
    pub used: Vec<String>,
}

/// What a config file has; without `may_miss` a variable that the environment lacks is an error.
fn run(path: &CStr, may_miss: bool) -> Result<File, String> {
    skynet_lua::luaL_initcodecache();
    // SAFETY: a fresh state.
    let raw = unsafe { luaL_newstate() };
    if raw.is_null() {
        return Err("Not enough memory for Lua".into());
    }
    // SAFETY: the state is open; it is closed before its limits go.
    let state = State(raw, may_miss.then(|| unsafe { Limits::of(raw) }));
    // SAFETY: the state is open, and errors of the file are caught by lua_pcall. Outside of it only the lack of memory is
    // an error, which ends the process.
    unsafe {
        luaL_openlibs(raw);
        for _ in [MISSING, USED] {
            lua_createtable(raw, 0, 0);
        }
        let loaded = luaL_loadbufferx(
            raw,
            LOADER.as_ptr().cast(),
            LOADER.len(),
            c"=[skynet config]".as_ptr(),
            c"t".as_ptr(),
        );
        if loaded == 0 {
            lua_pushstring(raw, path.as_ptr());
            lua_pushvalue(raw, USED);
            if may_miss {
                lua_pushvalue(raw, MISSING);
            }
        }
        if loaded != 0 || lua_pcall(raw, 2 + i32::from(may_miss), 1, 0) != 0 {
            let message = bytes(raw, -1).unwrap_or(b"error in the config file");
            return Err(String::from_utf8_lossy(message).into_owned());
        }
        if let Some(limits) = &state.1 {
            limits.lift();
        }
        let settings = settings(raw);
        let (missing, used) = (texts(raw, MISSING), texts(raw, USED));
        drop(state);
        Ok(File {
            settings: settings?,
            missing,
            used,
        })
    }
}

/// Place on the stack of the table of names that the environment lacks.
const MISSING: i32 = 1;
/// That of the settings that the file reads.
const USED: i32 = 2;

/// The texts of the list at `index`.
///
/// # Safety
/// `state` is open, and there is a table without metatable.
unsafe fn texts(state: *mut lua_State, index: i32) -> Vec<String> {
    let mut all = Vec::new();
    // SAFETY: by contract; nothing here raises.
    unsafe {
        for place in 1..=lua_rawlen(state, index) {
            lua_rawgeti(state, index, place as i64);
            let text = bytes(state, -1).unwrap_or_default();
            all.push(String::from_utf8_lossy(text).into_owned());
            lua_pop(state, 1);
        }
    }
    all
}

/// The string or number at `index`, where a number becomes a string. It lives until the value leaves the stack.
///
/// # Safety
/// `state` is open.
unsafe fn bytes<'a>(state: *mut lua_State, index: i32) -> Option<&'a [u8]> {
    let mut size = 0;
    // SAFETY: by contract; Lua answers null or a text of that size.
    unsafe {
        let text = lua_tolstring(state, index, &mut size);
        (!text.is_null()).then(|| std::slice::from_raw_parts(text.cast(), size))
    }
}

/// The table on top of the stack.
///
/// # Safety
/// `state` is open and there is a table.
unsafe fn settings(state: *mut lua_State) -> Result<Settings, String> {
    let mut all = Vec::new();
    // SAFETY: by contract; the key stays a string, as lua_next wants it.
    unsafe {
        lua_pushnil(state);
        while lua_next(state, -2) != 0 {
            if lua_type(state, -2) != LUA_TSTRING {
                return Err("Invalid config table".into());
            }
            let key = bytes(state, -2).unwrap_or_default();
            let value = if lua_type(state, -1) == LUA_TBOOLEAN {
                let yes = lua_toboolean(state, -1) != 0;
                Some(if yes { b"true".as_slice() } else { b"false" })
            } else {
                bytes(state, -1)
            };
            // A text with a zero in it cannot be passed on whole, so it is refused.
            let pair = value.and_then(|v| CString::new(key).ok().zip(CString::new(v).ok()));
            let Some(pair) = pair else {
                let key = String::from_utf8_lossy(key);
                return Err(format!("Invalid config table key = {key}"));
            };
            all.push(pair);
            lua_pop(state, 1);
        }
    }
    Ok(all)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
