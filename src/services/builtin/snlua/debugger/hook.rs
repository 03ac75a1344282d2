//! Hooks of coroutines: which are set where, and what they do.
//!
//! A call hook looks whether the function that begins has a breakpoint, and sets the line hook of its coroutine then, which stays
//! as long as such a function is on the stack. A coroutine has its hooks set when it is resumed: those that were made before, and wait,
//! cost nothing until they run. One with a hook of the service's own is left alone.

use std::ptr;
use std::sync::atomic::Ordering;

use libc::c_int;
use mlua_sys::{
    LUA_HOOKCALL, LUA_HOOKCOUNT, LUA_HOOKLINE, LUA_HOOKTAILCALL, LUA_MASKCALL, LUA_MASKCOUNT,
    LUA_MASKLINE, lua_Debug, lua_Hook, lua_State, lua_gethook, lua_gethookmask, lua_getinfo,
    lua_getstack, lua_sethook,
};
use skynet_lua::LuaState;
use skynet_support::State;

use super::breakpoints::{self, Source};
use super::step::{self, Step};
use super::{
    ATTACHMENT, ENTRY, JUST_MY_CODE, Local, PAUSE, PAUSE_IN_APPLICATION, RUN, Snlua, agent,
    evaluation, is_attached, local, resumers, wants_hooks,
};

/// Lines without a function with a breakpoint, or as many as the stack has calls if those are more, after which the stack is looked at:
/// the line hook may not be needed any more. Then what it costs to set it anew, which grows with the calls, is little for each line.
const QUIET: u32 = 256;
/// In hooks and finalizers too (`LUA_MASKINSIDE`, ldebugger.h). A hook of the service's own is no place for this one; and where this one
/// has returned, Lua calls hooks in the rest of the finalizer whatever their mask is.
pub(super) const MASK_INSIDE: c_int = 0x80;
/// Functions of a stack that are looked at each time that its coroutine goes on.
const DEEPEST: usize = 1000;

/// Whether the hook of a coroutine is this one, or there is none.
///
/// # Safety
/// `state` is a coroutine that exists.
unsafe fn is_free(state: *mut lua_State) -> bool {
    // SAFETY: contract of this function; reads one word.
    unsafe { lua_gethook(state) }.is_none_or(is_hook)
}

fn is_hook(set: lua_Hook) -> bool {
    let ours: lua_Hook = hook;
    set as usize == ours as usize
}

/// Whether a hook is one that the debugger has set.
pub(in super::super) fn is_ours(set: lua_Hook) -> bool {
    is_hook(set) || evaluation::is_hook(set)
}

/// Sets the hook with that mask, or none; one of the service's own stays. To set a hook costs as much as the stack is deep, and this is
/// done at each call: one that is there already stays, as Lua keeps to it in all functions of the stack.
///
/// # Safety
/// `state` is a coroutine of a VM that the calling thread runs; the agent does not.
unsafe fn set(state: *mut lua_State, mask: c_int) {
    // SAFETY: contract of this function.
    unsafe {
        let before = lua_gethook(state);
        let mask = if mask == 0 { 0 } else { mask | MASK_INSIDE };
        let is_set = match before {
            None => mask == 0,
            Some(set) => is_hook(set) && lua_gethookmask(state) == mask,
        };
        if !is_set && before.is_none_or(is_ours) {
            lua_sethook(state, (mask != 0).then_some(hook as _), mask, 1);
        }
    }
}

/// In the handler of a signal: the coroutine that runs looks at its flags at its next instruction. Async-signal-safe.
///
/// # Safety
/// As for [`Interrupt::request`](super::super::interrupt::Interrupt::request).
pub(in super::super) unsafe fn set_from_signal(running: *mut lua_State) {
    // SAFETY: contract of this function: the allocator leads to the instance, whose debugger this thread alone sets. The hook of an
    // evaluation looks by itself, and the agent may run.
    unsafe {
        let ends = local(Snlua::of(State::new(running)))
            .is_some_and(|local| evaluation::end_from_signal(local, running));
        if !ends && is_free(running) {
            lua_sethook(running, Some(hook), LUA_MASKCOUNT, 1);
        }
    }
}

