//! Memory: accounting, blocks that are used again, and when it is safe to free what others may be reading.

pub mod freelist;
pub mod memory;
pub mod reclaim;

/// A worker is about to sleep: what others wait for is freed, and what it keeps for itself.
pub fn before_sleep() {
    reclaim::collect_some();
    freelist::free_spare();
}
