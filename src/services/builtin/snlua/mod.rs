//! The service `snlua`: a Lua VM that runs a script.
//!
//! `init` only sends the launch arguments to the service itself, so that the VM is set up on a worker, by the first
//! message; [`boot`] does that and hands over to Lua. Lua then registers a callback of its own.

mod allocations;
pub(super) mod boot;
mod core;
pub mod debugger;
mod farewell;
mod heap;
mod interrupt;
mod memory;
mod pieces;
mod profile;
mod sample;

use std::io::{self, Write};
use std::mem;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use libc::{c_char, c_int, c_uint, c_void};
use mlua_sys::{lua_State, lua_atpanic, lua_getallocf, lua_newstate, luaL_makeseed};
use skynet_support::{State, lua_function};

use self::core::{Context, Place, Request, Service, Stack, is_aborting};
use self::interrupt::Interrupt;
use self::memory::Memory;
pub use self::pieces::{collect, collector};

/// One instance of the service. Lua's allocator carries its address, so any coroutine leads to it.
pub(crate) struct Snlua {
    /// The main state of the VM, from `create` to `release`. The thread that runs the service, or closes it, makes a [`State`] of it;
    /// others leave it alone.
    state: *mut lua_State,
    context: AtomicPtr<Context>,
    memory: Memory,
    interrupt: Interrupt,
    /// The launch arguments on their way: the block that `init` has sent.
    args: *mut c_void,
    /// Coroutines with `skynet.profile` on; some of them may be gone already.
    profiled: usize,
    /// What the debugger has for the VM, if it may be debugged. Only the thread that runs the service touches it.
    debugger: Option<Box<debugger::Local>>,
}

impl Snlua {
    /// The instance that a VM belongs to.
    ///
    /// # Safety
    /// `state` is a VM or a coroutine that [`create`] made.
    unsafe fn of(state: State<'_>) -> *mut Snlua {
        let mut ud = ptr::null_mut();
        // SAFETY: the allocator's value is what `create` passed.
        unsafe { lua_getallocf(state.raw(), &mut ud) };
        ud.cast()
    }

    fn service(&self) -> Service {
        // SAFETY: null, or the service whose instance this is, which is released before it is freed.
        unsafe { Service::new(self.context.load(Relaxed)) }
    }
}

/// An error outside of any protected call: Lua ends the process after this. Says at least whose fault it was.
fn panicked(state: State<'_>) -> c_int {
    let message = state.to_bytes(-1).unwrap_or(b"?");
    // SAFETY: the instance outlives the VM; the field is atomic.
    let context = unsafe { (*Snlua::of(state)).context.load(Relaxed) };
    let _ = writeln!(
        io::stderr(),
        "snlua: unprotected error in the Lua service {context:p} : {}",
        String::from_utf8_lossy(message)
    );
    0
}

/// `snlua_create`: null when there is no memory.
///
/// # Safety
/// None needed; the signature is that of [`super::Builtin`].
pub unsafe extern "C" fn create() -> *mut c_void {
    let this = Box::into_raw(Box::new(Snlua {
        state: ptr::null_mut(),
        context: AtomicPtr::new(ptr::null_mut()),
        memory: Memory::new(),
        interrupt: Interrupt::new(),
        args: ptr::null_mut(),
        profiled: 0,
        debugger: None,
    }));
    // VMs that share strings have to agree on their hashes.
    static SEED: OnceLock<c_uint> = OnceLock::new();
    let seed = *SEED.get_or_init(|| match core::seed() {
        // Hashes, and with them the order of `pairs`, are as in the last run.
        Some(seed) => seed as c_uint,
        // SAFETY: no precondition.
        None => unsafe { luaL_makeseed(ptr::null_mut()) },
    });
    boot::make_snapshot();
    // SAFETY: the instance outlives the VM.
    unsafe {
        let state = lua_newstate(memory::allocator(), this.cast(), seed);
        if state.is_null() {
            drop(Box::from_raw(this));
            return ptr::null_mut();
        }
        memory::open(this, state);
        skynet_lua::lua_setrunning(state.cast(), (*this).interrupt.words());
        // It keeps the rules of `State`, with the error at the top.
        lua_atpanic(state, lua_function!(unsafe panicked));
        (*this).state = state;
    }
    this.cast()
}

/// `snlua_init`: `args` is the name of the script and its arguments.
///
/// # Safety
/// `instance` comes from [`create`], `context` is its service, `args` is null or a C string.
pub unsafe extern "C" fn init(
    instance: *mut c_void,
    context: *mut skynet_sys::Context,
    args: *const c_char,
) -> c_int {
    // SAFETY: contract of this function; the core takes the copy over.
    unsafe {
        let context: *mut Context = context.cast();
        let service = Service::new(context);
        if args.is_null() {
            service.log(&[b"snlua needs the name of a script"]);
            return 1;
        }
        (*instance.cast::<Snlua>()).context.store(context, Relaxed);
        let size = libc::strlen(args);
        let copy = libc::malloc(size.max(1));
        if copy.is_null() {
            return 1;
        }
        ptr::copy_nonoverlapping(args.cast::<u8>(), copy.cast::<u8>(), size);
        (*instance.cast::<Snlua>()).args = copy;
        service.set_callback(Some(first_message), instance);
        service.send_to_itself(copy, size);
    }
    0
}

