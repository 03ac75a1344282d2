//! Values of Lua: the bytes of `skynet.pack` and `skynet.unpack`, by serde.
//!
//! | Rust | Lua |
//! |---|---|
//! | at the top: a tuple, `()`, an array `[T; N]` | that many values; anything else is one value |
//! | `bool`, `i8`..`i64`, `u8`..`u64`, `f32`, `f64` | boolean, integer, float; integers above `i64::MAX` are an error |
//! | `&str`, `String`, `char`, bytes (`serde_bytes`, [`LuaString`]) | string |
//! | `Option::None`, `()`, a unit struct | nil |
//! | `Vec`, a slice, a tuple within something, a tuple struct | table with the items 1..n |
//! | a map | table; a key cannot be nil or NaN |
//! | a struct | table by the names of the fields; a field that is nil is left out |
//! | `enum`: `Unit`, `New(x)`, `Tuple(x, y)`, `Struct { a }` | `"Unit"`, `{New = x}`, `{Tuple = {x, y}}`, `{Struct = {a = ...}}`; `New(x)` where `x` is nil: `"New"` |
//! | a newtype struct | what is in it |
//! | [`LightUserdata`] | light userdata |
//! | [`Value`] | whatever it is |
//!
//! On the way back missing values at the end are nil, and surplus ones are ignored, as with the parameters of a Lua function; a float that is
//! an integer is taken where an integer is asked for, and an integer where a float is. A `String` has to be UTF-8; [`LuaString`] takes any bytes.
//! Tables within tables may be 32 deep, as in `skynet.pack`; lengths in the bytes are never believed: no memory is taken for what is not there.
//!
//! # What Lua's tables cannot say
//!
//! A table has no nil in it, and one with the keys 1..n is a list and a map at once. So:
//!
//! - A `None` at the end of a list is lost on the way through Lua, and a pair of a map whose value is `None` at once. A tuple, of which the length
//!   is known, gets it back; a nil within a list is a `None`, wherever Lua keeps it. (Of more nils than items, and more than 64,
//!   it is said that they are no list; so of those that are more than the bytes of the message.)
//! - `Option<Option<T>>` has one nil, which comes back as `None`. A field that is nil and no `Option` itself (of the type `()`, of a
//!   newtype around an `Option`, of an untagged enum with a unit variant) is not there, and needs `#[serde(default)]`. Content that is nil (`tag` with `content`, of a variant such as
//!   `B(())`) is not there either, and does not come back: let the variant have none.
//! - A type that serde reads by way of a buffer (`#[serde(untagged)]`, `tag`, `flatten`) gets a table of nothing but the items 1..n as a list, and others,
//!   the empty one too, as maps; if it does not fit so, the other readings are tried, for each name of a field the same. Where both would fit, as
//!   in an untagged enum with a `Vec` and a `HashMap`, an empty table is a map.
//! - In such a buffer a light userdata is an integer to [`Value`], numbers are text among the keys of a flattened struct, and an enum that is not
//!   tagged loses a variant with a nil in it (`New(None)`): tag it, or leave the `Option` out.
//! - An untagged enum is one value, the first: variants with several (`Pair(x, y)`) come back within something, not as a whole message.
//!
//! What has a form for people and one for machines (`IpAddr`, the types of `uuid`, `chrono` and `time`) is text, as in JSON.
//!
//! ```
//! use skynet_service::lua;
//!
//! let packed = lua::pack(&("add", 5)).unwrap();
//! assert_eq!(&*packed, b"\x1cadd\x0a\x05");
//! let (name, number): (String, i64) = lua::unpack(&packed).unwrap();
//! assert_eq!((name.as_str(), number), ("add", 5));
//! ```

mod de;
mod error;
mod reader;
mod readings;
mod ser;
mod ser_top;
mod string;
mod table;
mod top;
mod value;
mod wire;

pub use error::Error;
pub use reader::Values;
pub use string::{LightUserdata, LuaString};
pub use value::{Table, Value};

use std::mem::MaybeUninit;

use crate::body::Body;
use crate::payload::{Payload, PayloadWriter};

/// So many bytes are packed on the stack.
const FEW: usize = 128;

/// The bytes of `skynet.pack(values...)`.
///
/// # Errors
///
/// When a value has no place in Lua; the error says which.
pub fn pack<T: serde_core::Serialize + ?Sized>(values: &T) -> Result<Payload, Error> {
    let mut writer = PayloadWriter::new();
    pack_into(&mut writer, values)?;
    Ok(writer.finish())
}

/// Gives `f` the bytes of [`pack`], without an allocation when they are few.
pub(crate) fn with_packed<R>(
    values: &(impl serde_core::Serialize + ?Sized),
    f: impl FnOnce(Body<'_>) -> R,
) -> Result<R, Error> {
    let mut room = [MaybeUninit::uninit(); FEW];
    // SAFETY: the room is there as long as the writer, which nobody else gets hold of, and the body.
    let mut writer = unsafe { PayloadWriter::within(&mut room) };
    pack_into(&mut writer, values)?;
    Ok(match writer.into_heap() {
        Ok(payload) => f(payload.into()),
        Err(writer) => f(Body::Bytes(&writer)),
    })
}

/// As [`pack`], behind what is written already. After an error nothing is added.
///
/// # Errors
///
/// As for [`pack`].
pub fn pack_into<T: serde_core::Serialize + ?Sized>(
    writer: &mut PayloadWriter,
    values: &T,
) -> Result<(), Error> {
    let begin = writer.len();
    let result = values.serialize(ser_top::Top::new(writer));
    if result.is_err() {
        writer.truncate(begin);
    }
    result
}

/// The values of a message: one, or a tuple of several.
///
/// # Errors
///
/// When the bytes are not of this format, or the values of other types.
pub fn unpack<'de, T: serde_core::Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Error> {
    Values::new(bytes).rest()
}

/// All values of a message, whatever they are.
///
/// # Errors
///
/// When the bytes are not of this format.
pub fn unpack_values(bytes: &[u8]) -> Result<Vec<Value>, Error> {
    let mut values = Values::new(bytes);
    let mut all = Vec::new();
    while !values.is_empty() {
        all.push(values.next()?);
    }
    Ok(all)
}
