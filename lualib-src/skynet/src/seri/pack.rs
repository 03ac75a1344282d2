//! Lua values to bytes.

use libc::{c_int, c_void};
use mlua_sys::{
    LUA_OK, LUA_TBOOLEAN, LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE,
    lua_Integer,
};
use skynet_support::State;

use super::in_place::{Functions, functions};
use super::scratch::{OutOfMemory, Writer};
use super::view;
use super::{BOOLEAN, LONG, LONG_ARRAY, NIL, NUMBER, POINTER, SHORT, TABLE, head, number};
use crate::block::Block;

/// Tables within tables, at most.
pub(super) const MAX_DEPTH: u32 = 32;
/// Free places on Lua's stack that a table needs (LUA_MINSTACK).
pub(super) const STACK: c_int = 20;
/// Array values that are on the stack at once.
const CHUNK: usize = 8;

pub(super) enum Failure {
    TooDeep,
    /// A value of this Lua type has no serialised form.
    Unsupported(c_int),
    OutOfMemory,
    StackOverflow,
    /// A metamethod failed; its error is on the stack.
    Raised,
}

impl From<OutOfMemory> for Failure {
    fn from(_: OutOfMemory) -> Failure {
        Failure::OutOfMemory
    }
}

/// `skynet.pack(...)`: a light userdata (a block of the C allocator) and its size.
pub fn pack(state: State<'_>) -> c_int {
    let writer = arguments(state, functions());
    let bytes = writer.bytes();
    let size = bytes.len();
    let block: *mut c_void = match writer.give() {
        Some(block) => block.cast(),
        None => {
            let Ok(block) = Block::copy_of(bytes) else {
                raise(state, &Failure::OutOfMemory);
            };
            writer.close();
            block.into_raw().0
        }
    };
    // Neither of the two can raise: the block has an owner.
    state.push_light(block);
    state.push_integer(size as lua_Integer);
    2
}

/// `skynet.packstring(...)`: the same as a string.
pub fn packstring(state: State<'_>) -> c_int {
    string_of_arguments(state, functions())
}

pub(super) fn string_of_arguments(state: State<'_>, lua: Option<&Functions>) -> c_int {
    let writer = arguments(state, lua);
    state.push_bytes(writer.bytes());
    writer.close();
    1
}

/// The arguments as bytes. Raises with the writer, which is plain data.
fn arguments(state: State<'_>, lua: Option<&Functions>) -> Writer {
    let mut writer = Writer::open();
    let count = state.top();
    let packed = match lua {
        // SAFETY: there are so many arguments.
        Some(lua) => unsafe { view::arguments(state, lua, &mut writer, count) },
        None => {
            (1..=count).try_for_each(|index| value(state, &mut writer, index, state.kind(index), 0))
        }
    };
    if let Err(failure) = packed {
        raise(state, &failure);
    }
    if c_int::try_from(writer.bytes().len()).is_err() {
        state.error(c"serialize can't pack more than 2G");
    }
    writer
}

#[cold]
fn raise(state: State<'_>, failure: &Failure) -> ! {
    match *failure {
        Failure::TooDeep => state.error(c"serialize can't pack too depth table"),
        Failure::Unsupported(kind) => {
            let kind = state.type_name(kind);
            state.error_with(format_args!("Unsupport type {kind} to serialize"))
        }
        Failure::OutOfMemory => state.error(c"not enough memory"),
        Failure::StackOverflow => state.error(c"out of memory"),
        Failure::Raised => state.raise(),
    }
}

/// Packs the value at `index`, which is of type `ty`. A string stays on the stack while it is copied.
#[inline(always)]
pub(super) fn value(
    state: State<'_>,
    writer: &mut Writer,
    index: c_int,
    ty: c_int,
    depth: u32,
) -> Result<(), Failure> {
    if depth > MAX_DEPTH {
        return Err(Failure::TooDeep);
    }
    match ty {
        LUA_TNUMBER if state.is_integer(index) => {
            integer(writer, state.to_integer(index))?;
        }
        LUA_TNUMBER => {
            let real = state.to_number(index);
            writer.headed(head(NUMBER, number::REAL), real.to_ne_bytes())?;
        }
        LUA_TSTRING => {
            string(writer, state.to_bytes(index).unwrap_or_default())?;
        }
        LUA_TBOOLEAN => {
            writer.byte(head(BOOLEAN, u8::from(state.to_boolean(index))))?;
        }
        LUA_TNIL => writer.byte(head(NIL, 0))?,
        LUA_TTABLE => table(state, writer, state.absolute(index), depth + 1)?,
        LUA_TLIGHTUSERDATA => {
            let pointer: *mut c_void = state.to_userdata(index);
            writer.headed(head(POINTER, 0), (pointer as usize).to_ne_bytes())?;
        }
        _ => return Err(Failure::Unsupported(ty)),
    }
    Ok(())
}

