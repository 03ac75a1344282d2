//! The Lua layer inside of the executable, for files that the configured paths do not have.
//!
//! Lua sees it as the module `skynet.embedded`:
//!
//! - `find(name)`: the source of a file as a string, or nil. Names are relative to the project: `service/launcher.lua`,
//!   `lualib/skynet.lua`.
//! - `load(name)`: the compiled file as a function, or nil. Its chunk is named `@embedded/NAME`.
//!
//! All VMs share the compiled code of a file: a hidden VM compiles it once and lives as long as the process, because the
//! sources never change. That is why the code cache (`skynet.codecache`) with its generations is not concerned.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString, OsStr, c_void};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::{LazyLock, OnceLock};

use libc::{c_char, c_int};
use mlua_sys::{LUA_OK, LUA_REGISTRYINDEX, luaL_ref};
use parking_lot::{Mutex, RwLock};
use skynet_support::{Entry, State, Vm, lua_function, lua_functions};

pub use files::FILES;

mod files {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// An embedded file.
#[derive(Clone, Copy)]
pub struct File {
    name: &'static str,
    source: &'static [u8],
}

impl File {
    /// Its name, relative to the project.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its text.
    pub fn source(&self) -> &'static [u8] {
        self.source
    }
}

/// Files of the program that contains this library.
static LINKED: RwLock<BTreeMap<&'static [u8], File>> = RwLock::new(BTreeMap::new());

/// Adds a file that is linked into the program: `service/main.lua`, `lualib/map/path.lua`. A file of that name that is there already
/// stays, and `false` says so. From before the node starts.
pub fn link(name: &'static str, source: &'static [u8]) -> bool {
    if find(name.as_bytes()).is_some() {
        return false;
    }
    LINKED
        .write()
        .insert(name.as_bytes(), File { name, source });
    true
}

/// The file of that name, relative to the project.
pub fn find(name: &[u8]) -> Option<File> {
    // The list is sorted by name.
    let place = files::FILES.binary_search_by(|(known, _)| known.as_bytes().cmp(name));
    let Ok(place) = place else {
        return LINKED.read().get(name).copied();
    };
    let &(name, source) = files::FILES.get(place)?;
    Some(File { name, source })
}

/// The files of `lualib` by the names that `require` has for them. Each service asks for some when it starts.
static MODULES: LazyLock<HashMap<String, File>> = LazyLock::new(|| {
    let mut modules = HashMap::new();
    let layer = files::FILES.iter();
    let layer = layer.map(|&(name, source)| File { name, source });
    for file in layer.chain(LINKED.read().values().copied()) {
        let Some(path) = file
            .name
            .strip_prefix("lualib/")
            .and_then(|path| path.strip_suffix(".lua"))
        else {
            continue;
        };
        // As in `package.path`: "?.lua" goes before "?/init.lua".
        if let Some(folder) = path.strip_suffix("/init") {
            modules.entry(folder.replace('/', ".")).or_insert(file);
        }
        modules.insert(path.replace('/', "."), file);
    }
    modules
});

/// The file in which `require` finds the module `name`.
pub fn find_module(name: &[u8]) -> Option<File> {
    let known = std::str::from_utf8(name).ok()?;
    if let Some(file) = MODULES.get(known) {
        return Some(*file);
    }
    // Such a name is a path already.
    name.contains(&b'/').then(|| {
        find_on(b"lualib/", name, b".lua").or_else(|| find_on(b"lualib/", name, b"/init.lua"))
    })?
}

/// The file of a module that had that name in the first generation of the Lua layer, and has another one since.
pub fn find_old_module(name: &[u8]) -> Option<File> {
    // None of them had a point in it, and nearly all of today's have.
    (!name.contains(&b'.'))
        .then(|| find_on(b"lualib/compat10/", name, b".lua"))
        .flatten()
}

/// The names that modules had in that generation.
pub fn old_modules() -> impl Iterator<Item = &'static str> {
    files::FILES
        .iter()
        .filter_map(|(name, _)| name.strip_prefix("lualib/compat10/")?.strip_suffix(".lua"))
}

/// Whether such a path brings the names of the first generation back.
pub fn has_old_names(path: &[u8]) -> bool {
    const FOLDER: &[u8] = b"compat10/?.lua";
    path.windows(FOLDER.len()).any(|part| part == FOLDER)
}

fn find_on(folder: &[u8], module: &[u8], end: &[u8]) -> Option<File> {
    let mut name = [folder, module, end].concat();
    for byte in &mut name[folder.len()..folder.len() + module.len()] {
        if *byte == b'.' {
            *byte = b'/';
        }
    }
    find(&name)
}

