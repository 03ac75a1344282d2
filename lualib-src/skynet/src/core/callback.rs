//! `callback`: Lua receives the messages of the service.
//!
//! The function runs on a coroutine of its own, whose stack holds the message handler at 1 and the function at 2. A
//! userdata in the registry keeps that coroutine alive, and the one before it too: `callback` is usually called from
//! the previous function, on the previous coroutine, which must live until the next message. It has the function as well:
//! code that the function calls may close the coroutine, which empties its stack.

use libc::{c_int, c_void};
use mlua_sys::{
    LUA_ERRERR, LUA_ERRMEM, LUA_ERRRUN, LUA_GCCOLLECT, LUA_OK, LUA_REGISTRYINDEX, LUA_TFUNCTION,
    LUA_TNUMBER, LUA_TTABLE, LUA_TUSERDATA, LUA_YIELD, lua_State, lua_closethread, lua_gc,
    lua_newthread, lua_status, lua_xmove, luaL_traceback,
};
use skynet_support::{State, lua_function};
use skynet_sys::{
    Callback, Context, PTYPE_ERROR, PTYPE_RESPONSE, skynet_callback, skynet_command, skynet_error,
    skynet_send,
};
use std::ffi::CStr;
use std::ptr;

use super::flood::{self, Flood};
use super::lost::{self, Attempt, Lost};
use super::monotonic;
use crate::service::service;

/// Key in the registry.
const KEY: &CStr = c"callback_context";
/// User values of the userdata: its coroutine, the userdata before it, and the function.
const COROUTINE: c_int = 1;
const PREVIOUS: c_int = 2;
const FUNCTION: c_int = 3;
/// Values that the coroutine's stack has between two messages.
const AT_REST: c_int = 2;

struct Receiver {
    /// The coroutine in which messages are handled. It is a user value of this userdata, so it lives as long; each message makes a
    /// [`State`] of it anew.
    state: *mut lua_State,
    lost: Lost,
    flood: Flood,
}

/// `callback(function [, forward])`: from now on `function(type, message, size, session, source)` gets the messages.
/// With `forward` they stay alive after it; the function sends them on or trashes them.
pub fn callback(state: State<'_>) -> c_int {
    let forward = state.to_boolean(2);
    state.check_kind(1, LUA_TFUNCTION);
    state.set_top(1);
    let receiver: *mut Receiver = state.push_userdata(3);
    // SAFETY: the userdata is reachable from the stack, then from the registry, and the coroutine from the userdata. It is dropped
    // once, when nothing reaches it any more.
    let coroutine = unsafe {
        receiver.write(Receiver {
            state: ptr::null_mut(),
            lost: Lost::new(),
            flood: Flood::new(),
        });
        state.create_table(0, 1);
        state.push_function(lua_function!(unsafe drop_receiver));
        state.set_field(-2, c"__gc");
        state.set_metatable(-2);
        let coroutine = lua_newthread(state.raw());
        (*receiver).state = coroutine;
        State::new(coroutine)
    };
    coroutine.push_function(lua_function!(unsafe traceback));
    state.set_user_value(-2, COROUTINE);
    state.get_field(LUA_REGISTRYINDEX, KEY);
    let previous: *mut Receiver = state.to_userdata(-1).cast();
    if !previous.is_null() {
        // Its timer comes to this one.
        // SAFETY: the registry has only what this function has written, and this thread runs the service.
        unsafe { (*receiver).lost = std::mem::replace(&mut (*previous).lost, Lost::new()) };
    }
    state.set_user_value(-2, PREVIOUS);
    state.push_copy(1);
    state.set_user_value(-2, FUNCTION);
    state.set_field(LUA_REGISTRYINDEX, KEY);
    let first: Callback = if forward {
        first_forwarded
    } else {
        first_received
    };
    // SAFETY: the coroutine has room for a value. The invariant of `Service`; the callbacks take a receiver, which stays alive while
    // it is registered.
    unsafe {
        lua_xmove(state.raw(), coroutine.raw(), 1);
        skynet_callback(service(state).context(), receiver.cast(), Some(first));
    }
    0
}

