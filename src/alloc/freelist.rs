//! Small blocks of the C allocator that go round: what a message is made of is kept for the next one.
//!
//! A copied payload and the block that carries it through a mailbox are allocated and freed once a message, mostly in
//! the same few sizes. Each thread keeps some of each size ([`Class`]); chains of them travel through a shared store, so
//! that a steady flow from one thread to another does not go through the allocator either.
//!
//! Of payloads that are too large for that a thread keeps one block, as long as it is awake ([`Spare`]): the allocator does not
//! keep such blocks for a thread, and to get one and give it back costs a quarter of what it costs to fill it.
//!
//! Every block is one of `malloc`, and may be given to `free` instead of to [`dealloc`] at any time: a service that keeps
//! a payload need not know where it came from.
//!
//! Invariant: a list is touched by its thread alone; a block in a list or in the store belongs to it. `room` is 0 until
//! the thread's [`Keeper`] exists, and again after that has emptied the lists, so nothing is kept by a thread that
//! will not give it back when it ends.

use crate::alloc::memory;
use parking_lot::Mutex;
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Sizes are multiples of this.
const UNIT: usize = 16;
/// The largest block that is kept.
pub(super) const LARGEST: usize = 128;
/// Number of lists: a power of two above the largest class, so that any class can be made an index without a check.
const LISTS_LEN: usize = (LARGEST / UNIT + 1).next_power_of_two();
/// A thread keeps up to twice this many blocks of a size, and gives them away by this many.
const CHAIN: usize = 128;
/// More spare chains of a size than this go back to the allocator: half a megabyte to one for most sizes.
const SPARE_CHAINS: usize = 64;

/// Payloads of so many bytes and more have large blocks; a larger block than the second is not kept.
const LARGE: usize = 32 * 1024;
const LARGEST_SPARE: usize = 256 * 1024;

/// Which list a block belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class(u8);

impl Class {
    /// A block that nothing is known about but that `free` takes it.
    pub const UNPOOLED: Class = Class(0);

    /// The class of blocks that hold `size` bytes; [`Class::UNPOOLED`] if they are too large to be kept, or nothing.
    #[inline(always)]
    pub const fn holding(size: usize) -> Class {
        if size > LARGEST {
            Class::UNPOOLED
        } else {
            Class(size.div_ceil(UNIT) as u8)
        }
    }

    /// How many there are.
    pub const COUNT: usize = LARGEST / UNIT + 1;

    /// The class as a number below [`Class::COUNT`].
    #[inline(always)]
    pub const fn number(self) -> usize {
        self.0 as usize
    }

    /// The class of a [`Class::number`].
    #[inline(always)]
    pub const fn of_number(number: usize) -> Class {
        Class(number as u8)
    }

    const fn size(self) -> usize {
        self.0 as usize * UNIT
    }
}

/// A block while it is kept.
struct Block {
    next: *mut Block,
}

struct List {
    head: Cell<*mut Block>,
    /// So many more may be added.
    room: Cell<usize>,
}

/// The last large block that a thread has freed.
struct Spare {
    block: Cell<*mut u8>,
    /// 0 if there is none.
    size: Cell<usize>,
}

impl Spare {
    /// The block, if it is the one that the allocator would reserve for so many bytes: a service that gets it is charged by those.
    fn take(&self, size: usize) -> Option<*mut u8> {
        let kept = self.size.get();
        (size <= kept && memory::size_class(size) == memory::size_class(kept)).then(|| {
            self.size.set(0);
            self.block.replace(ptr::null_mut())
        })
    }

    fn free(&self) {
        self.size.set(0);
        // SAFETY: null, or what is kept belongs to the thread, and is taken out.
        unsafe { libc::free(self.block.replace(ptr::null_mut()).cast()) };
    }
}

