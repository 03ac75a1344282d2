//! What the core asks of services that are VMs of the built-in snlua. How they do it is their business; they bring it along
//! ([`know_vms`]).

use super::Context;
use super::own::Own;
use super::thread_signal::{self, Place, Request};
use crate::actor::module::{Init, Module};
use libc::c_void;
use std::sync::OnceLock;

/// What has become of the stack that a Lua service was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// It has run no Lua code since.
    Pending,
    /// A debug hook of its own was in the way.
    Refused,
    /// The log has it, or it was not asked for.
    Logged,
}

/// How a piece of a collection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The program has stopped the collector.
    Refused,
    /// There is more to do.
    More,
    /// All garbage is gone.
    Done,
}

/// Functions for instances of one module. Each instance is one that is not released meanwhile; the thread is any unless
/// something else is said.
pub struct Vms {
    /// By this function a module is known.
    pub init: Init,
    /// Bytes that the VM has.
    pub bytes: unsafe fn(*mut c_void) -> usize,
    /// Does what is wanted of the VM. The calling thread runs the service, and is in the message at the place.
    /// Async-signal-safe.
    pub interrupt: unsafe fn(*mut c_void, Request, Place),
    /// Counts so many samples of what it runs, when it comes to its next instruction, by way of [`super::sampling::cpu::count`]. False: a
    /// debug hook of its own is in the way. The calling thread runs the service, and is in the message at the place.
    /// Async-signal-safe.
    pub sample: unsafe fn(*mut c_void, u32, Place) -> bool,
    /// It is to take samples of what it allocates ([`super::sampling::allocations`]), from its next allocation on.
    pub ask_for_allocations: unsafe fn(*mut c_void),
    /// It is about to be asked for its stack.
    pub expect_stack: unsafe fn(*mut c_void),
    /// What has become of that.
    pub stack: unsafe fn(*mut c_void) -> Stack,
    /// A number that changes when its collector does something. The calling thread runs the service.
    pub collector: unsafe fn(*mut c_void) -> usize,
    /// Collects for a few milliseconds. The number is 0 for the first piece and then what the last one has left. The calling
    /// thread runs the service, and is in no callback of it.
    pub collect: unsafe fn(*mut c_void, &mut i32) -> Piece,
}

static VMS: OnceLock<&Vms> = OnceLock::new();

/// Which module makes VMs. The first call counts.
pub fn know_vms(vms: &'static Vms) {
    let _ = VMS.set(vms);
}

/// The functions for instances of `module`, if they are VMs.
fn of(module: &Module) -> Option<&'static Vms> {
    let vms = *VMS.get()?;
    let ours = |init: Init| std::ptr::fn_addr_eq(init, vms.init);
    module.init.is_some_and(ours).then_some(vms)
}

/// Whether instances of `module` are VMs.
pub(super) fn is_vm(module: &Module) -> bool {
    of(module).is_some()
}

impl Context {
    /// Bytes of the VM that it is; 0 for other services. The caller has a reference.
    pub(super) fn vm_bytes(&self) -> usize {
        // SAFETY: an instance of that module, which is not released as long as there is a reference.
        of(self.module()).map_or(0, |vms| unsafe { (vms.bytes)(self.instance.data()) })
    }

    /// Does what is wanted of the service, if it is a Lua service: stop, or log its stack.
    ///
    /// # Safety
    /// The calling thread runs the service, and is in the message at `place`. May be called in a signal handler.
    pub(super) unsafe fn interrupt(&self, request: Request, place: Place) {
        if let Some(vms) = of(self.module()) {
            // SAFETY: an instance of that module; the rest is the contract of this function.
            unsafe { (vms.interrupt)(self.instance.data(), request, place) };
        }
    }

    /// Whether it is a VM, whose stack can be sampled. Async-signal-safe.
    pub(super) fn is_sampled_in_lua(&self) -> bool {
        is_vm(self.module())
    }

    /// See [`Vms::sample`]; true for other services.
    ///
    /// # Safety
    /// The calling thread runs the service. May be called in a signal handler.
    pub(super) unsafe fn sample(&self, count: u32) -> bool {
        // SAFETY: an instance of that module; the rest is the contract of this function.
        of(self.module())
            .is_none_or(|vms| unsafe { (vms.sample)(self.instance.data(), count, Place::here()) })
    }

    /// See [`Vms::ask_for_allocations`]. The caller has a reference.
    pub(super) fn ask_for_allocations(&self) {
        if let Some(vms) = of(self.module()) {
            // SAFETY: as in `vm_bytes`.
            unsafe { (vms.ask_for_allocations)(self.instance.data()) };
        }
    }

    /// Asks a Lua service for its stack, which it logs when it runs Lua code, if it is still in the message that its worker
    /// counts as `message`. False if it has none, or is in another message. The caller has a reference.
    pub fn ask_stack(&self, message: i32) -> bool {
        let Some(vms) = of(self.module()) else {
            return false;
        };
        // SAFETY: as in `vm_bytes`.
        unsafe { (vms.expect_stack)(self.instance.data()) };
        thread_signal::ask(self, Request::Stack, Some(message))
    }

    /// What has become of that.
    pub fn stack(&self) -> Stack {
        // SAFETY: as in `vm_bytes`.
        of(self.module()).map_or(Stack::Logged, |vms| unsafe {
            (vms.stack)(self.instance.data())
        })
    }
}

impl Own<'_> {
    /// See [`Vms::collector`]; 0 for services that are no VMs.
    pub(super) fn vm_collector(&mut self) -> usize {
        // SAFETY: an instance of that module; the calling thread runs the service.
        of(self.module()).map_or(0, |vms| unsafe { (vms.collector)(self.instance.data()) })
    }

    /// See [`Vms::collect`].
    ///
    /// # Safety
    /// No callback of the service runs.
    pub(super) unsafe fn vm_collect(&mut self, phase: &mut i32) -> Piece {
        // SAFETY: as in `vm_collector`; the rest is the contract of this function.
        of(self.module()).map_or(Piece::Refused, |vms| unsafe {
            (vms.collect)(self.instance.data(), phase)
        })
    }
}
