//! Sockets, on the side of a C service, or of a Lua service where the name says so. The clients are this program.

use super::Kind::{self, Accept, Broadcast, Echo, IdleConnections, Lua};
use super::Target::{None as Open, Ratio, RatioAtMost};
use super::{Metric, Row, m};

const ECHO: &[Metric] = metrics!["rate" "req/s" Open, "server_cpu_us" "us CPU/req" Open];

const LUA_ECHO: &[Metric] = metrics!["rate" "req/s" Ratio(2.2), "server_cpu_us" "us CPU/req" Open];

const GATE: &[Metric] = metrics!["rate" "frames/s" Open, "server_cpu_us" "us CPU/frame" Open];

const fn echo(connections: usize, size: usize) -> Kind {
    Echo {
        connections,
        size,
        script: None,
        frames: None,
    }
}

const fn lua_echo(connections: usize) -> Kind {
    Echo {
        connections,
        size: 64,
        script: Some("bench_echo"),
        frames: None,
    }
}

const fn gate(script: &'static str, frames: usize) -> Kind {
    Echo {
        connections: 64,
        size: 64,
        script: Some(script),
        frames: Some(frames),
    }
}

const CLUSTER: Kind = Lua {
    start: "bench_cluster",
    pairs: 64,
    own_layer: true,
};

pub fn rows() -> Vec<Row> {
    let bare = Some("limit_echo");
    rows! {
        "echo-1" 2 on echo(1, 64) => ECHO, bare,
            "TCP echo of 64 bytes through a C service, 1 connection";
        "echo-64" 2 on echo(64, 64) => ECHO, bare,
            "the same, 64 connections";
        "echo-512" 2 on echo(512, 64) => ECHO, bare,
            "the same, 512 connections";
        "echo-5000" 2 on echo(5000, 64) => ECHO, bare,
            "the same, 5,000 connections";
        "echo-1-4k" 2 on echo(1, 4 << 10) => ECHO, bare,
            "4 KiB, 1 connection";
        "echo-64-4k" 2 on echo(64, 4 << 10) => ECHO, bare,
            "4 KiB, 64 connections";
        "echo-1-64k" 2 on echo(1, 64 << 10) => ECHO, bare,
            "64 KiB, 1 connection";
        "echo-64-64k" 2 on echo(64, 64 << 10) => ECHO, bare,
            "64 KiB, 64 connections";
        "lua-own-echo-1" 2 on lua_echo(1) => LUA_ECHO, bare,
            "TCP echo of 64 bytes through a Lua service, our layer against the tree's, 1 connection";
        "lua-own-echo-64" 2 on lua_echo(64) => LUA_ECHO, bare,
            "the same, 64 connections";
        "lua-own-echo-512" 2 on lua_echo(512) => LUA_ECHO, bare,
            "the same, 512 connections";
        "lua-own-gate" 2 on gate("bench_gate lua", 16) => GATE, None,
            "frames of 64 bytes through a Lua gate and one agent, which sends them back: 64 clients with 16 under way each";
        "lua-own-gate-1" 2 on gate("bench_gate lua", 1) => GATE, None,
            "the same, one under way each";
        "lua-own-cgate" 2 on gate("bench_gate c", 16) => GATE, None,
            "frames of 64 bytes through the C service gate and one agent: 64 clients with 16 under way each";
        "lua-own-cgate-1" 2 on gate("bench_gate c", 1) => GATE, None,
            "the same, one under way each";
        "lua-own-cluster" 2 on CLUSTER => metrics!["rate" "calls/s" Open, "cpu_us" "us CPU/call" Open], None,
            "cluster calls with 64 bytes of a node to itself over the loopback, 64 tasks";
        "accept" 2 on Accept
            => metrics!["rate" "conn/s" Open, "server_cpu_us" "us CPU/conn" Open], bare,
            "connections that are accepted, greeted and reset, 64 at a time";
        "broadcast-1000" 2 on Broadcast(1000)
            => metrics!["rate" "deliveries/s" Open, "server_cpu_us" "us CPU/delivery" Open], bare,
            "64 bytes from one client to 1,000";
        "conns-10k" 2 on IdleConnections(10_000)
            => metrics![
                "bytes" "bytes/connection" RatioAtMost(0.5),
                "growth" "bytes/connection" Open,
                "accept_rate" "1/s" Ratio(1.0),
            ], bare,
            "10,000 idle connections to a C service";
    }
}
