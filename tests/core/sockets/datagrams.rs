//! UDP.

use super::puppet::puppet;
use std::net::UdpSocket;
use std::time::Duration;

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