fn drop_receiver(state: State<'_>) -> c_int {
    let receiver: *mut Receiver = state.to_userdata(1).cast();
    // SAFETY: called by Lua, once, with what `callback` has written.
    unsafe { receiver.drop_in_place() };
    0
}

fn traceback(state: State<'_>) -> c_int {
    match state.to_text(1) {
        None => state.push_text(c"(no error message)"),
        // SAFETY: the message stays an argument; the trace is of the running thread.
        Some(message) => unsafe { luaL_traceback(state.raw(), state.raw(), message.as_ptr(), 1) },
    }
    1
}

/// The arguments of a C callback, as they came.
struct Delivery {
    ty: c_int,
    session: c_int,
    source: u32,
    msg: *const c_void,
    sz: usize,
}

/// # Safety
/// `ud` is the registered [`Receiver`], and no other callback of the service runs.
unsafe fn receive(context: *mut Context, ud: *mut c_void, delivery: &Delivery) {
    let receiver = ud.cast::<Receiver>();
    // SAFETY: contract of this function; the coroutine's stack has the two values and room for the rest, and Lua runs in a
    // protected call.
    let state = unsafe { State::new((*receiver).state) };
    // SAFETY: contract of this function: the receiver is this call's alone.
    if delivery.ty == PTYPE_RESPONSE && unsafe { (*receiver).lost.is_timer(delivery.session) } {
        // SAFETY: contract of this function; a callback begins when the coroutine is at rest.
        unsafe {
            (*receiver).lost.fired();
            return go_on(context, receiver, delivery);
        }
    }
    state.push_copy(2);
    state.push_integer(delivery.ty.into());
    state.push_light(delivery.msg);
    state.push_integer(delivery.sz as i64);
    state.push_integer(delivery.session.into());
    state.push_integer(delivery.source.into());
    let status = state.protected_call(5, 0, 1);
    let failed = status != LUA_OK;
    // Lua code that closes the coroutine is left with the status of that.
    if failed || state.top() != AT_REST {
        // SAFETY: the service runs a message; the error is at the top, then gone.
        unsafe {
            if failed {
                report(context, receiver, status, delivery);
                state.pop(1);
            }
            recover(context, state, status, delivery);
            if matches!(status, LUA_ERRMEM | LUA_ERRERR) {
                // What the message had is garbage now. Not all that the next one needs could call for it: Lua grows stacks without.
                state.push_function(lua_function!(unsafe collect));
                if state.protected_call(0, 0, 0) != LUA_OK {
                    state.pop(1);
                }
                let session = (delivery.ty == PTYPE_RESPONSE).then_some(delivery.session);
                (*receiver).lost.add(session);
                go_on(context, receiver, delivery);
            }
        }
    }
}

fn collect(state: State<'_>) -> c_int {
    // SAFETY: a full collection ("Lua 5.5 manual", lua_gc), called by Lua in a protected call.
    unsafe { lua_gc(state.raw(), LUA_GCCOLLECT) };
    0
}

/// Goes on with what was lost or broken off for lack of memory.
///
/// # Safety
/// As for `receive`, and the coroutine's stack is at rest.
#[cold]
unsafe fn go_on(context: *mut Context, receiver: *mut Receiver, delivery: &Delivery) {
    // SAFETY: contract of this function; Lua runs in protected calls, each of which leaves the stack as it was.
    unsafe {
        let state = State::new((*receiver).state);
        (*receiver).lost.go_on(context, state, |session| {
            state.push_function(lua_function!(unsafe lost::recover));
            state.push_integer(session.into());
            let status = state.protected_call(1, 0, 1);
            if status == LUA_OK {
                return Attempt::Done;
            }
            let delivery = Delivery {
                ty: PTYPE_RESPONSE,
                session,
                source: 0,
                ..*delivery
            };
            if status == LUA_ERRRUN {
                report(context, receiver, status, &delivery);
            }
            state.pop(1);
            recover(context, state, status, &delivery);
            if status == LUA_ERRRUN {
                Attempt::Done
            } else {
                Attempt::NoMemory
            }
        });
    }
}

