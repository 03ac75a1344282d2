//! Lua 5.5, patched so that the VMs of one process share prototypes, strings and tables, with a cache of compiled files.
//!
//! The official C interface is bound by `mlua-sys` (features `lua55` and `external`); this crate links the library and
//! declares what the patch adds. A program must name the crate (`use skynet_lua as _;`), or the linker drops it.
//!
//! A shared object belongs to the VM that created it, which must stay open as long as another VM uses the object.
#![no_std]

use core::ffi::{c_char, c_int, c_uchar, c_void};

/// `lua_State` of lua.h. Cast from and to `mlua_sys::lua_State`.
#[repr(C)]
pub struct LuaState {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    /// Prepares the code cache (lualib.h). Kept for programs that call it: it may be called never, once or many times.
    pub safe fn luaL_initcodecache();

    /// Opens the module `skynet.codecache` (lualib.h): pushes a table with `clear`, `mode` and `loadfile`; returns 1.
    pub fn luaopen_cache(state: *mut LuaState) -> c_int;

    /// `luaL_loadfilex` without the code cache (lauxlib.h): pushes the function, or a message; returns a Lua status.
    /// `filename` null is stdin; `mode` null is "bt".
    pub fn luaL_loadfilex_(
        state: *mut LuaState,
        filename: *const c_char,
        mode: *const c_char,
    ) -> c_int;

    /// Pushes a closure of the same prototype (lua.h), with fresh upvalues: the first is the globals, others are nil.
    /// `function` is what `lua_topointer` gave for a Lua function after `lua_sharefunction`. Raises a Lua error otherwise.
    pub fn lua_clonefunction(state: *mut LuaState, function: *const c_void);

    /// Shares the prototype of the Lua function at `index`, its constants and nested prototypes (lua.h). Upvalues stay
    /// private. Raises a Lua error for anything but a Lua function.
    pub fn lua_sharefunction(state: *mut LuaState, index: c_int);

    /// Shares the string at `index` (lua.h). Raises a Lua error for anything but a string.
    pub fn lua_sharestring(state: *mut LuaState, index: c_int);

    /// Promises that this VM is never closed (lua.h): what it shares from now on may be used by all VMs, also where they make
    /// strings with the same texts themselves.
    pub fn lua_keepopen(state: *mut LuaState);

    /// Pushes a table of another VM (lua.h), read-only from now on. `table` is what `lua_topointer` gave for a table that
    /// a C module marked with `makeshared` (lgc.h), and all that it refers to. Raises a Lua error if it is not marked.
    pub fn lua_clonetable(state: *mut LuaState, table: *const c_void);

    /// Runs `fill` in a hidden VM that stays open and never changes again; [`lua_copysnapshot`] gives what it leaves in the
    /// globals and the registry to other VMs (lua.h). Every string that it needed, also in chunks that it only compiled,
    /// is from then on shared by all VMs. Call it once. 0 when there is no memory, when `fill` raises, or when it leaves
    /// what cannot be copied: Lua functions, coroutines, keys that are neither strings nor numbers.
    pub fn lua_makesnapshot(fill: unsafe extern "C-unwind" fn(*mut LuaState) -> c_int) -> c_int;

    /// Gives a new VM the globals and the registry of the VM snapshot; what they had is gone (lua.h). Userdata are copied
    /// byte by byte. 0 when there is none. Raises when there is no memory: the VM can then only be closed.
    pub fn lua_copysnapshot(state: *mut LuaState) -> c_int;

    /// Lets the collector run again after the loading of a script (lua.h). Unlike `LUA_GCRESTART` in the generational mode
    /// it does not collect at once, but when the VM has grown by its usual part of what it has now.
    pub fn lua_gcsettle(state: *mut LuaState);

    /// Does a piece of a collection of everything, in any mode (docs/pieces.md). `phase` is 0 for the first piece and then what the
    /// last one has left. Runs finalizers; raises nothing. 0: the collector is stopped; 1: there is more to do; 2: the collection
    /// is done.
    pub fn lua_gcpiece(state: *mut LuaState, phase: &mut c_int) -> c_int;

    /// How many bytes the VM may have before its collector does something. Stays the same until it does.
    pub fn lua_gcnext(state: *mut LuaState) -> usize;

    /// Collects garbage, then says for each of `count` VMs whether this one still refers to something that they share (luse.h):
    /// 1 or 0 in `used`. In doubt it says 1. Raises nothing. None of them may run or be closed meanwhile.
    pub fn lua_shareduse(
        state: *mut LuaState,
        owners: *const *mut LuaState,
        count: c_int,
        used: *mut c_uchar,
    );

