//! The module `skynet.sharedata.core`: tables that many services read and none changes.
//!
//! The service that makes a sheet ([`new`]) passes the address of its first table to others. Each keeps a box ([`boxed`])
//! that counts as a reference, reads fields with [`index`] and [`nextkey`], where tables inside are addresses again, and
//! notices by [`isdirty`] that there is a newer version.

mod read;
mod sheet;
mod text;

use std::ffi::CStr;
use std::ptr;

use libc::c_int;
use mlua_sys::{
    LUA_MINSTACK, LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TNONE, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE,
    lua_Integer, lua_pushfstring, luaL_error,
};
use skynet_support::{State, lua_function, lua_functions, lua_module};

use crate::Entry;
use read::Unfit;
use sheet::{Key, Sheet, Table, Value};

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    // For the service that makes the data.
    c"new" => new,
    c"delete" => delete,
    c"markdirty" => markdirty,
    c"getref" => getref,
    c"incref" => incref,
    c"decref" => decref,
    // For those who read it.
    c"box" => boxed,
    c"index" => index,
    c"nextkey" => nextkey,
    c"len" => len,
    c"hashlen" => hashlen,
    c"copy" => copy,
    c"isdirty" => isdirty,
    c"needupdate" => needupdate,
    c"update" => update,
});

lua_module!(unsafe luaopen_skynet_sharedata_core => FUNCTIONS);

/// The table in argument `arg`.
#[inline]
fn table(state: State<'_>, arg: c_int) -> &Table {
    let table: *const Table = state.to_userdata(arg).cast();
    if table.is_null() || state.kind(arg) != LUA_TLIGHTUSERDATA {
        state.error(c"Need a conf object");
    }
    // SAFETY: an address comes from `new` or `index`; who passes one on has a reference.
    unsafe { &*table }
}

/// `new(table)`: the address of a copy of it, which has no references yet.
///
/// Keys are integers or strings; values are numbers, strings, booleans and tables. Anything else raises.
fn new(state: State<'_>) -> c_int {
    state.check_kind(1, LUA_TTABLE);
    // An address or plain data, before anything raises.
    match read::read(state, 1).map(|sheet| Box::leak(sheet).root()) {
        Ok(root) => state.push_light(root),
        Err(unfit) => refuse(state, unfit),
    }
    1
}

/// Raises the error; without a position, as the text is what programs look at.
#[cold]
fn refuse(state: State<'_>, unfit: Unfit) -> ! {
    state.set_top(0);
    match unfit {
        Unfit::KeyType(kind) => {
            state.push_text(c"Invalid key type ");
            state.push_bytes(state.type_name(kind).as_bytes());
            state.concat(2);
        }
        Unfit::ValueType(kind) => {
            state.push_text(c"Unsupport value type ");
            state.push_bytes(state.type_name(kind).as_bytes());
            state.concat(2);
        }
        Unfit::RealKey(key) => {
            // SAFETY: a number, as the format has it.
            unsafe { lua_pushfstring(state.raw(), c"Invalid key %f".as_ptr(), key) };
        }
        Unfit::Endless => state.push_text(c"a table contains itself"),
        Unfit::TooDeep => state.push_text(c"stack overflow"),
        Unfit::OutOfMemory => state.push_text(c"not enough memory"),
    }
    state.raise()
}

/// `delete(table)`: frees all of it. There must be no reference to it.
fn delete(state: State<'_>) -> c_int {
    let sheet = ptr::from_ref(table(state, 1).sheet()).cast_mut();
    // SAFETY: it was leaked by `new`, and who deletes it says that there is no reference.
    drop(unsafe { Box::from_raw(sheet) });
    0
}

/// `markdirty(table)`: tells all readers that there is a newer version.
fn markdirty(state: State<'_>) -> c_int {
    table(state, 1).sheet().mark_dirty();
    0
}

/// `isdirty(table)`: whether there is a newer version.
fn isdirty(state: State<'_>) -> c_int {
    state.push_boolean(table(state, 1).sheet().is_dirty());
    1
}

fn count(state: State<'_>, change: fn(&Sheet) -> i32) -> c_int {
    state.push_integer(change(table(state, 1).sheet()).into());
    1
}

