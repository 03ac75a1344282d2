//! What a Lua function in Rust sees of Lua: its state, as methods, and the way it is given to Lua.
//!
//! A Lua function is `fn(State<'_>) -> c_int`: it pushes its results and returns how many. [`lua_functions!`](crate::lua_functions)
//! makes of it what Lua calls, [`lua_module!`](crate::lua_module) the function that `require` calls. Both are `unsafe`: who writes
//! one of them promises for each function there that it keeps these rules, in what it calls too, and nothing else is asked of it.
//!
//! 1. *Raising.* An error of Lua is a `longjmp`, which runs no destructor. A method that raises says so; no value with a destructor
//!    lives across a call of it. [`State`] itself has none. Whatever allocates in Lua raises when there is no memory.
//! 2. *Stack.* Each call meets what Lua's manual demands of its stack (§4.1): room for what is pushed (20 values, or what
//!    [`State::reserve`] has made), an index that there is, a table where a `raw_` method takes one, as many results as are returned.
//!    A debug build checks that in each call (`LUA_USE_APICHECK`).
//! 3. *Bytes* of a string, and what is in a userdata, are used while the value is on the stack, or held by another one.
//! 4. *Panics.* There is none: what could (an index, an `unwrap`, arithmetic) is checked before.
//!
//! What is not about Lua's stack, as the memory behind an address, is no matter of these rules and needs an `unsafe` of its own.

use std::ffi::CStr;
use std::fmt::{self, Write as _};
use std::marker::PhantomData;
use std::{ptr, slice};

use libc::{c_int, c_void};
use mlua_sys::*;

use crate::message::Message;
pub use crate::message::Shown;
use crate::{Entry, check_version};

/// The state of a running Lua function, for the time of that call. It is a pointer, and goes by value.
#[derive(Clone, Copy)]
pub struct State<'a> {
    raw: *mut lua_State,
    call: PhantomData<&'a lua_State>,
}

/// The type of a value: `LUA_TNIL` and so on.
pub type Kind = c_int;

impl<'a> State<'a> {
    /// The state of the function that runs.
    ///
    /// # Safety
    /// It is valid, and this thread's, for `'a`; and the caller keeps the rules at the head of this file.
    #[inline(always)]
    pub unsafe fn new(raw: *mut lua_State) -> State<'a> {
        State {
            raw,
            call: PhantomData,
        }
    }

    /// For what has no method here.
    #[inline(always)]
    pub fn raw(self) -> *mut lua_State {
        self.raw
    }
}

/// Methods that are functions of Lua's interface under the names of Rust.
macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident($l:ident $(, $arg:ident: $ty:ty)*) $(-> $result:ty)? = $call:expr;)*) => {
        impl State<'_> {$(
            $(#[$doc])*
            #[inline(always)]
            pub fn $name(self $(, $arg: $ty)*) $(-> $result)? {
                let $l = self.raw;
                // SAFETY: the state is valid and this thread's, and rules 1 and 2 hold, by the promise to `State::new`.
                unsafe { $call }
            }
        )*}
    };
}

// What can be seen of values. Nothing here raises.
methods! {
    /// How many values the stack has.
    top(l) -> c_int = lua_gettop(l);
    /// The type at an index; `LUA_TNONE` behind the last argument.
    kind(l, index: c_int) -> Kind = lua_type(l, index);
    /// Whether there is no value.
    is_none(l, index: c_int) -> bool = lua_type(l, index) == LUA_TNONE;
    /// Whether it is nil.
    is_nil(l, index: c_int) -> bool = lua_type(l, index) == LUA_TNIL;
    /// Whether there is no value but nil.
    is_none_or_nil(l, index: c_int) -> bool = lua_type(l, index) <= LUA_TNIL;
    /// Whether it is a table.
    is_table(l, index: c_int) -> bool = lua_type(l, index) == LUA_TTABLE;
    /// Whether it is a function.
    is_function(l, index: c_int) -> bool = lua_type(l, index) == LUA_TFUNCTION;
    /// Whether it is a number without a fraction, as Lua keeps it.
    is_integer(l, index: c_int) -> bool = lua_isinteger(l, index) != 0;
    /// Whether it is a number, or a text that is one.
    is_number(l, index: c_int) -> bool = lua_isnumber(l, index) != 0;
    /// Whether it is a string or a number.
    is_string(l, index: c_int) -> bool = lua_isstring(l, index) != 0;
    /// Whether it is a userdata, full or light.
    is_userdata(l, index: c_int) -> bool = lua_isuserdata(l, index) != 0;
    /// False for false, nil and nothing.
    to_boolean(l, index: c_int) -> bool = lua_toboolean(l, index) != 0;
    /// The number; 0 for what is none.
    to_integer(l, index: c_int) -> lua_Integer = lua_tointegerx(l, index, ptr::null_mut());
    /// The number; 0 for what is none.
    to_number(l, index: c_int) -> lua_Number = lua_tonumberx(l, index, ptr::null_mut());
    /// The address that a light userdata is, or of the block of a full one; null for anything else.
    to_userdata(l, index: c_int) -> *mut c_void = lua_touserdata(l, index);
    /// Bytes of a string or a full userdata, border of a table; 0 for anything else.
    raw_len(l, index: c_int) -> usize = lua_rawlen(l, index);
    /// An index that stays what it is when values are pushed.
    absolute(l, index: c_int) -> c_int = lua_absindex(l, index);
    /// Whether they are one value, without metamethods.
    raw_equal(l, one: c_int, other: c_int) -> bool = lua_rawequal(l, one, other) != 0;
}