/// The service has taken a hook of its own away: the one that has been in its place is missing.
///
/// # Safety
/// Lua calls it (ldebugger.h) with the running state of a VM of the calling thread.
pub(super) unsafe extern "C-unwind" fn was_taken(state: *mut LuaState) {
    let state: *mut lua_State = state.cast();
    // SAFETY: contract of this function. Nothing here raises.
    unsafe {
        if let Some((this, local)) = super::of_service(state)
            && (is_watched(local) || local.busy.get())
        {
            on_switch(this, state);
        }
    }
}

/// What the VM's coroutine `state` is about to do is watched for: sets its hooks.
///
/// # Safety
/// `state` is a coroutine of the VM, and the calling thread runs the service.
pub(in super::super) unsafe fn on_switch(this: *mut Snlua, state: *mut lua_State) {
    // SAFETY: contract of this function.
    unsafe {
        match local(this) {
            Some(local) if agent::is_at_work(local, state) => evaluation::on_switch(local, state),
            Some(local) => set(state, wanted(local, state, DEEPEST)),
            None => set(state, 0),
        }
    }
}

/// The mask of the hooks that a coroutine has to have. Where a stack has more functions than `most`, it is that of one with a breakpoint in one of
/// the others: its lines tell when it is time to look at all of them ([`QUIET`]).
///
/// # Safety
/// `state` is a coroutine of the VM of `local`, and the calling thread runs its service.
unsafe fn wanted(local: &Local, state: *mut lua_State, most: usize) -> c_int {
    if local.vm.pause.load(Ordering::Relaxed) != RUN {
        return LUA_MASKCOUNT;
    }
    let step = step::current(local);
    if step.concerns(state, resumers(local)) {
        return LUA_MASKCALL | LUA_MASKLINE;
    }
    if !wants_hooks() {
        return 0;
    }
    let has_breakpoint =
        |source: &Source, first: c_int, last: c_int| source.has_between(first, last);
    // SAFETY: contract of this function.
    match unsafe { any_frame(local, state, most, has_breakpoint) } {
        Some(false) => LUA_MASKCALL,
        Some(true) | None => LUA_MASKCALL | LUA_MASKLINE,
    }
}

/// Whether `test` holds for the chunk and the lines of a Lua function on the stack; `None`: not for the first `most`, and there are more.
///
/// # Safety
/// `state` is a coroutine of the VM of `local`, and the calling thread runs its service.
unsafe fn any_frame(
    local: &Local,
    state: *mut lua_State,
    most: usize,
    mut test: impl FnMut(&Source, c_int, c_int) -> bool,
) -> Option<bool> {
    // SAFETY: contract of this function; `lua_Debug` is plain data. With "S" nothing is allocated.
    unsafe {
        let mut frame: lua_Debug = std::mem::zeroed();
        if lua_getstack(state, 0, &mut frame) == 0 {
            return Some(false);
        }
        for _ in 0..most {
            if lua_getinfo(state, c"S".as_ptr(), &mut frame) != 0 && is_lua(&frame) {
                let (first, last) = (frame.linedefined, frame.lastlinedefined);
                if with_source(local, &frame, |source| test(source, first, last)) {
                    return Some(true);
                }
            }
            if !to_caller(state, &mut frame) {
                return Some(false);
            }
        }
        None
    }
}

/// Leads `frame` on to who has called its function. False if nobody has.
///
/// # Safety
/// `frame` is of a function on the stack of `state`.
pub(super) unsafe fn to_caller(state: *mut lua_State, frame: &mut lua_Debug) -> bool {
    // SAFETY: contract of this function.
    unsafe { skynet_lua::lua_getcaller(state.cast(), ptr::from_mut(frame).cast()) != 0 }
}

