//! The functions of a service that C calls. The attribute `service` exports them under the service's name.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

use super::core::{Core, Turn};
use super::sessions::Failure;
use super::task::Label;
use crate::context::Ctx;
use crate::error::{BoxError, Chain, panic_message};
use crate::kind::Kind;
use crate::message::{Frame, OwnedMessage};
use crate::payload::Payload;
use crate::service::{Args, Service};
use crate::{logger, sys};

type Panic = Box<dyn Any + Send>;

/// What C has of a service.
struct Instance<S> {
    core: Core,
    service: OnceCell<Rc<S>>,
    init: Cell<Init>,
    /// Messages that came while `init` was waiting for something.
    early: RefCell<VecDeque<OwnedMessage>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Init {
    Running,
    Done,
    Failed,
}

/// `NAME_create`. Null, after a line on stderr, when the process is no node.
pub fn create<S: Service>(name: &'static str) -> *mut c_void {
    let api = match sys::try_api() {
        Ok(api) => api,
        Err(missing) => {
            eprintln!("service {name}: {missing}");
            return std::ptr::null_mut();
        }
    };
    logger::install();
    let instance = Box::new(Instance::<S> {
        core: Core::new(name, api),
        service: OnceCell::new(),
        init: Cell::new(Init::Running),
        early: RefCell::new(VecDeque::new()),
    });
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
    let ud = instance;
    // SAFETY: the caller's: it lives until its release, and C calls one function at a time (but `signal`, which uses what is
    // shared only).
    let instance = unsafe { &*instance.cast::<Instance<S>>() };
    // SAFETY: nobody else has the service before its init is over.
    let _turn = unsafe { Turn::begin(&raw const instance.core) };
    let core = &instance.core;
    // SAFETY: the context of this service.
    core.begin(context, unsafe { sys::handle_of(core.api, context) });
    // SAFETY: the instance outlives the context's last message.
    unsafe { (core.api.callback)(context, ud, receive::<S>) };
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
    core.is_launched.set(true);
    c_int::from(instance.init.get() == Init::Failed)
}

/// Notes that an init has ended without a result: by a panic.
struct Ended<S: Service>(*const Instance<S>);

impl<S: Service> Drop for Ended<S> {
    fn drop(&mut self) {
        // SAFETY: a task of the service does not outlive it.
        let instance = unsafe { &*self.0 };
        if instance.init.get() == Init::Running && !instance.core.ending.get() {
            instance.init.set(Init::Failed);
            instance.stop();
        }
    }
}

impl<S: Service> Instance<S> {
    /// Calls the service's init, at once or in a task.
    fn begin(&self, args: Args) {
        let ctx = Ctx::near(self.core.near.get());
        let at_once = || S::init_at_once(ctx, args).map(|result| self.initialised(result));
        let args = match catch_unwind(AssertUnwindSafe(at_once)) {
            Ok(Err(args)) => args,
            Ok(Ok(())) => return,
            Err(panic) => {
                self.init.set(Init::Failed);
                return self.core.report_panic("init", &panic_message(panic));
            }
        };
        let address = ptr::from_ref(self);
        let future = async move {
            let _ended = Ended(address);
            let result = S::init(ctx, args).await;
            // SAFETY: a task of the service does not outlive it.
            unsafe { &*address }.initialised(result);
        };
        self.core.start(future, Label::Named("init"));
    }

    fn initialised(&self, result: Result<S, BoxError>) {
        match result {
            Ok(service) => {
                self.init.set(Init::Done);
                let _ = self.service.set(Rc::new(service));
                while let Some(message) = self.next_early() {
                    self.receive(message);
                }
            }
            Err(error) => {
                self.init.set(Init::Failed);
                let text = format!(
                    "error: service {}: init failed: {}",
                    self.core.name,
                    Chain(&*error)
                );
                logger::write(self.core.context.get(), &text);
                self.stop();
            }
        }
    }

    /// Takes a message that has waited, like one that the core dispatches now.
    fn receive(&self, message: OwnedMessage) {
        let (kind, session, source, payload) = message.into_parts();
        let (data, len) = payload.into_raw();
        let (context, kind) = (self.core.context.get(), kind.number().into());
        let this = ptr::from_ref(self).cast_mut().cast();
        // SAFETY: the turn of this service, and a block of `skynet_malloc`, which is its alone.
        unsafe {
            if receive::<S>(context, this, kind, session, source, data.cast(), len) == 0 {
                drop(Payload::from_raw(data, len));
            }
        }
    }

    fn next_early(&self) -> Option<OwnedMessage> {
        self.early.borrow_mut().pop_front()
    }

    /// Ends a service whose init has failed: who waits for it is told.
    fn stop(&self) {
        while let Some(message) = self.next_early() {
            drop(message.responder());
        }
        // While the first call of init lasts, its result says it; EXIT is for later.
        if self.core.is_launched.get() {
            Ctx::near(self.core.near.get()).exit();
        }
    }