/// What the names of files inside of the executable begin with, in messages and where Lua asks for a file.
pub const FOLDER: &str = "embedded/";

/// Compiled files: addresses of shared functions (`lua_clonefunction`) in a VM of their own.
struct Compiled {
    vm: Vm,
    functions: HashMap<&'static str, *const c_void>,
}

// SAFETY: the VM is used by one thread at a time, under the lock; the functions are shared, so any VM may read them.
unsafe impl Send for Compiled {}

/// Never emptied: the VM stays open for good, as other VMs run its functions.
static COMPILED: Mutex<Option<Compiled>> = Mutex::new(None);

/// What [`compile`] gets and gives.
struct Job<'a> {
    file: File,
    chunk: &'a CStr,
    function: *const c_void,
}

/// Compiles a file in the hidden VM and anchors the function there.
fn compile(state: State<'_>) -> c_int {
    let job: *mut Job = state.to_userdata(1).cast();
    // SAFETY: called by `shared` with a job that outlives the call.
    let (source, chunk) = unsafe { ((*job).file.source, (*job).chunk) };
    if state.load_text(source, chunk) != LUA_OK {
        state.raise();
    }
    // SAFETY: a function is at the top; the job is as above.
    unsafe {
        skynet_lua::lua_sharefunction(state.raw().cast(), -1);
        (*job).function = state.to_pointer(-1);
        luaL_ref(state.raw(), LUA_REGISTRYINDEX);
    }
    0
}

/// The shared function of a file; `None` when it does not compile or there is no memory. Raises nothing.
fn shared(file: File) -> Option<*const c_void> {
    let mut guard = COMPILED.lock();
    if guard.is_none() {
        let vm = Vm::open()?;
        // SAFETY: nothing closes it.
        unsafe { skynet_lua::lua_keepopen(vm.state().raw().cast()) };
        *guard = Some(Compiled {
            vm,
            functions: HashMap::new(),
        });
    }
    let compiled = guard.as_mut()?;
    if let Some(&function) = compiled.functions.get(file.name) {
        return Some(function);
    }
    let chunk = chunk_name(file)?;
    let mut job = Job {
        file,
        chunk: &chunk,
        function: ptr::null(),
    };
    // SAFETY: the VM belongs to the lock. Errors stay in the protected call, and neither of the two pushes raises.
    let state = unsafe { compiled.vm.state() };
    state.push_function(lua_function!(unsafe compile));
    state.push_light(&raw mut job);
    if state.protected_call(1, 0, 0) != LUA_OK {
        state.set_top(0);
        return None;
    }
    compiled.functions.insert(file.name, job.function);
    Some(job.function)
}

fn chunk_name(file: File) -> Option<CString> {
    CString::new(format!("@{FOLDER}{}", file.name)).ok()
}

/// Pushes the file as a function. Raises a Lua error when it does not compile.
pub fn push_function(state: State<'_>, file: File) {
    match shared(file) {
        // SAFETY: a function of a VM that is never closed. `shared` has let go of everything when something can raise.
        Some(function) => unsafe { skynet_lua::lua_clonefunction(state.raw().cast(), function) },
        None => push_unshared(state, file),
    }
}

/// Pushes a module as a function, as [`push_function`]. For the outer module of the layer that may be one that gives a copy
/// of its value instead of running it.
pub fn push_module(state: State<'_>, name: &[u8], file: File) {
    push_function(state, file);
    if name != SNAPSHOT_OUTER.to_bytes() {
        return;
    }
    if let (Some(outer), Some(inner)) = (shared(file), inner_functions()) {
        // SAFETY: the module's function is at the top; the others are of a VM that is never closed, as many as were named.
        unsafe {
            skynet_lua::lua_innermodulesnapshot(state.raw().cast(), outer, inner.0.as_ptr());
        }
    }
}

/// The modules of the layer that VMs copy (`lua_setmodulesnapshot`): the API of services, which needs those of [`SNAPSHOT_INNER`].
pub const SNAPSHOT_OUTER: &CStr = c"skynet";
/// See [`SNAPSHOT_OUTER`]. In the order in which they run: each needs none but those before it.
pub const SNAPSHOT_INNER: [&CStr; 6] = [
    c"skynet.internal.runtime",
    c"skynet.internal.taskend",
    c"skynet.internal.calls",
    c"skynet.internal.kernel",
    c"skynet.internal.environment",
    c"skynet.internal.lifecycle",
];

