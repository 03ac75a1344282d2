//! Modules that are part of the executable, for names that no file has: those in Lua beside `package.path`, those in Rust by
//! the last of `package.searchers`.

use std::ffi::CStr;

use libc::c_int;
use mlua_sys::{LUA_TSTRING, LUA_TTABLE, lua_CFunction, lua_Integer};
use skynet_support::{State, lua_function};

use super::snlua::debugger;
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
    &[(c"skynet.debugger", debugger::open)],
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

/// The file behind a name of skynet 1.0, if `package.path` brings such names back. There is room for two values.
fn old_module(state: State<'_>, name: &[u8]) -> Option<embedded::File> {
    let file = embedded::find_old_module(name)?;
    let top = state.top();
    // The path is looked at while it is on the stack.
    let old = state.get_global(c"package") == LUA_TTABLE
        && state.get_field(-1, c"path") == LUA_TSTRING
        && embedded::has_old_names(state.to_bytes(-1).unwrap_or_default());
    state.set_top(top);
    old.then_some(file)
}

/// Pushes a loader and its value for a module of the Lua layer in the executable; false, with nothing pushed, if it is none.
pub fn embedded_module(state: State<'_>, text: &CStr) -> bool {
    let name = text.to_bytes();
    // The name as a path is gone again before anything raises.
    if let Some(file) = old_module(state, name) {
        embedded::push_function(state, file);
    } else if let Some(file) = embedded::find_module(name) {
        embedded::push_module(state, name, file);
    } else {
        return false;
    }
    state.push_text(c"embedded:");
    state.push_text(text);
    state.concat(2);
    true
}

/// Lua 5.5 manual §6.3, `package.searchers`: a loader and where it comes from, or why there is none.
fn search(state: State<'_>) -> c_int {
    let name = state.check_bytes(1);
    if let Some(open) = native(name) {
        state.push_function(open);
        state.push_text(c":builtin:");
        return 2;
    }
    // The name as text is gone again before anything raises.
    let hint = if embedded::find_old_module(name).is_some() {
        c" (skynet 1.0 had it: './lualib/compat10/?.lua' on lua_path brings such names back; remove what is left of that \
           release in lualib and service)"
    } else {
        c""
    };
    state.push_text(c"no built-in module '");
    state.push_copy(1);
    state.push_text(c"'");
    state.push_text(hint);
    state.concat(4);
    1
}

/// Appends the searcher. The standard libraries are open; the stack has room for three values.
pub fn install(state: State<'_>) {
    state.get_global(c"package");
    state.get_field(-1, c"searchers");
    let count = state.raw_len(-1);
    // SAFETY: `search` keeps the rules of `State`.
    state.push_function(lua_function!(unsafe search));
    state.raw_set_i(-2, count as lua_Integer + 1);
    state.pop(2);
}
