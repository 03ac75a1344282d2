//! The module `skynet.http.core`: header fields of HTTP messages, between text and tables, and a check of UTF-8. The Lua
//! layer does the same by itself where this module is missing (`http/fields.lua`), an order of magnitude slower. And what Lua cannot
//! do: open a file without following links.

pub mod file;
pub mod line;

use std::ffi::CStr;
use std::fs::File;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::slice;

use libc::{c_char, c_int};
use mlua_sys::{
    LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua_Integer, luaL_Buffer, luaL_buffinitsize,
    luaL_pushresultsize,
};
use skynet_support::bytes::push_written;
use skynet_support::{State, lua_functions, lua_module};

use crate::{Entry, userdata};
use line::{Line, Sender};

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"find_end" => find_end,
    c"open" => open_file,
    c"read_fields" => read_fields,
    c"utf8" => utf8,
    c"write_fields" => write_fields,
});

const FILE: &CStr = c"skynet.http.file";
const FILE_METHODS: &[Entry] = lua_functions!(unsafe {
    c"read" => read_file,
    c"close" => close_file,
    c"__close" => close_file,
    c"__gc" => close_file,
});

lua_module!(unsafe luaopen_skynet_http_core => fn open);

/// Opens the module: pushes its table.
fn open(state: State<'_>) -> c_int {
    state.push_module(FUNCTIONS);
    state.new_metatable(FILE);
    state.register(FILE_METHODS, 0);
    state.push_copy(-1);
    state.set_field(-2, c"__index");
    state.pop(1);
    1
}

/// `find_end(text, position)`: where the empty line that ends a header begins, and where what follows begins; nothing
/// when there is none. The header begins at `position`, and not with an empty line.
fn find_end(state: State<'_>) -> c_int {
    let (text, position) = (state.check_bytes(1), position(state, 2));
    let Some((empty, behind)) = line::end(text.get(position..).unwrap_or_default()) else {
        return 0;
    };
    state.push_integer((position + empty + 1) as lua_Integer);
    state.push_integer((position + behind + 1) as lua_Integer);
    2
}

/// `utf8(text [, more])`: whether it is UTF-8 by RFC 3629: 0, or false. With `more` it may end inside of a character: the
/// number of bytes of that, which have to be looked at again with what follows.
fn utf8(state: State<'_>) -> c_int {
    let text = state.check_bytes(1);
    let more = state.to_boolean(2);
    match str::from_utf8(text) {
        Ok(_) => state.push_integer(0),
        Err(error) if more && error.error_len().is_none() => {
            state.push_integer((text.len() - error.valid_up_to()) as lua_Integer)
        }
        Err(_) => state.push_boolean(false),
    }
    1
}

/// A file in a userdata; none once it is closed.
type Slot = ManuallyDrop<Option<File>>;

/// `open(folder, path)`: what a path leads to in a folder: an open file, its bytes, and the time of its last change in nanoseconds
/// since 1970; "folder"; or nothing when there is no such one in the folder, see [`file::open`]; nil and why when that cannot be known.
/// It waits for the disk.
fn open_file(state: State<'_>) -> c_int {
    let (folder, path) = (state.check_bytes(1), state.check_bytes(2));
    // First, as it may raise: the file would stay open.
    let slot = userdata::push::<Slot>(state, FILE, ManuallyDrop::new(None));
    let facts = match file::open(folder, path) {
        Err(problem) => {
            let code = problem.raw_os_error().unwrap_or_default();
            drop(problem); // before anything raises
            return push_problem(state, code);
        }
        Ok(None) => return 0,
        Ok(Some(file::Found::Folder)) => {
            state.push_bytes(b"folder");
            return 1;
        }
        Ok(Some(file::Found::File(file, facts))) => {
            // SAFETY: the userdata is on the stack, and nothing else refers to what is in it.
            unsafe { **slot = Some(file) };
            facts
        }
    };
    state.push_integer(lua_Integer::try_from(facts.size).unwrap_or(lua_Integer::MAX));
    state.push_integer(facts.changed);
    3
}

