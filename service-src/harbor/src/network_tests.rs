//! A harbor in a node that only takes notes.

use super::*;
use std::collections::HashSet;

/// Everything that happened, as lines; sockets' bytes apart.
#[derive(Default)]
struct Notes {
    lines: Vec<String>,
    written: Vec<u8>,
    services: HashSet<u32>,
}

impl Node for Notes {
    fn deliver(&mut self, to: u32, letter: Letter) -> bool {
        let text = String::from_utf8_lossy(letter.payload.bytes()).into_owned();
        let Letter {
            source,
            ty,
            session,
            ..
        } = letter;
        self.lines.push(format!(
            "deliver {to:x} from {source:x} type {ty} session {session} {text}"
        ));
        self.services.contains(&to)
    }
    fn fail(&mut self, destination: u32, source: u32, session: c_int) {
        self.lines.push(format!(
            "fail {destination:x} to {source:x} session {session}"
        ));
    }
    fn tell(&mut self, text: &[u8]) {
        self.lines
            .push(format!("tell {}", String::from_utf8_lossy(text)));
    }
    fn log(&mut self, text: &str) {
        self.lines.push(format!("log {text}"));
    }
    fn start(&mut self, fd: c_int) {
        self.lines.push(format!("start {fd}"));
    }
    fn write(&mut self, fd: c_int, bytes: Block) {
        self.lines.push(format!("write {fd} {}", bytes.len()));
        self.written.extend_from_slice(bytes.bytes());
    }
    fn close(&mut self, fd: c_int) {
        self.lines.push(format!("close {fd}"));
    }
}

fn harbor(id: u32) -> Network<Notes> {
    Network::new(Notes::default(), id)
}

/// What has happened since the last call.
fn news(network: &mut Network<Notes>) -> Vec<String> {
    std::mem::take(&mut network.node.lines)
}

fn letter(text: &str, session: c_int) -> Letter {
    let mut payload = Block::default();
    payload.extend(text.as_bytes()).unwrap();
    Letter {
        source: 0x0100_0009,
        ty: 10,
        session,
        payload,
    }
}

fn padded(text: &str) -> Name {
    let mut name = [0; NAME];
    name[..text.len()].copy_from_slice(text.as_bytes());
    name
}

/// Bytes of a message from another node.
fn frame(text: &str, destination: u32, ty: u8) -> Vec<u8> {
    let cookie = Cookie {
        source: 0x0200_0001,
        destination,
        ty,
        session: 3,
    };
    frame::encode(text.as_bytes(), cookie)
        .unwrap()
        .bytes()
        .to_vec()
}

#[test]
fn messages_wait_for_the_connection_and_for_the_id_of_the_other_side() {
    let mut network = harbor(1);
    network.send(0x0200_0005, letter("early", 1));
    network.connect(7, 2, false);
    network.send(0x0200_0005, letter("soon", 2));
    assert_eq!(news(&mut network), ["start 7", "write 7 1"]);
    network.receive(2, &[2]);
    assert_eq!(news(&mut network), ["write 7 21", "write 7 20"]);
    network.send(0x0200_0005, letter("now", 3));
    assert_eq!(news(&mut network), ["write 7 19"]);
    let sent = &network.node.written;
    assert_eq!(sent[..1], [1]);
    assert_eq!(&sent[5..10], b"early");
    assert_eq!(sent[10..22], [1, 0, 0, 9, 10, 0, 0, 5, 0, 0, 0, 1]);
}

