//! All that a VM asks of the core: no other file of this folder imports anything from below `services` (`src/layers.rs` checks that).

use std::ffi::CStr;
use std::io::Write;

use crate::actor::service::{self, Callback};
use crate::base::message::{Message, ptype};
use crate::base::{clock, env, log};
use libc::{c_int, c_void};

pub(super) use crate::actor::service::sampling::{allocations, clean, cpu::is_on as is_sampling};
pub(super) use crate::actor::service::thread_signal::{Place, Request};
pub(super) use crate::actor::service::{Context, Piece, Stack, is_aborting};
pub(super) use crate::alloc::memory::reallocate;
pub(super) use crate::base::words::words;
pub(super) use crate::scheduler::{seeded::seed, spare};

/// The service that a VM is; null before its instance is started.
#[derive(Clone, Copy)]
pub(super) struct Service(*mut Context);

impl Service {
    /// # Safety
    /// `context` is null, or a live service for as long as the answer is used.
    pub(super) unsafe fn new(context: *mut Context) -> Service {
        Service(context)
    }

    fn get(&self) -> Option<&Context> {
        // SAFETY: contract of `new`.
        unsafe { self.0.as_ref() }
    }

    /// As C code knows it.
    pub(super) fn as_ptr(self) -> *mut Context {
        self.0
    }

    pub(super) fn handle(self) -> u32 {
        self.get().map_or(0, Context::handle)
    }

    /// Writes a line of the log, and to the standard error when no worker is left that could read the log.
    pub(super) fn report(self, parts: &[&[u8]]) {
        self.log(parts);
        if log::is_unread() {
            let line = [parts.concat().as_slice(), b"\n"].concat();
            // Who has closed it does not want to know.
            let _ = std::io::stderr().write_all(&line);
        }
    }

    /// Writes a line to the error log.
    pub(super) fn log(self, parts: &[&[u8]]) {
        log::error_parts(self.handle(), parts);
    }

    /// The same with formatting.
    pub(super) fn log_fmt(self, text: std::fmt::Arguments<'_>) {
        log::error_fmt(self.handle(), text);
    }

    /// Sets the function that gets the messages.
    ///
    /// # Safety
    /// The calling thread is the service's own; the function may be called with `ud` for as long as it is set.
    pub(super) unsafe fn set_callback(self, callback: Option<Callback>, ud: *mut c_void) {
        if let Some(context) = self.get() {
            // SAFETY: contract of this function.
            unsafe { context.own().set_callback(callback, ud) };
        }
    }

    /// Sends a block to the service itself.
    ///
    /// # Safety
    /// `data` is a block of the C allocator with `size` bytes, and is handed over.
    pub(super) unsafe fn send_to_itself(self, data: *mut c_void, size: usize) {
        let (to, ty) = (self.handle(), ptype::TEXT | ptype::TAG_DONTCOPY);
        // SAFETY: contract of this function.
        unsafe { service::send(self.get(), 0, to, ty, 0, data, size) };
    }

    /// Puts a message that the service was given behind those that wait for it. False if that is not possible; the data is the
    /// caller's then.
    pub(super) fn put_back(
        self,
        source: u32,
        ty: c_int,
        session: c_int,
        data: *const c_void,
        size: usize,
    ) -> bool {
        let message = Message::with_data(source, ty, session, data.cast_mut(), size);
        service::push(self.handle(), message)
    }

    /// The launch has failed: tells the launcher, and ends.
    pub(super) fn fail(self) {
        const NOTICE: &CStr = c"ERROR";
        let size = NOTICE.to_bytes().len();
        let data = NOTICE.as_ptr().cast_mut().cast();
        // SAFETY: without DONTCOPY the text is copied.
        unsafe { service::send_name(self.get(), 0, c".launcher", ptype::TEXT, 0, data, size) };
        if let Some(context) = self.get() {
            service::exit(context);
        }
    }

    /// Whether messages reach the service.
    ///
    /// # Safety
    /// The calling thread runs it.
    pub(super) unsafe fn receives(self) -> bool {
        // SAFETY: contract of this function.
        self.get()
            .is_some_and(|context| unsafe { context.own() }.receives())
    }

    /// The script has ended, and no message will ever reach the service.
    pub(super) fn ended_without_callback(self) {
        service::ended_without_callback(self.handle());
    }

    /// So many samples of a profile had this stack. For the thread that runs the service.
    pub(super) fn count_samples(self, stack: &str, samples: u32) {
        if let Some(context) = self.get() {
            service::sampling::cpu::count(context, stack, samples);
        }
    }

    /// The number of the profile that its allocations belong to.
    pub(super) fn allocations_profile(self) -> Option<u32> {
        allocations::profile_of(self.get()?)
    }

    /// See [`allocations::count`].
    pub(super) fn count_allocation(self, profile: u32, stack: &str, bytes: u64) -> Option<u32> {
        allocations::count(self.get()?, profile, stack, bytes)
    }

    /// Any thread: lets the service stop what it does. False if it does nothing.
    pub(super) fn ask_to_stop(self) -> bool {
        self.get()
            .is_some_and(|context| service::thread_signal::ask(context, Request::Stop, None))
    }

    /// Any thread: lets the service look what the debugger wants. False if it does nothing.
    pub(super) fn ask_to_look(self) -> bool {
        self.get()
            .is_some_and(|context| service::thread_signal::ask(context, Request::Debug, None))
    }
}

/// The service whose message the calling thread handles.
pub(super) fn current() -> u32 {
    service::on_turn()
}

/// Whether there is a service of that handle.
pub(super) fn exists(handle: u32) -> bool {
    service::exists(handle)
}

/// Any thread: lets the service do what is wanted, if it is in a message now. False if it is in none.
pub(super) fn ask(handle: u32, request: Request) -> bool {
    service::grab(handle)
        .is_some_and(|context| service::thread_signal::ask(&context, request, None))
}

/// Any thread: sends an empty message of type TEXT from one service to another. False if it is gone.
pub(super) fn tell(from: u32, to: u32) -> bool {
    service::push(to, Message::empty(from, ptype::TEXT, 0))
}

pub(super) fn monotonic_nanos() -> u64 {
    clock::monotonic_nanos()
}

/// Processor time of the calling thread.
pub(super) fn thread_cpu_nanos() -> u64 {
    clock::thread_cpu_nanos()
}

/// Whether a signal to a service that does nothing ends what it does next.
pub(super) fn signal_stays() -> bool {
    env::get(c"signal_when_idle").is_some_and(|value| value == c"next")
}

/// The value of a configuration key, which lives for ever.
pub(super) fn setting(key: &CStr) -> Option<&'static CStr> {
    env::get(key)
}
