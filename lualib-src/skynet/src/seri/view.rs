//! Packing values where they are: the patched Lua shows them (`lview.h`), in one call for a value and without the stack.
//!
//! Only programs that link that Lua can say so ([`read_values_in_place`]); a `.so` that some other executable loads goes
//! through Lua's own interface. Both write the same bytes.

use std::mem::MaybeUninit;
use std::slice;
use std::sync::OnceLock;

use libc::{c_char, c_int, c_uint, c_void};
use mlua_sys::{
    LUA_TBOOLEAN, LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua_Integer,
    lua_State, lua_absindex, lua_checkstack, lua_gettop, lua_pushvalue, lua_rawget, lua_settop,
    lua_type,
};

use super::pack::{
    Failure, MAX_DEPTH, STACK, begin_table, by_metamethod, find_pairs, integer, string,
    value as on_stack,
};
use super::scratch::Writer;
use super::{BOOLEAN, NIL, NUMBER, POINTER, head, number};

const INTEGER: c_int = LUA_TNUMBER;
const FLOAT: c_int = LUA_TNUMBER | 16;
const FALSE: c_int = LUA_TBOOLEAN;
const TRUE: c_int = LUA_TBOOLEAN | 16;

/// `lua_View`.
#[repr(C)]
struct View {
    kind: c_int,
    /// Bytes of a string.
    len: usize,
    body: Body,
}

#[repr(C)]
union Body {
    integer: lua_Integer,
    float: f64,
    pointer: *mut c_void,
    text: *const c_char,
    table: *const c_void,
}

/// The functions of `lview.h`.
pub(super) struct Views {
    argument: unsafe extern "C" fn(*mut lua_State, c_int, *mut View),
    table: unsafe extern "C" fn(*mut lua_State, *const c_void, *mut usize, *mut c_uint) -> c_int,
    index: unsafe extern "C" fn(*const c_void, lua_Integer, *mut View),
    next: unsafe extern "C" fn(*const c_void, *mut c_uint, *mut View, *mut View) -> c_int,
}

static VIEWS: OnceLock<Views> = OnceLock::new();

unsafe extern "C" {
    fn lua_view(state: *mut lua_State, arg: c_int, view: *mut View);
    fn lua_viewtable(
        state: *mut lua_State,
        table: *const c_void,
        len: *mut usize,
        pos: *mut c_uint,
    ) -> c_int;
    fn lua_viewindex(table: *const c_void, index: lua_Integer, view: *mut View);
    fn lua_viewnext(
        table: *const c_void,
        pos: *mut c_uint,
        key: *mut View,
        value: *mut View,
    ) -> c_int;
}

/// Lets `skynet.pack` read values by the functions of the patched Lua (`3rd/lua`), which the calling program must link:
/// every VM in which the module is used must be one of that library. Without it packing works with any Lua 5.5, slower.
// Inline, so that only a program that calls it refers to those functions.
#[inline]
pub fn read_values_in_place() {
    VIEWS.get_or_init(|| Views {
        argument: lua_view,
        table: lua_viewtable,
        index: lua_viewindex,
        next: lua_viewnext,
    });
}

#[inline(always)]
pub(super) fn views() -> Option<&'static Views> {
    VIEWS.get()
}

/// The usual arguments of `unpack`, a light userdata and a size of 0 to 2 GiB. `None` for all others, and without views.
#[inline(always)]
pub(super) unsafe fn block(state: *mut lua_State) -> Option<(*const u8, usize)> {
    let views = views()?;
    // SAFETY: both arguments exist before they are viewed, and `kind` tells which field of the union was written.
    unsafe {
        if lua_gettop(state) < 2 {
            return None;
        }
        let (mut pointer, mut size) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        (views.argument)(state, 1, pointer.as_mut_ptr());
        (views.argument)(state, 2, size.as_mut_ptr());
        let (pointer, size): (&View, &View) = (pointer.assume_init_ref(), size.assume_init_ref());
        if pointer.kind != LUA_TLIGHTUSERDATA || size.kind != INTEGER {
            return None;
        }
        let size = c_int::try_from(size.body.integer).ok()?;
        Some((pointer.body.pointer.cast(), usize::try_from(size).ok()?))
    }
}

/// Packs the arguments 1 to `count` of the running function.
pub(super) unsafe fn arguments(
    state: *mut lua_State,
    views: &Views,
    writer: &mut Writer,
    count: c_int,
) -> Result<(), Failure> {
    for index in 1..=count {
        // SAFETY: the argument exists and stays where it is while it is packed.
        unsafe {
            let mut view = MaybeUninit::uninit();
            (views.argument)(state, index, view.as_mut_ptr());
            value(state, views, writer, view.assume_init_ref(), 0)?;
        }
    }
    Ok(())
}

