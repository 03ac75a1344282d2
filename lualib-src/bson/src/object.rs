//! Values that Lua has no type for, as strings: a zero byte, the type of the element, and the value in host order.
//!
//! | type | value |
//! |---|---|
//! | binary | subtype, bytes |
//! | object id | 12 bytes |
//! | date | seconds, 4 bytes; or the long form, see [`Date`] |
//! | timestamp | increment, 4 bytes; seconds, 4 bytes |
//! | regex | pattern, zero, options, zero |
//! | int64 | 8 bytes |
//! | decimal128 | 16 bytes, as in a document |
//! | null, undefined, minkey, maxkey | |
//! | the deprecated ones, JavaScript | as in a document |

use std::ffi::CStr;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{c_char, c_int};
use mlua_sys::{
    LUA_REGISTRYINDEX, LUA_TBOOLEAN, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua_Integer,
    lua_State, lua_getfield, lua_isnoneornil, lua_isstring, lua_pushboolean, lua_pushinteger,
    lua_pushlstring, lua_pushstring, lua_pushvalue, lua_setfield, lua_toboolean, lua_tointegerx,
    lua_tolstring, lua_type, lua_typename, lua_upvalueindex, luaL_Buffer, luaL_addlstring,
    luaL_buffinitsize, luaL_checkinteger, luaL_checklstring, luaL_error, luaL_pushresult,
};

use crate::date::Date;
use crate::{decimal, kind, pop, push_closure};

/// Pushes the string that stands for a value of type `kind`.
pub unsafe fn push(state: *mut lua_State, kind: u8, value: &[u8]) {
    const SMALL: usize = 14;
    let head = [0, kind];
    let mut place = [0; SMALL];
    let size = head.len() + value.len();
    if size > SMALL {
        // SAFETY: as the caller promises.
        return unsafe { push_parts(state, kind, &[value]) };
    }
    place[..head.len()].copy_from_slice(&head);
    place[head.len()..size].copy_from_slice(value);
    // SAFETY: the stack has room for a value.
    unsafe {
        lua_pushlstring(state, place.as_ptr().cast::<c_char>(), size);
    }
}

/// [`push`] for a value in several parts. The stack has room for a buffer of Lua's.
pub unsafe fn push_parts(state: *mut lua_State, kind: u8, parts: &[&[u8]]) {
    let head = [0, kind];
    // SAFETY: the buffer lives until its result is pushed; if it raises before, Lua frees what it holds.
    unsafe {
        let mut buffer = std::mem::MaybeUninit::<luaL_Buffer>::uninit();
        let buffer = buffer.as_mut_ptr();
        let size = parts.iter().map(|part| part.len()).sum::<usize>() + head.len();
        luaL_buffinitsize(state, buffer, size);
        luaL_addlstring(buffer, head.as_ptr().cast(), head.len());
        for part in parts {
            luaL_addlstring(buffer, part.as_ptr().cast(), part.len());
        }
        luaL_pushresult(buffer);
    }
}

/// The bytes of a string argument, which stays where it is.
unsafe fn string_argument<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    let mut len = 0;
    // SAFETY: called in a function of Lua's.
    unsafe {
        let text = luaL_checklstring(state, index, &mut len);
        slice::from_raw_parts(text.cast(), len)
    }
}

/// The same, but what is no string counts as an empty one: programs leave arguments of that sort out.
unsafe fn string_or_empty<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    // SAFETY: as in `string_argument`; `lua_tolstring` changes no argument but a number, in its place.
    unsafe {
        if lua_isstring(state, index) == 0 {
            return &[];
        }
        string_argument(state, index)
    }
}

