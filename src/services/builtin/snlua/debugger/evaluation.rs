//! A text that the user has typed, or a condition of a breakpoint, which runs in a stopped service, and how it ends.
//!
//! It ends by itself or by an error that the hook of its coroutines raises: when it takes too long, when the service is to go on or was
//! killed, and when the editor has left; and by "not enough memory" when it takes too much. `pcall` in the text catches such an error. So from the first one on each further instruction
//! raises it again, wherever that is, and what has called `pcall` meets it at once.
//!
//! A coroutine that is made meanwhile has the hook of who makes it. One that was there before gets it when it is resumed
//! ([`on_switch`]), and has it until it runs without an evaluation; one with a hook of the service's own is left alone, until the text
//! has to end. A text that takes the hook away, or waits for its end where Lua calls no hooks, is reminded by [`super::overdue`].

use libc::c_int;
use mlua_sys::{
    LUA_MASKCOUNT, LUA_MULTRET, LUA_OK, LUA_TFUNCTION, lua_Debug, lua_Hook, lua_State,
    lua_checkstack, lua_gethook, lua_gethookcount, lua_gethookmask, lua_gettop, lua_newthread,
    lua_pcall, lua_pushboolean, lua_sethook, lua_xmove, luaL_error,
};
use skynet_support::State;
use std::ffi::CStr;
use std::sync::atomic::Ordering;

use super::hook::{self, MASK_INSIDE};
use super::{Local, Snlua, agent, local, natives};
use crate::services::builtin::snlua::core::{monotonic_nanos, thread_cpu_nanos};

/// Instructions between two looks whether it has to end.
const INSTRUCTIONS: c_int = 100;
/// The processor is not the node's alone: what may take little of it has this long, in nanoseconds.
const PATIENCE: u64 = 1_000_000_000;
const TOO_LONG: &CStr = c"this takes too long while the service is stopped";
/// Bytes by which the VM may grow meanwhile.
const MOST_MEMORY: usize = 256 * 1024 * 1024;

/// What runs.
#[derive(Clone, Copy)]
pub(super) struct Evaluation {
    /// Until when, in nanoseconds.
    deadline: u64,
    /// ... and up to which processor time of the thread.
    processor: u64,
    /// Processor time is not looked at before: it cannot have taken that much.
    earliest: u64,
    /// Why it has to end.
    ends: Option<&'static CStr>,
}

/// What runs now.
pub(super) fn set(local: &Local, evaluation: Option<Evaluation>) {
    local.evaluation.set(evaluation);
    // SAFETY: the instance outlives `local`, and belongs to the thread that runs the service.
    let (memory, interrupt) = unsafe { (&(*local.instance).memory, &(*local.instance).interrupt) };
    memory.set_room(evaluation.map(|_| MOST_MEMORY));
    // What would wait is refused before it does anything, also in a coroutine of the text's own.
    interrupt.still.set(evaluation.is_some().into());
    let deadline = evaluation.map_or(0, |evaluation| evaluation.deadline);
    local.vm.evaluates.store(deadline, Ordering::SeqCst);
}

/// In the handler of a signal: whether something runs that has to end. Then the coroutine `running` meets the hook at its next
/// instruction, whatever hook it has. Async-signal-safe.
///
/// # Safety
/// As for [`hook::set_from_signal`], in the VM of `local`.
pub(super) unsafe fn end_from_signal(local: &Local, running: *mut lua_State) -> bool {
    let (runs, ends) = (&local.vm.evaluates, &local.vm.overdue);
    let runs = runs.load(Ordering::SeqCst);
    let is_overdue = runs != 0 && runs == ends.load(Ordering::SeqCst);
    if is_overdue {
        // SAFETY: contract of this function.
        unsafe { lua_sethook(running, Some(on_count), LUA_MASKCOUNT | MASK_INSIDE, 1) };
    }
    is_overdue
}

/// Whether that is the hook of an evaluation.
pub(super) fn is_hook(set: lua_Hook) -> bool {
    let ours: lua_Hook = on_count;
    set as usize == ours as usize
}

/// Sets the hook of a coroutine, which counts on if it has it already.
///
/// # Safety
/// `state` is a coroutine of a VM that the calling thread runs, and its hook is one of the debugger, or none.
unsafe fn watch(state: *mut lua_State, evaluation: Evaluation) {
    let (mask, count) = match evaluation.ends {
        Some(_) => (LUA_MASKCOUNT | MASK_INSIDE, 1),
        None => (LUA_MASKCOUNT, INSTRUCTIONS),
    };
    // SAFETY: contract of this function.
    unsafe {
        let has_it = lua_gethook(state).is_some_and(is_hook);
        if !has_it || lua_gethookcount(state) != count || lua_gethookmask(state) != mask {
            lua_sethook(state, Some(on_count), mask, count);
        }
    }
}

