//! What everything else is made of.

pub(crate) mod alarm;
pub mod clock;
pub mod env;
pub mod message;
pub mod release;
pub mod sync;
