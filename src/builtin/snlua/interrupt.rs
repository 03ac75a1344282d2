//! Reaching what a VM does from another thread: signal 0 stops it, and the monitor asks for its stack.
//!
//! The other thread installs a hook in the coroutine that runs; the hook, on the service's own thread, does what is wanted.
//! Lua allows to set a hook asynchronously, but the coroutine must exist: it must not be freed between the moment when the
//! other thread has read which one runs and the moment when the hook is set. So:
//!
//! - the other thread moves `phase` from IDLE to SETTING, reads `running`, sets the hook, moves `phase` to SET;
//! - the service, when it leaves a coroutine, writes `running` first and looks at `phase` afterwards: if that is SETTING,
//!   the other thread may have read the old coroutine, and the service waits before it goes on.
//!
//! Both sides use sequentially consistent accesses: at least one of them sees the other.
//!
//! What is wanted stands in `wanted`, which is written before `phase` is looked at, and read by the hook after it has moved
//! `phase` back to IDLE: who finds a hook that is still to come has its wish fulfilled by that one.

use std::hint;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU8, Ordering::SeqCst};

use libc::c_int;
use mlua_sys::{
    LUA_MASKCOUNT, LUA_OK, lua_Debug, lua_State, lua_gethook, lua_pcall, lua_pop,
    lua_pushcfunction, lua_sethook, lua_tolstring, luaL_error, luaL_traceback,
};
use skynet_sys::skynet_error;
use std::sync::atomic::Ordering::Relaxed;

use super::Snlua;
use crate::scheduler;

/// No request.
const IDLE: u8 = 0;
/// A thread is about to set the hook.
const SETTING: u8 = 1;
/// The hook is set somewhere; what is wanted is still to come.
const SET: u8 = 2;

/// What another thread wants; bits of `wanted`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// The error `signal 0`.
    Raise = 1,
    /// A line of the log with the stack.
    Stack = 2,
}

pub(super) struct Interrupt {
    phase: AtomicU8,
    wanted: AtomicU8,
    /// The message of whose stack somebody wants to know.
    message: AtomicI32,
    /// The coroutine that runs; null before the first one.
    running: AtomicPtr<lua_State>,
}

impl Interrupt {
    pub fn new() -> Interrupt {
        Interrupt {
            phase: AtomicU8::new(IDLE),
            wanted: AtomicU8::new(0),
            message: AtomicI32::new(0),
            running: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The service goes over to `state`. A request that has not had its effect goes with it.
    ///
    /// # Safety
    /// `state` is a coroutine of the VM, and the calling thread runs the service.
    #[inline]
    pub unsafe fn switch(&self, state: *mut lua_State) {
        self.running.store(state, SeqCst);
        if self.phase.load(SeqCst) != IDLE {
            // SAFETY: as the caller promises.
            unsafe { self.carry(state) }
        }
    }

    #[cold]
    unsafe fn carry(&self, state: *mut lua_State) {
        while self.phase.load(SeqCst) == SETTING {
            hint::spin_loop();
        }
        // SAFETY: as the caller of `switch` promises.
        unsafe {
            if self.wanted.load(SeqCst) != Request::Stack as u8 || is_free(state) {
                lua_sethook(state, Some(hook), LUA_MASKCOUNT, 1);
            }
        }
    }

    /// Lets the VM do what is wanted at its next instruction. `main` is the VM's main coroutine. A request that meets an
    /// equal one not yet done has no effect. False: a hook of the service's own is set, which is not to be lost for a stack.
    ///
    /// # Safety
    /// The VM is not closed meanwhile; the thread is any.
    pub unsafe fn ask(&self, request: Request, main: *mut lua_State) -> bool {
        self.wanted.fetch_or(request as u8, SeqCst);
        if self
            .phase
            .compare_exchange(IDLE, SETTING, SeqCst, SeqCst)
            .is_err()
        {
            return true;
        }
        let running = self.running.load(SeqCst);
        let target = if running.is_null() { main } else { running };
        // SAFETY: `target` is not freed before the phase changes, see the head of the file.
        unsafe {
            if request == Request::Stack && !is_free(target) {
                self.wanted.fetch_and(!(Request::Stack as u8), SeqCst);
                // Somebody may have relied on our hook meanwhile.
                if self.wanted.load(SeqCst) == 0 {
                    self.phase.store(IDLE, SeqCst);
                    return false;
                }
            }
            lua_sethook(target, Some(hook), LUA_MASKCOUNT, 1);
        }
        self.phase.store(SET, SeqCst);
        true
    }

    /// A stack is of interest only if the service is still in this message.
    pub fn wants_stack_of(&self, message: c_int) {
        self.message.store(message, SeqCst);
    }

    /// Whether a stack is wanted and has not been logged.
    pub fn has_pending_stack(&self) -> bool {
        self.wanted.load(SeqCst) & Request::Stack as u8 != 0
    }

    /// What was wanted; it is done with then.
    fn take(&self) -> u8 {
        // The hook may run before the thread that has set it is ready; it must not find a new request afterwards.
        while self.phase.load(SeqCst) == SETTING {
            hint::spin_loop();
        }
        self.phase.store(IDLE, SeqCst);
        self.wanted.swap(0, SeqCst)
    }
}

/// No hook is set in `state`, or only ours.
unsafe fn is_free(state: *mut lua_State) -> bool {
    // SAFETY: reads one word of a coroutine that exists.
    match unsafe { lua_gethook(state) } {
        None => true,
        Some(set) => {
            let ours: mlua_sys::lua_Hook = hook;
            set as usize == ours as usize
        }
    }
}

unsafe extern "C-unwind" fn hook(state: *mut lua_State, _activation: *mut lua_Debug) {
    // SAFETY: called by Lua; the allocator leads to the instance. Nothing here has a destructor.
    unsafe {
        lua_sethook(state, None, 0, 0);
        let this = Snlua::of(state);
        let wanted = (*this).interrupt.take();
        if wanted & Request::Stack as u8 != 0
            && scheduler::current_count() == Some((*this).interrupt.message.load(SeqCst))
        {
            lua_pushcfunction(state, log_stack);
            if lua_pcall(state, 0, 0, 0) != LUA_OK {
                let context = (*this).context.load(Relaxed);
                skynet_error(context, c"stuck: no memory for the stack".as_ptr());
                lua_pop(state, 1);
            }
        }
        if wanted & Request::Raise as u8 != 0 {
            luaL_error(state, c"signal 0".as_ptr());
        }
    }
}

unsafe extern "C-unwind" fn log_stack(state: *mut lua_State) -> c_int {
    // SAFETY: called by the hook; nothing has a destructor.
    unsafe {
        // Without this function. The head of a traceback goes: in a log it stands for an error.
        luaL_traceback(state, state, ptr::null(), 1);
        let text = lua_tolstring(state, -1, ptr::null_mut());
        let lines = libc::strchr(text, c_int::from(b'\n'));
        let lines = if lines.is_null() { text } else { lines };
        let context = (*Snlua::of(state)).context.load(Relaxed);
        skynet_error(context, c"stuck: what runs is%s".as_ptr(), lines);
    }
    0
}
