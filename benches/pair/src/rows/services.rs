//! Life of services, and what a node costs that does nothing.

use super::Kind::{Idle, LuaStartup, Service, Startup};
use super::Target::{AtMost, None as Open, Ratio};
use super::{Metric, Row, m};

const STARTUP: &[Metric] = metrics!["first_ms" "ms" Open, "cpu_us" "us CPU" Open];

const LOOKUP: &[Metric] = metrics![
    "send_ns" "ns CPU/msg" Open,
    "query_ns" "ns CPU/query" Open,
    "rate" "msg/s" Open,
    "churn_rate" "1/s" Open,
];

pub fn rows() -> Vec<Row> {
    rows! {
        "idle" 8 on Idle
            => metrics![
                "switches" "context switches" AtMost(10.0),
                "cpu_us" "us CPU" AtMost(1000.0),
                "rss" "bytes" Open,
            ], None,
            "a node with nothing to do, default config (8 workers), 10 s";
        "startup" 8 on Startup => STARTUP, None,
            "from the start of the process to its first C service's first message, default config";
        "lua-own-startup" 8 on LuaStartup { own_layer: true } => STARTUP, None,
            "the same to the first Lua service, our layer against the tree's";
        "launch-kill" 1 on Service("benchlaunch run kind=rate") => metrics!["rate" "1/s" Ratio(2.0)], None,
            "launch and kill of a C service, 1 worker";
        "launch-kill-w2" 2 on Service("benchlaunch run kind=rate") => metrics!["rate" "1/s" Ratio(2.0)], None,
            "the same, 2 workers";
        "lookup" 2 on Service("benchlookup run") => LOOKUP, None,
            "messages to 1,000 services in turn and look-ups of 100 names, 2 workers";
        "lookup-churn" 2 on Service("benchlookup run churn=1") => LOOKUP, None,
            "the same while another service launches and kills";
        "service-memory" 2 on Service("benchlaunch run kind=memory") => metrics!["bytes" "bytes" AtMost(1024.0)], None,
            "resident memory of an idle C service (50,000 of them)";
    }
}
