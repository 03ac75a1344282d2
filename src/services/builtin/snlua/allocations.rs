//! The allocator of a VM while there is a profile of what it allocates ([`core::allocations`](super::core::allocations)).
//!
//! **Which allocations.** A block is a sample with the probability `1 - exp(-size / interval)`: as if each byte were one with
//! 1 / interval. What it then stands for, `size / (1 - exp(-size / interval))` bytes, makes the sums right on an average, whatever the
//! sizes are, and whenever the interval changes. To know the next sample is to draw how many bytes there are before it ([`Sampler::draw`]);
//! until then each allocation costs a subtraction. A block that grows is a new one, and the end of the old one; of one that
//! shrinks, the sample shrinks with it.
//!
//! **When a VM begins and ends.** The wish ([`ask`]) comes from any thread. It makes Lua ask the allocator for the next block
//! ([`Cells::unwatched`](super::heap::Cells::unwatched)), and the allocator puts [`allocate_sampled`] in its place. That one does the reverse when the profile has
//! ended. Both happen within a call of the allocator: `lua_setallocf` and `lua_setcells` store three words of the VM, which `lmem.c` reads
//! anew for each call.
//!
//! **Why the stack may be looked at within an allocation**, whatever Lua is doing:
//!
//! - [`Interrupt::running`](super::interrupt::Interrupt::running) and what waits for it exist. A list of call infos is whole at any
//!   time: a new one is allocated, and linked, before `L->ci` leads to it, and only those above are freed.
//! - Of each call info the function, the status and, in a function that has called another, the place of the call are read. The first
//!   two are set before anything is allocated for a call (`prepCallInfo`); the last is saved by each instruction that may call. A
//!   function that is replaced by a tail call is so at once, after its stack has grown.
//! - While a stack is moved (`luaD_reallocstack`), its call infos have offsets in the place of addresses; `skynet_lua_pinstack` puts
//!   the addresses back for the time of the look. The stack is looked at before the block is moved, so they are right.
//! - Of tables, strings and prototypes that are being made nothing is read: a prototype is that of a function that runs, and names
//!   are its constants.
//! - Nothing is allocated in the VM, and nothing raised (`lua_getstack`, `lua_getinfo` with "Sn").
//!
//! **Freed blocks** are looked up by their address in a table of the samples that live, which has one entry for so many bytes as the
//! interval is.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ptr;

use libc::c_void;
use mlua_sys::{lua_getallocf, lua_setallocf};

use super::core::{allocations, monotonic_nanos};
use super::memory::{self, Memory, allocate};
use super::{Snlua, sample};

/// Allocations of a VM that belong to a profile.
pub(super) struct Sampler {
    profile: u32,
    /// Bytes until the next sample, and between two on an average.
    left: usize,
    interval: usize,
    random: u64,
    /// Samples that are not freed, by address.
    live: HashMap<usize, Sample, BuildHasherDefault<AddressHasher>>,
}

#[derive(Clone, Copy)]
struct Sample {
    /// Where its stack stands in the profile.
    place: u32,
    bytes: u64,
}

