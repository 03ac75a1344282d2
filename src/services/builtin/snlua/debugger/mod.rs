//! The debugger: how services stop, and what the debug adapter asks of them.
//!
//! The debug adapter is a Lua service (`service/debug_adapter.lua`) that speaks with the editor. What has to be in the VM of a
//! service that is debugged is here: hooks that find out whether a place is one at which to stop ([`hook`], [`step`],
//! [`exceptions`]), and the agent, a module in Lua that looks around in the stopped VM ([`agent`]).
//!
//! **A stopped service** waits in the hook, on the worker that ran it: its stack stays as it is, wherever it stopped, also in the
//! main chunk of a file, in a metamethod or in what `table.sort` has called, where a coroutine cannot yield. The worker's place is
//! taken by a spare one ([`spare`]), so that all other services run on. It takes its orders from a queue of its own
//! ([`Vm::mail`]), not from its mailbox, where its messages wait in their order.
//!
//! **Who pays.** Without `debug_adapter` in the config there is no list of VMs, and none has a hook. With it, a VM has hooks while an
//! adapter is attached and there is something to watch for: breakpoints, a step, a pause. It is a call hook then; line hooks are
//! set in coroutines that are in a function with a breakpoint.
//!
//! **Which thread does what.** Hooks run, and are set, by the thread that runs the service. Other threads write flags
//! ([`Vm`], the bit in [`Interrupt`](super::interrupt::Interrupt)) and, if the service runs, send it the signal of
//! [`thread_signal`](crate::actor::service::thread_signal), whose handler sets a hook that looks at them.

mod adapter;
mod agent;
mod breakpoints;
mod evaluation;
mod exceptions;
mod files;
mod handover;
mod hook;
mod libraries;
mod natives;
mod notices;
mod overdue;
mod step;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use mlua_sys::{lua_State, lua_getallocf};
use parking_lot::{Condvar, Mutex};
use skynet_lua::Handler;

use super::core::{self, Request, Service, spare};
use super::sample::Resumers;
use super::{Snlua, allocations};
use breakpoints::Sources;
use evaluation::Evaluation;
use step::Step;

pub use adapter::open;
pub(super) use exceptions::learn_functions;
pub(super) use handover::{has_ended, has_yielded};
pub(super) use hook::{is_ours, on_switch, set_from_signal};

/// Services that may be stopped at a time.
pub const MOST_STOPPED: usize = 32;
/// A stopped service looks this often whether it was killed.
const LOOK: Duration = Duration::from_millis(200);

/// The config wants a debug adapter: VMs are listed.
static ENABLED: AtomicBool = AtomicBool::new(false);
/// Handle of the adapter while an editor is attached; else 0.
static ADAPTER: AtomicU32 = AtomicU32::new(0);
/// Counts attachments and detachments. What a service does for an editor, a stop, a step, a notice, belongs to the value that it
/// found before: it is of no interest to the next editor, even if that one comes before anybody has seen that the first one left.
static ATTACHMENT: AtomicU64 = AtomicU64::new(0);
/// Handle of the service that is the adapter, with an editor or without; 0: it has not begun, or has ended.
static ADAPTER_SERVICE: AtomicU32 = AtomicU32::new(0);
/// Grows with each change of what is watched for.
static VERSION: AtomicU32 = AtomicU32::new(1);
/// Which errors stop: bits of [`exceptions`].
static ERRORS: AtomicU8 = AtomicU8::new(0);
/// Steps and entries do not stop in the Lua layer.
static JUST_MY_CODE: AtomicBool = AtomicBool::new(true);
/// The next main chunk of the application stops at its first line.
static ENTRY: AtomicBool = AtomicBool::new(false);
static VMS: Mutex<BTreeMap<u32, Arc<Vm>>> = Mutex::new(BTreeMap::new());
/// The node ends in order: nothing stops any more, so that services can do what they have to.
static ENDS: AtomicBool = AtomicBool::new(false);
/// The service that must not begin before the editor is ready; 0 for none.
static AWAITED: Mutex<u32> = Mutex::new(0);
static READY: Condvar = Condvar::new();

