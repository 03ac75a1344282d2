//! The queue of what no worker made ready, that of what found no room in a ring, and that of sockets for which something is asked:
//! any number of threads at both ends, and none of them ever waits for another.
//!
//! It is the queue of Michael and Scott: a list whose first node is empty, in which a pusher links its node behind the last
//! one and then moves `tail`, which any other thread that finds it behind does in its place. A thread that stops anywhere
//! in here blocks no other: not before its node is linked, because it is not there yet, nor after, because it is there
//! already.
//!
//! Nodes are numbered and never given back to the allocator, so a late reader reads a node, if not the one it meant. Every
//! word that is exchanged has a count beside the number, which differs when the number has come back.

#[cfg(test)]
pub use super::queue::{item, number};
use crate::base::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::base::sync::stop_point;
use std::marker::PhantomData;
use std::ptr::{NonNull, null_mut};

/// What the queue holds: something that goes into one word, and may be given to another thread.
pub trait Token: Sized + Send {
    /// As a word.
    fn into_raw(self) -> NonNull<()>;

    /// The inverse.
    ///
    /// # Safety
    /// The word came from [`Token::into_raw`], and is used once.
    unsafe fn from_raw(raw: NonNull<()>) -> Self;
}

/// No node.
const NIL: u32 = u32::MAX;

/// Nodes of the first chunk; each further one has twice as many. Small under loom, so that a model comes to the second.
const FIRST: u32 = if cfg!(feature = "loom") { 2 } else { 64 };
const CHUNKS: usize = 24;

/// The number of a node, and a count that differs each time the word is written.
#[derive(Clone, Copy, PartialEq)]
struct Link {
    node: u32,
    count: u32,
}

impl Link {
    fn word(self) -> u64 {
        u64::from(self.count) << 32 | u64::from(self.node)
    }

    fn of(word: u64) -> Link {
        Link {
            node: word as u32,
            count: (word >> 32) as u32,
        }
    }

    /// To another node, in the place of this one.
    fn to(self, node: u32) -> Link {
        Link {
            node,
            count: self.count.wrapping_add(1),
        }
    }
}

struct Node {
    next: AtomicU64,
    ready: AtomicPtr<()>,
}

/// See the module's documentation. What is in it when it is dropped is not.
pub struct Injector<T> {
    head: Line,
    tail: Line,
    /// Nodes to be used again, a stack; the count is its own.
    free: Line,
    /// Nodes that were ever used.
    used: AtomicU64,
    chunks: [AtomicPtr<Node>; CHUNKS],
    _tokens: PhantomData<fn(T) -> T>,
}

/// A word on a cache line of its own.
#[repr(align(64))]
struct Line(AtomicU64);

impl Line {
    fn load(&self) -> Link {
        Link::of(self.0.load(Ordering::SeqCst))
    }

    fn exchange(&self, from: Link, to: Link) -> bool {
        stop_point();
        let (from, to) = (from.word(), to.word());
        self.0
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }
}

impl<T: Token> Default for Injector<T> {
    fn default() -> Injector<T> {
        Injector::new()
    }
}

impl<T: Token> Injector<T> {
    /// An empty queue.
    pub fn new() -> Injector<T> {
        let line = |node| Line(AtomicU64::new(Link { node, count: 0 }.word()));
        let injector = Injector {
            head: line(0),
            tail: line(0),
            free: line(NIL),
            used: AtomicU64::new(0),
            chunks: std::array::from_fn(|_| AtomicPtr::new(null_mut())),
            _tokens: PhantomData,
        };
        // The empty node in front, number 0.
        injector.fresh();
        injector
    }

    /// Chunk and place of a node: chunk `k` begins at `FIRST * (2^k - 1)`.
    fn place(node: u32) -> (usize, usize) {
        let chunk = (node / FIRST + 1).ilog2();
        let begin = FIRST * ((1 << chunk) - 1);
        (chunk as usize, (node - begin) as usize)
    }

    #[inline]
    fn node(&self, node: u32) -> &Node {
        let (chunk, place) = Injector::<T>::place(node);
        let nodes = self.chunks[chunk].load(Ordering::Acquire);
        // SAFETY: a number is known only after its chunk was put there, which lives as long as the queue and is that long.
        unsafe { &*nodes.add(place) }
    }

