//! The life of a socket as a pure function: [`step`] takes the present state and what happened, and answers the next state
//! and what has to be done. No descriptor, no queue and no lock in here, so every pair can be tested.
//!
//! The promises that services build on:
//! - CLOSE is raised at most once in the life of a socket, whichever side closes first.
//! - After the peer's end of stream the application may still write, and has to close.
//! - A close that finds data queued lets the data go out first (`closing`); a shutdown does not.
//! - A write error is reported once; what follows it is silent, up to the end of the read side.

/// Where a socket stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Phase {
    /// The slot is free. (Zero, so that fresh memory is a table of free slots.)
    Free = 0,
    /// An id exists; the descriptor does not yet (command on its way, or a name look-up running).
    Reserved,
    /// Listening in the kernel; accepts after `start`.
    PreListen,
    /// Accepts connections.
    Listen,
    /// Accepted; reads after `start`.
    Accepted,
    /// Waits for the kernel to connect.
    Connecting,
    /// Usable in both directions (TCP), or a UDP socket.
    Open,
    /// A descriptor of the application's own.
    Bound,
    /// The read side has ended: by the peer, or because the application closed with data still queued.
    ReadClosed,
    /// A write failed; the read side lives on.
    WriteClosed,
    /// Nothing is read any more; CLOSE follows when the queue is empty. Only in the life of [`super::earlier`].
    Draining,
}

impl Phase {
    /// All phases in which a slot is taken.
    #[cfg(all(test, not(feature = "loom")))]
    pub const TAKEN: [Phase; 9] = [
        Phase::Reserved,
        Phase::PreListen,
        Phase::Listen,
        Phase::Accepted,
        Phase::Connecting,
        Phase::Open,
        Phase::Bound,
        Phase::ReadClosed,
        Phase::WriteClosed,
    ];

    /// The inverse of `as u8`; unknown numbers are `Free`.
    pub const fn from_u8(n: u8) -> Phase {
        match n {
            1 => Phase::Reserved,
            2 => Phase::PreListen,
            3 => Phase::Listen,
            4 => Phase::Accepted,
            5 => Phase::Connecting,
            6 => Phase::Open,
            7 => Phase::Bound,
            8 => Phase::ReadClosed,
            9 => Phase::WriteClosed,
            10 => Phase::Draining,
            _ => Phase::Free,
        }
    }

    /// Whether the descriptor takes bytes now (if the kernel has room).
    pub const fn writable(self) -> bool {
        matches!(
            self,
            Phase::Open | Phase::Bound | Phase::ReadClosed | Phase::Draining
        )
    }
}

/// Phase, and whether the application has closed and waits for the queue to drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// See [`Phase`].
    pub phase: Phase,
    /// The application closed; what is queued still goes out. Only with `Reserved`, `Connecting`, `ReadClosed` and
    /// `Draining`.
    pub closing: bool,
}

impl State {
    /// A state of a socket that was not closed yet.
    pub const fn new(phase: Phase) -> State {
        State {
            phase,
            closing: false,
        }
    }
    pub(super) const FREE: State = State::new(Phase::Free);
}

/// What can happen to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// The application wants events (`skynet_socket_start`).
    Start,
    /// The application closes; `pending` tells whether bytes wait to be written.
    Close {
        /// Bytes wait in the write queue.
        pending: bool,
    },
    /// The application closes and gives queued data up.
    Shutdown,
    /// The connection stands.
    Established,
    /// No address could be connected.
    ConnectFailed,
    /// The peer ended its stream; `pending` as in `Close`.
    EndOfStream {
        /// Bytes wait in the write queue.
        pending: bool,
    },
    /// A read failed with a real error, or the kernel reports an error on the descriptor.
    Failed,
    /// A write failed with a real error.
    WriteFailed,
    /// The write queue became empty.
    Drained,
    /// The kernel says that both directions are over.
    Hangup,
    /// The owner service is gone.
    Orphaned,
}

/// What to do after a step; a set of flags.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Actions(u16);

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $bit:expr;)*) => {
        impl Actions {
            $($(#[$doc])* pub const $name: Actions = Actions(1 << $bit);)*
        }
        impl std::fmt::Debug for Actions {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut set = f.debug_set();
                $(if self.has(Actions::$name) { set.entry(&stringify!($name)); })*
                set.finish()
            }
        }
    };
}

actions! {
    /// CONNECT with the text `start`; the caller becomes the owner.
    RAISE_START = 0;
    /// CONNECT with the text `transfer`; the caller becomes the owner.
    RAISE_TRANSFER = 1;
    /// CONNECT with the peer's address.
    RAISE_CONNECT = 2;
    /// CLOSE.
    RAISE_CLOSE = 3;
    /// ERROR with the text that belongs to the input.
    RAISE_ERROR = 4;
    /// ERROR `socket closed`, to the caller of start.
    REJECT_START = 5;
    /// Watch for read events.
    READ_ON = 6;
    /// Do not watch for read events.
    READ_OFF = 7;
    /// Tell the kernel that nothing will be read any more.
    SHUT_READ = 8;
    /// Tell the kernel that nothing will be written any more, and drop what is queued.
    SHUT_WRITE = 9;
    /// Let go of the descriptor, the queue and the slot.
    RELEASE = 10;
    /// Close the descriptor when letting go (not for one that the application bound).
    CLOSE_FD = 11;
}

