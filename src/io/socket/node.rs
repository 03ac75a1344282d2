//! The node's one socket server, and the way of its events into mailboxes.

use super::addr::Text;
use super::ahead;
use super::at_rest::Rest;
use super::cork::{self, Looker};
use super::event::{Event, EventKind, Sink};
use super::polling::PollLease;
use super::server::{Hooks, SocketServer};
use super::shared::Clock;
use super::stand_in::{NextLook, StandIn};
use crate::actor::service;
use crate::base::clock;
use crate::base::message::{Message, SocketMessage, ptype, socket_type};
use crate::scheduler::{self, seeded};
use libc::{c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

/// How a [`poll_once`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// The server was told to end (or there is none): leave the loop.
    Exit,
    /// So many events went to services.
    Delivered(usize),
}

static SERVER: AtomicPtr<SocketServer> = AtomicPtr::new(null_mut());

/// The node's server; `None` before [`init`] and after [`free`].
#[inline]
pub fn server() -> Option<&'static SocketServer> {
    // SAFETY: the pointer came from a box that lives until `free`, whose caller promises that no answer of this function is
    // in use.
    unsafe { SERVER.load(Ordering::Acquire).as_ref() }
}

/// Makes the node's server. `false`: the system has no descriptors for it. One that was there and not freed stays for ever:
/// another thread may be using it.
pub fn init() -> bool {
    service::on_socket_message_taken(message_taken);
    let mut hooks = Hooks::system(Clock::Function(clock::now_coarse), super::report);
    hooks.turn = scheduler::current_turn;
    match SocketServer::new(hooks) {
        Ok(s) => {
            SERVER.store(Box::into_raw(Box::new(s)), Ordering::Release);
            true
        }
        Err(e) => {
            let text = e.text();
            let text = String::from_utf8_lossy(text.as_bytes());
            // There is no log service yet.
            eprintln!("socket-server error: create event pool failed ({text}).");
            false
        }
    }
}

/// Tells the I/O thread to end; for any thread.
pub fn exit() {
    if let Some(s) = server() {
        s.exit();
    }
}

/// Closes everything.
///
/// # Safety
/// No other thread uses sockets any more, and no answer of [`server`] or [`try_poll_lease`] is kept.
pub unsafe fn free() {
    let server = SERVER.swap(null_mut(), Ordering::AcqRel);
    if !server.is_null() {
        // SAFETY: it came from a box in `init`, and by contract this thread is its only holder.
        drop(unsafe { Box::from_raw(server) });
    }
}

/// A worker, at the end of a turn of a service: see [`SocketServer::end_turn`].
#[inline(always)]
pub fn end_turn() {
    if cork::is_some_here()
        && let Some(s) = server()
    {
        s.end_turn();
    }
}

/// See [`SocketServer::uncork_late`].
pub fn uncork_late(looker: Looker, now: u64) -> u64 {
    server().map_or(u64::MAX, |s| s.uncork_late(looker, now))
}

/// The process is about to end in the middle of turns: what they have written goes out.
pub fn uncork_all() {
    if let Some(s) = server() {
        s.uncork_all();
    }
}

/// One turn of the I/O thread: waits for events and puts them into the mailboxes of the owners.
pub fn poll_once() -> Poll {
    let Some(s) = server() else { return Poll::Exit };
    let done = s.turn(&mut Mailboxes::default(), true);
    if done.exit {
        Poll::Exit
    } else {
        Poll::Delivered(done.delivered)
    }
}

/// Thread role: socket. The I/O thread's loop, until [`exit`]; idle workers take turns with it ([`try_poll_lease`]), unless
/// time is virtual: then this thread alone makes services ready.
pub fn run() {
    let workers_may_poll = || !clock::is_virtual() && scheduler::has_idle_worker();
    if let Some(s) = server() {
        s.serve(&mut Mailboxes::default(), &workers_may_poll);
    }
}

/// What is to come from the sockets: see [`SocketServer::at_rest`].
pub fn at_rest() -> Rest {
    server().map_or(Rest::Nothing, SocketServer::at_rest)
}

/// How many turns the I/O thread has run.
pub fn turns() -> u32 {
    server().map_or(0, SocketServer::turns)
}

/// For a worker that has nothing to do: see [`SocketServer::try_poll_lease`].
#[inline]
pub fn try_poll_lease(briefly: bool) -> Option<PollLease<'static>> {
    server()?.try_poll_lease(briefly)
}

