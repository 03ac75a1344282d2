//! Which service uses how much memory.
//!
//! Nothing stands in front of `malloc`. jemalloc keeps, for each thread, a count of bytes allocated and one of bytes
//! freed; what they change by while a service is on turn is that service's ([`turn_begin`], [`turn_end`]). This is what
//! the report shows ([`crate::diag::memory`]). It differs from a count per block:
//! * a block freed by another service than the one that allocated it is taken from the one that frees. The usual cases
//!   are accounted for: payloads of messages and data of sockets change hands ([`block_sent`], [`block_received`]) and
//!   are charged to none while under way; what the core does on behalf of a service is not charged ([`uncharged`]). Blocks whose
//!   addresses are in messages are, where the sender and the receiver say so ([`payload_moved`]). Messages to
//!   other nodes through a harbor service are not: it comes out too small by what it has freed;
//! * sizes are those that the allocator reserves, and Lua's memory counts;
//! * what threads allocate outside of a turn is not told apart by kind of thread: it is all in the row `:ffffffff`,
//!   which is the total minus the services;
//! * a process whose allocator is not jemalloc has no figures.

// The tests measure with the executable's allocator.
#[cfg(all(test, feature = "jemalloc"))]
use tikv_jemalloc_sys as _;

pub mod decay;
pub mod jemalloc;

use libc::c_void;
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicI64, Ordering, compiler_fence};

/// Bytes in use by one service. Written by the thread that has the service's turn, read by all.
#[derive(Debug, Default)]
pub struct ServiceMem {
    bytes: AtomicI64,
}

impl ServiceMem {
    /// Nothing in use.
    pub const fn new() -> ServiceMem {
        ServiceMem {
            bytes: AtomicI64::new(0),
        }
    }

    /// Bytes in use at the end of the last turn.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed).max(0) as usize
    }

    fn add(&self, delta: i64) {
        // Turns of one service exclude each other: no other thread writes.
        let bytes = self.bytes.load(Ordering::Relaxed);
        self.bytes.store(bytes + delta, Ordering::Relaxed);
    }
}

/// jemalloc's counters of one thread, and the turn that is under way.
struct Thread {
    allocated: Cell<*const u64>,
    freed: Cell<*const u64>,
    /// The balance that stands for zero bytes in this turn.
    base: Cell<i64>,
}

static ZERO: u64 = 0;

thread_local! {
    static THREAD: Thread = const {
        Thread {
            allocated: Cell::new(ptr::null()),
            freed: Cell::new(ptr::null()),
            base: Cell::new(0),
        }
    };
}

impl Thread {
    #[inline]
    fn balance(&self) -> i64 {
        if self.allocated.get().is_null() {
            self.attach();
        }
        // SAFETY: set by `attach`; jemalloc's counters live as long as the thread, and only this thread writes them.
        unsafe {
            (self
                .allocated
                .get()
                .read()
                .wrapping_sub(self.freed.get().read())) as i64
        }
    }

    #[cold]
    fn attach(&self) {
        let pointer = |name| jemalloc::read::<*const u64>(name).filter(|p| !p.is_null());
        let counters = pointer(c"thread.allocatedp").zip(pointer(c"thread.deallocatedp"));
        let (allocated, freed) = counters.unwrap_or((&ZERO, &ZERO));
        self.allocated.set(allocated);
        self.freed.set(freed);
    }

    /// Makes this turn's balance larger by `delta`.
    #[inline]
    fn shift(&self, delta: i64) {
        self.base.set(self.base.get() - delta);
    }

    #[inline]
    fn counts(&self) -> bool {
        !self.allocated.get().is_null() && !ptr::eq(self.allocated.get(), &ZERO)
    }

    /// # Safety
    /// `block` is null or a live block of the C allocator.
    #[inline]
    unsafe fn reserved(&self, block: *const c_void) -> i64 {
        if block.is_null() || !self.counts() {
            return 0;
        }
        // SAFETY: contract of this function.
        unsafe { libc::malloc_usable_size(block.cast_mut()) as i64 }
    }
}

/// A service's turn begins on this thread.
#[inline]
pub fn turn_begin() {
    THREAD.with(|thread| thread.base.set(thread.balance()));
}

/// The turn of the service ends; what it allocated and freed is added up in `mem`.
#[inline]
pub fn turn_end(mem: &ServiceMem) {
    THREAD.with(|thread| {
        let balance = thread.balance();
        mem.add(balance - thread.base.get());
        thread.base.set(balance);
    });
}

/// Bytes that the turn under way on this thread has added so far.
#[inline]
pub fn turn_so_far() -> i64 {
    THREAD.with(|thread| thread.balance() - thread.base.get())
}

/// Goes on with a turn that another one (the launch of a service) interrupted when it had added `so_far` bytes.
#[inline]
pub fn turn_resume(so_far: i64) {
    THREAD.with(|thread| thread.base.set(thread.balance() - so_far));
}

/// The service on turn gives a block away: a payload, or data for a socket.
///
/// # Safety
/// `block` is null or a live block of the C allocator.
#[inline]
pub unsafe fn block_sent(block: *const c_void) {
    // SAFETY: contract of this function.
    THREAD.with(|thread| thread.shift(-unsafe { thread.reserved(block) }));
}

