//! Lua tables to messages.

use std::ffi::c_int;

use mlua_sys::{LUA_TBOOLEAN, LUA_TNIL, LUA_TSTRING, LUA_TTABLE, lua_Integer, lua_upvalueindex};
use skynet_support::State;
use skynet_support::buffer::{Buffer, Limit, Place};
use skynet_support::state::Shown;

use crate::schema::{Field, Kind, Type};
use crate::wire::{LENGTH, WORD};
use crate::{MAX_DEPTH, check_type};

/// Messages up to this size are built without Lua's memory.
const SMALL: usize = 2048;

/// What an encoded or packed message may have.
pub const LIMIT: Limit = Limit {
    bytes: 0x100_0000,
    before: "object is too large (>",
    behind: ")",
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
pub fn encode(state: State<'_>) -> c_int {
    let mut place = Place::<SMALL>::new();
    if state.to_userdata(1).is_null() {
        state.check_kind(2, LUA_TNIL);
        state.push_bytes(b"");
        return 1;
    }
    let ty = check_type(state);
    state.set_top(2);
    let mut encoder = Encoder {
        state,
        out: Buffer::new(state, &mut place, &LIMIT, lua_upvalueindex(1)),
    };
    encoder.structure(ty, Source::Table(2), 0);
    let bytes = encoder.out.bytes();
    state.push_bytes(bytes);
    encoder.out.close();
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
    state: State<'a>,
    out: Buffer<'a>,
}

impl Encoder<'_> {
    /// Appends a struct.
    fn structure(&mut self, ty: &Type, source: Source, depth: u32) {
        let state = self.state;
        if depth >= MAX_DEPTH && !ty.fields.is_empty() {
            state.error(c"The table is too deep");
        }
        state.reserve(STACK);
        let start = self.out.len();
        // Room for the words of all fields; it is cut down in the end.
        let head = WORD + WORD * ty.words;
        self.out.put_zeroes(head);
        let mut at = start + WORD;
        let mut next_tag = 0;
        let top = state.top();
        let mut pushed = 0;
        for (place, field) in ty.fields.iter().enumerate() {
            if pushed == CHUNK {
                state.set_top(top);
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
        state.set_top(top);
        let words = (at - start) / WORD - 1;
        self.out.patch(start, (words as u16).to_le_bytes());
        self.out.remove(at, start + head - at);
    }

    /// Appends the data of the value at the top of the stack, if it needs any; returns its word.
    #[inline(always)]
    fn scalar(&mut self, site: Site, found: c_int, depth: u32) -> u16 {
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
                let value = self.state.to_number(-1);
                self.data(value.to_le_bytes());
            }
            Kind::Text | Kind::Binary => self.text(site, found),
            Kind::Struct(ty) => {
                let index = self.state.top();
                self.nested(&ty, Source::Table(index), depth);
            }
        }

        0
    }

    /// A piece of data of known size.
    #[inline(always)]
    fn data<const N: usize>(&mut self, bytes: [u8; N]) {
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
    fn nested(&mut self, ty: &Type, source: Source, depth: u32) {
        let start = self.open();
        self.structure(ty, source, depth + 1);
        self.close(start);
    }

    /// Begins a piece of data: returns where it begins.
    #[inline(always)]
    fn open(&mut self) -> usize {
        self.out.put([0; LENGTH]);
        self.out.len()
    }

    #[inline(always)]
    fn close(&mut self, start: usize) {
        let length = (self.out.len() - start) as u32;
        self.out.patch(start - LENGTH, length.to_le_bytes());
    }

    #[inline(always)]
    fn integer(&mut self, site: Site, found: c_int) -> i64 {
        if let Kind::Decimal(factor) = site.field.kind {
            let number = self.state.to_number(-1);
            return (number * f64::from(factor)).round() as i64;
        }
        match self.state.as_integer(-1) {
            Some(value) => value,
            None => self.mismatch("an integer", site, found),
        }
    }

    #[inline(always)]
    fn boolean(&mut self, site: Site, found: c_int) -> bool {
        if found != LUA_TBOOLEAN {
            self.mismatch("a boolean", site, found);
        }
        self.state.to_boolean(-1)
    }

    #[inline(always)]
    fn text(&mut self, site: Site, found: c_int) {
        if found != LUA_TSTRING {
            self.mismatch("a string", site, found);
        }
        let text = self.state.to_bytes(-1).unwrap_or_default();
        // A length that does not fit is more than the buffer takes.
        self.out.put((text.len() as u32).to_le_bytes());
        self.out.extend(text);
    }

    #[cold]
    fn mismatch(&self, wanted: &str, site: Site, found: c_int) -> ! {
        let (ty, field) = (
            Shown(site.ty.name.to_bytes()),
            Shown(site.field.name.to_bytes()),
        );
        let (index, found) = (site.index as c_int, self.state.type_name(found));
        self.state.error_with(format_args!(
            "{ty}.{field}[{index}] is not {wanted} (Is a {found})"
        ))
    }

    /// The array at the top of the stack, of Lua's type `found`.
    fn array(&mut self, site: Site, found: c_int, depth: u32) {
        let state = self.state;
        let array = state.top();
        let has_metatable = state.get_metatable(array);
        if found != LUA_TTABLE && !has_metamethod(state, array, has_metatable) {
            let (ty, field) = (
                Shown(site.ty.name.to_bytes()),
                Shown(site.field.name.to_bytes()),
            );
            let found = state.type_name(found);
            state.error_with(format_args!(
                "{ty}.{field}(1) should be a table or an userdata with metamethods (Is a {found})"
            ));
        }
        state.set_top(array);
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
                let value = state.top();
                let source = if site.field.is_map {
                    Source::Pair(value - 1, value)
                } else {
                    Source::Table(value)
                };
                self.nested(&ty, source, depth);
            }),
        }
        self.close(start);
    }

    /// Numbers of 4 bytes each, or 8 from the beginning as soon as one needs them; a byte before them says which.
    fn numbers(&mut self, site: Site, array: c_int, has_metatable: bool) {
        let state = self.state;
        self.out.put([4]);
        let start = self.out.len();
        let mut wide = false;
        each(state, site, array, has_metatable, |site, found| {
            let value = match site.field.kind {
                Kind::Double => {
                    let value = state.to_number(-1);
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

    /// Makes 8 bytes of each 4 that begin at `start`.
    #[cold]
    fn widen(&mut self, start: usize) {
        let size = self.out.len() - start;
        self.out.put_zeroes(size);
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
fn push(state: State<'_>, source: Source, place: usize, field: &Field) -> c_int {
    match (source, place) {
        (Source::Table(table), _) => return state.get_field(table, &field.name),
        (Source::Pair(key, _), 0) => state.push_copy(key),
        (Source::Pair(_, value), 1) => state.push_copy(value),
        (Source::Pair(..), _) => state.push_nil(),
    }
    state.kind(-1)
}

/// Whether what is no table can be walked through.
fn has_metamethod(state: State<'_>, array: c_int, has_metatable: bool) -> bool {
    has_metatable && state.get_metafield(array, c"__pairs") != LUA_TNIL
}

/// Calls `with` for each element of the array, which is at the top of the stack then, with its key below it where elements
/// have keys.
#[inline(always)]
fn each<'s>(
    state: State<'_>,
    site: Site<'s>,
    array: c_int,
    has_metatable: bool,
    mut with: impl FnMut(Site<'s>, c_int),
) {
    if site.field.key.is_some() {
        return pairs(state, site, array, has_metatable, with);
    }
    let get = if has_metatable {
        State::get_i
    } else {
        State::raw_get_i
    };
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
            state.set_top(array);
            pushed = 0;
        }
    }
    state.set_top(array);
}

/// The same for elements in any order, by `__pairs` where there is one.
fn pairs<'s>(
    state: State<'_>,
    site: Site<'s>,
    array: c_int,
    has_metatable: bool,
    mut with: impl FnMut(Site<'s>, c_int),
) {
    let mut index = 0;
    if !has_metamethod(state, array, has_metatable) {
        state.push_nil();
        while state.next(array) {
            index += 1;
            with(Site { index, ..site }, state.kind(-1));
            state.set_top(array + 1);
        }
        return;
    }
    state.push_copy(array);
    state.call(1, 3);
    let (step, subject, control) = (array + 1, array + 2, array + 3);
    loop {
        state.push_copy(step);
        state.push_copy(subject);
        state.push_copy(control);
        state.call(2, 2);
        let found = state.kind(-1);
        if state.kind(-2) == LUA_TNIL || found == LUA_TNIL {
            break;
        }
        index += 1;
        with(Site { index, ..site }, found);
        state.copy(control + 1, control);
        state.set_top(control);
    }
    state.set_top(array);
}