/// `getref(table)`: number of references.
fn getref(state: State<'_>) -> c_int {
    count(state, Sheet::references)
}

/// `incref(table)`: one reference more; their number.
fn incref(state: State<'_>) -> c_int {
    count(state, Sheet::acquire)
}

/// `decref(table)`: one reference less; their number.
fn decref(state: State<'_>) -> c_int {
    count(state, Sheet::release)
}

/// `len(table)`: values of 1, 2, ...
fn len(state: State<'_>) -> c_int {
    state.push_integer(table(state, 1).array().len() as lua_Integer);
    1
}

/// `hashlen(table)`: all other keys.
fn hashlen(state: State<'_>) -> c_int {
    state.push_integer(table(state, 1).hashed() as lua_Integer);
    1
}

fn push_key(state: State<'_>, key: Key) {
    match key {
        Key::Integer(key) => state.push_integer(key),
        // SAFETY: the sheet keeps its texts.
        Key::Text(text) => state.push_bytes(unsafe { text.bytes() }),
    }
}

#[inline]
fn push_value(state: State<'_>, table: &Table, value: Value) {
    match value {
        Value::Nil => state.push_nil(),
        Value::Boolean(value) => state.push_boolean(value),
        Value::Integer(value) => state.push_integer(value),
        Value::Real(value) => state.push_number(value),
        // SAFETY: the sheet keeps its texts.
        Value::Text(text) => state.push_bytes(unsafe { text.bytes() }),
        Value::Table(number) => state.push_light(table.sheet().table(number)),
    }
}

/// The string in argument 2. Raises for anything but a string or a number.
#[inline]
fn string(state: State<'_>, kind: c_int) -> &[u8] {
    match kind {
        LUA_TSTRING => state.to_bytes(2).unwrap_or_default(),
        _ => state.check_bytes(2),
    }
}

/// Place of an integer key in the array.
#[inline]
fn place(table: &Table, key: lua_Integer) -> Option<usize> {
    let place = usize::try_from(key).ok()?.checked_sub(1)?;
    (place < table.array().len()).then_some(place)
}

/// `index(table, key)`: the value, the address of a table; nothing if there is none.
fn index(state: State<'_>) -> c_int {
    let table = table(state, 1);
    let node = match state.kind(2) {
        LUA_TNIL => return 0,
        LUA_TNUMBER => {
            if !state.is_integer(2) {
                let key = state.to_number(2);
                // SAFETY: a number, as the format has it.
                return unsafe { luaL_error(state.raw(), c"Invalid key %f".as_ptr(), key) };
            }
            let key = state.to_integer(2);
            if let Some(place) = place(table, key) {
                push_value(state, table, table.array()[place]);
                return 1;
            }
            table.find_integer(key)
        }
        kind => table.find_text(string(state, kind)),
    };
    let Some(node) = node else {
        return 0;
    };
    push_value(state, table, table.value(node));
    1
}

/// `nextkey(table, key)`: the key that follows, the first one for nil; nothing after the last.
fn nextkey(state: State<'_>) -> c_int {
    let table = table(state, 1);
    // Either a place of the array at which to go on, or the number of a node.
    let (from, node) = match state.kind(2) {
        LUA_TNIL | LUA_TNONE => (Some(0), 0),
        LUA_TNUMBER => {
            if !state.is_integer(2) {
                return 0;
            }
            let key = state.to_integer(2);
            match place(table, key) {
                Some(place) => (Some(place + 1), 0),
                None => match table.find_integer(key) {
                    Some(node) => (None, node + 1),
                    None => return 0,
                },
            }
        }
        kind => match table.find_text(string(state, kind)) {
            Some(node) => (None, node + 1),
            None => return 0,
        },
    };
    if let Some(from) = from {
        let rest = &table.array()[from..];
        let is_set = |value: &Value| !matches!(value, Value::Nil);
        if let Some(skipped) = rest.iter().position(is_set) {
            state.push_integer((from + skipped + 1) as lua_Integer);
            return 1;
        }
    }
    match table.key(node) {
        Some(key) => push_key(state, key),
        None => return 0,
    }
    1
}

/// Stack slots that a level of nesting takes: the copy so far, the key of the table in it that is copied now, and where to
/// go on after that (place and table).
const SLOTS: c_int = 4;

