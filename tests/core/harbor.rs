//! What the core hands to a harbor service.

use crate::node::Setup;

#[test]
fn remote_messages_reach_the_harbor_service() {
    let facts = Setup::new("hooks starts")
        .line("harbor = 1")
        .start()
        .facts();
    let (sent, received): (Vec<_>, Vec<_>) = facts
        .iter()
        .map(String::as_str)
        .partition(|f| f.starts_with("send "));
    assert_eq!(
        sent,
        ["send 3", "send 4", "send 1", "send 6", "send 7", "send 9"]
    );
    assert_eq!(
        received,
        [
            "type 4 session 3 source 1000002 size 48",
            "to 9000007 name <> type 0 size 11 <to a handle>",
            "type 4 session 4 source 100abcd size 48",
            "to 9000007 name <> type 10 size 3 <own>",
            "type 4 session 1 source 1000002 size 48",
            "to 0 name <SHORT> type 0 size 9 <to a name>",
            "type 4 session 6 source 1000002 size 48",
            "to 0 name <ANAMEOFSIXTEENBY> type 0 size 3 <cut>",
            "type 0 session 7 source 1000002 size 5",
            "type 4 session 9 source 1000002 size 48",
            "to 9000001 name <> type 3 size 0 <>",
        ]
    );
}

#[test]
fn the_harbor_service_does_not_keep_a_node_alive() {
    let ended = Setup::new("hooks ends").line("harbor = 1").start().exit();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(ended.stderr.matches("released\n").count(), 2, "{ended:?}");
}
