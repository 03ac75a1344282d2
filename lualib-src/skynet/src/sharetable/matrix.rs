//! Matrices: states of Lua that hold a shared table and run nothing any more.

use std::ptr;
use std::slice;

use libc::{c_char, c_int, c_void};
use mlua_sys::{
    LUA_GCCOLLECT, LUA_GCCOUNT, LUA_GCCOUNTB, LUA_GCSTOP, LUA_OK, LUA_TBOOLEAN, LUA_TFUNCTION,
    LUA_TLIGHTUSERDATA, LUA_TNUMBER, lua_Integer, lua_State, lua_call, lua_checkstack, lua_close,
    lua_createtable, lua_error, lua_gc, lua_gettop, lua_getupvalue, lua_iscfunction, lua_isinteger,
    lua_newstate, lua_newuserdatauv, lua_pcall, lua_pushboolean, lua_pushcfunction,
    lua_pushinteger, lua_pushlightuserdata, lua_pushlstring, lua_pushnumber, lua_pushvalue,
    lua_replace, lua_setfield, lua_setmetatable, lua_settop, lua_toboolean, lua_tocfunction,
    lua_tointeger, lua_tolstring, lua_tonumber, lua_topointer, lua_touserdata, lua_type,
    luaL_argerror, luaL_checklstring, luaL_checkudata, luaL_error, luaL_loadbufferx,
    luaL_newmetatable, luaL_openlibs,
};

use super::mark;
use super::patched::{luaL_loadfilex_, seed};
use crate::{Entry, register};

const TYPE: *const c_char = c"BOXMATRIXSTATE".as_ptr();

const METHODS: &[Entry] = &[
    (c"close", close),
    (c"getptr", getptr),
    (c"state", inner_state),
    (c"size", size),
];

/// A matrix in Lua.
struct Matrix {
    /// Null before it is made, and after the end.
    state: *mut lua_State,
    /// Others may know its table, so only `close` ends it: its maker knows when it is not read any more.
    ready: bool,
}

/// What the chunk of a matrix is read from: `@` and a file name, or source.
struct Source {
    text: *const c_char,
    len: usize,
}

unsafe fn checked<'a>(state: *mut lua_State) -> &'a mut Matrix {
    // SAFETY: called by a function of Lua; such userdata is made by `push`.
    unsafe { &mut *luaL_checkudata(state, 1, TYPE).cast::<Matrix>() }
}

/// `matrix:close()`: frees the table; it must not be used any more.
unsafe extern "C-unwind" fn close(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the state is closed once.
    unsafe { end(checked(state)) };
    0
}

unsafe fn end(matrix: &mut Matrix) {
    let state = std::mem::replace(&mut matrix.state, ptr::null_mut());
    if !state.is_null() {
        // SAFETY: the matrix owned it.
        unsafe { lua_close(state) };
    }
}

/// Ends a matrix that was not completed.
unsafe extern "C-unwind" fn collect(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let matrix = checked(state);
        if !matrix.ready {
            end(matrix);
        }
    }
    0
}

/// `matrix:getptr()`: the address of the table; nothing after the end.
unsafe extern "C-unwind" fn getptr(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the table is at the bottom of the matrix's stack.
    unsafe {
        let matrix = checked(state);
        if matrix.state.is_null() {
            return 0;
        }
        let table = lua_topointer(matrix.state, 1);
        lua_pushlightuserdata(state, table.cast_mut());
    }
    1
}

/// `matrix:state()`: the address of its state, for `used`; nothing after the end.
unsafe extern "C-unwind" fn inner_state(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let matrix = checked(state);
        if matrix.state.is_null() {
            return 0;
        }
        lua_pushlightuserdata(state, matrix.state.cast());
    }
    1
}

/// `matrix:size()`: bytes of memory; 0 after the end.
unsafe extern "C-unwind" fn size(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; asking the collector for sizes runs nothing.
    unsafe {
        let matrix = checked(state);
        let mut size: lua_Integer = 0;
        if !matrix.state.is_null() {
            size = lua_Integer::from(lua_gc(matrix.state, LUA_GCCOUNT)) * 1024;
            size += lua_Integer::from(lua_gc(matrix.state, LUA_GCCOUNTB));
        }
        lua_pushinteger(state, size);
    }
    1
}

unsafe fn push<'a>(state: *mut lua_State) -> &'a mut Matrix {
    // SAFETY: called by a function of Lua; the value is written before its finaliser can run.
    unsafe {
        let matrix: *mut Matrix = lua_newuserdatauv(state, size_of::<Matrix>(), 0).cast();
        matrix.write(Matrix {
            state: ptr::null_mut(),
            ready: false,
        });
        if luaL_newmetatable(state, TYPE) != 0 {
            register_methods(state);
        }
        lua_setmetatable(state, -2);
        &mut *matrix
    }
}

/// Fills the metatable at the top.
unsafe fn register_methods(state: *mut lua_State) {
    // SAFETY: called by a function of Lua.
    unsafe {
        lua_createtable(state, 0, METHODS.len() as c_int);
        register(state, METHODS, 0);
        lua_setfield(state, -2, c"__index".as_ptr());
        lua_pushcfunction(state, collect);
        lua_setfield(state, -2, c"__gc".as_ptr());
    }
}

