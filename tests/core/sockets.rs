//! The socket interface: events, ownership, closing, writes, UDP. The test is the peer of the node's sockets.

use crate::node::{Node, Setup};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

/// A node whose puppet service obeys lines.
struct Puppet {
    node: Node,
    orders: TcpStream,
    seen: usize,
}

impl Puppet {
    fn new(setup: impl FnOnce(Setup) -> Setup) -> Self {
        let control = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = control.local_addr().unwrap().port();
        let node = setup(Setup::new(&format!("sockets {port}"))).start();
        let orders = control.accept().unwrap().0;
        orders.set_nodelay(true).unwrap();
        Puppet {
            node,
            orders,
            seen: 0,
        }
    }

    fn order(&mut self, line: &str) {
        self.orders
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
    }

    /// The next fact, whatever it is.
    fn next(&mut self) -> String {
        self.seen += 1;
        self.node.wait_fact(self.seen - 1)
    }

    /// The next fact that is no warning of a long queue.
    fn next_but_warnings(&mut self) -> String {
        loop {
            let fact = self.next();
            if !fact.starts_with("warning ") {
                return fact;
            }
        }
    }

    /// Gives an order that has one result.
    fn ask(&mut self, line: &str) -> String {
        self.order(line);
        self.next()
    }

    fn expect(&mut self, fact: &str) {
        assert_eq!(self.next(), fact, "\n{}", self.node.stdout());
    }

    /// Waits until both services have had all that was sent to them before.
    fn settle(&mut self) {
        for i in 0..20 {
            assert_eq!(
                self.ask(&format!("ping {i}")),
                format!("pong {i}"),
                "\n{}",
                self.node.stdout()
            );
            assert_eq!(
                self.ask(&format!("other ping {i}")),
                format!("other pong {i}"),
                "\n{}",
                self.node.stdout()
            );
        }
    }

    /// Opens a listening socket (id 2) and starts it.
    fn listen(&mut self) -> u16 {
        assert_eq!(self.ask("listen 0 127.0.0.1"), "listen gave 2");
        let bound = self.next();
        let port = bound
            .strip_prefix("connect 2 ")
            .and_then(|r| r.strip_suffix(" <127.0.0.1>"));
        let port = port.unwrap_or_else(|| panic!("{bound}")).parse().unwrap();
        self.order("start 2");
        self.expect("connect 2 0 <start>");
        port
    }

    /// Connects to the listening socket; the accepted one (`id`) is not started yet.
    fn accept(&mut self, port: u16, id: u32) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(40)))
            .unwrap();
        let from = stream.local_addr().unwrap();
        self.expect(&format!("accept 2 {id} <{from}>"));
        stream
    }

    /// A started connection with id 3.
    fn pair(&mut self) -> TcpStream {
        let port = self.listen();
        let stream = self.accept(port, 3);
        self.order("start 3");
        self.expect("connect 3 0 <start>");
        stream
    }
}

fn puppet() -> Puppet {
    Puppet::new(|setup| setup)
}

