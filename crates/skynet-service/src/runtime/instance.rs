//! The functions of a service that C calls. The attribute `service` exports them under the service's name.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::core::{Core, Turn};
use super::sessions::Failure;
use super::task::Label;
use crate::address::Handle;
use crate::context::Ctx;
use crate::error::{BoxError, Chain, panic_message};
use crate::kind::Kind;
use crate::message::{Frame, Message, OwnedMessage};
use crate::service::{Args, Service};
use crate::{logger, sys};

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
    if let Err(missing) = sys::try_api() {
        eprintln!("service {name}: {missing}");
        return std::ptr::null_mut();
    }
    logger::install();
    let instance = Box::new(Instance::<S> {
        core: Core::new(name),
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
    core.context.set(context);
    // SAFETY: a context, and C strings; the answer is used before the next command.
    unsafe {
        let answer = (sys::api().command)(context, c"REG".as_ptr(), std::ptr::null());
        core.handle.set(if answer.is_null() {
            None
        } else {
            Handle::parse(CStr::from_ptr(answer).to_bytes())
        });
    }
    core.remote
        .set_handle(core.handle.get().map_or(0, Handle::get));
    // SAFETY: the instance outlives the context's last message.
    unsafe { (sys::api().callback)(context, ud, receive::<S>) };
    let args = Args::new(if args.is_null() {
        &[]
    } else {
        // SAFETY: the caller's.
        unsafe { CStr::from_ptr(args) }.to_bytes()
    });
    let address = std::ptr::from_ref(instance);
    let future = async move {
        let _ended = Ended(address);
        let result = S::init(Ctx::new(), args).await;
        // SAFETY: a task of the service does not outlive it.
        unsafe { &*address }.initialised(result);
    };
    let task = core.spawn(future, Label::Named("init"));
    // SAFETY: it is the turn of the task's service.
    unsafe { task.detach() };
    drop(task);
    core.run();
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
    fn initialised(&self, result: Result<S, BoxError>) {
        match result {
            Ok(service) => {
                self.init.set(Init::Done);
                let _ = self.service.set(Rc::new(service));
                while let Some(message) = self.next_early() {
                    let claimed = Cell::new(false);
                    self.handle(message.into_message(&claimed), &claimed);
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
            Ctx::new().exit();
        }
    }

    /// Takes one message.
    fn dispatch(&self, kind: c_int, session: c_int, source: u32, frame: &Frame) {
        let core = &self.core;
        // Only 8 bits travel.
        let kind = Kind::from_number(kind as u8);
        match kind {
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
            _ => {
                let claimed = Cell::new(false);
                let message = Message::borrowed(kind, session, source, frame, &claimed);
                if self.service.get().is_some() {
                    self.handle(message, &claimed);
                } else if self.init.get() == Init::Running {
                    self.early.borrow_mut().push_back(message.keep());
                } else {
                    drop(message.responder());
                }
            }
        }
    }

    fn handle(&self, message: Message<'_>, claimed: &Cell<bool>) {
        let Some(service) = self.service.get() else {
            return;
        };
        let caller = message.caller();
        let handle = AssertUnwindSafe(|| service.message(Ctx::new(), message));
        if let Err(panic) = catch_unwind(handle) {
            self.core
                .report_panic("the handler of messages", &panic_message(panic));
            // Who had the duty to answer has done it by now.
            if !claimed.get() {
                caller.fail();
            }
        }
    }

    fn signals(&self) {
        let signals = self.core.remote.take_signals();
        let Some(service) = self.service.get() else {
            return;
        };
        for signal in signals {
            let handle = AssertUnwindSafe(|| service.signal(Ctx::new(), signal));
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
    core.is_launched.set(true);
    // Whether the bytes were taken is told to C also after a panic: they have one owner.
    let frame = Frame::new(data.cast(), size);
    // The user's code is caught closer by; what is left are wakers of other executors.
    let dispatch = AssertUnwindSafe(|| instance.dispatch(kind, session, source, &frame));
    if let Err(panic) = catch_unwind(dispatch) {
        core.report_panic("a waker", &panic_message(panic));
    }
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| core.run())) {
        core.report_panic("a waker", &panic_message(panic));
        // The tasks behind it have their turn.
        core.remote.notify();
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
