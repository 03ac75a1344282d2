//! Lua tables to messages.

use std::ffi::{CStr, c_int};
use std::ptr;
use std::slice;

use mlua_sys::{
    LUA_TBOOLEAN, LUA_TNIL, LUA_TSTRING, LUA_TTABLE, lua_Integer, lua_State, lua_call, lua_copy,
    lua_getfield, lua_geti, lua_getmetatable, lua_gettop, lua_next, lua_pushlstring, lua_pushnil,
    lua_pushvalue, lua_rawgeti, lua_settop, lua_toboolean, lua_tointegerx, lua_tolstring,
    lua_tonumberx, lua_touserdata, lua_type, lua_typename, lua_upvalueindex, luaL_checkstack,
    luaL_checktype, luaL_error, luaL_getmetafield,
};
use skynet_support::buffer::{Buffer, Limit, Place};

use crate::schema::{Field, Kind, Type};
use crate::wire::{LENGTH, WORD};
use crate::{MAX_DEPTH, check_type};

/// Messages up to this size are built without Lua's memory.
const SMALL: usize = 2048;

/// What an encoded or packed message may have.
pub const LIMIT: Limit = Limit {
    bytes: 0x100_0000,
    message: c"object is too large (>%d)",
};

/// Free places on Lua's stack that a struct needs, with [`CHUNK`] values.
const STACK: c_int = 24;
/// Values that are left on the stack before they are popped together.
const CHUNK: u32 = 8;

/// Values from 0 to this one less are words; others are data.
const INLINE: i32 = 0x7fff;

/// `encode(type, table)`: the message. `type` is what `querytype` or `protocol` returns; with a null pointer, the type of a
/// response without content, the table has to be nil. Fields that the table does not have are left out, what the type does
/// not have is not looked at. Raises an error for a value of another type.
pub unsafe extern "C-unwind" fn encode(state: *mut lua_State) -> c_int {
    let mut place = Place::<SMALL>::new();
    // SAFETY: called by Lua with room for LUA_MINSTACK values; the type is one of a schema that is in use by contract.
    unsafe {
        if lua_touserdata(state, 1).is_null() {
            luaL_checktype(state, 2, LUA_TNIL);
            lua_pushlstring(state, c"".as_ptr(), 0);
            return 1;
        }
        let ty = check_type(state);
        lua_settop(state, 2);
        let mut encoder = Encoder {
            state,
            out: Buffer::new(state, &mut place, &LIMIT, lua_upvalueindex(1)),
        };
        encoder.structure(ty, Source::Table(2), 0);
        let bytes = encoder.out.bytes();
        lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len());
        encoder.out.close();
    }
    1
}

/// Where the values of a struct are; indices on the stack.
#[derive(Clone, Copy)]
enum Source {
    /// A table, or what behaves like one, with the fields by name.
    Table(c_int),
    /// The first two fields.
    Pair(c_int, c_int),
}

/// Where a value stands, for the text of an error: the type that has the field, and the place in the field's array from 1,
/// or 0.
#[derive(Clone, Copy)]
struct Site<'s> {
    ty: &'s Type,
    field: &'s Field,
    index: lua_Integer,
}

struct Encoder<'a> {
    state: *mut lua_State,
    out: Buffer<'a>,
}