/// [`SNAPSHOT_INNER`] as C reads it, with a null pointer at its end.
pub struct Names(pub [*const c_char; SNAPSHOT_INNER.len() + 1]);

// SAFETY: pointers to constants.
unsafe impl Sync for Names {}

/// The functions of the modules of [`SNAPSHOT_INNER`].
struct Functions([*const c_void; SNAPSHOT_INNER.len()]);

// SAFETY: what `shared` answers is the same for all threads, as long as the process lives.
unsafe impl Send for Functions {}
// SAFETY: they are addresses that are compared, and what is behind them is constant.
unsafe impl Sync for Functions {}

/// Looked up once, as each service asks for them. `None` when there was no memory for all of them yet. Raises nothing.
fn inner_functions() -> Option<&'static Functions> {
    static FOUND: OnceLock<Functions> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Some(found);
    }
    let mut functions = [ptr::null(); SNAPSHOT_INNER.len()];
    for (function, name) in functions.iter_mut().zip(SNAPSHOT_INNER) {
        *function = find_module(name.to_bytes()).and_then(shared)?;
    }
    Some(FOUND.get_or_init(|| Functions(functions)))
}

/// [`SNAPSHOT_INNER`] for `lua_setmodulesnapshot`.
pub static SNAPSHOT_NAMES: Names = {
    let mut names = [ptr::null(); SNAPSHOT_INNER.len() + 1];
    let mut i = 0;
    while i < SNAPSHOT_INNER.len() {
        names[i] = SNAPSHOT_INNER[i].as_ptr();
        i += 1;
    }
    Names(names)
};

/// Whether a file on disk is the module in the executable, byte by byte.
///
/// # Safety
/// Both are C strings.
pub unsafe extern "C" fn is_genuine(module: *const c_char, path: *const c_char) -> c_int {
    // SAFETY: contract of this function.
    let (module, path) = unsafe { (CStr::from_ptr(module), CStr::from_ptr(path)) };
    let same = find_module(module.to_bytes()).is_some_and(|file| {
        std::fs::read(OsStr::from_bytes(path.to_bytes())).is_ok_and(|text| text == file.source)
    });
    same.into()
}

/// Compiles the file and drops it: its strings are known to `state` then, until the collector runs.
pub fn compile_only(state: State<'_>, file: File) {
    push_unshared(state, file);
    state.pop(1);
}

/// The slow way, whose errors go to the VM that asks.
fn push_unshared(state: State<'_>, file: File) {
    let status = {
        let chunk = chunk_name(file).unwrap_or_default();
        state.load_text(file.source, &chunk)
    };
    // The chunk's name has been freed by now.
    if status != LUA_OK {
        state.raise();
    }
}

fn lua_find(state: State<'_>) -> c_int {
    match find(state.check_bytes(1)) {
        Some(file) => state.push_bytes(file.source),
        None => state.push_nil(),
    }
    1
}

fn lua_load(state: State<'_>) -> c_int {
    match find(state.check_bytes(1)) {
        Some(file) => push_function(state, file),
        None => state.push_nil(),
    }
    1
}

// They keep the rules of `State`.
const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"find" => lua_find,
    c"load" => lua_load,
});

/// Opens `skynet.embedded`: pushes its table.
pub fn open(state: State<'_>) -> c_int {
    state.create_table(0, FUNCTIONS.len() as c_int);
    state.register(FUNCTIONS, 0);
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_so_that_every_file_is_found() {
        for (name, source) in files::FILES {
            assert_eq!(find(name.as_bytes()).map(|file| file.source), Some(*source));
        }
        assert!(find(b"lualib/no such file.lua").is_none());
    }

    #[test]
    fn a_module_is_found_by_its_dotted_name() {
        let file = find_module(b"skynet.manager").expect("part of the Lua layer");
        assert_eq!(file.name, "lualib/skynet/manager.lua");
        for (module, name) in [
            ("skynet/manager", Some("lualib/skynet/manager.lua")),
            ("skynet.datasheet", Some("lualib/skynet/datasheet/init.lua")),
            (
                "skynet.datasheet.init",
                Some("lualib/skynet/datasheet/init.lua"),
            ),
            ("skynet.no.such", None),
            ("", None),
        ] {
            assert_eq!(
                find_module(module.as_bytes()).map(|file| file.name),
                name,
                "{module}"
            );
        }
    }

    #[test]
    fn every_file_of_the_layer_compiles() {
        for &(name, source) in files::FILES
            .iter()
            .filter(|(name, _)| name.ends_with(".lua"))
        {
            assert!(shared(File { name, source }).is_some(), "{name}");
        }
    }
}
