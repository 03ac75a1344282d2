//! A node of skynet inside of one's own program: the core, Lua and the Lua layer, and services in Rust that need no file.
//!
//! ```no_run
//! use std::cell::Cell;
//!
//! use skynet_node::Node;
//! use skynet_service::{Args, Ctx, error::BoxError, service};
//!
//! struct Counter {
//!     value: Cell<i64>,
//! }
//!
//! #[service]
//! impl Counter {
//!     async fn init(_: Ctx, args: Args) -> Result<Counter, BoxError> {
//!         Ok(Counter { value: Cell::new(args.parse()?) })
//!     }
//!
//!     #[command]
//!     fn add(&self, number: i64) -> i64 {
//!         self.value.set(self.value.get() + number);
//!         self.value.get()
//!     }
//! }
//!
//! fn main() -> Result<(), skynet_node::Error> {
//!     Node::builder()
//!         .config("config")
//!         .service::<Counter>("counter")
//!         .run()
//! }
//! ```
//!
//! `skynet.launch("counter", 100)` in Lua, `LAUNCH` in C and [`Ctx::launch`](skynet_service::Ctx::launch) in Rust find the service by that name.
//!
//! | | |
//! |---|---|
//! | [`Builder::run`] | runs the node of a config to its end |
//! | [`Builder::main`] | the program has the command line of the `skynet` executable: `game config`, `game test`, `game console` |
//! | [`Builder::block_on`] | the application is a future; the node ends with it |
//! | [`Builder::test`] | the same for a test, in a process of its own |
//!
//! # One node for a process
//!
//! The core has what belongs to the process: the environment, which is set once, the handles, the clock, the signals. So a process runs one
//! node, once: a second one is refused ([`Error::AnotherNode`]). Tests run in one process, on several threads; [`Builder::test`] therefore
//! starts the test's program again for the one test that calls it. Unit tests of a service alone do not need a node:
//! `skynet_service::testing::Node` has as many as one likes in a process.
//!
//! # What the node does to the process
//!
//! It handles SIGHUP, SIGTERM and SIGINT, ignores SIGPIPE, and starts threads, which are gone when it has ended. A node that cannot start, or
//! whose end goes wrong, ends the process with status 1, as the executable does. No allocator comes along; for many services that allocate,
//! jemalloc or mimalloc as the program's (`#[global_allocator]` is not enough: it has to replace `malloc`, as `tikv-jemalloc-sys` does with
//! `unprefixed_malloc_on_supported_platforms`).
//!
//! # Files of machine code
//!
//! C services and Lua modules in `.so` files find the functions of the core and of Lua in the program, if it exports them. A line in the
//! package's `build.rs` sees to that:
//!
//! ```
//! println!("cargo:rustc-link-arg-bins=-rdynamic");
//! ```

mod api;
mod builder;
mod error;
mod isolated;
mod linked;
mod main_service;
mod patience;
mod sockets;

pub use builder::{Builder, Node};
pub use error::Error;
