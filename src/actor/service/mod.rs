//! Services: their contexts, how a message is dispatched to one, what one may ask of the node.
//!
//! - `abort`: the end of all services
//! - `context`: `struct skynet_context`, its life from launch to release
//! - `dispatch`: a turn of one service on one worker
//! - `inspect`: what others may know of a service
//! - `monitor`: what each worker is doing, and which message runs for too long
//! - `on_turn`: which service is on turn on a thread
//! - `own`: what only the thread that runs a service may do with it
//! - `queue`: what run queues hold: a mailbox and whose it is
//! - `running`: the message that a worker is in, as others read it
//! - `send`: where a message goes
//! - `thread_signal`: reaching a service in the middle of a message
//! - `command`: `skynet_command`
//! - `cpu`: what a service's callbacks cost
//! - `limit`: how much mail may wait for a service that has a limit
//! - `figures`: what services have done, for the figures of the node
//! - `digits`: numbers as text

mod abort;
mod command;
mod context;
mod cpu;
mod digits;
mod dispatch;
mod figures;
mod inspect;
mod limit;
mod monitor;
mod on_turn;
mod own;
mod queue;
mod running;
mod send;
#[cfg(feature = "lua")]
pub(crate) mod thread_signal;

#[cfg(feature = "lua")]
pub(crate) use abort::is_aborting;
pub use abort::{abort_all, end_logger};
pub use command::command;
pub use context::{Callback, Context, grab, launch, release, retire, set_profile, total};
pub(crate) use cpu::{calibrate, interrupt};
pub use dispatch::{Turn, drain};
pub(crate) use dispatch::{prepare, turn};
pub use figures::{Figures, figures};
pub use inspect::describe;
#[cfg(feature = "lua")]
pub(crate) use inspect::receives;
pub use limit::{Policy, set_default as set_mailbox_limit, taken_out};
pub(crate) use monitor::type_name;
pub use monitor::{Look, Monitor};
pub(crate) use on_turn::on_turn;
pub use on_turn::{current_handle, init_thread, init_thread_class};
pub use own::Own;
pub use queue::Queue;
pub use running::Running;
pub(crate) use send::push_with;
pub use send::{push, query_name, send, send_name, send_to};

/// Classes of threads ("skynet_imp.h", `THREAD_*`); what [`current_handle`] answers outside of a dispatch is `-class as u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum ThreadClass {
    Worker = 0,
    Main = 1,
    Socket = 2,
    Timer = 3,
    Monitor = 4,
}