fn text(stream: &mut TcpStream, size: usize) -> String {
    let mut bytes = vec![0; size];
    stream.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn an_accepted_socket_reads_once_it_is_started() {
    let mut p = puppet();
    let port = p.listen();
    let mut peer = p.accept(port, 3);
    peer.write_all(b"early").unwrap();
    p.settle();
    p.order("start 3");
    p.expect("connect 3 0 <start>");
    p.expect("data 3 5 <early>");
    assert_eq!(p.ask("send 3 answer"), "send gave 0");
    assert_eq!(text(&mut peer, 6), "answer");
}

#[test]
fn a_connection_reports_the_peers_address_and_reads_at_once() {
    let mut p = puppet();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(p.ask(&format!("open {port} 127.0.0.1")), "open gave 2");
    let mut peer = listener.accept().unwrap().0;
    p.expect("connect 2 0 <127.0.0.1>");
    peer.write_all(b"hello").unwrap();
    p.expect("data 2 5 <hello>");
    p.order("start 2");
    p.expect("connect 2 0 <transfer>");
}

#[test]
fn names_are_resolved() {
    let mut p = puppet();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(p.ask(&format!("open {port} localhost")), "open gave 2");
    let answer = p.next();
    assert_eq!(answer, "connect 2 0 <127.0.0.1>");
}

#[test]
fn a_name_that_cannot_be_resolved_is_an_error_event() {
    let mut p = puppet();
    assert_eq!(p.ask("open 80 not a host"), "open gave 2");
    let event = p.next();
    assert!(
        event.starts_with("error 2 0 <") && event.len() > "error 2 0 <>".len(),
        "{event}"
    );
}

#[test]
fn a_refused_connection_is_an_error_event() {
    let mut p = puppet();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    assert_eq!(p.ask(&format!("open {port} 127.0.0.1")), "open gave 2");
    p.expect("error 2 0 <Connection refused>");
    assert_eq!(p.ask("send 2 x"), "send gave -1");
}

#[test]
fn orders_for_unknown_sockets_do_no_harm() {
    let mut p = puppet();
    assert_eq!(p.ask("send 77 x"), "send gave -1");
    assert_eq!(p.ask("low 77 x"), "low gave -1");
    p.order("close 77");
    p.order("shutdown 77");
    p.order("pause 77");
    p.order("nodelay 77");
    p.settle();
    p.order("start 77");
    p.expect("error 77 0 <invalid socket>");
}

#[test]
fn a_port_in_use_cannot_be_listened_on() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut p = puppet();
    let port = taken.local_addr().unwrap().port();
    assert_eq!(p.ask(&format!("listen {port} 127.0.0.1")), "listen gave -1");
    // The failed call used no id that a later one could miss.
    p.listen();
}

#[test]
fn a_peers_fin_closes_once_and_leaves_the_other_direction_open() {
    let mut p = puppet();
    let mut peer = p.pair();
    peer.write_all(b"last words").unwrap();
    p.expect("data 3 10 <last words>");
    peer.shutdown(Shutdown::Write).unwrap();
    p.expect("close 3 0 <>");
    assert_eq!(p.ask("send 3 still here"), "send gave 0");
    assert_eq!(text(&mut peer, 10), "still here");
    p.order("close 3");
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
    p.settle();
    assert_eq!(p.ask("send 3 x"), "send gave -1");
}

#[test]
fn the_closers_side_hears_of_the_end_once() {
    let mut p = puppet();
    let mut peer = p.pair();
    p.order("close 3");
    p.expect("close 3 0 <>");
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
    drop(peer);
    p.order("close 3");
    p.order("shutdown 3");
    p.settle();
    p.order("start 3");
    p.expect("error 3 0 <invalid socket>");
}

