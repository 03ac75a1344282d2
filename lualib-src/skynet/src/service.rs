//! What modules share whose functions act for the service of their VM: it is upvalue 1 of these functions.

use std::ffi::CStr;
use std::marker::PhantomData;

use libc::{c_char, c_int};
use mlua_sys::{LUA_REGISTRYINDEX, lua_upvalueindex};
use skynet_support::State;
use skynet_sys::*;

use crate::Entry;

/// Pushes the table of a module: `bound` functions have the service as their upvalue, `free` ones have none. The registry
/// must hold the service as `skynet_context`; without it this raises.
pub(crate) fn open(state: State<'_>, bound: &[Entry], free: &[Entry]) -> c_int {
    state.push_module(free);
    state.get_field(LUA_REGISTRYINDEX, c"skynet_context");
    if state.to_userdata(-1).is_null() {
        state.error(c"Init skynet context first");
    }
    state.register(bound, 1);
    1
}

/// The service that the running function belongs to.
///
/// Invariant: `context` is that of the service of this VM, which lives while its VM runs, and this thread runs it; that is what the
/// functions of "skynet.h" and "skynet_socket.h" want of it.
#[derive(Clone, Copy)]
pub(crate) struct Service<'a> {
    context: *mut Context,
    vm: PhantomData<State<'a>>,
}

/// The service of a function that [`open`] has bound. Raises in any other.
#[inline]
pub(crate) fn service(state: State<'_>) -> Service<'_> {
    // A function of a C module has a light userdata there only by `open`.
    let context: *mut Context = state.to_userdata(lua_upvalueindex(1)).cast();
    if context.is_null() {
        state.error(c"Init skynet context first");
    }
    Service {
        context,
        vm: PhantomData,
    }
}

/// Functions of the core that take numbers.
macro_rules! numbers {
    ($($name:ident($($arg:ident: $ty:ty),*) $(-> $result:ty)? = $function:ident;)*) => {
        impl Service<'_> {$(
            #[inline]
            pub(crate) fn $name(self $(, $arg: $ty)*) $(-> $result)? {
                // SAFETY: the invariant of `Service`; the rest are numbers, of which the core checks each.
                unsafe { $function(self.context $(, $arg)*) }
            }
        )*}
    };
}

numbers! {
    handle() -> u32 = skynet_context_handle;
    new_session() -> c_int = skynet_context_newsession;
    close(id: c_int) = skynet_socket_close;
    shutdown(id: c_int) = skynet_socket_shutdown;
    start(id: c_int) = skynet_socket_start;
    pause(id: c_int) = skynet_socket_pause;
    nodelay(id: c_int) = skynet_socket_nodelay;
    bind(descriptor: c_int) -> c_int = skynet_socket_bind;
}

/// What opens a socket for a host and a port.
type Opening = unsafe extern "C" fn(*mut Context, *const c_char, c_int) -> c_int;

impl Service<'_> {
    /// For what has no method here.
    #[inline]
    pub(crate) fn context(self) -> *mut Context {
        self.context
    }

    fn open(self, opening: Opening, host: Option<&CStr>, port: c_int) -> c_int {
        let host = host.map_or(std::ptr::null(), CStr::as_ptr);
        // SAFETY: the invariant of `Service`; a C string, or null, which stands for no address.
        unsafe { opening(self.context, host, port) }
    }

    pub(crate) fn connect(self, host: &CStr, port: c_int) -> c_int {
        self.open(skynet_socket_connect, Some(host), port)
    }

    pub(crate) fn udp(self, host: Option<&CStr>, port: c_int) -> c_int {
        self.open(skynet_socket_udp, host, port)
    }

    pub(crate) fn udp_dial(self, host: &CStr, port: c_int) -> c_int {
        self.open(skynet_socket_udp_dial, Some(host), port)
    }

    pub(crate) fn udp_listen(self, host: &CStr, port: c_int) -> c_int {
        self.open(skynet_socket_udp_listen, Some(host), port)
    }

    pub(crate) fn udp_connect(self, id: c_int, host: &CStr, port: c_int) -> c_int {
        // SAFETY: as for `open`.
        unsafe { skynet_socket_udp_connect(self.context, id, host.as_ptr(), port) }
    }

    pub(crate) fn listen(self, host: &CStr, port: c_int, backlog: c_int) -> c_int {
        // SAFETY: as for `open`.
        unsafe { skynet_socket_listen(self.context, host.as_ptr(), port, backlog) }
    }

    /// Runs a text command: its answer, which the core keeps until this service's next command.
    pub(crate) fn command<'t>(self, name: &CStr, parameter: Option<&CStr>) -> Option<&'t CStr> {
        let parameter = parameter.map_or(std::ptr::null(), CStr::as_ptr);
        // SAFETY: the invariant of `Service`; the answer is null or a C string, and no other command is run while it is used.
        unsafe {
            let answer = skynet_command(self.context, name.as_ptr(), parameter);
            (!answer.is_null()).then(|| CStr::from_ptr(answer))
        }
    }

    /// Writes a line to the error log.
    pub(crate) fn log(self, line: &[u8]) {
        let len = c_int::try_from(line.len()).unwrap_or(c_int::MAX);
        // SAFETY: the invariant of `Service`; the format takes so many bytes at that address.
        unsafe { skynet_error(self.context, c"%*s".as_ptr(), len, line.as_ptr()) }
    }
}
