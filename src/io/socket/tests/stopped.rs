//! Threads that the system stops: within a turn, or while they write. Each keeps the socket that it has in its hands, and nothing else.

use super::harness::*;
use crate::io::socket::{Event, EventKind, NextLook, Payload, SocketServer, StandIn};
use std::collections::HashMap;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Everything that was delivered, by socket, in its order.
#[derive(Default)]
struct Log(Mutex<HashMap<i32, Vec<String>>>);

impl Log {
    fn note(&self, event: &Event) {
        let text = match &event.what {
            EventKind::Data(data) => text_of(data.bytes()),
            other => name(other),
        };
        let mut log = self.0.lock().unwrap();
        log.entry(event.id).or_default().push(text);
    }

    fn of(&self, id: i32) -> Vec<String> {
        self.0.lock().unwrap().get(&id).cloned().unwrap_or_default()
    }
}

/// A thread that stops when it delivers the data `stop`, until the sender is dropped, which is told by the receiver.
struct Stopping {
    log: Arc<Log>,
    at: Sender<()>,
    go_on: Receiver<()>,
}

impl Stopping {
    fn deliver(&self, event: &Event) {
        self.log.note(event);
        if matches!(&event.what, EventKind::Data(data) if data.bytes() == b"stop") {
            self.at.send(()).unwrap();
            let _ = self.go_on.recv();
        }
    }
}

struct Setting {
    server: Arc<SocketServer>,
    log: Arc<Log>,
    /// The socket in the hands of the thread that stops, and another one.
    stuck: (i32, TcpStream),
    other: (i32, TcpStream),
    thread: JoinHandle<()>,
    go_on: Sender<()>,
}