#[inline(always)]
pub(super) fn integer(writer: &mut Writer, value: lua_Integer) -> Result<(), OutOfMemory> {
    if value == 0 {
        return writer.byte(head(NUMBER, number::ZERO));
    }
    if let Ok(byte) = u8::try_from(value) {
        return writer.headed(head(NUMBER, number::BYTE), [byte]);
    }
    if let Ok(word) = u16::try_from(value) {
        return writer.headed(head(NUMBER, number::WORD), word.to_ne_bytes());
    }
    match i32::try_from(value) {
        Ok(dword) => writer.headed(head(NUMBER, number::DWORD), dword.to_ne_bytes()),
        Err(_) => writer.headed(head(NUMBER, number::QWORD), value.to_ne_bytes()),
    }
}

#[inline(always)]
pub(super) fn string(writer: &mut Writer, text: &[u8]) -> Result<(), Failure> {
    let len = text.len();
    if len < 32 {
        writer.text(head(SHORT, len as u8), [], text)?;
    } else if let Ok(len) = u16::try_from(len) {
        writer.text(head(LONG, 2), len.to_ne_bytes(), text)?;
    } else if let Ok(len) = u32::try_from(len) {
        writer.text(head(LONG, 4), len.to_ne_bytes(), text)?;
    } else {
        return Err(Failure::OutOfMemory);
    }
    Ok(())
}

/// The table at `index`, an absolute one; its values are at `depth`. What raises in here finds nothing to leak.
fn table(state: State<'_>, writer: &mut Writer, index: c_int, depth: u32) -> Result<(), Failure> {
    if !state.try_reserve(STACK) {
        return Err(Failure::StackOverflow);
    }
    if state.get_metatable(index) {
        state.set_top(-2);
        if find_pairs(state, writer, index) {
            return by_metamethod(state, writer, index, depth);
        }
    }
    let length = array(state, writer, index, depth)?;
    state.push_nil();
    while state.next(index) {
        let ty = state.kind(-2);
        if ty == LUA_TNUMBER && length > 0 && state.is_integer(-2) {
            let key = state.to_integer(-2);
            if key > 0 && key as u64 <= length as u64 {
                state.set_top(-2);
                continue;
            }
        }
        value(state, writer, -2, ty, depth)?;
        value(state, writer, -1, state.kind(-1), depth)?;
        state.set_top(-2);
    }
    writer.byte(head(NIL, 0))?;
    Ok(())
}

/// Head of a table whose array part has that length.
#[inline(always)]
pub(super) fn begin_table(writer: &mut Writer, length: usize) -> Result<(), OutOfMemory> {
    if length < usize::from(LONG_ARRAY) {
        return writer.byte(head(TABLE, length as u8));
    }
    writer.byte(head(TABLE, LONG_ARRAY))?;
    integer(writer, length as lua_Integer)
}

/// Pushes the metamethod `__pairs` of the table at `index`, which has a metatable; nothing if there is none.
pub(super) fn find_pairs(state: State<'_>, writer: &mut Writer, index: c_int) -> bool {
    // It makes a string, so the collector may run finalizers, which may pack something.
    writer.suspend();
    let kind = state.get_metafield(index, c"__pairs");
    writer.resume();
    kind != LUA_TNIL
}

/// Head and array part; returns its length. The stack has room for CHUNK values and what a value needs.
fn array(
    state: State<'_>,
    writer: &mut Writer,
    index: c_int,
    depth: u32,
) -> Result<usize, Failure> {
    let length = state.raw_len(index);
    begin_table(writer, length)?;
    let top = state.top();
    let mut next = 1;
    while next <= length {
        let end = length.min(next + CHUNK - 1);
        for place in next..=end {
            let ty = state.raw_get_i(index, place as lua_Integer);
            value(state, writer, -1, ty, depth)?;
        }
        state.set_top(top);
        next = end + 1;
    }
    Ok(length)
}

/// The pairs that the metamethod at the top of the stack produces. It runs in a protected call while the writer is suspended.
pub(super) fn by_metamethod(
    state: State<'_>,
    writer: &mut Writer,
    index: c_int,
    depth: u32,
) -> Result<(), Failure> {
    writer.byte(head(TABLE, 0))?;
    let base = state.top() - 1;
    state.push_copy(index);
    protected(state, writer, 1, 3)?;
    let (step, subject, control) = (base + 1, base + 2, base + 3);
    loop {
        state.push_copy(step);
        state.push_copy(subject);
        state.push_copy(control);
        protected(state, writer, 2, 2)?;
        let ty = state.kind(-2);
        if ty == LUA_TNIL {
            break;
        }
        value(state, writer, -2, ty, depth)?;
        value(state, writer, -1, state.kind(-1), depth)?;
        state.copy(-2, control);
        state.set_top(control);
    }
    state.set_top(base);
    writer.byte(head(NIL, 0))?;
    Ok(())
}

fn protected(
    state: State<'_>,
    writer: &mut Writer,
    arguments: c_int,
    results: c_int,
) -> Result<(), Failure> {
    writer.suspend();
    let status = state.protected_call(arguments, results, 0);
    writer.resume();
    if status == LUA_OK {
        Ok(())
    } else {
        Err(Failure::Raised)
    }
}
