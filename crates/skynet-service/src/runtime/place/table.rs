//! The table of `super`.

use std::arch::asm;
use std::cell::Cell;
use std::ffi::c_int;
#[cfg(target_arch = "x86_64")]
use std::mem::offset_of;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::{Place, free};
use crate::runtime::core::Core;

const BITS: u32 = 7;
/// As many places are looked at.
const REACH: usize = 8;

/// A cache line for each thread.
#[repr(align(64))]
pub(super) struct Entry {
    /// The address of the thread's control block; 0 when it is nobody's. Once taken it stays.
    thread: AtomicUsize,
    place: Place,
}

// SAFETY: only the thread whose control block has the address uses the place, and it keeps the address until it ends.
unsafe impl Sync for Entry {}

impl Entry {
    const fn of(thread: usize) -> Entry {
        Entry {
            thread: AtomicUsize::new(thread),
            place: free(),
        }
    }
}

static TABLE: [Entry; 1 << BITS] = [const { Entry::of(0) }; 1 << BITS];

/// Entries of threads that found none free in the table, newest first. As those, they are never given back.
static MORE: AtomicPtr<More> = AtomicPtr::new(ptr::null_mut());

struct More {
    entry: Entry,
    next: *mut More,
}

thread_local! {
    /// This thread's entry, when it is one of `MORE`.
    static FOUND: Cell<Option<&'static Entry>> = const { Cell::new(None) };
}

/// The place of a thread, for that thread only.
#[derive(Clone, Copy)]
pub(crate) struct Near {
    /// The address of the thread's control block: whose thread has it has the place. 0 is nobody's.
    thread: usize,
    place: *const Place,
}

// SAFETY: the place is touched on the thread that it is for, and nowhere else.
unsafe impl Send for Near {}
// SAFETY: as above.
unsafe impl Sync for Near {}

impl Near {
    /// For no thread.
    pub(crate) const fn nobody() -> Near {
        Near {
            thread: 0,
            place: ptr::null(),
        }
    }

    /// For this thread.
    pub(in crate::runtime) fn this_thread() -> Near {
        let thread = thread();
        let place = place_of(thread);
        Near { thread, place }
    }

    /// Whether this is for the thread that runs.
    #[inline(always)]
    pub(in crate::runtime) fn is_here(self) -> bool {
        self.thread == thread()
    }

    /// That of the service, if it is for the thread that runs, and a message of that type is not for the runtime ([`Core::is_rare`]). The
    /// compiler sees that later tests of it need not be made.
    ///
    /// Both questions have one branch: the bit of the type is the borrow when the addresses, which are even, are subtracted. The result is 0 only if
    /// they are the same and nothing was borrowed.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(in crate::runtime) fn here(core: &Core, kind: c_int) -> Option<Near> {
        // SAFETY: a bit of a register, the word that `thread` reads, and one of the service.
        unsafe {
            asm!(
                "bt {rare:e}, {kind:e}",
                "mov {difference}, qword ptr fs:[0]",
                "sbb {difference}, qword ptr [{core} + {its}]",
                "jne {other}",
                rare = in(reg) u32::from(core.outlet.rare.get()),
                kind = in(reg) kind,
                difference = out(reg) _,
                core = in(reg) core,
                its = const offset_of!(Core, near) + offset_of!(Near, thread),
                other = label { return None },
                options(readonly, nostack),
            );
        }
        let place = core.near.get().place;
        Some(Near {
            thread: thread(),
            place,
        })
    }

    /// The same.
    #[cfg(not(target_arch = "x86_64"))]
    #[inline(always)]
    pub(in crate::runtime) fn here(core: &Core, kind: c_int) -> Option<Near> {
        // First the register: then memory is compared with it.
        let thread = thread();
        let Near { thread: its, place } = core.near.get();
        let is_here = thread == its && !core.is_rare(kind);
        is_here.then_some(Near { thread, place })
    }

    /// The place of this thread, if this is for it.
    #[inline(always)]
    pub(in crate::runtime) fn place(self) -> Option<*const Place> {
        self.is_here().then_some(self.place)
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
    place_of(thread())
}

#[inline(always)]
fn place_of(thread: usize) -> *const Place {
    let near = &TABLE[first(thread)];
    // Relaxed: this very thread has written it, or one before it in the same memory.
    if near.thread.load(Ordering::Relaxed) == thread {
        return &raw const near.place;
    }
    &raw const entry(thread).place
}

/// The entry of this thread, which takes one if it has none.
#[cold]
#[inline(never)]
fn entry(thread: usize) -> &'static Entry {
    for step in 0..REACH {
        let entry = &TABLE[(first(thread) + step) % TABLE.len()];
        let taken =
            entry
                .thread
                .compare_exchange(0, thread, Ordering::Relaxed, Ordering::Relaxed);
        if taken.is_ok() || taken == Err(thread) {
            return entry;
        }
    }
    if let Some(entry) = FOUND.get() {
        return entry;
    }
    let entry = more(thread);
    FOUND.set(Some(entry));
    entry
}

/// An entry beside the table: that of an earlier thread in the same memory, or a new one.
fn more(thread: usize) -> &'static Entry {
    let mut newest = MORE.load(Ordering::Acquire);
    // SAFETY: null, or leaked below and whole before it was stored.
    while let Some(more) = unsafe { newest.as_ref() } {
        if more.entry.thread.load(Ordering::Relaxed) == thread {
            return &more.entry;
        }
        newest = more.next;
    }
    let mut next = MORE.load(Ordering::Relaxed);
    let entry = Entry::of(thread);
    let more = Box::into_raw(Box::new(More { entry, next }));
    loop {
        let stored =
            MORE.compare_exchange_weak(next, more, Ordering::Release, Ordering::Relaxed);
        match stored {
            // SAFETY: never freed, and not written any more.
            Ok(_) => return unsafe { &(*more).entry },
            Err(now) => next = now,
        }
        // SAFETY: this thread's alone until it is stored.
        unsafe { (*more).next = next };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::ptr;
    use std::sync::Barrier;

    use super::{Near, TABLE, place};
    use crate::runtime::core::Core;
    use crate::runtime::outlet::NOBODY;
    use crate::sys;

    #[test]
    fn a_message_is_the_handlers_on_the_thread_of_its_service_unless_the_type_is_the_runtimes() {
        let _node = crate::testing::Node::new();
        let core = Core::new(&"test", sys::api());
        let elsewhere = std::thread::spawn(Near::this_thread);
        for other in [Near::nobody(), elsewhere.join().expect("no panic")] {
            core.near.set(other);
            assert!((0..300).all(|kind| Near::here(&core, kind).is_none()));
        }
        core.arrive();
        for kind in 0..300 {
            let near = Near::here(&core, kind);
            assert_eq!(near.is_none(), core.is_rare(kind), "{kind}");
            assert!(near.is_none_or(|near| near.place() == Some(place())));
        }
        assert!([1, 6, 7].iter().all(|&kind| core.is_rare(kind)));
        assert!([0, 2, 10, 255].iter().all(|&kind| !core.is_rare(kind)));
    }

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
                        assert_eq!(near, Some(first));
                        assert!(Near::nobody().place().is_none());
                        // SAFETY: the place of this thread.
                        assert!(ptr::eq(unsafe { &*first }.get(), &NOBODY.0));
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