/// Values of [`Vm::pause`]: go on; stop in the application's code; stop anywhere.
const RUN: u8 = 0;
const PAUSE_IN_APPLICATION: u8 = 1;
const PAUSE: u8 = 2;

/// What any thread may know of a VM, and tell it.
struct Vm {
    handle: u32,
    /// The launch arguments.
    name: String,
    instance: *const Snlua,
    /// Whether it is to stop as soon as it runs: one of the values above.
    pause: AtomicU8,
    /// It is stopped; requests may be put into `mail`.
    stopped: AtomicBool,
    mail: Mutex<VecDeque<Box<[u8]>>>,
    posted: Condvar,
    /// The stopped service is to go on: what the agent does for the editor ends.
    leaves: AtomicBool,
    /// When the text of the user's that runs has to end, in nanoseconds, by which it is known from others; 0: none runs.
    evaluates: AtomicU64,
    /// The one that has to end now.
    overdue: AtomicU64,
    /// When it was told that it could not be stopped, in nanoseconds; 0: never. The thread that runs the service has it.
    told_at: AtomicU64,
}

// SAFETY: `instance` is used under the lock of `VMS` alone, in which the VM is until its release; the fields of it that are used
// are atomic.
unsafe impl Send for Vm {}
// SAFETY: as for Send: what is behind `instance` is used under the lock of `VMS`, and is atomic.
unsafe impl Sync for Vm {}

/// What the thread that runs the service has for it.
pub(super) struct Local {
    vm: Arc<Vm>,
    sources: RefCell<Sources>,
    step: Cell<Step>,
    instance: *const Snlua,
    /// The coroutine that the agent looks at; null when it does not.
    stopped: Cell<*mut lua_State>,
    /// The agent runs: nothing stops meanwhile.
    busy: Cell<bool>,
    /// Line events in a row at which no function with a breakpoint was on.
    quiet: Cell<u32>,
    /// The value of [`ATTACHMENT`] to which the step, and what is stopped, belongs.
    attachment: Cell<u64>,
    /// The text of the user's that runs.
    evaluation: Cell<Option<Evaluation>>,
    /// While the agent runs: the collector rests for another reason too, as a finalizer has stopped.
    holds_collector: Cell<bool>,
    /// The text of the last error that has stopped it where the application has raised it.
    raised: RefCell<Vec<u8>>,
    /// While it is stopped: its worker's place, which a spare one has.
    held: Cell<Option<spare::Held>>,
    /// While the agent runs: where errors of the main coroutine went before.
    handler: Cell<Handler>,
}

/// The config wants a debug adapter. `spawn` starts a spare worker.
pub fn enable(spawn: spare::Spawn) {
    ENABLED.store(true, Ordering::Relaxed);
    skynet_lua::lua_watchhooks(Some(hook::was_taken));
    spare::allow(MOST_STOPPED, spawn);
}

/// The service `handle`, which has not begun yet, is not to begin before the editor says so.
pub fn await_editor(handle: u32) {
    *AWAITED.lock() = handle;
}

fn editor_is_ready() {
    *AWAITED.lock() = 0;
    READY.notify_all();
}

/// The node begins to end in order: what is stopped goes on, and nothing stops any more.
pub fn begin_end() {
    ENDS.store(true, Ordering::SeqCst);
    // Who stops from now on sees that.
    for vm in VMS.lock().values() {
        let_go(vm);
    }
}

fn node_ends() -> bool {
    ENDS.load(Ordering::SeqCst)
}

/// Lets a service go on if it is stopped.
fn let_go(vm: &Vm) {
    vm.pause.store(RUN, Ordering::Relaxed);
    let mail = vm.mail.lock();
    let stopped = vm.stopped.load(Ordering::SeqCst);
    vm.leaves.store(stopped, Ordering::SeqCst);
    drop(mail);
    vm.posted.notify_all();
}

/// Whether an editor is attached.
fn is_attached() -> bool {
    ADAPTER.load(Ordering::Relaxed) != 0
}

/// What the thread that runs the service has for it.
///
/// # Safety
/// `this` is an instance whose service the calling thread runs; the answer is not used any more when the VM is closed ([`end`]).
unsafe fn local<'a>(this: *mut Snlua) -> Option<&'a Local> {
    // SAFETY: contract of this function.
    let place: &Option<Box<Local>> = unsafe { &(*this).debugger };
    place.as_deref()
}

