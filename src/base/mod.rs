//! What everything else is made of.

pub(crate) mod alarm;
pub mod clock;
pub(crate) mod digits;
pub mod env;
pub(crate) mod fallible;
pub(crate) mod lock;
pub mod log;
pub mod log_tail;
pub mod message;
pub(crate) mod not_impl;
pub mod panic;
pub mod release;
pub mod rising;
pub mod sync;
pub(crate) mod words;
