//! A server with its I/O thread, whose events are awaited one by one.

use crate::io::socket::{Clock, Event, EventKind, Hooks, Payload, SocketServer};
use std::ffi::CString;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Long enough for anything that happens at all.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Owner of sockets that has "died": events for it are refused.
pub const DEAD: usize = 0xdead;

pub struct Node {
    pub server: Arc<SocketServer>,
    events: Receiver<Event>,
    thread: Option<JoinHandle<()>>,
    /// Turns of the I/O thread so far.
    #[allow(dead_code)]
    pub turns: Arc<AtomicUsize>,
    /// Turns of workers that had events.
    pub worker_turns: Arc<AtomicUsize>,
    workers: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    kept: Mutex<Vec<Event>>,
    settled: AtomicI32,
}

pub fn hooks() -> Hooks {
    Hooks::system(Clock::Manual(AtomicU64::new(7)), |_| {})
}

impl Node {
    pub fn new() -> Node {
        Node::with(hooks())
    }

    pub fn with(hooks: Hooks) -> Node {
        let server = Arc::new(SocketServer::new(hooks).unwrap());
        let (tx, events): (Sender<Event>, _) = channel();
        let turns = Arc::new(AtomicUsize::new(0));
        let (s, t) = (server.clone(), turns.clone());
        let thread = std::thread::spawn(move || {
            let mut sink = |e: Event| e.owner != DEAD && tx.send(e).is_ok();
            while !s.turn(&mut sink, true).exit {
                t.fetch_add(1, Ordering::Relaxed);
            }
        });
        Node {
            server,
            events,
            thread: Some(thread),
            turns,
            worker_turns: Arc::default(),
            workers: Vec::new(),
            stop: Arc::default(),
            kept: Mutex::new(Vec::new()),
            settled: AtomicI32::new(0),
        }
    }

    /// A node whose socket thread shares its work with workers that never have anything else to do, and may poll all the time.
    pub fn with_workers(count: usize) -> Node {
        let server = Arc::new(SocketServer::new(hooks()).unwrap());
        let (tx, events): (Sender<Event>, _) = channel();
        let (stop, worker_turns) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let worker = |_| {
            let (s, tx, stop, worker_turns) = (
                server.clone(),
                tx.clone(),
                stop.clone(),
                worker_turns.clone(),
            );
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    s.force_worker_polling();
                    let Some(lease) = s.try_poll_lease(true) else {
                        std::thread::yield_now();
                        continue;
                    };
                    let mut had_events = 0;
                    let mut sink = |e: Event| {
                        had_events = 1;
                        e.owner != DEAD && tx.send(e).is_ok()
                    };
                    lease.turn(&mut sink, Some(Duration::from_millis(1)));
                    worker_turns.fetch_add(had_events, Ordering::Relaxed);
                }
            })
        };
        let workers = (0..count).map(worker).collect();
        let (s, t) = (server.clone(), tx.clone());
        let thread = std::thread::spawn(move || {
            let mut sink = |e: Event| e.owner != DEAD && t.send(e).is_ok();
            s.serve(&mut sink, &|| true);
        });
        Node {
            server,
            events,
            thread: Some(thread),
            turns: Arc::default(),
            worker_turns,
            workers,
            stop,
            kept: Mutex::new(Vec::new()),
            settled: AtomicI32::new(0),
        }
    }

    /// The next event of the socket `id`; those of others are kept for later.
    pub fn next(&self, id: i32) -> Event {
        let mut kept = self.kept.lock().unwrap();
        if let Some(i) = kept.iter().position(|e| e.id == id) {
            return kept.remove(i);
        }
        loop {
            let e = self.events.recv_timeout(PATIENCE).expect("an event");
            if e.id == id {
                return e;
            }
            kept.push(e);
        }
    }

    /// The next event of any socket.
    pub fn any(&self) -> Event {
        let kept = self.kept.lock().unwrap().pop();
        kept.unwrap_or_else(|| self.events.recv_timeout(PATIENCE).expect("an event"))
    }

    /// Everything that has arrived, after the I/O thread has done all that was asked so far.
    pub fn settle(&self) -> Vec<Event> {
        // The answer to a start of an unknown socket is a marker in the stream of events. Another slot each time: what is asked of one that
        // the I/O thread has in its hands comes before what was asked of others.
        let marker = i32::MAX - 1 - self.settled.fetch_add(1, Ordering::Relaxed) % 1000;
        self.server.start(1, marker);
        let mut all = std::mem::take(&mut *self.kept.lock().unwrap());
        loop {
            let e = self.events.recv_timeout(PATIENCE).expect("the marker");
            if e.id == marker {
                return all;
            }
            all.push(e);
        }
    }

    pub fn listen(&self, host: &str) -> (i32, u16) {
        let id = self
            .server
            .listen(1, Some(&CString::new(host).unwrap()), 0, 64)
            .unwrap();
        let (_, port) = self.opened(id);
        self.server.start(1, id);
        assert_eq!(self.opened(id).0, "start");
        (id, port as u16)
    }

    pub fn opened(&self, id: i32) -> (String, i32) {
        match self.next(id).what {
            EventKind::Open { text, number } => (text_of(text.as_bytes()), number),
            other => panic!("expected CONNECT, got {}", name(&other)),
        }
    }

    pub fn accepted(&self, id: i32) -> (i32, String) {
        match self.next(id).what {
            EventKind::Accept { id, text } => (id, text_of(text.as_bytes())),
            other => panic!("expected ACCEPT, got {}", name(&other)),
        }
    }

    pub fn error(&self, id: i32) -> String {
        match self.next(id).what {
            EventKind::Error(text) => text_of(text.as_bytes()),
            other => panic!("expected ERROR, got {}", name(&other)),
        }
    }

    pub fn closed(&self, id: i32) {
        match self.next(id).what {
            EventKind::Close => {}
            other => panic!("expected CLOSE, got {}", name(&other)),
        }
    }

    pub fn warning(&self, id: i32) -> i32 {
        match self.next(id).what {
            EventKind::Warning(kib) => kib,
            other => panic!("expected WARNING, got {}", name(&other)),
        }
    }

    /// Bytes of a stream until there are `n`.
    pub fn data(&self, id: i32, n: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < n {
            match self.next(id).what {
                EventKind::Data(d) => all.extend_from_slice(d.bytes()),
                other => panic!("expected DATA, got {}", name(&other)),
            }
        }
        all
    }

    pub fn send(&self, id: i32, bytes: &[u8]) -> bool {
        self.server.send(id, Payload::copy_of(bytes)).unwrap()
    }

    /// An outgoing connection of the server, and the other end.
    pub fn connected(&self) -> (i32, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Inherited by what it accepts.
        limit(listener.as_raw_fd(), libc::SO_RCVBUF);
        let id = self
            .server
            .connect(
                1,
                c"127.0.0.1",
                listener.local_addr().unwrap().port().into(),
            )
            .unwrap();
        let (peer, _) = listener.accept().unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(self.opened(id).0, "127.0.0.1");
        (id, peer)
    }

    /// An incoming connection that is not started yet, and the other end.
    pub fn incoming(&self) -> (i32, TcpStream) {
        let (listener, port) = self.listen("127.0.0.1");
        let peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let (id, _) = self.accepted(listener);
        (id, peer)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.server.exit();
        if let Some(t) = self.thread.take() {
            t.join().unwrap();
        }
        self.stop.store(true, Ordering::Relaxed);
        for t in self.workers.drain(..) {
            t.join().unwrap();
        }
    }
}

