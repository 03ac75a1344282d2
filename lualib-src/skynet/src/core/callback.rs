//! `callback`: Lua receives the messages of the service.
//!
//! The function runs on a coroutine of its own, whose stack holds the message handler at 1 and the function at 2. A
//! userdata in the registry keeps that coroutine alive, and the one before it too: `callback` is usually called from
//! the previous function, on the previous coroutine, which must live until the next message. It has the function as well:
//! code that the function calls may close the coroutine, which empties its stack.

use libc::{c_int, c_void};
use mlua_sys::{
    LUA_ERRERR, LUA_ERRMEM, LUA_ERRRUN, LUA_OK, LUA_REGISTRYINDEX, LUA_TFUNCTION, LUA_TNUMBER,
    LUA_TTABLE, LUA_TUSERDATA, LUA_YIELD, lua_State, lua_closethread, lua_getfield,
    lua_getiuservalue, lua_gettop, lua_newthread, lua_newuserdatauv, lua_next, lua_pcall,
    lua_pushboolean, lua_pushcfunction, lua_pushinteger, lua_pushlightuserdata, lua_pushlstring,
    lua_pushnil, lua_pushvalue, lua_rawequal, lua_rawget, lua_rawset, lua_setfield,
    lua_setiuservalue, lua_settop, lua_status, lua_toboolean, lua_tointegerx, lua_tolstring,
    lua_tothread, lua_touserdata, lua_xmove, luaL_checktype, luaL_traceback,
};
use skynet_sys::{
    Callback, Context, PTYPE_ERROR, PTYPE_RESPONSE, skynet_callback, skynet_command, skynet_error,
    skynet_send,
};
use std::ffi::CStr;
use std::ptr;

use super::context;

/// Key in the registry.
const KEY: &CStr = c"callback_context";
/// User values of the userdata: its coroutine, the userdata before it, and the function.
const COROUTINE: c_int = 1;
const PREVIOUS: c_int = 2;
const FUNCTION: c_int = 3;
/// Values that the coroutine's stack has between two messages.
const AT_REST: c_int = 2;

struct Receiver {
    state: *mut lua_State,
}

/// `callback(function [, forward])`: from now on `function(type, message, size, session, source)` gets the messages.
/// With `forward` they stay alive after it; the function sends them on or trashes them.
pub unsafe extern "C-unwind" fn callback(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the userdata is reachable from the stack, then from the registry.
    unsafe {
        let forward = lua_toboolean(state, 2) != 0;
        luaL_checktype(state, 1, LUA_TFUNCTION);
        lua_settop(state, 1);
        let receiver: *mut Receiver = lua_newuserdatauv(state, size_of::<Receiver>(), 3).cast();
        (*receiver).state = lua_newthread(state);
        lua_pushcfunction((*receiver).state, traceback);
        lua_setiuservalue(state, -2, COROUTINE);
        lua_getfield(state, LUA_REGISTRYINDEX, KEY.as_ptr());
        lua_setiuservalue(state, -2, PREVIOUS);
        lua_pushvalue(state, 1);
        lua_setiuservalue(state, -2, FUNCTION);
        lua_setfield(state, LUA_REGISTRYINDEX, KEY.as_ptr());
        lua_xmove(state, (*receiver).state, 1);
        let first: Callback = if forward {
            first_forwarded
        } else {
            first_received
        };
        skynet_callback(context(state), receiver.cast(), Some(first));
    }
    0
}

unsafe extern "C-unwind" fn traceback(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua as the handler of an error.
    unsafe {
        let message = lua_tolstring(state, 1, ptr::null_mut());
        if message.is_null() {
            let text = c"(no error message)";
            lua_pushlstring(state, text.as_ptr(), text.to_bytes().len());
        } else {
            luaL_traceback(state, state, message, 1);
        }
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
    // SAFETY: as the caller promises; the coroutine's stack has the two values and room for the rest, and Lua runs in a
    // protected call.
    unsafe {
        let state = (*ud.cast::<Receiver>()).state;
        lua_pushvalue(state, 2);
        lua_pushinteger(state, delivery.ty.into());
        lua_pushlightuserdata(state, delivery.msg.cast_mut());
        lua_pushinteger(state, delivery.sz as i64);
        lua_pushinteger(state, delivery.session.into());
        lua_pushinteger(state, delivery.source.into());
        let status = lua_pcall(state, 5, 0, 1);
        if status != LUA_OK {
            report(context, state, status, delivery);
            lua_settop(state, -2);
            recover(context, state, status, delivery);
        }
    }
}

/// After a message that was not handled to its end: the next one finds the coroutine as it should be, and a caller that
/// waits for an answer that no task owes hears of it.
#[cold]
unsafe fn recover(
    context: *mut Context,
    state: *mut lua_State,
    status: c_int,
    delivery: &Delivery,
) {
    // SAFETY: as in `receive`, whose error has been taken from the stack; the functions run in protected calls.
    unsafe {
        let emptied = lua_gettop(state) != AT_REST;
        if emptied {
            lua_settop(state, 0);
            lua_pushcfunction(state, traceback);
            lua_pushcfunction(state, function);
            if lua_pcall(state, 0, 1, 0) != LUA_OK {
                // No memory: the error stands for the function, and the next message ends here again.
                lua_settop(state, AT_REST);
            }
        }
        if status == LUA_ERRRUN && !emptied {
            return; // the function has told the caller
        }
        lua_pushcfunction(state, has_no_responder);
        lua_pushinteger(state, delivery.session.into());
        lua_pushinteger(state, delivery.source.into());
        lua_pushlightuserdata(state, context.cast());
        let unanswered = lua_pcall(state, 3, 1, 0) != LUA_OK || lua_toboolean(state, -1) != 0;
        lua_settop(state, AT_REST);
        let answerable = delivery.session > 0
            && delivery.source != 0
            && !matches!(delivery.ty, PTYPE_RESPONSE | PTYPE_ERROR);
        if unanswered && answerable {
            let (source, session) = (delivery.source, delivery.session);
            skynet_send(context, 0, source, PTYPE_ERROR, session, ptr::null_mut(), 0);
        }
    }
}

/// The function that gets the messages.
unsafe extern "C-unwind" fn function(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        if lua_getfield(state, LUA_REGISTRYINDEX, KEY.as_ptr()) == LUA_TUSERDATA {
            lua_getiuservalue(state, -1, FUNCTION);
        }
    }
    1
}