/// Pushes nil and what an error of the system says. Their number.
fn push_problem(state: State<'_>, code: c_int) -> c_int {
    let mut words = [0_u8; 128];
    // SAFETY: room as told; the text ends with a zero, and lives while it is pushed.
    unsafe { libc::strerror_r(code, words.as_mut_ptr().cast(), words.len() - 1) };
    let text = CStr::from_bytes_until_nul(&words).unwrap_or(c"an unknown error");
    state.push_nil();
    state.push_text(text);
    2
}

fn slot(state: State<'_>) -> &mut Slot {
    // SAFETY: userdata of this kind are made by `open_file`, and live while they are arguments.
    unsafe { &mut *state.check_userdata(1, FILE) }
}

/// `file:read(from, count)`: as many bytes from a place on, counted from 0; fewer at the end of the file. nil when it cannot be read, or
/// is closed. It waits for the disk.
fn read_file(state: State<'_>) -> c_int {
    let Some(file) = (**slot(state)).as_ref() else {
        return 0;
    };
    let from = u64::try_from(state.check_integer(2));
    let count = usize::try_from(state.check_integer(3));
    let (Ok(from), Ok(count)) = (from, count) else {
        return 0;
    };
    match push_written(state, count, |block| file::read(file, from, block).ok()) {
        Some(()) => 1,
        None => 0,
    }
}

/// `file:close()`
fn close_file(state: State<'_>) -> c_int {
    drop((**slot(state)).take());
    0
}

/// Argument `index`, a position in a string, counted from 0.
fn position(state: State<'_>, index: c_int) -> usize {
    let position = state.check_integer(index);
    match usize::try_from(position.saturating_sub(1)) {
        Ok(position) => position,
        Err(_) => state.argument_error(index, c"position out of range"),
    }
}

// Arguments of `read_fields`, and the name of the last field.
const HEADER: c_int = 3;
const MOST: c_int = 4;
const LENIENT: c_int = 5;
const NAME: c_int = 6;

/// `read_fields(text, position [, header [, most [, lenient]]])`: puts the fields that begin at `position`, lines each
/// with its end, into the table `header`, or a new one: names in small letters, and a list where a field comes several
/// times. The table; nil when a line is not a field, false when there are more than `most`. `lenient` is for what a
/// server has sent.
fn read_fields(state: State<'_>) -> c_int {
    let text = state.check_bytes(1);
    let position = position(state, 2);
    let mut rest = text.get(position..).unwrap_or_default();
    state.set_top(LENIENT);
    let mut left = state.opt_integer(MOST, lua_Integer::MAX);
    let sender = if state.to_boolean(LENIENT) {
        Sender::Server
    } else {
        Sender::Client
    };
    if state.is_nil(HEADER) {
        // No more than a line has room for: what a stranger sends does not decide the size of a block.
        let lines = rest.iter().filter(|&&byte| byte == b'\n').count();
        state.create_table(0, lines.min(64) as c_int);
        state.replace(HEADER);
    }
    state.check_kind(HEADER, LUA_TTABLE);
    state.push_nil();
    while !rest.is_empty() {
        let (line, following) = line::split(rest);
        rest = following;
        left = left.saturating_sub(1);
        if left < 0 {
            state.push_boolean(false);
            return 1;
        }
        match line::parse(line, sender) {
            Some(Line::Field { name, value }) => add(state, name, value),
            Some(Line::More(more)) if !state.is_nil(NAME) => extend(state, more),
            _ => return 0,
        }
    }
    state.set_top(HEADER);
    1
}

/// Adds a field to the header, and makes it the last one.
fn add(state: State<'_>, name: &[u8], value: &[u8]) {
    push_written(state, name.len(), |small| {
        for (to, from) in small.iter_mut().zip(name) {
            *to = from.to_ascii_lowercase();
        }
        Some(name.len())
    });
    state.replace(NAME);
    state.push_copy(NAME);
    match state.get_table(HEADER) {
        LUA_TNIL => {
            state.pop(1);
            state.push_copy(NAME);
            state.push_bytes(value);
            state.set_table(HEADER);
        }
        LUA_TTABLE => {
            state.push_bytes(value);
            state.set_i(-2, state.raw_len(-2) as i64 + 1);
            state.pop(1);
        }
        _ => {
            state.create_table(2, 0);
            state.rotate(-2, 1);
            state.raw_set_i(-2, 1);
            state.push_bytes(value);
            state.raw_set_i(-2, 2);
            state.push_copy(NAME);
            state.rotate(-2, 1);
            state.set_table(HEADER);
        }
    }
}