/// The instance of a VM, which may be one that is no service's, and what the thread has for it. Raises nothing.
///
/// # Safety
/// `state` is the running state of a VM that the calling thread runs; as for [`local`].
unsafe fn of_service<'a>(state: *mut lua_State) -> Option<(*mut Snlua, &'a Local)> {
    // SAFETY: contract of this function. Of other VMs than those of services nothing is asked but their allocator; those of
    // services lead to an instance that outlives them.
    unsafe {
        let mut ud = std::ptr::null_mut();
        if !allocations::is_ours(lua_getallocf(state, &mut ud)) || ud.is_null() {
            return None;
        }
        let this: *mut Snlua = ud.cast();
        local(this).map(|local| (this, local))
    }
}

/// Who has resumed whom in the VM.
fn resumers(local: &Local) -> &Resumers {
    // SAFETY: the instance has it, and both belong to the thread that runs the service.
    unsafe { &(*local.instance).interrupt.resumers }
}

/// The VM is about to run its script.
///
/// # Safety
/// The calling thread runs the service.
pub(super) unsafe fn begin(this: *mut Snlua, service: Service, args: &[u8]) {
    if !ENABLED.load(Ordering::Relaxed) {
        return;
    }
    let handle = service.handle();
    wait_for_editor(handle);
    let vm = Arc::new(Vm {
        handle,
        name: String::from_utf8_lossy(args).into_owned(),
        instance: this,
        pause: AtomicU8::new(RUN),
        stopped: AtomicBool::new(false),
        mail: Mutex::default(),
        posted: Condvar::new(),
        leaves: AtomicBool::new(false),
        evaluates: AtomicU64::new(0),
        overdue: AtomicU64::new(0),
        told_at: AtomicU64::new(0),
    });
    let local = Local {
        vm: Arc::clone(&vm),
        sources: RefCell::default(),
        step: Cell::new(Step::NONE),
        instance: this,
        stopped: Cell::new(std::ptr::null_mut()),
        busy: Cell::new(false),
        quiet: Cell::new(0),
        attachment: Cell::new(0),
        evaluation: Cell::new(None),
        holds_collector: Cell::new(false),
        held: Cell::new(None),
        raised: RefCell::default(),
        handler: Cell::new(Handler::NONE),
    };
    if vm.name.split_whitespace().next() == Some(adapter::SCRIPT) {
        // The first one; another one must not end what that has begun.
        let _ = ADAPTER_SERVICE.compare_exchange(0, handle, Ordering::SeqCst, Ordering::SeqCst);
        return; // it cannot ask itself
    }
    // SAFETY: contract of this function.
    unsafe { (*this).debugger = Some(Box::new(local)) };
    let mut vms = VMS.lock();
    vms.insert(handle, vm);
    // SAFETY: as above. What changes from now on finds the VM in the list.
    unsafe {
        (*this).interrupt.watch(wants_hooks());
        on_switch(this, (*this).state);
    }
    drop(vms);
    notices::tell(handle, None, b"service", b"began");
}