#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_usize(byte.into());
        }
    }

    fn write_usize(&mut self, address: usize) {
        let mixed = (self.0 ^ address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Sampler {
    fn new(profile: u32, seed: u64) -> Sampler {
        let mut sampler = Sampler {
            profile,
            left: 0,
            interval: 0,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            live: HashMap::default(),
        };
        sampler.draw(allocations::interval());
        sampler
    }

    /// Draws how many bytes there are before the next sample: exponentially distributed.
    fn draw(&mut self, interval: usize) {
        // xorshift64*
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let bits = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        let uniform = (bits + 1) as f64 / (1u64 << 53) as f64;
        self.interval = interval;
        self.left = (-uniform.ln() * interval as f64) as usize;
    }

    /// What an allocation stands for; `None` if it is no sample.
    #[inline]
    fn weight(&mut self, size: usize) -> Option<u64> {
        if size <= self.left {
            self.left -= size;
            return None;
        }
        let probability = -(-(size as f64) / self.interval as f64).exp_m1();
        self.draw(allocations::interval());
        Some((size as f64 / probability) as u64)
    }

    /// A block is gone: what its sample stood for.
    #[inline]
    fn take(&mut self, block: *mut c_void) -> Option<Sample> {
        if self.live.is_empty() {
            return None;
        }
        self.live.remove(&block.addr())
    }

    fn free(&self, sample: Sample) {
        allocations::free(self.profile, [(sample.place, sample.bytes)]);
    }

    /// All blocks are gone.
    pub fn free_all(&mut self) {
        let samples = self.live.drain();
        let samples = samples.map(|(_, sample)| (sample.place, sample.bytes));
        allocations::free(self.profile, samples);
    }
}

/// Any thread: the VM is to take samples.
///
/// # Safety
/// `this` is an instance that is not released meanwhile.
pub(super) unsafe fn ask(this: *const Snlua) {
    // SAFETY: contract of this function.
    unsafe { Memory::wish(&raw const (*this).memory) };
}

/// The VM was asked, and asks for memory.
///
/// # Safety
/// The calling thread runs the service of the instance, in its allocator.
#[cold]
pub(super) unsafe fn begin(this: *mut Snlua) {
    // SAFETY: contract of this function; the instance outlives the VM. Nothing has a reference into the instance meanwhile.
    unsafe {
        let Some(profile) = (*this).service().allocations_profile() else {
            return;
        };
        // A C module may have put an allocator of its own before this one: then that stays. Or the VM takes samples already.
        if is_set(this, memory::allocator()) {
            let seed = monotonic_nanos() ^ this.addr() as u64;
            drop_sampler(this);
            (*this).memory.sampler = Some(Box::new(Sampler::new(profile, seed)));
            lua_setallocf((*this).state, sampled(), this.cast());
        }
    }
}

/// Puts the allocator back that the VM began with.
///
/// # Safety
/// As [`begin`].
#[cold]
unsafe fn end(this: *mut Snlua) {
    // SAFETY: contract of this function.
    unsafe {
        drop_sampler(this);
        if is_set(this, sampled()) {
            lua_setallocf((*this).state, memory::allocator(), this.cast());
            memory::open(this, (*this).state);
        }
    }
}

/// # Safety
/// The calling thread is the only one that uses the VM.
pub(super) unsafe fn drop_sampler(this: *mut Snlua) {
    // SAFETY: contract of this function.
    if let Some(mut sampler) = unsafe { (*this).memory.sampler.take() } {
        sampler.free_all();
    }
}

/// Whether an allocator is that of a VM of a service, with a profile or without one.
pub(super) fn is_ours(allocator: memory::Allocator) -> bool {
    [memory::allocator(), sampled()]
        .map(|ours| ours as usize)
        .contains(&(allocator as usize))
}

fn sampled() -> memory::Allocator {
    if memory::has_cells() {
        allocate_sampled::<true>
    } else {
        allocate_sampled::<false>
    }
}

/// Whether this is the VM's allocator.
///
/// # Safety
/// The calling thread runs the service of the instance.
unsafe fn is_set(this: *mut Snlua, allocator: memory::Allocator) -> bool {
    // SAFETY: the VM exists.
    let set = unsafe { lua_getallocf((*this).state, ptr::null_mut()) };
    ptr::fn_addr_eq(set as memory::Allocator, allocator)
}

/// `lua_Alloc` of a VM that takes samples.
///
/// # Safety
/// As [`allocate`].
unsafe extern "C" fn allocate_sampled<const CELLS: bool>(
    ud: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: contract of this function. The sampler is the VM's, and stays during `allocate`: `begin` makes none while this is the
    // allocator.
    unsafe {
        let this = ud.cast::<Snlua>();
        let sampler = match &mut (*this).memory.sampler {
            Some(sampler) if sampler.profile == allocations::number() => &raw mut **sampler,
            _ => {
                end(this);
                // A wish may have come, and gone unheard, since the next profile began.
                begin(this);
                return allocate::<CELLS>(ud, block, old, new);
            }
        };
        let grows = new > 0 && (block.is_null() || new > old);
        let sample = match grows {
            true => (*sampler).weight(new).map(|bytes| (bytes, stack(this))),
            false => None,
        };
        let result = allocate::<CELLS>(ud, block, old, new);
        if result.is_null() && new > 0 {
            return result;
        }
        if !block.is_null()
            && let Some(mut before) = (*sampler).take(block)
        {
            if grows || new == 0 {
                (*sampler).free(before);
            } else {
                let kept = (before.bytes as f64 * new as f64 / old as f64) as u64;
                let freed = before.bytes - kept.min(before.bytes);
                allocations::free((*sampler).profile, [(before.place, freed)]);
                before.bytes -= freed;
                (*sampler).live.insert(result.addr(), before);
            }
        }
        if let Some((bytes, stack)) = sample {
            let profile = (*sampler).profile;
            let place = (*this).service().count_allocation(profile, &stack, bytes);
            if let Some(place) = place {
                let sample = Sample { place, bytes };
                (*sampler).live.insert(result.addr(), sample);
            }
        }
        result
    }
}

/// The stack of the VM.
///
/// # Safety
/// As [`begin`].
#[cold]
unsafe fn stack(this: *mut Snlua) -> String {
    // SAFETY: see the head of the file.
    let stack = unsafe {
        let interrupt = &(*this).interrupt;
        match interrupt.running() {
            running if running.is_null() => String::new(),
            running => sample::stack(&interrupt.resumers, running, ptr::null()),
        }
    };
    if stack.is_empty() {
        return String::from("[outside of Lua]");
    }
    stack
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn sums_are_right_on_an_average_whatever_the_sizes_are() {
        let interval = allocations::interval();
        for size in [16, 100, interval, 20 * interval] {
            let mut sampler = Sampler::new(1, 7);
            let rounds = 20_000 * interval / size;
            let samples: Vec<u64> = (0..rounds).filter_map(|_| sampler.weight(size)).collect();
            let (sum, all) = (samples.iter().sum::<u64>() as f64, (rounds * size) as f64);
            assert!((sum / all - 1.0).abs() < 0.03, "{size}: {}", sum / all);
            assert!(samples.len() <= rounds.min(21_000), "{size}");
        }
    }

    #[test]
    fn samples_are_found_by_their_address() {
        let mut sampler = Sampler::new(1, 7);
        for address in 1..1000 {
            let sample = Sample {
                place: address as u32,
                bytes: 1,
            };
            sampler.live.insert(16 * address, sample);
        }
        for address in 1..1000 {
            let block = ptr::without_provenance_mut(16 * address);
            let found = sampler.take(block).map(|sample| sample.place);
            assert_eq!(found, Some(address as u32));
            assert!(sampler.take(block).is_none());
        }
    }
}
