//! Texts of the user's that have to end and do not meet their hook: it was taken away, or what runs is a hook or a finalizer, in which
//! Lua calls none.
//!
//! A thread looks for such while an editor is attached. It sends the thread that runs the text the signal of
//! [`thread_signal`](crate::actor::service::thread_signal), whose handler sets the hook of the text once more, as one that Lua calls
//! everywhere ([`super::hook::set_from_signal`]).

use std::sync::atomic::Ordering;
use std::thread;

use parking_lot::Mutex;

use super::super::core::{self, monotonic_nanos};
use super::{LOOK, VMS, Vm, is_attached, node_ends};

/// Bytes of the stack of the thread.
const STACK: usize = 128 * 1024;

/// The thread is there.
static LOOKS: Mutex<bool> = Mutex::new(false);

/// An editor is attached.
pub(super) fn begin() {
    let mut looks = LOOKS.lock();
    if !*looks {
        let builder = thread::Builder::new().name("debugger".into());
        // Without it such texts do not end, and all else is as ever.
        *looks = builder.stack_size(STACK).spawn(run).is_ok();
    }
}

fn run() {
    loop {
        thread::sleep(LOOK);
        let mut looks = LOOKS.lock();
        // In this order: what begins later sees itself that nobody is attached.
        let attached = is_attached();
        if !look() && !attached {
            *looks = false;
            return;
        }
    }
}

/// Reminds the texts that have to end. Whether there are texts that run.
fn look() -> bool {
    let mut any = false;
    for vm in VMS.lock().values() {
        let deadline = vm.evaluates.load(Ordering::SeqCst);
        if deadline != 0 {
            any = true;
            if is_over(vm, deadline) {
                vm.overdue.store(deadline, Ordering::SeqCst);
                // SAFETY: under the lock, see `Vm`.
                unsafe { (*vm.instance).service() }.ask_to_look();
            }
        }
    }
    any
}

fn is_over(vm: &Vm, deadline: u64) -> bool {
    monotonic_nanos() > deadline
        || vm.leaves.load(Ordering::SeqCst)
        || !is_attached()
        || node_ends()
        || !core::exists(vm.handle)
}
