//! The C interface: what `skynet.h` declares, and where its functions come from.
//!
//! Nothing is linked. The functions are looked up by name in the process when the first service is made, so a library of services
//! imports no symbol that some release of the core lacks, links with any linker and any flags, and so do its unit tests. A program
//! that carries the core itself hands them over by [`install`], and so does `crate::testing`.

pub mod sockets;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::address::Handle;

/// `struct skynet_context`: a service, opaque.
#[repr(C)]
pub struct Context {
    _opaque: [u8; 0],
}

/// `skynet_cb`: gets the messages of a service one at a time. A result of 0 lets the core free `data`; with anything else the
/// service has taken it over.
pub type Callback = unsafe extern "C" fn(
    context: *mut Context,
    ud: *mut c_void,
    kind: c_int,
    session: c_int,
    source: u32,
    data: *const c_void,
    size: usize,
) -> c_int;

/// `skynet_send`.
pub(crate) type Send =
    unsafe extern "C" fn(*mut Context, u32, u32, c_int, c_int, *mut c_void, usize) -> c_int;

/// `PTYPE_TAG_DONTCOPY`: the core takes the data over, on every path.
pub const DONT_COPY: c_int = 0x10000;
/// `PTYPE_TAG_ALLOCSESSION`: the core makes up a session and returns it.
pub const ALLOC_SESSION: c_int = 0x20000;

/// The functions of `skynet.h`, with the conditions that are written there. All releases from v1.0.0 on have them, with these
/// types; those of sockets differ.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "skynet.h describes them")]
pub struct Api {
    pub send:
        unsafe extern "C" fn(*mut Context, u32, u32, c_int, c_int, *mut c_void, usize) -> c_int,
    pub send_name: unsafe extern "C" fn(
        *mut Context,
        u32,
        *const c_char,
        c_int,
        c_int,
        *mut c_void,
        usize,
    ) -> c_int,
    pub command: unsafe extern "C" fn(*mut Context, *const c_char, *const c_char) -> *const c_char,
    pub callback: unsafe extern "C" fn(*mut Context, *mut c_void, Callback),
    pub now: unsafe extern "C" fn() -> u64,
    /// `skynet_context_handle`: not in `skynet.h`, but all executables have it. Without it the command `REG` is asked.
    pub context_handle: Option<unsafe extern "C" fn(*mut Context) -> u32>,
    /// Sockets, of which releases differ.
    pub sockets: sockets::Sockets,
    /// Writes one line to the log. A function in Rust, because `skynet_error` has variable arguments, which only C can define.
    pub error: unsafe fn(*mut Context, &CStr),
}

static API: AtomicPtr<Api> = AtomicPtr::new(std::ptr::null_mut());

/// Hands the functions of the core over. Once for a process: what was installed or found first stays, and `false` says so.
///
/// # Safety
///
/// The functions do what `skynet.h` says of them: safe functions of this crate call them from now on.
pub unsafe fn install(api: Api) -> bool {
    let new = Box::into_raw(Box::new(api));
    let result = API.compare_exchange(
        std::ptr::null_mut(),
        new,
        Ordering::AcqRel,
        Ordering::Acquire,
    );
    if result.is_err() {
        // SAFETY: nobody else has seen it.
        drop(unsafe { Box::from_raw(new) });
    }
    result.is_ok()
}

/// The functions of the core.
///
/// # Panics
///
/// When the process is no node: nothing exports them, and nothing was installed.
#[inline]
pub fn api() -> &'static Api {
    match try_api() {
        Ok(api) => api,
        Err(missing) => panic!("{missing}"),
    }
}

/// As [`api`]; the error says what is missing.
#[inline]
pub fn try_api() -> Result<&'static Api, String> {
    let found = API.load(Ordering::Acquire);
    if found.is_null() {
        return look_up();
    }
    // SAFETY: what is stored there came from a box, and is never freed.
    Ok(unsafe { &*found })
}

#[cold]
fn look_up() -> Result<&'static Api, String> {
    let error = symbol(c"skynet_error")?;
    ERROR.store(error, Ordering::Release);
    // SAFETY: the symbols have these types in every release of skynet.h.
    let api = unsafe {
        Api {
            send: function(c"skynet_send")?,
            send_name: function(c"skynet_sendname")?,
            command: function(c"skynet_command")?,
            callback: function(c"skynet_callback")?,
            now: function(c"skynet_now")?,
            context_handle: function(c"skynet_context_handle").ok(),
            sockets: sockets::Sockets::look_up(),
            error: variadic_error,
        }
    };
    // SAFETY: the core's own.
    unsafe { install(api) };
    try_api()
}

/// A function of the core.
///
/// # Safety
///
/// `F` is the type of a pointer to the function of that name.
unsafe fn function<F: Copy>(name: &CStr) -> Result<F, String> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    let found = symbol(name)?;
    // SAFETY: a pointer to a function of that type, by the caller; symbols that are there are not null.
    Ok(unsafe { std::mem::transmute_copy::<*mut c_void, F>(&found) })
}

/// The handle of a service.
///
/// # Safety
///
/// `context` is one of a service that lives, and not in a command on another thread.
pub(crate) unsafe fn handle_of(api: &Api, context: *mut Context) -> Option<Handle> {
    // SAFETY: the caller's.
    unsafe {
        if let Some(handle) = api.context_handle {
            return Handle::new(handle(context));
        }
        let answer = (api.command)(context, c"REG".as_ptr(), std::ptr::null());
        if answer.is_null() {
            return None;
        }
        Handle::parse(CStr::from_ptr(answer).to_bytes())
    }
}

/// Where the process has a function of the core.
///
/// # Errors
///
/// When neither the executable nor a library exports it: another release of the core, or no node at all.
pub fn symbol(name: &CStr) -> Result<*mut c_void, String> {
    // SAFETY: a C string, and a handle that is always valid.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if found.is_null() {
        return Err(format!(
            "this process has no function {}: it is not a skynet node (tests use skynet_service::testing), or its release is older",
            name.to_string_lossy()
        ));
    }
    Ok(found)
}

/// `skynet_error` of the process.
static ERROR: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// Writes a line of the log.
///
/// # Safety
/// `context` is null or a live service ("skynet.h"), and `look_up` has found `skynet_error`.
unsafe fn variadic_error(context: *mut Context, text: &CStr) {
    type Error = unsafe extern "C" fn(*mut Context, *const c_char, ...);
    let error = ERROR.load(Ordering::Acquire);
    // SAFETY: stored before this function could be reached, from the symbol of that type.
    let error = unsafe { std::mem::transmute::<*mut c_void, Error>(error) };
    // SAFETY: the caller's context, a format, and what it asks for.
    unsafe { error(context, c"%s".as_ptr(), text.as_ptr()) };
}
