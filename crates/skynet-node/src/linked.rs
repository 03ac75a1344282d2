//! Services in Rust as the core knows services: by a name and four C functions, which get no name. So a type has one name in a process,
//! which its functions look up.

use std::any::TypeId;
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::{PoisonError, RwLock};

use skynet_service::{Service, export};

use crate::error::Error;

static NAMES: RwLock<Vec<(TypeId, &'static &'static str)>> = RwLock::new(Vec::new());

/// A service that is to be linked.
pub(crate) struct Linked {
    name: String,
    id: TypeId,
    functions: Functions,
}

struct Functions {
    create: unsafe extern "C" fn() -> *mut c_void,
    init: unsafe extern "C" fn(*mut c_void, *mut skynet_sys::Context, *const c_char) -> c_int,
    release: unsafe extern "C" fn(*mut c_void),
    signal: unsafe extern "C" fn(*mut c_void, c_int),
}

impl Linked {
    pub(crate) fn new<S: Service>(name: &str) -> Linked {
        Linked {
            name: name.to_string(),
            id: TypeId::of::<S>(),
            functions: Functions {
                create: create::<S>,
                init: init::<S>,
                release: release::<S>,
                signal: signal::<S>,
            },
        }
    }

    /// Why these cannot be linked together, if so.
    pub(crate) fn check(services: &[Linked]) -> Result<(), Error> {
        let refused = |service: &Linked, reason| {
            let name = service.name.clone();
            Err(Error::Name { name, reason })
        };
        for (at, service) in services.iter().enumerate() {
            if service.name.is_empty() || service.name.contains([' ', '\t', '\r', '\n', '\0']) {
                return refused(service, "no name of a service: it is empty or has a blank");
            }
            for other in &services[..at] {
                if other.name == service.name {
                    return refused(service, "two services have this name");
                }
                if other.id == service.id {
                    return refused(
                        service,
                        "this type is a service under another name already: wrap it in a type of its own",
                    );
                }
            }
        }
        Ok(())
    }

    /// Makes it known to the core. It was checked.
    pub(crate) fn link(self) {
        let c_name = CString::new(self.name.as_str()).unwrap_or_default();
        let functions = self.functions;
        // SAFETY: functions of a service for C, for the life of the process.
        unsafe {
            skynet::link_service(skynet::Linked {
                name: Box::leak(c_name.into_boxed_c_str()),
                create: Some(functions.create),
                init: functions.init,
                release: Some(functions.release),
                signal: Some(functions.signal),
            });
        }
        let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
        let name: &'static str = Box::leak(self.name.into_boxed_str());
        names.push((self.id, Box::leak(Box::new(name))));
    }
}

fn name_of<S: Service>() -> &'static &'static str {
    let names = NAMES.read().unwrap_or_else(PoisonError::into_inner);
    let id = TypeId::of::<S>();
    let known = names.iter().find(|(known, _)| *known == id);
    known.map_or(&"?", |(_, name)| name)
}

/// `create` of the service.
///
/// # Safety
/// None needed; the signature is that of `NAME_create` ("skynet_module.h").
unsafe extern "C" fn create<S: Service>() -> *mut c_void {
    export::create::<S>(name_of::<S>())
}

/// `init` of the service.
///
/// # Safety
/// `instance` comes from [`create`] of the same `S` and has not been started, `context` is its service, and `args` is null or a C string:
/// so "skynet_module.h" says, and the core calls by it.
unsafe extern "C" fn init<S: Service>(
    instance: *mut c_void,
    context: *mut skynet_sys::Context,
    args: *const c_char,
) -> c_int {
    // SAFETY: contract of this function.
    unsafe { export::init::<S>(instance, context.cast(), args) }
}

/// `release` of the service.
///
/// # Safety
/// `instance` comes from [`create`] of the same `S`, no other function runs with it, and it is not used afterwards.
unsafe extern "C" fn release<S: Service>(instance: *mut c_void) {
    // SAFETY: contract of this function.
    unsafe { export::release::<S>(instance) }
}

/// `signal` of the service.
///
/// # Safety
/// `instance` comes from [`create`] of the same `S` and is not released meanwhile; the thread is any.
unsafe extern "C" fn signal<S: Service>(instance: *mut c_void, signal: c_int) {
    // SAFETY: contract of this function.
    unsafe { export::signal::<S>(instance, signal) }
}