thread_local! {
    // Without a destructor, so that an access is a plain one; the keeper has it.
    static LISTS: [List; LISTS_LEN] = const {
        [const {
            List {
                head: Cell::new(ptr::null_mut()),
                room: Cell::new(0),
            }
        }; LISTS_LEN]
    };
    static SPARE: Spare = const {
        Spare {
            block: Cell::new(ptr::null_mut()),
            size: Cell::new(0),
        }
    };
    static KEEPER: Keeper = const { Keeper };
}

/// Empties the lists of its thread when that ends.
struct Keeper;

impl Drop for Keeper {
    fn drop(&mut self) {
        SPARE.with(Spare::free);
        LISTS.with(|lists| {
            for list in lists {
                list.room.set(0);
                // SAFETY: what is in the list belongs to it, and is taken out.
                unsafe { free_chain(list.head.replace(ptr::null_mut())) };
            }
        });
    }
}

/// True if the calling thread may keep blocks: its keeper exists, from now on if not before, and has not been dropped.
fn keeps() -> bool {
    KEEPER.try_with(|_| ()).is_ok()
}

struct Store {
    chains: Mutex<Vec<Chain>>,
    len: AtomicUsize,
}

struct Chain(*mut Block);
// SAFETY: a chain belongs to the store while it is in it.
unsafe impl Send for Chain {}

static STORES: [Store; LISTS_LEN] = [const {
    Store {
        chains: Mutex::new(Vec::new()),
        len: AtomicUsize::new(0),
    }
}; LISTS_LEN];

/// A block of a class that is not [`Class::UNPOOLED`].
#[inline(always)]
pub fn alloc(class: Class) -> *mut u8 {
    LISTS.with(|lists| {
        let list = &lists[class.0 as usize % LISTS_LEN];
        let block = list.head.get();
        if block.is_null() {
            return refill(class);
        }
        // SAFETY: a kept block belongs to this thread.
        list.head.set(unsafe { (*block).next });
        list.room.set(list.room.get() + 1);
        block.cast()
    })
}

/// The class of the block that holds a copied payload of `size` bytes, and the NUL behind it.
#[inline(always)]
pub const fn class_of_copy(size: usize) -> Class {
    Class::holding(size + 1)
}

/// A block for a copied payload of `size` bytes, and its class. `None`: there is no memory for one that is not among the small
/// ones, whose size is what a program has made of it.
#[inline(always)]
pub fn alloc_for_copy(size: usize) -> Option<(*mut u8, Class)> {
    let class = class_of_copy(size);
    if class != Class::UNPOOLED {
        return Some((alloc(class), class));
    }
    let block = alloc_unpooled(size + 1);
    // A small one is never null, so that this is looked at here alone.
    (!block.is_null()).then_some((block, class))
}

/// Null: there is no memory.
#[inline(never)]
fn alloc_unpooled(size: usize) -> *mut u8 {
    let spare = if size > LARGE {
        SPARE.with(|spare| spare.take(size))
    } else {
        None
    };
    spare.unwrap_or_else(|| malloc(size))
}

/// Gives back the block of a payload of `size` bytes of which nothing else is known.
///
/// # Safety
/// `block` is null or one of the C allocator, and no other reference to it is left.
#[inline(always)]
pub unsafe fn dealloc_payload(block: *mut u8, size: usize) {
    // SAFETY: contract of this function.
    unsafe {
        if size >= LARGE {
            dealloc_large(block);
        } else {
            libc::free(block.cast());
        }
    }
}

/// # Safety
/// As [`dealloc_payload`].
#[cold]
unsafe fn dealloc_large(block: *mut u8) {
    // SAFETY: contract of this function.
    let size = unsafe { libc::malloc_usable_size(block.cast()) };
    SPARE.with(|spare| {
        if size > LARGEST_SPARE || !keeps() {
            // SAFETY: contract of this function.
            return unsafe { libc::free(block.cast()) };
        }
        spare.free();
        spare.block.set(block);
        spare.size.set(size);
    });
}

