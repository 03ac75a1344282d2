//! One service: its context, from launch to release.
//!
//! References ([`ServiceRef`]): the handle table holds one, the launch holds one until `NAME_init` has returned, and every
//! `skynet_handle_grab`, `skynet_context_grab` and `skynet_context_reserve` adds one. The thread that drops the last calls
//! `NAME_release`. Senders need none: they look the context up under a [`crate::alloc::reclaim::Guard`], and its memory is
//! given back only after a grace period.
//!
//! Retirement: the thread that takes the handle out of the table sets `retired`. The table's reference is dropped by the
//! mailbox's consumer ([`finish`]), after it closed the mailbox, so that a service is never released while a callback
//! of it runs. If the mailbox is idle, the retiring thread acquires the role and does it at once. Both sides use
//! sequentially consistent operations: either `retire` finds the mailbox idle, or the consumer, which looks at
//! `retired` after it gave the role up, finds the flag.
//!
//! What belongs to the service's own thread is within reach of [`super::own::Own`] only, which the consumer of the mailbox has.
//! Counters are atomics that others may read: `cost`, `messages`, `dropped_no_callback` and `session` are only written there,
//! without read-modify-write; a reader elsewhere sees a number that was right. `callback` and `callback_ud` belong
//! together, so they are set only there, too.
//! C code that calls for a context from another thread breaks the contract of "skynet.h" as it does with the C core.

use super::Queue;
use super::limit::Limit;
use super::own::Own;
#[cfg(feature = "lua")]
use super::quiet::Watch;
use super::reference::ServiceRef;
use super::{abort, figures, log as lines, notices, registry};
use crate::actor::module::{self, Instance, Module};
use crate::alloc::freelist::Class;
use crate::alloc::memory::{self, ServiceMem};
use crate::alloc::reclaim;
use crate::base::log;
use crate::base::message::{Message, ptype};
use crate::scheduler::{self, cpu};
use libc::{FILE, c_int, c_void};
use std::ffi::CStr;
use std::ptr::NonNull;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

/// `skynet_cb` ("skynet.h"): 0 lets the core free `msg`, anything else keeps it with the callee. Not `skynet_sys::Callback`:
/// that one is written in Rust and never unwinds; this may be C++ and throw.
pub type Callback = unsafe extern "C-unwind" fn(
    context: *mut Context,
    ud: *mut c_void,
    ty: c_int,
    session: c_int,
    source: u32,
    msg: *const c_void,
    sz: usize,
) -> c_int;

/// `struct skynet_context`: opaque to C.
pub struct Context {
    /// Where its messages wait.
    pub(super) queue: Queue,
    handle: AtomicU32,
    pub(super) refs: AtomicU32,
    retired: AtomicBool,
    /// Does not keep the node up.
    reserved: AtomicBool,
    /// It still gets the messages that wait when it is retired.
    pub(super) drain_on_retire: AtomicBool,
    endless: AtomicBool,
    session: AtomicI32,
    /// A [`Callback`], or null.
    callback: AtomicPtr<c_void>,
    callback_ud: AtomicPtr<c_void>,
    pub(super) messages: AtomicUsize,
    /// Messages that came while there was no callback.
    pub(super) dropped_no_callback: AtomicUsize,
    pub(super) cost: AtomicU64,
    /// `messages` when `cost` was last added to.
    pub(super) settled: AtomicUsize,
    /// How many messages may wait.
    pub(super) limit: Limit,
    pub(super) profile: bool,
    /// Of [`super::quiet`].
    #[cfg(feature = "lua")]
    pub(super) watch: Watch,
    /// What its callbacks allocated and did not free.
    pub(super) memory: ServiceMem,
    /// The message log of LOGON; null when off.
    pub(super) logfile: AtomicPtr<FILE>,
    pub(super) instance: Instance,
    /// The begin of what it was launched with, for people.
    args: [u8; 47],
    args_len: u8,
}

// Shared by all threads: what is not atomic never changes after launch, or lies in the mailbox.
const _: fn() = || {
    fn is_shared<T: Sync>() {}
    is_shared::<Context>();
};

static TOTAL: AtomicI32 = AtomicI32::new(0);
static PROFILE: AtomicBool = AtomicBool::new(true);

