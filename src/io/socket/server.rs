//! One socket server: what `struct socket_server` of "socket_server.h" stands for.

use super::addr::{Protocol, SockAddr, UdpAddress};
use super::buffer::{Block, NoMemory, ObjectInterface, Payload};
use super::command::Command;
use super::cork::{self, Looker};
use super::event::Sink;
use super::info::{self, SocketInfo};
use super::keepalive::KeepAlive;
use super::local;
use super::poller::Poller;
use super::polling::{Polling, TICK};
use super::resolve::{self, Lookup, getaddrinfo, system_lookup};
use super::rules::Rules;
use super::shared::{Accept, Clock, Shared};
use super::state::Phase;
use super::sys::{self, Errno};
use super::totals::Figures;
use super::turn::{Done, LoopIteration};
use crate::base::release;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

/// What a server takes from outside.
pub struct Hooks {
    /// The clock of the statistics.
    pub clock: Clock,
    /// The blocking name look-up.
    pub lookup: Arc<Lookup>,
    /// Taking a connection.
    pub accept: Box<Accept>,
    /// Where the server's own log lines go.
    pub report: fn(&str),
    /// What differs between the releases.
    pub rules: Rules,
    /// The turn of a service that the calling thread is in, or has had last, another number for each; 0: it has none. What a
    /// turn has more than one write for is put together, so the thread has to call [`SocketServer::end_turn`] behind it.
    pub turn: fn() -> u64,
}

impl Hooks {
    /// The system's look-up and accept.
    pub fn system(clock: Clock, report: fn(&str)) -> Hooks {
        Hooks {
            clock,
            lookup: Arc::new(system_lookup),
            accept: Box::new(sys::accept),
            report,
            rules: Rules::of(release::version(), release::compiled()),
            turn: || 0,
        }
    }
}

/// A socket server. All methods but [`SocketServer::turn`] are for any thread and never wait for another.
pub struct SocketServer {
    pub(super) shared: Arc<Shared>,
    pub(super) polling: Polling,
}

impl SocketServer {
    /// A server without sockets.
    pub fn new(hooks: Hooks) -> Result<SocketServer, Errno> {
        let poller = Poller::new()?;
        let polling = Polling::new(poller.waits_briefly());
        let shared = Arc::new(Shared::new(poller, hooks));
        Ok(SocketServer { shared, polling })
    }

    /// One turn of the I/O thread; events go to `sink`. With `wait` it sleeps until there is something to do.
    pub fn turn(&self, sink: &mut dyn Sink, wait: bool) -> Done {
        let shared = &self.shared;
        let mut events = shared.events.take();
        let last = self.polling.lock.last();
        let timeout = if wait {
            LoopIteration::timeout(shared, sink, None)
        } else {
            0
        };
        events.wait(shared, timeout);
        let again = sink.awake();
        let (right, before) = self.polling.take();
        if again || !right.is_next(last) {
            events.renew(shared);
        }
        shared.agenda.awake();
        let done = self.act(&right, sink, &mut events, again);
        self.polling.note_turn();
        if self.polling.lock.leave(right, before) {
            self.polling.wake_socket_thread();
        }
        shared.events.put_back(events);
        if wait && done.futile {
            thread::sleep(TICK);
        }
        done
    }

    /// Ends the present or next wait for events without any.
    pub fn wake(&self) {
        self.shared.poller.wake();
    }

    /// Sets the time of the statistics, in centiseconds; nothing if the server reads a clock.
    pub fn update_time(&self, now: u64) {
        if let Clock::Manual(t) = &self.shared.clock {
            t.store(now, Ordering::Relaxed);
        }
    }

    /// Tells the I/O thread to end: its sink gets an exit event.
    pub fn exit(&self) {
        self.shared.ask_exit();
    }

    /// Closes a socket when everything queued is written. `caller`: who asks for it.
    pub fn close(&self, caller: usize, id: i32) {
        let now = false;
        self.shared.post(Command::Close { id, now, caller });
    }

    /// Closes a socket at once. `caller`: who asks for it.
    pub fn shutdown(&self, caller: usize, id: i32) {
        let now = true;
        self.shared.post(Command::Close { id, now, caller });
    }

    /// Has the socket watched for events, for `owner`.
    pub fn start(&self, owner: usize, id: i32) {
        let slot = self.shared.table.slot(id);
        if slot
            .state_of(id)
            .is_some_and(|s| s.phase == Phase::Accepted)
        {
            // What the caller writes from now on follows the start, although the I/O thread has not seen it yet.
            slot.starting.store(true, Ordering::Relaxed);
        }
        self.shared.post(Command::Start { id, owner });
    }

    /// Has the socket not watched for read events until the next start.
    pub fn pause(&self, id: i32) {
        self.shared.post(Command::Pause { id });
    }

