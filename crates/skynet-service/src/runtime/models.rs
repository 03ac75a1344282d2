//! Models of what threads do to a service, for loom: `cargo test --package skynet-service --lib --features loom loom`.

use std::future::poll_fn;
use std::sync::Arc as StdArc;
use std::task::{Poll, Waker};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use loom::thread;

use super::remote::{Remote, Shared};
use super::task::{Label, TaskRef};
use crate::error::JoinError;

/// The mailbox of the modelled service: how many wake messages are in it, and whether it takes any.
struct Mailbox {
    messages: AtomicUsize,
    most: AtomicUsize,
    is_open: AtomicBool,
}

loom::lazy_static! {
    static ref MAILBOX: Mailbox = Mailbox {
        messages: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        is_open: AtomicBool::new(true),
    };
}

fn post(_: u32) -> bool {
    if !MAILBOX.is_open.load(Ordering::SeqCst) {
        return false;
    }
    let now = MAILBOX.messages.fetch_add(1, Ordering::SeqCst) + 1;
    MAILBOX.most.fetch_max(now, Ordering::SeqCst);
    true
}

/// The service's turn for one wake message, if there is one; polls what is ready.
fn turn(remote: &Remote) {
    if MAILBOX.messages.load(Ordering::SeqCst) == 0 {
        return;
    }
    MAILBOX.messages.fetch_sub(1, Ordering::SeqCst);
    remote.arrived();
    remote.take(|task| {
        // SAFETY: one thread of the model has the turns.
        unsafe { task.run() };
    });
}

/// A service with a task that is ready when all of its flags are set.
fn service(flags: &[StdArc<AtomicBool>]) -> (Arc<Remote>, TaskRef, Vec<Waker>) {
    let remote = Arc::new(Remote::new(&"model", post));
    remote.set_handle(1);
    let flags = flags.to_vec();
    let wakers = StdArc::new(std::sync::Mutex::new(None));
    let place = StdArc::clone(&wakers);
    let future = poll_fn(move |context| {
        // Relaxed: that the flag is seen follows from the wake.
        if flags.iter().all(|flag| flag.load(Ordering::Relaxed)) {
            return Poll::Ready(());
        }
        *place.lock().unwrap() = Some(context.waker().clone());
        Poll::Pending
    });
    let task = TaskRef::new(future, Arc::clone(&remote), Label::Named("model"));
    assert!(task.set_queued());
    // SAFETY: one thread of the model has the turns, and it begins with this one.
    unsafe { task.run() };
    let waker = wakers.lock().unwrap().take().unwrap();
    (remote, task, vec![waker.clone(), waker])
}

fn flags() -> [StdArc<AtomicBool>; 2] {
    [
        StdArc::new(AtomicBool::new(false)),
        StdArc::new(AtomicBool::new(false)),
    ]
}

#[test]
fn loom_no_wake_is_lost_and_one_message_is_on_its_way() {
    loom::model(|| {
        let flags = flags();
        let (remote, task, wakers) = service(&flags);
        let threads: Vec<_> = flags
            .into_iter()
            .zip(wakers)
            .map(|(flag, waker)| {
                thread::spawn(move || {
                    flag.store(true, Ordering::Relaxed);
                    waker.wake();
                })
            })
            .collect();
        // A turn among the wakes.
        turn(&remote);
        for thread in threads {
            thread.join().unwrap();
        }
        turn(&remote);
        assert!(task.is_done(), "a wake is lost");
        assert_eq!(MAILBOX.messages.load(Ordering::SeqCst), 0);
        assert!(MAILBOX.most.load(Ordering::SeqCst) <= 1);
    });
}

#[test]
fn loom_a_wake_and_the_end_of_its_service() {
    loom::model(|| {
        let flags = flags();
        let (remote, task, mut wakers) = service(&flags);
        let waker = wakers.pop().unwrap();
        drop(wakers);
        let thread = thread::spawn(move || {
            waker.wake_by_ref();
            drop(waker);
        });
        // The release: the mailbox takes nothing any more, and the future is dropped.
        MAILBOX.is_open.store(false, Ordering::SeqCst);
        remote.close();
        // SAFETY: as in `turn`.
        unsafe { task.finish(JoinError::Aborted) };
        drop(task);
        thread.join().unwrap();
        // Nothing stays behind: the tasks let go of what they share, which loom's `Arc` finds when it does not happen.
        assert!(!remote.is_waiting());
        drop(remote);
    });
}

#[test]
fn loom_a_task_that_is_polled_is_woken_again() {
    loom::model(|| {
        let flags = flags();
        let (remote, task, mut wakers) = service(&flags);
        let second = wakers.pop().unwrap();
        let first = wakers.pop().unwrap();
        flags[0].store(true, Ordering::Relaxed);
        first.wake();
        let flag = StdArc::clone(&flags[1]);
        let thread = thread::spawn(move || {
            flag.store(true, Ordering::Relaxed);
            second.wake();
        });
        turn(&remote);
        thread.join().unwrap();
        turn(&remote);
        assert!(task.is_done(), "a wake during the poll is lost");
    });
}

#[test]
fn loom_a_signal_comes_while_the_first_task_is_made() {
    loom::model(|| {
        let service = StdArc::new((Shared::new(&"model"), AtomicU32::new(0)));
        let other = StdArc::clone(&service);
        let remote = |service: &(Shared, AtomicU32)| {
            let handle = || service.1.load(Ordering::Acquire);
            service.0.remote(handle, post)
        };
        let thread = thread::spawn(move || remote(&other).signal(5));
        // The init, and its first task.
        service.1.store(1, Ordering::Release);
        let first = remote(&service);
        thread.join().unwrap();
        assert!(Arc::ptr_eq(&first, &remote(&service)));
        assert_eq!(*service.0.name(), "model");
        assert_eq!(MAILBOX.messages.load(Ordering::SeqCst), 1);
        assert_eq!(service.0.woken(), [5]);
    });
}