/// Until the arguments have come. A service that knows the handle before the launch has returned may have sent something first.
///
/// # Safety
/// The core calls it as "skynet.h" says of a callback: `ud` is what [`init`] has registered, the instance of `context`, and no other callback of the
/// service runs; `msg` has `sz` bytes, and is the callback's.
unsafe extern "C-unwind" fn first_message(
    context: *mut Context,
    ud: *mut c_void,
    ty: c_int,
    session: c_int,
    source: u32,
    msg: *const c_void,
    sz: usize,
) -> c_int {
    // SAFETY: contract of this function: this thread alone uses the instance. A message whose data is the block that `init` has sent is
    // that message: the block is the mailbox's until now. Any other one is sent to the service once more, behind it.
    unsafe {
        let service = Service::new(context);
        let expected = mem::replace(&mut (*ud.cast::<Snlua>()).args, ptr::null_mut());
        if msg != expected.cast_const() {
            (*ud.cast::<Snlua>()).args = expected;
            // A service that has ended meanwhile lets the core free it.
            return service.put_back(source, ty, session, msg, sz).into();
        }
        service.set_callback(None, ptr::null_mut());
        let args = std::slice::from_raw_parts(msg.cast::<u8>(), sz);
        if boot::run(ud.cast(), service, args).is_err() {
            service.fail();
        }
    }
    0
}

/// `snlua_release`: closes the VM.
///
/// # Safety
/// `instance` comes from [`create`] and is not used afterwards.
pub unsafe extern "C" fn release(instance: *mut c_void) {
    let this = instance.cast::<Snlua>();
    // SAFETY: contract of this function. The VM's last calls still use the instance.
    unsafe {
        if !is_aborting() {
            farewell::say(State::new((*this).state));
        }
        debugger::end(this);
        memory::close(this, (*this).state);
        drop(Box::from_raw(this));
    }
}

/// Bytes that a VM has.
///
/// # Safety
/// `instance` comes from [`create`] and is not released meanwhile; the thread is any.
pub unsafe fn bytes(instance: *mut c_void) -> usize {
    // SAFETY: the field is atomic, the instance alive by contract.
    unsafe { (*instance.cast::<Snlua>()).memory.used() }
}

/// `snlua_signal`: 0 interrupts what Lua does now with the error `signal 0`, if it does anything, or what it does next if the config
/// says so; 1 logs the VM's memory.
///
/// # Safety
/// `instance` comes from [`create`] and is not released meanwhile; the thread is any.
pub unsafe extern "C" fn signal(instance: *mut c_void, number: c_int) {
    let this: *const Snlua = instance.cast();
    // SAFETY: the fields used here are atomic or never change after `create`.
    unsafe {
        let service = (*this).service();
        service.log_fmt(format_args!("recv a signal {number}"));
        match number {
            0 if service.ask_to_stop() => {}
            0 if core::signal_stays() => (*this).interrupt.stop_next(),
            0 => service.log(&[b"signal 0: nothing runs"]),
            1 => {
                let used = (*this).memory.used() as f64 / 1024.0;
                service.log_fmt(format_args!("Current Memory {used:.3}K"));
            }
            _ => {}
        }
    }
}

/// Does what is wanted of the VM, see [`interrupt`].
///
/// # Safety
/// `instance` comes from [`create`]; the calling thread runs its service, and is in the message at `place`.
pub(crate) unsafe fn request(instance: *mut c_void, request: Request, place: Place) {
    let this: *const Snlua = instance.cast();
    // SAFETY: contract of this function.
    unsafe { (*this).interrupt.request(request, place) }
}

/// Counts samples of a profile, see [`interrupt`]. False: a debug hook of the service's own is in the way.
///
/// # Safety
/// As [`request`].
pub(crate) unsafe fn sample(instance: *mut c_void, count: u32, place: Place) -> bool {
    let this: *const Snlua = instance.cast();
    // SAFETY: contract of this function.
    unsafe { (*this).interrupt.sample(count, place) }
}

/// Takes samples of what the VM allocates, see [`allocations`].
///
/// # Safety
/// As [`signal`].
pub(crate) unsafe fn ask_for_allocations(instance: *mut c_void) {
    // SAFETY: as in `signal`.
    unsafe { allocations::ask(instance.cast()) }
}

/// The service is about to be asked for its stack.
///
/// # Safety
/// As [`signal`].
pub unsafe fn expect_stack(instance: *mut c_void) {
    // SAFETY: as in `signal`.
    unsafe { (*instance.cast::<Snlua>()).interrupt.expect_stack() }
}

/// What has become of the stack that the service was asked for.
///
/// # Safety
/// As [`signal`].
pub(crate) unsafe fn stack(instance: *mut c_void) -> Stack {
    // SAFETY: as in `signal`.
    unsafe { (*instance.cast::<Snlua>()).interrupt.stack() }
}
