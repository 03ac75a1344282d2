//! The code cache and the extra functions, through the linked library.

use std::ffi::{CStr, CString};
use std::fs;
use std::path::PathBuf;
use std::ptr;
use std::sync::{Mutex, MutexGuard};
use std::thread;

use mlua_sys as ffi;
use skynet_lua::{LuaState, cache_stats};

/// The cache is one for the process, so tests that count its generations take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    let guard = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    skynet_lua::luaL_initcodecache();
    let vm = Vm::new();
    vm.run("cache.clear()").expect("clear works");
    drop(vm);
    assert_eq!(cache_stats().generations, 0, "a test before left a VM open");
    guard
}

struct Vm(*mut ffi::lua_State);

impl Vm {
    fn new() -> Vm {
        // SAFETY: a fresh state, used by this thread only.
        unsafe {
            let state = ffi::luaL_newstate();
            assert!(!state.is_null());
            ffi::luaL_openlibs(state);
            skynet_lua::luaopen_cache(state.cast::<LuaState>());
            ffi::lua_setglobal(state, c"cache".as_ptr());
            Vm(state)
        }
    }

    /// Runs a chunk; its first result as a string, or the error.
    fn run(&self, code: &str) -> Result<String, String> {
        let code = CString::new(code).expect("no zero in code");
        // SAFETY: the state is open; every call that can raise runs inside lua_pcall.
        unsafe {
            let mut status = ffi::luaL_loadstring(self.0, code.as_ptr());
            if status == ffi::LUA_OK {
                status = ffi::lua_pcall(self.0, 0, 1, 0);
            }
            ffi::luaL_tolstring(self.0, -1, ptr::null_mut());
            let text = CStr::from_ptr(ffi::lua_tostring(self.0, -1))
                .to_string_lossy()
                .into_owned();
            ffi::lua_settop(self.0, 0);
            if status == ffi::LUA_OK {
                Ok(text)
            } else {
                Err(text)
            }
        }
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // SAFETY: opened by `new`, closed once.
        unsafe { ffi::lua_close(self.0) }
    }
}

struct Script {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Script {
    fn new(text: &str) -> Script {
        let dir = tempfile::tempdir().expect("a directory for scripts");
        let path = dir.path().join("script.lua");
        fs::write(&path, text).expect("script written");
        Script { _dir: dir, path }
    }

    fn set(&self, text: impl AsRef<[u8]>) {
        fs::write(&self.path, text).expect("script written");
    }

