//! What other threads ask of the I/O role, and what it has to do itself when a thread has left a socket's handoff lock.

use super::addr::Text;
use super::resolve::Found;
use super::state::Input;
use std::ffi::CString;
use std::os::fd::{OwnedFd, RawFd};

/// One request. Sockets are named by id; a request for a socket that is gone meanwhile is ignored unless stated.
pub enum Command {
    /// Connect the reserved socket to a host.
    Connect {
        /// The socket.
        id: i32,
        /// Name or number.
        host: CString,
        /// Port in host order.
        port: i32,
    },
    /// A name look-up has ended.
    Resolved {
        /// The socket that waits for it.
        id: i32,
        /// Addresses, or why there are none.
        found: Found,
    },
    /// Take over a listening descriptor.
    Listen {
        /// The reserved socket.
        id: i32,
        /// Bound and listening.
        fd: OwnedFd,
    },
    /// Use a descriptor of the application's own.
    Bind {
        /// The reserved socket.
        id: i32,
        /// Stays the application's.
        fd: RawFd,
    },
    /// Take over a UDP descriptor.
    Udp {
        /// The reserved socket.
        id: i32,
        /// Not blocking.
        fd: OwnedFd,
    },
    /// Watch for events, for `owner`. A socket that is gone raises an ERROR.
    Start {
        /// The socket.
        id: i32,
        /// Who gets the events from now on.
        owner: usize,
    },
    /// Do not watch for read events.
    Pause {
        /// The socket.
        id: i32,
    },
    /// What was throttled is read again.
    ReadOn {
        /// The socket.
        id: i32,
    },
    /// Close, now or when everything is written.
    Close {
        /// The socket.
        id: i32,
        /// Give queued data up.
        now: bool,
        /// Who asks for it.
        caller: usize,
    },
    /// The socket's service was gone at two looks, see [`super::ownerless`].
    Abandoned {
        /// The socket.
        id: i32,
        /// The service.
        owner: usize,
    },
    /// Set the times of TCP keep-alive.
    KeepAlive {
        /// The socket.
        id: i32,
        /// The times.
        times: super::keepalive::KeepAlive,
    },
    /// Set TCP_NODELAY.
    NoDelay {
        /// The socket.
        id: i32,
    },
    /// The write queue is no longer empty: see to it.
    Flush {
        /// The socket.
        id: i32,
    },
    /// Tell the owner how much is queued.
    Warn {
        /// The socket.
        id: i32,
        /// KiB in the queue.
        kib: i32,
    },
    /// Tell the owner of an error.
    Report {
        /// The socket.
        id: i32,
        /// The error.
        text: Text,
    },
    /// A write queue has grown over a limit: close the socket.
    Overflow {
        /// The socket.
        id: i32,
        /// The limit and whose it is, for the owner.
        text: Text,
    },
    /// Take this input to the state machine, which could not be done at once.
    Apply {
        /// The socket.
        id: i32,
        /// What happened; `pending` of it is looked up anew.
        input: Input,
        /// Who asks for it.
        caller: usize,
        /// Of an error.
        text: Option<Text>,
    },
}

impl Command {
    /// The socket.
    pub fn id(&self) -> i32 {
        match *self {
            Command::Connect { id, .. }
            | Command::Resolved { id, .. }
            | Command::Listen { id, .. }
            | Command::Bind { id, .. }
            | Command::Udp { id, .. }
            | Command::Start { id, .. }
            | Command::Pause { id }
            | Command::ReadOn { id }
            | Command::Close { id, .. }
            | Command::Abandoned { id, .. }
            | Command::KeepAlive { id, .. }
            | Command::NoDelay { id }
            | Command::Flush { id }
            | Command::Warn { id, .. }
            | Command::Report { id, .. }
            | Command::Overflow { id, .. }
            | Command::Apply { id, .. } => id,
        }
    }
}
