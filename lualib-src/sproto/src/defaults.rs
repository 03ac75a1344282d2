//! The table of a type's defaults.

use std::ffi::c_int;

use mlua_sys::{
    lua_State, lua_createtable, lua_pushboolean, lua_pushinteger, lua_pushlstring, lua_pushnumber,
    lua_pushstring, lua_setfield,
};

use crate::check_type;
use crate::schema::{Field, Kind};

/// `default(type)`: a table with a value for each field: 0, 0.0, false, an empty string; for a struct a table with its
/// type's name as `__type`; for an array a table with that of an element, or its type's name, as `__array`.
pub unsafe extern "C-unwind" fn default(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values; a null pointer is no type.
    unsafe {
        let ty = check_type(state);
        lua_createtable(state, 0, ty.fields.len() as c_int);
        for field in &ty.fields {
            if field.is_array {
                lua_createtable(state, 0, 1);
                push(state, field, false);
                lua_setfield(state, -2, c"__array".as_ptr());
            } else {
                push(state, field, true);
            }
            lua_setfield(state, -2, field.name.as_ptr());
        }
    }
    1
}

/// Pushes the value of a field or element.
unsafe fn push(state: *mut lua_State, field: &Field, is_table: bool) {
    // SAFETY: the stack has room for two values.
    unsafe {
        match field.kind {
            Kind::Integer => lua_pushinteger(state, 0),
            Kind::Decimal(_) | Kind::Double => lua_pushnumber(state, 0.0),
            Kind::Boolean => lua_pushboolean(state, 0),
            Kind::Text | Kind::Binary => {
                lua_pushlstring(state, c"".as_ptr(), 0);
            }
            Kind::Struct(ty) => {
                if is_table {
                    lua_createtable(state, 0, 1);
                    lua_pushstring(state, (*ty).name.as_ptr());
                    lua_setfield(state, -2, c"__type".as_ptr());
                } else {
                    lua_pushstring(state, (*ty).name.as_ptr());
                }
            }
        }
    }
}