/// After a message that was not handled to its end: the next one finds the coroutine as it should be, and a caller that
/// waits for an answer that no task owes hears of it.
///
/// # Safety
/// The context is that of the service, which runs a message.
#[cold]
unsafe fn recover(context: *mut Context, state: State<'_>, status: c_int, delivery: &Delivery) {
    let emptied = state.top() != AT_REST;
    if emptied {
        state.set_top(0);
        state.push_function(lua_function!(unsafe traceback));
        state.push_function(lua_function!(unsafe function));
        if state.protected_call(0, 1, 0) != LUA_OK {
            // No memory: the error stands for the function, and the next message ends here again.
            state.set_top(AT_REST);
        }
    }
    if status == LUA_ERRRUN && !emptied {
        return; // the function has told the caller
    }
    state.push_function(lua_function!(unsafe has_no_responder));
    state.push_integer(delivery.session.into());
    state.push_integer(delivery.source.into());
    state.push_light(context);
    let unanswered = state.protected_call(3, 1, 0) != LUA_OK || state.to_boolean(-1);
    state.set_top(AT_REST);
    let answerable = delivery.session > 0
        && delivery.source != 0
        && !matches!(delivery.ty, PTYPE_RESPONSE | PTYPE_ERROR);
    if unanswered && answerable {
        let (source, session) = (delivery.source, delivery.session);
        // SAFETY: contract of this function.
        unsafe { skynet_send(context, 0, source, PTYPE_ERROR, session, ptr::null_mut(), 0) };
    }
}

/// The function that gets the messages.
fn function(state: State<'_>) -> c_int {
    if state.get_field(LUA_REGISTRYINDEX, KEY) == LUA_TUSERDATA {
        state.get_user_value(-1, FUNCTION);
    }
    1
}

/// `(session, source, context)`: whether this project's Lua layer is there, and none of its tasks is to answer that request. What the
/// message has broken off is cleared up: tasks that died with it, and requests that none has begun to handle.
///
/// It stands in for the layer where that has no memory left: nothing here takes any, and it needs no deeper a stack than the
/// handling of a message does. What a dead task had is free afterwards. A traversal only takes keys away: to close a task runs what
/// it has to close, which may begin others, so the traversal begins anew after that.
fn has_no_responder(state: State<'_>) -> c_int {
    const SESSION: c_int = 1;
    const SOURCE: c_int = 2;
    const CONTEXT: c_int = 3;
    const OWED: c_int = 6;
    const ORIGIN: c_int = 7;
    const TASK: c_int = 8;
    const DEBT: c_int = 9;
    const CALLER: c_int = 10;
    let ours = state.get_field(LUA_REGISTRYINDEX, c"_LOADED") == LUA_TTABLE
        && state.get_field(-1, c"skynet.internal.kernel") == LUA_TTABLE
        && state.get_field(-1, c"owed") == LUA_TTABLE
        && state.get_field(-2, c"origin") == LUA_TTABLE;
    if !ours {
        state.push_boolean(false);
        return 1;
    }
    let mut owes = false;
    state.push_nil();
    while state.next(OWED) {
        let task = state.to_thread(TASK);
        state.push_copy(TASK);
        let begun = state.raw_get(ORIGIN) == LUA_TNUMBER;
        // SAFETY: the keys of the table are threads.
        let dead = !matches!(unsafe { lua_status(task) }, LUA_OK | LUA_YIELD);
        let asked = begun && state.raw_equal(DEBT, SESSION) && state.raw_equal(CALLER, SOURCE);
        if dead || !begun {
            let debt = state.to_integer(DEBT) as c_int;
            if begun && debt != 0 && !asked {
                let caller = state.to_integer(CALLER) as u32;
                let context = state.to_userdata(CONTEXT).cast();
                // SAFETY: `recover` has passed the context.
                unsafe { skynet_send(context, 0, caller, PTYPE_ERROR, debt, ptr::null_mut(), 0) };
            }
            for table in [OWED, ORIGIN] {
                state.push_copy(TASK);
                state.push_nil();
                state.raw_set(table);
            }
            if dead {
                // SAFETY: the thread is on the stack, and does not run.
                unsafe { lua_closethread(task, state.raw()) };
                owes = false;
                state.set_top(ORIGIN);
                state.push_nil();
                continue;
            }
        } else if asked {
            owes = true;
        }
        state.set_top(TASK);
    }
    state.push_boolean(!owes);
    1
}

