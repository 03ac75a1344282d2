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
use std::sync::atomic::{AtomicU32, Ordering};

use libc::c_int;
use mlua_sys::{
    LUA_REGISTRYINDEX, LUA_TBOOLEAN, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua_Integer,
    lua_upvalueindex, luaL_Buffer, luaL_addlstring, luaL_buffinitsize, luaL_pushresult,
};
use skynet_support::state::Shown;
use skynet_support::{State, lua_function};

use crate::date::Date;
use crate::{decimal, kind};

/// Pushes the string that stands for a value of type `kind`.
pub fn push(state: State<'_>, kind: u8, value: &[u8]) {
    const SMALL: usize = 14;
    let head = [0, kind];
    let mut place = [0; SMALL];
    let size = head.len() + value.len();
    if size > SMALL {
        return push_parts(state, kind, &[value]);
    }
    place[..head.len()].copy_from_slice(&head);
    place[head.len()..size].copy_from_slice(value);
    state.push_bytes(&place[..size]);
}

/// [`push`] for a value in several parts. The stack has room for a buffer of Lua's.
pub fn push_parts(state: State<'_>, kind: u8, parts: &[&[u8]]) {
    let head = [0, kind];
    let mut buffer = std::mem::MaybeUninit::<luaL_Buffer>::uninit();
    let buffer = buffer.as_mut_ptr();
    let size = parts.iter().map(|part| part.len()).sum::<usize>() + head.len();
    // SAFETY: the stack stays as the buffer leaves it between these calls.
    unsafe {
        luaL_buffinitsize(state.raw(), buffer, size);
        luaL_addlstring(buffer, head.as_ptr().cast(), head.len());
        for part in parts {
            luaL_addlstring(buffer, part.as_ptr().cast(), part.len());
        }
        luaL_pushresult(buffer);
    }
}

/// The bytes of a string argument; what is no string counts as an empty one: programs leave arguments of that sort out.
fn string_or_empty(state: State<'_>, index: c_int) -> &[u8] {
    if !state.is_string(index) {
        return &[];
    }
    state.check_bytes(index)
}

/// `date(seconds [, milliseconds])`: a point in time, since 1970. Raises an error for one that a document has no room for.
pub fn date(state: State<'_>) -> c_int {
    let seconds = state.check_integer(1);
    // 0 for what is no integer: programs leave arguments of that sort there.
    let milliseconds = state.to_integer(2);
    let Some(date) = Date::of_seconds(seconds, milliseconds) else {
        state.error(c"Invalid date");
    };
    push(state, kind::DATE, date.form(true).bytes());
    1
}

/// Where the setting of [`exact_dates`] is in the registry.
const EXACT_DATES: &CStr = c"bson.exact_dates";

/// `exact_dates(on)`: whether `decode` keeps the milliseconds of dates, in this Lua. Without, it drops them as ever, so that
/// dates of the same second are equal. Returns the former setting.
pub fn exact_dates(state: State<'_>) -> c_int {
    let former = dates_are_exact(state);
    state.push_boolean(state.to_boolean(1));
    state.set_field(LUA_REGISTRYINDEX, EXACT_DATES);
    state.push_boolean(former);
    1
}

/// The setting of [`exact_dates`].
#[cold]
pub fn dates_are_exact(state: State<'_>) -> bool {
    state.get_field(LUA_REGISTRYINDEX, EXACT_DATES);
    let exact = state.to_boolean(-1);
    state.pop(1);
    exact
}

/// `decimal128(text)`: a decimal number of up to 34 digits, also "NaN" and "-Infinity". Raises an error for a text that is
/// none, or has more digits.
pub fn decimal128(state: State<'_>) -> c_int {
    let text = state.check_bytes(1);
    let number = std::str::from_utf8(text).ok().and_then(decimal::parse);
    let Some(number) = number else {
        state.error_with(format_args!("Invalid decimal128 {}", Shown(text)));
    };
    push_parts(state, kind::DECIMAL128, &[&number]);
    1
}

/// The number as 32 bits with or without a sign; raises an error when it has more.
fn low_bytes(state: State<'_>, seconds: lua_Integer) -> [u8; 4] {
    if i32::try_from(seconds).is_err() && u32::try_from(seconds).is_err() {
        state.error(c"Invalid date");
    }
    (seconds as u32).to_ne_bytes()
}

/// `timestamp(seconds [, increment])`: MongoDB's internal time; the increment counts up unless it is given.
pub fn timestamp(state: State<'_>) -> c_int {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let seconds = state.check_integer(1);
    let seconds = low_bytes(state, seconds);
    let increment = if state.is_none_or_nil(2) {
        NEXT.fetch_add(1, Ordering::Relaxed)
    } else {
        state.to_integer(2) as u32
    };
    let [a, b, c, d] = increment.to_ne_bytes();
    let [e, f, g, h] = seconds;
    push(state, kind::TIMESTAMP, &[a, b, c, d, e, f, g, h]);
    1
}

/// `int64(number)`: an integer that takes 8 bytes in a document, whatever its value.
pub fn int64(state: State<'_>) -> c_int {
    let number = state.check_integer(1);
    push(state, kind::INT64, &number.to_ne_bytes());
    1
}