    /// Names modules whose values VMs may copy instead of running them (lmodsnapshot.h): `require` of `outer` from a file for
    /// which `genuine` holds, and for those of `inner` beside it, gives a copy of what running them has left in a hidden VM, once
    /// `open` has prepared that. `inner` is in the order in which they run there and ends with a null pointer. Each may do nothing
    /// but return a table, those of `inner` also nothing. Call it once, before other threads use Lua.
    /// `genuine(module, filename)` runs on any thread, outside of Lua, and returns 0 or 1.
    pub fn lua_setmodulesnapshot(
        outer: *const c_char,
        inner: *const *const c_char,
        open: unsafe extern "C-unwind" fn(*mut LuaState) -> c_int,
        genuine: unsafe extern "C" fn(*const c_char, *const c_char) -> c_int,
    );

    /// The same for modules inside of the executable (lua.h): with the function of the outer one at the top, a loader that
    /// does the same may take its place. `outer` and those of `inner`, as many as were named, are their functions, as for
    /// [`lua_clonefunction`], and stay.
    pub fn lua_innermodulesnapshot(
        state: *mut LuaState,
        outer: *const c_void,
        inner: *const *const c_void,
    );

    /// Sets what the program adds to every VM (lhost.h). Once, before other threads use Lua.
    pub fn lua_sethost(host: *const Host);

    /// Whether the coroutine is in a C function (lsample.c): 1 or 0. Async-signal-safe on the thread that runs it.
    pub fn skynet_lua_isinc(state: *const LuaState) -> c_int;

    /// For a count hook: the name of what the instruction before the next one has called (lsample.c), or null. The text stays as
    /// long as the running function does. Raises nothing.
    pub fn skynet_lua_called(state: *mut LuaState) -> *const c_char;

    /// Within the allocator: gives the call infos of the coroutine their addresses back if its stack is about to be moved, until
    /// [`skynet_lua_unpinstack`] (lsample.c). 1, or 0 if it is not. Raises nothing.
    pub fn skynet_lua_pinstack(state: *mut LuaState) -> c_int;

    /// The reverse, if it has answered 1.
    pub fn skynet_lua_unpinstack(state: *mut LuaState);

    /// Where the program says which coroutine runs. Lua writes there what is true instead of what would lead to what is gone: see
    /// [`Running`]. The words are the thread's that runs the VM, and stay as long as the VM.
    pub fn lua_setrunning(state: *mut LuaState, words: *mut Running);

    /// From now on `watcher` is called when an error is raised, in any VM: with its value at the top, before any message handler
    /// and before the stack is unwound (ldebugger.h). It must not raise. `None`: nobody watches. Any thread.
    pub safe fn lua_watcherrors(watcher: Option<unsafe extern "C-unwind" fn(*mut LuaState)>);

    /// From now on `watcher` is called when `debug.sethook` has taken the hook of the running coroutine away, in any VM (ldebugger.h). It
    /// must not raise. `None`: nobody watches. Any thread.
    pub safe fn lua_watchhooks(watcher: Option<unsafe extern "C-unwind" fn(*mut LuaState)>);

    /// Calls `each` with every line of the Lua function at `index`, and of those that are written in it, at which a line hook is
    /// called (ldebugger.h). Raises nothing.
    pub fn lua_activelines(
        state: *mut LuaState,
        index: c_int,
        each: unsafe extern "C" fn(ud: *mut c_void, line: c_int),
        ud: *mut c_void,
    );

    /// Leads `frame`, a `lua_Debug` that `lua_getstack` or this function has filled for `state`, on to who has called that function
    /// (ldebugger.h); 0 if nobody has. Raises nothing.
    pub fn lua_getcaller(state: *mut LuaState, frame: *mut c_void) -> c_int;

    /// Whether the collector has called the function of `frame`, filled as for [`lua_getcaller`] (ldebugger.h). Raises nothing.
    pub fn lua_isfinalizer(state: *mut LuaState, frame: *const c_void) -> c_int;

    /// Whether local `n` of the function of `frame`, filled as for [`lua_getcaller`], is to be closed (ldebugger.h). Raises nothing.
    pub fn lua_localcloses(state: *mut LuaState, frame: *const c_void, n: c_int) -> c_int;

    /// Whether upvalue `n` of the function at `index` is to be closed (ldebugger.h). Raises nothing.
    pub fn lua_upvaluecloses(state: *mut LuaState, index: c_int, n: c_int) -> c_int;

    /// Pushes the next field of the table at `index` behind `place` without a look at more than `steps` of its slots, nor at keys from 1 to
    /// `list` (ldebugger.h): 1 if there is one, 0 if there is none, -1 if it may look no further. Raises nothing.
    pub fn lua_following(
        state: *mut LuaState,
        index: c_int,
        list: u64,
        place: *mut usize,
        steps: *mut usize,
    ) -> c_int;

    /// Where the frame of the function of `frame`, filled as for [`lua_getcaller`], begins on the stack (ldebugger.h): higher than those of
    /// who has called it. Raises nothing.
    pub fn lua_framebase(state: *mut LuaState, frame: *const c_void) -> isize;

