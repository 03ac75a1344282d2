//! A gate at work: its clients, and what happens to what they send.

mod stream;
mod unread;

use std::collections::{HashMap, VecDeque};
use std::ffi::{CStr, CString};

use libc::{c_int, c_void};
use skynet_sys::block::{Block, NoMemory};
use skynet_sys::{
    Context, PTYPE_CLIENT, PTYPE_TAG_DONTCOPY, PTYPE_TAG_ENDING, PTYPE_TEXT, SOCKET_BUFFER_MEMORY,
    SendBuffer, SocketMessage, skynet_error, skynet_queryname, skynet_send, skynet_socket_close,
    skynet_socket_sendbuffer, skynet_socket_start, socket_type,
};

use crate::flow::Flows;
use crate::frame::{Decoder, Frame, LIMIT};
use crate::limits::{self, GRACE, Limits, Lines};
use crate::text::{Command, Parameter};
use crate::turn::{Turn, Waiting};
use crate::unread::Unread;

/// Bytes of a client's address that are passed on.
const ADDRESS: usize = 31;
/// Bytes of the id behind what is written to a client.
const ID: usize = 4;

/// A connection.
struct Client {
    /// Who gets the frames, and in whose name; 0 for the watchdog.
    agent: u32,
    source: u32,
    /// None when the stream could not be read any further.
    decoder: Option<Decoder>,
    /// When it has come, and from where.
    since: u64,
    address: String,
    turn: Turn,
    /// When the last one was over.
    last_turn: u64,
    /// Whom its frames are counted for in `flows`, 0: nobody.
    counted: u32,
    /// Messages with which who gets the frames is behind.
    limit: u64,
    waiting: Waiting,
    /// It is in the list of those who wait for their turn.
    held: bool,
    paused: bool,
    /// Its connection is gone, which is told when nothing waits.
    ending: bool,
}

/// A gate at work.
pub struct Gate {
    context: *mut Context,
    listener: Option<c_int>,
    watchdog: u32,
    broker: u32,
    /// `PTYPE_*` of forwarded frames.
    tag: c_int,
    width: usize,
    max: usize,
    clients: HashMap<c_int, Client>,
    limits: Limits,
    lines: Lines,
    /// A look at all clients is to come: session of the timer.
    watching: Option<c_int>,
    /// When the last one was.
    looked: u64,
    /// Clients that wait for their turn.
    held: VecDeque<c_int>,
    /// What was sent to services that get frames.
    flows: Flows,
    /// Session of the timer for those.
    relief: Option<c_int>,
    /// There were no descriptors left, and silent clients that are too young to be closed for that: session of the timer.
    starved: Option<c_int>,
    /// The last connection could not be accepted.
    fails: bool,
    /// What clients have not read.
    unread: Unread,
    /// Session of the timer for that.
    reading: Option<c_int>,
}

/// Writes a line to the error log.
///
/// # Safety
/// `context` is a live service.
pub unsafe fn log(context: *mut Context, text: &str) {
    let len = text.len() as c_int;
    // SAFETY: contract of this function; this format takes the length and the bytes.
    unsafe { skynet_error(context, c"%*s".as_ptr(), len, text.as_ptr()) };
}

/// The handle of a name, 0 for none.
///
/// # Safety
/// As for [`log`].
pub unsafe fn query(context: *mut Context, name: &str) -> u32 {
    let Ok(name) = CString::new(name) else {
        return 0;
    };
    // SAFETY: contract of this function.
    unsafe { skynet_queryname(context, name.as_ptr()) }
}

impl Gate {
    /// A gate without clients.
    pub fn new(context: *mut Context, listener: c_int, watchdog: u32, given: &Parameter) -> Gate {
        // SAFETY: the caller's service is alive.
        let get = |key: &CStr| unsafe { limits::command(context, c"GETENV", key) };
        Gate {
            context,
            listener: Some(listener),
            watchdog,
            broker: 0,
            tag: match given.tag & 0xff {
                0 => PTYPE_CLIENT,
                tag => tag,
            },
            width: given.width,
            max: given.max,
            clients: HashMap::new(),
            limits: Limits::read(get, LIMIT),
            lines: Lines::default(),
            watching: None,
            looked: 0,
            held: VecDeque::new(),
            flows: Flows::default(),
            relief: None,
            starved: None,
            fails: false,
            unread: Unread::new(get),
            reading: None,
        }
    }