/// While the agent runs, the VM goes over to `state`.
///
/// # Safety
/// `state` is a coroutine of the VM of `local`, and the calling thread runs its service.
pub(super) unsafe fn on_switch(local: &Local, state: *mut lua_State) {
    // SAFETY: contract of this function.
    unsafe {
        if let Some(mut evaluation) = local.evaluation.get() {
            // A sample of a profile takes the hook's count away, and samples may come faster than that is reached.
            evaluation.ends = look(local, evaluation);
            local.evaluation.set(Some(evaluation));
            if evaluation.ends.is_some() || lua_gethook(state).is_none_or(hook::is_ours) {
                watch(state, evaluation);
            }
        }
    }
}

fn takes_too_long(evaluation: Evaluation) -> bool {
    let now = monotonic_nanos();
    now > evaluation.deadline
        || now > evaluation.earliest && thread_cpu_nanos() > evaluation.processor
}

/// Why what runs has to end now.
fn look(local: &Local, evaluation: Evaluation) -> Option<&'static CStr> {
    if evaluation.ends.is_some() {
        evaluation.ends
    } else if takes_too_long(evaluation) {
        Some(TOO_LONG)
    } else if local.vm.leaves.load(Ordering::SeqCst)
        || !local.vm.is_attended(local.attachment.get())
    {
        Some(c"the service is not to be stopped any more")
    } else {
        None
    }
}

/// The hook of what runs.
///
/// # Safety
/// Lua calls it as a hook, with its running state.
unsafe extern "C-unwind" fn on_count(state: *mut lua_State, _: *mut lua_Debug) {
    // SAFETY: contract of this function; the allocator leads to the instance, which outlives the VM. Nothing that has a
    // destructor is left when an error is raised.
    unsafe {
        let this = Snlua::of(State::new(state));
        let Some(local) = local(this) else {
            return lua_sethook(state, None, 0, 0);
        };
        let works = agent::is_at_work(local, state);
        let Some(mut evaluation) = local.evaluation.get().filter(|_| works) else {
            // It is over, and the coroutine runs on.
            return hook::settle(this, local, state);
        };
        evaluation.ends = look(local, evaluation);
        if let Some(why) = evaluation.ends {
            local.evaluation.set(Some(evaluation));
            watch(state, evaluation);
            luaL_error(state, why.as_ptr());
        }
    }
}

/// `run(seconds, function, ...)`: as `pcall(function, ...)`, for so much processor time at most, and for as long or [`PATIENCE`]. What was
/// ended has that as its error, whatever it made of it; a third result is true when it took too long. The function cannot yield. The collector runs
/// meanwhile, if it ran in the service.
pub(super) fn run(state: State<'_>) -> c_int {
    let seconds = state.check_number(1);
    state.check_kind(2, LUA_TFUNCTION);
    let count = state.top() - 2;
    let local = natives::local(state);
    let (now, most) = (monotonic_nanos(), (seconds * 1e9) as u64);
    let mut evaluation = Evaluation {
        deadline: now.saturating_add(most.max(PATIENCE)),
        processor: thread_cpu_nanos().saturating_add(most),
        earliest: now.saturating_add(most),
        ends: None,
    };
    // SAFETY: the new coroutine is on the stack, below all else. Nothing here has a destructor.
    unsafe {
        let coroutine = lua_newthread(state.raw());
        state.insert(1);
        if lua_checkstack(coroutine, count + 2) == 0 {
            state.error(c"stack overflow");
        }
        // A value that stays below the results as long as the coroutine is not closed.
        lua_pushboolean(coroutine, 1);
        lua_xmove(state.raw(), coroutine, count + 1);
        let interrupt = &raw const (*Snlua::of(state)).interrupt;
        let before = (*interrupt).running();
        set(local, Some(evaluation));
        // The thread of `overdue` may have ended just before it could see this text.
        evaluation.ends = look(local, evaluation);
        local.evaluation.set(Some(evaluation));
        (*interrupt).watch(true);
        watch(coroutine, evaluation);
        (*interrupt).switch(coroutine);
        skynet_lua::lua_holdgc(coroutine.cast(), local.holds_collector.get().into());
        let status = lua_pcall(coroutine, count, LUA_MULTRET, 0);
        // As it was, also if a finalizer has ended without an end (`coroutine.close`).
        skynet_lua::lua_holdgc(coroutine.cast(), 1);
        let ended = local.evaluation.get().and_then(|one| one.ends);
        set(local, None);
        (*interrupt).switch(before);
        (*interrupt).watch(hook::is_watched(local));
        lua_sethook(coroutine, None, 0, 0);
        let results = lua_gettop(coroutine) - 1;
        if results < 0 {
            // `coroutine.close()` unwinds to here, and that is no error.
            state.push_boolean(false);
            state.push_text(c"the coroutine in which this runs was closed");
            return 2;
        }
        if let Some(why) = ended.filter(|_| status != LUA_OK) {
            state.push_boolean(false);
            state.push_text(why);
            state.push_boolean(why == TOO_LONG);
            return 3;
        }
        state.push_boolean(status == LUA_OK);
        if !state.try_reserve(results) {
            state.error(c"too many results");
        }
        lua_xmove(coroutine, state.raw(), results);
        results + 1
    }
}