/// The service on turn owns a block now that it did not allocate.
///
/// # Safety
/// `block` is null or a live block of the C allocator.
#[inline]
pub unsafe fn block_received(block: *const c_void) {
    // SAFETY: contract of this function.
    THREAD.with(|thread| thread.shift(unsafe { thread.reserved(block) }));
}

/// What the allocator reserves for `size` bytes.
pub(super) fn size_class(size: usize) -> usize {
    jemalloc::size_class(size)
}

/// As [`block_received`] for a payload of `size` bytes that the service may have freed already: the size of the block is
/// what the allocator reserves for that many bytes.
#[inline]
pub fn payload_kept(size: usize) {
    THREAD.with(|thread| {
        if size > 0 && thread.counts() {
            thread.shift(jemalloc::size_class(size) as i64);
        }
    });
}

/// The service on turn has given away a block of `size` bytes, by its address in a message; or has taken one of `-size` over.
pub fn payload_moved(size: i64) {
    THREAD.with(|thread| {
        // No message is larger.
        let Ok(bytes) = u32::try_from(size.unsigned_abs()) else {
            return;
        };
        if size != 0 && thread.counts() {
            thread.shift(-size.signum() * size_class(bytes as usize) as i64);
        }
    });
}

/// What `realloc` and `free` do, for Lua states: with `size` 0 it frees.
///
/// # Safety
/// `block` is null or a block of the C allocator, which is handed over unless the answer is null and `size` is not 0.
#[inline]
pub unsafe fn reallocate(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: contract of this function.
    unsafe {
        if size == 0 {
            libc::free(block);
            ptr::null_mut()
        } else if block.is_null() {
            // What realloc does with NULL, without its checks: most blocks of a state are never resized.
            libc::malloc(size)
        } else {
            libc::realloc(block, size)
        }
    }
}

/// Runs `f`, whose allocations and frees are not the service's: the copy of a payload for the receiver, the release of
/// a message after its callback. Exact where sizes are not known, and as cheap as two loads. `f` may call this too.
#[inline]
pub fn uncharged<T>(f: impl FnOnce() -> T) -> T {
    let so_far = turn_so_far();
    // The compiler knows `malloc` and `free`, and takes it that nothing that is read here changes by them: without the fences it would
    // read the counters once for both. Behind a turn there is the call of a service, which can be anything.
    compiler_fence(Ordering::SeqCst);
    let result = f();
    compiler_fence(Ordering::SeqCst);
    turn_resume(so_far);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_charged_with_what_it_keeps() {
        let mem = ServiceMem::new();
        turn_begin();
        let kept = vec![1u8; 100_000];
        drop(vec![1u8; 50_000]);
        let shared = uncharged(|| std::hint::black_box(vec![1u8; 70_000]));
        turn_end(&mem);
        if jemalloc::present() {
            assert!((100_000..150_000).contains(&mem.bytes()), "{}", mem.bytes());
            turn_begin();
            drop(kept);
            turn_end(&mem);
            assert!(mem.bytes() < 1000);
        } else {
            assert_eq!(mem.bytes(), 0);
        }
        drop(shared);
    }

    /// The compiler knows `malloc` and `free`, and takes it that they change nothing that a program can read.
    #[test]
    fn what_is_not_charged_may_come_from_malloc_itself() {
        let mem = ServiceMem::new();
        turn_begin();
        // SAFETY: any size will do.
        let block = uncharged(|| unsafe { libc::malloc(70_000) });
        turn_end(&mem);
        assert_eq!(mem.bytes.load(Ordering::Relaxed), 0);
        turn_begin();
        // SAFETY: the block that malloc has just given, which nobody else has.
        uncharged(|| unsafe { libc::free(std::hint::black_box(block)) });
        turn_end(&mem);
        assert_eq!(mem.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_not_charged_is_so_once_also_inside_of_such() {
        let mem = ServiceMem::new();
        turn_begin();
        let kept = uncharged(|| {
            let inner = uncharged(|| std::hint::black_box(vec![1u8; 70_000]));
            (inner, std::hint::black_box(vec![1u8; 5000]))
        });
        turn_end(&mem);
        assert_eq!(mem.bytes.load(Ordering::Relaxed), 0);
        drop(kept);
    }

    #[test]
    fn a_payload_is_charged_to_whoever_holds_it() {
        let (sender, receiver) = (ServiceMem::new(), ServiceMem::new());
        if !jemalloc::present() {
            return;
        }
        for size in [1, 16, 17, 200, 5000, 100_000] {
            turn_begin();
            // SAFETY: a fresh block, freed below.
            let block = std::hint::black_box(unsafe { libc::malloc(size) });
            // SAFETY: the block that malloc has just given, which nobody else has.
            unsafe { block_sent(block) };
            turn_end(&sender);
            assert_eq!(sender.bytes.load(Ordering::Relaxed), 0, "{size}");
            turn_begin();
            // SAFETY: allocated above.
            unsafe {
                block_received(block);
                libc::free(block);
            }
            turn_end(&receiver);
            assert_eq!(receiver.bytes.load(Ordering::Relaxed), 0, "{size}");
            turn_begin();
            payload_kept(size);
            turn_end(&receiver);
            assert_eq!(receiver.bytes(), jemalloc::size_class(size));
            receiver.bytes.store(0, Ordering::Relaxed);
        }
    }
}