    /// Sets TCP_NODELAY.
    pub fn nodelay(&self, id: i32) {
        self.shared.post(Command::NoDelay { id });
    }

    /// Sets the times of TCP keep-alive of a socket, or without one of those that are made from now on. `false`: there is no
    /// such socket.
    pub fn set_keepalive(&self, id: Option<i32>, times: KeepAlive) -> bool {
        let Some(id) = id else {
            self.shared.keepalive.set(times);
            return true;
        };
        let there = self.shared.table.slot(id).state_of(id).is_some();
        if there {
            self.shared.post(Command::KeepAlive { id, times });
        }
        there
    }

    /// A turn ends on this thread ([`Hooks::turn`]): what it has written and the kernel has not got yet goes out.
    #[inline(always)]
    pub fn end_turn(&self) {
        if cork::is_some_here() && (self.shared.turn)() != 0 {
            self.shared.end_turn();
        }
    }

    /// Monitor thread: writes what turns have held back for long by time `now`, in nanoseconds of the monotonic clock. When to
    /// look again.
    pub fn uncork_late(&self, looker: Looker, now: u64) -> u64 {
        self.shared.uncork_late(looker, now)
    }

    /// Before the end of the process: writes all that turns have held back.
    pub fn uncork_all(&self) {
        self.shared.uncork_all();
    }

    /// Sends bytes; `false` if there is no such socket. Without memory for what has to wait nothing is sent; if a part was out
    /// already, the socket is closed, and its owner gets an ERROR event.
    pub fn send(&self, id: i32, payload: Payload) -> Result<bool, NoMemory> {
        self.shared.send(id, payload, false, UdpAddress::NONE)
    }

    /// Sends bytes when nothing of high priority waits; `false` if there is no such socket.
    pub fn send_low(&self, id: i32, payload: Payload) -> Result<bool, NoMemory> {
        self.shared.send(id, payload, true, UdpAddress::NONE)
    }

    /// Sends a datagram; `None` sends to the socket's own peer.
    pub fn send_datagram(
        &self,
        id: i32,
        to: Option<UdpAddress>,
        payload: Payload,
    ) -> Result<bool, NoMemory> {
        self.shared
            .send(id, payload, false, to.unwrap_or(UdpAddress::NONE))
    }

    /// The interface for buffers of kind object.
    pub fn set_objects(&self, interface: ObjectInterface) {
        *self.shared.objects.write() = interface;
    }

    /// See [`SocketServer::set_objects`].
    pub fn objects(&self) -> ObjectInterface {
        *self.shared.objects.read()
    }

    /// Limits queued bytes, per socket and in total; `None` (the default) is no limit. A socket that would exceed one is
    /// closed, and its owner gets an ERROR event.
    pub fn set_limits(&self, per_socket: Option<usize>, total: Option<usize>) {
        self.shared.set_limits(per_socket, total);
    }

    /// Limits the queued bytes of one socket; `None` is the limit of [`SocketServer::set_limits`], `usize::MAX` is none.
    /// Sockets that a listening socket accepts from now on have its limit. `false`: there is no such socket.
    pub fn set_limit(&self, id: i32, bytes: Option<usize>) -> bool {
        self.shared.set_limit(id, bytes)
    }

    /// Bytes that wait to be sent by one socket, and that it has sent. `None`: there is no such socket.
    pub fn output(&self, id: i32) -> Option<(usize, u64)> {
        self.end_turn();
        let slot = self.shared.table.slot(id);
        let output = (
            slot.backlog.load(Ordering::Relaxed),
            slot.written.load(Ordering::Relaxed),
        );
        slot.tag().is(id).then_some(output)
    }

    /// What all sockets have moved so far, and what waits.
    pub fn figures(&self) -> Figures {
        Figures::of(&self.shared)
    }

    /// Logs a line of the server itself.
    pub fn report(&self, text: &str) {
        (self.shared.report)(text);
    }

    /// Connects to `host`; the outcome is an event of the new socket. `None`: no slot is free.
    pub fn connect(&self, owner: usize, host: &CStr, port: i32) -> Option<i32> {
        let id = self.shared.reserve(Protocol::Tcp, owner)?;
        self.shared.post(Command::Connect {
            id,
            host: resolve::named(host),
            port,
        });
        Some(id)
    }

    /// Listens on an address (all IPv4 ones if there is no host), or on `unix:PATH`. `None`: that is not possible.
    pub fn listen(
        &self,
        owner: usize,
        host: Option<&CStr>,
        port: i32,
        backlog: i32,
    ) -> Option<i32> {
        let fd = match host.and_then(local::path) {
            Some(path) => local::bind(path).ok()?,
            None => bind_to(host, port, libc::SOCK_STREAM)?.0,
        };
        sys::listen(&fd, backlog).ok()?;
        // Those that are accepted inherit it.
        if let Some(times) = self.shared.keepalive.get() {
            times.apply(fd.as_raw_fd());
        }
        // The kernel may take a connection back between the event and the accept.
        sys::set_nonblocking(fd.as_raw_fd());
        let id = self.shared.reserve(Protocol::Tcp, owner)?;
        self.shared.post(Command::Listen { id, fd });
        Some(id)
    }