/// `(session, source, context)`: whether our Lua layer is there, and none of its tasks is to answer that request. What the
/// message has broken off is cleared up: tasks that died with it, and requests that none has begun to handle.
///
/// It stands in for the layer where that has no memory left: nothing here takes any, and it needs no deeper a stack than the
/// handling of a message does. What a dead task had is free afterwards.
unsafe extern "C-unwind" fn has_no_responder(state: *mut lua_State) -> c_int {
    const SESSION: c_int = 1;
    const SOURCE: c_int = 2;
    const CONTEXT: c_int = 3;
    const OWED: c_int = 6;
    const ORIGIN: c_int = 7;
    const TASK: c_int = 8;
    const DEBT: c_int = 9;
    const CALLER: c_int = 10;
    // SAFETY: called by Lua with the three values; nothing has a destructor. A traversal only takes keys away: to close a task
    // runs what it has to close, which may begin others, so the traversal begins anew after that.
    unsafe {
        let ours = lua_getfield(state, LUA_REGISTRYINDEX, c"_LOADED".as_ptr()) == LUA_TTABLE
            && lua_getfield(state, -1, c"skynet.internal.kernel".as_ptr()) == LUA_TTABLE
            && lua_getfield(state, -1, c"owed".as_ptr()) == LUA_TTABLE
            && lua_getfield(state, -2, c"origin".as_ptr()) == LUA_TTABLE;
        if !ours {
            lua_pushboolean(state, 0);
            return 1;
        }
        let mut owes = false;
        lua_pushnil(state);
        while lua_next(state, OWED) != 0 {
            let task = lua_tothread(state, TASK);
            lua_pushvalue(state, TASK);
            let begun = lua_rawget(state, ORIGIN) == LUA_TNUMBER;
            let dead = !matches!(lua_status(task), LUA_OK | LUA_YIELD);
            let asked = begun
                && lua_rawequal(state, DEBT, SESSION) != 0
                && lua_rawequal(state, CALLER, SOURCE) != 0;
            if dead || !begun {
                let debt = lua_tointegerx(state, DEBT, ptr::null_mut()) as c_int;
                if begun && debt != 0 && !asked {
                    let caller = lua_tointegerx(state, CALLER, ptr::null_mut()) as u32;
                    let context = lua_touserdata(state, CONTEXT).cast();
                    skynet_send(context, 0, caller, PTYPE_ERROR, debt, ptr::null_mut(), 0);
                }
                for table in [OWED, ORIGIN] {
                    lua_pushvalue(state, TASK);
                    lua_pushnil(state);
                    lua_rawset(state, table);
                }
                if dead {
                    lua_closethread(task, state);
                    owes = false;
                    lua_settop(state, ORIGIN);
                    lua_pushnil(state);
                    continue;
                }
            } else if asked {
                owes = true;
            }
            lua_settop(state, TASK);
        }
        lua_pushboolean(state, (!owes).into());
    }
    1
}

#[cold]
unsafe fn report(context: *mut Context, state: *mut lua_State, status: c_int, delivery: &Delivery) {
    // SAFETY: the error is at the top of the stack. The handler made it a string, so reading it allocates nothing.
    unsafe {
        let this = skynet_command(context, c"REG".as_ptr(), ptr::null());
        let &Delivery {
            session,
            source,
            sz,
            ..
        } = delivery;
        match status {
            LUA_ERRRUN => skynet_error(
                context,
                c"lua call [%x to %s : %d msgsz = %d] error : \x1B[31m%s\x1B[0m".as_ptr(),
                source,
                this,
                session,
                sz as c_int,
                lua_tolstring(state, -1, ptr::null_mut()),
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
unsafe extern "C-unwind" fn forget_previous(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        if lua_getfield(state, LUA_REGISTRYINDEX, KEY.as_ptr()) == LUA_TUSERDATA {
            lua_pushnil(state);
            lua_setiuservalue(state, -2, PREVIOUS);
        }
    }
    0
}

unsafe fn first(context: *mut Context, ud: *mut c_void, next: Callback) {
    // SAFETY: `ud` is the registered receiver; a failure (no memory) only keeps the old coroutine a little longer.
    unsafe {
        let state = (*ud.cast::<Receiver>()).state;
        lua_pushcfunction(state, forget_previous);
        if lua_pcall(state, 0, 0, 0) != LUA_OK {
            lua_settop(state, -2);
        }
        skynet_callback(context, ud, Some(next));
    }
}

macro_rules! callbacks {
    ($($(#[$doc:meta])* $name:ident, $next:ident => $then:ident, $keep:expr;)*) => {$(
        $(#[$doc])*
        unsafe extern "C" fn $name(
            context: *mut Context,
            ud: *mut c_void,
            ty: c_int,
            session: c_int,
            source: u32,
            msg: *const c_void,
            sz: usize,
        ) -> c_int {
            // SAFETY: the core calls with what was registered, one callback at a time.
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
