//! What a harbor knows: the connections to other nodes, the global names, and the messages that wait for either.

use std::collections::HashMap;
use std::ffi::CStr;

use libc::c_int;
use skynet_seri::has_pointer;
use skynet_sys::block::Block;

use super::frame::{self, Cookie, Decoder, Malformed, Unsendable};
use super::{NAME, Name};

/// Harbor ids are less.
pub const HARBORS: usize = 256;
const HARBOR_SHIFT: u32 = 24;
const LOCAL: u32 = (1 << HARBOR_SHIFT) - 1;

/// `PTYPE_*` that are about this process: from another node they would be addresses of its memory.
const PRIVATE: [u8; 3] = [4, 5, 6];
const ERROR: u8 = 7;
const RESPONSE: u8 = 1;
/// `PTYPE_*` of serialised Lua values: of queues, debug, lua, snax. Answers do not say what they are: bytes of a protocol of
/// the program's own (`08 03 12 06` and six letters, say, of protobuf) may look like values with an address.
const SERIALISED: [u8; 4] = [8, 9, 10, 11];

/// Messages that may wait for names and connections, together.
const MAX_WAITING: usize = 262_144;
/// Bytes of them.
const MAX_WAITING_BYTES: usize = 256 * 1024 * 1024;
/// Bytes of messages that have not come as a whole, of all connections together.
const MAX_UNFINISHED: usize = 256 * 1024 * 1024;
/// With less than that of a connection, nobody looks.
const LOOK: usize = 1024 * 1024;

/// What a harbor does with the node that it is in. The core's functions, or a list for a test.
pub trait Node {
    /// Sends to a service of this node; false if there is none.
    fn deliver(&mut self, to: u32, letter: Letter) -> bool;
    /// Sends a `PTYPE_ERROR` to a service of any node: `destination` does not answer.
    fn fail(&mut self, destination: u32, source: u32, session: c_int);
    /// Sends a text to the service that keeps the connections.
    fn tell(&mut self, text: &[u8]);
    /// Writes to the error log.
    fn log(&mut self, text: &str);
    /// Takes a socket over.
    fn start(&mut self, fd: c_int);
    /// Sends through a socket.
    fn write(&mut self, fd: c_int, bytes: Block);
    /// Closes a socket.
    fn close(&mut self, fd: c_int);
}

/// A message on its way out.
pub struct Letter {
    /// Handle of the sender.
    pub source: u32,
    /// `PTYPE_*`.
    pub ty: u8,
    /// Session of the message.
    pub session: c_int,
    /// What it carries.
    pub payload: Block,
}

/// The connection to another node.
enum Link {
    /// There has been none; messages wait for it.
    Expected(Vec<(u32, Letter)>),
    /// This side has sent its id and waits for theirs; so do messages.
    Greeting(c_int, Vec<(u32, Letter)>),
    /// Messages pass.
    Open(c_int, Box<Decoder>),
    /// It was lost, or never will be; messages fail.
    Down,
}

/// A global name.
#[derive(Default)]
struct Known {
    /// 0: not registered yet.
    handle: u32,
    waiting: Vec<Letter>,
}

/// How much waits.
#[derive(Default)]
struct Backlog {
    messages: usize,
    bytes: usize,
    /// Messages that were refused since there was room.
    refused: usize,
}

impl Backlog {
    /// Counts a message, if there is room for it.
    fn enter(&mut self, letter: &Letter) -> bool {
        let bytes = self.bytes.saturating_add(letter.payload.len());
        if self.messages >= MAX_WAITING || bytes > MAX_WAITING_BYTES {
            self.refused += 1;
            return false;
        }
        self.messages += 1;
        self.bytes = bytes;
        true
    }

    fn leave(&mut self, letter: &Letter) {
        self.messages -= 1;
        self.bytes -= letter.payload.len();
    }
}

/// One harbor.
pub struct Network<N> {
    /// Where it is.
    pub node: N,
    /// Harbor id of this node.
    id: u32,
    links: Vec<Link>,
    names: HashMap<Name, Known>,
    backlog: Backlog,
}

/// A name as text.
fn shown(name: &Name) -> String {
    let text = CStr::from_bytes_until_nul(name).map_or(&name[..], CStr::to_bytes);
    String::from_utf8_lossy(text).into_owned()
}

impl<N: Node> Network<N> {
    /// The harbor of the node with that id; with 0 there are no other nodes.
    pub fn new(node: N, id: u32) -> Network<N> {
        let link = || match id {
            0 => Link::Down,
            _ => Link::Expected(Vec::new()),
        };
        Network {
            node,
            id,
            links: (0..HARBORS).map(|_| link()).collect(),
            names: HashMap::new(),
            backlog: Backlog::default(),
        }
    }

