use super::*;

#[test]
fn what_is_written_is_read_back() {
    let longest = [b'n'; 255];
    let message = [7; PART - 1];
    for to in [
        Address::Number(0),
        Address::Number(u32::MAX),
        Address::Name(b"@a"),
        Address::Name(&longest),
    ] {
        let mut packet = Packet::new();
        let bytes = packet.request(to, 5, &message);
        assert_eq!(
            bytes.len() - 2,
            u16::from_be_bytes([bytes[0], bytes[1]]).into()
        );
        let expected = Request::Whole {
            to,
            session: 5,
            message: &message,
        };
        assert_eq!(read_request(&bytes[2..]), Ok(expected));
        for push in [false, true] {
            let mut packet = Packet::new();
            let bytes = packet.large_request(to, 6, 0x8001, push);
            let expected = Request::Begin {
                to,
                session: 6,
                size: 0x8001,
                push,
            };
            assert_eq!(read_request(&bytes[2..]), Ok(expected));
        }
    }
    for more in [false, true] {
        let mut packet = Packet::new();
        let bytes = packet.request_part(7, b"part", !more);
        let part = b"part";
        let expected = Request::Part {
            session: 7,
            part,
            more,
        };
        assert_eq!(read_request(&bytes[2..]), Ok(expected));
    }
    let tag = [b't'; PART];
    assert_eq!(
        read_request(&Packet::new().trace(&tag)[2..]),
        Ok(Request::Trace(&tag))
    );
}

#[test]
fn a_short_packet_is_no_request() {
    let mut packet = Packet::new();
    let whole = packet.request(Address::Name(b"@name"), 5, b"")[2..].to_vec();
    for len in 1..whole.len() {
        assert_eq!(read_request(&whole[..len]), Err(Malformed::Short));
    }
    let mut packet = Packet::new();
    let begin = packet.large_request(Address::Name(b"@name"), 5, 9, true)[2..].to_vec();
    for len in 1..begin.len() {
        assert_eq!(read_request(&begin[..len]), Err(Malformed::Short));
    }
    assert_eq!(read_request(&[1; 12]), Err(Malformed::NotThirteen));
    assert_eq!(read_request(&[3; 4]), Err(Malformed::Part));
    assert_eq!(read_request(&[]), Err(Malformed::Empty));
    for kind in [5, 0x40, 0x82, 0xff] {
        assert_eq!(read_request(&[kind; 40]), Err(Malformed::Kind(kind)));
    }
}

#[test]
fn a_message_is_cut_into_parts_of_which_one_is_the_last() {
    for size in [1, PART, PART + 1, 2 * PART, 2 * PART + 1] {
        let message = vec![1; size];
        let pieces: Vec<_> = parts(&message).collect();
        assert_eq!(
            pieces.iter().map(|(piece, _)| piece.len()).sum::<usize>(),
            size
        );
        let last: Vec<bool> = pieces.iter().map(|&(_, last)| last).collect();
        let (end, front) = last.split_last().unwrap();
        assert!(*end && front.iter().all(|last| !last));
    }
}

#[test]
fn what_is_no_answer_is_nothing() {
    assert_eq!(read_answer(b"\x05\0\0\0"), None);
    assert_eq!(read_answer(b"\x05\0\0\0\x05"), None);
    assert_eq!(read_answer(b"\x05\0\0\0\x02\x01\0\0"), None);
    assert_eq!(read_answer(b"\x05\0\0\0\x02\x01\0\0\0\0"), None);
    assert_eq!(
        read_answer(b"\x05\0\0\0\x02\x01\0\0\0"),
        Some((5, Content::Begin(1)))
    );
    assert_eq!(
        read_answer(b"\x05\0\0\0\x01"),
        Some((5, Content::Last(b"")))
    );
}
