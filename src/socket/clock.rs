//! What the socket server takes from the rest of the core: time and the error log.

/// Centiseconds for the statistics: those of `skynet_now`, which their readers compare them with.
pub fn now() -> u64 {
    crate::clock::now()
}

/// Logs a complaint of the socket server, with the node as its source.
pub fn report(text: &str) {
    crate::log::error(0, text.as_bytes());
}