pub(super) fn is_lua(frame: &lua_Debug) -> bool {
    // Those in C have -1.
    frame.linedefined >= 0
}

/// What is known of the chunk of a frame, of which "S" was asked.
///
/// # Safety
/// `frame` is of a function that is on a stack of the VM of `local`, and `lua_getinfo` has filled it with "S".
pub(super) unsafe fn with_source<R>(
    local: &Local,
    frame: &lua_Debug,
    f: impl FnOnce(&Source) -> R,
) -> R {
    // SAFETY: contract of this function: the name lives as long as the function.
    let name = unsafe { std::slice::from_raw_parts(frame.source.cast::<u8>(), frame.srclen) };
    f(local.sources.borrow_mut().get(frame.source, name))
}

/// The hook of all coroutines that are watched.
///
/// # Safety
/// Lua calls it as a hook, with its running state and an event of it.
unsafe extern "C-unwind" fn hook(state: *mut lua_State, event: *mut lua_Debug) {
    // SAFETY: contract of this function; the allocator leads to the instance, which outlives the VM. What may raise
    // is called where nothing has a destructor (`agent`).
    unsafe {
        let this = Snlua::of(State::new(state));
        let Some(local) = local(this) else {
            return lua_sethook(state, None, 0, 0);
        };
        if agent::is_at_work(local, state) {
            return;
        }
        enter_attachment(local);
        let pause = local.vm.pause.load(Ordering::Relaxed);
        if pause == RUN && !step::current(local).is_on() && !wants_hooks() {
            return settle(this, local, state);
        }
        if pause == PAUSE || pause == PAUSE_IN_APPLICATION && has_application(local, state) {
            agent::stop(local, state, agent::Reason::Pause);
            return settle(this, local, state);
        }
        match (*event).event {
            LUA_HOOKCALL | LUA_HOOKTAILCALL => on_call(local, state, event),
            LUA_HOOKLINE => on_line(this, local, state, event),
            LUA_HOOKCOUNT => settle(this, local, state),
            _ => {}
        }
    }
}

/// What happens now is for the editor that is attached now; a step of the one before is over.
pub(super) fn enter_attachment(local: &Local) {
    let attachment = ATTACHMENT.load(Ordering::SeqCst);
    if local.attachment.replace(attachment) != attachment || !is_attached() {
        step::set(local, Step::NONE);
    }
}

/// Whether the debugger watches what the VM does.
pub(super) fn is_watched(local: &Local) -> bool {
    let pause = local.vm.pause.load(Ordering::Relaxed) != RUN;
    wants_hooks() || step::current(local).is_on() || pause
}

/// Sets the hooks of the running coroutine anew, and notes whether those of others have to be.
///
/// # Safety
/// `state` is a coroutine of the VM, and the calling thread runs the service.
pub(super) unsafe fn settle(this: *mut Snlua, local: &Local, state: *mut lua_State) {
    // SAFETY: contract of this function.
    unsafe {
        let pause = local.vm.pause.load(Ordering::Relaxed) != RUN;
        (*this).interrupt.watch(is_watched(local));
        // If it pauses, it goes on elsewhere.
        let mask = if pause {
            0
        } else {
            wanted(local, state, usize::MAX)
        };
        set(state, mask);
        local.quiet.set(0);
    }
}

/// A function begins.
///
/// # Safety
/// As [`hook`]; `local` is what its VM has.
unsafe fn on_call(local: &Local, state: *mut lua_State, event: *mut lua_Debug) {
    // SAFETY: contract of this function.
    unsafe {
        if lua_getinfo(state, c"S".as_ptr(), event) == 0 || !is_lua(&*event) {
            return;
        }
        let (first, last) = ((*event).linedefined, (*event).lastlinedefined);
        let (lines, entry) = with_source(local, &*event, |source| {
            let entry = first == 0 && !source.layer && ENTRY.load(Ordering::Relaxed);
            (source.has_between(first, last), entry)
        });
        if entry && ENTRY.swap(false, Ordering::SeqCst) {
            step::set(local, Step::to_entry(state));
        }
        if lines || step::current(local).concerns(state, resumers(local)) {
            local.quiet.set(0);
            set(state, LUA_MASKCALL | LUA_MASKLINE);
        }
    }
}