#[test]
fn closing_a_listening_socket_stops_accepting() {
    let mut p = puppet();
    let port = p.listen();
    p.order("close 2");
    p.expect("close 2 0 <>");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_transferred_socket_sends_its_events_to_the_new_owner() {
    let mut p = puppet();
    let mut peer = p.pair();
    peer.write_all(b"one").unwrap();
    p.expect("data 3 3 <one>");
    p.order("other start 3");
    p.expect("other connect 3 0 <transfer>");
    peer.write_all(b"two").unwrap();
    p.expect("other data 3 3 <two>");
    drop(peer);
    p.expect("other close 3 0 <>");
}

#[test]
fn a_paused_socket_holds_its_data_until_it_is_started() {
    let mut p = puppet();
    let mut peer = p.pair();
    p.order("pause 3");
    p.settle();
    peer.write_all(b"held").unwrap();
    p.settle();
    assert_eq!(p.ask("send 3 writable"), "send gave 0");
    assert_eq!(text(&mut peer, 8), "writable");
    p.order("start 3");
    p.expect("connect 3 0 <transfer>");
    p.expect("data 3 4 <held>");
}

const BLOCK: usize = 1 << 16;

/// Reads flood blocks and checks that each is whole.
fn read_flood(peer: &mut TcpStream, blocks: usize) {
    let mut block = vec![0; BLOCK];
    for i in 0..blocks {
        peer.read_exact(&mut block).unwrap();
        assert!(block.iter().all(|b| *b == i as u8), "block {i}");
    }
}

#[test]
fn queued_writes_warn_at_each_doubling_and_when_drained() {
    let mut p = puppet();
    let mut peer = p.pair();
    assert_eq!(p.ask("flood 3 480"), "flood failed 0");
    let mut sizes = Vec::new();
    for _ in 0..4 {
        let warning = p.next();
        let size = warning
            .strip_prefix("warning 3 ")
            .and_then(|r| r.strip_suffix(" <>"));
        sizes.push(
            size.unwrap_or_else(|| panic!("{warning}"))
                .parse::<u32>()
                .unwrap(),
        );
    }
    for (i, size) in sizes.iter().enumerate() {
        let step = 1024 << i;
        assert!((step..step + 64).contains(size), "{sizes:?}");
    }
    read_flood(&mut peer, 480);
    // The queue may have grown over one more step before the peer began to read.
    let mut last = p.next();
    while !last.starts_with("warning 3 0 ") {
        assert!(last.starts_with("warning 3 "), "{last}");
        last = p.next();
    }
}

#[test]
fn close_sends_what_is_queued() {
    let mut p = puppet();
    let mut peer = p.pair();
    assert_eq!(p.ask("flood 3 200"), "flood failed 0");
    p.order("close 3");
    read_flood(&mut peer, 200);
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn shutdown_discards_what_is_queued() {
    let mut p = puppet();
    let mut peer = p.pair();
    assert_eq!(p.ask("flood 3 480"), "flood failed 0");
    p.order("shutdown 3");
    assert_eq!(p.next_but_warnings(), "close 3 0 <>");
    let (mut all, mut block) = (0, vec![0; BLOCK]);
    // The end is an orderly one, or a reset.
    while let Ok(n @ 1..) = peer.read(&mut block) {
        all += n;
    }
    assert!(all < 480 * BLOCK, "{all}");
}

#[test]
fn a_socket_that_is_closing_cannot_be_started_or_written_to() {
    let mut p = puppet();
    let _peer = p.pair();
    assert_eq!(p.ask("flood 3 480"), "flood failed 0");
    p.order("close 3");
    // It is closed for its owner at once, though the queue is still on its way.
    assert_eq!(p.next_but_warnings(), "close 3 0 <>");
    p.order("start 3");
    p.expect("error 3 0 <socket closed>");
    assert_eq!(p.ask("send 3 x"), "send gave -1");
}

#[test]
fn low_priority_blocks_wait_for_the_others() {
    let mut p = puppet();
    let mut peer = p.pair();
    assert_eq!(p.ask("flood 3 200"), "flood failed 0");
    p.order("low 3 low");
    p.order("send 3 high");
    p.order("raw 3 raw");
    read_flood(&mut peer, 200);
    assert_eq!(text(&mut peer, 10), "highrawlow");
}

#[test]
fn small_blocks_keep_their_order() {
    let mut p = puppet();
    let mut peer = p.pair();
    let count = 2000;
    for i in 0..count {
        p.order(&format!("send 3 block {i};"));
    }
    let mut reader = BufReader::new(&mut peer);
    for i in 0..count {
        let mut block = Vec::new();
        reader.read_until(b';', &mut block).unwrap();
        assert_eq!(String::from_utf8(block).unwrap(), format!("block {i};"));
    }
}

#[test]
fn a_large_stream_arrives_whole() {
    let mut p = puppet();
    let mut peer = p.pair();
    p.order("count 3 33554432");
    p.settle();
    let block = vec![7; 1 << 20];
    for _ in 0..32 {
        peer.write_all(&block).unwrap();
    }
    p.expect("counted 3 33554432");
}

#[test]
fn info_describes_each_socket() {
    let mut p = puppet();
    let mut peer = p.pair();
    peer.write_all(b"12345").unwrap();
    p.expect("data 3 5 <12345>");
    assert_eq!(p.ask("send 3 abc"), "send gave 0");
    assert_eq!(text(&mut peer, 3), "abc");
    let (here, there) = (peer.peer_addr().unwrap(), peer.local_addr().unwrap());
    assert_eq!(
        p.ask("info 3"),
        format!(
            "info 3 type 2 owner 2 read 5 write 3 pending 0 reading 1 writing 0 name <{there}>"
        )
    );
    p.expect("end of info");
    assert_eq!(
        p.ask("info 2"),
        format!("info 2 type 1 owner 2 read 1 write 0 pending 0 reading 1 writing 0 name <{here}>")
    );
    p.expect("end of info");
}

#[test]
fn a_bound_descriptor_is_read_like_a_socket() {
    let mut p = puppet();
    assert_eq!(p.ask("pipe"), "pipe gave 2");
    p.expect("connect 2 0 <binding>");
    p.order("write 2 through the pipe");
    let written = p.next();
    assert_eq!(written, "data 2 16 <through the pipe>");
    let info = p.ask("info 2");
    assert!(info.starts_with("info 2 type 4 owner 2 read 16 "), "{info}");
    p.expect("end of info");
    p.order("hangup");
    p.expect("close 2 0 <>");
}

#[test]
fn udp_data_carries_the_peers_address() {
    let mut p = puppet();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(40)))
        .unwrap();
    let port = peer.local_addr().unwrap().port();
    assert_eq!(p.ask("udp 0 127.0.0.1"), "udp gave 2");
    assert_eq!(
        p.ask(&format!("udpconnect 2 {port} 127.0.0.1")),
        "udpconnect gave 0"
    );
    p.order("send 2 first");
    p.expect("send gave 0");
    let mut block = [0; 64];
    let (n, node) = peer.recv_from(&mut block).unwrap();
    assert_eq!(&block[..n], b"first");
    peer.send_to(b"back", node).unwrap();
    p.expect(&format!("udp 2 4 <back> from 01{port:04x}7f000001 after 4"));
    assert_eq!(p.ask("answer 2 third"), "answer gave 0");
    let n = peer.recv(&mut block).unwrap();
    assert_eq!(&block[..n], b"third");
    p.order("close 2");
    p.expect("close 2 0 <>");
}

