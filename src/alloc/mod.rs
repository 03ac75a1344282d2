//! Memory: accounting, blocks that are used again, and when it is safe to free what others may be reading.

pub mod freelist;
pub mod memory;
pub mod reclaim;