    /// Closes all sockets.
    pub fn close_all(&self) {
        for id in self.clients.keys().copied().chain(self.listener) {
            self.close(id);
        }
    }

    fn log(&self, text: &str) {
        // SAFETY: the service is alive while it works.
        unsafe { log(self.context, text) }
    }

    fn close(&self, id: c_int) {
        // SAFETY: the service is alive while it works; the core looks the id up, and one that is no socket does nothing.
        unsafe { skynet_socket_close(self.context, id) }
    }

    /// Sends a block; it is gone in every case. Whether somebody gets it.
    fn send(&self, source: u32, to: u32, ty: c_int, session: c_int, block: Block) -> bool {
        let (data, size) = block.into_raw();
        let ty = ty | PTYPE_TAG_DONTCOPY;
        // SAFETY: as above; the core takes the block over.
        unsafe { skynet_send(self.context, source, to, ty, session, data, size) >= 0 }
    }

    /// Tells the watchdog about a client. Whether it hears of it.
    fn report(&self, ty: c_int, text: &str) -> bool {
        let data = text.as_ptr().cast_mut().cast();
        // SAFETY: as above; the core copies the text.
        self.watchdog == 0
            || unsafe { skynet_send(self.context, 0, self.watchdog, ty, 0, data, text.len()) >= 0 }
    }

    /// Tells it that a client of which it knows is gone: a full mailbox takes that.
    fn report_end(&self, id: c_int) {
        self.report(PTYPE_TEXT | PTYPE_TAG_ENDING, &format!("{id} close"));
    }

    /// Whether the watchdog is there.
    fn is_watched(&self) -> bool {
        let address = CString::new(format!(":{:08x}", self.watchdog)).unwrap_or_default();
        // SAFETY: the service is alive while it works.
        unsafe { limits::command(self.context, c"MQLEN", &address) }.is_some()
    }

    /// Runs a command.
    pub fn command(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(text);
        match Command::parse(&text) {
            Some(Command::Incomplete) => {}
            Some(Command::Start(id)) => {
                // One that is held up is read again when it has its turn.
                if self.clients.get(&id).is_some_and(|it| !it.paused) {
                    // SAFETY: the service is alive while it works.
                    unsafe { skynet_socket_start(self.context, id) };
                }
            }
            Some(Command::Kick(id)) => {
                if self.clients.contains_key(&id) {
                    self.close(id);
                }
            }
            Some(Command::Forward(id, agent, source)) => {
                if let Some(client) = self.clients.get_mut(&id) {
                    (client.agent, client.source) = (agent, source);
                }
            }
            // SAFETY: the service is alive while it works, and this thread runs it.
            Some(Command::Broker(name)) => self.broker = unsafe { query(self.context, name) },
            Some(Command::Close) => {
                if let Some(listener) = self.listener.take() {
                    self.close(listener);
                }
            }
            None => self.log(&format!("[gate] Unknown command : {text}")),
        }
    }

    /// Sends a frame on. Whether somebody gets it.
    fn forward(&self, id: c_int, agent: u32, source: u32, frame: Frame) -> Result<bool, NoMemory> {
        let copy = |prefix: &str| {
            let bytes = match &frame {
                Frame::Whole(bytes) => bytes,
                Frame::Collected(block) => block.bytes(),
            };
            let mut block = Block::default();
            block.reserve(prefix.len() + bytes.len())?;
            block.extend(prefix.as_bytes())?;
            block.extend(bytes)?;
            Ok(block)
        };
        let (to, source) = match self.broker {
            0 => (agent, source),
            broker => (broker, 0),
        };
        if to == 0 && self.watchdog == 0 {
            return Ok(false);
        }
        if to == 0 {
            let block = copy(&format!("{id} data "))?;
            return Ok(self.send(0, self.watchdog, PTYPE_TEXT, id, block));
        }
        let block = match frame {
            Frame::Collected(block) => block,
            Frame::Whole(_) => copy("")?,
        };
        Ok(self.send(source, to, self.tag, id, block))
    }

