//! The Lua modules `ltls.c` and `ltls.init.c`: TLS 1.2 and 1.3 (rustls) over any transport.
//!
//! Nothing here touches a socket. A [`session::Session`] takes the bytes that came from the peer and gives those to send;
//! the Lua layer moves them. [`settings::Settings`] is what sessions have in common: certificates, whom to trust.
//!
//! As programs for skynet expect, no peer is verified unless they ask for it. The peer still has to prove that it owns the
//! certificate it shows.

mod context;
pub mod der;
mod identity;
mod lua;
mod problem;
mod provider;
pub mod session;
pub mod settings;
mod suites;
mod tls;
mod trust;

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::c_int;
use mlua_sys::lua_CFunction;
use skynet_support::{Entry, State, lua_functions, lua_module};

pub use problem::Problem;

/// What `require` opens: module name and opening function.
pub static MODULES: &[(&CStr, lua_CFunction)] = &[
    (c"ltls.c", luaopen_ltls_c),
    (c"ltls.init.c", luaopen_ltls_init_c),
];

const FUNCTIONS: &[Entry] =
    lua_functions!(unsafe {c"newctx" => context::newctx, c"newtls" => tls::newtls});
const INIT: &[Entry] =
    lua_functions!(unsafe {c"constructor" => constructor, c"destructor" => destructor});

/// Whether the node wants TLS (`enablessl` in its config): a service of the Lua layer says so. Programs test whether the
/// module opens.
static ENABLED: AtomicBool = AtomicBool::new(false);

lua_module!(unsafe luaopen_ltls_c => fn open);

/// Opens `ltls.c`: pushes its table. Raises an error unless `ltls.init.c` was used.
fn open(state: State<'_>) -> c_int {
    if !ENABLED.load(Ordering::Acquire) {
        state.error(c"ltls need init, Put enablessl = true in you config file.");
    }
    state.push_module(FUNCTIONS);
    1
}

lua_module!(unsafe luaopen_ltls_init_c => INIT);

/// `constructor()`: from now on `ltls.c` opens.
fn constructor(_: State<'_>) -> c_int {
    ENABLED.store(true, Ordering::Release);
    0
}

/// `destructor()`: `ltls.c` no longer opens. Where it is open it stays usable.
fn destructor(_: State<'_>) -> c_int {
    ENABLED.store(false, Ordering::Release);
    0
}
