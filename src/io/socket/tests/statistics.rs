use super::harness::*;
use crate::io::socket::SocketInfo;
use skynet_sys::info_type as kind;
use std::ffi::CStr;
use std::net::Shutdown;

fn text(info: &SocketInfo) -> String {
    // SAFETY: names are terminated.
    unsafe { CStr::from_ptr(info.name.as_ptr()) }
        .to_str()
        .unwrap()
        .to_string()
}

#[test]
fn counters_times_and_names_are_those_of_the_socket() {
    let node = Node::new();
    let (id, mut peer) = node.connected();
    node.server.update_time(100);
    assert!(node.send(id, b"12345"));
    node.server.update_time(200);
    write(&mut peer, b"abc");
    node.data(id, 3);
    let info = statistics(&node, id);
    assert_eq!(
        (info.r#type, info.opaque, info.read, info.write),
        (kind::TCP, 1, 3, 5)
    );
    assert_eq!((info.wtime, info.rtime, info.wbuffer), (100, 200, 0));
    assert_eq!((info.reading, info.writing), (1, 0));
    assert_eq!(text(&info), peer.local_addr().unwrap().to_string());
    node.server.pause(id);
    node.settle();
    assert_eq!(statistics(&node, id).reading, 0);
    congest(&node, id);
    node.settle();
    assert_eq!(statistics(&node, id).writing, 1);
    peer.shutdown(Shutdown::Write).unwrap();
    node.server.start(1, id);
    node.opened(id);
    node.closed(id);
    assert_eq!(statistics(&node, id).r#type, kind::CLOSING);
}

#[test]
fn the_list_begins_with_the_highest_slot_and_leaves_out_what_is_not_started() {
    let node = Node::new();
    let (listener, _) = node.listen("127.0.0.1");
    let udp = node.server.udp(1, None, 0).unwrap();
    let unstarted = node.server.listen(1, Some(c"127.0.0.1"), 0, 1).unwrap();
    node.opened(unstarted);
    let list = node.server.info();
    let mut ids = Vec::new();
    let mut at = list;
    while !at.is_null() {
        // SAFETY: an entry of the list.
        unsafe {
            ids.push(((*at).id, (*at).r#type));
            at = (*at).next;
        }
    }
    // SAFETY: the list is not used any more.
    unsafe { crate::io::socket::info::release(list) };
    assert_eq!(ids, [(udp, kind::UDP), (listener, kind::LISTEN)]);
    assert!(text(&statistics(&node, listener)).starts_with("127.0.0.1:"));
    node.server.udp_connect(udp, c"127.0.0.1", 53);
    assert_eq!(text(&statistics(&node, udp)), "127.0.0.1:53");
}
