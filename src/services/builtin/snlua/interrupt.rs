//! Stopping what a VM does, asking it for its stack, and taking samples of that: signal 0, the monitor, and a profile.
//!
//! All of this happens on the thread that runs the service: in the handler of a signal that it is sent
//! ([`crate::actor::service::thread_signal`]), which sets a hook in the coroutine that runs, and then in the hook. Nobody else
//! touches the VM. Why the handler may set a hook between any two instructions of that thread:
//!
//! - `running` is a coroutine that exists: it is stored before the coroutine is resumed, and when the resume has returned what was
//!   there before is stored again ([`Interrupt::switch`]). All that time the coroutine is a value on the stack of the one that
//!   resumes it, and what was there before waits for it. Between the end of the resume and the store nothing is collected. The first
//!   one is the main coroutine. One that a C module resumes is never stored, also when it resumes others: requests have
//!   their effect in those, and in the one that has called the module.
//!   Should one be freed that stands there all the same, Lua puts the main one in its place before. And an error may go over the end
//!   of a resume: who catches it has what was there when it called what failed ([`skynet_lua::lua_setrunning`]).
//! - `lua_sethook` is made to be called by a signal handler of the same thread (Lua's manual; the `lua` program does it for
//!   SIGINT). It stores hook, count and mask, and then walks from `L->ci` to its predecessors and sets the flag `trap` in
//!   those that run Lua code. A predecessor is linked before `L->ci` leads to its successor (in a function of its own,
//!   `luaE_extendCI`), and only infos *above* `L->ci` are freed. An info that `L->ci` has just reached may still have the
//!   status of its last use: if it is taken for Lua code, the flag goes to a word that a call of a C function sets
//!   before it uses it; if it is taken for C code, the flag is missing, but the interpreter looks at the mask when it begins a
//!   function.
//! - A hook of the service's own that is being set at this moment stays or is replaced, whole or with its count: this one is
//!   taken away again when it has run, or when it finds that nothing is wanted.
//!
//! A hook that the service has set itself is never replaced for a stack or a sample: what counts on it would miss its events.
//!
//! A hook may be left behind in a coroutine that leaves the processor before it runs another instruction of Lua. Then
//! `switch` takes the request along to the next coroutine; and when that is another message than the one that was meant
//! ([`Place`]), the request has no effect any more.

use std::cell::Cell;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, compiler_fence,
};
use std::sync::atomic::{Ordering::Relaxed, Ordering::SeqCst};
use std::{mem, ptr};

use super::core::{Place, Request, Stack, is_sampling};
use super::sample::{self, Resumers};
use super::{Snlua, debugger};
use libc::{c_int, c_void};
use mlua_sys::{LUA_MASKCOUNT, LUA_OK, lua_Debug, lua_State, lua_gethook, lua_sethook};
use skynet_lua::Running;
use skynet_support::{State, lua_function};

const STOP: u8 = 1;
const STACK: u8 = 2;
const SAMPLE: u8 = 4;
/// Not a request, and stays: the debugger watches what the VM does.
const WATCHED: u8 = 0x80;

/// A thread that none is: the request is for whatever Lua does next.
const NEXT: usize = usize::MAX;

/// Words of [`Interrupt::stack`].
const NOT_ASKED: u8 = 0;
const ASKED: u8 = 1;
const IN_THE_WAY: u8 = 2;

/// Belongs to the thread that runs the service, but for `stack` and [`Interrupt::stop_next`]. A handler of a signal on that thread
/// uses the atomics.
///
/// Begins with the words that Lua knows ([`skynet_lua::Running`]).
#[repr(C)]
pub(super) struct Interrupt {
    /// The coroutine that runs; null before the first one.
    running: AtomicPtr<lua_State>,
    pub(super) resumers: Resumers,
    /// The coroutine that the debugger makes a step in, or null; Lua writes null when it is freed.
    pub(super) followed: Cell<*mut lua_State>,
    /// Nothing may wait, as the service is stopped: Lua tells no coroutine that it can yield.
    pub(super) still: Cell<c_int>,
    /// What the hook is to do: bits.
    wanted: AtomicU8,
    /// In which message. Written before `wanted`.
    thread: AtomicUsize,
    message: AtomicI32,
    /// What has become of the wish for a stack.
    stack: AtomicU8,
    /// Samples that wait for the hook, and whether the last of them found a C function.
    samples: AtomicU32,
    in_c: AtomicBool,
}

const _: () = {
    assert!(mem::offset_of!(Interrupt, running) == mem::offset_of!(Running, now));
    assert!(mem::offset_of!(Interrupt, resumers) == mem::offset_of!(Running, waiting));
    assert!(mem::offset_of!(Interrupt, followed) == mem::offset_of!(Running, followed));
    assert!(mem::offset_of!(Interrupt, still) == mem::offset_of!(Running, still));
    assert!(size_of::<Resumers>() == size_of::<*const c_void>());
};

