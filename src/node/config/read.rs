//! Runs a config file in a Lua state of its own.

use super::limits::Limits;
use super::{Settings, keys};
use mlua_sys::lua55::{LUA_OK, LUA_TBOOLEAN, LUA_TSTRING};
use skynet_support::{State, Vm};
use std::ffi::{CStr, CString};

const LOADER: &[u8] = include_bytes!("load.lua");

/// A VM, which is closed at the end, and then what limits it.
struct Reader {
    vm: Vm,
    limits: Option<Limits>,
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
    let Some(vm) = Vm::open() else {
        return Err("Not enough memory for Lua".into());
    };
    let mut reader = Reader { vm, limits: None };
    // SAFETY: this thread alone uses the VM. Errors of the file are caught by the protected call. Outside of it only the lack of
    // memory is an error, which ends the process.
    let state = unsafe { reader.vm.state() };
    // SAFETY: it is closed before its limits go.
    reader.limits = may_miss.then(|| unsafe { Limits::of(state) });
    state.open_libraries();
    for _ in [MISSING, USED] {
        state.create_table(0, 0);
    }
    let loaded = state.load_text(LOADER, c"=[skynet config]") == LUA_OK;
    if loaded {
        state.push_text(path);
        state.push_copy(USED);
        if may_miss {
            state.push_copy(MISSING);
        }
    }
    if !loaded || state.protected_call(2 + i32::from(may_miss), 1, 0) != LUA_OK {
        let message = state.to_bytes(-1).unwrap_or(b"error in the config file");
        return Err(String::from_utf8_lossy(message).into_owned());
    }
    if let Some(limits) = &reader.limits {
        limits.lift();
    }
    let settings = settings(state);
    let (missing, used) = (texts(state, MISSING), texts(state, USED));
    drop(reader);
    Ok(File {
        settings: settings?,
        missing,
        used,
    })
}

/// Place on the stack of the table of names that the environment lacks.
const MISSING: i32 = 1;
/// That of the settings that the file reads.
const USED: i32 = 2;

/// The texts of the list at `index`, a table without metatable.
fn texts(state: State<'_>, index: i32) -> Vec<String> {
    let mut all = Vec::new();
    for place in 1..=state.raw_len(index) {
        state.raw_get_i(index, place as i64);
        let text = state.to_bytes(-1).unwrap_or_default();
        all.push(String::from_utf8_lossy(text).into_owned());
        state.pop(1);
    }
    all
}

/// The table on top of the stack.
fn settings(state: State<'_>) -> Result<Settings, String> {
    let mut all = Vec::new();
    state.push_nil();
    while state.next(-2) {
        if state.kind(-2) != LUA_TSTRING {
            return Err("Invalid config table".into());
        }
        let key = state.to_bytes(-2).unwrap_or_default();
        let value = if state.kind(-1) == LUA_TBOOLEAN {
            let yes = state.to_boolean(-1);
            Some(if yes { b"true".as_slice() } else { b"false" })
        } else {
            state.to_bytes(-1)
        };
        // A text with a zero in it cannot be passed on whole, so it is refused.
        let pair = value.and_then(|v| CString::new(key).ok().zip(CString::new(v).ok()));
        let Some(pair) = pair else {
            let key = String::from_utf8_lossy(key);
            return Err(format!("Invalid config table key = {key}"));
        };
        all.push(pair);
        state.pop(1);
    }
    Ok(all)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
