//! "skynet_timer.h".

use crate::base::clock;
use crate::diag::crash::contain;
use crate::io::timer;
use libc::c_int;

/// Sends a PTYPE_RESPONSE with session to the service handle after time centiseconds, with 0 or less at once. Returns the
/// session, or -1 when a message that was to be sent at once found no such service.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_timeout(handle: u32, time: c_int, session: c_int) -> c_int {
    contain("skynet_timeout", -1, || {
        timer::timeout(handle, time, session)
    })
}

/// Delivers the timers that are due. skynet_start has a thread that does it.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_updatetime() {
    contain("skynet_updatetime", (), || {
        timer::update();
    })
}

/// Unix time of the start, in seconds.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_starttime() -> u32 {
    contain("skynet_starttime", 0, clock::start_time)
}

/// CPU time of the calling thread, in microseconds.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_thread_time() -> u64 {
    contain("skynet_thread_time", 0, clock::thread_time)
}

/// Starts the clock and the timers.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_timer_init() {
    contain("skynet_timer_init", (), || {
        timer::init();
    })
}