/// `copy(table)`: a plain table with the same contents, tables in it included. Not in skynet, where Lua code does it. All that has
/// to be kept is on Lua's stack, so however deep the data is, there is an error at worst.
fn copy(state: State<'_>) -> c_int {
    let root = table(state, 1);
    let (mut source, mut place) = (root, 0_usize);
    push_empty(state, source);
    loop {
        let array = source.array();
        let key = match place.checked_sub(array.len()) {
            None => Some(Key::Integer(place as lua_Integer + 1)),
            Some(node) => source.key(node),
        };
        let Some(key) = key else {
            // The copy at the top is complete.
            if ptr::eq(source, root) && state.top() == 2 {
                return 1;
            }
            place = state.to_integer(-3) as usize;
            // SAFETY: a table of the same sheet, from below.
            source = unsafe { &*state.to_userdata(-2).cast::<Table>() };
            state.copy(-1, -3);
            state.set_top(-3);
            state.raw_set(-3);
            continue;
        };
        let value = match array.get(place) {
            Some(value) => *value,
            None => source.value(place - array.len()),
        };
        place += 1;
        match value {
            Value::Nil => {}
            Value::Table(number) => {
                state.reserve(SLOTS + LUA_MINSTACK);
                push_key(state, key);
                state.push_integer(place as lua_Integer);
                state.push_light(ptr::from_ref(source));
                // SAFETY: the tables of a sheet live as long as it.
                (source, place) = (unsafe { &*source.sheet().table(number) }, 0);
                push_empty(state, source);
            }
            _ => {
                push_key(state, key);
                push_value(state, source, value);
                state.raw_set(-3);
            }
        }
    }
}

/// Pushes a table that has room for what is in this one.
fn push_empty(state: State<'_>, table: &Table) {
    let room = |count: usize| c_int::try_from(count).unwrap_or(c_int::MAX);
    state.create_table(room(table.array().len()), room(table.hashed()))
}

const BOX: &CStr = c"confctrl";

/// A reference to a sheet that the garbage collector gives back.
struct Held {
    /// Null before it counts, and after.
    root: *const Table,
    /// What replaces it; null for nothing yet.
    newer: *const Table,
}

/// `box(table)`: a userdata that counts as a reference.
fn boxed(state: State<'_>) -> c_int {
    let root = table(state, 1);
    let held: *mut Held = state.push_userdata(1);
    // SAFETY: there is room for it.
    unsafe {
        held.write(Held {
            root: ptr::null(),
            newer: ptr::null(),
        });
    }
    if state.new_metatable(BOX) {
        state.push_function(lua_function!(unsafe unbox));
        state.set_field(-2, c"__gc");
    }
    state.set_metatable(-2);
    // Nothing raises any more.
    root.sheet().acquire();
    // SAFETY: it is on the stack.
    unsafe { (*held).root = root };
    1
}

fn held(state: State<'_>) -> &mut Held {
    // SAFETY: userdata of this kind are made by `boxed`, and live while they are arguments.
    unsafe { &mut *state.check_userdata(1, BOX) }
}

fn unbox(state: State<'_>) -> c_int {
    let held = held(state);
    let root = std::mem::replace(&mut held.root, ptr::null());
    held.newer = ptr::null();
    if !root.is_null() {
        // SAFETY: the reference has kept the sheet alive.
        unsafe { &*root }.sheet().release();
    }
    0
}

/// `update(box, table, value)`: what replaces the data of the box, and a value that comes with it.
fn update(state: State<'_>) -> c_int {
    let held = held(state);
    state.check_kind(2, LUA_TLIGHTUSERDATA);
    state.check_kind(3, LUA_TTABLE);
    let newer: *const Table = table(state, 2);
    if held.root == newer {
        state.error(c"You should update a new object");
    }
    state.set_top(3);
    state.set_user_value(1, 1);
    held.newer = newer;
    0
}

/// `needupdate(box)`: table and value of the last [`update`]; nothing if there was none.
fn needupdate(state: State<'_>) -> c_int {
    let newer = held(state).newer;
    if newer.is_null() {
        return 0;
    }
    state.push_light(newer);
    state.get_user_value(1, 1);
    2
}