impl Actions {
    /// Nothing to do.
    pub const NONE: Actions = Actions(0);

    /// Whether all of `other` is in here.
    pub const fn has(self, other: Actions) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) const fn and(self, other: Actions) -> Actions {
        Actions(self.0 | other.0)
    }
}

/// Descriptors of the application's own stay open when they are released in their first state.
pub(super) const fn release(phase: Phase) -> Actions {
    match phase {
        Phase::Bound => Actions::RELEASE,
        _ => Actions::RELEASE.and(Actions::CLOSE_FD),
    }
}

/// CLOSE is due unless the read side has ended before, or the application closed before.
const fn due_close(s: State) -> Actions {
    match s.phase {
        Phase::ReadClosed => Actions::NONE,
        _ if s.closing => Actions::NONE,
        _ => Actions::RAISE_CLOSE,
    }
}

const fn released(s: State) -> (State, Actions) {
    (State::FREE, release(s.phase).and(due_close(s)))
}

/// One step of a socket's life.
pub const fn step(s: State, input: Input) -> (State, Actions) {
    use Phase::*;
    if matches!(s.phase, Free) {
        return (s, Actions::NONE);
    }
    match input {
        Input::Start => start(s),
        Input::Shutdown => released(s),
        Input::Close { pending } => close(s, pending),
        Input::Orphaned => (State::FREE, release(s.phase)),
        Input::Established => match (s.phase, s.closing) {
            (Connecting | Reserved, false) => (State::new(Open), Actions::RAISE_CONNECT),
            // Closed before the connection stood, with data queued: the data goes out, and there is no event.
            (Connecting | Reserved, true) => (
                State {
                    phase: ReadClosed,
                    closing: true,
                },
                Actions::READ_OFF,
            ),
            _ => (s, Actions::NONE),
        },
        Input::ConnectFailed => match (s.phase, s.closing) {
            (Connecting | Reserved, false) => {
                (State::FREE, release(s.phase).and(Actions::RAISE_ERROR))
            }
            (Connecting | Reserved, true) => (State::FREE, release(s.phase)),
            _ => (s, Actions::NONE),
        },
        Input::EndOfStream { pending } => end_of_stream(s, pending),
        Input::Failed => match s.closing {
            true => (State::FREE, release(s.phase)),
            false => (s, Actions::RAISE_ERROR),
        },
        Input::WriteFailed => match s.phase {
            ReadClosed => (State::FREE, release(s.phase)),
            WriteClosed => (s, Actions::NONE),
            Open | Bound => (
                State::new(WriteClosed),
                Actions::RAISE_ERROR.and(Actions::SHUT_WRITE),
            ),
            _ => (s, Actions::NONE),
        },
        Input::Drained => match (s.phase, s.closing) {
            (ReadClosed, true) => (State::FREE, release(s.phase)),
            _ => (s, Actions::NONE),
        },
        Input::Hangup => released(s),
    }
}

const fn start(s: State) -> (State, Actions) {
    use Phase::*;
    if s.closing {
        return (s, Actions::REJECT_START);
    }
    match s.phase {
        PreListen => (
            State::new(Listen),
            Actions::READ_ON.and(Actions::RAISE_START),
        ),
        Accepted => (State::new(Open), Actions::READ_ON.and(Actions::RAISE_START)),
        Open => (s, Actions::READ_ON.and(Actions::RAISE_TRANSFER)),
        ReadClosed => (s, Actions::REJECT_START),
        // Ends a pause. CLOSE will report the end of the stream.
        Listen | Bound | WriteClosed | Connecting => (s, Actions::READ_ON),
        Reserved | Draining | Free => (s, Actions::NONE),
    }
}

const fn close(s: State, pending: bool) -> (State, Actions) {
    use Phase::*;
    if !pending || matches!(s.phase, WriteClosed) {
        return released(s);
    }
    if s.closing {
        return (s, Actions::NONE);
    }
    match s.phase {
        ReadClosed => (
            State {
                phase: ReadClosed,
                closing: true,
            },
            Actions::NONE,
        ),
        Reserved => (
            State {
                phase: Reserved,
                closing: true,
            },
            Actions::RAISE_CLOSE,
        ),
        Connecting => (
            State {
                phase: Connecting,
                closing: true,
            },
            Actions::RAISE_CLOSE.and(Actions::READ_OFF),
        ),
        _ => (
            State {
                phase: ReadClosed,
                closing: true,
            },
            Actions::RAISE_CLOSE
                .and(Actions::READ_OFF)
                .and(Actions::SHUT_READ),
        ),
    }
}

const fn end_of_stream(s: State, pending: bool) -> (State, Actions) {
    use Phase::*;
    match s.phase {
        ReadClosed if s.closing && !pending => (State::FREE, release(s.phase)),
        WriteClosed => released(s),
        Open | Bound | Accepted => (
            State::new(ReadClosed),
            Actions::RAISE_CLOSE
                .and(Actions::READ_OFF)
                .and(Actions::SHUT_READ),
        ),
        _ => (s, Actions::NONE),
    }
}
