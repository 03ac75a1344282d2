//! Stopping what a VM does from another thread: signal 0.
//!
//! The other thread installs a hook in the coroutine that runs; the hook, on the service's own thread, raises the error.
//! Lua allows to set a hook asynchronously, but the coroutine must exist: it must not be freed between the moment when the
//! other thread has read which one runs and the moment when the hook is set. So:
//!
//! - the other thread moves `phase` from IDLE to SETTING, reads `running`, sets the hook, moves `phase` to SET;
//! - the service, when it leaves a coroutine, writes `running` first and looks at `phase` afterwards: if that is SETTING,
//!   the other thread may have read the old coroutine, and the service waits before it goes on.
//!
//! Both sides use sequentially consistent accesses: at least one of them sees the other.

use std::hint;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering::SeqCst};

use mlua_sys::{LUA_MASKCOUNT, lua_Debug, lua_State, lua_sethook, luaL_error};

use super::Snlua;

/// No signal.
const IDLE: u8 = 0;
/// A thread is about to set the hook.
const SETTING: u8 = 1;
/// The hook is set somewhere; the error is still to come.
const SET: u8 = 2;

pub(super) struct Interrupt {
    phase: AtomicU8,
    /// The coroutine that runs; null before the first one.
    running: AtomicPtr<lua_State>,
}

impl Interrupt {
    pub fn new() -> Interrupt {
        Interrupt {
            phase: AtomicU8::new(IDLE),
            running: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The service goes over to `state`. A signal that has not had its effect goes with it.
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
        unsafe { lua_sethook(state, Some(hook), LUA_MASKCOUNT, 1) };
    }

    /// Lets the VM raise `signal 0` at its next instruction. `main` is the VM's main coroutine. A signal that meets
    /// another one not yet done has no effect.
    ///
    /// # Safety
    /// The VM is not closed meanwhile; the thread is any.
    pub unsafe fn raise(&self, main: *mut lua_State) {
        if self
            .phase
            .compare_exchange(IDLE, SETTING, SeqCst, SeqCst)
            .is_err()
        {
            return;
        }
        let running = self.running.load(SeqCst);
        let target = if running.is_null() { main } else { running };
        // SAFETY: `target` is not freed before the phase changes, see the head of the file.
        unsafe { lua_sethook(target, Some(hook), LUA_MASKCOUNT, 1) };
        self.phase.store(SET, SeqCst);
    }

    /// Whether a signal was waiting; it is done with then.
    fn take(&self) -> bool {
        // The hook may run before the thread that has set it is ready; it must not find a new signal afterwards.
        while self.phase.load(SeqCst) == SETTING {
            hint::spin_loop();
        }
        self.phase.swap(IDLE, SeqCst) != IDLE
    }
}

unsafe extern "C-unwind" fn hook(state: *mut lua_State, _activation: *mut lua_Debug) {
    // SAFETY: called by Lua; the allocator leads to the instance. Nothing here has a destructor.
    unsafe {
        lua_sethook(state, None, 0, 0);
        if (*Snlua::of(state)).interrupt.take() {
            luaL_error(state, c"signal 0".as_ptr());
        }
    }
}
