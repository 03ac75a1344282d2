//! Connections: from where they come, who owns them, how they end.

use super::puppet::{Puppet, puppet, text};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

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