/// Packs what `view` shows; it is alive at least until the next metamethod runs.
#[inline(always)]
unsafe fn value(
    state: *mut lua_State,
    views: &Views,
    writer: &mut Writer,
    view: &View,
    depth: u32,
) -> Result<(), Failure> {
    if depth > MAX_DEPTH {
        return Err(Failure::TooDeep);
    }
    // SAFETY: `kind` tells which field of the union was written. A text is copied before anything else runs.
    unsafe {
        match view.kind {
            INTEGER => integer(writer, view.body.integer)?,
            FLOAT => writer.headed(head(NUMBER, number::REAL), view.body.float.to_ne_bytes())?,
            LUA_TSTRING => {
                let text = slice::from_raw_parts(view.body.text.cast(), view.len);
                string(writer, text)?;
            }
            FALSE => writer.byte(head(BOOLEAN, 0))?,
            TRUE => writer.byte(head(BOOLEAN, 1))?,
            LUA_TNIL => writer.byte(head(NIL, 0))?,
            LUA_TTABLE => table(state, views, writer, view.body.table, depth + 1)?,
            LUA_TLIGHTUSERDATA => {
                let pointer = view.body.pointer as usize;
                writer.headed(head(POINTER, 0), pointer.to_ne_bytes())?;
            }
            kind => return Err(Failure::Unsupported(kind)),
        }
    }
    Ok(())
}

/// Packs a table; its values are at `depth`.
unsafe fn table(
    state: *mut lua_State,
    views: &Views,
    writer: &mut Writer,
    table: *const c_void,
    depth: u32,
) -> Result<(), Failure> {
    // SAFETY: the table is alive when this begins, and on the stack from then on. What metamethods of values in it do to it
    // is harmless: `index` and `next` look at the table as it is then, and the views of before are not used any more.
    unsafe {
        if lua_checkstack(state, STACK) == 0 {
            return Err(Failure::StackOverflow);
        }
        let (mut length, mut next) = (0, 0);
        let has_metatable = (views.table)(state, table, &mut length, &mut next) != 0;
        if has_metatable && find_pairs(state, writer, -1) {
            let index = lua_absindex(state, -2);
            by_metamethod(state, writer, index, depth)?;
            lua_settop(state, -2);
            return Ok(());
        }
        begin_table(writer, length)?;
        let mut key = MaybeUninit::uninit();
        let mut body = MaybeUninit::uninit();
        for index in 1..=length {
            (views.index)(table, index as lua_Integer, body.as_mut_ptr());
            value(state, views, writer, body.assume_init_ref(), depth)?;
        }
        while (views.next)(table, &mut next, key.as_mut_ptr(), body.as_mut_ptr()) != 0 {
            let key = key.assume_init_ref();
            if key.kind == INTEGER && (1..=length as lua_Integer).contains(&key.body.integer) {
                continue;
            }
            if key.kind == LUA_TTABLE {
                // It may have a metamethod that ends the life of the value.
                pair_of_table(state, views, writer, key.body.table, depth)?;
                continue;
            }
            value(state, views, writer, key, depth)?;
            value(state, views, writer, body.assume_init_ref(), depth)?;
        }
        lua_settop(state, -2);
    }
    writer.byte(head(NIL, 0))?;
    Ok(())
}