impl Interrupt {
    pub fn new() -> Interrupt {
        Interrupt {
            running: AtomicPtr::new(ptr::null_mut()),
            resumers: Resumers::new(),
            followed: Cell::new(ptr::null_mut()),
            still: Cell::new(0),
            wanted: AtomicU8::new(0),
            thread: AtomicUsize::new(0),
            message: AtomicI32::new(0),
            stack: AtomicU8::new(NOT_ASKED),
            samples: AtomicU32::new(0),
            in_c: AtomicBool::new(false),
        }
    }

    /// The coroutine that runs, or, if a C module has resumed that one, the one that waits for the module.
    pub fn running(&self) -> *mut lua_State {
        self.running.load(Relaxed)
    }

    /// The words for Lua ([`skynet_lua::lua_setrunning`]).
    pub fn words(&self) -> *mut Running {
        ptr::from_ref(self).cast_mut().cast()
    }

    /// The service goes over to `state`. A request that has not had its effect goes with it.
    ///
    /// # Safety
    /// `state` is a coroutine of the VM, and the calling thread runs the service.
    #[inline]
    pub unsafe fn switch(&self, state: *mut lua_State) {
        self.running.store(state, Relaxed);
        // A handler that comes earlier is seen below; one that comes later finds `state`.
        compiler_fence(SeqCst);
        if self.wanted.load(Relaxed) != 0 {
            // SAFETY: contract of this function.
            unsafe { self.carry(state) }
        }
    }

    /// Any thread: the debugger watches what the VM does from now on, or does not.
    pub fn watch(&self, on: bool) {
        if on {
            self.wanted.fetch_or(WATCHED, SeqCst);
        } else {
            self.wanted.fetch_and(!WATCHED, SeqCst);
        }
    }

    /// Whether it does.
    #[inline]
    pub fn is_watched(&self) -> bool {
        self.wanted.load(Relaxed) & WATCHED != 0
    }

    /// The request that has not had its effect, for the coroutine that runs now.
    ///
    /// # Safety
    /// As [`Interrupt::switch`].
    #[cold]
    unsafe fn carry(&self, state: *mut lua_State) {
        let wanted = self.wanted.load(Relaxed);
        if wanted & WATCHED != 0 {
            // SAFETY: as the caller of `switch` promises.
            unsafe { debugger::on_switch(Snlua::of(State::new(state)), state) };
        }
        if wanted & !WATCHED == 0 {
            return;
        }
        if !self.is_meant() {
            self.wanted.fetch_and(WATCHED, Relaxed);
            return;
        }
        // SAFETY: as the caller of `switch` promises.
        unsafe {
            if wanted & STOP != 0 || is_free(state) {
                lua_sethook(state, Some(hook), LUA_MASKCOUNT, 1);
            }
        }
    }

    /// Lets the VM do what is wanted at its next instruction, in this message. Async-signal-safe.
    ///
    /// # Safety
    /// The calling thread runs the service, and is in the message at `place`.
    pub unsafe fn request(&self, request: Request, place: Place) {
        let running = self.running.load(Relaxed);
        if running.is_null() {
            return;
        }
        // SAFETY: see the head of the file.
        unsafe {
            let bit = match request {
                Request::Stop => STOP,
                Request::Stack if is_free(running) => STACK,
                Request::Stack => return self.stack.store(IN_THE_WAY, Relaxed),
                Request::Debug => return debugger::set_from_signal(running),
            };
            self.want(bit, place);
            lua_sethook(running, Some(hook), LUA_MASKCOUNT, 1);
        }
    }

    /// Adds to what is wanted in the message at `place`, where the thread is. Async-signal-safe. What was wanted in another message
    /// is not any more; but one that is meant for whatever comes next stays.
    fn want(&self, bit: u8, place: Place) {
        let is_next = self.thread.load(Relaxed) == NEXT && self.wanted.load(Relaxed) & STOP != 0;
        let kept = if self.place() == place || is_next {
            !0
        } else {
            WATCHED
        };
        if !is_next {
            self.thread.store(place.thread, Relaxed);
        }
        self.message.store(place.message, Relaxed);
        compiler_fence(SeqCst);
        self.wanted.fetch_and(kept, Relaxed);
        self.wanted.fetch_or(bit, Relaxed);
    }

    /// Counts so many samples of what runs, at the next instruction of the VM, if it is still in this message then. False: a debug
    /// hook of the service's own is in the way, and stays. Async-signal-safe.
    ///
    /// # Safety
    /// As [`Interrupt::request`].
    pub unsafe fn sample(&self, count: u32, place: Place) -> bool {
        let running = self.running.load(Relaxed);
        if running.is_null() {
            return true;
        }
        // SAFETY: see the head of the file.
        unsafe {
            if !is_free(running) {
                return false;
            }
            // Those of another message have met no instruction of Lua: they are no samples of this one.
            if self.place() != place {
                self.samples.store(0, Relaxed);
            }
            self.samples.fetch_add(count, Relaxed);
            self.in_c
                .store(skynet_lua::skynet_lua_isinc(running.cast()) != 0, Relaxed);
            self.want(SAMPLE, place);
            lua_sethook(running, Some(hook), LUA_MASKCOUNT, 1);
        }
        true
    }