/// The thread is about to sleep: it keeps no large block meanwhile.
pub fn free_spare() {
    if SPARE.with(|spare| spare.size.get()) != 0 {
        SPARE.with(Spare::free);
    }
}

/// Gives back a block of [`alloc`], or one that `malloc` made, of a class that it is large enough for.
///
/// # Safety
/// No other reference to the block is left. With [`Class::UNPOOLED`] it may be null.
#[inline(always)]
pub unsafe fn dealloc(class: Class, block: *mut u8) {
    LISTS.with(|lists| {
        let list = &lists[class.0 as usize % LISTS_LEN];
        let room = list.room.get();
        if room == 0 {
            // SAFETY: contract of this function.
            return unsafe { give_slowly(class, block) };
        }
        let block = block.cast::<Block>();
        // SAFETY: the caller gives the block away; the smallest has room for a pointer.
        unsafe { (*block).next = list.head.get() };
        list.head.set(block);
        list.room.set(room - 1);
    });
}

/// The list is empty: takes a spare chain if there is one, else a fresh block.
#[cold]
fn refill(class: Class) -> *mut u8 {
    let store = &STORES[class.0 as usize];
    if store.len.load(Ordering::Relaxed) != 0
        && keeps()
        && let Some(mut chains) = store.chains.try_lock()
        && let Some(Chain(first)) = chains.pop()
    {
        store.len.store(chains.len(), Ordering::Relaxed);
        drop(chains);
        LISTS.with(|lists| {
            let list = &lists[class.0 as usize];
            // SAFETY: the chain is this thread's now.
            list.head.set(unsafe { (*first).next });
            list.room.set(CHAIN + 1);
        });
        return first.cast();
    }
    let block = malloc(class.size());
    if block.is_null() {
        // As every small allocation of the process that fails, this one ends it.
        std::alloc::handle_alloc_error(std::alloc::Layout::new::<u8>());
    }
    block
}

/// A block of the allocator, charged to no service. Null: there is none.
#[inline(never)]
fn malloc(size: usize) -> *mut u8 {
    // SAFETY: any size will do.
    memory::uncharged(|| unsafe { libc::malloc(size) }).cast()
}

/// No room: the class is none that is kept, or the thread keeps nothing yet, or the list is full.
///
/// # Safety
/// `block` is one of the C allocator with room for the size of `class`, and nobody has it any more.
#[cold]
unsafe fn give_slowly(class: Class, block: *mut u8) {
    if class == Class::UNPOOLED || !keeps() {
        // SAFETY: contract of this function.
        memory::uncharged(|| unsafe { libc::free(block.cast()) });
        return;
    }
    LISTS.with(|lists| {
        let list = &lists[class.0 as usize];
        let head = list.head.get();
        list.room
            .set(if head.is_null() { 2 * CHAIN } else { CHAIN });
        if !head.is_null() {
            let mut last = head;
            for _ in 1..CHAIN {
                // SAFETY: a list without room holds two chains, all of them this thread's.
                last = unsafe { (*last).next };
            }
            // SAFETY: `last` is the end of the first of the list's two chains: a block of this thread's.
            list.head
                .set(unsafe { ptr::replace(&raw mut (*last).next, ptr::null_mut()) });
            // SAFETY: the first half is no longer in the list.
            unsafe { spare(class, head) };
        }
    });
    // SAFETY: contract of this function; there is room now.
    unsafe { dealloc(class, block) };
}

/// Puts a chain of [`CHAIN`] blocks into the store, or frees it when there is enough.
///
/// # Safety
/// The chain is the caller's.
unsafe fn spare(class: Class, chain: *mut Block) {
    let store = &STORES[class.0 as usize];
    // Nobody waits here for a thread that is not run.
    if let Some(mut chains) = store.chains.try_lock()
        && chains.len() < SPARE_CHAINS
    {
        memory::uncharged(|| chains.push(Chain(chain)));
        store.len.store(chains.len(), Ordering::Relaxed);
        return;
    }
    // SAFETY: contract of this function.
    memory::uncharged(|| unsafe { free_chain(chain) });
}