/// The VM is about to be closed.
///
/// # Safety
/// The calling thread is the only one that uses the VM.
pub(super) unsafe fn end(this: *mut Snlua) {
    // SAFETY: contract of this function.
    let ending = unsafe { (*this).service() }.handle();
    if ending != 0
        && ADAPTER_SERVICE
            .compare_exchange(ending, 0, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    {
        attach(0); // whoever has ended it: nobody would do so later
    }
    // SAFETY: contract of this function.
    let Some(local) = (unsafe { (*this).debugger.take() }) else {
        return;
    };
    if let Some(held) = local.held.take() {
        held.end(); // it was left by an error, in the last that it did
    }
    let handle = local.vm.handle;
    VMS.lock().remove(&handle);
    notices::tell(handle, None, b"service", b"ended");
}

fn wait_for_editor(handle: u32) {
    if *AWAITED.lock() != handle {
        return;
    }
    spare::held(|| {
        let mut awaited = AWAITED.lock();
        while *awaited == handle && core::exists(handle) {
            READY.wait_for(&mut awaited, LOOK);
        }
    });
}

/// Whether VMs have to have hooks while they do not step.
fn wants_hooks() -> bool {
    is_attached() && (breakpoints::any() || ENTRY.load(Ordering::Relaxed))
}

/// What is watched for has changed: all VMs look at that as soon as they run.
fn changed() {
    VERSION.fetch_add(1, Ordering::SeqCst);
    exceptions::watch(is_attached() && ERRORS.load(Ordering::Relaxed) != 0);
    let watch = wants_hooks();
    let vms: Vec<Arc<Vm>> = {
        let vms = VMS.lock();
        for vm in vms.values() {
            // SAFETY: under the lock, see `Vm`.
            unsafe { (*vm.instance).interrupt.watch(watch || vm.is_to_stop()) };
        }
        vms.values().cloned().collect()
    };
    for vm in vms {
        core::ask(vm.handle, Request::Debug);
    }
}

impl Vm {
    /// A VM that runs looks at its flags by itself, or else when it runs again.
    fn is_to_stop(&self) -> bool {
        self.pause.load(Ordering::Relaxed) != RUN || self.stopped.load(Ordering::Relaxed)
    }

    /// Whether what belongs to `attachment` may go on: the editor is there, and so is the service.
    fn is_attended(&self, attachment: u64) -> bool {
        !node_ends()
            && ATTACHMENT.load(Ordering::SeqCst) == attachment
            && core::exists(ADAPTER.load(Ordering::Relaxed))
            && core::exists(self.handle)
    }

    /// The oldest request. Waits for one; `None` when the service, which has stopped in `attachment`, is not to be stopped any more.
    fn next_request(&self, attachment: u64) -> Option<Box<[u8]>> {
        let mut mail = self.mail.lock();
        loop {
            if !self.is_attended(attachment) {
                return None;
            }
            if let Some(request) = mail.pop_front() {
                return Some(request);
            }
            self.posted.wait_for(&mut mail, LOOK);
        }
    }
}

/// The VM of a service.
fn find(handle: u32) -> Option<Arc<Vm>> {
    VMS.lock().get(&handle).cloned()
}

/// Lets a service stop as soon as it runs, or, unless `anywhere`, as soon as it runs code of the application. Whether it runs now;
/// `None` if there is no such VM.
fn pause(handle: u32, anywhere: bool) -> Option<bool> {
    {
        let vms = VMS.lock();
        let vm = vms.get(&handle)?;
        let pause = if anywhere {
            PAUSE
        } else {
            PAUSE_IN_APPLICATION
        };
        let mail = vm.mail.lock();
        if vm.stopped.load(Ordering::SeqCst) && !vm.leaves.load(Ordering::SeqCst) {
            return Some(true); // the adapter is about to hear of it
        }
        vm.pause.store(pause, Ordering::SeqCst);
        drop(mail);
        // SAFETY: under the lock, see `Vm`.
        unsafe { (*vm.instance).interrupt.watch(true) };
    }
    Some(core::ask(handle, Request::Debug))
}

/// Puts a request into the mail of a stopped service; one that `leaves` lets it go on. False if it is not stopped.
fn post(handle: u32, request: Box<[u8]>, leaves: bool) -> bool {
    let Some(vm) = find(handle) else { return false };
    let mut mail = vm.mail.lock();
    if !vm.stopped.load(Ordering::SeqCst) {
        return false;
    }
    mail.push_back(request);
    if leaves {
        vm.leaves.store(true, Ordering::SeqCst);
    }
    drop(mail);
    vm.posted.notify_all();
    true
}

/// An editor is attached from now on, by way of the service `adapter`; 0: none is, and what is stopped goes on.
fn attach(adapter: u32) {
    notices::begin_attachment(adapter);
    if adapter == 0 {
        breakpoints::clear();
        ERRORS.store(0, Ordering::Relaxed);
        ENTRY.store(false, Ordering::Relaxed);
        JUST_MY_CODE.store(true, Ordering::Relaxed);
        for vm in VMS.lock().values() {
            let_go(vm);
        }
        editor_is_ready();
    } else {
        overdue::begin();
    }
    changed();
}