    /// A client is not among `clients` any more.
    fn forget(&mut self, id: c_int, client: &Client) {
        self.flows.leave(client.counted);
        self.unread.forget(id);
    }

    /// The connection of a client is gone, and all that it had sent was sent on.
    fn end(&mut self, id: c_int) {
        if let Some(client) = self.clients.remove(&id) {
            self.forget(id, &client);
            self.report_end(id);
            self.close(id);
        }
    }

    /// Writes a line about a connection, unless there are too many of them.
    fn complain(&mut self, address: &str, what: &str) {
        if let Some(more) = self.lines.next(limits::now()) {
            self.log(&format!("gate: the connection from {address} {what}{more}"));
        }
    }

    /// Closes a client's connection; for the watchdog it is as if the client had.
    fn expel(&mut self, id: c_int, why: &str) {
        if let Some(client) = self.clients.remove(&id) {
            self.forget(id, &client);
            self.complain(&client.address, &format!("is closed: {why}"));
            self.report_end(id);
            self.close(id);
        }
    }

    /// The client that has been silent for longest, if that is long enough.
    fn longest_silent(&mut self) -> Option<c_int> {
        let now = limits::now();
        if now.saturating_sub(self.looked) < 10 {
            return None; // a look at all sockets costs something
        }
        self.looked = now;
        let traffic = limits::traffic();
        let silent = self.clients.iter().filter(|(id, client)| {
            let quiet = traffic.get(id).is_none_or(|it| self.limits.is_silent(it));
            quiet && now.saturating_sub(client.since) >= GRACE
        });
        let oldest = silent.min_by_key(|(_, client)| client.since);
        oldest.map(|(id, _)| *id)
    }

    /// No connection could be accepted, for there are no descriptors left for this node: closes the older half of those that
    /// have said nothing, if they have been there for long enough; and looks again as long as others are too young for that,
    /// and none can be accepted.
    fn starve(&mut self) {
        let (traffic, now) = (limits::traffic(), limits::now());
        let silent = |(id, client): (&c_int, &Client)| {
            let quiet = traffic.get(id).is_none_or(|it| self.limits.is_silent(it));
            (quiet && !client.held).then_some((client.since, *id))
        };
        let mut silent: Vec<_> = self.clients.iter().filter_map(silent).collect();
        silent.sort_unstable();
        let half = silent.len().div_ceil(2);
        let old = |&&(since, _): &&(u64, c_int)| now.saturating_sub(since) >= GRACE;
        let old = silent.iter().take(half).take_while(old).map(|it| it.1);
        let old: Vec<c_int> = old.collect();
        let some_are_young = old.len() < half;
        for id in old {
            self.expel(id, "it has said nothing, and there are no descriptors left");
        }
        self.starved = None;
        if some_are_young {
            // SAFETY: the service is alive while it works.
            self.starved = unsafe { limits::timeout(self.context, GRACE) };
        }
    }

    /// A timer has come.
    pub fn timer(&mut self, session: c_int) {
        if self.relief == Some(session) {
            self.relief = None;
            self.relieve();
        } else if self.starved == Some(session) {
            self.starved = None;
            if self.fails {
                self.starve();
            }
        } else if self.watching == Some(session) {
            self.watching = None;
            self.look();
        } else if self.reading == Some(session) {
            self.reading = None;
            self.look_at_unread();
        }
    }

    /// Looks for clients that have to go.
    fn look(&mut self) {
        let (traffic, now) = (limits::traffic(), limits::now());
        // One that is held says nothing because it is not read.
        let clients = self.clients.iter().filter(|(_, client)| !client.held);
        let verdicts = clients.filter_map(|(id, client)| {
            // One that was not started yet is in no statistics.
            let traffic = traffic.get(id).unwrap_or(&limits::NOTHING);
            let verdict = self.limits.verdict(traffic, client.since, now);
            verdict.map(|why| (*id, why))
        });
        for (id, why) in verdicts.collect::<Vec<_>>() {
            self.expel(id, &why);
        }
        self.watch();
    }

    fn watch(&mut self) {
        if let Some(pause) = self.limits.pause()
            && self.watching.is_none()
            && !self.clients.is_empty()
        {
            // SAFETY: the service is alive while it works.
            self.watching = unsafe { limits::timeout(self.context, pause) };
        }
    }