    /// Sends to a handle of any node.
    pub fn send(&mut self, to: u32, letter: Letter) {
        let harbor = (to >> HARBOR_SHIFT) as usize;
        if harbor as u32 == self.id {
            let Letter {
                source,
                ty,
                session,
                ..
            } = letter;
            // The service of a name may have ended; who asked it by that name waits for an answer.
            if !self.node.deliver(to, letter) && session != 0 && ty != ERROR && ty != RESPONSE {
                self.node.fail(to, source, session);
            }
            return;
        }
        match &mut self.links[harbor] {
            Link::Expected(waiting) | Link::Greeting(_, waiting) => {
                if self.backlog.enter(&letter) {
                    waiting.push((to, letter));
                } else {
                    self.too_much(to, &letter);
                }
            }
            Link::Open(fd, _) => {
                let fd = *fd;
                self.write(fd, to, letter);
            }
            Link::Down => {
                // What no service waits for gets lost without a line, as on a connection that is about to break.
                if letter.session != 0 {
                    self.node.log(&format!(
                        "Drop message to harbor {harbor} from {:x} to {to:x} (session = {}, msgsz = {})",
                        letter.source,
                        letter.session,
                        letter.payload.len()
                    ));
                }
                self.refuse(to, &letter);
            }
        }
    }

    /// There is no room for what has to wait.
    fn too_much(&mut self, to: u32, letter: &Letter) {
        if self.backlog.refused.is_power_of_two() {
            let Backlog {
                messages,
                bytes,
                refused,
            } = self.backlog;
            self.node.log(&format!(
                "{messages} messages of {bytes} bytes wait for names or harbors, no more may: {refused} refused"
            ));
        }
        self.refuse(to, letter);
    }

    /// Tells the sender that the service is gone.
    fn refuse(&mut self, to: u32, letter: &Letter) {
        // A message that reports an error is no request.
        if letter.ty != ERROR {
            self.node.fail(to, letter.source, letter.session);
        }
    }

    fn write(&mut self, fd: c_int, to: u32, letter: Letter) {
        let cookie = Cookie {
            source: letter.source,
            destination: to & LOCAL,
            ty: letter.ty,
            session: letter.session,
        };
        let why = match frame::encode(letter.payload.bytes(), cookie) {
            // Whether the socket takes them does not matter: a broken one is reported by a message.
            Ok(bytes) => return self.node.write(fd, bytes),
            Err(Unsendable::TooLarge) => "is too large.",
            Err(Unsendable::NoMemory) => "does not fit into the memory.",
        };
        let source = letter.source;
        self.node.log(&format!(
            "remote message from :{source:08x} to :{to:08x} {why}"
        ));
        self.refuse(to, &letter);
    }

    /// Sends to a global name; waits until a service has it.
    pub fn send_to_name(&mut self, name: Name, letter: Letter) {
        let known = self.names.entry(name).or_default();
        if known.handle != 0 {
            let handle = known.handle;
            return self.send(handle, letter);
        }
        if !self.backlog.enter(&letter) {
            if known.waiting.is_empty() {
                self.names.remove(&name);
            }
            return self.too_much(0, &letter);
        }
        known.waiting.push(letter);
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(NAME);
        self.node.tell(&[b"Q ", &name[..end]].concat());
    }

    /// A service has the name from now on.
    pub fn name(&mut self, name: Name, handle: u32) {
        let known = self.names.entry(name).or_default();
        known.handle = handle;
        let waiting = std::mem::take(&mut known.waiting);
        waiting.iter().for_each(|letter| self.backlog.leave(letter));
        let harbor = (handle >> HARBOR_SHIFT) as usize;
        let lost = matches!(self.links[harbor], Link::Down) && harbor as u32 != self.id;
        if lost && !waiting.is_empty() {
            self.node.log(&format!(
                "Drop message to {} (in harbor {harbor})",
                shown(&name)
            ));
            for letter in waiting {
                self.refuse(handle, &letter);
            }
            return;
        }
        for letter in waiting {
            self.send(handle, letter);
        }
    }

    /// No service has the name. Requests that wait for it fail; what waits without a session is gone.
    pub fn give_up(&mut self, name: &Name) {
        let Some(known) = self.names.get_mut(name) else {
            return;
        };
        if known.handle != 0 {
            return; // a service has it after all
        }
        let waiting = std::mem::take(&mut known.waiting);
        waiting.iter().for_each(|letter| self.backlog.leave(letter));
        self.names.remove(name);
        for letter in waiting.iter().filter(|letter| letter.session != 0) {
            self.refuse(0, letter);
        }
    }

    /// There is a connection to another node: `accepted`, or made by this node, which waits for the id of the other side.
    pub fn connect(&mut self, fd: c_int, harbor: usize, accepted: bool) {
        let waiting = match &mut self.links[harbor] {
            Link::Expected(waiting) => std::mem::take(waiting),
            // A node that was lost has come back.
            Link::Down => Vec::new(),
            Link::Greeting(..) | Link::Open(..) => {
                return self.node.log(&format!("Harbor {harbor} alreay exist"));
            }
        };
        self.node.start(fd);
        let mut greeting = Block::default();
        if greeting.extend(&[self.id as u8]).is_err() {
            return self.lose(harbor);
        }
        self.node.write(fd, greeting);
        self.links[harbor] = Link::Greeting(fd, waiting);
        if accepted {
            self.open(harbor);
        }
    }