/// Number of live services that keep the node up ("skynet_server.h", `skynet_context_total`).
pub fn total() -> i32 {
    TOTAL.load(Ordering::SeqCst)
}

/// CPU accounting for services launched from now on ("skynet_server.h", `skynet_profile_enable`).
pub fn set_profile(on: bool) {
    PROFILE.store(on, Ordering::Relaxed);
}

impl Context {
    /// The handle of this service.
    #[inline]
    pub fn handle(&self) -> u32 {
        self.handle.load(Ordering::Relaxed)
    }

    /// Only for [`super::registry`], before the context is shared.
    pub(super) fn set_handle(&self, handle: u32) {
        self.handle.store(handle, Ordering::Relaxed);
    }

    /// A new session: positive, one more than the last, 1 after the largest.
    #[inline]
    pub fn new_session(&self) -> i32 {
        let last = self.session.load(Ordering::Relaxed);
        let session = last.checked_add(1).unwrap_or(1);
        self.session.store(session, Ordering::Relaxed);
        session
    }

    /// For [`Own::set_callback`].
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn store_callback(&self, callback: Option<Callback>, ud: *mut c_void) {
        let callback = callback.map_or(std::ptr::null_mut(), |callback| callback as *mut c_void);
        self.callback_ud.store(ud, Ordering::Relaxed);
        self.callback.store(callback, Ordering::Relaxed);
    }

    /// The function that gets the messages, and what it is called with.
    #[inline(always)]
    pub(super) fn callback(&self) -> Option<(Callback, *mut c_void)> {
        let callback = self.callback.load(Ordering::Relaxed);
        // SAFETY: null, which is `None`, or put there by `store_callback`.
        let callback = unsafe { std::mem::transmute::<*mut c_void, Option<Callback>>(callback) }?;
        Some((callback, self.callback_ud.load(Ordering::Relaxed)))
    }

    /// True once the handle is gone.
    #[inline]
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::SeqCst)
    }

    /// The monitor saw a message that runs for too long (command STAT endless).
    pub fn mark_endless(&self) {
        self.endless.store(true, Ordering::Relaxed);
    }

    /// Messages that it has handled.
    pub fn messages(&self) -> usize {
        self.messages.load(Ordering::Relaxed)
    }

    /// Whether its CPU time is counted.
    pub fn is_profiled(&self) -> bool {
        self.profile
    }

    /// Messages that wait, as many as there were when it last looked.
    pub fn last_len(&self) -> usize {
        self.queue.mailbox.last_len()
    }

    /// Reads and clears the mark.
    pub fn take_endless(&self) -> bool {
        self.endless.swap(false, Ordering::Relaxed)
    }

    /// What it was launched as: module, and the begin of the arguments.
    pub fn title(&self) -> (&CStr, &[u8]) {
        // SAFETY: names of modules are C strings that stay for ever.
        let name = unsafe { CStr::from_ptr(self.module().name) };
        (name, &self.args[..usize::from(self.args_len)])
    }

    /// The module that it is an instance of.
    pub fn module(&self) -> &'static Module {
        self.instance.module()
    }

    /// Takes the service out of the count that keeps the node up, if it is still in it.
    pub fn reserve(&self) {
        if !self.reserved.swap(true, Ordering::AcqRel) {
            count(-1);
        }
    }
}

impl Context {
    /// A service of which nothing is registered yet. It has two references: the handle table's, and the launch's.
    fn new(instance: Instance, args: Option<&CStr>) -> Context {
        let text = args.map_or(&b""[..], CStr::to_bytes);
        let mut kept = [0; 47];
        let len = text.len().min(kept.len());
        kept[..len].copy_from_slice(&text[..len]);
        Context {
            queue: Queue::new(),
            handle: AtomicU32::new(0),
            refs: AtomicU32::new(2),
            retired: AtomicBool::new(false),
            reserved: AtomicBool::new(false),
            drain_on_retire: AtomicBool::new(false),
            endless: AtomicBool::new(false),
            session: AtomicI32::new(0),
            callback: AtomicPtr::new(std::ptr::null_mut()),
            callback_ud: AtomicPtr::new(std::ptr::null_mut()),
            messages: AtomicUsize::new(0),
            dropped_no_callback: AtomicUsize::new(0),
            cost: AtomicU64::new(0),
            settled: AtomicUsize::new(0),
            limit: Limit::new(),
            profile: PROFILE.load(Ordering::Relaxed),
            #[cfg(feature = "lua")]
            watch: Watch::new(instance.module()),
            memory: ServiceMem::new(),
            logfile: AtomicPtr::new(std::ptr::null_mut()),
            instance,
            args: kept,
            args_len: len as u8,
        }
    }
}