    fn load(&self, more: &str) -> String {
        format!("return assert(loadfile('{}'{more}))()", self.path.display())
    }
}

#[test]
fn changed_file_is_seen_only_after_clear() {
    let _turn = turn();
    let script = Script::new("return 1");
    let (a, b) = (Vm::new(), Vm::new());
    assert_eq!(a.run(&script.load("")).unwrap(), "1");
    script.set("return 2");
    assert_eq!(a.run(&script.load("")).unwrap(), "1");
    assert_eq!(b.run(&script.load("")).unwrap(), "1");
    b.run("cache.clear()").unwrap();
    assert_eq!(a.run(&script.load("")).unwrap(), "2");
}

#[test]
fn old_generation_is_freed_with_its_last_user() {
    let _turn = turn();
    let script = Script::new("return ('long text '):rep(3)");
    let (a, b) = (Vm::new(), Vm::new());
    let idle = Vm::new();
    a.run(&script.load("")).unwrap();
    b.run(&script.load("")).unwrap();
    assert_eq!((cache_stats().generations, cache_stats().files), (1, 1));
    idle.run("cache.clear()").unwrap();
    assert_eq!(cache_stats().generations, 1, "two VMs still use it");
    drop(a);
    assert_eq!(cache_stats().generations, 1, "one VM still uses it");
    b.run(&script.load("")).unwrap();
    assert_eq!(cache_stats().generations, 2);
    drop(b);
    assert_eq!(cache_stats().generations, 1, "the current one stays");
    idle.run("cache.clear()").unwrap();
    let stats = cache_stats();
    assert_eq!((stats.generations, stats.files, stats.bytes), (0, 0, 0));
}

#[test]
fn functions_of_a_cleared_generation_keep_running() {
    let _turn = turn();
    let script =
        Script::new("local n = ... ; return function() return 'kept ' .. #string.rep('x', 7) end");
    let vm = Vm::new();
    vm.run(&format!(
        "kept = assert(loadfile('{}'))()",
        script.path.display()
    ))
    .unwrap();
    vm.run("cache.clear() collectgarbage()").unwrap();
    assert_eq!(vm.run("collectgarbage() return kept()").unwrap(), "kept 7");
}

#[test]
fn off_neither_reads_nor_fills_the_cache() {
    let _turn = turn();
    let script = Script::new("return 1");
    let vm = Vm::new();
    assert_eq!(vm.run("return cache.mode()").unwrap(), "ON");
    vm.run("cache.mode 'OFF'").unwrap();
    assert_eq!(vm.run("return cache.mode()").unwrap(), "OFF");
    vm.run(&script.load("")).unwrap();
    assert_eq!(cache_stats().files, 0);
    let other = Vm::new();
    assert_eq!(
        other.run("return cache.mode()").unwrap(),
        "ON",
        "the mode is per VM"
    );
    other.run(&script.load("")).unwrap();
    script.set("return 2");
    assert_eq!(vm.run(&script.load("")).unwrap(), "2");
}

#[test]
fn exist_reads_the_cache_and_never_fills_it() {
    let _turn = turn();
    let script = Script::new("return 1");
    let (filler, reader) = (Vm::new(), Vm::new());
    reader.run("cache.mode 'EXIST'").unwrap();
    assert_eq!(reader.run("return cache.mode()").unwrap(), "EXIST");
    assert_eq!(reader.run(&script.load("")).unwrap(), "1");
    assert_eq!(cache_stats().generations, 0);
    filler.run(&script.load("")).unwrap();
    script.set("return 2");
    assert_eq!(reader.run(&script.load("")).unwrap(), "1");
}

#[test]
fn unknown_mode_is_an_error_that_names_it() {
    let _turn = turn();
    let vm = Vm::new();
    let error = vm.run("cache.mode 'SOMETIMES'").unwrap_err();
    assert!(error.contains("invalid option 'SOMETIMES'"), "{error}");
    assert_eq!(vm.run("return cache.mode()").unwrap(), "ON");
}

#[test]
fn broken_file_reports_its_error_and_is_not_cached() {
    let _turn = turn();
    let script = Script::new("return +");
    let vm = Vm::new();
    let error = vm.run(&script.load("")).unwrap_err();
    assert!(error.contains("script.lua:1:"), "{error}");
    assert_eq!(cache_stats().files, 0);
    script.set("return 'mended'");
    assert_eq!(vm.run(&script.load("")).unwrap(), "mended");
}

#[test]
fn missing_file_reports_its_name() {
    let _turn = turn();
    let vm = Vm::new();
    let error = vm
        .run("return assert(loadfile('/nowhere/x.lua'))")
        .unwrap_err();
    assert!(error.contains("cannot open /nowhere/x.lua"), "{error}");
}

#[test]
fn binary_chunk_loads_and_the_mode_of_the_load_is_obeyed() {
    let _turn = turn();
    let script = Script::new("");
    let vm = Vm::new();
    vm.run(&format!(
        "local f = io.open('{}', 'wb') f:write(string.dump(load 'return GLOBAL', true)) f:close() GLOBAL = 'seen'",
        script.path.display()
    ))
    .unwrap();
    assert_eq!(vm.run(&script.load("")).unwrap(), "seen");
    let error = vm.run(&script.load(", 't'")).unwrap_err();
    assert!(error.contains("attempt to load a binary chunk"), "{error}");
    assert_eq!(vm.run(&script.load(", 'b'")).unwrap(), "seen");
    assert_eq!(
        vm.run(&script.load(", 'bt', {GLOBAL = 'env'}")).unwrap(),
        "env"
    );
}

#[test]
fn each_vm_has_its_own_globals_and_upvalues() {
    let _turn = turn();
    let script = Script::new("count = (count or 0) + 1 return count");
    let (a, b) = (Vm::new(), Vm::new());
    assert_eq!(a.run(&script.load("")).unwrap(), "1");
    assert_eq!(a.run(&script.load("")).unwrap(), "2");
    assert_eq!(b.run(&script.load("")).unwrap(), "1");
}

#[test]
fn require_and_dofile_go_through_the_cache() {
    let _turn = turn();
    let script = Script::new("return {answer = 42}");
    let dir = script.path.parent().unwrap().display();
    let (a, b) = (Vm::new(), Vm::new());
    let require = format!("package.path = '{dir}/?.lua' return require 'script'.answer");
    assert_eq!(a.run(&require).unwrap(), "42");
    assert_eq!(cache_stats().files, 1);
    script.set("return {answer = 43}");
    assert_eq!(b.run(&require).unwrap(), "42");
    let dofile = format!("return dofile('{}').answer", script.path.display());
    assert_eq!(b.run(&dofile).unwrap(), "42");
}

#[test]
fn strings_of_cached_code_equal_those_of_the_vm() {
    let _turn = turn();
    let script = Script::new(
        "local t = ... ; assert(t.name == 'name' and t[('x'):rep(60)] == 1)
         assert(rawequal(t.name, 'name') and math.type(1) == 'integer')
         for k in pairs {alpha = 1} do assert(k == KEY and rawequal(k, KEY)) end
         return setmetatable({}, {__index = function(_, k) return k end, __len = function() return 9 end})",
    );
    let vm = Vm::new();
    vm.run("KEY = 'al' .. 'pha'").unwrap();
    let code = format!(
        "local o = assert(loadfile('{}'))({{name = 'na' .. 'me', [('x'):rep(60)] = 1}})
         return o.foo .. #o",
        script.path.display()
    );
    assert_eq!(vm.run(&code).unwrap(), "foo9");
}

#[test]
fn concurrent_first_loads_give_one_prototype() {
    let _turn = turn();
    let script = Script::new("return function() return 'same' end");
    for round in 0..20 {
        script.set(format!("--{round}\nreturn function() return 'same' end"));
        Vm::new().run("cache.clear()").unwrap();
        let started = std::sync::Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let vm = Vm::new();
                    started.wait();
                    assert_eq!(
                        vm.run(&script.load("").replace(")()", ")()()")).unwrap(),
                        "same"
                    );
                    started.wait();
                    assert_eq!((cache_stats().generations, cache_stats().files), (1, 1));
                    started.wait();
                });
            }
        });
    }
}

#[test]
fn the_headers_are_where_it_says() {
    for header in [
        "lua.h",
        "lauxlib.h",
        "lualib.h",
        "luaconf.h",
        "lua.hpp",
        "lgc.h",
        "lstate.h",
        "lobject.h",
    ] {
        let path = PathBuf::from(skynet_lua::include_dir()).join(header);
        assert!(path.is_file(), "{}", path.display());
    }
}