/// A line begins.
///
/// # Safety
/// As [`hook`]; `this` is the instance of its VM, and `local` what that has.
unsafe fn on_line(this: *mut Snlua, local: &Local, state: *mut lua_State, event: *mut lua_Debug) {
    // SAFETY: contract of this function.
    unsafe {
        if lua_getinfo(state, c"S".as_ptr(), event) == 0 {
            return;
        }
        let line = (*event).currentline;
        let (file, layer, near) = with_source(local, &*event, |source| {
            let near = source.has_between((*event).linedefined, (*event).lastlinedefined);
            (source.at(line), source.layer, near)
        });
        let step = step::current(local);
        let step_ends = step.is_on()
            && step.ends_in(state, &*event, resumers(local))
            && may_end(local, state, step, layer);
        if let Some(file) = file {
            for breakpoint in breakpoints::of_line(&file, line) {
                if agent::is_hit(local, state, breakpoint) {
                    agent::stop(local, state, agent::Reason::Breakpoint(breakpoint.id));
                    return settle(this, local, state);
                }
            }
        }
        if step_ends {
            agent::stop(local, state, agent::Reason::Step(step.entry));
            return settle(this, local, state);
        }
        if near || step::current(local).concerns(state, resumers(local)) {
            local.quiet.set(0);
        } else {
            local.quiet.set(local.quiet.get() + 1);
            let calls = skynet_lua::lua_callroom(state.cast());
            if local.quiet.get() >= calls.cast_unsigned().max(QUIET) {
                settle(this, local, state);
            }
        }
    }
}

/// Whether a function of the application is on the stack.
///
/// # Safety
/// `state` is a coroutine of the VM of `local`, and the calling thread runs its service.
unsafe fn has_application(local: &Local, state: *mut lua_State) -> bool {
    // SAFETY: contract of this function.
    unsafe { any_frame(local, state, DEEPEST, |source, _, _| !source.layer) == Some(true) }
}

/// Whether a service that was paused waits for a message: the editor is shown none of its functions (`debugstacks.lua`).
///
/// # Safety
/// As for [`is_in_layer`].
pub(super) unsafe fn is_idle(local: &Local, state: *mut lua_State) -> bool {
    // SAFETY: contract of this function.
    JUST_MY_CODE.load(Ordering::Relaxed) && !unsafe { has_application(local, state) }
}

/// Whether the function that runs is one of the layer.
///
/// # Safety
/// `state` is a coroutine of the VM of `local`, and the calling thread runs its service.
pub(super) unsafe fn is_in_layer(local: &Local, state: *mut lua_State) -> bool {
    // SAFETY: contract of this function.
    unsafe {
        let mut frame: lua_Debug = std::mem::zeroed();
        lua_getstack(state, 0, &mut frame) != 0
            && lua_getinfo(state, c"S".as_ptr(), &mut frame) != 0
            && with_source(local, &frame, |source| source.layer)
    }
}

/// Whether the step, which may end at this line as far as it goes, is to end in this file. In the Lua layer it goes on to the
/// application's next line; a coroutine that has nothing of the application any more is done.
///
/// # Safety
/// `state` is a coroutine of the VM of `local`, and the calling thread runs its service.
unsafe fn may_end(local: &Local, state: *mut lua_State, step: Step, layer: bool) -> bool {
    if !layer || step.in_layer || !JUST_MY_CODE.load(Ordering::Relaxed) {
        return true;
    }
    // SAFETY: contract of this function.
    if state == step.coroutine && !unsafe { has_application(local, state) } {
        step::set(local, Step::NONE);
    }
    false
}