    fn next(&self, node: u32) -> Link {
        Link::of(self.node(node).next.load(Ordering::SeqCst))
    }

    /// A node that was never used.
    #[cold]
    fn fresh(&self) -> u32 {
        let node = self.used.fetch_add(1, Ordering::Relaxed) as u32;
        let (chunk, _) = Injector::<T>::place(node);
        // More than there are handles, or slots for sockets, would have to be ready at once.
        assert!(chunk < CHUNKS, "too much is ready");
        if self.chunks[chunk].load(Ordering::Acquire).is_null() {
            let empty = || Node {
                next: AtomicU64::new(
                    Link {
                        node: NIL,
                        count: 0,
                    }
                    .word(),
                ),
                ready: AtomicPtr::new(null_mut()),
            };
            let nodes: Box<[Node]> = (0..(FIRST as usize) << chunk).map(|_| empty()).collect();
            let nodes = Box::into_raw(nodes);
            let put = self.chunks[chunk].compare_exchange(
                null_mut(),
                nodes.cast(),
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            if put.is_err() {
                // SAFETY: made above; another thread's chunk is in its place, so this one was never shared.
                drop(unsafe { Box::from_raw(nodes) });
            }
        }
        node
    }

    /// A node of the calling thread alone, with nothing behind it.
    fn alloc(&self) -> u32 {
        loop {
            let free = self.free.load();
            if free.node == NIL {
                // Another thread may be about to install its chunk; `fresh` returns when one is installed.
                return crate::alloc::memory::uncharged(|| self.fresh());
            }
            let next = self.next(free.node);
            if self.free.exchange(free, free.to(next.node)) {
                stop_point();
                let end = next.to(NIL).word();
                self.node(free.node).next.store(end, Ordering::Relaxed);
                return free.node;
            }
        }
    }

    fn give_back(&self, node: u32) {
        loop {
            let free = self.free.load();
            let link = self.next(node).to(free.node).word();
            self.node(node).next.store(link, Ordering::Relaxed);
            if self.free.exchange(free, free.to(node)) {
                return;
            }
        }
    }

    /// Adds at the end.
    pub fn push(&self, ready: T) {
        let node = self.alloc();
        let raw = ready.into_raw().as_ptr();
        self.node(node).ready.store(raw, Ordering::Relaxed);
        loop {
            let tail = self.tail.load();
            let next = self.next(tail.node);
            if tail != self.tail.load() {
                continue;
            }
            if next.node != NIL {
                self.tail.exchange(tail, tail.to(next.node));
                continue;
            }
            stop_point();
            let linked = self.node(tail.node).next.compare_exchange(
                next.word(),
                next.to(node).word(),
                Ordering::SeqCst,
                Ordering::Relaxed,
            );
            if linked.is_ok() {
                self.tail.exchange(tail, tail.to(node));
                return;
            }
        }
    }

    /// Takes the oldest.
    pub fn pop(&self) -> Option<T> {
        loop {
            let head = self.head.load();
            let tail = self.tail.load();
            let next = self.next(head.node);
            if head != self.head.load() {
                continue;
            }
            if next.node == NIL {
                return None;
            }
            if head.node == tail.node {
                self.tail.exchange(tail, tail.to(next.node));
                continue;
            }
            // Another thread may have popped and reused the node by now; the exchange fails then.
            let ready = self.node(next.node).ready.load(Ordering::Relaxed);
            if self.head.exchange(head, head.to(next.node)) {
                self.give_back(head.node);
                // SAFETY: the exchange took the node out, and what was in it had been put there by `push`.
                return Some(unsafe { T::from_raw(NonNull::new_unchecked(ready)) });
            }
        }
    }

    /// Whether nothing is in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        loop {
            let head = self.head.load();
            let next = self.next(head.node);
            if head == self.head.load() {
                return next.node == NIL;
            }
        }
    }

    /// About how many there are: each end counts its steps.
    pub fn len(&self) -> usize {
        let head = self.head.load().count;
        let passed = self.tail.load().count.wrapping_sub(head);
        // `head` may have overtaken the `tail` that was read.
        if passed > u32::MAX / 2 {
            0
        } else {
            passed as usize
        }
    }
}

