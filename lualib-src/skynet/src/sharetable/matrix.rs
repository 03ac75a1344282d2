//! Matrices: states of Lua that hold a shared table and run nothing any more.

use std::ffi::CStr;
use std::ptr;

use libc::c_int;
use mlua_sys::{
    LUA_GCCOLLECT, LUA_GCCOUNT, LUA_GCCOUNTB, LUA_GCSTOP, LUA_OK, LUA_TBOOLEAN, LUA_TFUNCTION,
    LUA_TLIGHTUSERDATA, LUA_TNUMBER, lua_Integer, lua_gc, lua_getupvalue, lua_iscfunction,
    lua_tocfunction, luaL_loadbufferx,
};
use skynet_support::{State, Vm, lua_function, lua_functions};

use super::mark;
use super::patched::{luaL_loadfilex_, seed};
use crate::Entry;

const TYPE: &CStr = c"BOXMATRIXSTATE";

const METHODS: &[Entry] = lua_functions!(unsafe {
    c"close" => close,
    c"getptr" => getptr,
    c"state" => inner_state,
    c"size" => size,
});

/// A matrix in Lua.
struct Matrix {
    /// None before it is made, and after the end.
    vm: Option<Vm>,
    /// Others may know its table, so only `close` ends it: its maker knows when it is not read any more.
    ready: bool,
}

/// What the chunk of a matrix is read from: `@` and a file name, or source.
struct Source<'a> {
    bytes: &'a [u8],
}

fn checked(state: State<'_>) -> &mut Matrix {
    // SAFETY: userdata of this kind are made by `push`, and live while they are arguments.
    unsafe { &mut *state.check_userdata(1, TYPE) }
}

/// `matrix:close()`: frees the table; it must not be used any more.
fn close(state: State<'_>) -> c_int {
    end(checked(state));
    0
}

fn end(matrix: &mut Matrix) {
    matrix.vm = None;
}

impl Matrix {
    /// The state of a matrix that has not ended.
    fn inner(&self) -> Option<State<'_>> {
        // SAFETY: the services that have the matrix's table only read it. What is done with the state pushes nothing, but for `matrix`,
        // which catches what is raised.
        self.vm.as_ref().map(|vm| unsafe { vm.state() })
    }
}

/// Ends a matrix that was not completed.
fn collect(state: State<'_>) -> c_int {
    let matrix = checked(state);
    if !matrix.ready {
        end(matrix);
    }
    0
}

/// `matrix:getptr()`: the address of the table; nothing after the end.
fn getptr(state: State<'_>) -> c_int {
    let Some(inner) = checked(state).inner() else {
        return 0;
    };
    // A state that is ready has the table at 1.
    state.push_light(inner.to_pointer(1));
    1
}

/// `matrix:state()`: the address of its state, for `used`; nothing after the end.
fn inner_state(state: State<'_>) -> c_int {
    let Some(inner) = checked(state).inner() else {
        return 0;
    };
    state.push_light(inner.raw());
    1
}

/// `matrix:size()`: bytes of memory; 0 after the end.
fn size(state: State<'_>) -> c_int {
    let mut size: lua_Integer = 0;
    if let Some(inner) = checked(state).inner() {
        // SAFETY: both only count.
        let (kilobytes, rest) = unsafe {
            (
                lua_gc(inner.raw(), LUA_GCCOUNT),
                lua_gc(inner.raw(), LUA_GCCOUNTB),
            )
        };
        size = lua_Integer::from(kilobytes) * 1024 + lua_Integer::from(rest);
    }
    state.push_integer(size);
    1
}

fn push(state: State<'_>) -> &mut Matrix {
    let matrix: *mut Matrix = state.push_userdata(0);
    // SAFETY: there is room for it.
    unsafe {
        matrix.write(Matrix {
            vm: None,
            ready: false,
        });
    }
    if state.new_metatable(TYPE) {
        register_methods(state);
    }
    state.set_metatable(-2);
    // SAFETY: it is on the stack, and complete.
    unsafe { &mut *matrix }
}

/// Fills the metatable at the top.
fn register_methods(state: State<'_>) {
    state.create_table(0, METHODS.len() as c_int);
    state.register(METHODS, 0);
    state.set_field(-2, c"__index");
    state.push_function(lua_function!(unsafe collect));
    state.set_field(-2, c"__gc");
}

