//! The functions of a service that C calls. The attribute `service` exports them under the service's name.

use std::cell::OnceCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::hint::{black_box, cold_path};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

use super::core::{Core, Init};
use super::sessions::Failure;
use super::task::Label;
use super::turn::{MessageTurn, Turn};
use crate::context::Ctx;
use crate::error::{BoxError, Chain, panic_message};
use crate::kind::Kind;
use crate::message::{Asker, Frame, OwnedMessage};
use crate::payload::Payload;
use crate::service::{Args, Service};
use crate::{logger, sys};

/// What C has of a service. The core comes first: one address is that of both.
#[repr(C)]
struct Instance<S> {
    core: Core,
    service: OnceCell<Rc<S>>,
}

/// `NAME_create`. Null, after a line on stderr, when the process is no node.
pub fn create<S: Service>(name: &'static &'static str) -> *mut c_void {
    let api = match sys::try_api() {
        Ok(api) => api,
        Err(missing) => {
            eprintln!("service {name}: {missing}");
            return std::ptr::null_mut();
        }
    };
    logger::install();
    // Written where it is: a copy from the stack, in other pieces than it was written in, waits for the caches.
    let instance = Box::write(
        Box::new_uninit(),
        Instance::<S> {
            core: Core::new(name, api),
            service: OnceCell::new(),
        },
    );
    Box::into_raw(instance).cast()
}

/// `NAME_init`: 0 when the service runs.
///
/// # Safety
///
/// `instance` comes from [`create`] of the same service, `context` is its context, `args` is null or a C string.
pub unsafe fn init<S: Service>(
    instance: *mut c_void,
    context: *mut sys::Context,
    args: *const c_char,
) -> c_int {
    // SAFETY: the caller's: it lives until its release, and C calls one function at a time (but `signal`, which uses what is
    // shared only).
    let instance = unsafe { &*instance.cast::<Instance<S>>() };
    // SAFETY: nobody else has the service before its init is over.
    let _turn = unsafe { Turn::begin(&raw const instance.core) };
    let core = &instance.core;
    // SAFETY: the context of this service.
    core.begin(context, unsafe { sys::handle_of(sys::api(), context) });
    let args = Args::new(if args.is_null() {
        &[]
    } else {
        // SAFETY: the caller's.
        unsafe { CStr::from_ptr(args) }.to_bytes()
    });
    instance.begin(args);
    if core.has_work() {
        core.run();
    }
    core.flags().launched();
    c_int::from(instance.core.flags().init.get() == Init::Failed)
}

/// Notes that an init has ended without a result: by a panic.
struct Ended<S: Service>(*const Instance<S>);

impl<S: Service> Drop for Ended<S> {
    fn drop(&mut self) {
        // SAFETY: a task of the service does not outlive it.
        let instance = unsafe { &*self.0 };
        if instance.core.flags().init.get() == Init::Running && !instance.core.flags().is_ending() {
            instance.core.flags().init.set(Init::Failed);
            instance.stop();
        }
    }
}

impl<S: Service> Instance<S> {
    /// Calls the service's init, at once or in a task.
    #[inline]
    fn begin(&self, args: Args) {
        let ctx = Ctx::near(self.core.near());
        let at_once = || S::init_at_once(ctx, args).map(|result| self.initialised(result));
        let args = match catch_unwind(AssertUnwindSafe(at_once)) {
            Ok(Err(args)) => args,
            Ok(Ok(())) => return,
            Err(panic) => {
                self.core.flags().init.set(Init::Failed);
                return self.core.report_panic("init", &panic_message(panic));
            }
        };
        self.called_by(receive_rare::<S>);
        let address = ptr::from_ref(self);
        let future = async move {
            let _ended = Ended(address);
            let result = S::init(ctx, args).await;
            // SAFETY: a task of the service does not outlive it.
            unsafe { &*address }.initialised(result);
        };
        self.core.start(future, Label::Named("init"));
    }

    /// From now on C gives its messages to that function.
    fn called_by(&self, receive: sys::Callback) {
        let (core, this) = (&self.core, ptr::from_ref(self).cast_mut());
        // SAFETY: the context of this service, whose turn it is; the instance outlives the context's last message.
        unsafe { (sys::api().callback)(core.context(), this.cast(), receive) };
    }

    #[inline]
    fn initialised(&self, result: Result<S, BoxError>) {
        match result {
            Ok(service) => {
                let _ = self.service.set(Rc::new(service));
                self.core.flags().init.set(Init::Done);
                // Only now: `receive` counts on the service.
                self.called_by(receive::<S>);
                if let Some(pending) = self.core.any_pending() {
                    while let Some(message) = pending.next_early() {
                        self.receive(message);
                    }
                }
            }
            Err(error) => self.init_failed(&error),
        }
    }

