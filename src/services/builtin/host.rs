//! What this executable adds to every VM of its Lua, whichever module makes it: a project may bring a `snlua` of its own.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::Once;

use libc::{c_char, c_int, c_void};
use skynet_lua::{Host, LuaState};
use skynet_support::{State, lua_function};

use super::snlua::boot;
use super::{embedded, inspect, searcher};

/// Name of the loader in the executable.
pub const LOADER: &str = "lualib/loader.lua";

/// From now on VMs have what is added. Nothing happens at a second call.
pub fn prepare() {
    static HOST: Host = Host {
        opened: Some(opened),
        refuses: Some(refuses),
        explain: Some(explain),
        foreign: Some(foreign),
        instead: Some(instead),
        inside: Some(inside),
        module: Some(module),
    };
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        skynet_luaclib::seri::values_in_place();
        skynet_luaclib::core::results_can_be_unwanted();
        skynet_luaclib::sharetable::readers_can_be_asked();
        // SAFETY: the functions have the signatures and the meanings of lhost.h and lmodsnapshot.h; the tables and the names
        // are statics, the list of names ends with a null pointer, and the modules of that names only return tables.
        unsafe {
            skynet_lua::lua_sethost(&raw const HOST);
            let (open, genuine) = (boot::open_modules, embedded::is_genuine);
            let (outer, inner) = (embedded::SNAPSHOT_OUTER, &embedded::SNAPSHOT_NAMES);
            skynet_lua::lua_setmodulesnapshot(outer.as_ptr(), inner.0.as_ptr(), open, genuine);
        }
    });
}

/// The loader in the executable, for a path that means it and is not there: one that ends with its name in a project.
/// A file wins, also one that does not compile; any other name is the project's own loader, which nothing can replace.
pub fn absent_loader(path: &CStr) -> Option<embedded::File> {
    let before = path.to_bytes().strip_suffix(LOADER.as_bytes())?;
    let meant = matches!(before.last(), None | Some(b'/'));
    (meant && !is_there(path))
        .then(|| embedded::find(LOADER.as_bytes()))
        .flatten()
}

/// Whether there is such a file. One that nobody can know of (its folder may not be searched) counts as there: nothing else is
/// to take its place in silence.
pub fn is_there(path: &CStr) -> bool {
    // SAFETY: a C string.
    let found = unsafe { libc::access(path.as_ptr(), libc::F_OK) == 0 };
    found
        || !matches!(
            io::Error::last_os_error().raw_os_error(),
            Some(libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG | libc::ELOOP)
        )
}

/// Modules of the executable, behind the searchers that Lua has.
///
/// # Safety
/// Lua calls it (lhost.h) with a state whose libraries are open, where it may raise.
unsafe extern "C-unwind" fn opened(state: *mut LuaState) {
    // SAFETY: contract of this function; what follows keeps the rules of `State`.
    let state = unsafe { State::new(state.cast()) };
    state.require(c"skynet.codecache", lua_function!(unsafe codecache));
    state.require(c"skynet.embedded", lua_function!(unsafe embedded::open));
    state.pop(2);
    searcher::install(state);
}

fn codecache(state: State<'_>) -> c_int {
    // SAFETY: a function of C for Lua, with the state that runs.
    unsafe { skynet_lua::luaopen_cache(state.raw().cast()) }
}

/// A service's VM gets the loader before anything else, and a function the file that `inside` has named.
///
/// # Safety
/// Lua calls it (lhost.h) with its running state, where it may raise, and a C string.
unsafe extern "C-unwind" fn instead(
    state: *mut LuaState,
    filename: *const c_char,
    begins: c_int,
) -> c_int {
    // SAFETY: contract of this function; nothing has a destructor where something raises.
    unsafe {
        let filename = CStr::from_ptr(filename);
        let named = filename.to_bytes();
        let file = match named.strip_prefix(embedded::FOLDER.as_bytes()) {
            Some(name) => embedded::find(name),
            None if begins != 0 => absent_loader(filename),
            None => None,
        };
        match file {
            Some(file) => {
                embedded::push_function(State::new(state.cast()), file);
                1
            }
            None => 0,
        }
    }
}

