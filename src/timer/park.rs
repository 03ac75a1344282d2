//! Sleep and wake-up of the timer thread. [`wake`] is one atomic addition and one system call: signal handlers may call it.

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

static WAKES: AtomicU32 = AtomicU32::new(0);

/// To be taken before looking for work: a [`wake`] after it makes [`sleep`] return at once.
pub fn ticket() -> u32 {
    WAKES.load(Ordering::SeqCst)
}

/// Wakes the sleeper. Keeps `errno`.
pub fn wake() {
    WAKES.fetch_add(1, Ordering::SeqCst);
    // SAFETY: plain system call on a static; errno is this thread's.
    unsafe {
        let errno = *libc::__errno_location();
        libc::syscall(
            libc::SYS_futex,
            WAKES.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            i32::MAX,
        );
        *libc::__errno_location() = errno;
    }
}

/// Sleeps until a wake-up after `ticket`, or until `until` on `CLOCK_MONOTONIC`. May return early.
pub fn sleep(ticket: u32, until: Option<libc::timespec>) {
    let timeout = until.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the word is a static and the time lives across the call.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            WAKES.as_ptr(),
            libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG,
            ticket,
            timeout,
            ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        );
    }
}