/// `date(seconds [, milliseconds])`: a point in time, since 1970. Raises an error for one that a document has no room for.
pub unsafe extern "C-unwind" fn date(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let seconds = luaL_checkinteger(state, 1);
        // 0 for what is no integer: programs leave arguments of that sort there.
        let milliseconds = lua_tointegerx(state, 2, ptr::null_mut());
        let Some(date) = Date::of_seconds(seconds, milliseconds) else {
            return luaL_error(state, c"Invalid date".as_ptr());
        };
        push(state, kind::DATE, date.form(true).bytes());
    }
    1
}

/// Where the setting of [`exact_dates`] is in the registry.
const EXACT_DATES: &CStr = c"bson.exact_dates";

/// `exact_dates(on)`: whether `decode` keeps the milliseconds of dates, in this Lua. Without, it drops them as ever, so that
/// dates of the same second are equal. Returns the former setting.
pub unsafe extern "C-unwind" fn exact_dates(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let former = dates_are_exact(state);
        lua_pushboolean(state, lua_toboolean(state, 1));
        lua_setfield(state, LUA_REGISTRYINDEX, EXACT_DATES.as_ptr());
        lua_pushboolean(state, former.into());
    }
    1
}

/// The setting of [`exact_dates`].
#[cold]
pub unsafe fn dates_are_exact(state: *mut lua_State) -> bool {
    // SAFETY: the stack has room for a value.
    unsafe {
        lua_getfield(state, LUA_REGISTRYINDEX, EXACT_DATES.as_ptr());
        let exact = lua_toboolean(state, -1) != 0;
        pop(state, 1);
        exact
    }
}

/// `decimal128(text)`: a decimal number of up to 34 digits, also "NaN" and "-Infinity". Raises an error for a text that is
/// none, or has more digits.
pub unsafe extern "C-unwind" fn decimal128(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing with a destructor is alive when an error is raised.
    unsafe {
        let text = string_argument(state, 1);
        let number = std::str::from_utf8(text).ok().and_then(decimal::parse);
        let Some(number) = number else {
            return luaL_error(state, c"Invalid decimal128 %s".as_ptr(), text.as_ptr());
        };
        push_parts(state, kind::DECIMAL128, &[&number]);
    }
    1
}

/// The number as 32 bits with or without a sign; raises an error when it has more.
unsafe fn low_bytes(state: *mut lua_State, seconds: lua_Integer) -> [u8; 4] {
    if i32::try_from(seconds).is_err() && u32::try_from(seconds).is_err() {
        // SAFETY: raises; nothing has a destructor.
        unsafe { luaL_error(state, c"Invalid date".as_ptr()) };
    }
    (seconds as u32).to_ne_bytes()
}

/// `timestamp(seconds [, increment])`: MongoDB's internal time; the increment counts up unless it is given.
pub unsafe extern "C-unwind" fn timestamp(state: *mut lua_State) -> c_int {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // SAFETY: called by Lua.
    unsafe {
        let seconds = luaL_checkinteger(state, 1);
        let seconds = low_bytes(state, seconds);
        let increment = if lua_isnoneornil(state, 2) != 0 {
            NEXT.fetch_add(1, Ordering::Relaxed)
        } else {
            lua_tointegerx(state, 2, ptr::null_mut()) as u32
        };
        let [a, b, c, d] = increment.to_ne_bytes();
        let [e, f, g, h] = seconds;
        push(state, kind::TIMESTAMP, &[a, b, c, d, e, f, g, h]);
    }
    1
}

/// `int64(number)`: an integer that takes 8 bytes in a document, whatever its value.
pub unsafe extern "C-unwind" fn int64(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let number = luaL_checkinteger(state, 1);
        push(state, kind::INT64, &number.to_ne_bytes());
    }
    1
}

/// `regex(pattern [, options])`.
pub unsafe extern "C-unwind" fn regex(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the strings stay on the stack.
    unsafe {
        let pattern = string_argument(state, 1);
        let options = string_or_empty(state, 2);
        push_parts(state, kind::REGEX, &[pattern, &[0], options, &[0]]);
    }
    1
}

