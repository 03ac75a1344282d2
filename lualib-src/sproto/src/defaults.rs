//! The table of a type's defaults.

use std::ffi::c_int;

use skynet_support::State;

use crate::check_type;
use crate::schema::{Field, Kind};

/// `default(type)`: a table with a value for each field: 0, 0.0, false, an empty string; for a struct a table with its
/// type's name as `__type`; for an array a table with that of an element, or its type's name, as `__array`.
pub fn default(state: State<'_>) -> c_int {
    let ty = check_type(state);
    state.create_table(0, ty.fields.len() as c_int);
    for field in &ty.fields {
        if field.is_array {
            state.create_table(0, 1);
            push(state, field, false);
            state.set_field(-2, c"__array");
        } else {
            push(state, field, true);
        }
        state.set_field(-2, &field.name);
    }
    1
}

/// Pushes the value of a field or element.
fn push(state: State<'_>, field: &Field, is_table: bool) {
    match field.kind {
        Kind::Integer => state.push_integer(0),
        Kind::Decimal(_) | Kind::Double => state.push_number(0.0),
        Kind::Boolean => state.push_boolean(false),
        Kind::Text | Kind::Binary => state.push_bytes(b""),
        Kind::Struct(ty) => {
            if is_table {
                state.create_table(0, 1);
                state.push_text(&ty.name);
                state.set_field(-2, c"__type");
            } else {
                state.push_text(&ty.name);
            }
        }
    }
}
