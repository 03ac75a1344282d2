//! Where Lua code allocates, by samples.
//!
//! Each allocation of a VM goes by its allocator (`src/services/builtin/snlua/allocations.rs`), which samples by bytes while there is a
//! profile of it, and says here what it has found. What is here is what the VMs have together: whether there is a profile, how
//! many bytes lie between two samples, and the sums.
//!
//! A VM belongs to the thread that runs its service, so nobody else can exchange its allocator: [`ask_services`] leaves a wish in
//! the VM, which it finds with its next allocation. It goes back to its own allocator when it finds that [`number`] is another one.

use super::super::context::{Context, grab};
use super::super::registry;
use super::{Amount, PROFILE, Target, name_of};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicUsize, fence};

/// Bytes between two samples, on an average: of the first ones and of the last ones.
const FIRST: usize = 1024;
const LAST: usize = 512 * 1024;
/// After so many samples the bytes between two of them are doubled.
const STEP: usize = 1000;

/// Number of the profile; 0: there is none. Changes under the lock of [`PROFILE`], as the words below do.
static NUMBER: AtomicU32 = AtomicU32::new(0);
static INTERVAL: AtomicUsize = AtomicUsize::new(FIRST);
/// Until the interval is doubled; 0: it stays.
static SAMPLES_LEFT: AtomicUsize = AtomicUsize::new(0);

/// For the holder of the lock.
pub(super) fn begin(interval: usize) {
    static LAST_NUMBER: AtomicU32 = AtomicU32::new(0);
    let (interval, left) = match interval {
        0 => (FIRST, STEP),
        fixed => (fixed, 0),
    };
    INTERVAL.store(interval, Relaxed);
    SAMPLES_LEFT.store(left, Relaxed);
    let number = LAST_NUMBER.load(Relaxed).checked_add(1).unwrap_or(1);
    LAST_NUMBER.store(number, Relaxed);
    NUMBER.store(number, Relaxed);
}

/// For the holder of the lock.
pub(super) fn end() {
    NUMBER.store(0, Relaxed);
}

/// Lets the VMs of the services begin to take samples. Those of services that are launched from now on ask for themselves
/// ([`profile_of`]).
pub(super) fn ask_services(target: &Target) {
    // Either a new VM sees the profile, or this sees its service.
    fence(SeqCst);
    for handle in registry::all() {
        if let Some(service) = grab(handle)
            && target.includes(&service)
        {
            service.ask_for_allocations();
        }
    }
}

/// The number of the profile of allocations; 0 if there is none.
#[inline]
pub fn number() -> u32 {
    NUMBER.load(Relaxed)
}

/// The number of the profile that the allocations of this service belong to. Its handle is known.
pub fn profile_of(context: &Context) -> Option<u32> {
    fence(SeqCst);
    if number() == 0 {
        return None;
    }
    let profile = PROFILE.lock();
    let wanted = profile.as_ref()?.target.includes(context);
    Some(number()).filter(|&number| wanted && number != 0)
}

/// Bytes from one sample to the next, on an average.
pub fn interval() -> usize {
    INTERVAL.load(Relaxed)
}

/// A sample of a service: it stands for so many bytes that were allocated with this stack, frames from the outermost on with `;`
/// between. Where it stands, for [`free`]; `None` if that profile has ended.
pub fn count(context: &Context, of: u32, stack: &str, bytes: u64) -> Option<u32> {
    let mut profile = PROFILE.lock();
    let profile = profile.as_mut().filter(|_| number() == of)?;
    let label = profile
        .target
        .label(context.handle(), Some(name_of(context)));
    let held = Amount {
        taken: bytes,
        held: bytes,
    };
    let place = profile.stacks.add(&format!("{label};{stack}"), held);
    match SAMPLES_LEFT.load(Relaxed) {
        0 => {}
        1 => {
            let doubled = interval() * 2;
            INTERVAL.store(doubled, Relaxed);
            SAMPLES_LEFT.store(if doubled < LAST { STEP } else { 0 }, Relaxed);
        }
        more => SAMPLES_LEFT.store(more - 1, Relaxed),
    }
    Some(place)
}

/// So many bytes of samples of the profile `of` have been freed: where they stand, and how many.
pub fn free(of: u32, samples: impl IntoIterator<Item = (u32, u64)>) {
    let mut profile = PROFILE.lock();
    let Some(profile) = profile.as_mut().filter(|_| number() == of) else {
        return;
    };
    for (place, bytes) in samples {
        if let Some(amount) = profile.stacks.at(place) {
            amount.held = amount.held.saturating_sub(bytes);
        }
    }
}
