//! `skynet.profile`, and what replaces `coroutine.resume` and `coroutine.wrap`: they measure the CPU time of coroutines
//! that asked for it, and tell [`super::interrupt`] which coroutine runs.
//!
//! All functions have two upvalues, tables with weak keys: coroutine -> CPU clock at which it was last resumed, and
//! coroutine -> seconds that it has used before.

use std::ffi::CStr;

use libc::{c_int, clockid_t};
use mlua_sys::{
    LUA_OK, LUA_TFUNCTION, LUA_TNIL, LUA_TSTRING, LUA_TTHREAD, LUA_YIELD, lua_CFunction, lua_State,
    lua_checkstack, lua_closethread, lua_concat, lua_createtable, lua_error, lua_gettop,
    lua_insert, lua_newthread, lua_pop, lua_pushboolean, lua_pushcclosure, lua_pushlstring,
    lua_pushnil, lua_pushnumber, lua_pushstring, lua_pushthread, lua_pushvalue, lua_rawget,
    lua_rawset, lua_remove, lua_resume, lua_setfield, lua_setmetatable, lua_settop, lua_status,
    lua_tonumber, lua_topointer, lua_tothread, lua_type, lua_upvalueindex, lua_xmove, lua_yield,
    luaL_checktype, luaL_error, luaL_where,
};

use super::Snlua;

const STARTED: c_int = 1;
const TOTAL: c_int = 2;
/// Upvalue of a wrapped coroutine's function.
const WRAPPED: c_int = 3;

const THREAD_CLOCK: clockid_t = libc::CLOCK_THREAD_CPUTIME_ID;

/// CPU time of this thread, seconds.
fn cpu_time() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writing.
    unsafe { libc::clock_gettime(THREAD_CLOCK, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// The number that a table has for the coroutine at `index`.
unsafe fn get(state: *mut lua_State, table: c_int, index: c_int) -> Option<f64> {
    // SAFETY: called by a function with the upvalues, with room on the stack.
    unsafe {
        lua_pushvalue(state, index);
        let known = lua_rawget(state, lua_upvalueindex(table)) != LUA_TNIL;
        let number = lua_tonumber(state, -1);
        lua_pop(state, 1);
        known.then_some(number)
    }
}

unsafe fn set(state: *mut lua_State, table: c_int, index: c_int, value: Option<f64>) {
    // SAFETY: as in `get`.
    unsafe {
        lua_pushvalue(state, index);
        match value {
            Some(number) => lua_pushnumber(state, number),
            None => lua_pushnil(state),
        }
        lua_rawset(state, lua_upvalueindex(table));
    }
}

/// Resumes the coroutine at `index` with the `count` values at the top: the number of results, or the error, pushed.
unsafe fn resume_at(state: *mut lua_State, index: c_int, count: c_int) -> Result<c_int, ()> {
    // SAFETY: called by a function with the upvalues. The instance outlives the VM.
    unsafe {
        let this = Snlua::of(state);
        let coroutine = lua_tothread(state, index);
        if (*this).profiled > 0 && get(state, STARTED, index).is_some() {
            set(state, STARTED, index, Some(cpu_time()));
        }
        let results = transfer(state, coroutine, count, this);
        if (*this).profiled > 0
            && let Some(begin) = get(state, STARTED, index)
        {
            let used = cpu_time() - begin;
            let before = get(state, TOTAL, index).unwrap_or(0.0);
            set(state, TOTAL, index, Some(before + used));
        }
        results
    }
}

unsafe fn transfer(
    state: *mut lua_State,
    coroutine: *mut lua_State,
    count: c_int,
    this: *const Snlua,
) -> Result<c_int, ()> {
    // SAFETY: as in `resume_at`; both stacks are checked.
    unsafe {
        if lua_checkstack(coroutine, count) == 0 {
            push_text(state, c"too many arguments to resume");
            return Err(());
        }
        lua_xmove(state, coroutine, count);
        let mut results = 0;
        (*this).interrupt.switch(coroutine);
        let status = lua_resume(coroutine, state, count, &mut results);
        (*this).interrupt.switch(state);
        if status != LUA_OK && status != LUA_YIELD {
            lua_xmove(coroutine, state, 1);
            return Err(());
        }
        if lua_checkstack(state, results.saturating_add(1)) == 0 {
            lua_pop(coroutine, results);
            push_text(state, c"too many results to resume");
            return Err(());
        }
        lua_xmove(coroutine, state, results);
        Ok(results)
    }
}

unsafe fn push_text(state: *mut lua_State, text: &CStr) {
    // SAFETY: the stack has room for a value.
    unsafe {
        lua_pushlstring(state, text.as_ptr(), text.to_bytes().len());
    }
}

/// `resume(coroutine, ...)`, as in Lua 5.5 manual §6.2.
unsafe extern "C-unwind" fn resume(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md).
    unsafe {
        luaL_checktype(state, 1, LUA_TTHREAD);
        let results = resume_at(state, 1, lua_gettop(state) - 1);
        lua_pushboolean(state, results.is_ok().into());
        let count = results.unwrap_or(1);
        lua_insert(state, -(count + 1));
        count + 1
    }
}

/// `resume_co(coroutine, from, ...)` of releases up to v1.3.0: `resume(coroutine, ...)`. `from` was the coroutine to measure;
/// each one is measured where it is resumed.
unsafe extern "C-unwind" fn resume_co(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md); index 2 is there, as it is a coroutine.
    unsafe {
        luaL_checktype(state, 2, LUA_TTHREAD);
        lua_remove(state, 2);
        resume(state)
    }
}