    /// Any thread, when nothing runs: ends what Lua does next, in whichever message. If something begins meanwhile, it is that,
    /// or the request is lost.
    pub fn stop_next(&self) {
        self.thread.store(NEXT, Relaxed);
        self.wanted.fetch_or(STOP, SeqCst);
    }

    /// Any thread: before it asks for the stack.
    pub fn expect_stack(&self) {
        self.stack.store(ASKED, Relaxed);
    }

    /// Any thread: what has become of that.
    pub fn stack(&self) -> Stack {
        match self.stack.load(Relaxed) {
            ASKED => Stack::Pending,
            IN_THE_WAY => Stack::Refused,
            _ => Stack::Logged,
        }
    }

    fn place(&self) -> Place {
        Place {
            thread: self.thread.load(Relaxed),
            message: self.message.load(Relaxed),
        }
    }

    /// Whether this message is the one in which something is wanted.
    fn is_meant(&self) -> bool {
        self.thread.load(Relaxed) == NEXT || self.place() == Place::here()
    }

    /// What is wanted in this message; it is done with then.
    fn take(&self) -> u8 {
        let wanted = self.wanted.fetch_and(WATCHED, SeqCst) & !WATCHED;
        compiler_fence(SeqCst);
        if self.is_meant() { wanted } else { 0 }
    }
}

impl Snlua {
    /// The stack of the coroutine that has come to its hook, for the samples that have waited for it.
    ///
    /// # Safety
    /// The calling thread runs the service, and is in the hook.
    unsafe fn count_samples(&self, state: *mut lua_State) {
        let samples = self.interrupt.samples.swap(0, Relaxed);
        let in_c = self.interrupt.in_c.load(Relaxed);
        if samples == 0 || !is_sampling() {
            return;
        }
        // SAFETY: contract of this function; nothing raises while the text is there.
        unsafe {
            let called = match in_c {
                true => skynet_lua::skynet_lua_called(state.cast()),
                false => ptr::null(),
            };
            let stack = sample::stack(&self.interrupt.resumers, state, called);
            self.service().count_samples(&stack, samples);
        }
    }
}

/// No hook is set in `state`, or only this one, or that of the debugger.
///
/// # Safety
/// `state` is a coroutine that exists.
unsafe fn is_free(state: *mut lua_State) -> bool {
    // SAFETY: reads one word of a coroutine that exists.
    match unsafe { lua_gethook(state) } {
        None => true,
        Some(set) => {
            let ours: mlua_sys::lua_Hook = hook;
            set as usize == ours as usize || debugger::is_ours(set)
        }
    }
}

/// The hook that [`Interrupt`] sets.
///
/// # Safety
/// Lua calls it as a hook, with its running state.
unsafe extern "C-unwind" fn hook(running: *mut lua_State, _activation: *mut lua_Debug) {
    // SAFETY: contract of this function; what follows keeps the rules of `State`. The thread that runs a VM runs its
    // service, and the instance outlives the VM.
    let (state, this) = unsafe {
        lua_sethook(running, None, 0, 0);
        let state = State::new(running);
        (state, &*Snlua::of(state))
    };
    let wanted = this.interrupt.take();
    if wanted & SAMPLE != 0 {
        // SAFETY: this is the hook of `running`, and the thread runs the service.
        unsafe { this.count_samples(running) };
    }
    if wanted & STACK != 0 {
        this.interrupt.stack.store(NOT_ASKED, Relaxed);
        // It keeps the rules of `State`.
        state.push_function(lua_function!(unsafe log_stack));
        if state.protected_call(0, 0, 0) != LUA_OK {
            this.service().log(&[b"stuck: no memory for the stack"]);
            state.pop(1);
        }
    }
    if this.interrupt.is_watched() {
        // SAFETY: this thread runs the service.
        unsafe { debugger::on_switch(ptr::from_ref(this).cast_mut(), running) };
    }
    if wanted & STOP != 0 {
        state.error(c"signal 0");
    }
}

fn log_stack(state: State<'_>) -> c_int {
    // Without this function. The head of a traceback goes: in a log it stands for an error.
    state.push_traceback(None, 1);
    let text = state.to_bytes(-1).unwrap_or_default();
    let head = text.iter().position(|&byte| byte == b'\n').unwrap_or(0);
    // SAFETY: the instance outlives the VM.
    let service = unsafe { (*Snlua::of(state)).service() };
    service.report(&[b"stuck: what runs is", &text[head..]]);
    0
}