/// Memory of a matrix: the C allocator's, like that of all states.
unsafe extern "C" fn allocate(
    _: *mut c_void,
    block: *mut c_void,
    _: usize,
    size: usize,
) -> *mut c_void {
    // SAFETY: null or a block of this allocator.
    unsafe {
        if size == 0 {
            libc::free(block);
            return ptr::null_mut();
        }
        libc::realloc(block, size)
    }
}

/// Raises unless argument `arg` can be given to the chunk of a matrix.
unsafe fn check_argument(state: *mut lua_State, arg: c_int) {
    // SAFETY: called by a function of Lua.
    unsafe {
        match lua_type(state, arg) {
            LUA_TBOOLEAN | LUA_TNUMBER | LUA_TLIGHTUSERDATA => {}
            LUA_TFUNCTION => {
                let plain =
                    lua_iscfunction(state, arg) != 0 && lua_getupvalue(state, arg, 1).is_null();
                if !plain {
                    luaL_argerror(state, arg, c"Only support light C function".as_ptr());
                }
            }
            _ => {
                luaL_argerror(state, arg, c"Type invalid".as_ptr());
            }
        }
    }
}

/// Pushes argument `arg`, which has been checked, into another state. Raises nothing.
unsafe fn pass(from: *mut lua_State, arg: c_int, to: *mut lua_State) {
    // SAFETY: called by a function of Lua; the other stack has room.
    unsafe {
        match lua_type(from, arg) {
            LUA_TBOOLEAN => lua_pushboolean(to, lua_toboolean(from, arg)),
            LUA_TNUMBER if lua_isinteger(from, arg) != 0 => {
                lua_pushinteger(to, lua_tointeger(from, arg));
            }
            LUA_TNUMBER => lua_pushnumber(to, lua_tonumber(from, arg)),
            LUA_TLIGHTUSERDATA => lua_pushlightuserdata(to, lua_touserdata(from, arg)),
            _ => match lua_tocfunction(from, arg) {
                Some(function) => lua_pushcfunction(to, function),
                None => lua_pushboolean(to, 0),
            },
        }
    }
}

/// `matrix(source, ...)`: runs a chunk in a state of its own and shares the table that it returns.
///
/// `source` is Lua source, or `@` and the name of a file. The other arguments go to the chunk: booleans, numbers, light
/// userdata and C functions without upvalues. Raises the error of the chunk, and for what cannot be shared.
pub(super) unsafe extern "C-unwind" fn matrix(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. From its creation on the new state belongs to a userdata of Lua.
    unsafe {
        let mut source = Source {
            text: ptr::null(),
            len: 0,
        };
        source.text = luaL_checklstring(state, 1, &mut source.len);
        let top = lua_gettop(state);
        for arg in 2..=top {
            check_argument(state, arg);
        }
        let matrix = push(state);
        let inner = lua_newstate(allocate, ptr::null_mut(), seed(state));
        if inner.is_null() {
            return luaL_error(state, c"luaL_newstate failed".as_ptr());
        }
        matrix.state = inner;
        if lua_checkstack(inner, top + 1) == 0 {
            return luaL_error(state, c"Too many argument %d".as_ptr(), top);
        }
        lua_pushcfunction(inner, load);
        lua_pushlightuserdata(inner, (&raw mut source).cast());
        for arg in 2..=top {
            pass(state, arg, inner);
        }
        if lua_pcall(inner, top, 1, 0) != LUA_OK {
            let mut len = 0;
            let text = lua_tolstring(inner, -1, &mut len);
            if text.is_null() {
                let what = c"error object is not a string";
                lua_pushlstring(state, what.as_ptr(), what.count_bytes());
            } else {
                lua_pushlstring(state, text, len);
            }
            end(matrix);
            lua_error(state);
        }
        matrix.ready = true;
    }
    1
}

/// In the state of a matrix, with a [`Source`] and the arguments of the chunk: the table that the chunk returns, shared.
unsafe extern "C-unwind" fn load(state: *mut lua_State) -> c_int {
    // SAFETY: called by `matrix`, whose source is alive meanwhile.
    unsafe {
        let source: *const Source = lua_touserdata(state, 1).cast();
        luaL_openlibs(state);
        let &Source { text, len } = &*source;
        let bytes = slice::from_raw_parts(text.cast::<u8>(), len);
        let status = match bytes {
            [b'@', name @ ..] if !name.contains(&0) => {
                luaL_loadfilex_(state, text.add(1), ptr::null())
            }
            [b'@', ..] => return luaL_error(state, c"file name with a zero byte".as_ptr()),
            _ => luaL_loadbufferx(state, text, len, text, ptr::null()),
        };
        if status != LUA_OK {
            lua_error(state);
        }
        lua_replace(state, 1);
        lua_call(state, lua_gettop(state) - 1, 1);
        // What is not in the table goes; then the collector must not see half-shared tables, and has nothing to do after.
        lua_gc(state, LUA_GCCOLLECT);
        lua_gc(state, LUA_GCSTOP);
        lua_pushvalue(state, 1);
        mark::share(state);
        lua_settop(state, 1);
    }
    1
}
