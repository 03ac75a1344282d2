//! What a service has lost because it had no memory when it came: the answers of its calls, and its timers.
//!
//! The task that waits for one is never resumed by anything else, so it is told as soon as there is memory: the call fails, the
//! timer fires late (`recover` of the layer). Until then this list, which takes nothing of the service's own memory, keeps the
//! sessions, and a timer of this list tries again.

use std::ffi::CStr;
use std::ptr;

use libc::c_int;
use mlua_sys::{
    LUA_OK, LUA_REGISTRYINDEX, LUA_TFUNCTION, LUA_TNIL, LUA_TSTRING, LUA_TTABLE, LUA_TTHREAD,
    lua_closethread,
};
use skynet_support::{State, lua_function};
use skynet_sys::{Context, PTYPE_ERROR, skynet_command, skynet_error, skynet_send};

/// 1/100 s until it is tried again.
const PAUSE: &CStr = c"10";
/// After so many times a task is ended, for its memory.
const ATTEMPTS: u32 = 10;
/// No session.
const NONE: c_int = c_int::MIN;

pub(super) struct Lost {
    sessions: Vec<c_int>,
    /// Work that is in the queues of the layer was broken off.
    work: bool,
    /// Session of the timer of this list.
    timer: c_int,
    /// Times that the timer has fired in vain.
    attempts: u32,
}

/// How an attempt to go on has ended.
pub(super) enum Attempt {
    /// Well, or with an error of a task, which has been reported.
    Done,
    NoMemory,
}

impl Lost {
    pub const fn new() -> Lost {
        Lost {
            sessions: Vec::new(),
            work: false,
            timer: NONE,
            attempts: 0,
        }
    }

    /// Whether an answer with that session is the timer of this list.
    #[inline]
    pub fn is_timer(&self, session: c_int) -> bool {
        self.timer == session
    }

    /// The timer has fired; `go_on` follows.
    pub fn fired(&mut self) {
        self.timer = NONE;
        self.attempts += 1;
    }

    /// Work was broken off; and the answer of that session was lost, if there is one.
    pub fn add(&mut self, session: Option<c_int>) {
        self.work = true;
        if let Some(session) = session
            && self.sessions.try_reserve(1).is_ok()
        {
            self.sessions.push(session);
        }
    }

    /// Goes on with everything that is listed; sets the timer when there is no memory yet.
    ///
    /// # Safety
    /// The context is that of the service, which runs a message, and `state` the coroutine of its messages, at rest.
    pub unsafe fn go_on(
        &mut self,
        context: *mut Context,
        state: State<'_>,
        mut attempt: impl FnMut(c_int) -> Attempt,
    ) {
        let mut later = 0;
        for at in 0..self.sessions.len() {
            let session = self.sessions[at];
            let waits = later > 0
                || matches!(attempt(session), Attempt::NoMemory) && still_waits(state, session);
            if waits {
                self.sessions[later] = session;
                later += 1;
            }
        }
        self.sessions.truncate(later);
        if later == 0 && self.work {
            self.sessions = Vec::new();
            self.work = matches!(attempt(0), Attempt::NoMemory);
        }
        if later == 0 && !self.work {
            self.attempts = 0;
        } else if self.attempts >= ATTEMPTS {
            self.attempts = 0;
            give_up(context, state, self.sessions.first().copied().unwrap_or(0));
        }
        if self.timer == NONE && (later > 0 || self.work) {
            // SAFETY: the context of the service that runs; the answer is digits.
            let session = unsafe { skynet_command(context, c"TIMEOUT".as_ptr(), PAUSE.as_ptr()) };
            if !session.is_null() {
                // SAFETY: not null: a C string of the core, which the next command of this service overwrites; there is none before it is read.
                let digits = unsafe { CStr::from_ptr(session) };
                self.timer = digits
                    .to_str()
                    .map_or(NONE, |it| it.parse().unwrap_or(NONE));
            }
        }
    }
}

