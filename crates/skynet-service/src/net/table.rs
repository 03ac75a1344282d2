//! The sockets of a service by their ids, and the messages about them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_int;
use std::net::SocketAddr;
use std::rc::Rc;

use super::address;
use super::socket::{Role, Socket, end_id};
use crate::logger;
use crate::payload::Payload;
use crate::runtime::core::{Core, current, try_current};
use crate::sys::sockets::SocketMessage;

const DATA: c_int = 1;
const CONNECT: c_int = 2;
const CLOSE: c_int = 3;
const ACCEPT: c_int = 4;
const ERROR: c_int = 5;
const UDP: c_int = 6;
const WARNING: c_int = 7;

/// See the module. Nothing is allocated before the first socket.
#[derive(Default)]
pub(crate) struct Table {
    sockets: RefCell<HashMap<i32, Rc<Socket>>>,
}

/// A socket of the service, which is closed with this.
pub(super) struct Owned(pub(super) Rc<Socket>);

impl Owned {
    /// Notes a socket that the core has just made for this service.
    pub(super) fn new(id: i32, role: Role, is_open: bool, address: String) -> Owned {
        let socket = Rc::new(Socket::new(id, role, is_open, address));
        let old = current(|core| {
            let table = core.pending().sockets.get_or_init(Box::default);
            table.sockets.borrow_mut().insert(id, Rc::clone(&socket))
        });
        drop(old);
        Owned(socket)
    }

    /// Whether the service has a socket of that id, which it has not given away.
    pub(super) fn is_there(id: i32) -> bool {
        current(|core| {
            let table = core.any_pending().and_then(|pending| pending.sockets.get());
            table.is_some_and(|table| table.sockets.borrow().contains_key(&id))
        })
    }

    /// It is somebody else's from now on, and is not closed with this.
    pub(super) fn forget(self) -> i32 {
        self.0.closed_by_others();
        self.0.id
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.end(false);
        let id = self.0.id;
        let gone = try_current(|core| {
            let table = core.any_pending()?.sockets.get()?;
            table.sockets.borrow_mut().remove(&id)
        });
        drop(gone);
    }
}

/// A message of the socket server. The bytes that come along are a block of their own, which the receiver has to free.
struct Event {
    message: SocketMessage,
    payload: Payload,
    /// Of a datagram.
    source: Option<SocketAddr>,
    text: String,
}

impl Event {
    fn parse(bytes: &[u8]) -> Option<Event> {
        let (head, text) = bytes.split_at_checked(size_of::<SocketMessage>())?;
        // SAFETY: so many bytes are there, in whatever alignment; each field may have any value.
        let message = unsafe { head.as_ptr().cast::<SocketMessage>().read_unaligned() };
        let (block, len) = match message.kind {
            DATA | UDP => (message.buffer.cast::<u8>(), message.ud),
            _ => (message.buffer.cast(), 0),
        };
        let len = usize::try_from(len).unwrap_or_default();
        let source = if message.kind == UDP && !block.is_null() {
            // SAFETY: behind the bytes of a datagram stands an address, as long as its first byte says.
            unsafe {
                let address = block.add(len);
                address::parse(std::slice::from_raw_parts(address, address::len(*address)))
            }
        } else {
            None
        };
        // SAFETY: a block of `skynet_malloc` with so many bytes, which belongs to who gets the message; or null.
        let payload = unsafe { Payload::from_raw(block, len) };
        let text = String::from_utf8_lossy(text)
            .trim_end_matches('\0')
            .to_string();
        Some(Event {
            message,
            payload,
            source,
            text,
        })
    }
}

impl Table {
    /// Takes a message of the socket server.
    pub(crate) fn dispatch(&self, core: &Core, bytes: &[u8]) {
        let Some(event) = Event::parse(bytes) else {
            return;
        };
        let SocketMessage { kind, id, ud, .. } = event.message;
        let socket = self.sockets.borrow().get(&id).cloned();
        let Some(socket) = socket else {
            // Late news of one that was closed.
            if kind == ACCEPT {
                end_id(core, ud, true);
            }
            return;
        };
        match kind {
            DATA if !event.payload.is_empty() => socket.came(event.payload, None),
            UDP if event.source.is_some() => socket.came(event.payload, event.source),
            CONNECT => socket.opened(ud, event.text),
            CLOSE => socket.ended(),
            ACCEPT if socket.accepted(ud, &event.text) => {}
            ACCEPT => end_id(core, ud, true),
            // Nothing of it ends: no descriptor was left for one that came, and the core tries again.
            ERROR if socket.listens() => logger::write(
                core.context(),
                &format!("socket: accept error: {}", event.text),
            ),
            ERROR => socket.failed(event.text),
            WARNING => socket.output(ud),
            _ => {}
        }
    }
}