fn connection(server: &SocketServer) -> (i32, TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let id = server.connect(1, c"127.0.0.1", port.into()).unwrap();
    let mut open = false;
    while !open {
        server.turn(
            &mut |event: Event| {
                open |= matches!(event.what, EventKind::Open { .. });
                true
            },
            true,
        );
    }
    let (peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    (id, peer)
}

/// A thread runs turns by `run` and has stopped within one.
fn stopped_within_a_turn(
    run: impl FnOnce(&SocketServer, &mut dyn FnMut(Event) -> bool) + Send + 'static,
) -> Setting {
    let server = Arc::new(SocketServer::new(hooks()).unwrap());
    let log = Arc::new(Log::default());
    let (mut stuck, other) = (connection(&server), connection(&server));
    let (at, stopped) = channel();
    let (go_on, waits) = channel();
    let stopping = Stopping {
        log: log.clone(),
        at,
        go_on: waits,
    };
    let its_server = server.clone();
    write(&mut stuck.1, b"stop");
    let thread = std::thread::spawn(move || {
        run(&its_server, &mut |event| {
            stopping.deliver(&event);
            true
        });
    });
    stopped
        .recv_timeout(PATIENCE)
        .expect("it has data to deliver");
    Setting {
        server,
        log,
        stuck,
        other,
        thread,
        go_on,
    }
}

impl Setting {
    /// The other socket works, and what is asked of the first one waits for it alone. `turn` runs one, perhaps.
    fn check(mut self, mut turn: impl FnMut(&SocketServer, &Log)) {
        let (server, log) = (&self.server, &self.log);
        let (stuck, other) = (self.stuck.0, self.other.0);
        write(&mut self.stuck.1, b"after");
        server.pause(stuck);
        server.start(1, stuck);
        for round in 0..50 {
            write(&mut self.other.1, b"request");
            while log.of(other).len() <= 2 * round {
                turn(server, log);
            }
            assert_eq!(log.of(other)[2 * round], "request");
            server.start(1, other);
            while log.of(other).len() <= 2 * round + 1 {
                turn(server, log);
            }
            assert_eq!(log.of(other)[2 * round + 1], "CONNECT \"transfer\" 0");
            assert!(server.send(other, Payload::copy_of(b"answer")).unwrap());
            assert_eq!(read_exact(&mut self.other.1, 6), b"answer");
        }
        // A new one finds its way around what is stuck, and so does a closed one.
        server.shutdown(1, other);
        while log.of(other).last().is_none_or(|last| last != "CLOSE") {
            turn(server, log);
        }
        assert_eq!(log.of(stuck), ["stop"]);
        drop(self.go_on);
        while log.of(stuck).len() < 3 {
            turn(server, log);
        }
        server.close(1, stuck);
        while log.of(stuck).len() < 4 {
            turn(server, log);
        }
        // What was asked comes before what was not read yet.
        let whole = ["stop", "CONNECT \"transfer\" 0", "after", "CLOSE"];
        assert_eq!(log.of(stuck), whole);
        server.exit();
        while !log.of(0).contains(&"EXIT".to_owned()) {
            turn(server, log);
        }
        self.thread.join().unwrap();
    }
}

fn logged(log: &Log) -> impl FnMut(Event) -> bool {
    |event| {
        log.note(&event);
        true
    }
}

#[test]
fn the_monitor_thread_stands_in_for_a_thread_that_stops_within_a_turn() {
    let setting = stopped_within_a_turn(|server, sink| {
        let mut sink = |event| sink(event);
        server.serve(&mut sink, &|| false);
    });
    let (mut look, mut now) = (StandIn::default(), 0);
    setting.check(|server, log| {
        // The clock of the looks is the test's.
        if let NextLook::At(time) = look.look(server, &mut logged(log), now) {
            now = time;
        }
        std::thread::yield_now();
    });
}

#[test]
fn a_program_that_runs_turns_itself_goes_on_beside_a_thread_that_stops_within_one() {
    let setting = stopped_within_a_turn(|server, sink| {
        let mut sink = |event| sink(event);
        server.turn(&mut sink, true);
    });
    setting.check(|server, log| {
        server.turn(&mut logged(log), false);
    });
}

#[test]
fn the_socket_thread_goes_on_beside_a_worker_that_stops_within_a_turn() {
    let setting = stopped_within_a_turn(|server, sink| {
        server.force_worker_polling();
        let lease = server.try_poll_lease(false).expect("no thread polls");
        let mut sink = |event| sink(event);
        lease.turn(&mut sink, None);
    });
    let (server, log) = (setting.server.clone(), setting.log.clone());
    let socket_thread = std::thread::spawn(move || server.serve(&mut logged(&log), &|| false));
    setting.check(|_, _| std::thread::yield_now());
    socket_thread.join().unwrap();
}

/// A sender that stops with the handoff lock: what needs it is done when it has left, and nobody waits for that.
#[test]
fn a_thread_that_stops_while_it_writes_keeps_its_socket_alone() {
    let server = SocketServer::new(hooks()).unwrap();
    let log = Log::default();
    let ((stuck, mut peer), (other, mut others)) = (connection(&server), connection(&server));
    let turn = || {
        server.turn(&mut logged(&log), false);
    };
    let slot = server.shared.table.slot(stuck);
    assert!(slot.handoff.try_enter());
    write(&mut peer, b"is read");
    while log.of(stuck).is_empty() {
        turn();
    }
    server.close(1, stuck);
    for round in 0..10 {
        write(&mut others, b"request");
        while log.of(other).len() <= round {
            turn();
        }
        // Others hand over what they write.
        assert!(server.send(stuck, Payload::copy_of(b"late")).unwrap());
    }
    assert_eq!(log.of(stuck), ["is read"]);
    server.shared.leave(slot);
    while log.of(stuck).len() < 2 {
        turn();
    }
    assert_eq!(log.of(stuck), ["is read", "CLOSE"]);
    assert_eq!(read_exact(&mut peer, 40), b"late".repeat(10));
    while server.figures().sockets == 2 {
        turn();
    }
    assert!(slot.handoff.try_enter() && slot.claim.try_enter(), "free");
}