/// Appends to the value of the last field, behind a blank.
fn extend(state: State<'_>, more: &[u8]) {
    if more.is_empty() {
        return;
    }
    state.push_copy(NAME);
    let list = state.get_table(HEADER) == LUA_TTABLE;
    let last = if list { state.raw_len(-1) } else { 0 } as i64;
    if list {
        state.get_i(-1, last);
    }
    let empty = state.raw_len(-1) == 0;
    state.push_bytes(if empty { b"" } else { b" " });
    state.push_bytes(more);
    state.concat(3);
    if list {
        state.set_i(-2, last);
        state.pop(1);
    } else {
        state.push_copy(NAME);
        state.rotate(-2, 1);
        state.set_table(HEADER);
    }
}

/// Calls `take` with name and value of each field. False when one of them is not plain, or `take` says so.
fn each(state: State<'_>, mut take: impl FnMut(&[u8], &[u8]) -> bool) -> bool {
    state.push_nil();
    while state.next(1) {
        let value = state.kind(-1);
        let plain = state.kind(-2) == LUA_TSTRING && (value == LUA_TSTRING || value == LUA_TNUMBER);
        // Keys are not converted: they are strings already. The value is the copy that `next` has pushed.
        let field = state.to_bytes(-2).zip(state.to_bytes(-1));
        if !plain || !field.is_some_and(|(name, value)| take(name, value)) {
            return false;
        }
        state.pop(1);
    }

    true
}

/// Appends `bytes` to what `len` bytes of `block` hold. False when there is no room.
fn append(block: &mut [u8], len: &mut usize, bytes: &[u8]) -> bool {
    let Some(place) = block
        .get_mut(*len..)
        .and_then(|rest| rest.get_mut(..bytes.len()))
    else {
        return false;
    };
    place.copy_from_slice(bytes);
    *len += bytes.len();
    true
}

/// `write_fields(header, separator)`: the text of the fields, lines each with its end, and whether there are fields of
/// the names Host, Content-Length and Transfer-Encoding. Nothing for a table whose fields are not plain: lists, values
/// other than strings and numbers, line breaks and NUL, names that are none, a metatable.
fn write_fields(state: State<'_>) -> c_int {
    state.check_kind(1, LUA_TTABLE);
    let separator = state.check_bytes(2);
    state.set_top(2);
    if state.get_metatable(1) {
        return 0;
    }
    let (mut size, mut host, mut length, mut coding) = (0, false, false, false);
    let plain = each(state, |name, value| {
        size += name.len() + separator.len() + value.len() + 2;
        match name.len() {
            4 => host |= name.eq_ignore_ascii_case(b"host"),
            14 => length |= name.eq_ignore_ascii_case(b"content-length"),
            17 => coding |= name.eq_ignore_ascii_case(b"transfer-encoding"),
            _ => {}
        }
        line::is_writable_name(name) && line::is_writable_value(value)
    });
    if !plain {
        return 0;
    }
    let mut buffer = MaybeUninit::<luaL_Buffer>::uninit();
    // SAFETY: the block is the buffer's until its result is pushed, and has `size` bytes.
    let block: &mut [u8] = unsafe {
        let block: *mut c_char = luaL_buffinitsize(state.raw(), buffer.as_mut_ptr(), size);
        block.write_bytes(0, size);
        slice::from_raw_parts_mut(block.cast(), size)
    };
    // The table may have changed since its bytes were counted, by a finalizer that ran when a number became a string.
    let mut len = 0;
    let whole = each(state, |name, value| {
        [name, separator, value, b"\r\n"]
            .iter()
            .all(|part| append(block, &mut len, part))
    });
    if !whole {
        return 0;
    }
    // SAFETY: the stack is as it was when the buffer was made.
    unsafe { luaL_pushresultsize(buffer.as_mut_ptr(), len) };
    state.push_boolean(host);
    state.push_boolean(length);
    state.push_boolean(coding);
    4
}