    /// How many calls the coroutine has room for: at least as many as it is in (ldebugger.h). Costs the same at each depth. Raises nothing.
    pub fn lua_callroom(state: *mut LuaState) -> c_int;

    /// Calls `f` with the main coroutine; what is raised there or in those of `waiting` meanwhile, also by a coroutine that is in no protected
    /// call, comes back as a status, with the value at the top of the main coroutine's stack. Each needs room for two (ldebugger.h).
    pub fn lua_contain(
        state: *mut LuaState,
        waiting: *const *mut LuaState,
        n: c_int,
        f: unsafe extern "C-unwind" fn(main: *mut LuaState, ud: *mut c_void),
        ud: *mut c_void,
    ) -> c_int;

    /// The handler of errors of a coroutine (ldebugger.h). Raises nothing.
    pub fn lua_gethandler(state: *mut LuaState, handler: *mut Handler);

    /// Gives the main coroutine the handler back that it had before an error went over [`lua_contain`]. Raises nothing.
    pub fn lua_sethandler(state: *mut LuaState, handler: *const Handler);

    /// Stops the collector as it is stopped in a finalizer, or lets it go on; when it is due stays as it is. Whether it was stopped so
    /// before (ldebugger.h). Raises nothing.
    pub fn lua_holdgc(state: *mut LuaState, hold: c_int) -> c_int;

    safe fn skynet_lua_cachestats(stats: &mut [usize; 3]);
}

/// Where errors of a coroutine go (`struct lua_Handler` of ldebugger.h).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Handler {
    jump: *mut c_void,
    function: isize,
}

impl Handler {
    /// Nowhere.
    pub const NONE: Handler = Handler {
        jump: core::ptr::null_mut(),
        function: 0,
    };
}

/// What the program says of the coroutine that runs, and what waits for it (`struct lua_Running` of lrunning.h). When Lua catches an
/// error, both are again what they were when what failed was called.
#[repr(C)]
pub struct Running {
    /// The coroutine that runs. Before it is freed, Lua puts the main one here.
    pub now: *mut LuaState,
    /// What resumes it, on the stack of the thread.
    pub waiting: *const c_void,
    /// One whose end matters to the program, or null. When it is freed, Lua puts null here.
    pub followed: *mut LuaState,
    /// Unless 0, `lua_isyieldable` says no: nothing may wait.
    pub still: c_int,
}

/// What the program around Lua adds to every VM, whoever makes it (`lua_Host` of lhost.h). Texts are C strings of at most
/// `size` bytes, written to `text`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Host {
    /// The libraries of a VM have been opened, `package` among them. May raise.
    pub opened: Option<unsafe extern "C-unwind" fn(state: *mut LuaState)>,
    /// 1, with a reason, when the file of a C module must not be opened.
    pub refuses:
        Option<unsafe extern "C" fn(path: *const c_char, text: *mut c_char, size: usize) -> c_int>,
    /// The file could not be opened: what is to be said besides, or "".
    pub explain: Option<unsafe extern "C" fn(path: *const c_char, text: *mut c_char, size: usize)>,
    /// Code at that address asked for another version, as `luaL_checkversion_` got it: what is to be said, or "".
    pub foreign: Option<
        unsafe extern "C" fn(address: *const c_void, number: f64, text: *mut c_char, size: usize),
    >,
    /// 1, with a function at the top, for a file that cannot be opened. `begins`: no function asked for it, but the program
    /// itself, to begin with. May raise.
    pub instead: Option<
        unsafe extern "C-unwind" fn(*mut LuaState, filename: *const c_char, begins: c_int) -> c_int,
    >,
    /// 1, with a file name for `instead` at the top, for a module that no file of `package.path` has. May raise.
    pub inside: Option<
        unsafe extern "C-unwind" fn(
            *mut LuaState,
            module: *const c_char,
            path: *const c_char,
        ) -> c_int,
    >,
    /// 1, with a loader and its value at the top, for such a module when `require` looks for it. May raise.
    pub module: Option<unsafe extern "C-unwind" fn(*mut LuaState, module: *const c_char) -> c_int>,
}

/// What the code cache holds, see [`cache_stats`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheStats {
    /// Generations alive: the current one, and older ones that an open VM still uses.
    pub generations: usize,
    /// Files cached in all of them.
    pub files: usize,
    /// Bytes of the compiled code.
    pub bytes: usize,
}

/// The state of the code cache of this process.
pub fn cache_stats() -> CacheStats {
    let mut stats = [0; 3];
    skynet_lua_cachestats(&mut stats);
    let [generations, files, bytes] = stats;
    CacheStats {
        generations,
        files,
        bytes,
    }
}

/// Directory with Lua's headers, public and internal, as they were at build time. Build scripts of dependents find the
/// same in `DEP_SKYNET_LUA_INCLUDE`.
pub const fn include_dir() -> &'static str {
    env!("SKYNET_LUA_INCLUDE")
}