/// # Safety
/// The chain, which may be empty, is the caller's.
unsafe fn free_chain(mut block: *mut Block) {
    while !block.is_null() {
        // SAFETY: contract of this function; every block is one of the C allocator.
        let next = unsafe { (*block).next };
        // SAFETY: contract of this function: the block is the caller's, and its link was read before.
        unsafe { libc::free(block.cast()) };
        block = next;
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_class_holds_what_it_says() {
        assert_eq!(Class::holding(0), Class::UNPOOLED);
        assert_eq!(Class::holding(LARGEST + 1), Class::UNPOOLED);
        for size in 1..=LARGEST {
            let class = Class::holding(size);
            assert!(class != Class::UNPOOLED && class.size() >= size && class.size() < size + UNIT);
        }
    }

    #[test]
    fn blocks_are_distinct_while_they_are_out_and_come_back() {
        std::thread::spawn(|| {
            let class = Class::holding(40);
            let first: Vec<_> = (0..1000).map(|_| alloc(class)).collect();
            let distinct: HashSet<_> = first.iter().collect();
            assert_eq!(distinct.len(), first.len());
            for &block in &first {
                // SAFETY: taken above, 40 bytes or more.
                unsafe {
                    block.write_bytes(0xa5, 40);
                    dealloc(class, block);
                }
            }
            let again: HashSet<_> = (0..1000).map(|_| alloc(class)).collect();
            assert_eq!(again.len(), 1000, "none is handed out twice");
            assert!(
                first.iter().any(|block| again.contains(block)),
                "what was given back is used again"
            );
            for block in again {
                // SAFETY: every block is one of `malloc`.
                unsafe { libc::free(block.cast()) };
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_large_block_serves_the_next_large_payload_of_its_thread() {
        std::thread::spawn(|| {
            for size in [LARGE, 65_536, LARGEST_SPARE] {
                let (block, class) = alloc_for_copy(size).unwrap();
                assert_eq!(class, Class::UNPOOLED);
                // SAFETY: just taken, of that size and one more.
                unsafe {
                    block.write_bytes(0x5a, size + 1);
                    dealloc_payload(block, size);
                }
            }
            let (small, _) = alloc_for_copy(1000).unwrap();
            let (first, _) = alloc_for_copy(100_000).unwrap();
            let (second, _) = alloc_for_copy(100_000).unwrap();
            assert_ne!(first, second);
            // SAFETY: just taken.
            unsafe {
                dealloc_payload(first, 100_000);
                dealloc_payload(second, 100_000);
                dealloc_payload(small, 1000);
            }
            let kept = alloc_for_copy(100_000).unwrap().0;
            assert_eq!(kept, second, "it was kept");
            // SAFETY: just taken; the other tests' allocator takes any block.
            unsafe { libc::free(second.cast()) };
            // SAFETY: null is no block.
            unsafe { dealloc_payload(ptr::null_mut(), LARGE) };
            free_spare();
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_size_that_no_memory_has_room_for_is_refused() {
        assert_eq!(alloc_for_copy(isize::MAX as usize), None);
    }

    #[test]
    fn blocks_that_another_thread_gives_back_return_through_the_store() {
        let class = Class::holding(100);
        let blocks: Vec<_> = (0..10 * CHAIN).map(|_| alloc(class) as usize).collect();
        std::thread::spawn(move || {
            for block in blocks {
                // SAFETY: taken above, so no other thread has it.
                unsafe { dealloc(class, block as *mut u8) };
            }
        })
        .join()
        .unwrap();
        assert!(STORES[class.0 as usize].len.load(Ordering::Relaxed) >= 8);
        let block = alloc(class);
        LISTS.with(|lists| {
            assert!(
                !lists[class.0 as usize].head.get().is_null(),
                "the rest of a chain is here"
            );
        });
        // SAFETY: just taken.
        unsafe { dealloc(class, block) };
    }
}