impl<T> Drop for Injector<T> {
    fn drop(&mut self) {
        for (chunk, nodes) in self.chunks.iter().enumerate() {
            let nodes = nodes.load(Ordering::Relaxed);
            if !nodes.is_null() {
                let len = (FIRST as usize) << chunk;
                // SAFETY: made in `fresh` with this length, and the queue is not shared any more.
                drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(nodes, len)) });
            }
        }
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn first_in_first_out_however_many_there_are() {
        let queue = Injector::new();
        for round in 0..3 {
            for i in 0..1000 {
                queue.push(item(round + i));
                assert_eq!(queue.len(), i + 1);
            }
            for i in 0..1000 {
                assert!(!queue.is_empty());
                assert_eq!(queue.pop(), Some(item(round + i)));
            }
            assert!(queue.is_empty());
            assert_eq!(queue.pop(), None);
        }
        assert!(
            queue.used.load(Ordering::Relaxed) <= 1001,
            "nodes are used again"
        );
    }

    #[test]
    fn every_item_leaves_once_with_many_at_both_ends() {
        const EACH: usize = 5_000;
        let queue = Injector::new();
        let got = parking_lot::Mutex::new(Vec::new());
        let left = std::sync::atomic::AtomicUsize::new(3 * EACH);
        std::thread::scope(|scope| {
            for pusher in 0..3 {
                let queue = &queue;
                scope.spawn(move || (0..EACH).for_each(|i| queue.push(item(pusher * EACH + i))));
            }
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut mine = Vec::new();
                    while left.load(Ordering::Relaxed) != 0 {
                        match queue.pop() {
                            Some(ready) => {
                                left.fetch_sub(1, Ordering::Relaxed);
                                mine.push(number(ready));
                            }
                            None => std::thread::yield_now(),
                        }
                    }
                    // Of one pusher, in its order.
                    for pusher in 0..3 {
                        let of: Vec<_> = mine.iter().filter(|&&i| i / EACH == pusher).collect();
                        assert!(of.is_sorted());
                    }
                    got.lock().extend(mine);
                });
            }
        });
        let mut got = got.into_inner();
        got.sort_unstable();
        assert_eq!(got, (0..3 * EACH).collect::<Vec<_>>());
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;

    /// Two at each end, nodes used again: each item leaves exactly once.
    #[test]
    fn loom_each_injected_item_is_taken_exactly_once() {
        loom::model(|| {
            let queue = Arc::new(Injector::new());
            queue.push(item(0));
            let other = queue.clone();
            let thread = loom::thread::spawn(move || {
                let got = other.pop();
                other.push(item(1));
                got
            });
            queue.push(item(2));
            let mut got: Vec<_> = queue.pop().into_iter().collect();
            got.extend(thread.join().unwrap());
            got.extend(std::iter::from_fn(|| queue.pop()));
            let mut got: Vec<_> = got.into_iter().map(number).collect();
            got.sort_unstable();
            assert_eq!(got, [0, 1, 2]);
        });
    }

    /// A thread stops for ever, wherever it is: the others push and pop as before, and nothing is missing but what it has
    /// popped and not pushed back.
    #[test]
    fn loom_a_thread_that_stops_in_the_injector_blocks_no_other() {
        for point in 1..10 {
            loom::model(move || {
                let queue = Arc::new(Injector::new());
                queue.push(item(0));
                let other = queue.clone();
                let thread = loom::thread::spawn(move || {
                    crate::base::sync::stopping_at(point, || {
                        other.push(item(1));
                        drop(other.pop());
                    });
                });
                queue.push(item(2));
                thread.join().unwrap();
                queue.push(item(3));
                let mut got: Vec<_> = std::iter::from_fn(|| queue.pop()).map(number).collect();
                assert!(queue.is_empty());
                got.sort_unstable();
                assert!(got.windows(2).all(|w| w[0] != w[1]), "taken twice: {got:?}");
                assert!(got.len() >= 2, "hidden: {got:?}");
                assert!(got.contains(&3));
            });
        }
    }
}