// The stack. Nothing here raises, but `reserve`.
methods! {
    /// Makes it so many values, by taking the last ones away or pushing nil.
    set_top(l, top: c_int) = lua_settop(l, top);
    /// Takes so many values away.
    pop(l, count: c_int) = lua_settop(l, -count - 1);
    /// Pushes nil.
    push_nil(l) = lua_pushnil(l);
    /// Pushes a boolean.
    push_boolean(l, value: bool) = lua_pushboolean(l, value.into());
    /// Pushes an integer.
    push_integer(l, value: lua_Integer) = lua_pushinteger(l, value);
    /// Pushes a number.
    push_number(l, value: lua_Number) = lua_pushnumber(l, value);
    /// Pushes a function without upvalues.
    push_function(l, function: lua_CFunction) = lua_pushcclosure(l, function, 0);
    /// Pushes a function that gets so many values at the top as its upvalues. Raises for want of memory.
    push_closure(l, function: lua_CFunction, upvalues: c_int) = lua_pushcclosure(l, function, upvalues);
    /// Pushes a copy of the value at an index.
    push_copy(l, index: c_int) = lua_pushvalue(l, index);
    /// Moves the top below the value at an index.
    insert(l, index: c_int) = lua_rotate(l, index, 1);
    /// Turns the values from an index on by so many places towards the top.
    rotate(l, index: c_int, places: c_int) = lua_rotate(l, index, places);
    /// Copies a value over another one.
    copy(l, from: c_int, to: c_int) = lua_copy(l, from, to);
    /// Moves the top to an index, over what is there.
    replace(l, index: c_int) = {
        lua_copy(l, -1, index);
        lua_settop(l, -2);
    };
    /// Takes the value at an index away.
    remove(l, index: c_int) = {
        lua_rotate(l, index, -1);
        lua_settop(l, -2);
    };
    /// Makes room for so many values more; false when there is none. Raises nothing.
    try_reserve(l, count: c_int) -> bool = lua_checkstack(l, count) != 0;
    /// Makes room for so many values more. Raises when there is none.
    reserve(l, count: c_int) = luaL_checkstack(l, count, ptr::null());
}

