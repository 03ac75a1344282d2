//! Modules that are part of the executable, for names that no file has: those in Lua beside `package.path`, those in Rust by
//! the last of `package.searchers`.

use std::ffi::CStr;

use libc::c_int;
use mlua_sys::{
    LUA_TSTRING, LUA_TTABLE, lua_CFunction, lua_Integer, lua_State, lua_getfield, lua_getglobal,
    lua_gettop, lua_pop, lua_pushcfunction, lua_pushfstring, lua_pushstring, lua_rawlen,
    lua_rawseti, lua_settop, lua_tolstring, luaL_checklstring,
};

use crate::services::builtin::embedded;

/// Modules in Rust, a list of each crate.
static MODULES: &[&[(&CStr, lua_CFunction)]] = &[
    skynet_bson::MODULES,
    skynet_cjson::MODULES,
    skynet_client::MODULES,
    skynet_luaclib::MODULES,
    skynet_lpeg::MODULES,
    skynet_md5::MODULES,
    skynet_sproto::MODULES,
    skynet_ltls::MODULES,
];

/// Whether a file of that name (without `.so`) would hold modules that are built in: `skynet` those that begin with `skynet.`.
pub fn provides(file: &str) -> bool {
    let mut names = MODULES.iter().copied().flatten();
    names.any(|(name, _)| {
        let name = name.to_str().unwrap_or_default();
        name.strip_prefix(file)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

fn native(name: &[u8]) -> Option<lua_CFunction> {
    let mut modules = MODULES.iter().copied().flatten();
    let found = modules.find(|(known, _)| known.to_bytes() == name);
    found.map(|&(_, open)| open)
}

/// The file behind a name of skynet 1.0, if `package.path` brings such names back.
///
/// # Safety
/// `state` is running, with room for two values; no value with a destructor is alive in the caller.
unsafe fn old_module(state: *mut lua_State, name: &[u8]) -> Option<embedded::File> {
    let file = embedded::find_old_module(name)?;
    // SAFETY: as the caller promises; the path is looked at while it is on the stack.
    unsafe {
        let top = lua_gettop(state);
        let mut old = false;
        if lua_getglobal(state, c"package".as_ptr()) == LUA_TTABLE
            && lua_getfield(state, -1, c"path".as_ptr()) == LUA_TSTRING
        {
            let mut len = 0;
            let path = lua_tolstring(state, -1, &mut len);
            old = embedded::has_old_names(std::slice::from_raw_parts(path.cast(), len));
        }
        lua_settop(state, top);
        old.then_some(file)
    }
}

/// Pushes a loader and its value for a module of the Lua layer in the executable; false, with nothing pushed, if it is none.
///
/// # Safety
/// `state` is running, with room for a few values, where it may raise; no value with a destructor is alive in the caller.
pub unsafe fn embedded_module(state: *mut lua_State, text: &CStr) -> bool {
    let name = text.to_bytes();
    // SAFETY: as the caller promises; the name as a path is gone again before anything raises.
    unsafe {
        if let Some(file) = old_module(state, name) {
            embedded::push_function(state, file);
        } else if let Some(file) = embedded::find_module(name) {
            embedded::push_module(state, name, file);
        } else {
            return false;
        }
        lua_pushfstring(state, c"embedded:%s".as_ptr(), text.as_ptr());
    }
    true
}

/// Lua 5.5 manual §6.3, `package.searchers`: a loader and where it comes from, or why there is none.
unsafe extern "C-unwind" fn search(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md); the name is an argument.
    unsafe {
        let mut len = 0;
        let text = luaL_checklstring(state, 1, &mut len);
        let name = std::slice::from_raw_parts(text.cast::<u8>(), len);
        if let Some(open) = native(name) {
            lua_pushcfunction(state, open);
            lua_pushstring(state, c":builtin:".as_ptr());
            return 2;
        }
        // The name as text is gone again before anything raises.
        let hint = if embedded::find_old_module(name).is_some() {
            c" (skynet 1.0 had it: './lualib/compat10/?.lua' on lua_path brings such names back; remove what is left of that \
               release in lualib and service)"
        } else {
            c""
        };
        lua_pushfstring(
            state,
            c"no built-in module '%s'%s".as_ptr(),
            text,
            hint.as_ptr(),
        );
    }
    1
}

/// Appends the searcher.
///
/// # Safety
/// The standard libraries are open; the stack has room for three values.
pub unsafe fn install(state: *mut lua_State) {
    // SAFETY: as the caller promises.
    unsafe {
        lua_getglobal(state, c"package".as_ptr());
        lua_getfield(state, -1, c"searchers".as_ptr());
        let count = lua_rawlen(state, -1);
        lua_pushcfunction(state, search);
        lua_rawseti(state, -2, count as lua_Integer + 1);
        lua_pop(state, 2);
    }
}