#[test]
fn udp_listens_and_dials_over_ipv6() {
    let Ok(peer) = UdpSocket::bind("[::1]:0") else {
        return; // No IPv6 on this machine.
    };
    peer.set_read_timeout(Some(Duration::from_secs(40)))
        .unwrap();
    let port = peer.local_addr().unwrap().port();
    let mut p = puppet();
    assert_eq!(p.ask(&format!("dial {port} ::1")), "dial gave 2");
    assert_eq!(p.ask("send 2 over v6"), "send gave 0");
    let mut block = [0; 64];
    let (n, node) = peer.recv_from(&mut block).unwrap();
    assert_eq!(&block[..n], b"over v6");
    peer.send_to(b"hi", node).unwrap();
    let host = format!("{:032x}", 1);
    p.expect(&format!("udp 2 2 <hi> from 02{port:04x}{host} after 2"));
}

#[test]
fn a_udp_listener_answers_its_senders() {
    let mut p = puppet();
    // A port that was free a moment ago.
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    assert_eq!(
        p.ask(&format!("udplisten {port} 127.0.0.1")),
        "udplisten gave 2"
    );
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(40)))
        .unwrap();
    let mine = peer.local_addr().unwrap().port();
    peer.send_to(b"question", ("127.0.0.1", port)).unwrap();
    p.expect(&format!(
        "udp 2 8 <question> from 01{mine:04x}7f000001 after 8"
    ));
    assert_eq!(p.ask("answer 2 yes"), "answer gave 0");
    let mut block = [0; 64];
    let n = peer.recv(&mut block).unwrap();
    assert_eq!(&block[..n], b"yes");
}

#[test]
fn events_of_a_dead_owner_are_dropped() {
    let mut p = puppet();
    let mut peer = p.pair();
    p.order("other start 3");
    p.expect("other connect 3 0 <transfer>");
    p.order("other leave");
    p.node.wait_line("KILL self");
    for i in 0..20 {
        assert_eq!(p.ask(&format!("ping {i}")), format!("pong {i}"));
    }
    peer.write_all(b"to nobody").unwrap();
    for i in 0..20 {
        assert_eq!(p.ask(&format!("ping {i}")), format!("pong {i}"));
    }
}

#[test]
fn socket_events_have_their_own_lines_in_a_message_log() {
    let setup = std::cell::Cell::new(std::path::PathBuf::new());
    let mut p = Puppet::new(|s| {
        setup.set(s.dir().to_path_buf());
        s.line("logpath = '.'")
    });
    p.order("logon");
    let mut peer = p.pair();
    peer.write_all(b"abc").unwrap();
    p.expect("data 3 3 <abc>");
    peer.shutdown(Shutdown::Write).unwrap();
    p.expect("close 3 0 <>");
    let log = std::fs::read_to_string(setup.take().join("00000002.log")).unwrap();
    let has = |line: &str| assert!(log.lines().any(|l| l == line), "no {line:?} in {log}");
    has("[socket] 1 3 3 616263");
    has("[socket] 3 3 0 []");
    assert!(log.contains("[socket] 2 3 0 [start"), "{log}");
}
