//! Sockets, on the side of a C service. The clients are this program.

use super::Kind::{Accept, Broadcast, Echo, IdleConnections};
use super::Target::{None as Open, Ratio, RatioAtMost};
use super::{Metric, Row, m};

const ECHO: &[Metric] = metrics!["rate" "req/s" Open, "server_cpu_us" "us CPU/req" Open];

pub fn rows() -> Vec<Row> {
    let bare = Some("limit_echo");
    rows! {
        "echo-1" 2 on Echo { connections: 1, size: 64 } => ECHO, bare,
            "TCP echo of 64 bytes through a C service, 1 connection";
        "echo-64" 2 on Echo { connections: 64, size: 64 } => ECHO, bare,
            "the same, 64 connections";
        "echo-512" 2 on Echo { connections: 512, size: 64 } => ECHO, bare,
            "the same, 512 connections";
        "echo-5000" 2 on Echo { connections: 5000, size: 64 } => ECHO, bare,
            "the same, 5,000 connections";
        "echo-1-4k" 2 on Echo { connections: 1, size: 4 << 10 } => ECHO, bare,
            "4 KiB, 1 connection";
        "echo-64-4k" 2 on Echo { connections: 64, size: 4 << 10 } => ECHO, bare,
            "4 KiB, 64 connections";
        "echo-1-64k" 2 on Echo { connections: 1, size: 64 << 10 } => ECHO, bare,
            "64 KiB, 1 connection";
        "echo-64-64k" 2 on Echo { connections: 64, size: 64 << 10 } => ECHO, bare,
            "64 KiB, 64 connections";
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
