//! Packing values where they are, by `lview.h`: one call for a value, and nothing on the stack but tables.

use std::mem::MaybeUninit;
use std::ptr;
use std::slice;

use libc::{c_int, c_void};
use mlua_sys::{LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TSTRING, LUA_TTABLE, lua_Integer};
use skynet_support::State;

use super::in_place::{FALSE, FLOAT, Functions, INTEGER, TRUE, View};
use super::pack::{
    Failure, MAX_DEPTH, STACK, begin_table, by_metamethod, find_pairs, integer, string,
    value as on_stack,
};
use super::scratch::Writer;
use super::{BOOLEAN, NIL, NUMBER, POINTER, head, number};

/// The usual arguments of `unpack`, a light userdata and a size of 0 to 2 GiB. `None` for all others.
#[inline(always)]
pub(super) fn block(state: State<'_>, lua: &Functions) -> Option<(*const u8, usize)> {
    let (mut block, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the state is the running one; it looks at the arguments.
    if unsafe { (lua.view_block)(state.raw(), &mut block, &mut size) } == 0 {
        return None;
    }
    let size = c_int::try_from(size).ok()?;
    Some((block.cast(), usize::try_from(size).ok()?))
}

/// Packs the arguments 1 to `count` of the running function.
///
/// # Safety
/// There are so many.
pub(super) unsafe fn arguments(
    state: State<'_>,
    lua: &Functions,
    writer: &mut Writer,
    count: c_int,
) -> Result<(), Failure> {
    for index in 1..=count {
        // SAFETY: the argument exists and stays where it is while it is packed.
        unsafe {
            let mut view = MaybeUninit::uninit();
            (lua.view)(state.raw(), index, view.as_mut_ptr());
            value(state, lua, writer, view.assume_init_ref(), 0)?;
        }
    }
    Ok(())
}

/// Packs what `view` shows. It need not be alive any more when the next metamethod runs.
///
/// # Safety
/// `view` was filled by a function of `lua`, and what it shows is alive.
#[inline(always)]
unsafe fn value(
    state: State<'_>,
    lua: &Functions,
    writer: &mut Writer,
    view: &View,
    depth: u32,
) -> Result<(), Failure> {
    if depth > MAX_DEPTH {
        return Err(Failure::TooDeep);
    }
    // SAFETY: contract of this function; `kind` tells which field of the union was written. A text is copied before anything else runs.
    unsafe {
        match view.kind {
            INTEGER => integer(writer, view.body.integer)?,
            FLOAT => writer.headed(head(NUMBER, number::REAL), view.body.float.to_ne_bytes())?,
            LUA_TSTRING => {
                let text = slice::from_raw_parts(view.body.text.cast(), view.len);
                string(writer, text)?;
            }
            FALSE => writer.byte(head(BOOLEAN, 0))?,
            TRUE => writer.byte(head(BOOLEAN, 1))?,
            LUA_TNIL => writer.byte(head(NIL, 0))?,
            LUA_TTABLE => table(state, lua, writer, view.body.table, depth + 1)?,
            LUA_TLIGHTUSERDATA => {
                let pointer = view.body.pointer as usize;
                writer.headed(head(POINTER, 0), pointer.to_ne_bytes())?;
            }
            kind => return Err(Failure::Unsupported(kind)),
        }
    }
    Ok(())
}

/// Packs a table; its values are at `depth`.
///
/// # Safety
/// `table` is a table of the VM of `state` that is alive.
unsafe fn table(
    state: State<'_>,
    lua: &Functions,
    writer: &mut Writer,
    table: *const c_void,
    depth: u32,
) -> Result<(), Failure> {
    // SAFETY: contract of this function: the table is alive when this begins, and on the stack from then on. What metamethods of values in it do to it
    // is harmless: `index` and `next` look at the table as it is then, and the views of before are not used any more.
    unsafe {
        if !state.try_reserve(STACK) {
            return Err(Failure::StackOverflow);
        }
        let (mut length, mut next) = (0, 0);
        let has_metatable = (lua.view_table)(state.raw(), table, &mut length, &mut next) != 0;
        if has_metatable && find_pairs(state, writer, -1) {
            let index = state.absolute(-2);
            by_metamethod(state, writer, index, depth)?;
            state.set_top(-2);
            return Ok(());
        }
        begin_table(writer, length)?;
        let mut key = MaybeUninit::uninit();
        let mut body = MaybeUninit::uninit();
        for index in 1..=length {
            (lua.view_index)(table, index as lua_Integer, body.as_mut_ptr());
            value(state, lua, writer, body.assume_init_ref(), depth)?;
        }
        while (lua.view_next)(table, &mut next, key.as_mut_ptr(), body.as_mut_ptr()) != 0 {
            let key = key.assume_init_ref();
            if key.kind == INTEGER && (1..=length as lua_Integer).contains(&key.body.integer) {
                continue;
            }
            if key.kind == LUA_TTABLE {
                // It may have a metamethod that ends the life of the value.
                pair_of_table(state, lua, writer, key.body.table, depth)?;
                continue;
            }
            value(state, lua, writer, key, depth)?;
            value(state, lua, writer, body.assume_init_ref(), depth)?;
        }
        state.set_top(-2);
    }
    writer.byte(head(NIL, 0))?;
    Ok(())
}

/// Packs a key that is a table, and its value in the table at the top of the stack, both by way of the stack.
///
/// # Safety
/// `key` is a key of the table at the top of the stack, and alive; there is room for `STACK` values.
#[cold]
unsafe fn pair_of_table(
    state: State<'_>,
    lua: &Functions,
    writer: &mut Writer,
    key: *const c_void,
    depth: u32,
) -> Result<(), Failure> {
    // SAFETY: contract of this function; key and value stay on it while they are packed.
    unsafe {
        let (mut length, mut next) = (0, 0);
        (lua.view_table)(state.raw(), key, &mut length, &mut next);
        state.push_copy(-1);
        state.raw_get(-3);
        on_stack(state, writer, -2, LUA_TTABLE, depth)?;
        on_stack(state, writer, -1, state.kind(-1), depth)?;
        state.set_top(-3);
    }
    Ok(())
}
