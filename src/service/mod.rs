//! Services: contexts, dispatch, commands. (Skeleton: signatures that the rest of the core builds on.)

use crate::message::Message;

/// `struct skynet_context`: opaque to C.
#[repr(C)]
pub struct Context {
    handle: u32,
}

impl Context {
    /// The handle of this service.
    pub fn handle(&self) -> u32 {
        self.handle
    }
}

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

/// Puts `message` into the mailbox of the local service `handle` and sees to it that a worker wakes up for it.
/// An unknown handle gives the message back; the caller still owns its data then.
pub fn push(_handle: u32, message: Message) -> Result<(), Message> {
    Err(message)
}

/// Handle of the service whose message this thread dispatches; `-class as u32` on other threads.
pub fn current_handle() -> u32 {
    0
}

/// Names the class of the calling thread ("skynet_server.h", `skynet_initthread`).
pub fn init_thread(_class: ThreadClass) {}

/// Number of live services that keep the node up ("skynet_server.h", `skynet_context_total`).
pub fn total() -> i32 {
    0
}