fn count(by: i32) {
    let total = TOTAL.fetch_add(by, Ordering::SeqCst) + by;
    if total == 0 {
        scheduler::on_empty();
    } else if total == 1 {
        abort::retire_last_logger();
    }
}

/// Launches module `name` with the argument text `args` ("skynet_server.h", `skynet_context_new`).
///
/// A reference to it; `None` on failure.
pub fn launch(name: &CStr, args: Option<&CStr>) -> Option<ServiceRef> {
    log::deliver_with(&lines::DELIVERY);
    let module = module::query(name)?;
    // What a service allocates while it is made is its own already, and none of its launcher's.
    let interrupted = memory::turn_so_far();
    memory::turn_begin();
    let Some(instance) = Instance::create(module) else {
        memory::turn_resume(interrupted);
        return None;
    };
    let created = memory::turn_so_far();
    let context = NonNull::from(Box::leak(Box::new(Context::new(instance, args))));
    // SAFETY: the reference of the launch, kept until this returns; it also keeps the memory.
    let (reference, this) = unsafe { (ServiceRef::from_raw(context), context.as_ref()) };
    let context = context.as_ptr();
    this.queue.set_owner(context);
    // Not shared yet: the creator has the role, and the service has it lent while it starts.
    let mut own = this.try_own().expect("a new mailbox is idle");
    count(1);
    figures::count_start();
    // SAFETY: a context is freed through `reclaim` only.
    let handle = unsafe { registry::register(context) };
    if handle == 0 {
        log::error(0, b"error: no handle is free");
        this.refs.store(1, Ordering::Relaxed);
        own.consumer.close();
        memory::turn_resume(interrupted);
        return None;
    }
    // Either `abort_all` sees the new handle, or this thread sees that it has begun.
    fence(Ordering::SeqCst);
    if abort::is_aborting() {
        retire(handle);
    }
    let name_text = name.to_bytes();
    let args_text = args.map_or(&b""[..], CStr::to_bytes);
    memory::turn_resume(created);
    // SAFETY: a live service.
    let failed = unsafe { this.instance.init(context.cast(), args) } != 0;
    memory::turn_end(&this.memory);
    memory::turn_resume(interrupted);
    if failed {
        log::error_parts(handle, &[b"error: launch ", name_text, b" FAILED"]);
        // Taken away here or during init: either way the table's reference was left to the consumer.
        memory::uncharged(|| {
            remove(handle);
            // SAFETY: it left the table.
            unsafe { finish(own) };
        });
        return None;
    }
    // Always through a run queue, also when empty: what init sent to itself, or a retirement during init, is seen there.
    scheduler::submit(own.into_ready());
    log::error_parts(handle, &[b"LAUNCH ", name_text, b" ", args_text]);
    Some(reference)
}

/// A reference to the live service `handle` ("skynet_handle.h", `skynet_handle_grab`).
pub fn grab(handle: u32) -> Option<ServiceRef> {
    let guard = reclaim::enter();
    registry::find(&guard, handle)?.reference()
}

/// The end of a context: its instance is released, its memory freed after a grace period.
///
/// # Safety
/// The last reference is gone.
pub(super) unsafe fn release(context: *mut Context) {
    // SAFETY: freed below at the earliest.
    let this = unsafe { &*context };
    let file = this.logfile.swap(std::ptr::null_mut(), Ordering::AcqRel);
    if !file.is_null() {
        // SAFETY: the file belonged to the context.
        unsafe { libc::fclose(file) };
    }
    figures::fold_totals(this);
    // The service on turn, if its reference was the last, is not credited with what the one that ends here had.
    // SAFETY: there are no references any more.
    memory::uncharged(|| unsafe { this.instance.release() });
    let counted = !this.reserved.load(Ordering::Acquire);
    // SAFETY: it left the table before its last reference went.
    unsafe { reclaim::defer(context.cast(), free) };
    if counted {
        count(-1);
    }
}