// Tables and calls. All of these may raise; the `raw_` ones only where they set, for want of memory.
methods! {
    /// Pushes a table with room for so many.
    create_table(l, elements: c_int, fields: c_int) = lua_createtable(l, elements, fields);
    /// `lua_rawget`.
    raw_get(l, index: c_int) -> Kind = lua_rawget(l, index);
    /// `lua_rawset`.
    raw_set(l, index: c_int) = lua_rawset(l, index);
    /// `lua_rawgeti`.
    raw_get_i(l, index: c_int, n: lua_Integer) -> Kind = lua_rawgeti(l, index, n);
    /// `lua_rawseti`.
    raw_set_i(l, index: c_int, n: lua_Integer) = lua_rawseti(l, index, n);
    /// `lua_gettable`.
    get_table(l, index: c_int) -> Kind = lua_gettable(l, index);
    /// `lua_settable`.
    set_table(l, index: c_int) = lua_settable(l, index);
    /// `lua_geti`.
    get_i(l, index: c_int, n: lua_Integer) -> Kind = lua_geti(l, index, n);
    /// `lua_seti`.
    set_i(l, index: c_int, n: lua_Integer) = lua_seti(l, index, n);
    /// Pushes the key and the value behind the key at the top, which goes; false, and nothing, after the last.
    next(l, index: c_int) -> bool = lua_next(l, index) != 0;
    /// Pushes the metatable, if there is one. Raises nothing.
    get_metatable(l, index: c_int) -> bool = lua_getmetatable(l, index) != 0;
    /// Gives the value at an index the metatable at the top.
    set_metatable(l, index: c_int) = {
        lua_setmetatable(l, index);
    };
    /// `lua_getiuservalue`. Raises nothing.
    get_user_value(l, index: c_int, n: c_int) -> Kind = lua_getiuservalue(l, index, n);
    /// `lua_setiuservalue`. Raises nothing.
    set_user_value(l, index: c_int, n: c_int) = {
        lua_setiuservalue(l, index, n);
    };
    /// Whether they are equal, by metamethods too.
    equal(l, one: c_int, other: c_int) -> bool = lua_compare(l, one, other, LUA_OPEQ) != 0;
    /// Makes one string of so many values at the top.
    concat(l, count: c_int) = lua_concat(l, count);
    /// Calls the function below so many arguments.
    call(l, arguments: c_int, results: c_int) = lua_call(l, arguments, results);
    /// `LUA_OK`, or another status and the error at the top. Raises nothing.
    protected_call(l, arguments: c_int, results: c_int, handler: c_int) -> c_int =
        lua_pcall(l, arguments, results, handler);
}

// Arguments. They raise for a value that is not as it has to be.
methods! {
    /// An integer.
    check_integer(l, index: c_int) -> lua_Integer = luaL_checkinteger(l, index);
    /// An integer; the default for nil and nothing.
    opt_integer(l, index: c_int, default: lua_Integer) -> lua_Integer = luaL_optinteger(l, index, default);
    /// A number.
    check_number(l, index: c_int) -> lua_Number = luaL_checknumber(l, index);
    /// A number; the default for nil and nothing.
    opt_number(l, index: c_int, default: lua_Number) -> lua_Number = luaL_optnumber(l, index, default);
    /// Nothing but this type.
    check_kind(l, index: c_int, kind: Kind) = luaL_checktype(l, index, kind);
    /// Anything but nothing.
    check_any(l, index: c_int) = luaL_checkany(l, index);
}

impl<'a> State<'a> {
    /// Which of these names a string is. Raises for anything else. There are seven at most.
    pub fn check_option(self, index: c_int, names: &[&'static CStr]) -> c_int {
        let mut list = [ptr::null(); 8];
        for (place, name) in list.iter_mut().zip(names).take(7) {
            *place = name.as_ptr();
        }
        // SAFETY: as for all methods; the list ends with null.
        unsafe { luaL_checkoption(self.raw, index, ptr::null(), list.as_ptr()) }
    }

    /// The number at an index, if it is one that an integer is for. Raises nothing.
    #[inline]
    pub fn as_integer(self, index: c_int) -> Option<lua_Integer> {
        let mut valid = 0;
        // SAFETY: as for all methods.
        let number = unsafe { lua_tointegerx(self.raw, index, &mut valid) };
        (valid != 0).then_some(number)
    }

    /// The bytes of a string, or of a number as a string. Raises for anything else.
    #[inline]
    pub fn check_bytes(self, index: c_int) -> &'a [u8] {
        let mut len = 0;
        // SAFETY: as for all methods; Lua's strings have so many bytes, which live as rule 3 says.
        unsafe {
            let text = luaL_checklstring(self.raw, index, &mut len);
            slice::from_raw_parts(text.cast(), len)
        }
    }