/// Monitor thread: see [`StandIn::look`]. Where time is virtual or a seed decides, the socket thread alone makes services ready.
pub fn stand_in(state: &mut StandIn, now: u64) -> NextLook {
    match server() {
        Some(s) if !clock::is_virtual() && !seeded::is_on() => {
            state.look(s, &mut Worker(&mut || ()), now)
        }
        _ => NextLook::Never,
    }
}

/// A worker waits for events in place of the socket thread, no longer than `limit`, and puts them into the mailboxes.
/// `awake` is called in between.
pub fn poll(lease: PollLease<'static>, limit: Option<Duration>, awake: &mut dyn FnMut()) {
    lease.turn(&mut Worker(awake), limit);
}

/// The sink of a thread that polls in place of the socket thread.
struct Worker<'a>(&'a mut dyn FnMut());

impl Sink for Worker<'_> {
    fn deliver(&mut self, event: Event) -> bool {
        deliver(event)
    }

    fn awake(&mut self) -> bool {
        (self.0)();
        false
    }

    fn counts(&self) -> bool {
        true
    }
}

/// A PTYPE_SOCKET message is about to be handled, or dropped: its bytes are no longer ahead of the service.
fn message_taken(head: &SocketMessage) {
    let Ok(bytes) = usize::try_from(head.ud) else {
        return;
    };
    let bytes = match head.r#type {
        socket_type::DATA => bytes,
        socket_type::UDP => ahead::weight(bytes),
        _ => return,
    };
    if bytes > 0
        && let Some(s) = server()
    {
        s.handled(head.id, bytes);
    }
}

/// Ends the wait of a worker in [`super::polling`].
pub fn wake_poller() {
    if let Some(s) = server() {
        s.wake();
    }
}

/// The sink that makes PTYPE_SOCKET messages of events.
#[derive(Default)]
struct Mailboxes {
    /// From the end of a wait to the next: in a seeded order, no service runs while others are made ready.
    between: seeded::Between,
}

impl Sink for Mailboxes {
    fn counts(&self) -> bool {
        true
    }

    fn falls_asleep(&mut self) {
        self.between = None;
        if clock::is_virtual() {
            // The clock may have waited for this thread.
            scheduler::watchdog::TIMER.ring();
        }
    }

    fn awake(&mut self) -> bool {
        if self.between.is_none() {
            self.between = seeded::between_steps();
        }
        self.between.is_some()
    }

    fn deliver(&mut self, event: Event) -> bool {
        deliver(event)
    }
}

/// Puts an event into the mailbox of the socket's owner. `false`: there is no owner.
fn deliver(event: Event) -> bool {
    let none = Text::new();
    let (ty, ud, text, data) = match event.what {
        EventKind::Exit => return true,
        EventKind::Data(data) => (socket_type::DATA, data.len() as c_int, none, Some(data)),
        EventKind::Udp(data) => (socket_type::UDP, data.len() as c_int, none, Some(data)),
        EventKind::Open { text, number } => (socket_type::CONNECT, number, text, None),
        EventKind::Accept { id, text } => (socket_type::ACCEPT, id, text, None),
        EventKind::Error(text) => (socket_type::ERROR, 0, text, None),
        EventKind::Close => (socket_type::CLOSE, 0, none, None),
        EventKind::Warning(kib) => (socket_type::WARNING, kib, none, None),
    };
    let text = text.as_bytes();
    let size = size_of::<SocketMessage>() + text.len();
    // SAFETY: malloc takes any size.
    let block = unsafe { libc::malloc(size) };
    if block.is_null() {
        std::alloc::handle_alloc_error(std::alloc::Layout::new::<SocketMessage>());
    }
    let buffer = data.map_or(null_mut(), |d| d.into_raw()).cast::<c_char>();
    let head = SocketMessage {
        r#type: ty,
        id: event.id,
        ud,
        buffer,
    };
    // SAFETY: the block has room for the head and the text, and malloc's alignment suits the head.
    unsafe {
        block.cast::<SocketMessage>().write(head);
        let tail = block.cast::<u8>().add(size_of::<SocketMessage>());
        std::ptr::copy_nonoverlapping(text.as_ptr(), tail, text.len());
    }
    let message = Message::with_data(0, ptype::SOCKET, 0, block, size);
    if !service::push(event.owner as u32, message) {
        // SAFETY: the message was given back, so both blocks are this function's again.
        unsafe {
            libc::free(buffer.cast::<c_void>());
            libc::free(block);
        }
        return false;
    }
    true
}
