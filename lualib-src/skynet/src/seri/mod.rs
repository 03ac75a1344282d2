//! Serialised Lua values: the messages of `skynet.pack` and `skynet.unpack`.
//!
//! Their format is that of the crate `skynet-seri`.

use skynet_seri::{BOOLEAN, LONG, LONG_ARRAY, NIL, NUMBER, POINTER, SHORT, TABLE, head, number};
use skynet_support::State;

mod in_place;
mod make;
mod pack;
mod reader;
mod scratch;
#[cfg(test)]
mod tests;
mod unpack;
mod view;

pub use in_place::values_in_place;

pub(crate) use pack::{pack, packstring};
pub(crate) use skynet_seri::has_pointer;
pub(crate) use unpack::unpack;

/// The arguments of a function that takes a message, looked at in place: a light userdata and a size of 0 to 2 GiB. `None`
/// for others, and where nothing is done in place.
#[inline(always)]
pub(crate) fn block(state: State<'_>) -> Option<(*const u8, usize)> {
    in_place::functions().and_then(|lua| view::block(state, lua))
}