/// `binary(bytes)`: binary data of the generic subtype.
pub unsafe extern "C-unwind" fn binary(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the string stays on the stack.
    unsafe {
        let bytes = string_or_empty(state, 1);
        push_parts(state, kind::BINARY, &[&[0], bytes]);
    }
    1
}

/// Pattern and options of what [`regex`] made. `None` for anything else.
pub fn regex_parts(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&0, value) = value.split_last()? else {
        return None;
    };
    let middle = value.iter().rposition(|&byte| byte == 0)?;
    Some((&value[..middle], &value[middle + 1..]))
}

/// Names that `type` returns; the function has them as upvalues, 1 and up.
#[derive(Clone, Copy)]
enum Name {
    Number = 1,
    Boolean,
    Table,
    Nil,
    String,
    Binary,
    ObjectId,
    Timestamp,
    Date,
    Regex,
    MinKey,
    MaxKey,
    Int64,
    Undefined,
    Decimal128,
    Unsupported,
}

/// Pushes the function [`type_of`].
pub unsafe fn push_type_function(state: *mut lua_State) {
    const NAMES: [&std::ffi::CStr; Name::Unsupported as usize] = [
        c"number",
        c"boolean",
        c"table",
        c"nil",
        c"string",
        c"binary",
        c"objectid",
        c"timestamp",
        c"date",
        c"regex",
        c"minkey",
        c"maxkey",
        c"int64",
        c"undefined",
        c"decimal128",
        c"unsupported",
    ];
    // SAFETY: the stack has room for all names.
    unsafe {
        for name in NAMES {
            lua_pushstring(state, name.as_ptr());
        }
        push_closure(state, type_of, NAMES.len() as c_int);
    }
}

/// `type(value)`: the name of its type in a document, and what it stands for: the value itself, or
///
/// - `"binary"`, bytes, subtype
/// - `"objectid"`, 24 hexadecimal digits
/// - `"date"`, seconds, and in the long form milliseconds; `"timestamp"`, seconds, increment
/// - `"regex"`, pattern, options
/// - `"int64"`, integer
/// - `"decimal128"`, text
/// - `"nil"`, `"undefined"`, `"minkey"`, `"maxkey"`
/// - `"unsupported"`, bytes
unsafe extern "C-unwind" fn type_of(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; upvalues as in `push_type_function`.
    unsafe {
        let ty = lua_type(state, 1);
        let name = match ty {
            LUA_TNUMBER => Name::Number,
            LUA_TBOOLEAN => Name::Boolean,
            LUA_TTABLE => Name::Table,
            LUA_TNIL => {
                push_name(state, Name::Nil);
                return 1;
            }
            LUA_TSTRING => {
                let mut len = 0;
                let text: *const u8 = lua_tolstring(state, 1, &mut len).cast();
                if let [0, kind, value @ ..] = slice::from_raw_parts(text, len) {
                    return describe(state, *kind, value);
                }
                Name::String
            }
            _ => {
                let text = c"Invalid type %s";
                return luaL_error(state, text.as_ptr(), lua_typename(state, ty));
            }
        };
        push_name(state, name);
        lua_pushvalue(state, 1);
    }
    2
}

unsafe fn push_name(state: *mut lua_State, name: Name) {
    // SAFETY: in `type_of`, which has all names as upvalues.
    unsafe { lua_pushvalue(state, lua_upvalueindex(name as c_int)) }
}

unsafe fn push_bytes(state: *mut lua_State, bytes: &[u8]) {
    // SAFETY: the stack has room for a value.
    unsafe {
        lua_pushlstring(state, bytes.as_ptr().cast::<c_char>(), bytes.len());
    }
}

/// Pushes the text of a number. Lua copies it into memory of its own, so that none is lost if that raises.
unsafe fn push_decimal(state: *mut lua_State, number: decimal::Bytes) {
    let mut place = [0; decimal::LONGEST];
    let len = {
        let text = decimal::text(number);
        place[..text.len()].copy_from_slice(text.as_bytes());
        text.len()
    };
    // SAFETY: the stack has room for a value; the text is gone.
    unsafe { push_bytes(state, &place[..len]) }
}

