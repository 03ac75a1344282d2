//! Operations within one Lua service (`benches/lua/bench_ops.lua`): our layer and modules on ours, the tree's on the peer.

use super::Kind::{self, Lua};
use super::Target::None as Open;
use super::{Metric, Row, m};

const PACK: &[Metric] = metrics!["pack_ns" "ns CPU" Open, "unpack_ns" "ns CPU" Open];
const EACH: &[Metric] = metrics!["each_ns" "ns CPU" Open];
const TIMER: &[Metric] = metrics!["each_ns" "ns CPU" Open, "bytes" "bytes/timer" Open];

const fn ops(start: &'static str) -> Kind {
    Lua {
        start,
        pairs: 0,
        own_layer: true,
    }
}

pub fn rows() -> Vec<Row> {
    rows! {
        "lua-own-pack-small" 1 on ops("bench_ops pack small") => PACK, None,
            "skynet.pack and unpack of a small call: a string and three integers";
        "lua-own-pack-player" 1 on ops("bench_ops pack player") => PACK, None,
            "the same, nested tables";
        "lua-own-pack-ints" 1 on ops("bench_ops pack ints") => PACK, None,
            "the same, an array of 1,000 integers";
        "lua-own-pack-text" 1 on ops("bench_ops pack text") => PACK, None,
            "the same, a string of 64 KiB";
        "lua-own-load-hit" 1 on ops("bench_ops load hit") => EACH, None,
            "loadfile of 200 functions that are in the code cache";
        "lua-own-load-miss" 1 on ops("bench_ops load miss") => EACH, None,
            "the same after the cache was cleared";
        "lua-own-switch" 1 on ops("bench_ops coroutine switch") => EACH, None,
            "resume and yield of a coroutine";
        "lua-own-wakeup" 1 on ops("bench_ops coroutine wakeup") => EACH, None,
            "skynet.wait and skynet.wakeup of two coroutines in turn";
        "lua-own-timers" 1 on ops("bench_ops timer pending") => TIMER, None,
            "skynet.timeout, 100,000 pending at once: set and fired";
        "lua-own-timer-chain" 1 on ops("bench_ops timer chain") => EACH, None,
            "skynet.timeout(0) one after another";
    }
}
