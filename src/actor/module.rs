//! What a C service consists of: the functions of its module.

use libc::{c_char, c_int, c_void};
use skynet_sys::Context;
use std::ffi::CStr;
use std::sync::OnceLock;

/// `NAME_create` ("skynet_module.h").
pub type Create = unsafe extern "C" fn() -> *mut c_void;
/// `NAME_init`: 0 is success.
pub type Init =
    unsafe extern "C" fn(inst: *mut c_void, ctx: *mut Context, parm: *const c_char) -> c_int;
/// `NAME_release`.
pub type Release = unsafe extern "C" fn(inst: *mut c_void);
/// `NAME_signal`; called on any thread.
pub type Signal = unsafe extern "C" fn(inst: *mut c_void, signal: c_int);

/// `struct skynet_module` ("skynet_module.h"). Never freed: modules are not unloaded.
#[repr(C)]
pub struct Module {
    /// Name as in LAUNCH.
    pub name: *const c_char,
    /// What `dlopen` answered; null for built-in modules.
    pub module: *mut c_void,
    /// Optional.
    pub create: Option<Create>,
    /// Required.
    pub init: Option<Init>,
    /// Optional.
    pub release: Option<Release>,
    /// Optional.
    pub signal: Option<Signal>,
}

// SAFETY: constant once it is in the table; the functions are thread safe by the contract of "skynet_module.h".
unsafe impl Sync for Module {}
// SAFETY: the names and functions are for the life of the process, on any thread.
unsafe impl Send for Module {}

impl Module {
    /// What its function answers; all ones if the module has no `NAME_create`.
    pub fn create(&self) -> *mut c_void {
        match self.create {
            // SAFETY: the module's own function.
            Some(create) => unsafe { create() },
            None => std::ptr::without_provenance_mut(usize::MAX),
        }
    }

    /// Starts an instance; 0 is success.
    ///
    /// # Safety
    /// `instance` is one that [`Module::create`] made and that was not released; `context` is its service, `parm` null or a
    /// C string.
    pub unsafe fn init(
        &self,
        instance: *mut c_void,
        context: *mut Context,
        parm: *const c_char,
    ) -> c_int {
        match self.init {
            // SAFETY: the module's own function, with an instance of its own.
            Some(init) => unsafe { init(instance, context, parm) },
            None => 1,
        }
    }

    /// Ends an instance.
    ///
    /// # Safety
    /// As in [`Module::init`]; it is not used any more.
    pub unsafe fn release(&self, instance: *mut c_void) {
        if let Some(release) = self.release {
            // SAFETY: the module's own function, with an instance of its own, once.
            unsafe { release(instance) }
        }
    }

    /// Signals an instance.
    ///
    /// # Safety
    /// As in [`Module::init`]; it is not released meanwhile.
    pub unsafe fn signal(&self, instance: *mut c_void, signal: c_int) {
        if let Some(f) = self.signal {
            // SAFETY: the module's own function, with an instance of its own.
            unsafe { f(instance, signal) }
        }
    }
}

/// What a module has made for one service.
pub(super) struct Instance {
    module: &'static Module,
    data: *mut c_void,
}

// SAFETY: the data is for the module's functions only, and it is their contract which thread calls which.
unsafe impl Sync for Instance {}
// SAFETY: as for Sync: only the module's functions look at the data, from the threads that "skynet_module.h" names.
unsafe impl Send for Instance {}

impl Instance {
    /// `None` if the module has no more.
    pub fn create(module: &'static Module) -> Option<Instance> {
        let data = module.create();
        (!data.is_null()).then_some(Instance { module, data })
    }

    /// Of which module.
    pub fn module(&self) -> &'static Module {
        self.module
    }

    /// What the module's functions are called with.
    #[cfg(feature = "lua")]
    pub fn data(&self) -> *mut c_void {
        self.data
    }

    /// Starts it; 0 is success.
    ///
    /// # Safety
    /// `context` is its service. Not released.
    pub unsafe fn init(&self, context: *mut Context, parm: Option<&CStr>) -> c_int {
        let parm = parm.map_or(std::ptr::null(), CStr::as_ptr);
        // SAFETY: an instance of this module; the rest by contract.
        unsafe { self.module.init(self.data, context, parm) }
    }

    /// Signals it.
    ///
    /// # Safety
    /// It is not released meanwhile.
    pub unsafe fn signal(&self, signal: c_int) {
        // SAFETY: an instance of this module; the rest by contract.
        unsafe { self.module.signal(self.data, signal) };
    }

    /// Ends it.
    ///
    /// # Safety
    /// Once; it is not used any more.
    pub unsafe fn release(&self) {
        // SAFETY: an instance of this module; the rest by contract.
        unsafe { self.module.release(self.data) };
    }
}

/// Looks for a module by its name.
pub(super) type Find = fn(&CStr) -> Option<&'static Module>;

static FIND: OnceLock<Find> = OnceLock::new();

/// The function that finds modules. The first call counts.
pub fn find_with(find: Find) {
    let _ = FIND.set(find);
}

/// The module `name`, opened at its first use.
pub fn query(name: &CStr) -> Option<&'static Module> {
    FIND.get()?(name)
}