/// Frees a context after its grace period.
///
/// # Safety
/// `context` came from a box in `launch`, is in no table any more, and no reader has it (contract of [`reclaim::defer`]).
unsafe fn free(context: *mut ()) {
    // SAFETY: contract of this function.
    drop(unsafe { Box::from_raw(context.cast::<Context>()) });
}

/// The context, whose reference of the table is left to the consumer.
fn remove(handle: u32) -> Option<NonNull<Context>> {
    let context = NonNull::new(registry::unregister(handle)?)?;
    // SAFETY: the table's reference is still there.
    unsafe { context.as_ref() }
        .retired
        .store(true, Ordering::SeqCst);
    notices::retired(handle);
    Some(context)
}

/// Takes the handle away; the service ends as soon as no callback of it runs ("skynet_handle.h", `skynet_handle_retire`).
pub fn retire(handle: u32) -> bool {
    // What the one that ends had is not that of the service on turn, which ends it.
    memory::uncharged(|| retire_uncharged(handle))
}

fn retire_uncharged(handle: u32) -> bool {
    let _guard = reclaim::enter();
    let Some(context) = remove(handle) else {
        return false;
    };
    // SAFETY: the guard keeps the memory, also when the consumer drops the table's reference.
    if let Some(own) = unsafe { context.as_ref() }.try_own() {
        // SAFETY: it left the table.
        unsafe { finish(own) };
    }
    true
}

/// The end of a retired service: nothing is accepted any more, the table's reference goes, messages that wait are sent
/// back as errors. Once for a context, because the role stays here.
///
/// # Safety
/// The context is out of the table, whose reference is left to the consumer.
pub(super) unsafe fn finish(mut own: Own<'_>) {
    let _guard = reclaim::enter();
    own.consumer.close();
    let handle = own.handle();
    if own.drain_on_retire.load(Ordering::SeqCst) {
        own.drain();
    }
    // SAFETY: the table's reference, which retirement left to the consumer. The guard keeps the memory.
    drop(unsafe { ServiceRef::from_raw(NonNull::from(own.context())) });
    while let Some((message, _)) = own.consumer.pop() {
        bounce(handle, message);
    }
}

/// Tells the sender of a message that it will not be read.
fn bounce(handle: u32, message: Message) {
    figures::count_bounce();
    // SAFETY: the payload belongs to the message.
    unsafe {
        if message.ty() == ptype::SOCKET {
            notices::socket_message_taken(message.data, message.size());
        }
        libc::free(message.data);
    }
    if message.source != 0 {
        let notice = Message::empty(handle, ptype::ERROR, message.session);
        super::send_to(message.source, notice);
    }
}

impl Context {
    /// Any thread: puts a message straight into the mailbox ("skynet_server.h", `skynet_context_send`).
    /// `payload` says what is known of the block that its data is.
    /// False when the service has ended; the payload still belongs to the caller then.
    #[inline(always)]
    #[must_use]
    pub fn deliver(&self, message: Message, payload: Class) -> bool {
        if self.limit.is_set() {
            self.limit.note();
        }
        self.enter(message, payload)
    }

    /// [`Context::deliver`] of a message that the limit knows of.
    #[inline(always)]
    pub(super) fn enter(&self, message: Message, payload: Class) -> bool {
        self.queue.push(message, payload)
    }

    /// CPU time of all finished callbacks, in microseconds; for others than the service itself about as it was when its turn
    /// began.
    pub fn cost_micros(&self) -> u64 {
        cpu::micros(self.cost.load(Ordering::Relaxed))
    }

    /// [`Context::cost_micros`] for the service itself, in a callback: after short ones of the same turn this one counts, too,
    /// as far as it has come.
    pub fn own_cost_micros(&self) -> u64 {
        let settled = self.settled.load(Ordering::Relaxed);
        let open = self.messages().wrapping_sub(settled) > 1;
        self.cost_micros() + if open { cpu::running_micros() } else { 0 }
    }
}
