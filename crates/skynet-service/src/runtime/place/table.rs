//! The table of `super`.

use std::arch::asm;
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Place, VARIABLE};

const BITS: u32 = 7;
/// As many places are looked at.
const REACH: usize = 8;

/// A cache line for each thread.
#[repr(align(64))]
pub(super) struct Entry {
    /// The address of the thread's control block; 0 when it is nobody's.
    thread: AtomicUsize,
    place: Place,
}

// SAFETY: only the thread whose control block has the address uses the place, and it keeps the address until it ends.
unsafe impl Sync for Entry {}

impl Entry {
    const fn free() -> Entry {
        Entry {
            thread: AtomicUsize::new(0),
            place: Cell::new(ptr::null()),
        }
    }
}

static TABLE: [Entry; 1 << BITS] = [const { Entry::free() }; 1 << BITS];

/// No thread's.
static NOBODY: Entry = Entry::free();

/// Where the place of a thread is, for that thread; for all others nothing.
#[derive(Clone, Copy)]
pub(crate) struct Near(&'static Entry);

impl Near {
    /// For no thread.
    pub(crate) fn nobody() -> Near {
        Near(&NOBODY)
    }

    /// For this thread, if it has a place in the table.
    pub(in crate::runtime) fn this_thread() -> Near {
        let thread = thread();
        Near(entry(thread).unwrap_or(&NOBODY))
    }

    /// The place of this thread, if this is for it.
    #[inline(always)]
    pub(in crate::runtime) fn place(self) -> Option<*const Place> {
        // SAFETY: the entry was taken before this was made, or is nobody's: nobody writes the word any more.
        let owner = unsafe { self.0.thread.as_ptr().read() };
        (owner == thread()).then_some(&raw const self.0.place)
    }
}

/// The address of this thread's control block, which no other thread has at the same time.
#[inline(always)]
fn thread() -> usize {
    let thread;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the ABI: the word that `fs` points to has its own address, as long as the thread lives.
    unsafe {
        asm!("mov {}, qword ptr fs:[0]", out(reg) thread, options(pure, nomem, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a register that programs may read, and only the C library writes.
    unsafe {
        asm!("mrs {}, tpidr_el0", out(reg) thread, options(pure, nomem, nostack, preserves_flags));
    }
    thread
}

/// Control blocks are as far from each other as stacks are: by any power of two, and some pages.
#[inline(always)]
fn first(thread: usize) -> usize {
    (thread.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as usize)) >> (usize::BITS - BITS)
}

/// The place of this thread; it is there as long as the thread.
#[inline]
pub(in crate::runtime) fn place() -> *const Place {
    let thread = thread();
    let near = &TABLE[first(thread)];
    // Relaxed: this very thread has written it, or one before it in the same memory.
    if near.thread.load(Ordering::Relaxed) == thread {
        return &raw const near.place;
    }
    match entry(thread) {
        Some(entry) => &raw const entry.place,
        // Entries are not given back, so it is this variable as long as the thread lives.
        None => VARIABLE.with(ptr::from_ref),
    }
}

/// The entry of this thread, which takes one if it has none.
#[cold]
#[inline(never)]
fn entry(thread: usize) -> Option<&'static Entry> {
    for step in 0..REACH {
        let entry = &TABLE[(first(thread) + step) % TABLE.len()];
        let taken =
            entry
                .thread
                .compare_exchange(0, thread, Ordering::Relaxed, Ordering::Relaxed);
        if taken.is_ok() || taken == Err(thread) {
            return Some(entry);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Near, TABLE, place};
    use std::collections::HashSet;
    use std::sync::Barrier;

    #[test]
    fn every_thread_has_a_place_of_its_own_also_when_the_table_is_full() {
        const THREADS: usize = 300;
        const { assert!(THREADS > TABLE.len()) };
        let barrier = Barrier::new(THREADS);
        let places: HashSet<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    let one = || {
                        let first = place();
                        barrier.wait();
                        assert_eq!(first, place());
                        let near = Near::this_thread().place();
                        assert!(near.is_none_or(|near| near == first));
                        assert!(Near::nobody().place().is_none());
                        // SAFETY: the place of this thread.
                        assert!(unsafe { &*first }.get().is_null());
                        barrier.wait();
                        first.addr()
                    };
                    std::thread::Builder::new()
                        .stack_size(64 * 1024)
                        .spawn_scoped(scope, one)
                        .expect("a thread")
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .collect()
        });
        assert_eq!(places.len(), THREADS);
    }
}