/// `describe` for a date, which is one of 8 bytes or one of seconds only.
unsafe fn describe_date(state: *mut lua_State, value: &[u8]) -> c_int {
    // SAFETY: as for `describe`.
    unsafe {
        let Some(date) = Date::read(value) else {
            return luaL_error(state, c"Invalid date".as_ptr());
        };
        push_name(state, Name::Date);
        lua_pushinteger(state, date.seconds());
        if value.len() == size_of::<u32>() {
            return 2;
        }
        lua_pushinteger(state, date.millisecond());
    }
    3
}

/// `describe` for a timestamp.
unsafe fn describe_timestamp(state: *mut lua_State, value: &[u8]) -> c_int {
    // SAFETY: as for `describe`.
    unsafe {
        let (Some((increment, seconds)), 8) = (value.split_first_chunk::<4>(), value.len()) else {
            return luaL_error(state, c"Invalid timestamp".as_ptr());
        };
        let seconds = seconds.try_into().unwrap_or_default();
        push_name(state, Name::Timestamp);
        lua_pushinteger(state, u32::from_ne_bytes(seconds).into());
        lua_pushinteger(state, u32::from_ne_bytes(*increment).into());
    }
    3
}

/// Pushes name and value of a string that stands for something; returns how many values these are.
unsafe fn describe(state: *mut lua_State, kind: u8, value: &[u8]) -> c_int {
    // SAFETY: the stack has room for three values; `value` stays on it.
    unsafe {
        match kind {
            kind::NULL => push_name(state, Name::Nil),
            kind::UNDEFINED => push_name(state, Name::Undefined),
            kind::MIN_KEY => push_name(state, Name::MinKey),
            kind::MAX_KEY => push_name(state, Name::MaxKey),
            kind::BINARY => {
                let Some((&subtype, bytes)) = value.split_first() else {
                    return luaL_error(state, c"Invalid binary".as_ptr());
                };
                push_name(state, Name::Binary);
                push_bytes(state, bytes);
                lua_pushinteger(state, subtype.into());
                return 3;
            }
            kind::OBJECT_ID => {
                let Ok(id) = <&[u8; 12]>::try_from(value) else {
                    return luaL_error(state, c"Invalid object id".as_ptr());
                };
                push_name(state, Name::ObjectId);
                push_bytes(state, &crate::object_id::digits(*id));
                return 2;
            }
            kind::DATE => return describe_date(state, value),
            kind::DECIMAL128 => {
                let Ok(number) = value.try_into() else {
                    return luaL_error(state, c"Invalid decimal128".as_ptr());
                };
                push_name(state, Name::Decimal128);
                push_decimal(state, number);
                return 2;
            }
            kind::TIMESTAMP => return describe_timestamp(state, value),
            kind::REGEX => {
                let Some((pattern, options)) = regex_parts(value) else {
                    return luaL_error(state, c"Invalid regex".as_ptr());
                };
                push_name(state, Name::Regex);
                push_bytes(state, pattern);
                push_bytes(state, options);
                return 3;
            }
            kind::JAVASCRIPT | kind::DB_POINTER | kind::SYMBOL | kind::SCOPED_JAVASCRIPT => {
                push_name(state, Name::Unsupported);
                push_bytes(state, value);
                return 2;
            }
            kind::INT64 => {
                let Ok(number) = value.try_into() else {
                    return luaL_error(state, c"Invalid int64".as_ptr());
                };
                push_name(state, Name::Int64);
                lua_pushinteger(state, i64::from_ne_bytes(number));
                return 2;
            }
            _ => return luaL_error(state, c"Invalid subtype %d".as_ptr(), c_int::from(kind)),
        }
    }
    1
}