impl Encoder<'_> {
    /// Appends a struct.
    unsafe fn structure(&mut self, ty: &Type, source: Source, depth: u32) {
        let state = self.state;
        // SAFETY: the stack has room for STACK values after the check; nothing with a destructor is alive.
        unsafe {
            if depth >= MAX_DEPTH && !ty.fields.is_empty() {
                luaL_error(state, c"The table is too deep".as_ptr());
            }
            luaL_checkstack(state, STACK, ptr::null());
            let start = self.out.len();
            // Room for the words of all fields; it is cut down in the end.
            let head = WORD + WORD * ty.words;
            self.out.room(head).write_bytes(0, head);
            self.out.advance(head);
            let mut at = start + WORD;
            let mut next_tag = 0;
            let top = lua_gettop(state);
            let mut pushed = 0;
            for (place, field) in ty.fields.iter().enumerate() {
                if pushed == CHUNK {
                    lua_settop(state, top);
                    pushed = 0;
                }
                pushed += 1;
                let found = push(state, source, place, field);
                if found == LUA_TNIL {
                    continue;
                }
                let site = Site {
                    ty,
                    field,
                    index: 0,
                };
                let word = if field.is_array {
                    self.array(site, found, depth);
                    0
                } else {
                    self.scalar(site, found, depth)
                };
                let gap = field.tag - next_tag;
                if gap > 0 {
                    let skip = (gap - 1) * 2 + 1;
                    self.out.patch(at, (skip as u16).to_le_bytes());
                    at += WORD;
                }
                next_tag = field.tag + 1;
                self.out.patch(at, word.to_le_bytes());
                at += WORD;
            }
            lua_settop(state, top);
            let words = (at - start) / WORD - 1;
            self.out.patch(start, (words as u16).to_le_bytes());
            self.out.remove(at, start + head - at);
        }
    }

    /// Appends the data of the value at the top of the stack, if it needs any; returns its word.
    #[inline(always)]
    unsafe fn scalar(&mut self, site: Site, found: c_int, depth: u32) -> u16 {
        // SAFETY: the value is at the top; nothing with a destructor is alive.
        unsafe {
            match site.field.kind {
                Kind::Integer | Kind::Decimal(_) => {
                    let value = self.integer(site, found);
                    match i32::try_from(value) {
                        Ok(value @ 0..INLINE) => return ((value + 1) * 2) as u16,
                        Ok(value) => self.data(value.to_le_bytes()),
                        Err(_) => self.data(value.to_le_bytes()),
                    }
                }
                Kind::Boolean => return (u16::from(self.boolean(site, found)) + 1) * 2,
                Kind::Double => {
                    let value = lua_tonumberx(self.state, -1, ptr::null_mut());
                    self.data(value.to_le_bytes());
                }
                Kind::Text | Kind::Binary => self.text(site, found),
                Kind::Struct(ty) => {
                    let index = lua_gettop(self.state);
                    self.nested(&*ty, Source::Table(index), depth);
                }
            }
        }
        0
    }

    /// A piece of data of known size.
    #[inline(always)]
    unsafe fn data<const N: usize>(&mut self, bytes: [u8; N]) {
        // SAFETY: there is room for N + LENGTH bytes.
        unsafe {
            let at = self.out.room(N + LENGTH);
            at.cast::<[u8; LENGTH]>()
                .write_unaligned((N as u32).to_le_bytes());
            at.add(LENGTH).cast::<[u8; N]>().write_unaligned(bytes);
            self.out.advance(N + LENGTH);
        }
    }

    /// A struct as a piece of data.
    unsafe fn nested(&mut self, ty: &Type, source: Source, depth: u32) {
        // SAFETY: as for `structure`.
        unsafe {
            let start = self.open();
            self.structure(ty, source, depth + 1);
            self.close(start);
        }
    }

    /// Begins a piece of data: returns where it begins.
    #[inline(always)]
    unsafe fn open(&mut self) -> usize {
        // SAFETY: nothing with a destructor is alive.
        unsafe { self.out.put([0; LENGTH]) };
        self.out.len()
    }

    #[inline(always)]
    fn close(&mut self, start: usize) {
        let length = (self.out.len() - start) as u32;
        self.out.patch(start - LENGTH, length.to_le_bytes());
    }

    #[inline(always)]
    unsafe fn integer(&mut self, site: Site, found: c_int) -> i64 {
        // SAFETY: the value is at the top.
        unsafe {
            if let Kind::Decimal(factor) = site.field.kind {
                let number = lua_tonumberx(self.state, -1, ptr::null_mut());
                return (number * f64::from(factor)).round() as i64;
            }
            let mut is_integer = 0;
            let value = lua_tointegerx(self.state, -1, &mut is_integer);
            if is_integer == 0 {
                self.mismatch(c"%s.%s[%d] is not an integer (Is a %s)", site, found);
            }
            value
        }
    }

    #[inline(always)]
    unsafe fn boolean(&mut self, site: Site, found: c_int) -> bool {
        // SAFETY: the value is at the top.
        unsafe {
            if found != LUA_TBOOLEAN {
                self.mismatch(c"%s.%s[%d] is not a boolean (Is a %s)", site, found);
            }
            lua_toboolean(self.state, -1) != 0
        }
    }

    #[inline(always)]
    unsafe fn text(&mut self, site: Site, found: c_int) {
        // SAFETY: the value is at the top and stays there.
        unsafe {
            if found != LUA_TSTRING {
                self.mismatch(c"%s.%s[%d] is not a string (Is a %s)", site, found);
            }
            let mut len = 0;
            let text: *const u8 = lua_tolstring(self.state, -1, &mut len).cast();
            // A length that does not fit is more than the buffer takes.
            self.out.put((len as u32).to_le_bytes());
            self.out.extend(slice::from_raw_parts(text, len));
        }
    }

    #[cold]
    unsafe fn mismatch(&self, text: &CStr, site: Site, found: c_int) {
        // SAFETY: raises; nothing on the way has a destructor. The text wants two strings, an int and a string.
        unsafe {
            luaL_error(
                self.state,
                text.as_ptr(),
                site.ty.name.as_ptr(),
                site.field.name.as_ptr(),
                site.index as c_int,
                lua_typename(self.state, found),
            );
        }
    }

    /// The array at the top of the stack, of Lua's type `found`.
    unsafe fn array(&mut self, site: Site, found: c_int, depth: u32) {
        let state = self.state;
        // SAFETY: the stack has room for some values.
        unsafe {
            let array = lua_gettop(state);
            let has_metatable = lua_getmetatable(state, array) != 0;
            if found != LUA_TTABLE && !has_metamethod(state, array, has_metatable) {
                let text = c"%s.%s(%d) should be a table or an userdata with metamethods (Is a %s)";
                let site = Site { index: 1, ..site };
                self.mismatch(text, site, found);
            }
            lua_settop(state, array);
            let start = self.open();
            match site.field.kind {
                Kind::Integer | Kind::Decimal(_) | Kind::Double => {
                    self.numbers(site, array, has_metatable);
                }
                Kind::Boolean => each(state, site, array, has_metatable, |site, found| {
                    let byte = u8::from(self.boolean(site, found));
                    self.out.put([byte]);
                }),
                Kind::Text | Kind::Binary => {
                    each(state, site, array, has_metatable, |site, found| {
                        self.text(site, found);
                    });
                }
                Kind::Struct(ty) => each(state, site, array, has_metatable, |site, _| {
                    let value = lua_gettop(state);
                    let source = if site.field.is_map {
                        Source::Pair(value - 1, value)
                    } else {
                        Source::Table(value)
                    };
                    self.nested(&*ty, source, depth);
                }),
            }
            self.close(start);
        }
    }

    /// Numbers of 4 bytes each, or 8 from the beginning as soon as one needs them; a byte before them says which.
    unsafe fn numbers(&mut self, site: Site, array: c_int, has_metatable: bool) {
        let state = self.state;
        // SAFETY: as in `array`.
        unsafe {
            self.out.put([4]);
            let start = self.out.len();
            let mut wide = false;
            each(state, site, array, has_metatable, |site, found| {
                let value = match site.field.kind {
                    Kind::Double => {
                        let value = lua_tonumberx(state, -1, ptr::null_mut());
                        if !wide {
                            self.widen(start);
                            wide = true;
                        }
                        value.to_bits() as i64
                    }
                    _ => self.integer(site, found),
                };
                match i32::try_from(value) {
                    Ok(value) if !wide => return self.out.put(value.to_le_bytes()),
                    Err(_) if !wide => {
                        self.widen(start);
                        wide = true;
                    }
                    _ => {}
                }
                self.out.put(value.to_le_bytes());
            });
            if self.out.len() == start {
                self.out.truncate(start - 1);
            }
        }
    }

    /// Makes 8 bytes of each 4 that begin at `start`.
    #[cold]
    unsafe fn widen(&mut self, start: usize) {
        let size = self.out.len() - start;
        // SAFETY: there is room for as many bytes again; nothing with a destructor is alive.
        unsafe {
            self.out.room(size).write_bytes(0, size);
            self.out.advance(size);
        }
        let numbers = self.out.bytes_mut();
        numbers[start - 1] = 8;
        let numbers = &mut numbers[start..];
        for place in (0..size / 4).rev() {
            let mut narrow = [0; 4];
            narrow.copy_from_slice(&numbers[place * 4..place * 4 + 4]);
            let wide = i64::from(i32::from_le_bytes(narrow)).to_le_bytes();
            numbers[place * 8..place * 8 + 8].copy_from_slice(&wide);
        }
    }
}