#[test]
fn a_request_to_a_name_whose_service_has_ended_is_answered() {
    let mut network = harbor(1);
    network.send(0x0100_0005, letter("ask", 4));
    assert_eq!(
        news(&mut network),
        [
            "deliver 1000005 from 1000009 type 10 session 4 ask",
            "fail 1000005 to 1000009 session 4"
        ]
    );
    // Nobody waits for an answer to these.
    network.send(0x0100_0005, letter("tell", 0));
    for ty in [ERROR, RESPONSE] {
        let answer = Letter {
            ty,
            ..letter("answer", 4)
        };
        network.send(0x0100_0005, answer);
    }
    assert!(
        news(&mut network)
            .iter()
            .all(|line| line.starts_with("deliver"))
    );
    network.node.services.insert(0x0100_0005);
    network.send(0x0100_0005, letter("ask", 4));
    assert_eq!(news(&mut network).len(), 1);
}

#[test]
fn an_accepted_connection_is_open_at_once() {
    let mut network = harbor(2);
    network.send(0x0100_0005, letter("x", 1));
    network.connect(3, 1, true);
    assert_eq!(news(&mut network), ["start 3", "write 3 1", "write 3 17"]);
    assert_eq!(network.behind(3), Some(1));
    assert_eq!(network.behind(4), None);
}

#[test]
fn a_second_connection_to_a_harbor_is_refused() {
    let mut network = harbor(1);
    network.connect(7, 2, false);
    news(&mut network);
    network.connect(8, 2, true);
    assert_eq!(news(&mut network), ["log Harbor 2 alreay exist"]);
}

#[test]
fn a_wrong_id_ends_the_connection_and_fails_what_waits() {
    let mut network = harbor(1);
    network.send(0x0200_0005, letter("x", 4));
    network.connect(7, 2, false);
    news(&mut network);
    network.receive(2, &[3, 0, 0]);
    assert_eq!(
        news(&mut network),
        [
            "log Invalid shakehand id (2) from fd = 7 , harbor = 3",
            "close 7",
            "log Drop 1 messages to harbor 2",
            "fail 2000005 to 1000009 session 4",
            "tell D 2",
        ]
    );
}

#[test]
fn messages_to_a_lost_harbor_fail_until_it_comes_back() {
    let mut network = harbor(1);
    network.connect(7, 2, true);
    network.lose(2);
    network.lose(2);
    news(&mut network);
    network.send(0x0200_0005, letter("four", 9));
    assert_eq!(
        news(&mut network),
        [
            "log Drop message to harbor 2 from 1000009 to 2000005 (session = 9, msgsz = 4)",
            "fail 2000005 to 1000009 session 9",
        ]
    );
    network.send(0x0200_0005, letter("no call", 0));
    assert_eq!(news(&mut network), ["fail 2000005 to 1000009 session 0"]);
    let gone = Letter {
        ty: ERROR,
        ..letter("", 0)
    };
    network.send(0x0200_0005, gone);
    assert!(news(&mut network).is_empty());
    network.connect(8, 2, true);
    network.send(0x0200_0005, letter("four", 10));
    assert_eq!(news(&mut network), ["start 8", "write 8 1", "write 8 20"]);
}

#[test]
fn what_comes_in_goes_to_services_of_this_node() {
    let mut network = harbor(1);
    network.node.services.insert(0x0100_0005);
    network.connect(7, 2, false);
    news(&mut network);
    let mut bytes = vec![2];
    bytes.extend(frame("hello", 5, 10));
    bytes.extend(frame("dead", 6, 10));
    bytes.extend(frame("late error", 6, 7));
    network.receive(2, &bytes);
    assert_eq!(
        news(&mut network),
        [
            "deliver 1000005 from 2000001 type 10 session 3 hello",
            "deliver 1000006 from 2000001 type 10 session 3 dead",
            "fail 1000006 to 2000001 session 3",
            "log Unknown destination :1000006 from :2000001 type(10)",
            "deliver 1000006 from 2000001 type 7 session 3 late error",
            "log Unknown destination :1000006 from :2000001 type(7)",
        ]
    );
}