    /// Why a connection is not let in.
    fn refusal(&mut self, address: &str) -> Option<String> {
        let limit = self.limits.per_address;
        if limit > 0 {
            let host = limits::host(address);
            let others = self.clients.values().map(|it| limits::host(&it.address));
            if others.filter(|it| *it == host).count() >= limit {
                return Some(format!(
                    "is turned away: there are {limit} from that address"
                ));
            }
        }
        if self.clients.len() >= self.max {
            match self.longest_silent() {
                Some(id) => self.expel(id, "it has said nothing, and there is no room for others"),
                None => {
                    return Some(format!(
                        "is turned away: there are {} connections",
                        self.max
                    ));
                }
            }
        }
        None
    }

    fn accept(&mut self, listener: c_int, id: c_int, address: &[u8]) {
        if self.listener != Some(listener) {
            return self.close(id);
        }
        self.fails = false;
        let address = String::from_utf8_lossy(&address[..address.len().min(ADDRESS)]).into_owned();
        if let Some(why) = self.refusal(&address) {
            self.complain(&address, &why);
            return self.close(id);
        }
        let client = Client {
            agent: 0,
            source: 0,
            decoder: Some(Decoder::new(self.width, self.limits.frame)),
            since: limits::now(),
            address: address.clone(),
            turn: Turn::default(),
            last_turn: 0,
            counted: 0,
            limit: u64::MAX,
            waiting: Waiting::default(),
            held: false,
            paused: false,
            ending: false,
        };
        let text = format!("{id} open {id} {address}:0");
        if !self.report(PTYPE_TEXT, &text) && self.is_watched() {
            // Its mailbox is full: nobody would ever close this one.
            self.complain(&address, "is turned away: the watchdog is behind");
            return self.close(id);
        }
        self.clients.insert(id, client);
        self.watch();
        self.log(&format!("socket open: {id:x}"));
    }

    /// An event of a socket. Takes the data; `text` is what follows the message.
    pub fn event(&mut self, message: &SocketMessage, text: &[u8]) {
        let &SocketMessage { id, ud, .. } = message;
        match message.r#type {
            socket_type::DATA => {
                // SAFETY: such a message owns `ud` bytes at `buffer`.
                let data = unsafe { Block::from_raw(message.buffer.cast(), ud.max(0) as usize) };
                self.receive(id, data);
            }
            socket_type::CONNECT
                if self.listener != Some(id) && !self.clients.contains_key(&id) =>
            {
                self.log(&format!("Close unknown connection {id}"));
                self.close(id);
            }
            socket_type::ERROR if self.listener == Some(id) => {
                self.fails = true;
                if self.starved.is_none() {
                    self.starve();
                }
            }
            socket_type::CLOSE | socket_type::ERROR => match self.clients.get_mut(&id) {
                Some(client) if client.held => client.ending = true,
                _ => self.end(id),
            },
            socket_type::ACCEPT => self.accept(id, ud, text),
            socket_type::WARNING => {
                self.log(&format!("fd ({id}) send buffer ({ud})K"));
                if ud > 0 {
                    self.note_unread(id);
                }
            }
            _ => {}
        }
    }

    /// Writes a message without the id at its end to that client. Whether it was taken over.
    ///
    /// # Safety
    /// `msg` is a block of the C allocator with `sz` bytes.
    pub unsafe fn write(&self, source: u32, msg: *const c_void, sz: usize) -> bool {
        if sz <= ID {
            self.log(&format!("Invalid client message from {source:x}"));
            return false;
        }
        // SAFETY: contract of this function.
        let id = unsafe { msg.byte_add(sz - ID).cast::<[u8; ID]>().read() };
        let id = i32::from_le_bytes(id);
        if !self.clients.contains_key(&id) {
            self.log(&format!("Invalid client id {id} from {source:x}"));
            return false;
        }
        let mut buffer = SendBuffer {
            id,
            r#type: SOCKET_BUFFER_MEMORY,
            buffer: msg,
            sz: sz - ID,
        };
        // SAFETY: the service is alive while it works; the core takes the block over in every case.
        unsafe { skynet_socket_sendbuffer(self.context, &mut buffer) };
        true
    }
}
