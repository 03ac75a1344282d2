//! How long something takes while the node does something else, and timers.

use super::Kind::{Neighbour, Service};
use super::Target::{AtMost, EachRound, None as Open};
use super::{Metric, Row, m};

const ERROR: &[Metric] = metrics!["error_percent" "%" AtMost(5.0)];

const HALF: &[Metric] = metrics![
    "half_median_us" "us" Open,
    "half_p99_us" "us" Open,
    "half_p999_us" "us" Open,
];

const FAIR: &[Metric] = metrics![
    "light_median_us" "us" Open,
    "light_p99_us" "us" Open,
    "light_rate" "msg/s" Open,
    "hog_rate" "msg/s" Open,
];

const TIMERS: &[Metric] = metrics![
    "add_ns" "ns/timer" Open,
    "add_cpu_ns" "ns CPU/timer" Open,
    "bytes" "bytes/timer" Open,
    "stall_expiring_us" "us" AtMost(10_000.0),
];

pub fn rows() -> Vec<Row> {
    rows! {
        "stat-cpu" 2 on Service("benchcpu run services=2") => ERROR, None,
            "error of STAT cpu, 2 services of 100 us turns, 2 workers";
        "stat-cpu-over" 8 on Service("benchcpu run services=8") => ERROR, None,
            "the same, 8 services, 8 workers on fewer cores";
        "stat-cpu-sleep" 4 on Service("benchcpu run services=4 sleep=1000") => ERROR, None,
            "the same, 4 services that also sleep 1 ms a turn, 4 workers";

        "wakeup" 2 on Service("benchlat run kind=wakeup")
            => metrics!["wakeup_median_us" "us" AtMost(40.0), "wakeup_p99_us" "us" AtMost(200.0)], Some("limit wakeup"),
            "message to an idle service, sender busy 5 ms, 2 workers";
        "burst7" 2 on Service("benchlat run kind=burst")
            => metrics!["burst_median_us" "us" AtMost(4100.0), "burst_p99_us" "us" Open], None,
            "burst to 7 idle services of 1 ms work each, 2 workers";
        "neighbour" 2 on Neighbour
            => metrics!["worst_late_ms" "ms" EachRound, "late" "of 200" Open], Some("limit sleep"),
            "200 sleeps of 30 ms and a call in a node under nice 19, beside three busy loops on the last processor, 2 workers";
        "half-load" 2 on Service("benchload run kind=half threads=2") => HALF, None,
            "message to one of 16 services of 100 us work each while half the time of 2 workers is used";
        "half-load-w8" 8 on Service("benchload run kind=half threads=2") => HALF, None,
            "the same load, 8 workers";
        "fair-none-w2" 2 on Service("benchload run kind=fair hogs=0") => FAIR, None,
            "messages between 100 light services, 2 workers";
        "fair-w1" 1 on Service("benchload run kind=fair") => FAIR, None,
            "the same beside a hog, which always has 1,000 messages of 10 us in its mailbox, 1 worker";
        "fair-w2" 2 on Service("benchload run kind=fair") => FAIR, None,
            "beside one hog, 2 workers";
        "fair-2hogs-w2" 2 on Service("benchload run kind=fair hogs=2") => FAIR, None,
            "beside two hogs, 2 workers";
        "fair-w8" 8 on Service("benchload run kind=fair") => FAIR, None,
            "beside one hog, default config (8 workers)";
        "fair-long-w2" 2 on Service("benchload run kind=fair tokens=1 work=20000") => FAIR, None,
            "beside one hog whose every message takes 20 ms, 2 workers";

        "timers" 2 on Service("benchtimer run")
            => metrics![
                "add_ns" "ns/timer" AtMost(100.0),
                "add_cpu_ns" "ns CPU/timer" Open,
                "bytes" "bytes/timer" AtMost(64.0),
                "stall_adding_us" "us" AtMost(10_000.0),
                "stall_pending_us" "us" AtMost(10_000.0),
                "stall_expiring_us" "us" AtMost(10_000.0),
            ], Some("limit_timer kind=pending timers=1000000"),
            "1 M pending timers";
        "timers-10k" 2 on Service("benchtimer run timers=10000 first=50 span=50")
            => TIMERS, Some("limit_timer kind=pending"),
            "10,000 pending timers";
        "timers-100k" 2 on Service("benchtimer run timers=100000 first=50 span=50")
            => TIMERS, Some("limit_timer kind=pending"),
            "100,000 pending timers";
        "timer-fire" 2 on Service("benchtick run kind=fire timers=100000")
            => metrics!["fire_ns" "ns/timer" Open, "cpu_ns" "ns CPU/timer" Open], Some("limit_timer kind=fire"),
            "100,000 timers that expire at once: from the first callback to the last; CPU of setting and firing one";
        "timer-churn" 2 on Service("benchtick run kind=churn services=100 timers=1000")
            => metrics!["rate" "timers/s" Open, "cpu_ns" "ns CPU/timer" Open], Some("limit_timer kind=churn"),
            "100 services keep 1,000 timers of up to a second each: each is set anew when it fires";
        "timer-accuracy" 2 on Service("benchtick run kind=accuracy")
            => metrics![
                "tick_median_us" "us" Open,
                "tick_p99_us" "us" Open,
                "late_median_us" "us" Open,
                "late_p99_us" "us" Open,
            ], Some("limit_timer kind=accuracy"),
            "timers of 10 to 50 ms on an idle node: from the tick that is due, and from the time asked for, to the callback";
    }
}
