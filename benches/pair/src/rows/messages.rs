//! Messages between C services. All of them with profile off unless the name says otherwise.

use super::Kind::Service;
use super::Target::{AtLeast, None as Open, Ratio};
use super::{Metric, Row, m};

const RATE: &[Metric] = metrics!["rate" "msg/s" Open, "cpu_ns" "ns CPU/msg" Open];

/// A rate with a target, and what a message costs.
macro_rules! rate {
    ($($target:expr),+) => { metrics![$("rate" "msg/s" $target),+, "cpu_ns" "ns CPU/msg" Open] };
}

const DEPTH: &[Metric] = metrics![
    "push_ns" "ns CPU/msg" Open,
    "drain_ns" "ns CPU/msg" Open,
    "bytes" "bytes/msg" Open,
];

/// A table; in parts it would only be harder to search.
pub fn rows() -> Vec<Row> {
    let message = Some("limit message");
    rows! {
        "pair-w1-profile" 1 on Service("benchmsg run kind=pairs") => rate![Ratio(8.0)], message,
            "ping-pong of one pair, 1 worker, default config";
        "pair-w1" 1 off Service("benchmsg run kind=pairs") => rate![Ratio(2.5)], message,
            "the same, profile off";
        "pair-w1-forward" 1 off Service("benchmsg run kind=pairs forward=1") => RATE, message,
            "the same, each message sent on as it is (DONTCOPY)";
        "pair-w2" 2 off Service("benchmsg run kind=pairs") => RATE, None,
            "one pair, 2 workers, profile off";
        "pair-w2-profile" 2 on Service("benchmsg run kind=pairs") => RATE, None,
            "one pair, 2 workers, default config";

        "pairs8-w1" 1 off Service("benchmsg run kind=pairs pairs=8") => RATE, None,
            "8 pairs, 1 worker, profile off";
        "pairs8-w2" 2 off Service("benchmsg run kind=pairs pairs=8") => RATE, None,
            "8 pairs, 2 workers, profile off";
        "pairs64-w1" 1 off Service("benchmsg run kind=pairs pairs=64") => RATE, None,
            "64 pairs, 1 worker, profile off";
        "pairs64-w2" 2 off Service("benchmsg run kind=pairs pairs=64") => rate![Ratio(6.5)], Some("limit message threads=2"),
            "64 pairs, 2 workers, profile off";
        "pairs64-w3" 3 off Service("benchmsg run kind=pairs pairs=64") => RATE, None,
            "64 pairs, 3 workers, profile off";
        "pairs64-w4" 4 off Service("benchmsg run kind=pairs pairs=64") => RATE, None,
            "64 pairs, 4 workers, profile off";
        "pairs64-w8" 8 off Service("benchmsg run kind=pairs pairs=64") => RATE, None,
            "64 pairs, 8 workers, profile off";
        "pairs64-w2-profile" 2 on Service("benchmsg run kind=pairs pairs=64") => RATE, None,
            "64 pairs, 2 workers, default config";
        "pairs1024-w1" 1 off Service("benchmsg run kind=pairs pairs=1024") => RATE, None,
            "1,024 pairs, 1 worker, profile off";
        "pairs1024-w2" 2 off Service("benchmsg run kind=pairs pairs=1024") => RATE, None,
            "1,024 pairs, 2 workers, profile off";
        "pairs1024-w8" 8 off Service("benchmsg run kind=pairs pairs=1024") => RATE, None,
            "1,024 pairs, 8 workers, profile off";

        "fanin-w1" 1 off Service("benchmsg run kind=fanin") => rate![Ratio(3.0), AtLeast(8e6)], None,
            "4 senders to 1 receiver, 1 worker, profile off";
        "fanin-w2" 2 off Service("benchmsg run kind=fanin") => rate![Ratio(3.0), AtLeast(8e6)], None,
            "the same, 2 workers";
        "fanin-w1-profile" 1 on Service("benchmsg run kind=fanin") => rate![Ratio(6.0)], None,
            "the same, 1 worker, default config";
        "fanin-w2-profile" 2 on Service("benchmsg run kind=fanin") => rate![Ratio(6.0)], None,
            "the same, 2 workers, default config";
        "fanin64-w1" 1 off Service("benchmsg run kind=fanin senders=64") => RATE, None,
            "64 senders to 1 receiver, 1 worker, profile off";
        "fanin64-w2" 2 off Service("benchmsg run kind=fanin senders=64") => RATE, None,
            "the same, 2 workers";
        "fanout100-w1" 1 off Service("benchmsg run kind=fanout receivers=100") => RATE, None,
            "1 sender to 100 receivers, 1 worker, profile off";
        "fanout100-w2" 2 off Service("benchmsg run kind=fanout receivers=100") => RATE, None,
            "the same, 2 workers";

        "ring100-w1" 1 off Service("benchmsg run kind=ring") => RATE, None,
            "one message round a ring of 100, 1 worker, profile off";
        "ring100-w2" 2 off Service("benchmsg run kind=ring") => RATE, None,
            "the same, 2 workers";
        "ring100-w2-t10" 2 off Service("benchmsg run kind=ring tokens=10") => RATE, None,
            "ten messages round a ring of 100, 2 workers, profile off";

        "size64-w1" 1 off Service("benchmsg run kind=pairs size=64") => RATE, message,
            "one pair, 64-byte messages that the core copies, 1 worker";
        "size1k-w1" 1 off Service("benchmsg run kind=pairs size=1024") => RATE, message,
            "the same, 1 KiB";
        "size64k-w1" 1 off Service("benchmsg run kind=pairs size=65536") => RATE, message,
            "the same, 64 KiB";
        "size64-w1-forward" 1 off Service("benchmsg run kind=pairs size=64 forward=1") => RATE, message,
            "64-byte messages sent on as they are (DONTCOPY), 1 worker";
        "size1k-w1-forward" 1 off Service("benchmsg run kind=pairs size=1024 forward=1") => RATE, message,
            "the same, 1 KiB";
        "size64k-w1-forward" 1 off Service("benchmsg run kind=pairs size=65536 forward=1") => RATE, message,
            "the same, 64 KiB";

        "queue1-w1" 1 off Service("benchmsg run kind=ring actors=1 tokens=1") => RATE, None,
            "a service that sends to itself, 1 message in its mailbox, 1 worker";
        "queue100-w1" 1 off Service("benchmsg run kind=ring actors=1 tokens=100") => RATE, None,
            "the same, 100 messages in it all the time";
        "queue10k-w1" 1 off Service("benchmsg run kind=ring actors=1 tokens=10000") => RATE, None,
            "the same, 10,000";
        "queue1m-w1" 1 off Service("benchmsg run kind=ring actors=1 tokens=1000000") => RATE, None,
            "the same, 1,000,000";
        "deep" 1 off Service("benchmsg run kind=deep count=1000000 size=16") => DEPTH, None,
            "a million 16-byte messages wait in one mailbox, 1 worker";
        "deep-empty" 1 off Service("benchmsg run kind=deep count=1000000 size=0") => DEPTH, None,
            "the same, messages without data";
    }
}
