//! Three services in one library.

mod counter;
mod paths;
mod room;