    /// [`State::check_bytes`] as a C string: what is behind a NUL is not seen.
    #[inline]
    pub fn check_text(self, index: c_int) -> &'a CStr {
        // SAFETY: as for `check_bytes`; Lua's strings end with a NUL.
        unsafe { CStr::from_ptr(luaL_checklstring(self.raw, index, ptr::null_mut())) }
    }

    /// The bytes of a string, or of a number, which becomes a string where it stands. Raises only for want of memory.
    #[inline]
    pub fn to_bytes(self, index: c_int) -> Option<&'a [u8]> {
        let mut len = 0;
        // SAFETY: as for `check_bytes`.
        unsafe {
            let text = lua_tolstring(self.raw, index, &mut len);
            (!text.is_null()).then(|| slice::from_raw_parts(text.cast(), len))
        }
    }

    /// [`State::to_bytes`] as a C string: what is behind a NUL is not seen.
    #[inline]
    pub fn to_text(self, index: c_int) -> Option<&'a CStr> {
        // SAFETY: as for `check_text`.
        unsafe {
            let text = lua_tolstring(self.raw, index, ptr::null_mut());
            (!text.is_null()).then(|| CStr::from_ptr(text))
        }
    }

    /// Pushes what `tostring` makes of a value. May raise. The bytes live as rule 3 says.
    pub fn push_shown(self, index: c_int) -> &'a [u8] {
        let mut len = 0;
        // SAFETY: as for `check_bytes`.
        unsafe {
            let text = luaL_tolstring(self.raw, index, &mut len);
            slice::from_raw_parts(text.cast(), len)
        }
    }

    /// What an object is known by: the address of a table, a function, a thread, a userdata or a string; null for anything else.
    #[inline]
    pub fn to_pointer(self, index: c_int) -> *const c_void {
        // SAFETY: as for all methods.
        unsafe { lua_topointer(self.raw, index) }
    }

    /// The thread at an index; null for anything else.
    pub fn to_thread(self, index: c_int) -> *mut lua_State {
        // SAFETY: as for all methods.
        unsafe { lua_tothread(self.raw, index) }
    }

    /// The block of a userdata whose metatable is the registry's `kind`. Raises for anything else.
    #[inline]
    pub fn check_userdata<T>(self, index: c_int, kind: &CStr) -> *mut T {
        // SAFETY: as for all methods.
        unsafe { luaL_checkudata(self.raw, index, kind.as_ptr()) }.cast()
    }

    /// `lua_rawgetp`.
    #[inline]
    pub fn raw_get_p<T>(self, index: c_int, key: *const T) -> Kind {
        // SAFETY: as for all methods; Lua does not look at what is there.
        unsafe { lua_rawgetp(self.raw, index, key.cast()) }
    }

    /// `lua_rawsetp`.
    #[inline]
    pub fn raw_set_p<T>(self, index: c_int, key: *const T) {
        // SAFETY: as for `raw_get_p`.
        unsafe { lua_rawsetp(self.raw, index, key.cast()) }
    }

    /// Pushes an address, as a light userdata. Raises nothing.
    #[inline(always)]
    pub fn push_light<T: ?Sized>(self, address: *const T) {
        // SAFETY: as for all methods; Lua does not look at what is there.
        unsafe { lua_pushlightuserdata(self.raw, address.cast_mut().cast()) }
    }

    /// [`State::check_userdata`], which is null for anything else. Raises nothing.
    #[inline]
    pub fn test_userdata<T>(self, index: c_int, kind: &CStr) -> *mut T {
        // SAFETY: as for all methods.
        unsafe { luaL_testudata(self.raw, index, kind.as_ptr()) }.cast()
    }

    /// Pushes a copy of the bytes. Raises for want of memory.
    #[inline]
    pub fn push_bytes(self, bytes: &[u8]) {
        // SAFETY: as for all methods; the bytes are there.
        unsafe { lua_pushlstring(self.raw, bytes.as_ptr().cast(), bytes.len()) };
    }

    /// [`State::push_bytes`]: the copy, as a C string, which lives as rule 3 says.
    #[inline]
    pub fn push_c_string(self, bytes: &[u8]) -> &'a CStr {
        // SAFETY: as for all methods; the bytes are there, and Lua's strings end with a NUL.
        unsafe {
            let text = lua_pushlstring(self.raw, bytes.as_ptr().cast(), bytes.len());
            CStr::from_ptr(text)
        }
    }

    /// [`State::reserve`] with a text for the error.
    pub fn reserve_for(self, count: c_int, problem: &CStr) {
        // SAFETY: as for all methods.
        unsafe { luaL_checkstack(self.raw, count, problem.as_ptr()) }
    }

    /// The name of a type, as "table".
    pub fn type_name(self, kind: Kind) -> &'static str {
        // SAFETY: as for all methods; the names are literals in Lua.
        let name = unsafe { CStr::from_ptr(lua_typename(self.raw, kind)) };
        name.to_str().unwrap_or("?")
    }

    /// Pushes a copy of the text. Raises for want of memory.
    #[inline]
    pub fn push_text(self, text: &CStr) {
        // SAFETY: as for all methods; it ends with a NUL.
        unsafe { lua_pushstring(self.raw, text.as_ptr()) };
    }

    /// Pushes a full userdata with room for a `T`, and so many user values. Raises for want of memory.
    #[inline]
    pub fn push_userdata<T>(self, values: c_int) -> *mut T {
        // SAFETY: as for all methods.
        unsafe { lua_newuserdatauv(self.raw, size_of::<T>(), values) }.cast()
    }

    /// Pushes the registry's metatable of this name; true if it is new. Raises for want of memory.
    #[inline]
    pub fn new_metatable(self, kind: &CStr) -> bool {
        // SAFETY: as for all methods.
        unsafe { luaL_newmetatable(self.raw, kind.as_ptr()) != 0 }
    }

    /// Pushes a field of the value at `index`. May raise.
    #[inline]
    pub fn get_field(self, index: c_int, name: &CStr) -> Kind {
        // SAFETY: as for all methods.
        unsafe { lua_getfield(self.raw, index, name.as_ptr()) }
    }

    /// Pushes a global. May raise.
    pub fn get_global(self, name: &CStr) -> Kind {
        // SAFETY: as for all methods.
        unsafe { lua_getglobal(self.raw, name.as_ptr()) }
    }

    /// Sets a global to the top, which goes. May raise.
    pub fn set_global(self, name: &CStr) {
        // SAFETY: as for all methods.
        unsafe { lua_setglobal(self.raw, name.as_ptr()) }
    }

    /// The length that `#` gives. May raise.
    pub fn len(self, index: c_int) -> lua_Integer {
        // SAFETY: as for all methods.
        unsafe { luaL_len(self.raw, index) }
    }

    /// Pushes a field of the metatable, if there are both; `LUA_TNIL`, and nothing, otherwise.
    #[inline]
    pub fn get_metafield(self, index: c_int, name: &CStr) -> Kind {
        // SAFETY: as for all methods.
        unsafe { luaL_getmetafield(self.raw, index, name.as_ptr()) }
    }

    /// Sets a field of the value at `index` to the top, which goes. May raise.
    #[inline]
    pub fn set_field(self, index: c_int, name: &CStr) {
        // SAFETY: as for all methods.
        unsafe { lua_setfield(self.raw, index, name.as_ptr()) }
    }

    /// Sets these functions in the table below `upvalues` values at the top; each gets these values, which are popped. Raises for
    /// want of memory.
    pub fn register(self, functions: &[Entry], upvalues: c_int) {
        for &(name, function) in functions {
            for _ in 0..upvalues {
                self.push_copy(-upvalues);
            }
            // SAFETY: as for all methods; what an entry says of its function is its maker's promise.
            unsafe { lua_pushcclosure(self.raw, function, upvalues) };
            self.set_field(-(upvalues + 2), name);
        }
        self.pop(upvalues);
    }

    /// Pushes the table of a module that has these functions. Raises unless the running Lua is the one that the modules are compiled
    /// for.
    pub fn push_module(self, functions: &[Entry]) {
        // SAFETY: as for all methods.
        unsafe { check_version(self.raw) };
        self.create_table(0, functions.len() as c_int);
        self.register(functions, 0);
    }

    /// Raises an error, with the place in the Lua code in front.
    #[cold]
    pub fn error(self, message: &CStr) -> ! {
        // SAFETY: as for all methods. It does not return.
        unsafe {
            luaL_error(self.raw, c"%s".as_ptr(), message.as_ptr());
            std::hint::unreachable_unchecked()
        }
    }

    /// [`State::error`] with values in the message.
    #[cold]
    pub fn error_with(self, message: fmt::Arguments<'_>) -> ! {
        let mut measured = Message::new(&mut []);
        let _ = measured.write_fmt(message);
        let len = measured.len();
        // SAFETY: as for all methods; a userdata has the bytes that it was asked for, and is on the stack until they were copied.
        // Nothing raises while they are written.
        unsafe {
            luaL_where(self.raw, 1);
            let room = lua_newuserdatauv(self.raw, len, 0).cast::<u8>();
            ptr::write_bytes(room, 0, len);
            let room = slice::from_raw_parts_mut(room, len);
            let _ = Message::new(room).write_fmt(message);
            self.push_bytes(room);
        }
        self.remove(-2);
        self.concat(2);
        self.raise()
    }

    /// Raises an error for an argument.
    #[cold]
    pub fn argument_error(self, index: c_int, message: &CStr) -> ! {
        // SAFETY: as for all methods. It does not return.
        unsafe {
            luaL_argerror(self.raw, index, message.as_ptr());
            std::hint::unreachable_unchecked()
        }
    }

    /// Raises the top as an error.
    #[cold]
    pub fn raise(self) -> ! {
        // SAFETY: as for all methods.
        unsafe { lua_error(self.raw) }
    }
}