#[test]
fn messages_with_addresses_of_memory_are_not_let_in() {
    for ty in PRIVATE {
        let mut network = harbor(1);
        network.connect(7, 2, true);
        news(&mut network);
        network.receive(2, &frame(&"x".repeat(48), 1, ty));
        let expected = format!("log Invalid message type {ty} from harbor 2 (from :2000001)");
        assert_eq!(news(&mut network), [&expected, "close 7", "tell D 2"]);
    }
}

#[test]
fn addresses_of_memory_in_values_are_refused_and_nobody_waits_in_vain() {
    let pointer = "\u{3}AAAABBBB";
    let log = |ty| {
        format!(
            "log Light userdata in a message from :2000001 to :1000001 type({ty}): addresses are of no use on another node"
        )
    };
    let mut network = harbor(1);
    network.connect(7, 2, true);
    news(&mut network);
    for ty in [8, 9, 10, 11] {
        network.receive(2, &frame(pointer, 1, ty));
        let failed = "fail 1000001 to 2000001 session 3".to_owned();
        assert_eq!(news(&mut network), [log(ty), failed]);
    }
    // Texts and what is cut are as before; so are the types of others.
    network.node.services.insert(0x0100_0001);
    for (text, ty) in [
        ("\u{3}AAAABBB", 10),
        (pointer, 1),
        (pointer, 0),
        (pointer, 3),
    ] {
        network.receive(2, &frame(text, 1, ty));
        let delivered = format!("deliver 1000001 from 2000001 type {ty} session 3 {text}");
        assert_eq!(news(&mut network), [delivered]);
    }
}

#[test]
fn a_malformed_stream_ends_the_connection() {
    for (bytes, what) in [(&[1, 0, 0, 0][..], "long"), (&[0, 0, 0, 11, 9, 9], "short")] {
        let mut network = harbor(1);
        network.connect(7, 2, true);
        news(&mut network);
        network.receive(2, bytes);
        let log = format!("log Message is too {what} from harbor 2");
        assert_eq!(news(&mut network), [&log, "close 7", "tell D 2"]);
    }
}

#[test]
fn messages_wait_for_a_name_in_their_order() {
    let mut network = harbor(1);
    network.node.services.insert(0x0100_0007);
    let name = padded("NAME");
    network.send_to_name(name, letter("a", 1));
    network.send_to_name(name, letter("b", 2));
    assert_eq!(news(&mut network), ["tell Q NAME", "tell Q NAME"]);
    network.name(name, 0x0100_0007);
    network.send_to_name(name, letter("c", 3));
    assert_eq!(
        news(&mut network),
        [
            "deliver 1000007 from 1000009 type 10 session 1 a",
            "deliver 1000007 from 1000009 type 10 session 2 b",
            "deliver 1000007 from 1000009 type 10 session 3 c",
        ]
    );
}

#[test]
fn messages_for_a_name_of_another_node_go_there_with_its_handle() {
    let mut network = harbor(1);
    let name = padded("SIXTEENBYTES1234");
    network.send_to_name(name, letter("a", 1));
    network.name(name, 0x0200_0007);
    assert_eq!(news(&mut network), ["tell Q SIXTEENBYTES1234"]);
    network.connect(5, 2, true);
    assert_eq!(network.node.written[6..14], [1, 0, 0, 9, 10, 0, 0, 7]);
}

#[test]
fn messages_for_a_name_of_a_lost_harbor_fail() {
    let mut network = harbor(1);
    network.send_to_name(padded("GONE"), letter("a", 1));
    network.lose(2);
    news(&mut network);
    network.name(padded("GONE"), 0x0200_0007);
    assert_eq!(
        news(&mut network),
        [
            "log Drop message to GONE (in harbor 2)",
            "fail 2000007 to 1000009 session 1",
        ]
    );
}