/// Leaves a field of the layer's kernel on the stack, or something of another type than `wanted`.
fn field(state: State<'_>, name: &CStr, wanted: c_int) -> bool {
    state.get_field(LUA_REGISTRYINDEX, c"_LOADED") == LUA_TTABLE
        && state.get_field(-1, c"skynet.internal.kernel") == LUA_TTABLE
        && state.get_field(-1, name) == wanted
}

/// `(session)`: the layer goes on. Does nothing where another layer is.
pub(super) fn recover(state: State<'_>) -> c_int {
    if field(state, c"recover", LUA_TFUNCTION) {
        state.push_copy(1);
        state.call(1, 0);
    }
    0
}

fn is_awaited(state: State<'_>) -> c_int {
    let session = state.to_integer(1);
    let mut awaited = false;
    for name in [c"waiting", c"taskless"] {
        if field(state, name, LUA_TTABLE) {
            state.raw_get_i(-1, session);
            // A string stands for an answer that nobody wants.
            awaited |= !matches!(state.kind(-1), LUA_TNIL | LUA_TSTRING);
        }
        state.set_top(1);
    }
    state.push_boolean(awaited);
    1
}

/// `(session, context)`: ends the task that waits for that answer, or else one that owes an answer, whose caller gets an error. What
/// it had is free then. Takes no memory, but for what the task has to close.
fn end_task(state: State<'_>) -> c_int {
    const SESSION: c_int = 1;
    const CONTEXT: c_int = 2;
    const KERNEL: c_int = 4;
    const WAITING: c_int = 5;
    const OWED: c_int = 6;
    const ORIGIN: c_int = 7;
    const TASK: c_int = 8;
    let ours = field(state, c"waiting", LUA_TTABLE)
        && state.get_field(KERNEL, c"owed") == LUA_TTABLE
        && state.get_field(KERNEL, c"origin") == LUA_TTABLE;
    if !ours {
        return 0;
    }
    state.push_copy(SESSION);
    if state.raw_get(WAITING) != LUA_TTHREAD {
        state.pop(1);
        state.push_nil();
        if !state.next(OWED) {
            return 0;
        }
        state.set_top(TASK);
    }
    let task = state.to_thread(TASK);
    state.push_copy(TASK);
    state.raw_get(OWED);
    state.push_copy(TASK);
    state.raw_get(ORIGIN);
    let debt = state.to_integer(-2) as c_int;
    let caller = state.to_integer(-1) as u32;
    let context: *mut Context = state.to_userdata(CONTEXT).cast();
    // SAFETY: `give_up` has passed the context; the thread is on the stack, and does not run.
    unsafe {
        let text = c"not enough memory: a task is ended, for nothing has gone on for a second";
        skynet_error(context, c"%s".as_ptr(), text.as_ptr());
        if debt > 0 && caller != 0 {
            skynet_send(context, 0, caller, PTYPE_ERROR, debt, ptr::null_mut(), 0);
        }
        for table in [OWED, ORIGIN] {
            state.push_copy(TASK);
            state.push_nil();
            state.raw_set(table);
        }
        state.push_copy(SESSION);
        state.push_nil();
        state.raw_set(WAITING);
        lua_closethread(task, state.raw());
    }
    0
}

fn give_up(context: *mut Context, state: State<'_>, session: c_int) {
    let top = state.top();
    state.push_function(lua_function!(unsafe end_task));
    state.push_integer(session.into());
    state.push_light(context);
    state.protected_call(2, 0, 0);
    state.set_top(top);
}

/// Whether something waits for the answer of that session; where that cannot be told, it does. No function of that stack runs, and
/// it has room for two values.
fn still_waits(state: State<'_>, session: c_int) -> bool {
    state.push_function(lua_function!(unsafe is_awaited));
    state.push_integer(session.into());
    let failed = state.protected_call(1, 1, 0) != LUA_OK;
    let waits = failed || state.to_boolean(-1);
    state.pop(1);
    waits
}