pub fn text_of(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub fn name(what: &EventKind) -> String {
    match what {
        EventKind::Data(d) => format!("DATA of {} bytes", d.len()),
        EventKind::Udp(d) => format!("UDP of {} bytes", d.len()),
        EventKind::Open { text, number } => format!("CONNECT {text:?} {number}"),
        EventKind::Accept { id, text } => format!("ACCEPT {id} {text:?}"),
        EventKind::Error(text) => format!("ERROR {text:?}"),
        EventKind::Close => "CLOSE".into(),
        EventKind::Warning(kib) => format!("WARNING {kib}"),
        EventKind::Exit => "EXIT".into(),
    }
}

/// Queues more for a socket of [`Node::connected`] than the kernel will ever take while the peer does not read; the rest
/// stays below the first warning. Returns how many bytes it was.
pub fn congest(node: &Node, id: i32) -> usize {
    limit(
        node.server.shared.table.slot(id).fd.load(Ordering::Relaxed),
        libc::SO_SNDBUF,
    );
    let block = vec![b'x'; 64 * 1024];
    for _ in 0..12 {
        assert!(node.send(id, &block));
    }
    assert!(node.settle().is_empty());
    let rest = statistics(node, id).wbuffer;
    assert!(rest > 0, "the kernel took it all");
    12 * block.len()
}

/// Gives a buffer of the kernel a size that it does not change any more. It may hold twice of it, so both buffers of a
/// connection hold less than a third of what [`congest`] sends.
fn limit(fd: RawFd, buffer: libc::c_int) {
    let size: libc::c_int = 48 * 1024;
    // SAFETY: the kernel reads `size`, for whose length it is told.
    let result = unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            buffer,
            (&raw const size).cast(),
            size_of_val(&size) as libc::socklen_t,
        )
    };
    assert_eq!(result, 0);
}

/// The statistics of one socket.
pub fn statistics(node: &Node, id: i32) -> crate::io::socket::SocketInfo {
    let list = node.server.info();
    let mut at = list;
    let mut found = None;
    while !at.is_null() {
        // SAFETY: an entry of the list.
        let info = unsafe { *at };
        if info.id == id {
            found = Some(info);
        }
        at = info.next;
    }
    // SAFETY: the list is not used any more.
    unsafe { crate::io::socket::info::release(list) };
    found.expect("the socket is in the list")
}

pub fn read_exact(peer: &mut TcpStream, n: usize) -> Vec<u8> {
    let mut all = vec![0; n];
    peer.read_exact(&mut all).unwrap();
    all
}

pub fn write(peer: &mut TcpStream, bytes: &[u8]) {
    peer.write_all(bytes).unwrap();
}

/// Ends a connection with RST instead of FIN.
pub fn reset(peer: TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: the option is readable with its size.
    let r = unsafe {
        libc::setsockopt(
            peer.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of::<libc::linger>() as u32,
        )
    };
    assert_eq!(r, 0);
    drop(peer);
}
