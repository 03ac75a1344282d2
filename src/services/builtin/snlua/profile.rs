//! `skynet.profile`, and what replaces `coroutine.resume` and `coroutine.wrap`: they measure the CPU time of coroutines
//! that asked for it, and tell [`super::interrupt`] which coroutine runs, and who waits for it.
//!
//! All functions have two upvalues, tables with weak keys: coroutine -> CPU clock at which it was last resumed, and
//! coroutine -> seconds that it has used before.

use libc::{c_int, clockid_t};
use mlua_sys::{
    LUA_OK, LUA_TFUNCTION, LUA_TNIL, LUA_TSTRING, LUA_TTHREAD, LUA_YIELD, lua_CFunction, lua_State,
    lua_checkstack, lua_closethread, lua_newthread, lua_pop, lua_pushthread, lua_resume,
    lua_status, lua_upvalueindex, lua_xmove, lua_yield, luaL_where,
};
use skynet_support::{Entry, State, lua_function, lua_functions};

use super::interrupt::Interrupt;
use super::{Snlua, debugger};

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
fn get(state: State<'_>, table: c_int, index: c_int) -> Option<f64> {
    state.push_copy(index);
    let known = state.raw_get(lua_upvalueindex(table)) != LUA_TNIL;
    let number = state.to_number(-1);
    state.pop(1);
    known.then_some(number)
}

fn set(state: State<'_>, table: c_int, index: c_int, value: Option<f64>) {
    state.push_copy(index);
    match value {
        Some(number) => state.push_number(number),
        None => state.push_nil(),
    }
    state.raw_set(lua_upvalueindex(table));
}

/// The instance of a VM, as the functions here use it: for the thread that runs the VM, of which it is one.
#[derive(Clone, Copy)]
struct Instance(*mut Snlua);

impl Instance {
    #[inline]
    fn of(state: State<'_>) -> Instance {
        // SAFETY: the functions of this file are given to the VMs of services alone.
        Instance(unsafe { Snlua::of(state) })
    }

    fn interrupt<'a>(self) -> &'a Interrupt {
        // SAFETY: the instance outlives the VM, which is in a function of this file.
        unsafe { &(*self.0).interrupt }
    }

    /// How many coroutines are measured.
    fn profiled(self) -> usize {
        // SAFETY: as in `interrupt`; only the thread that runs the VM has this field.
        unsafe { (*self.0).profiled }
    }

    fn set_profiled(self, count: usize) {
        // SAFETY: as in `profiled`.
        unsafe { (*self.0).profiled = count };
    }
}

/// Resumes the coroutine at `index` with the `count` values at the top: the number of results, or the error, pushed.
fn resume_at(state: State<'_>, index: c_int, count: c_int) -> Result<c_int, ()> {
    let this = Instance::of(state);
    if this.profiled() > 0 && get(state, STARTED, index).is_some() {
        set(state, STARTED, index, Some(cpu_time()));
    }
    // SAFETY: the value is a coroutine, and there are so many values.
    let results = unsafe { transfer(this, state, state.to_thread(index), count) };
    if this.profiled() > 0
        && let Some(begin) = get(state, STARTED, index)
    {
        let used = cpu_time() - begin;
        let before = get(state, TOTAL, index).unwrap_or(0.0);
        set(state, TOTAL, index, Some(before + used));
    }
    results
}

/// Resumes a coroutine: see [`resume_at`].
///
/// # Safety
/// `coroutine` is one of the VM, and `state`, whose instance is `this`, has `count` values at its top.
unsafe fn transfer(
    this: Instance,
    state: State<'_>,
    coroutine: *mut lua_State,
    count: c_int,
) -> Result<c_int, ()> {
    let interrupt = this.interrupt();
    // SAFETY: contract of this function; both stacks are checked.
    unsafe {
        if lua_checkstack(coroutine, count) == 0 {
            state.push_text(c"too many arguments to resume");
            return Err(());
        }
        lua_xmove(state.raw(), coroutine, count);
        let mut results = 0;
        let status = interrupt.resumers.wait(state.raw(), || {
            // Not `state` itself afterwards: if a C module has resumed it, nobody would say when it ends.
            let before = interrupt.running();
            interrupt.switch(coroutine);
            let status = lua_resume(coroutine, state.raw(), count, &mut results);
            if interrupt.is_watched() {
                if status == LUA_YIELD {
                    debugger::has_yielded(this.0, coroutine, state.raw(), results);
                } else {
                    debugger::has_ended(this.0, coroutine, state.raw());
                }
            }
            interrupt.switch(before);
            status
        });
        if status != LUA_OK && status != LUA_YIELD {
            lua_xmove(coroutine, state.raw(), 1);
            return Err(());
        }
        if !state.try_reserve(results.saturating_add(1)) {
            lua_pop(coroutine, results);
            state.push_text(c"too many results to resume");
            return Err(());
        }
        lua_xmove(coroutine, state.raw(), results);
        Ok(results)
    }
}

