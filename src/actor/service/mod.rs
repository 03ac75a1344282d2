//! Services: their contexts, how a message is sent, and dispatched to one.
//!
//! - `abort`: the end of all services
//! - `context`: `struct skynet_context`, its life from launch to release
//! - `exit`: its end, and which service is told
//! - `reference`: what keeps an instance from being released
//! - `registry`: which service has which handle
//! - `send`: where a message goes; `harbor`: to another node; `limit`: how many messages may wait for a service with a limit
//! - `dispatch`: a turn of one service on one worker
//! - `queue`: what run queues hold: a mailbox and whose it is
//! - `own`: what only the thread that runs a service may do with it
//! - `on_turn`: which service is on turn on a thread; `thread_signal`: reaching it in the middle of a message
//! - `sampling`: where CPU time goes, and where Lua allocates, by samples; `cpu_timer`: what makes a thread take one
//! - `vm`: what is asked of services that are Lua VMs; `quiet`: garbage of those that have become quiet
//! - `inspect`, `figures`: what others may know of a service, and of all
//! - `log`, `record`: lines of the error log, and logs of all messages of one service
//! - `notices`: what those further up are told

mod abort;
mod context;
#[cfg(feature = "lua")]
mod cpu_timer;
mod dispatch;
mod exit;
mod figures;
pub mod harbor;
mod inspect;
mod limit;
mod log;
mod notices;
mod on_turn;
mod own;
mod queue;
#[cfg(feature = "lua")]
pub mod quiet;
pub mod record;
mod reference;
mod registry;
#[cfg(feature = "lua")]
pub mod sampling;
mod send;
#[cfg(feature = "lua")]
pub mod thread_signal;
#[cfg(feature = "lua")]
mod vm;
pub mod waiting;

#[cfg(feature = "lua")]
pub use abort::is_aborting;
pub use abort::{abort_all, await_logger, drain_logger, end_logger};
pub use context::{Callback, Context, grab, launch, retire, set_profile, total};
pub use dispatch::{prepare, turn};
pub use exit::{end, exit, exit_monitor, set_exit_monitor};
pub use figures::{ServiceFigures, each_service, figures, list};
pub use inspect::{describe, each_memory};
pub use limit::{Policy, handled, set_default as set_mailbox_limit};
pub use log::{count_unlogged_error, log_counts, post_line};
#[cfg(feature = "lua")]
pub use notices::ended_without_callback;
pub use notices::{
    on_ended_without_callback, on_retired, on_socket_message_taken, on_start_failed,
};
pub use on_turn::{current_handle, init_thread, init_thread_class, on_turn};
pub use own::Own;
pub use queue::Queue;
pub use reference::ServiceRef;
pub use registry::{all, find, find_unguarded, init_handles, register};
pub(crate) use send::push_with;
pub use send::{exists, parse_hex, push, query_name, send, send_name, send_to, tail};
#[cfg(feature = "lua")]
pub use vm::{Piece, Stack, Vms, know_vms};

/// Classes of threads ("skynet_imp.h", `THREAD_*`); what [`current_handle`] answers outside of a dispatch is `-class as u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs)] // the names say it
pub enum ThreadClass {
    Worker = 0,
    Main = 1,
    Socket = 2,
    Timer = 3,
    Monitor = 4,
}