/// Pushes the value of a field; returns its type.
#[inline(always)]
unsafe fn push(state: *mut lua_State, source: Source, place: usize, field: &Field) -> c_int {
    // SAFETY: the stack has room for a value.
    unsafe {
        match (source, place) {
            (Source::Table(table), _) => return lua_getfield(state, table, field.name.as_ptr()),
            (Source::Pair(key, _), 0) => lua_pushvalue(state, key),
            (Source::Pair(_, value), 1) => lua_pushvalue(state, value),
            (Source::Pair(..), _) => lua_pushnil(state),
        }
        lua_type(state, -1)
    }
}

/// Whether what is no table can be walked through.
unsafe fn has_metamethod(state: *mut lua_State, array: c_int, has_metatable: bool) -> bool {
    // SAFETY: the stack has room for two values.
    unsafe { has_metatable && luaL_getmetafield(state, array, c"__pairs".as_ptr()) != LUA_TNIL }
}

/// Calls `with` for each element of the array, which is at the top of the stack then, with its key below it where elements
/// have keys.
#[inline(always)]
unsafe fn each<'s>(
    state: *mut lua_State,
    site: Site<'s>,
    array: c_int,
    has_metatable: bool,
    mut with: impl FnMut(Site<'s>, c_int),
) {
    // SAFETY: the stack has room for CHUNK values and what an element needs.
    unsafe {
        if site.field.key.is_some() {
            return pairs(state, site, array, has_metatable, with);
        }
        let get = if has_metatable { lua_geti } else { lua_rawgeti };
        let mut index = 1;
        let mut pushed = 0;
        loop {
            let found = get(state, array, index);
            if found == LUA_TNIL {
                break;
            }
            with(Site { index, ..site }, found);
            index += 1;
            pushed += 1;
            if pushed == CHUNK {
                lua_settop(state, array);
                pushed = 0;
            }
        }
        lua_settop(state, array);
    }
}

/// The same for elements in any order, by `__pairs` where there is one.
unsafe fn pairs<'s>(
    state: *mut lua_State,
    site: Site<'s>,
    array: c_int,
    has_metatable: bool,
    mut with: impl FnMut(Site<'s>, c_int),
) {
    let mut index = 0;
    // SAFETY: as in `each`.
    unsafe {
        if !has_metamethod(state, array, has_metatable) {
            lua_pushnil(state);
            while lua_next(state, array) != 0 {
                index += 1;
                with(Site { index, ..site }, lua_type(state, -1));
                lua_settop(state, array + 1);
            }
            return;
        }
        lua_pushvalue(state, array);
        lua_call(state, 1, 3);
        let (step, subject, control) = (array + 1, array + 2, array + 3);
        loop {
            lua_pushvalue(state, step);
            lua_pushvalue(state, subject);
            lua_pushvalue(state, control);
            lua_call(state, 2, 2);
            let found = lua_type(state, -1);
            if lua_type(state, -2) == LUA_TNIL || found == LUA_TNIL {
                break;
            }
            index += 1;
            with(Site { index, ..site }, found);
            lua_copy(state, control + 1, control);
            lua_settop(state, control);
        }
        lua_settop(state, array);
    }
}