/// # Safety
/// As [`receive`]; nothing else refers to the receiver's `flood`.
#[cold]
unsafe fn report(
    context: *mut Context,
    receiver: *mut Receiver,
    status: c_int,
    delivery: &Delivery,
) {
    // SAFETY: contract of this function, and the arguments are of the types that the formats have. The error is at the top of the stack.
    // The handler made it a string, so reading it allocates nothing.
    unsafe {
        let state = State::new((*receiver).state);
        let mut left_out = 0;
        if status == LUA_ERRRUN {
            let text = state.to_bytes(-1).unwrap_or_default();
            let flood = &mut (*receiver).flood;
            match flood.admit(text, monotonic(), || flood::configured(context)) {
                None => {
                    skynet_command(context, c"UNLOGGED".as_ptr(), ptr::null());
                    return;
                }
                Some(count) => left_out = count,
            }
        }
        let this = skynet_command(context, c"REG".as_ptr(), ptr::null());
        let &Delivery {
            session,
            source,
            sz,
            ..
        } = delivery;
        match status {
            LUA_ERRRUN if left_out > 0 => skynet_error(
                context,
                c"lua call [%x to %s : %d msgsz = %d] error : \x1B[31m%s\x1B[0m (and %llu more like this before that were not written)".as_ptr(),
                source,
                this,
                session,
                sz as c_int,
                state.to_text(-1).unwrap_or_default().as_ptr(),
                left_out,
            ),
            LUA_ERRRUN => skynet_error(
                context,
                c"lua call [%x to %s : %d msgsz = %d] error : \x1B[31m%s\x1B[0m".as_ptr(),
                source,
                this,
                session,
                sz as c_int,
                state.to_text(-1).unwrap_or_default().as_ptr(),
            ),
            LUA_ERRMEM => skynet_error(
                context,
                c"lua memory error : [%x to %s : %d]".as_ptr(),
                source,
                this,
                session,
            ),
            LUA_ERRERR => skynet_error(
                context,
                c"lua error in error : [%x to %s : %d]".as_ptr(),
                source,
                this,
                session,
            ),
            _ => {}
        }
    }
}

/// Lets go of the receiver before this one: its coroutine does not run any more.
fn forget_previous(state: State<'_>) -> c_int {
    if state.get_field(LUA_REGISTRYINDEX, KEY) == LUA_TUSERDATA {
        state.push_nil();
        state.set_user_value(-2, PREVIOUS);
    }
    0
}

/// # Safety
/// As [`receive`].
unsafe fn first(context: *mut Context, ud: *mut c_void, next: Callback) {
    // SAFETY: `ud` is the registered receiver; a failure (no memory) only keeps the old coroutine a little longer.
    unsafe {
        let state = State::new((*ud.cast::<Receiver>()).state);
        state.push_function(lua_function!(unsafe forget_previous));
        if state.protected_call(0, 0, 0) != LUA_OK {
            state.pop(1);
        }
        skynet_callback(context, ud, Some(next));
    }
}

macro_rules! callbacks {
    ($($(#[$doc:meta])* $name:ident, $next:ident => $then:ident, $keep:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// The core calls it as "skynet.h" says of a callback: `ud` is the registered [`Receiver`], and no other callback of the service runs.
        unsafe extern "C" fn $name(
            context: *mut Context,
            ud: *mut c_void,
            ty: c_int,
            session: c_int,
            source: u32,
            msg: *const c_void,
            sz: usize,
        ) -> c_int {
            // SAFETY: contract of this function.
            unsafe {
                callbacks!(@switch $next $then context ud);
                receive(context, ud, &Delivery { ty, session, source, msg, sz });
            }
            $keep
        }
    )*};
    (@switch first $then:ident $context:ident $ud:ident) => { first($context, $ud, $then) };
    (@switch stay $then:ident $context:ident $ud:ident) => {};
}

callbacks! {
    received, stay => received, 0;
    /// The message stays alive.
    forwarded, stay => forwarded, 1;
    first_received, first => received, 0;
    first_forwarded, first => forwarded, 1;
}
