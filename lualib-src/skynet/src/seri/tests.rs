//! What goes through Lua's interface and what is done in place, compared.

use super::in_place::{Functions, functions, values_in_place};
use super::pack::string_of_arguments;
use super::unpack::unpack_arguments;
use libc::c_int;
use mlua_sys::{
    LUA_OK, lua_close, lua_pcall, lua_pushcfunction, lua_setglobal, lua_tolstring, luaL_loadstring,
    luaL_newstate, luaL_openlibs,
};
use skynet_lua as _;
use skynet_support::{State, lua_function};
use std::ffi::{CStr, CString};

fn patched() -> Option<&'static Functions> {
    values_in_place(); // this program links the patched Lua
    functions()
}

fn pack_by_interface(state: State<'_>) -> c_int {
    string_of_arguments(state, None)
}

fn pack_in_place(state: State<'_>) -> c_int {
    string_of_arguments(state, patched())
}

fn unpack_by_interface(state: State<'_>) -> c_int {
    unpack_arguments(state, None)
}

fn unpack_in_place(state: State<'_>) -> c_int {
    unpack_arguments(state, patched())
}

/// Runs Lua code that has both ways of packing and of unpacking, and random values.
fn run(code: &str) {
    let code = CString::new([RANDOM, code].concat()).unwrap();
    // SAFETY: a new VM of this thread; the code's result or error stays on the stack while it is read.
    unsafe {
        let state = luaL_newstate();
        luaL_openlibs(state);
        lua_pushcfunction(state, lua_function!(unsafe pack_by_interface));
        lua_setglobal(state, c"pack_by_interface".as_ptr());
        lua_pushcfunction(state, lua_function!(unsafe pack_in_place));
        lua_setglobal(state, c"pack_in_place".as_ptr());
        lua_pushcfunction(state, lua_function!(unsafe unpack_by_interface));
        lua_setglobal(state, c"unpack_by_interface".as_ptr());
        lua_pushcfunction(state, lua_function!(unsafe unpack_in_place));
        lua_setglobal(state, c"unpack_in_place".as_ptr());
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

/// `value(depth)` and `filled(depth)`: anything, and a table.
const RANDOM: &str = r#"
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
function filled(depth)
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
"#;

#[test]
fn any_value_has_the_same_bytes() {
    run(r#"
        for _ = 1, 500 do
            local values = table.pack(value(0), filled(0), nil, value(0))
            local a = pack_by_interface(table.unpack(values, 1, values.n))
            local b = pack_in_place(table.unpack(values, 1, values.n))
            assert(a == b)
        end
        for _, wrong in ipairs { print, io.stdout, { { [print] = 1 } }, { coroutine.create(print) } } do
            local _, a = pcall(pack_by_interface, wrong)
            local _, b = pcall(pack_in_place, wrong)
            assert(a == b and a:find "Unsupport type", b)
        end
        local deep = {}
        for depth = 2, 40 do
            local _, a = pcall(pack_by_interface, deep)
            local _, b = pcall(pack_in_place, deep)
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
                pcall(pack_in_place, outer)
                fresh()
                -- Only the argument holds the table, and that is overwritten in it.
                local function call(...) outer = ...; return pack_in_place(...) end
                pcall(call, outer)
            end
        end
        meddle = function() end
        fresh()
        assert(pack_in_place(outer) == pack_by_interface(outer))
    "#);
}

#[test]
fn any_message_has_the_same_values() {
    run(r#"
        -- The values in one text.
        local function show(v)
            if type(v) ~= "table" then
                return math.type(v) == "float" and ("%a"):format(v) or ("%s %q"):format(math.type(v), v)
            end
            local parts = {}
            for key, body in next, v do parts[#parts + 1] = show(key) .. "=" .. show(body) end
            table.sort(parts)
            return "{" .. #v .. ":" .. table.concat(parts, ",") .. "}"
        end
        local function shown(unpack, message)
            local results = table.pack(pcall(unpack, message))
            if not results[1] then
                return (results[2]:gsub("%(line:%d+%)", ""))
            end
            for i = 2, results.n do results[i] = show(results[i]) end
            results[1] = results.n
            return table.concat(results, ";")
        end
        local failed, seen = 0, 0
        for _, mode in ipairs { "incremental", "generational" } do
            collectgarbage(mode)
            for _ = 1, 400 do
                local message = pack_in_place(value(0), filled(0), nil, filled(0), value(0))
                assert(shown(unpack_in_place, message) == shown(unpack_by_interface, message))
                for _ = 1, 3 do
                    -- Damaged: cut, or with another byte in it.
                    local at = math.random(#message)
                    local wrong = message:sub(1, at - 1)
                    if math.random(2) == 1 then
                        wrong = wrong .. string.char(math.random(0, 255)) .. message:sub(at + 1)
                    end
                    local a, b = shown(unpack_in_place, wrong), shown(unpack_by_interface, wrong)
                    assert(a == b, a)
                    seen = seen + 1
                    if a:find "Invalid serialize stream" then failed = failed + 1 end
                end
            end
        end
        assert(failed > seen // 4 and failed < seen)
    "#);
}

#[test]
fn fields_that_meet_in_a_table_are_all_there() {
    run(r#"
        -- As many as fit and more than were looked for, one of them twice, with and without an array before them.
        local head = string.char
        local function text(s) return head(4 | #s << 3) .. s end
        for array = 0, 40, 8 do
            for count = 0, 200 do
                local parts = { head(6 | math.min(array, 31) << 3) }
                if array >= 31 then parts[2] = head(2 | 1 << 3) .. head(array) end
                for i = 1, array do parts[#parts + 1] = text("a" .. i) end
                for i = 1, count do parts[#parts + 1] = text("key" .. i) .. head(2 | 1 << 3) .. head(i) end
                parts[#parts + 1] = text "key1" .. text "again"
                parts[#parts + 1] = text "none" .. head(0)
                parts[#parts + 1] = text "__index" .. text "later"
                parts[#parts + 1] = head(0)
                local t = unpack_in_place(table.concat(parts))
                assert(#t == array and t.none == nil)
                for i = 1, array do assert(t[i] == "a" .. i) end
                for i = 2, count do assert(t["key" .. i] == i) end
                assert(t.key1 == "again" and t.__index == "later")
                local n = 0
                for _ in pairs(t) do n = n + 1 end
                assert(n == array + math.max(count, 1) + 1)
            end
        end
        -- A metatable finds what was set in place.
        local mt = unpack_in_place(pack_in_place { __name = "here", x = 1 })
        assert(tostring(setmetatable({}, mt)):find "^here: ")
    "#);
}

#[test]
fn what_is_built_survives_the_collector() {
    run(r#"
        local big = {}
        for i = 1, 40 do
            big[i] = { name = "name" .. i, inner = { i, { "x" .. i, k = { i } } }, ["long" .. ("k"):rep(60) .. i] = ("v"):rep(50) .. i }
        end
        local message = pack_in_place(big)
        big = nil
        for _, mode in ipairs { "incremental", "generational" } do
            collectgarbage(mode)
            collectgarbage("param", "pause", 0)
            collectgarbage("param", "stepsize", 1)
            collectgarbage("param", "minormul", 1)
            local kept = {}
            for round = 1, 8 do
                local t = unpack_in_place(message)
                kept[round % 3] = t
                for _, t in pairs(kept) do
                    for i = 1, 40 do
                        assert(t[i].name == "name" .. i and t[i].inner[1] == i and t[i].inner[2][1] == "x" .. i)
                        assert(t[i].inner[2].k[1] == i and t[i]["long" .. ("k"):rep(60) .. i] == ("v"):rep(50) .. i)
                    end
                end
            end
        end
    "#);
}