    #[cold]
    #[inline(never)]
    fn init_failed(&self, error: &BoxError) {
        self.core.flags().init.set(Init::Failed);
        // The error is the user's, and so is what it says.
        let told = catch_unwind(AssertUnwindSafe(|| Chain(&**error).to_string()));
        let reason = told.unwrap_or_else(|panic| {
            let text = panic_message(panic);
            format!("with an error that panics when it is written: {text}")
        });
        let text = format!("error: service {}: init failed: {reason}", self.core.name());
        logger::write(self.core.context(), &text);
        self.stop();
    }

    /// Takes a message that has waited, like one that the core dispatches now.
    fn receive(&self, message: OwnedMessage) {
        let (kind, session, source, payload) = message.into_parts();
        let (data, len) = payload.into_raw();
        let (context, kind) = (self.core.context(), kind.number().into());
        let this = ptr::from_ref(self).cast_mut().cast();
        // SAFETY: this is within one, which goes on behind that of the message.
        let _turn = unsafe { Turn::begin(&raw const self.core) };
        // SAFETY: the turn of this service, which is there, and a block of `skynet_malloc`, which is its alone.
        unsafe {
            if receive::<S>(context, this, kind, session, source, data.cast(), len) == 0 {
                drop(Payload::from_raw(data, len));
            }
        }
    }

    /// Ends a service whose init has failed: who waits for it is told.
    #[cold]
    fn stop(&self) {
        if let Some(pending) = self.core.any_pending() {
            while let Some(message) = pending.next_early() {
                drop(message.responder());
            }
        }
        // While the first call of init lasts, its result says it; EXIT is for later.
        if self.core.flags().is_launched() {
            Ctx::near(self.core.near()).exit();
        }
    }

    /// Takes a message that may be for the runtime, or for a service that is not there. `false`: it is for the handler.
    fn dispatch(&self, session: c_int, source: u32, frame: &Frame<'_>) -> bool {
        let core = &self.core;
        let pending = core.any_pending();
        match frame.kind() {
            Kind::Response if session != 0 => {
                if let Some(pending) = pending {
                    // SAFETY: a message's block; an answer is taken at most once.
                    let answer = || Ok(unsafe { frame.take() });
                    pending.sessions.answer(session, answer);
                }
            }
            Kind::Response => {
                if core.handle().is_some_and(|handle| handle.get() == source) {
                    self.signals();
                }
            }
            Kind::Error => {
                if let Some(pending) = pending {
                    if session != 0 {
                        pending.sessions.answer(session, || Err(Failure));
                    } else {
                        pending.sessions.fail_all_of(source);
                    }
                }
            }
            Kind::Socket if let Some(table) = pending.and_then(|pending| pending.sockets.get()) => {
                table.dispatch(core, frame.bytes());
            }
            _ => match self.core.flags().init.get() {
                Init::Done => return false,
                Init::Running => {
                    // SAFETY: the core's block, of which this is the only message.
                    let message = unsafe { frame.message() }.keep();
                    core.pending().early.borrow_mut().push_back(message);
                }
                Init::Failed => frame.fail(),
            },
        }
        true
    }

    fn signals(&self) {
        let signals = self.core.woken();
        let Some(service) = self.service.get() else {
            return;
        };
        for signal in signals {
            let ctx = Ctx::near(self.core.near());
            let handle = AssertUnwindSafe(|| service.signal(ctx, signal));
            if let Err(panic) = catch_unwind(handle) {
                self.core
                    .report_panic("the handler of signals", &panic_message(panic));
            }
        }
    }
}