/// Packs a key that is a table, and its value in the table at the top of the stack, both by way of the stack.
#[cold]
unsafe fn pair_of_table(
    state: *mut lua_State,
    views: &Views,
    writer: &mut Writer,
    key: *const c_void,
    depth: u32,
) -> Result<(), Failure> {
    // SAFETY: the key is alive and the stack has room for STACK values; both stay on it while they are packed.
    unsafe {
        let (mut length, mut next) = (0, 0);
        (views.table)(state, key, &mut length, &mut next);
        lua_pushvalue(state, -1);
        lua_rawget(state, -3);
        on_stack(state, writer, -2, LUA_TTABLE, depth)?;
        on_stack(state, writer, -1, lua_type(state, -1), depth)?;
        lua_settop(state, -3);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seri::pack::string_of_arguments;
    use mlua_sys::{
        LUA_OK, lua_close, lua_pcall, lua_pushcfunction, lua_setglobal, lua_tolstring,
        luaL_loadstring, luaL_newstate, luaL_openlibs,
    };
    use skynet_lua as _;
    use std::ffi::{CStr, CString};

    unsafe extern "C-unwind" fn on_the_stack(state: *mut lua_State) -> c_int {
        // SAFETY: called by Lua.
        unsafe { string_of_arguments(state, None) }
    }

    unsafe extern "C-unwind" fn in_place(state: *mut lua_State) -> c_int {
        read_values_in_place();
        // SAFETY: called by Lua; this program links the patched one.
        unsafe { string_of_arguments(state, views()) }
    }

    /// Runs Lua code that has both ways of packing.
    fn run(code: &str) {
        let code = CString::new(code).unwrap();
        // SAFETY: a new VM of this thread; the code's result or error stays on the stack while it is read.
        unsafe {
            let state = luaL_newstate();
            luaL_openlibs(state);
            lua_pushcfunction(state, on_the_stack);
            lua_setglobal(state, c"on_the_stack".as_ptr());
            lua_pushcfunction(state, in_place);
            lua_setglobal(state, c"in_place".as_ptr());
            let mut status = luaL_loadstring(state, code.as_ptr());
            if status == LUA_OK {
                status = lua_pcall(state, 0, 0, 0);
            }
            if status != LUA_OK {
                let text = lua_tolstring(state, -1, std::ptr::null_mut());
                panic!("{}", CStr::from_ptr(text).to_string_lossy());
            }
            lua_close(state);
        }
    }

    #[test]
    fn any_value_has_the_same_bytes_as_through_the_interface_of_lua() {
        run(r#"
            math.randomseed(1)
            local scalar = {
                function() return math.random(-3, 300) end,
                function() return math.random(0) end,
                function() return math.random() end,
                function() return math.random(2) == 1 end,
                function() return ("s"):rep(math.random(0, 100)) .. math.random(1000) end,
                function() return ("long"):rep(math.random(2000)) end,
                function() return math.mininteger >> math.random(0, 63) end,
            }
            local value
            local function filled(depth)
                local new = {}
                for _ = 1, depth < 4 and math.random(0, 8) or 0 do
                    local kind = math.random(6)
                    if kind <= 2 then new[#new + 1] = value(depth)
                    elseif kind == 3 then new[math.random(1, 20)] = value(depth)
                    elseif kind == 4 then new[filled(depth + 2)] = value(depth)
                    elseif kind == 5 then new[scalar[math.random(#scalar)]()] = value(depth)
                    else new[math.random(1, 20)] = nil end
                end
                if math.random(8) == 1 then
                    return setmetatable({ "hidden" }, { __pairs = function() return next, new end })
                end
                return math.random(8) == 1 and setmetatable(new, {}) or new
            end
            function value(depth)
                if depth < 3 and math.random(4) == 1 then return filled(depth + 1) end
                return scalar[math.random(#scalar)]()
            end
            for _ = 1, 500 do
                local values = table.pack(value(0), filled(0), nil, value(0))
                local a = on_the_stack(table.unpack(values, 1, values.n))
                local b = in_place(table.unpack(values, 1, values.n))
                assert(a == b)
            end
            for _, wrong in ipairs { print, io.stdout, { { [print] = 1 } }, { coroutine.create(print) } } do
                local _, a = pcall(on_the_stack, wrong)
                local _, b = pcall(in_place, wrong)
                assert(a == b and a:find "Unsupport type", b)
            end
            local deep = {}
            for depth = 2, 40 do
                local _, a = pcall(on_the_stack, deep)
                local _, b = pcall(in_place, deep)
                assert(a == b)
                deep = { deep }
            end
        "#);
    }

    #[test]
    fn a_metamethod_may_empty_or_fill_the_tables_that_are_being_packed() {
        run(r#"
            local outer, meddle
            local function proxy()
                return setmetatable({}, { __pairs = function()
                    meddle()
                    collectgarbage()
                    return next, { a = 1 }
                end })
            end
            local function fresh()
                outer = { { proxy(), "text", x = proxy(), y = { 1, 2, 3 } }, "more", [proxy()] = ("x"):rep(math.random(30, 90)), k = { proxy() } }
            end
            local meddlers = {
                function() for key in pairs(outer) do outer[key] = nil end end,
                function() for key in pairs(outer[1] or {}) do outer[1][key] = nil end end,
                function() for i = 1, 1000 do outer[i] = i end end,
                function() for i = 1, 100 do outer["k" .. i] = { i } end end,
                function() outer[1], outer.k = nil, nil end,
            }
            for _, one in ipairs(meddlers) do
                meddle = one
                for _ = 1, 20 do
                    fresh()
                    pcall(in_place, outer)
                    fresh()
                    -- Nobody holds the table but the argument, and that is overwritten in it.
                    local function call(...) outer = ...; return in_place(...) end
                    pcall(call, outer)
                end
            end
            meddle = function() end
            fresh()
            assert(in_place(outer) == on_the_stack(outer))
        "#);
    }
}
