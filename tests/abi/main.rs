//! The C interface: headers that old projects compile against, and names that the executable and the library export.

mod exports;
mod headers;
#[path = "../tools/mod.rs"]
mod tools;
