//! Services that are part of the library, for module names that no file of the C service path has.
//!
//! A program that contains the library adds services of its own ([`link`]), which files do not replace.
//!
//! `gate`, `harbor` and `logger` are the crates of `service-src`, which makes files of them, too; `snlua` needs the insides of
//! this library.
//!
//! They call the core through its C functions, as a service in a `.so` does, so each works with any core.

use std::ffi::CStr;
#[cfg(feature = "lua")]
use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use crate::actor::module::Module;
#[cfg(feature = "lua")]
use crate::actor::service::Vms;
use libc::{c_char, c_int, c_void};
use parking_lot::RwLock;
use skynet_sys::Context;

#[cfg(feature = "lua")]
pub mod embedded;
#[cfg(feature = "lua")]
pub mod host;
#[cfg(feature = "lua")]
pub mod inspect;
#[cfg(feature = "lua")]
pub(crate) mod searcher;
#[cfg(feature = "lua")]
pub mod snlua;

/// The four functions of a C service ("skynet_module.h"), with the meaning they have in a `.so`.
#[derive(Clone, Copy)]
pub struct Builtin {
    /// Module name, the first word of a launch command.
    pub name: &'static CStr,
    /// `NAME_create`: a new instance, null when there is no memory.
    pub create: Option<unsafe extern "C" fn() -> *mut c_void>,
    /// `NAME_init`: 0 when the service may run.
    pub init: unsafe extern "C" fn(*mut c_void, *mut Context, *const c_char) -> c_int,
    /// `NAME_release`.
    pub release: Option<unsafe extern "C" fn(*mut c_void)>,
    /// `NAME_signal`, called on any thread.
    pub signal: Option<unsafe extern "C" fn(*mut c_void, c_int)>,
}

static BUILTINS: &[Builtin] = &[
    Builtin {
        name: c"gate",
        create: Some(skynet_gate::create),
        init: skynet_gate::init,
        release: Some(skynet_gate::release),
        signal: None,
    },
    Builtin {
        name: c"harbor",
        create: Some(skynet_harbor::create),
        init: skynet_harbor::init,
        release: Some(skynet_harbor::release),
        signal: None,
    },
    Builtin {
        name: c"logger",
        create: Some(skynet_logger::create),
        init: skynet_logger::init,
        release: Some(skynet_logger::release),
        signal: None,
    },
    #[cfg(feature = "lua")]
    Builtin {
        name: c"snlua",
        create: Some(snlua::create),
        init: snlua::init,
        release: Some(snlua::release),
        signal: Some(snlua::signal),
    },
];

/// Services of the program that contains this library.
static LINKED: RwLock<Vec<Builtin>> = RwLock::new(Vec::new());

/// Adds a service that is linked into the program. It goes before files and before what is built in under its name; the first one of a
/// name stays, and `false` says so. From before the node starts.
///
/// # Safety
/// The functions are what [`Builtin`] says.
pub unsafe fn link(service: Builtin) -> bool {
    let mut linked = LINKED.write();
    let is_new = linked.iter().all(|known| known.name != service.name);
    if is_new {
        linked.push(service);
    }
    is_new
}

/// The service of that name that is linked into the program.
pub fn linked(name: &CStr) -> Option<Builtin> {
    let linked = LINKED.read();
    linked.iter().find(|service| service.name == name).copied()
}

/// The service of that name that no file is needed for.
pub fn find(name: &CStr) -> Option<Builtin> {
    linked(name).or_else(|| {
        let builtin = BUILTINS.iter().find(|builtin| builtin.name == name);
        builtin.copied()
    })
}

/// Whether `module` is the harbor in this program, and not one of the project's own.
pub fn is_harbor(module: &Module) -> bool {
    let ours: unsafe extern "C" fn(*mut c_void, *mut Context, *const c_char) -> c_int =
        skynet_harbor::init;
    module
        .init
        .is_some_and(|init| init as usize == ours as usize)
}

/// Names of the built-in services.
#[cfg(feature = "lua")]
pub fn names() -> impl Iterator<Item = std::borrow::Cow<'static, str>> {
    BUILTINS
        .iter()
        .map(|builtin| builtin.name.to_string_lossy())
}

/// Before any service: what is built in makes itself known to the Lua of this executable.
pub fn prepare() {
    #[cfg(feature = "lua")]
    host::prepare();
}

/// Whether a file of machine code may be opened, as far as the Lua of this executable is concerned; else why not.
pub fn may_open(file: &CStr) -> Result<(), String> {
    #[cfg(feature = "lua")]
    return inspect::before_opening(Path::new(OsStr::from_bytes(file.to_bytes())));
    #[cfg(not(feature = "lua"))]
    {
        let _ = file;
        Ok(())
    }
}

/// What to say of a file that the system could not open, besides the system's reason.
pub fn why_not(file: &CStr) -> Option<String> {
    #[cfg(feature = "lua")]
    return inspect::after_failure(Path::new(OsStr::from_bytes(file.to_bytes())));
    #[cfg(not(feature = "lua"))]
    {
        let _ = file;
        None
    }
}

/// The VMs of the snlua in this program, as the core reaches them.
#[cfg(feature = "lua")]
pub(super) static VMS: Vms = Vms {
    init: snlua::init,
    bytes: snlua::bytes,
    interrupt: snlua::request,
    sample: snlua::sample,
    ask_for_allocations: snlua::ask_for_allocations,
    expect_stack: snlua::expect_stack,
    stack: snlua::stack,
    collector: snlua::collector,
    collect: snlua::collect,
};