#[test]
fn a_node_without_network_has_names_and_no_remotes() {
    let mut network = harbor(0);
    network.node.services.insert(8);
    network.name(padded("HERE"), 8);
    network.send_to_name(padded("HERE"), letter("a", 1));
    assert_eq!(
        news(&mut network),
        ["deliver 8 from 1000009 type 10 session 1 a"]
    );
    network.send(0x0300_0001, letter("b", 2));
    assert_eq!(news(&mut network)[1], "fail 3000001 to 1000009 session 2");
}

#[test]
fn a_message_that_no_frame_can_carry_fails_alone() {
    let mut network = harbor(1);
    network.connect(7, 2, true);
    news(&mut network);
    network.send(0x0200_0005, letter(&"x".repeat(frame::MAX_LENGTH), 6));
    assert_eq!(
        news(&mut network),
        [
            "log remote message from :01000009 to :02000005 is too large.",
            "fail 2000005 to 1000009 session 6",
        ]
    );
}

#[test]
fn the_end_closes_every_connection_and_says_nothing() {
    let mut network = harbor(1);
    network.connect(7, 2, true);
    network.connect(8, 3, false);
    network.send(0x0400_0001, letter("x", 1));
    news(&mut network);
    network.shut();
    assert_eq!(news(&mut network), ["close 7", "close 8"]);
}

#[test]
fn requests_to_a_name_that_nobody_has_fail_when_it_is_given_up() {
    let mut network = harbor(0);
    network.node.services.insert(7);
    network.send_to_name(padded("echo"), letter("request", 4));
    network.send_to_name(padded("echo"), letter("send", 0));
    assert_eq!(news(&mut network), ["tell Q echo", "tell Q echo"]);
    network.give_up(&padded("other"));
    network.give_up(&padded("echo"));
    assert_eq!(news(&mut network), ["fail 0 to 1000009 session 4"]);
    network.send_to_name(padded("echo"), letter("again", 5));
    assert_eq!(news(&mut network), ["tell Q echo"]);
    network.name(padded("echo"), 0x0000_0007);
    assert_eq!(
        news(&mut network),
        ["deliver 7 from 1000009 type 10 session 5 again"]
    );
    network.give_up(&padded("echo"));
    network.send_to_name(padded("echo"), letter("known", 6));
    assert_eq!(
        news(&mut network),
        ["deliver 7 from 1000009 type 10 session 6 known"]
    );
}

#[test]
fn what_waits_is_bounded_and_there_is_room_again_when_it_has_gone() {
    let mut network = harbor(1);
    for _ in 0..MAX_WAITING {
        network.send_to_name(padded("late"), letter("", 1));
    }
    news(&mut network);
    network.send_to_name(padded("late"), letter("one more", 2));
    assert_eq!(network.names.len(), 1);
    network.send_to_name(padded("another"), letter("of another", 5));
    assert_eq!(network.names.len(), 1, "a name that nothing waits for");
    network.send(0x0200_0005, letter("and another", 3));
    let lines = news(&mut network);
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.starts_with("fail "))
            .count(),
        3
    );
    assert!(
        lines.iter().any(|line| line.contains("no more may")),
        "{lines:?}"
    );
    network.name(padded("late"), 0x0100_0007);
    news(&mut network);
    network.send(0x0200_0005, letter("now there is room", 4));
    assert!(news(&mut network).is_empty());
}

#[test]
fn unfinished_messages_of_all_nodes_together_have_a_limit() {
    let mut network = harbor(1);
    let announced = u32::try_from(frame::MAX_LENGTH).unwrap().to_be_bytes();
    let part = vec![0; 15 * 1024 * 1024];
    let most = MAX_UNFINISHED / part.len();
    for id in 2..2 + most + 1 {
        network.connect(c_int::try_from(id).unwrap(), id, false);
        network.receive(id, &[u8::try_from(id).unwrap()]);
        network.receive(id, &announced);
        news(&mut network);
        network.receive(id, &part);
        let closed = news(&mut network)
            .iter()
            .any(|line| line.starts_with("close "));
        assert_eq!(closed, id == 2 + most, "connection {id}");
    }
}