/// `yield_co(from, ...)` of releases up to v1.3.0: `coroutine.yield(...)`.
unsafe extern "C-unwind" fn yield_co(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md); what Lua raises when it cannot yield leaves nothing behind.
    unsafe {
        luaL_checktype(state, 1, LUA_TTHREAD);
        lua_yield(state, lua_gettop(state) - 1)
    }
}

/// `wrap(function)`, as in Lua 5.5 manual §6.2.
unsafe extern "C-unwind" fn wrap(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md).
    unsafe {
        luaL_checktype(state, 1, LUA_TFUNCTION);
        lua_pushvalue(state, lua_upvalueindex(STARTED));
        lua_pushvalue(state, lua_upvalueindex(TOTAL));
        let coroutine = lua_newthread(state);
        lua_pushvalue(state, 1);
        lua_xmove(state, coroutine, 1);
        lua_pushcclosure(state, wrapped, WRAPPED);
    }
    1
}

unsafe extern "C-unwind" fn wrapped(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md); upvalue 3 is the coroutine.
    unsafe {
        let index = lua_upvalueindex(WRAPPED);
        if let Ok(results) = resume_at(state, index, lua_gettop(state)) {
            return results;
        }
        let coroutine = lua_tothread(state, index);
        if !matches!(lua_status(coroutine), LUA_OK | LUA_YIELD) {
            // Its to-be-closed variables.
            lua_closethread(coroutine, state);
        }
        if lua_type(state, -1) == LUA_TSTRING {
            luaL_where(state, 1);
            lua_insert(state, -2);
            lua_concat(state, 2);
        }
        lua_error(state)
    }
}

/// Leaves the coroutine that the function is about at 1: the argument, or the running one.
unsafe fn subject(state: *mut lua_State) {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md).
    unsafe {
        if lua_gettop(state) == 0 {
            lua_pushthread(state);
        } else {
            lua_settop(state, 1);
            luaL_checktype(state, 1, LUA_TTHREAD);
        }
    }
}

/// `start([coroutine])`: measures its CPU time from now on.
unsafe extern "C-unwind" fn start(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md).
    unsafe {
        subject(state);
        if get(state, STARTED, 1).is_some() {
            return luaL_error(
                state,
                c"Thread %p start profile more than once".as_ptr(),
                lua_topointer(state, 1),
            );
        }
        set(state, TOTAL, 1, Some(0.0));
        set(state, STARTED, 1, Some(cpu_time()));
        (*Snlua::of(state)).profiled += 1;
    }
    0
}

/// `stop([coroutine])`: the seconds since `start`.
unsafe extern "C-unwind" fn stop(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md).
    unsafe {
        subject(state);
        let Some(begin) = get(state, STARTED, 1) else {
            return luaL_error(
                state,
                c"Call profile.start() before profile.stop()".as_ptr(),
            );
        };
        let used = cpu_time() - begin;
        let before = get(state, TOTAL, 1).unwrap_or(0.0);
        set(state, STARTED, 1, None);
        set(state, TOTAL, 1, None);
        let this = Snlua::of(state);
        (*this).profiled = (*this).profiled.saturating_sub(1);
        lua_pushnumber(state, before + used);
    }
    1
}

/// Opens `skynet.profile`: pushes its table.
pub(super) unsafe extern "C-unwind" fn open(state: *mut lua_State) -> c_int {
    let functions: [(&CStr, lua_CFunction); 6] = [
        (c"start", start),
        (c"stop", stop),
        (c"resume", resume),
        (c"wrap", wrap),
        (c"resume_co", resume_co),
        (c"yield_co", yield_co),
    ];
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md).
    unsafe {
        lua_createtable(state, 0, functions.len() as c_int);
        lua_createtable(state, 0, 1);
        lua_pushstring(state, c"k".as_ptr());
        lua_setfield(state, -2, c"__mode".as_ptr());
        for _ in [STARTED, TOTAL] {
            lua_createtable(state, 0, 0);
            lua_pushvalue(state, 3);
            lua_setmetatable(state, -2);
        }
        // 2: module, 3: metatable, 4 and 5: the two tables; 1 is the module's name.
        for (name, function) in functions {
            lua_pushvalue(state, 4);
            lua_pushvalue(state, 5);
            lua_pushcclosure(state, function, 2);
            lua_setfield(state, 2, name.as_ptr());
        }
        lua_settop(state, 2);
    }
    1
}