/// Loaders look for modules by `package.searchpath` and run what it names, as the layer of the C core does, so that a module
/// may wait while it loads: those of the executable have a name there too.
///
/// # Safety
/// Lua calls it (lhost.h) with its running state, where it may raise, and C strings that are on its stack.
unsafe extern "C-unwind" fn inside(
    state: *mut LuaState,
    module: *const c_char,
    path: *const c_char,
) -> c_int {
    // SAFETY: contract of this function; the strings stay on the stack, and nothing has a destructor where something raises.
    unsafe {
        let (module, path) = (CStr::from_ptr(module), CStr::from_ptr(path));
        let old = if embedded::has_old_names(path.to_bytes()) {
            embedded::find_old_module(module.to_bytes())
        } else {
            None
        };
        match old.or_else(|| embedded::find_module(module.to_bytes())) {
            Some(file) => {
                let state = State::new(state.cast());
                state.push_bytes(embedded::FOLDER.as_bytes());
                state.push_bytes(file.name().as_bytes());
                state.concat(2);
                1
            }
            None => 0,
        }
    }
}

/// For `require` these modules are where `package.path` would have them: before those in C, whatever their names.
///
/// # Safety
/// As [`inside`], with the name of a module.
unsafe extern "C-unwind" fn module(state: *mut LuaState, name: *const c_char) -> c_int {
    // SAFETY: contract of this function; the name stays on the stack.
    unsafe { searcher::embedded_module(State::new(state.cast()), CStr::from_ptr(name)).into() }
}

fn as_path(path: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(path.to_bytes()))
}

/// Copies as much of `words` as there is room for.
///
/// # Safety
/// `text` has room for `size` bytes, at least one.
unsafe fn fill(text: *mut c_char, size: usize, words: &str) {
    let mut len = words.len().min(size - 1);
    while !words.is_char_boundary(len) {
        len -= 1;
    }
    // SAFETY: contract of this function.
    unsafe {
        ptr::copy_nonoverlapping(words.as_ptr(), text.cast(), len);
        text.add(len).write(0);
    }
}

/// Whether a file is not to be opened as a C module, and why.
///
/// # Safety
/// Lua calls it (lhost.h) with a C string and `size` bytes of room at `text`, at least one.
unsafe extern "C" fn refuses(path: *const c_char, text: *mut c_char, size: usize) -> c_int {
    // SAFETY: contract of this function.
    unsafe {
        match inspect::before_opening(as_path(CStr::from_ptr(path))) {
            Ok(()) => 0,
            Err(reason) => {
                fill(text, size, &reason);
                1
            }
        }
    }
}

/// Why a file could not be opened.
///
/// # Safety
/// As [`refuses`].
unsafe extern "C" fn explain(path: *const c_char, text: *mut c_char, size: usize) {
    // SAFETY: contract of this function.
    unsafe {
        let words = inspect::after_failure(as_path(CStr::from_ptr(path)));
        fill(text, size, &words.unwrap_or_default());
    }
}

/// What to say of a module that was compiled for another Lua: `address` lies in it.
///
/// # Safety
/// As [`refuses`], with any address.
unsafe extern "C" fn foreign(address: *const c_void, number: f64, text: *mut c_char, size: usize) {
    // SAFETY: contract of this function; `dladdr` takes any address, and names what it finds for as long as it is open.
    unsafe {
        let mut place: libc::Dl_info = std::mem::zeroed();
        let file = if libc::dladdr(address, &mut place) != 0 && !place.dli_fname.is_null() {
            as_path(CStr::from_ptr(place.dli_fname))
        } else {
            Path::new("the module")
        };
        fill(text, size, &inspect::asked_for(file, number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_of_the_loader_means_it() {
        for (path, expected) in [
            (c"lualib/loader.lua", true),
            (c"./nowhere/lualib/loader.lua", true),
            (c"./nowhere/mylualib/loader.lua", false),
            (c"./nowhere/loader.lua", false),
            (c"nosuch.lua", false),
        ] {
            let here = path.to_bytes().starts_with(b"lualib") && Path::new(LOADER).exists();
            let found = absent_loader(path);
            assert_eq!(found.is_some(), expected && !here, "{path:?}");
        }
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let mut text = [1 as c_char; 6];
        // SAFETY: room as told.
        let text = unsafe {
            fill(text.as_mut_ptr(), text.len(), "abcdé");
            CStr::from_ptr(text.as_ptr())
        };
        assert_eq!(text, c"abcd");
    }
}