/// `resume(coroutine, ...)`, as in Lua 5.5 manual §6.2.
fn resume(state: State<'_>) -> c_int {
    state.check_kind(1, LUA_TTHREAD);
    let results = resume_at(state, 1, state.top() - 1);
    state.push_boolean(results.is_ok());
    let count = results.unwrap_or(1);
    state.insert(-(count + 1));
    count + 1
}

/// `resume_co(coroutine, from, ...)` of releases up to v1.3.0: `resume(coroutine, ...)`. `from` was the coroutine to measure;
/// each one is measured where it is resumed.
fn resume_co(state: State<'_>) -> c_int {
    state.check_kind(2, LUA_TTHREAD); // so index 2 is there
    state.remove(2);
    resume(state)
}

/// `yield_co(from, ...)` of releases up to v1.3.0: `coroutine.yield(...)`.
fn yield_co(state: State<'_>) -> c_int {
    state.check_kind(1, LUA_TTHREAD);
    // SAFETY: the last thing that the function does; what Lua raises when it cannot yield leaves nothing behind.
    unsafe { lua_yield(state.raw(), state.top() - 1) }
}

/// `wrap(function)`, as in Lua 5.5 manual §6.2.
fn wrap(state: State<'_>) -> c_int {
    state.check_kind(1, LUA_TFUNCTION);
    state.push_copy(lua_upvalueindex(STARTED));
    state.push_copy(lua_upvalueindex(TOTAL));
    // SAFETY: the new coroutine is on the stack, and has room for a value.
    unsafe {
        let coroutine = lua_newthread(state.raw());
        state.push_copy(1);
        lua_xmove(state.raw(), coroutine, 1);
    }
    // SAFETY: `wrapped` keeps the rules of `State`.
    state.push_closure(wrapped_function(), WRAPPED);
    1
}

/// What calls a wrapped coroutine.
pub(super) fn wrapped_function() -> lua_CFunction {
    lua_function!(unsafe wrapped)
}

/// Upvalue 3 is the coroutine.
fn wrapped(state: State<'_>) -> c_int {
    let index = lua_upvalueindex(WRAPPED);
    if let Ok(results) = resume_at(state, index, state.top()) {
        return results;
    }
    let coroutine = state.to_thread(index);
    // SAFETY: the upvalue is a coroutine, which does not run.
    unsafe {
        if !matches!(lua_status(coroutine), LUA_OK | LUA_YIELD) {
            // Its to-be-closed variables, one of which may raise in its turn.
            lua_closethread(coroutine, state.raw());
            state.pop(1);
            lua_xmove(coroutine, state.raw(), 1);
        }
    }
    if state.kind(-1) == LUA_TSTRING {
        // SAFETY: there is room for a value.
        unsafe { luaL_where(state.raw(), 1) };
        state.insert(-2);
        state.concat(2);
    }
    state.raise()
}

/// Leaves the coroutine that the function is about at 1: the argument, or the running one.
fn subject(state: State<'_>) {
    if state.top() == 0 {
        // SAFETY: there is room for a value.
        unsafe { lua_pushthread(state.raw()) };
    } else {
        state.set_top(1);
        state.check_kind(1, LUA_TTHREAD);
    }
}

/// `start([coroutine])`: measures its CPU time from now on.
fn start(state: State<'_>) -> c_int {
    subject(state);
    if get(state, STARTED, 1).is_some() {
        let thread = state.to_pointer(1);
        state.error_with(format_args!(
            "Thread {thread:p} start profile more than once"
        ));
    }
    set(state, TOTAL, 1, Some(0.0));
    set(state, STARTED, 1, Some(cpu_time()));
    let this = Instance::of(state);
    this.set_profiled(this.profiled() + 1);
    0
}

/// `stop([coroutine])`: the seconds since `start`.
fn stop(state: State<'_>) -> c_int {
    subject(state);
    let Some(begin) = get(state, STARTED, 1) else {
        state.error(c"Call profile.start() before profile.stop()");
    };
    let used = cpu_time() - begin;
    let before = get(state, TOTAL, 1).unwrap_or(0.0);
    set(state, STARTED, 1, None);
    set(state, TOTAL, 1, None);
    let this = Instance::of(state);
    this.set_profiled(this.profiled().saturating_sub(1));
    state.push_number(before + used);
    1
}

// They keep the rules of `State`.
const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"start" => start,
    c"stop" => stop,
    c"resume" => resume,
    c"wrap" => wrap,
    c"resume_co" => resume_co,
    c"yield_co" => yield_co,
});

/// Opens `skynet.profile`: pushes its table.
pub(super) fn open(state: State<'_>) -> c_int {
    state.create_table(0, FUNCTIONS.len() as c_int);
    state.create_table(0, 1);
    state.push_text(c"k");
    state.set_field(-2, c"__mode");
    for _ in [STARTED, TOTAL] {
        state.create_table(0, 0);
        state.push_copy(3);
        state.set_metatable(-2);
    }
    // 2: module, 3: metatable, 4 and 5: the two tables; 1 is the module's name.
    state.remove(3);
    state.register(FUNCTIONS, 2);
    1
}
