//! Modules of services: found in cpath and opened once, or built in.

use super::builtin::{self, Builtin};
use super::complaints;
use crate::actor::module::{self, Create, Init, Module, Release, Signal};
use libc::c_void;
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicPtr, Ordering};

struct Modules {
    path: CString,
    known: BTreeMap<CString, &'static Module>,
}

static MODULES: RwLock<Option<Modules>> = RwLock::new(None);
/// The module that was asked for last: most services of a node are of one. Null, or one of `MODULES`, of which each stays for ever.
static LAST: AtomicPtr<Module> = AtomicPtr::new(std::ptr::null_mut());

/// Sets the search path: patterns with `?`, separated by `;` ("skynet_module.h", `skynet_module_init`). Services are found
/// from then on.
pub fn init(path: &CStr) {
    module::find_with(query);
    #[cfg(feature = "lua")]
    crate::actor::service::know_vms(&builtin::VMS);
    let mut modules = MODULES.write();
    *modules = Some(Modules {
        path: path.to_owned(),
        known: BTreeMap::new(),
    });
    LAST.store(std::ptr::null_mut(), Ordering::Release);
}

/// Adds a module that a host program provides itself (v1.5.0 and before, `skynet_module_insert`).
///
/// # Safety
/// The name is a C string; it and the functions stay for ever, and they are what [`Module`] says.
pub unsafe fn insert(module: Module) {
    // SAFETY: contract of this function.
    let name = unsafe { CStr::from_ptr(module.name) }.to_owned();
    if let Some(modules) = MODULES.write().as_mut() {
        modules
            .known
            .entry(name)
            .or_insert_with(|| Box::leak(Box::new(module)));
    }
}

/// The module `name`, opened at its first use.
#[inline]
pub fn query(name: &CStr) -> Option<&'static Module> {
    // SAFETY: null, or a module, which stays.
    if let Some(last) = unsafe { LAST.load(Ordering::Acquire).as_ref() }
        // SAFETY: both are C strings; the name of a module stays.
        && unsafe { libc::strcmp(last.name, name.as_ptr()) } == 0
    {
        return Some(last);
    }
    let module = find(name)?;
    LAST.store(std::ptr::from_ref(module).cast_mut(), Ordering::Release);
    Some(module)
}

fn find(name: &CStr) -> Option<&'static Module> {
    if let Some(module) = MODULES.read().as_ref()?.known.get(name) {
        return Some(module);
    }
    // The constructors of a shared object may take long, but must not run twice.
    let mut modules = MODULES.write();
    let modules = modules.as_mut()?;
    if let Some(module) = modules.known.get(name) {
        return Some(module);
    }
    let module = open(&modules.path, name)?;
    modules.known.insert(name.to_owned(), module);
    Some(module)
}

/// Looks among what the program brings along, through the path, then among the built-in modules.
fn open(path: &CStr, name: &CStr) -> Option<&'static Module> {
    if let Some(linked) = builtin::linked(name) {
        return Some(without_file(linked));
    }
    if name.count_bytes() >= libc::PATH_MAX as usize {
        // No file has such a name, which is as long as a program has made it.
        eprintln!(
            "try open a module with a name of {} bytes failed : File name too long",
            name.count_bytes()
        );
        return None;
    }
    let mut reason = None;
    let mut broken = false;
    let mut files = Vec::new();
    for pattern in path
        .to_bytes()
        .split(|&c| c == b';')
        .filter(|p| !p.is_empty())
    {
        let Some(at) = pattern.iter().position(|&c| c == b'?') else {
            eprintln!("Invalid C service path");
            std::process::exit(1);
        };
        let file = [&pattern[..at], name.to_bytes(), &pattern[at + 1..]].concat();
        let Ok(file) = CString::new(file) else {
            continue;
        };
        let why = match open_file(&file) {
            Ok(library) => return symbols(library, name, &file),
            Err(why) => why,
        };
        files.push(file.to_string_lossy().into_owned());
        // A file that is there but cannot be loaded is the operator's to mend: neither the built-in one nor a place where there
        // is none must hide it.
        if !broken {
            reason = Some(why);
            // SAFETY: a C string.
            broken = unsafe { libc::access(file.as_ptr(), libc::F_OK) } == 0;
        }
    }
    if broken {
        // Reported below.
    } else if let Some(built_in) = builtin::find(name) {
        return Some(without_file(built_in));
    }
    let mut reason = reason.unwrap_or_default();
    if !broken {
        reason += &complaints::nowhere(&files);
    }
    failed(name, &reason);
    None
}