    /// Takes a message that is not, or not yet, or no longer for the handler.
    #[inline(never)]
    fn dispatch(&self, session: c_int, source: u32, frame: &Frame) {
        let core = &self.core;
        match frame.kind {
            Kind::Response if session != 0 => {
                // SAFETY: a message's block; an answer is taken at most once.
                core.sessions
                    .answer(session, || Ok(unsafe { frame.take() }));
            }
            Kind::Response => {
                if core
                    .handle
                    .get()
                    .is_some_and(|handle| handle.get() == source)
                {
                    core.remote.arrived();
                    self.signals();
                }
            }
            Kind::Error => {
                if session != 0 {
                    core.sessions.answer(session, || Err(Failure));
                } else {
                    core.sessions.fail_all_of(source);
                }
            }
            Kind::Socket if let Some(table) = core.sockets.get() => {
                table.dispatch(core, frame.bytes());
            }
            _ if self.init.get() == Init::Running => {
                // SAFETY: the core's block, of which this is the only message.
                let message = unsafe { frame.message() };
                self.early.borrow_mut().push_back(message.keep());
            }
            _ => frame.fail(),
        }
    }

    /// Gives a message to the service.
    #[inline(always)]
    fn handle(&self, service: &Rc<S>, frame: &Frame) {
        let ctx = Ctx::near(self.core.near.get());
        // SAFETY: the core's block; here, or nowhere else, is the only message of it.
        let handle = AssertUnwindSafe(|| service.message(ctx, unsafe { frame.message() }));
        if let Err(panic) = catch_unwind(handle) {
            self.handler_panicked(panic, frame);
        }
    }

    #[cold]
    fn handler_panicked(&self, panic: Panic, frame: &Frame) {
        self.core
            .report_panic("the handler of messages", &panic_message(panic));
        frame.fail();
    }

    fn signals(&self) {
        let signals = self.core.remote.take_signals();
        let Some(service) = self.service.get() else {
            return;
        };
        for signal in signals {
            let ctx = Ctx::near(self.core.near.get());
            let handle = AssertUnwindSafe(|| service.signal(ctx, signal));
            if let Err(panic) = catch_unwind(handle) {
                self.core
                    .report_panic("the handler of signals", &panic_message(panic));
            }
        }
    }
}

/// The function that gets the messages.
///
/// # Safety
///
/// As `skynet_cb` says; `ud` is the instance.
unsafe extern "C" fn receive<S: Service>(
    _context: *mut sys::Context,
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
    let _turn = unsafe { Turn::begin(&raw const instance.core) };
    let core = &instance.core;
    // Only 8 bits travel.
    let kind = Kind::from_number(kind as u8);
    // Whether the bytes were taken is told to C also after a panic: they have one owner.
    let frame = Frame::new(kind, session, source, data.cast(), size);
    let is_for_runtime = match kind {
        Kind::Response | Kind::Error => true,
        Kind::Socket => core.sockets.get().is_some(),
        _ => false,
    };
    match instance.service.get() {
        Some(service) if !is_for_runtime => instance.handle(service, &frame),
        _ => {
            // The user's code is caught closer by; what is left are wakers of other executors.
            let dispatch = AssertUnwindSafe(|| instance.dispatch(session, source, &frame));
            if let Err(panic) = catch_unwind(dispatch) {
                core.report_panic("a waker", &panic_message(panic));
            }
        }
    }
    if core.has_work() {
        core.run_caught();
    }
    c_int::from(frame.is_kept())
}

/// `NAME_signal`.
///
/// # Safety
///
/// `instance` comes from [`create`] of the same service and is not released. Any thread may call it at any time.
pub unsafe fn signal<S: Service>(instance: *mut c_void, signal: c_int) {
    // SAFETY: the field is shared by threads, and is all that is referred to.
    let remote = unsafe { &(*instance.cast::<Instance<S>>()).core.remote };
    remote.signal(signal);
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
        let instance = unsafe { &*instance };
        // SAFETY: as above.
        let _turn = unsafe { Turn::begin(&raw const instance.core) };
        instance.core.end();
        instance.init.set(Init::Failed);
        instance.stop();
    }
    // SAFETY: as above, and no reference is left of the turn before.
    let service = unsafe { &mut (*instance).service };
    let service = service.take();
    {
        // SAFETY: as above.
        let instance = unsafe { &*instance };
        // SAFETY: as above.
        let _turn = unsafe { Turn::begin(&raw const instance.core) };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(service))) {
            let message = panic_message(panic);
            instance.core.report_panic("the destructor", &message);
        }
    }
    // SAFETY: as above; the turn is over.
    drop(unsafe { Box::from_raw(instance) });
}

#[cfg(test)]
mod tests {
    use super::Instance;
    use crate::runtime::remote::Remote;
    use crate::service::{Args, Service};
    use crate::{Ctx, error::BoxError};

    #[test]
    fn an_idle_service_takes_half_a_kilobyte() {
        struct Idle;
        impl Service for Idle {
            async fn init(_: Ctx, _: Args) -> Result<Idle, BoxError> {
                Ok(Idle)
            }
        }
        // All that it has when its init is over: nothing else is allocated before it is needed.
        let size = size_of::<Instance<Idle>>() + size_of::<Remote>() + 4 * size_of::<usize>();
        assert!(size <= 512, "{size}");
    }
}