/// The function that gets the messages, once the service is there.
///
/// # Safety
///
/// As `skynet_cb` says; `ud` is the instance, and has its service.
unsafe extern "C" fn receive<S: Service>(
    context: *mut sys::Context,
    ud: *mut c_void,
    kind: c_int,
    session: c_int,
    source: u32,
    data: *const c_void,
    size: usize,
) -> c_int {
    // SAFETY: the instance, which lives until its release.
    let instance = unsafe { &*ud.cast::<Instance<S>>() };
    // SAFETY: the core dispatches one message of a service at a time.
    let Some((turn, near)) = (unsafe { MessageTurn::begin(&instance.core, kind) }) else {
        cold_path();
        // SAFETY: contract of this function.
        return unsafe { receive_rare::<S>(context, ud, kind, session, source, data, size) };
    };
    let asker = Asker::new(kind, source, session);
    // Whether the bytes were taken is told to C also after a panic: they have one owner.
    let frame = Frame::new(data.cast(), size, &asker);
    // SAFETY: contract of this function.
    let service = unsafe { instance.service.get().unwrap_unchecked() };
    // SAFETY: the core's block; here is the only message of it.
    let handle = || service.message(Ctx::near(near), unsafe { frame.message() });
    if let Err(panic) = catch_unwind(AssertUnwindSafe(handle)) {
        return turn.end_with_panic(panic, black_box(&asker), frame.answer());
    }
    if asker.is_waiting() {
        cold_path();
        asker.left();
    }
    turn.end(frame.answer())
}

/// The function that gets the messages until the service is there, and then those that may not be for it, or are the first on a thread.
///
/// # Safety
///
/// As `skynet_cb` says; `ud` is the instance.
#[inline(never)]
unsafe extern "C" fn receive_rare<S: Service>(
    context: *mut sys::Context,
    ud: *mut c_void,
    kind: c_int,
    session: c_int,
    source: u32,
    data: *const c_void,
    size: usize,
) -> c_int {
    // SAFETY: the instance, which lives until its release.
    let instance = unsafe { &*ud.cast::<Instance<S>>() };
    // SAFETY: the core dispatches one message of a service at a time.
    let turn = unsafe { Turn::begin(&raw const instance.core) };
    let asker = Asker::new(kind, source, session);
    let frame = Frame::new(data.cast(), size, &asker);
    // The user's code is caught closer by; what is left are wakers of other executors.
    let dispatch = AssertUnwindSafe(|| instance.dispatch(session, source, &frame));
    let is_taken = catch_unwind(dispatch).unwrap_or_else(|panic| {
        let core = &instance.core;
        core.report_panic("a waker", &panic_message(panic));
        true
    });
    if !is_taken {
        drop(turn);
        // There is one place that calls the handler, in which the compiler puts it.
        // SAFETY: contract of this function; the service is there.
        let receive = || unsafe { receive::<S>(context, ud, kind, session, source, data, size) };
        return instance.core.with_none_rare(receive);
    }
    if instance.core.has_work() {
        instance.core.run_caught();
    }
    frame.answer()
}

/// `NAME_signal`.
///
/// # Safety
///
/// `instance` comes from [`create`] of the same service and is not released. Any thread may call it at any time.
pub unsafe fn signal<S: Service>(instance: *mut c_void, signal: c_int) {
    // SAFETY: the caller's.
    unsafe { Core::signal(&raw const (*instance.cast::<Instance<S>>()).core, signal) };
}

/// What it waits for.
///
/// # Safety
///
/// `instance` comes from [`create`] of the same service and is not released, and nobody runs it meanwhile.
#[cfg(any(test, feature = "testing"))]
pub unsafe fn waiting<S: Service>(instance: *mut c_void) -> crate::context::Waiting {
    // SAFETY: contract of this function.
    unsafe { &*instance.cast::<Instance<S>>() }.core.waiting()
}

/// `NAME_release`.
///
/// # Safety
///
/// `instance` comes from [`create`] of the same service, and nobody uses it any more.
pub unsafe fn release<S: Service>(instance: *mut c_void) {
    let instance = instance.cast::<Instance<S>>();
    {
        // SAFETY: it is the caller's alone now.
        let core = unsafe { &(*instance).core };
        // SAFETY: as above.
        let _turn = unsafe { Turn::begin(core) };
        core.end();
        // SAFETY: as above, and nothing refers to this field: what the tasks had was dropped with them.
        let service = unsafe { &mut (*instance).service }.take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(service))) {
            core.report_panic("the destructor", &panic_message(panic));
        }
    }
    // SAFETY: as above; the turn is over.
    drop(unsafe { Box::from_raw(instance) });
}

#[cfg(test)]
mod tests {
    use super::Instance;
    use crate::service::{Args, Service};
    use crate::{Ctx, error::BoxError};

    #[test]
    fn an_idle_service_takes_less_than_a_hundred_bytes() {
        struct Idle;
        impl Service for Idle {
            async fn init(_: Ctx, _: Args) -> Result<Idle, BoxError> {
                Ok(Idle)
            }
        }
        // All that it has when its init is over: nothing else is allocated before it is needed.
        let size = size_of::<Instance<Idle>>() + 2 * size_of::<usize>();
        assert!(size <= 64 + 16, "{size}");
    }
}