/// In the words of the C core, for which operators search.
fn failed(name: &CStr, reason: &str) {
    eprintln!("try open {} failed : {reason}", name.to_string_lossy());
}

/// Opens a file; else says why not, and what to do when it was compiled for another Lua.
fn open_file(file: &CStr) -> Result<Library, String> {
    builtin::may_open(file)?;
    let name = OsStr::from_bytes(file.to_bytes());
    // SAFETY: runs the constructors of a module that the operator has put into the path.
    unsafe { Library::open(Some(name), RTLD_NOW | RTLD_GLOBAL) }.map_err(|error| {
        // The words of dlerror(3), as the C core prints them.
        let reason = error
            .source()
            .map_or_else(|| error.to_string(), ToString::to_string);
        let reason = complaints::of_another_machine(file).unwrap_or(reason);
        match builtin::why_not(file) {
            Some(more) => format!("{reason}\n{more}"),
            None => reason,
        }
    })
}

fn without_file(service: Builtin) -> &'static Module {
    leak(Module {
        name: service.name.as_ptr(),
        module: std::ptr::null_mut(),
        create: service.create,
        init: Some(service.init),
        release: service.release,
        signal: service.signal,
    })
}

fn leak(module: Module) -> &'static Module {
    Box::leak(Box::new(module))
}

/// Symbols begin with what follows the last dot of the name: module `a.b` has `b_init`. The file stays open for ever.
fn symbols(library: Library, name: &CStr, file: &CStr) -> Option<&'static Module> {
    let bytes = name.to_bytes();
    let prefix = bytes.rsplit(|&c| c == b'.').next().unwrap_or(bytes);
    // SAFETY: functions of these names have these types ("skynet_module.h").
    let (create, init, release, signal) = unsafe {
        (
            function::<Create>(&library, prefix, "_create"),
            function::<Init>(&library, prefix, "_init"),
            function::<Release>(&library, prefix, "_release"),
            function::<Signal>(&library, prefix, "_signal"),
        )
    };
    let module = library.into_raw();
    if init.is_none() {
        failed(name, &complaints::without_init(file, prefix));
        return None;
    }
    Some(leak(Module {
        name: Box::leak(name.to_owned().into_boxed_c_str()).as_ptr(),
        module,
        create,
        init,
        release,
        signal,
    }))
}

/// The function of that name, if there is one.
///
/// # Safety
/// It has the type `F`, and the library stays open for as long as the answer is used.
unsafe fn function<F: Copy>(library: &Library, prefix: &[u8], suffix: &str) -> Option<F> {
    let name = [prefix, suffix.as_bytes(), b"\0"].concat();
    // SAFETY: contract of this function; a null address is `None`.
    unsafe { library.get::<Option<F>>(name.as_slice()) }
        .ok()
        .and_then(|symbol| *symbol)
}

/// The file of a module that looks for a function which is an inline since v1.3.0.
pub fn compiled_before_v1_3(module: &Module) -> Option<String> {
    use object::{Object, ObjectSymbol};
    let init = module.init? as *const c_void;
    // SAFETY: all-zero is a valid value of this plain structure, which the call fills in; the name is a C string then.
    let path = unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(init, &mut info) == 0 || info.dli_fname.is_null() {
            return None;
        }
        CStr::from_ptr(info.dli_fname)
            .to_string_lossy()
            .into_owned()
    };
    let data = std::fs::read(&path).ok()?;
    let file = object::File::parse(&*data).ok()?;
    // A file that brings a function of that name along, its own or one of a header, does not look for it.
    let looked_for = |name: &str| {
        file.dynamic_symbols()
            .any(|symbol| symbol.is_undefined() && symbol.name() == Ok(name))
    };
    looked_for("skynet_socket_send").then_some(path)
}
