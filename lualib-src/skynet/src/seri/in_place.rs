//! Functions of the patched Lua (`3rd/lua`) that show values where they are (`lview.h`) and fill tables where they are
//! (`lbuild.h`), for packing and unpacking without the stack.
//!
//! Only programs that link that Lua can say so ([`values_in_place`]); a `.so` that some other executable loads goes through
//! Lua's own interface. Messages and values are the same.

use std::sync::OnceLock;

use libc::{c_char, c_int, c_uint, c_void};
use mlua_sys::{LUA_TBOOLEAN, LUA_TNIL, LUA_TNUMBER, lua_Integer, lua_State};

/// Kinds of values; others have the type that `lua_type` tells.
pub(super) const NONE: c_int = LUA_TNIL;
pub(super) const INTEGER: c_int = LUA_TNUMBER;
pub(super) const FLOAT: c_int = LUA_TNUMBER | 16;
pub(super) const FALSE: c_int = LUA_TBOOLEAN;
pub(super) const TRUE: c_int = LUA_TBOOLEAN | 16;

/// `lua_View`.
#[repr(C)]
pub(super) struct View {
    pub kind: c_int,
    /// Bytes of a string.
    pub len: usize,
    pub body: Body,
}

#[repr(C)]
pub(super) union Body {
    pub integer: lua_Integer,
    pub float: f64,
    pub pointer: *mut c_void,
    pub text: *const c_char,
    pub table: *const c_void,
}

macro_rules! functions {
    ($($field:ident = $name:ident($($arg:ident: $kind:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of `lview.h` and `lbuild.h`. Some can raise an error.
        pub(super) struct Functions {
            $(pub $field: unsafe extern "C-unwind" fn($($kind),*) $(-> $result)?,)*
        }

        unsafe extern "C-unwind" {
            $(fn $name($($arg: $kind),*) $(-> $result)?;)*
        }

        /// Lets `skynet.pack` and `skynet.unpack` use the functions of the patched Lua (`3rd/lua`), which the calling
        /// program must link: every VM in which the module is used must be one of that library. Without it they work with
        /// any Lua 5.5, slower.
        // Inline, so that only a program that calls it refers to those functions.
        #[inline]
        pub fn values_in_place() {
            FUNCTIONS.get_or_init(|| Functions { $($field: $name,)* });
        }
    };
}

static FUNCTIONS: OnceLock<Functions> = OnceLock::new();

functions! {
    view = lua_view(state: *mut lua_State, arg: c_int, view: *mut View);
    view_block = lua_viewblock(state: *mut lua_State, block: *mut *mut c_void, size: *mut lua_Integer) -> c_int;
    view_table = lua_viewtable(state: *mut lua_State, table: *const c_void, len: *mut usize, pos: *mut c_uint) -> c_int;
    view_index = lua_viewindex(table: *const c_void, index: lua_Integer, view: *mut View);
    view_next = lua_viewnext(table: *const c_void, pos: *mut c_uint, key: *mut View, value: *mut View) -> c_int;
    value = lua_buildvalue(state: *mut lua_State, kind: c_int, bits: lua_Integer);
    string = lua_buildstring(state: *mut lua_State, text: *const c_char, len: usize);
    table = lua_buildtable(state: *mut lua_State, array: c_int, pairs: c_int) -> *mut c_void;
    index = lua_buildindex(table: *mut c_void, index: lua_Integer, kind: c_int, bits: lua_Integer) -> c_int;
    index_top = lua_buildindextop(state: *mut lua_State, index: lua_Integer);
    field = lua_buildfield(state: *mut lua_State, text: *const c_char, len: usize, kind: c_int, bits: lua_Integer);
    field_top = lua_buildfieldtop(state: *mut lua_State, text: *const c_char, len: usize);
}

#[inline(always)]
pub(super) fn functions() -> Option<&'static Functions> {
    FUNCTIONS.get()
}
