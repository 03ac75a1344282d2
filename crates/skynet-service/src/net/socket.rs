//! A socket as its service knows it: what has come and was not taken, and who waits. No borrow of the state is held across wakes and calls of
//! the core.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};

use super::output::Output;
use super::{HARD_LIMIT, MOST_WAITING, READ_LIMIT};
use crate::payload::Payload;
use crate::runtime::core::{Core, current, try_current};
use crate::sys;

/// See the module.
pub(super) struct Socket {
    pub(super) id: i32,
    state: RefCell<State>,
    /// The core has been told to close it.
    closed: Cell<bool>,
}

/// What a socket is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Stream,
    Listener,
    Datagrams,
}

pub(super) struct State {
    role: Role,
    /// The core has said that it is open.
    pub(super) is_open: bool,
    /// The text of that: an address.
    pub(super) address: String,
    /// The port of a listener, where the release tells it.
    pub(super) port: Option<u16>,
    /// Nothing comes any more.
    ended: bool,
    /// It failed. Nothing goes out either.
    error: Option<String>,
    /// What was not read, in the order in which it has come.
    input: VecDeque<Payload>,
    /// Whom datagrams are from, as many as there are.
    sources: VecDeque<SocketAddr>,
    /// What of the first was read.
    offset: usize,
    pub(super) waiting: usize,
    pub(super) limit: usize,
    paused: bool,
    /// Connections: ids, and addresses of peers.
    accepted: VecDeque<(i32, String)>,
    pub(super) output: Output,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Socket {
    pub(super) fn new(id: i32, role: Role, is_open: bool, address: String) -> Socket {
        let state = State {
            role,
            is_open,
            address,
            port: None,
            ended: false,
            error: None,
            input: VecDeque::new(),
            sources: VecDeque::new(),
            offset: 0,
            waiting: 0,
            limit: READ_LIMIT,
            paused: false,
            accepted: VecDeque::new(),
            output: Output::new(),
            reader: None,
            writer: None,
        };
        Socket {
            id,
            state: RefCell::new(state),
            closed: Cell::new(false),
        }
    }

    pub(super) fn state(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Changes the state, and wakes whom that may concern.
    fn change(&self, change: impl FnOnce(&mut State) -> Wake) {
        let mut state = self.state();
        let wake = change(&mut state);
        let reader = state
            .reader
            .take_if(|_| matches!(wake, Wake::Reader | Wake::Both));
        let writer = state
            .writer
            .take_if(|_| matches!(wake, Wake::Writer | Wake::Both));
        drop(state);
        for waker in [reader, writer].into_iter().flatten() {
            waker.wake();
        }
    }

    /// It is open now (or, for a listener, has its address).
    pub(super) fn opened(&self, ud: i32, text: String) {
        self.change(|state| {
            // A listener has two such messages from v1.6.0 on; the first has its address.
            let has_begun = state.role != Role::Listener || text == "start";
            if text != "start" && text != "transfer" {
                state.address = text;
                state.port = u16::try_from(ud).ok().filter(|port| *port != 0);
            }
            state.is_open |= has_begun;
            Wake::Both
        });
    }

    pub(super) fn ended(&self) {
        self.change(|state| {
            state.ended = true;
            Wake::Both
        });
    }

    /// Whether it is a listener, and open.
    pub(super) fn listens(&self) -> bool {
        let state = self.state();
        state.role == Role::Listener && state.is_open
    }

    pub(super) fn failed(&self, text: String) {
        self.change(|state| {
            state.ended = true;
            state.error.get_or_insert(text);
            Wake::Both
        });
    }

    /// Bytes, or a datagram of `source`.
    pub(super) fn came(&self, payload: Payload, source: Option<SocketAddr>) {
        let mut pause = false;
        let mut hard = false;
        let mut refused = None;
        self.change(|state| {
            if state.role == Role::Datagrams && state.waiting >= state.limit || self.closed.get() {
                refused = Some(payload);
                return Wake::Nobody;
            }
            state.waiting += payload.len();
            state.input.push_back(payload);
            state.sources.extend(source);
            if state.role == Role::Stream && state.waiting > state.limit && !state.paused {
                pause = true;
                hard = state.waiting > HARD_LIMIT;
            }
            Wake::Reader
        });
        drop(refused);
        if pause {
            self.hold_up(hard);
        }
    }

    /// The peer is to wait. A release that has no way for that gives the stream up when it has far too much.
    fn hold_up(&self, hard: bool) {
        match sys::api().sockets.pause {
            Some(pause) => {
                self.state().paused = true;
                // SAFETY: the context of the service whose turn it is.
                current(|core| unsafe { pause(core.context(), self.id) });
            }
            None if hard => {
                self.end(true);
                self.failed(format!(
                    "the peer sends faster than is read: {HARD_LIMIT} bytes wait, and this release of the core has no skynet_socket_pause"
                ));
            }
            None => {}
        }
    }

    /// A connection. `false`: too many wait.
    pub(super) fn accepted(&self, id: i32, peer: &str) -> bool {
        let mut room = false;
        self.change(|state| {
            room = state.accepted.len() < MOST_WAITING && !self.closed.get();
            if room {
                state.accepted.push_back((id, peer.to_string()));
            }
            Wake::Reader
        });
        room
    }

    /// The next connection.
    pub(super) fn poll_accepted(&self, context: &Context<'_>) -> Poll<io::Result<(i32, String)>> {
        let next = self.state().accepted.pop_front();
        if let Some(next) = next {
            return Poll::Ready(Ok(next));
        }
        if let Some(error) = self.error() {
            return Poll::Ready(Err(error));
        }
        if self.is_closed() || self.state().ended {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        self.wait_to_read(context)
    }

    /// So many KiB wait to be sent; 0 is none any more.
    pub(super) fn output(&self, waiting: i32) {
        self.change(|state| {
            state.output.blocked = waiting > 0;
            if state.output.blocked {
                Wake::Nobody
            } else {
                Wake::Writer
            }
        });
    }

    pub(super) fn wake_writer(&self) {
        self.change(|_| Wake::Writer);
    }

    /// Why it failed, if it did.
    pub(super) fn error(&self) -> Option<io::Error> {
        let state = self.state();
        let text = state.error.as_ref()?;
        let kind = if text.contains("refused") {
            io::ErrorKind::ConnectionRefused
        } else if state.is_open {
            io::ErrorKind::ConnectionReset
        } else {
            io::ErrorKind::Other
        };
        Some(io::Error::new(kind, text.clone()))
    }

    /// Notes who waits for what comes in.
    pub(super) fn wait_to_read<T>(&self, context: &Context<'_>) -> Poll<T> {
        let old = self.state().reader.replace(context.waker().clone());
        drop(old);
        Poll::Pending
    }

    /// Notes who waits until it can write.
    pub(super) fn wait_to_write<T>(&self, context: &Context<'_>) -> Poll<T> {
        let old = self.state().writer.replace(context.waker().clone());
        drop(old);
        Poll::Pending
    }

    /// Whether it is open.
    pub(super) fn poll_open(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.error() {
            return Poll::Ready(Err(error));
        }
        let (is_open, ended) = {
            let state = self.state();
            (state.is_open, state.ended)
        };
        match (is_open, ended) {
            (true, _) => Poll::Ready(Ok(())),
            (false, true) => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            (false, false) => self.wait_to_read(context),
        }
    }

    /// Reads of what has come; `None` at the end.
    pub(super) fn poll_input<T>(
        &self,
        context: &Context<'_>,
        read: impl FnOnce(&mut Input<'_>) -> T,
    ) -> Poll<io::Result<Option<T>>> {
        let mut state = self.state();
        if state.input.is_empty() {
            let ended = state.ended || self.closed.get();
            drop(state);
            if let Some(error) = self.error() {
                return Poll::Ready(Err(error));
            }
            return if ended {
                Poll::Ready(Ok(None))
            } else {
                self.wait_to_read(context)
            };
        }
        let result = read(&mut Input { state: &mut state });
        let resume = state.paused && state.waiting <= state.limit / 2 && !state.ended;
        if resume {
            state.paused = false;
        }
        drop(state);
        if resume && !self.closed.get() {
            self.start();
        }
        Poll::Ready(Ok(Some(result)))
    }

    /// Lets its events in.
    pub(super) fn start(&self) {
        if let Some(start) = sys::api().sockets.start {
            // SAFETY: the context of the service whose turn it is.
            current(|core| unsafe { start(core.context(), self.id) });
        }
    }

    /// It is not this service's any more.
    pub(super) fn closed_by_others(&self) {
        self.closed.set(true);
    }

    /// Closes it, if that was not done: when all was sent, or at once. Outside of its service it is gone with that.
    pub(super) fn end(&self, at_once: bool) {
        if self.closed.replace(true) {
            return;
        }
        try_current(|core| end_id(core, self.id, at_once));
        let accepted = std::mem::take(&mut self.state().accepted);
        for (id, _) in accepted {
            try_current(|core| end_id(core, id, true));
        }
        self.change(|_| Wake::Both);
    }
}

/// Closes a socket.
pub(super) fn end_id(core: &Core, id: i32, at_once: bool) {
    let sockets = &sys::api().sockets;
    let function = if at_once {
        sockets.shutdown.or(sockets.close)
    } else {
        sockets.close
    };
    if let Some(function) = function {
        // SAFETY: the context of the service whose turn it is, which lives until its release has returned.
        unsafe { function(core.context(), id) };
    }
}

/// Whom a change concerns.
enum Wake {
    Reader,
    Writer,
    Both,
    Nobody,
}

/// What has come, which is not empty.
pub(super) struct Input<'a> {
    state: &'a mut State,
}

impl Input<'_> {
    /// Copies as much as there is room for.
    pub(super) fn copy(&mut self, mut room: &mut [u8]) -> usize {
        let before = room.len();
        while !room.is_empty()
            && let Some(first) = self.state.input.front()
        {
            let rest = &first[self.state.offset..];
            let len = rest.len().min(room.len());
            room[..len].copy_from_slice(&rest[..len]);
            room = &mut room[len..];
            self.consume(len);
        }
        before - room.len()
    }

    /// Bytes of the first piece that were not read.
    #[cfg(feature = "tokio")]
    pub(super) fn first(&self) -> &[u8] {
        let first = self.state.input.front();
        first.map_or(&[], |first| &first[self.state.offset..])
    }

    /// So many bytes of the first piece were read.
    pub(super) fn consume(&mut self, len: usize) {
        self.state.offset += len;
        self.state.waiting -= len;
        let is_read = |first: &Payload| self.state.offset >= first.len();
        if self.state.input.front().is_some_and(is_read) {
            self.state.input.pop_front();
            self.state.offset = 0;
        }
    }

    /// The first datagram.
    pub(super) fn take_datagram(&mut self) -> (Payload, SocketAddr) {
        let source = self.state.sources.pop_front();
        let nowhere = SocketAddr::from(([0; 4], 0));
        (self.take(), source.unwrap_or(nowhere))
    }

    /// The first piece, or what of it was not read.
    pub(super) fn take(&mut self) -> Payload {
        let offset = std::mem::take(&mut self.state.offset);
        let payload = self.state.input.pop_front().unwrap_or_default();
        self.state.waiting -= payload.len() - offset;
        if offset == 0 {
            payload
        } else {
            Payload::copy_from(&payload[offset..])
        }
    }
}
