//! `locale`.

use skynet_support::State;
use std::ffi::CStr;

use libc::c_int;
use mlua_sys::LUA_TTABLE;

use super::convert::charset;
use crate::charset::CharSet;

type Class = unsafe extern "C" fn(c_int) -> c_int;

/// The classes of "ctype.h".
const CLASSES: &[(&CStr, Class)] = &[
    (c"alnum", libc::isalnum),
    (c"alpha", libc::isalpha),
    (c"cntrl", libc::iscntrl),
    (c"digit", libc::isdigit),
    (c"graph", libc::isgraph),
    (c"lower", libc::islower),
    (c"print", libc::isprint),
    (c"punct", libc::ispunct),
    (c"space", libc::isspace),
    (c"upper", libc::isupper),
    (c"xdigit", libc::isxdigit),
];

/// `locale([table])`: sets a pattern for each class of characters, as the process's locale has them, in the table or in a
/// new one; returns it.
pub(super) fn locale(state: State<'_>) -> c_int {
    if state.is_none_or_nil(1) {
        state.set_top(0);
        state.create_table(0, CLASSES.len() as c_int);
    } else {
        state.check_kind(1, LUA_TTABLE);
        state.set_top(1);
    }
    for &(name, class) in CLASSES {
        // SAFETY: the classes are of bytes.
        charset(
            state,
            CharSet::of(|byte| unsafe { class(byte.into()) } != 0),
        );
        state.set_field(1, name);
    }
    1
}
