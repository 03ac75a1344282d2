//! Services that are part of the library, for module names that no file of the C service path has.
//!
//! `gate`, `harbor` and `logger` are the crates of `service-src`, which makes files of them, too; `snlua` needs the insides of
//! this library.
//!
//! They call the core through its C functions, as a service in a `.so` does, so each works with any core.

use std::ffi::CStr;
#[cfg(feature = "lua")]
use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

#[cfg(feature = "lua")]
use crate::actor::service::thread_signal::{Place, Request};
use crate::services::module::Module;
use libc::{c_char, c_int, c_void};
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

/// The built-in service of that name.
pub fn find(name: &CStr) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|builtin| builtin.name == name)
}

/// Whether `module` is our harbor, and not one of the project's own.
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

/// Whether `module` is our snlua, and not one of the project's own.
#[cfg(feature = "lua")]
fn is_snlua(module: &Module) -> bool {
    let ours: unsafe extern "C" fn(*mut c_void, *mut Context, *const c_char) -> c_int = snlua::init;
    module
        .init
        .is_some_and(|init| init as usize == ours as usize)
}

/// What has become of the stack that a Lua service was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg(feature = "lua")]
pub(crate) enum Stack {
    /// It has run no Lua code since.
    Pending,
    /// A debug hook of its own was in the way.
    Refused,
    /// The log has it, or nobody has asked.
    Logged,
}

/// Does what is wanted of a Lua service that runs; nothing for other modules. Async-signal-safe.
///
/// # Safety
/// `instance` is one of `module`; the calling thread runs its service, and is in the message at `place`.
#[cfg(feature = "lua")]
pub(crate) unsafe fn interrupt(
    module: &Module,
    instance: *mut c_void,
    request: Request,
    place: Place,
) {
    if is_snlua(module) {
        // SAFETY: contract of this function.
        unsafe { snlua::request(instance, request, place) };
    }
}

/// A Lua service is about to be asked for its stack: false if it is none of ours.
///
/// # Safety
/// `instance` is one of `module`, and is not released meanwhile; the thread is any.
#[cfg(feature = "lua")]
pub(crate) unsafe fn expect_stack(module: &Module, instance: *mut c_void) -> bool {
    let ours = is_snlua(module);
    if ours {
        // SAFETY: contract of this function.
        unsafe { snlua::expect_stack(instance) };
    }
    ours
}

/// See [`Stack`].
///
/// # Safety
/// As [`expect_stack`].
#[cfg(feature = "lua")]
pub(crate) unsafe fn stack(module: &Module, instance: *mut c_void) -> Stack {
    if is_snlua(module) {
        // SAFETY: contract of this function.
        return unsafe { snlua::stack(instance) };
    }
    Stack::Logged
}
