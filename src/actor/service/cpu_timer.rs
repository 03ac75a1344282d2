//! A timer of the system that runs with the CPU time of one thread, and sends that thread a signal. A thread that does nothing
//! gets none.

use libc::{c_int, pthread_t};

/// Stops when it is dropped.
pub(super) struct CpuTimer(libc::timer_t);

// SAFETY: the number of a timer of the process, which any thread may use.
unsafe impl Send for CpuTimer {}

impl CpuTimer {
    /// `hz` signals for each second of CPU time of a thread, from now on. `None`: the system has no such timer left.
    ///
    /// # Safety
    /// The thread lives, and has that id; the signal has a handler.
    #[cfg(target_os = "linux")]
    pub unsafe fn start(thread: pthread_t, id: i32, signal: c_int, hz: u32) -> Option<CpuTimer> {
        let nanos = 1_000_000_000 / libc::c_long::from(hz.clamp(1, 1_000_000) as i32);
        let period = libc::timespec {
            tv_sec: nanos / 1_000_000_000,
            tv_nsec: nanos % 1_000_000_000,
        };
        let period = libc::itimerspec {
            it_interval: period,
            it_value: period,
        };
        // SAFETY: zeroed structures are valid, and pointers lead to them; the rest is the contract of this function.
        unsafe {
            let mut clock = 0;
            if libc::pthread_getcpuclockid(thread, &mut clock) != 0 {
                return None;
            }
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = signal;
            event.sigev_notify_thread_id = id;
            let mut timer: libc::timer_t = std::mem::zeroed();
            if libc::timer_create(clock, &mut event, &mut timer) != 0 {
                return None;
            }
            let timer = CpuTimer(timer);
            (libc::timer_settime(timer.0, 0, &period, std::ptr::null_mut()) == 0).then_some(timer)
        }
    }

    /// The same where there are no timers of a thread's CPU time.
    ///
    /// # Safety
    /// None needed: there are no such timers here.
    #[cfg(not(target_os = "linux"))]
    pub unsafe fn start(_: pthread_t, _: i32, _: c_int, _: u32) -> Option<CpuTimer> {
        None
    }
}

impl Drop for CpuTimer {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        // SAFETY: a timer of `start`, once.
        unsafe {
            libc::timer_delete(self.0);
        }
    }
}

/// How often the period of a timer has passed, by the signal that came of it; `None`: it came from elsewhere.
///
/// # Safety
/// What the system gave to the handler. Async-signal-safe.
pub(super) unsafe fn expirations(info: *const libc::siginfo_t) -> Option<u32> {
    /// The begin of `siginfo_t` for timers (Linux, `sigaction(2)`).
    #[repr(C)]
    struct Timer {
        signo: c_int,
        errno: c_int,
        code: c_int,
        // A union follows, which is aligned as a pointer.
        fields: [usize; 0],
        id: c_int,
        overrun: c_int,
    }
    const SI_TIMER: c_int = -2;
    /// More than this in one go is a mistake somewhere.
    const MOST: u32 = 1000;
    // SAFETY: contract of this function; of another kind of signal, these bytes are of something else.
    let timer = unsafe { info.cast::<Timer>().as_ref() }?;
    let passed = u32::try_from(timer.overrun).unwrap_or(0).min(MOST);
    (timer.code == SI_TIMER).then_some(1 + passed)
}
