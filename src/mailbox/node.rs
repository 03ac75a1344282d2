//! Blocks that hold one queued message, kept in a cache of each thread.
//!
//! A message is allocated on the sender's thread and freed on the receiver's. Chains of spare blocks travel back
//! through a shared store, so that a steady flow from one thread to another does not go through the allocator.

use crate::message::Message;
use parking_lot::Mutex;
use std::cell::{Cell, UnsafeCell};
use std::sync::atomic::{AtomicUsize, Ordering};

/// One queued message.
pub(super) struct Node {
    pub(super) next: *mut Node,
    pub(super) message: Message,
}

impl Node {
    /// Stores the message. Field by field, because that is how it comes, in registers: a compiler that copies it as
    /// one 32-byte block first writes the fields to the stack, and reading them back at once from there stalls.
    ///
    /// # Safety
    /// `node` belongs to the caller.
    #[inline(always)]
    pub(super) unsafe fn put(node: *mut Node, message: Message) {
        // SAFETY: by contract. Volatile, so that the four are not joined again.
        unsafe {
            let place = &raw mut (*node).message;
            (&raw mut (*place).source).write_volatile(message.source);
            (&raw mut (*place).session).write_volatile(message.session);
            (&raw mut (*place).data).write_volatile(message.data);
            (&raw mut (*place).sz).write_volatile(message.sz);
        }
    }

    /// Reads the message, as [`Node::put`] writes it.
    ///
    /// # Safety
    /// `node` belongs to the caller and holds a message.
    #[inline(always)]
    pub(super) unsafe fn message(node: *const Node) -> Message {
        // SAFETY: by contract.
        unsafe {
            let place = &raw const (*node).message;
            Message {
                source: (&raw const (*place).source).read_volatile(),
                session: (&raw const (*place).session).read_volatile(),
                data: (&raw const (*place).data).read_volatile(),
                sz: (&raw const (*place).sz).read_volatile(),
            }
        }
    }
}

/// A thread keeps up to twice this many spare blocks and gives them away by this many.
const CHAIN: usize = 128;
/// More spare chains than this go back to the allocator.
const SPARE_CHAINS: usize = 512;

struct Chains(UnsafeCell<Vec<*mut Node>>);
// SAFETY: only touched under the mutex; a chain belongs to the store while it is in it.
unsafe impl Send for Chains {}

static SPARE: Mutex<Chains> = Mutex::new(Chains(UnsafeCell::new(Vec::new())));
static SPARE_COUNT: AtomicUsize = AtomicUsize::new(0);

struct Cache {
    head: Cell<*mut Node>,
    count: Cell<usize>,
}

impl Drop for Cache {
    fn drop(&mut self) {
        let mut node = self.head.replace(std::ptr::null_mut());
        while !node.is_null() {
            // SAFETY: blocks in a cache come from `Box::into_raw` and belong to it.
            node = unsafe { Box::from_raw(node) }.next;
        }
    }
}

thread_local! {
    static CACHE: Cache = const { Cache { head: Cell::new(std::ptr::null_mut()), count: Cell::new(0) } };
}

/// A block that holds `message`.
#[inline(always)]
pub(super) fn alloc() -> *mut Node {
    let cached = CACHE.try_with(|cache| {
        let mut node = cache.head.get();
        if node.is_null() {
            node = refill(cache);
            if node.is_null() {
                return node;
            }
        }
        // SAFETY: a cached block belongs to this thread.
        unsafe { cache.head.set((*node).next) };
        cache.count.set(cache.count.get() - 1);
        node
    });
    match cached {
        Ok(node) if !node.is_null() => node,
        _ => fresh(),
    }
}

#[cold]
fn fresh() -> *mut Node {
    Box::into_raw(Box::new(Node {
        next: std::ptr::null_mut(),
        message: Message::empty(0, 0, 0),
    }))
}

/// Takes a spare chain if there is one.
#[cold]
fn refill(cache: &Cache) -> *mut Node {
    if SPARE_COUNT.load(Ordering::Relaxed) == 0 {
        return std::ptr::null_mut();
    }
    let store = SPARE.lock();
    // SAFETY: under the mutex.
    let Some(chain) = unsafe { &mut *store.0.get() }.pop() else {
        return std::ptr::null_mut();
    };
    SPARE_COUNT.fetch_sub(1, Ordering::Relaxed);
    cache.head.set(chain);
    cache.count.set(CHAIN);
    chain
}

/// Gives a block back.
///
/// # Safety
/// `node` comes from [`alloc`] and nobody else refers to it.
#[inline(always)]
pub(super) unsafe fn free(node: *mut Node) {
    let kept = CACHE.try_with(|cache| {
        // SAFETY: the caller gives the block to us.
        unsafe { (*node).next = cache.head.get() };
        cache.head.set(node);
        cache.count.set(cache.count.get() + 1);
        if cache.count.get() >= 2 * CHAIN {
            spill(cache);
        }
    });
    if kept.is_err() {
        // SAFETY: as above; the thread is ending and has no cache any more.
        drop(unsafe { Box::from_raw(node) });
    }
}

#[cold]
fn spill(cache: &Cache) {
    let chain = cache.head.get();
    let mut last = chain;
    for _ in 1..CHAIN {
        // SAFETY: the cache holds at least CHAIN blocks.
        last = unsafe { (*last).next };
    }
    // SAFETY: `last` is one of our blocks.
    unsafe {
        cache.head.set((*last).next);
        (*last).next = std::ptr::null_mut();
    }
    cache.count.set(cache.count.get() - CHAIN);
    {
        let store = SPARE.lock();
        // SAFETY: under the mutex.
        let chains = unsafe { &mut *store.0.get() };
        if chains.len() < SPARE_CHAINS {
            chains.push(chain);
            SPARE_COUNT.fetch_add(1, Ordering::Relaxed);
            return;
        }
    }
    let mut node = chain;
    while !node.is_null() {
        // SAFETY: the chain belongs to us.
        node = unsafe { Box::from_raw(node) }.next;
    }
}
