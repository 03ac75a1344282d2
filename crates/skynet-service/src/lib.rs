//! Services of skynet in Rust, loaded like services in C: by the executable of the C core, of every release from v1.0.0 on, and by that of
//! skynet in Rust. The crate knows the C interface only.
//!
//! ```no_run
//! use std::cell::Cell;
//!
//! use skynet_service::error::BoxError;
//! use skynet_service::{Args, Ctx, service};
//!
//! struct Counter {
//!     value: Cell<i64>,
//! }
//!
//! #[service("counter")]
//! impl Counter {
//!     async fn init(_ctx: Ctx, args: Args) -> Result<Counter, BoxError> {
//!         Ok(Counter { value: Cell::new(args.parse()?) })
//!     }
//!
//!     /// `skynet.call(counter, "lua", "add", 5)`
//!     #[command]
//!     fn add(&self, number: i64) -> i64 {
//!         self.value.set(self.value.get() + number);
//!         self.value.get()
//!     }
//! }
//! ```
//!
//! The library is a `cdylib` by the name of the service; `cpath = "./target/release/lib?.so"` finds it, `skynet.launch("counter", 100)`
//! starts it. One library may hold several services: give it one link for each name.
//!
//! # Design
//!
//! * **A service is run by its mailbox.** It has no thread and no event loop: each message that the core dispatches is the service's
//!   *turn*, in which its handler and then its tasks run, on whichever worker. So nothing of a service runs at the same time, and it may
//!   keep `Rc`, `Cell` and `RefCell`.
//! * **[`Ctx`]** is the way to do things in the name of the service that runs on this thread. It is copied freely, and
//!   cannot go to another thread.
//! * **A request** ([`Ctx::call`]) has a session of the core; the answer wakes the task. A future that is dropped withdraws its
//!   request. The end of the other side is an error.
//! * **Wakers may be used on any thread**: a waker elsewhere puts its task on a stack without a lock, and sends the service one message, of
//!   which at most one is on its way. It needs nothing of the service but its handle, so it may outlive it.
//! * **A payload has one owner** ([`Payload`]): to send it hands its memory over, to keep a message takes it, neither copies.
//!   Other bytes ([`Body`]) are copied by the core, once.
//! * **A panic** ends the handler or the task that it happens in, stands in the log with the names of the service and the task, and answers
//!   who waits with an error. It never reaches C. (With `panic = "abort"` in the profile it ends the node, as a crash in C does.)
//! * **The functions of the core are looked up** when the first service is made. The library links nothing and imports nothing of
//!   skynet, so it loads everywhere, and unit tests link without a node.
//!
//! # Tasks
//!
//! ```no_run
//! # use skynet_service::{Ctx, Handle, Kind, error::CallError};
//! use std::time::Duration;
//!
//! async fn ask_both(ctx: Ctx, store: Handle, path: Vec<u32>) -> Result<(i64, u64), CallError> {
//!     // A request that waits beside the rest; dropped, it is withdrawn.
//!     let score = ctx.spawn(ctx.call_lua::<i64>(store, &("score", "zhang")));
//!     // Another thread counts, while this service handles other messages.
//!     let length = ctx.offload(move || path.iter().map(|step| u64::from(*step)).sum());
//!     // Whoever is too slow is given up.
//!     if ctx.timeout(Duration::from_secs(2), ctx.call(".auth", Kind::Text, "ping")).await.is_err() {
//!         log::warn!("no answer of .auth");
//!     }
//!     let length = length.await.unwrap_or_default();
//!     Ok((score.await.expect("it is not aborted")?, length))
//! }
//! ```
//!
//! Futures of other runtimes work in tasks: a runtime of tokio on threads of its own wakes the service like any other thread.
//! [`Ctx::elsewhere`] lets the clock of tests wait for them.
//!
//! ```
//! # use skynet_service::Ctx;
//! async fn fetch(ctx: Ctx, runtime: tokio::runtime::Handle) -> String {
//!     let job = runtime.spawn(async { "what only tokio can get".to_string() });
//!     ctx.elsewhere(job).await.expect("it does not panic")
//! }
//! ```
//!
//! # Tests
//!
//! With the feature `testing`, `testing::Node` runs services in a unit test, on its thread and with a time of its own. Nothing has to be
//! linked for that.
//!
//! ```toml
//! [dev-dependencies]
//! skynet-service = { version = "0.1", features = ["testing"] }
//! ```
//!
//! # Releases
//!
//! A library runs on each release of the C core from v1.0.0 on, and on skynet in Rust; there is nothing to choose. For the C core it
//! has to bring the allocator [`Malloc`], as the template does. An executable without one of the functions refuses the service with a line that names it.
//!
//! # What the compiler cannot see
//!
//! A service is on another thread from turn to turn. What is not `Send` must not be put into a thread-local variable, nor the other way
//! round: what a library takes out of one must not be kept in the service or across an `await`. Such are `rand::rng()` (keep a `StdRng` or
//! `SmallRng`), the guards of `tokio::runtime::Handle::enter` and of `tracing::Span::enter`, and guards of locks.
//!
//! # Layers
//!
//! | | |
//! |---|---|
//! | [`sys`] | the C interface |
//! | `runtime` | tasks, wakers, sessions, the way in from C |
//! | [`Ctx`], [`Message`], [`Payload`], [`Responder`] | what a service works with |
//! | [`lua`] | values of Lua, by serde |
//! | [`net`] | sockets |
//! | [`macro@service`] | a type becomes a service |

mod address;
mod allocator;
mod body;
pub mod context;
mod elsewhere;
pub mod error;
#[doc(hidden)]
pub mod export;
mod kind;
mod logger;
pub mod lua;
mod message;
pub mod net;
pub mod offload;
mod payload;
mod runtime;
mod service;
pub mod sys;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use address::{Address, Handle, OwnedAddress};
pub use allocator::Malloc;
pub use body::Body;
pub use context::{Ctx, Either, select};
pub use kind::Kind;
pub use message::{Caller, Message, OwnedMessage, Responder};
pub use payload::{Payload, PayloadWriter};
pub use service::{Args, Service, unhandled};

/// Makes a type a service: writes [`Service`] from an `impl` block, and, when it is given a name, the functions by which C finds the
/// service under that name (`NAME_create`, `_init`, `_release`, `_signal`).
///
/// | in the block | |
/// |---|---|
/// | `async fn init(ctx: Ctx, args: Args) -> Result<Self, E>` | begins the service; has to be there. `fn` when it awaits nothing |
/// | `#[command]` methods | the commands of messages of [`Kind::Lua`]: `skynet.call(address, "lua", "name", ...)` |
/// | `fn message(&self, ctx: Ctx, message: Message<'_>)` | all other messages |
/// | `async fn message(&self, ctx: Ctx, message: OwnedMessage)` | the same, as a task for each message |
/// | `fn signal(&self, ctx: Ctx, signal: i32)` | `signal` of the debug console |
///
/// A command is `fn` or `async fn`, which then runs as a task. Its first parameter is `&self` (or `self: &Rc<Self>`); those of the types
/// `Ctx` and `Caller` are filled in; all others are the values behind the name (see [`lua`]). What it returns is the answer; a tuple is
/// several values. With `Result` an error goes to the log, and who asked gets an error too. `#[command(name = "...")]` gives it another
/// name than that of the method.
pub use skynet_service_macros::service;
