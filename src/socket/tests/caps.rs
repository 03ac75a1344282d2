use super::harness::*;
use crate::socket::What;

/// Sends until the server has had enough; the events so far.
fn overfill(node: &Node, ids: &[i32]) -> Vec<(i32, String)> {
    let block = vec![0u8; 64 * 1024];
    loop {
        for &id in ids {
            node.send(id, &block);
        }
        let errors: Vec<_> = node
            .settle()
            .into_iter()
            .filter_map(|e| match e.what {
                What::Error(t) => Some((e.id, text_of(t.as_bytes()))),
                What::Warning(_) => None,
                other => panic!("{}", name(&other)),
            })
            .collect();
        if !errors.is_empty() {
            return errors;
        }
    }
}

#[test]
fn a_socket_that_queues_more_than_its_limit_is_closed_with_an_error() {
    let node = Node::new();
    node.server.set_limits(Some(1 << 20), None);
    let (id, _peer) = node.connected();
    assert_eq!(
        overfill(&node, &[id]),
        [(id, "write buffer limit exceeded".to_string())]
    );
    assert!(!node.send(id, b"x"));
}

#[test]
fn the_total_limit_closes_who_exceeds_it_and_frees_what_he_had() {
    let node = Node::new();
    node.server.set_limits(None, Some(2 << 20));
    let (a, _peer_a) = node.connected();
    let (b, _peer_b) = node.connected();
    let (small, mut peer) = node.connected();
    overfill(&node, &[a, b]);
    assert!(node.send(small, b"fine"));
    assert_eq!(read_exact(&mut peer, 4), b"fine");
    overfill(&node, &[small]);
}

#[test]
fn there_is_no_limit_by_default() {
    let node = Node::new();
    let (id, _peer) = node.connected();
    congest(&node, id);
    for _ in 0..100 {
        assert!(node.send(id, &vec![0; 1 << 20]));
    }
    assert!(
        node.settle()
            .iter()
            .all(|e| matches!(e.what, What::Warning(_)))
    );
}