    /// Both sides know each other.
    fn open(&mut self, harbor: usize) {
        let Link::Greeting(fd, waiting) = &mut self.links[harbor] else {
            return;
        };
        let (fd, waiting) = (*fd, std::mem::take(waiting));
        self.links[harbor] = Link::Open(fd, Box::default());
        for (to, letter) in waiting {
            self.backlog.leave(&letter);
            self.write(fd, to, letter);
        }
    }

    /// Closes a connection, or gives up that there will be one. What waits for it fails.
    pub fn lose(&mut self, harbor: usize) {
        let waiting = match std::mem::replace(&mut self.links[harbor], Link::Down) {
            Link::Expected(waiting) => waiting,
            Link::Greeting(fd, waiting) => {
                self.node.close(fd);
                waiting
            }
            Link::Open(fd, _) => {
                self.node.close(fd);
                Vec::new()
            }
            Link::Down => return,
        };
        if !waiting.is_empty() {
            let count = waiting.len();
            self.node
                .log(&format!("Drop {count} messages to harbor {harbor}"));
        }
        for (to, letter) in waiting {
            self.backlog.leave(&letter);
            self.refuse(to, &letter);
        }
        self.node.tell(format!("D {harbor}").as_bytes());
    }

    /// The harbor that a socket leads to.
    pub fn behind(&self, fd: c_int) -> Option<usize> {
        self.links.iter().position(|link| match link {
            Link::Greeting(own, _) | Link::Open(own, _) => *own == fd,
            Link::Expected(_) | Link::Down => false,
        })
    }

    /// Bytes have come through a connection.
    pub fn receive(&mut self, harbor: usize, mut bytes: &[u8]) {
        if let (Link::Greeting(fd, _), [id, rest @ ..]) = (&self.links[harbor], bytes) {
            if usize::from(*id) != harbor {
                self.node.log(&format!(
                    "Invalid shakehand id ({harbor}) from fd = {fd} , harbor = {id}"
                ));
                return self.lose(harbor);
            }
            bytes = rest;
            self.open(harbor);
        }
        while let Link::Open(_, decoder) = &mut self.links[harbor] {
            match decoder.next(&mut bytes) {
                Ok(Some((_, Cookie { ty, source, .. }))) if PRIVATE.contains(&ty) => {
                    self.node.log(&format!(
                        "Invalid message type {ty} from harbor {harbor} (from :{source:x})"
                    ));
                    return self.lose(harbor);
                }
                Ok(Some((payload, cookie))) => self.forward(payload, cookie),
                Ok(None) => {
                    if decoder.held() >= LOOK {
                        self.bound_unfinished();
                    }
                    return;
                }
                Err(problem) => {
                    let what = match problem {
                        Malformed::TooLong => "Message is too long",
                        Malformed::TooShort => "Message is too short",
                        Malformed::NoMemory => "No memory for a message",
                    };
                    self.node.log(&format!("{what} from harbor {harbor}"));
                    return self.lose(harbor);
                }
            }
        }
    }

    /// Each connection may have a message of 16 MiB on its way, but not all of them together without limit: the one that
    /// has most of one goes.
    fn bound_unfinished(&mut self) {
        let held = |link: &Link| match link {
            Link::Open(_, decoder) => decoder.held(),
            _ => 0,
        };
        let mut total: usize = self.links.iter().map(held).sum();
        while total > MAX_UNFINISHED {
            let all = self.links.iter().map(held).enumerate();
            let Some((harbor, most)) = all.max_by_key(|(_, bytes)| *bytes) else {
                return;
            };
            self.node.log(&format!(
                "Messages of {total} bytes are unfinished, {most} of them from harbor {harbor}: its connection is closed"
            ));
            self.lose(harbor);
            total -= most;
        }
    }

    /// A message from another node.
    fn forward(&mut self, payload: Block, cookie: Cookie) {
        let Cookie {
            source,
            destination,
            ty,
            session,
        } = cookie;
        let to = destination | self.id << HARBOR_SHIFT;
        if SERIALISED.contains(&ty) && has_pointer(payload.bytes()) {
            return self.refuse_pointer(to, cookie);
        }
        let letter = Letter {
            source,
            ty,
            session,
            payload,
        };
        if !self.node.deliver(to, letter) {
            if ty != ERROR {
                self.node.fail(to, source, session);
            }
            self.node.log(&format!(
                "Unknown destination :{to:x} from :{source:x} type({ty})"
            ));
        }
    }

    /// A message has an address of memory of another process in it, which a service of this one might use.
    fn refuse_pointer(&mut self, to: u32, cookie: Cookie) {
        let Cookie {
            source,
            ty,
            session,
            ..
        } = cookie;
        self.node.log(&format!(
            "Light userdata in a message from :{source:x} to :{to:x} type({ty}): addresses are of no use on another node"
        ));
        if session != 0 {
            self.node.fail(to, source, session);
        }
    }

    /// Closes all connections and forgets what waits, in silence: the node is about to end.
    pub fn shut(&mut self) {
        for link in &mut self.links {
            if let Link::Greeting(fd, _) | Link::Open(fd, _) = link {
                self.node.close(*fd);
            }
            *link = Link::Down;
        }
    }
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