    /// Watches a descriptor of the application's own.
    pub fn bind(&self, owner: usize, fd: RawFd) -> Option<i32> {
        let id = self.shared.reserve(Protocol::Tcp, owner)?;
        self.shared.post(Command::Bind { id, fd });
        Some(id)
    }

    /// A UDP socket, bound if there is a host or a port.
    pub fn udp(&self, owner: usize, host: Option<&CStr>, port: i32) -> Option<i32> {
        let (fd, protocol) = if host.is_some() || port != 0 {
            let (fd, addr) = bind_to(host, port, libc::SOCK_DGRAM)?;
            (fd, addr.udp_protocol()?)
        } else {
            (
                sys::socket(libc::AF_INET, libc::SOCK_DGRAM, true).ok()?,
                Protocol::Udp4,
            )
        };
        self.adopt_udp(owner, fd, protocol)
    }

    /// A UDP socket bound to a port.
    pub fn udp_listen(&self, owner: usize, host: Option<&CStr>, port: i32) -> Option<i32> {
        if port == 0 {
            return None;
        }
        self.udp(owner, host, port)
    }

    /// A UDP socket with a peer.
    pub fn udp_dial(&self, owner: usize, host: &CStr, port: i32) -> Option<i32> {
        let addr = first_udp(host, port)?;
        let fd = sys::socket(addr.family(), libc::SOCK_DGRAM, true).ok()?;
        let id = self.shared.reserve(addr.udp_protocol()?, owner)?;
        self.shared.set_peer(id, UdpAddress::from_sock(&addr)?);
        self.shared.post(Command::Udp { id, fd });
        Some(id)
    }

    /// Sets the peer of a UDP socket. `false`: no such socket, or no such host. (For a peer of the wrong family
    /// the owner gets an ERROR event.)
    pub fn udp_connect(&self, id: i32, host: &CStr, port: i32) -> bool {
        if self.shared.table.slot(id).state_of(id).is_none() {
            return false;
        }
        let Some(addr) = first_udp(host, port)
            .as_ref()
            .and_then(UdpAddress::from_sock)
        else {
            return false;
        };
        self.shared.set_peer(id, addr)
    }

    fn adopt_udp(&self, owner: usize, fd: OwnedFd, protocol: Protocol) -> Option<i32> {
        sys::set_nonblocking(fd.as_raw_fd());
        let id = self.shared.reserve(protocol, owner)?;
        self.shared.post(Command::Udp { id, fd });
        Some(id)
    }

    /// Statistics of all sockets, the highest slot first: a list for `socket_info_release`, null if there are none.
    pub fn info(&self) -> *mut SocketInfo {
        self.end_turn();
        info::list(&self.shared)
    }

    /// The largest number of the ids given so far is moved, to reach the end of the range soon.
    #[cfg(all(test, not(feature = "loom")))]
    pub fn set_last_id(&self, id: i32) {
        self.shared.table.set_last_id(id);
    }
}

impl Drop for SocketServer {
    fn drop(&mut self) {
        // Closes what is open. A resolver thread may still hold `shared`, so this cannot be left to the table; what it asks for is
        // dropped with that.
        for slot in self.shared.table.touched() {
            // SAFETY: nobody else uses the sockets any more.
            unsafe {
                drop(slot.handoff.take_handed::<Block>());
                slot.claim.clear();
            }
            let tag = slot.tag();
            if tag.state().phase == Phase::Free {
                continue;
            }
            self.shared.discard(slot);
            let fd = slot.fd.swap(-1, Ordering::Relaxed);
            if fd >= 0 && tag.state().phase != Phase::Bound {
                sys::close(fd);
            }
            self.shared.table.release(tag.id());
        }
    }
}

/// Binds a new socket to the first address of `host` that can be bound.
fn bind_to(host: Option<&CStr>, port: i32, kind: i32) -> Option<(OwnedFd, SockAddr)> {
    let host = host.filter(|h| !h.is_empty()).unwrap_or(c"0.0.0.0");
    getaddrinfo(host, port, kind, false)
        .ok()?
        .into_iter()
        .find_map(|addr| {
            let fd = sys::socket(addr.family(), kind, false).ok()?;
            sys::bind(&fd, &addr).ok()?;
            Some((fd, addr))
        })
}

fn first_udp(host: &CStr, port: i32) -> Option<SockAddr> {
    getaddrinfo(host, port, libc::SOCK_DGRAM, false)
        .ok()?
        .into_iter()
        .next()
}
