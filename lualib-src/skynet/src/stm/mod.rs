//! The module `skynet.stm`: a value that one service writes and others read as often as they like, without messages.
//!
//! The value is serialised bytes. The writer makes copies of its *address*, which travel in messages; each becomes one
//! reader.

mod cell;

use std::ffi::CStr;
use std::ptr;

use libc::{c_int, c_void};
use mlua_sys::{LUA_MULTRET, LUA_TFUNCTION, LUA_TLIGHTUSERDATA, lua_Integer};
use skynet_support::{State, lua_functions, lua_module};

use crate::arguments::{address, message};
use crate::sync::Arc;
use crate::{Entry, userdata};
use cell::{Cell, Seen, Version};

const FUNCTIONS: &[Entry] =
    lua_functions!(unsafe {c"new" => new, c"copy" => copy, c"newcopy" => newcopy});

const METAMETHODS_OF_WRITER: &[Entry] = lua_functions!(unsafe {
    c"__call" => write,
    c"__gc" => delete_writer,
});

const METAMETHODS_OF_READER: &[Entry] = lua_functions!(unsafe {
    c"__call" => read,
    c"__gc" => delete_reader,
});

const WRITER: &CStr = c"skynet.stm.writer";
const READER: &CStr = c"skynet.stm.reader";

lua_module!(unsafe luaopen_skynet_stm => fn open);

/// Opens the module: pushes its table.
fn open(state: State<'_>) -> c_int {
    state.push_module(FUNCTIONS);
    metatable(state, WRITER, METAMETHODS_OF_WRITER);
    metatable(state, READER, METAMETHODS_OF_READER);
    1
}

/// Makes the metatable of `kind`.
fn metatable(state: State<'_>, kind: &CStr, methods: &[Entry]) {
    state.new_metatable(kind);
    state.register(methods, 0);
    state.pop(1);
}

/// The writer in Lua. Null until it has a cell, and after its end.
struct Writer {
    cell: *const Cell,
}

/// A reader in Lua: references to the cell and to the version that it has read last, null for none.
struct Reader {
    cell: *const Cell,
    held: *const Version,
}

/// A version of the message in `arg` and `arg + 1`, which it takes over, or of a copy of the string in `arg`; a full userdata
/// is memory of Lua, which nobody may take over. A raw reference, so that it may outlive an error.
fn version(state: State<'_>, arg: c_int) -> *const Version {
    let (data, size): (*mut c_void, usize) = match state.kind(arg) {
        LUA_TLIGHTUSERDATA => message(state, arg),
        _ => {
            let text = state.check_bytes(arg);
            let data = cell::copied(text);
            if data.is_null() {
                state.error(c"not enough memory");
            }
            (data, text.len())
        }
    };
    Arc::into_raw(Version::new(data, size))
}

/// `new(string)` or `new(message, size)`, whose message is taken over: a writer. Calling the writer with the same
/// arguments replaces the value; when it is collected, its readers get no more versions.
fn new(state: State<'_>) -> c_int {
    state.set_top(2);
    let cell = ptr::null();
    let writer = userdata::push(state, WRITER, Writer { cell });
    let first = version(state, 1);
    // SAFETY: the reference is this function's; the writer, which is on the stack, takes the cell over before anything raises.
    unsafe { (*writer).cell = cell::into_address(Cell::new(Arc::from_raw(first))) };
    1
}

fn checked<'a, T>(state: State<'a>, kind: &CStr) -> &'a mut T {
    // SAFETY: objects of this kind are made by `userdata::push`, of a `T`, and live while they are arguments.
    unsafe { &mut *state.check_userdata(1, kind) }
}

/// The cell of a writer or a reader.
fn cell_of<'a>(state: State<'a>, cell: *const Cell) -> &'a Cell {
    if cell.is_null() {
        state.argument_error(1, c"the object is closed");
    }
    // SAFETY: who has a cell holds a reference to it.
    unsafe { &*cell }
}

/// `writer(string)` or `writer(message, size)`, whose message is taken over: replaces the value.
fn write(state: State<'_>) -> c_int {
    let cell = cell_of(state, checked::<Writer>(state, WRITER).cell);
    let version = version(state, 2);
    // SAFETY: the reference is this function's.
    cell.write(Some(unsafe { Arc::from_raw(version) }));
    0
}

/// `copy(writer)`: the address of the value, for one call of [`newcopy`] in any service of the node.
fn copy(state: State<'_>) -> c_int {
    let cell: *const Cell = cell_of(state, checked::<Writer>(state, WRITER).cell);
    // SAFETY: the reference of the writer, which is doubled.
    let own = std::mem::ManuallyDrop::new(unsafe { cell::from_address(cell) });
    let handed = cell::into_address(Arc::clone(&own));
    state.push_light(handed);
    1
}

/// `newcopy(address)`: a reader, which takes the address over.
fn newcopy(state: State<'_>) -> c_int {
    let handed = address::<Cell>(state, 1);
    let reader = userdata::push(
        state,
        READER,
        Reader {
            cell: ptr::null(),
            held: ptr::null(),
        },
    );
    // SAFETY: the reader is on the stack. Nothing raises after the address, with its reference, is taken.
    unsafe { (*reader).cell = handed };
    1
}

/// `reader(function [, value])`: if there is another version than at the last call, true and what
/// `function(message, size, value)` returns; otherwise false. The message is readable until the next call of this reader.
fn read(state: State<'_>) -> c_int {
    let reader = checked::<Reader>(state, READER);
    let cell = cell_of(state, reader.cell);
    state.check_kind(2, LUA_TFUNCTION);
    // SAFETY: the reader is one that `newcopy` has made.
    let Some((data, size)) = (unsafe { next(reader, cell) }) else {
        state.push_boolean(false);
        return 1;
    };
    state.set_top(3);
    state.push_boolean(true);
    state.push_copy(2);
    state.push_light(data);
    state.push_integer(size as lua_Integer);
    state.push_copy(3);
    state.call(3, LUA_MULTRET);
    state.top() - 3
}

/// Moves the reader on: the bytes of the version that is new to it.
///
/// # Safety
/// The reader owns the reference that `held` is.
unsafe fn next(reader: &mut Reader, cell: &Cell) -> Option<(*mut c_void, usize)> {
    // SAFETY: contract of this function; the reference is given back here if there is another version.
    unsafe {
        let held = (!reader.held.is_null()).then(|| Arc::from_raw(reader.held));
        let (now, fresh) = match cell.look(held.as_ref()) {
            Seen::Same => (held, false),
            Seen::New(version) => (Some(version), true),
            Seen::Gone => (None, false),
        };
        let bytes = now.as_ref().map(|version| version.bytes());
        reader.held = now.map_or(ptr::null(), Arc::into_raw);
        bytes.filter(|_| fresh)
    }
}

fn delete_writer(state: State<'_>) -> c_int {
    let writer = checked::<Writer>(state, WRITER);
    let cell = std::mem::replace(&mut writer.cell, ptr::null());
    if !cell.is_null() {
        // SAFETY: the reference is given back once.
        unsafe { cell::from_address(cell) }.write(None);
    }
    0
}

fn delete_reader(state: State<'_>) -> c_int {
    let reader = checked::<Reader>(state, READER);
    let cell = std::mem::replace(&mut reader.cell, ptr::null());
    let held = std::mem::replace(&mut reader.held, ptr::null());
    // SAFETY: the references are given back once.
    unsafe {
        if !held.is_null() {
            drop(Arc::from_raw(held));
        }
        if !cell.is_null() {
            drop(cell::from_address(cell));
        }
    }
    0
}