/// Raises unless argument `arg` can be given to the chunk of a matrix.
fn check_argument(state: State<'_>, arg: c_int) {
    match state.kind(arg) {
        LUA_TBOOLEAN | LUA_TNUMBER | LUA_TLIGHTUSERDATA => {}
        LUA_TFUNCTION => {
            // SAFETY: a function; there is room for its upvalue.
            let plain = unsafe {
                lua_iscfunction(state.raw(), arg) != 0
                    && lua_getupvalue(state.raw(), arg, 1).is_null()
            };
            if !plain {
                state.argument_error(arg, c"Only support light C function");
            }
        }
        _ => {
            state.argument_error(arg, c"Type invalid");
        }
    }
}

/// Pushes argument `arg`, which has been checked, into another state. Raises nothing.
fn pass(from: State<'_>, arg: c_int, to: State<'_>) {
    match from.kind(arg) {
        LUA_TBOOLEAN => to.push_boolean(from.to_boolean(arg)),
        LUA_TNUMBER if from.is_integer(arg) => to.push_integer(from.to_integer(arg)),
        LUA_TNUMBER => to.push_number(from.to_number(arg)),
        LUA_TLIGHTUSERDATA => to.push_light(from.to_userdata(arg)),
        // SAFETY: a function.
        _ => match unsafe { lua_tocfunction(from.raw(), arg) } {
            Some(function) => to.push_function(function),
            None => to.push_boolean(false),
        },
    }
}

/// `matrix(source, ...)`: runs a chunk in a state of its own and shares the table that it returns.
///
/// `source` is Lua source, or `@` and the name of a file. The other arguments go to the chunk: booleans, numbers, light
/// userdata and C functions without upvalues. Raises the error of the chunk, and for what cannot be shared.
pub(super) fn matrix(state: State<'_>) -> c_int {
    let source = Source {
        bytes: state.check_bytes(1),
    };
    let top = state.top();
    for arg in 2..=top {
        check_argument(state, arg);
    }
    let matrix = push(state);
    // SAFETY: the state of this thread.
    matrix.vm = Vm::with_seed(unsafe { seed(state.raw()) });
    let Some(inner) = matrix.inner() else {
        state.error(c"luaL_newstate failed");
    };
    if !inner.try_reserve(top + 1) {
        state.error_with(format_args!("Too many argument {top}"));
    }
    inner.push_function(lua_function!(unsafe load));
    inner.push_light(&raw const source);
    for arg in 2..=top {
        pass(state, arg, inner);
    }
    if inner.protected_call(top, 1, 0) != LUA_OK {
        state.push_bytes(
            inner
                .to_bytes(-1)
                .unwrap_or(b"error object is not a string"),
        );
        end(matrix);
        state.raise();
    }
    matrix.ready = true;
    1
}

/// In the state of a matrix, with a [`Source`] and the arguments of the chunk: the table that the chunk returns, shared.
fn load(state: State<'_>) -> c_int {
    state.open_libraries();
    // SAFETY: `matrix` passes the source, which it keeps; its bytes are those of a string of Lua's, which end with a NUL.
    let status = unsafe {
        let bytes = (*state.to_userdata(1).cast::<Source>()).bytes;
        let text = bytes.as_ptr().cast();
        match bytes {
            [b'@', name @ ..] if !name.contains(&0) => {
                luaL_loadfilex_(state.raw(), name.as_ptr().cast(), ptr::null())
            }
            [b'@', ..] => state.error(c"file name with a zero byte"),
            _ => luaL_loadbufferx(state.raw(), text, bytes.len(), text, ptr::null()),
        }
    };
    if status != LUA_OK {
        state.raise();
    }
    state.replace(1);
    state.call(state.top() - 1, 1);
    // SAFETY: the state is this thread's. What is not in the table goes; then the collector must not see half-shared tables, and has
    // nothing to do after.
    unsafe {
        lua_gc(state.raw(), LUA_GCCOLLECT);
        lua_gc(state.raw(), LUA_GCSTOP);
        state.push_copy(1);
        mark::share(state);
    }
    state.set_top(1);
    1
}
