//! What the socket server takes from the rest of the core: time and the error log.

/// Centiseconds for the statistics.
pub fn now() -> u64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the struct is writable.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut t) };
    t.tv_sec as u64 * 100 + t.tv_nsec as u64 / 10_000_000
}

/// Logs a complaint of the socket server, with the node as its source.
pub fn report(text: &str) {
    eprintln!("{text}");
}