/// `regex(pattern [, options])`.
pub fn regex(state: State<'_>) -> c_int {
    let pattern = state.check_bytes(1);
    let options = string_or_empty(state, 2);
    push_parts(state, kind::REGEX, &[pattern, &[0], options, &[0]]);
    1
}

/// `binary(bytes)`: binary data of the generic subtype.
pub fn binary(state: State<'_>) -> c_int {
    let bytes = string_or_empty(state, 1);
    push_parts(state, kind::BINARY, &[&[0], bytes]);
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
pub fn push_type_function(state: State<'_>) {
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
    for name in NAMES {
        state.push_text(name);
    }
    state.push_closure(lua_function!(unsafe type_of), NAMES.len() as c_int);
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
fn type_of(state: State<'_>) -> c_int {
    let ty = state.kind(1);
    let name = match ty {
        LUA_TNUMBER => Name::Number,
        LUA_TBOOLEAN => Name::Boolean,
        LUA_TTABLE => Name::Table,
        LUA_TNIL => {
            push_name(state, Name::Nil);
            return 1;
        }
        LUA_TSTRING => {
            if let [0, kind, value @ ..] = state.check_bytes(1) {
                return describe(state, *kind, value);
            }
            Name::String
        }
        _ => {
            let name = state.type_name(ty);
            state.error_with(format_args!("Invalid type {name}"));
        }
    };
    push_name(state, name);
    state.push_copy(1);
    2
}

fn push_name(state: State<'_>, name: Name) {
    state.push_copy(lua_upvalueindex(name as c_int));
}

/// Pushes the text of a number. Lua copies it into memory of its own, so that none is lost if that raises.
fn push_decimal(state: State<'_>, number: decimal::Bytes) {
    let mut place = [0; decimal::LONGEST];
    let len = {
        let text = decimal::text(number);
        place[..text.len()].copy_from_slice(text.as_bytes());
        text.len()
    };
    state.push_bytes(&place[..len])
}

/// `describe` for a date, which is one of 8 bytes or one of seconds only.
fn describe_date(state: State<'_>, value: &[u8]) -> c_int {
    let Some(date) = Date::read(value) else {
        state.error(c"Invalid date");
    };
    push_name(state, Name::Date);
    state.push_integer(date.seconds());
    if value.len() == size_of::<u32>() {
        return 2;
    }
    state.push_integer(date.millisecond());
    3
}

/// `describe` for a timestamp.
fn describe_timestamp(state: State<'_>, value: &[u8]) -> c_int {
    let (Some((increment, seconds)), 8) = (value.split_first_chunk::<4>(), value.len()) else {
        state.error(c"Invalid timestamp");
    };
    let seconds = seconds.try_into().unwrap_or_default();
    push_name(state, Name::Timestamp);
    state.push_integer(u32::from_ne_bytes(seconds).into());
    state.push_integer(u32::from_ne_bytes(*increment).into());
    3
}

/// Pushes name and value of a string that stands for something; returns how many values these are.
fn describe(state: State<'_>, kind: u8, value: &[u8]) -> c_int {
    match kind {
        kind::NULL => push_name(state, Name::Nil),
        kind::UNDEFINED => push_name(state, Name::Undefined),
        kind::MIN_KEY => push_name(state, Name::MinKey),
        kind::MAX_KEY => push_name(state, Name::MaxKey),
        kind::BINARY => {
            let Some((&subtype, bytes)) = value.split_first() else {
                state.error(c"Invalid binary");
            };
            push_name(state, Name::Binary);
            state.push_bytes(bytes);
            state.push_integer(subtype.into());
            return 3;
        }
        kind::OBJECT_ID => {
            let Ok(id) = <&[u8; 12]>::try_from(value) else {
                state.error(c"Invalid object id");
            };
            push_name(state, Name::ObjectId);
            state.push_bytes(&crate::object_id::digits(*id));
            return 2;
        }
        kind::DATE => return describe_date(state, value),
        kind::DECIMAL128 => {
            let Ok(number) = value.try_into() else {
                state.error(c"Invalid decimal128");
            };
            push_name(state, Name::Decimal128);
            push_decimal(state, number);
            return 2;
        }
        kind::TIMESTAMP => return describe_timestamp(state, value),
        kind::REGEX => {
            let Some((pattern, options)) = regex_parts(value) else {
                state.error(c"Invalid regex");
            };
            push_name(state, Name::Regex);
            state.push_bytes(pattern);
            state.push_bytes(options);
            return 3;
        }
        kind::JAVASCRIPT | kind::DB_POINTER | kind::SYMBOL | kind::SCOPED_JAVASCRIPT => {
            push_name(state, Name::Unsupported);
            state.push_bytes(value);
            return 2;
        }
        kind::INT64 => {
            let Ok(number) = value.try_into() else {
                state.error(c"Invalid int64");
            };
            push_name(state, Name::Int64);
            state.push_integer(i64::from_ne_bytes(number));
            return 2;
        }
        _ => state.error_with(format_args!("Invalid subtype {kind}")),
    }
    1
}
