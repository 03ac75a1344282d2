//! The table of what is measured.

use crate::args::Args;

/// Where a row's numbers come from.
pub enum Kind {
    /// The C service named runs as bootstrap with these arguments and prints its results.
    Service(&'static str),
    /// A node with nothing to do, watched from outside for ten seconds.
    Idle,
    /// Echo of 64-byte requests over this many connections.
    Echo(usize),
    /// This many connections that do nothing.
    IdleConnections(usize),
    /// `benches/lua/NAME.lua` on a skynet tree; the pair of environment values `bench_pairs` and whether ours uses
    /// its own layer instead of the tree's.
    Lua {
        start: &'static str,
        pairs: u32,
        own_layer: bool,
    },
}

/// What a good result is.
#[derive(Clone, Copy)]
pub enum Target {
    None,
    /// Ours over the peer's at least, for a metric of which more is better.
    Ratio(f64),
    /// At least this much, whatever the peer has.
    AtLeast(f64),
    /// At most this much, whatever the peer has.
    AtMost(f64),
    /// Ours over the peer's at most, for a metric of which less is better.
    RatioAtMost(f64),
}

/// One figure of a row.
pub struct Metric {
    /// As the service prints it.
    pub key: &'static str,
    pub unit: &'static str,
    pub target: Target,
}

/// One configuration.
pub struct Row {
    pub name: &'static str,
    pub what: &'static str,
    pub threads: u32,
    pub profile: bool,
    pub kind: Kind,
    pub metrics: &'static [Metric],
}

impl Row {
    /// Whether the row opens thousands of files.
    pub fn needs_files(&self) -> bool {
        matches!(self.kind, Kind::Echo(_) | Kind::IdleConnections(_))
    }
}

const fn m(key: &'static str, unit: &'static str, target: Target) -> Metric {
    Metric { key, unit, target }
}

macro_rules! metrics {
    ($($key:literal $unit:literal $target:expr),+ $(,)?) => { const { &[$(m($key, $unit, $target)),+] } };
}

fn service(
    name: &'static str,
    what: &'static str,
    threads: u32,
    profile: bool,
    bootstrap: &'static str,
    metrics: &'static [Metric],
) -> Row {
    Row {
        name,
        what,
        threads,
        profile,
        kind: Kind::Service(bootstrap),
        metrics,
    }
}

use Target::{AtLeast, AtMost, None as Open, Ratio, RatioAtMost};

/// Every row, in the order of the tables.
fn all() -> Vec<Row> {
    let mut rows = message_rows();
    rows.extend(latency_rows());
    rows.extend(service_rows());
    rows.extend(socket_rows());
    rows.extend(lua_rows());
    rows
}

fn message_rows() -> Vec<Row> {
    let rate: &[Metric] = metrics!["rate" "msg/s" Open, "cpu_ns" "ns CPU/msg" Open];
    vec![
        service(
            "pair-w1-profile",
            "ping-pong of one pair, 1 worker, default config",
            1,
            true,
            "benchmsg run kind=pairs",
            metrics!["rate" "msg/s" Ratio(8.0), "cpu_ns" "ns CPU/msg" Open],
        ),
        service(
            "pair-w1",
            "the same, profile off",
            1,
            false,
            "benchmsg run kind=pairs",
            metrics!["rate" "msg/s" Ratio(2.5), "cpu_ns" "ns CPU/msg" Open],
        ),
        service(
            "pair-w1-forward",
            "the same, each message sent on as it is (DONTCOPY)",
            1,
            false,
            "benchmsg run kind=pairs forward=1",
            rate,
        ),
        service(
            "pair-w2",
            "one pair, 2 workers, profile off",
            2,
            false,
            "benchmsg run kind=pairs",
            rate,
        ),
        service(
            "pair-w2-profile",
            "one pair, 2 workers, default config",
            2,
            true,
            "benchmsg run kind=pairs",
            rate,
        ),
        service(
            "pairs64-w1",
            "64 pairs, 1 worker, profile off",
            1,
            false,
            "benchmsg run kind=pairs pairs=64",
            rate,
        ),
        service(
            "pairs64-w2",
            "64 pairs, 2 workers, profile off",
            2,
            false,
            "benchmsg run kind=pairs pairs=64",
            metrics!["rate" "msg/s" Ratio(6.5), "cpu_ns" "ns CPU/msg" Open],
        ),
        service(
            "pairs64-w3",
            "64 pairs, 3 workers, profile off",
            3,
            false,
            "benchmsg run kind=pairs pairs=64",
            rate,
        ),
        service(
            "pairs64-w4",
            "64 pairs, 4 workers, profile off",
            4,
            false,
            "benchmsg run kind=pairs pairs=64",
            rate,
        ),
        service(
            "pairs64-w2-profile",
            "64 pairs, 2 workers, default config",
            2,
            true,
            "benchmsg run kind=pairs pairs=64",
            rate,
        ),
        service(
            "fanin-w1",
            "4 senders to 1 receiver, 1 worker, profile off",
            1,
            false,
            "benchmsg run kind=fanin",
            metrics!["rate" "msg/s" Ratio(3.0), "rate" "msg/s" AtLeast(8e6)],
        ),
        service(
            "fanin-w2",
            "the same, 2 workers",
            2,
            false,
            "benchmsg run kind=fanin",
            metrics!["rate" "msg/s" Ratio(3.0), "rate" "msg/s" AtLeast(8e6)],
        ),
        service(
            "fanin-w1-profile",
            "the same, 1 worker, default config",
            1,
            true,
            "benchmsg run kind=fanin",
            metrics!["rate" "msg/s" Ratio(6.0)],
        ),
        service(
            "fanin-w2-profile",
            "the same, 2 workers, default config",
            2,
            true,
            "benchmsg run kind=fanin",
            metrics!["rate" "msg/s" Ratio(6.0)],
        ),
        service(
            "ring100-w1",
            "one message round a ring of 100, 1 worker, profile off",
            1,
            false,
            "benchmsg run kind=ring",
            rate,
        ),
        service(
            "ring100-w2",
            "the same, 2 workers",
            2,
            false,
            "benchmsg run kind=ring",
            rate,
        ),
        service(
            "ring100-w2-t10",
            "ten messages round a ring of 100, 2 workers, profile off",
            2,
            false,
            "benchmsg run kind=ring tokens=10",
            rate,
        ),
    ]
}

fn latency_rows() -> Vec<Row> {
    vec![
        service(
            "stat-cpu",
            "error of STAT cpu, 2 services of 100 us turns, 2 workers",
            2,
            true,
            "benchcpu run services=2",
            metrics!["error_percent" "%" AtMost(5.0)],
        ),
        service(
            "stat-cpu-over",
            "the same, 8 services, 8 workers on fewer cores",
            8,
            true,
            "benchcpu run services=8",
            metrics!["error_percent" "%" AtMost(5.0)],
        ),
        service(
            "stat-cpu-sleep",
            "the same, 4 services that also sleep 1 ms a turn, 4 workers",
            4,
            true,
            "benchcpu run services=4 sleep=1000",
            metrics!["error_percent" "%" AtMost(5.0)],
        ),
        service(
            "wakeup",
            "message to an idle service, sender busy 5 ms, 2 workers",
            2,
            true,
            "benchlat run kind=wakeup",
            metrics!["wakeup_median_us" "us" AtMost(40.0), "wakeup_p99_us" "us" AtMost(200.0)],
        ),
        service(
            "burst7",
            "burst to 7 idle services of 1 ms work each, 2 workers",
            2,
            true,
            "benchlat run kind=burst",
            metrics!["burst_median_us" "us" AtMost(4100.0), "burst_p99_us" "us" Open],
        ),
    ]
}

fn service_rows() -> Vec<Row> {
    vec![
        service(
            "timers",
            "1 M pending timers",
            2,
            true,
            "benchtimer run",
            metrics![
                "add_ns" "ns/timer" AtMost(100.0),
                "bytes" "bytes/timer" AtMost(64.0),
                "stall_adding_us" "us" AtMost(10_000.0),
                "stall_pending_us" "us" AtMost(10_000.0),
                "stall_expiring_us" "us" AtMost(10_000.0),
            ],
        ),
        Row {
            name: "idle",
            what: "a node with nothing to do, default config (8 workers), 10 s",
            threads: 8,
            profile: true,
            kind: Kind::Idle,
            metrics: metrics!["switches" "context switches" AtMost(10.0), "cpu_us" "us CPU" AtMost(1000.0)],
        },
        service(
            "launch-kill",
            "launch and kill of a C service, 1 worker",
            1,
            true,
            "benchlaunch run kind=rate",
            metrics!["rate" "1/s" Ratio(2.0)],
        ),
        service(
            "launch-kill-w2",
            "the same, 2 workers",
            2,
            true,
            "benchlaunch run kind=rate",
            metrics!["rate" "1/s" Ratio(2.0)],
        ),
        service(
            "service-memory",
            "resident memory of an idle C service (50,000 of them)",
            2,
            true,
            "benchlaunch run kind=memory",
            metrics!["bytes" "bytes" AtMost(1024.0)],
        ),
    ]
}

fn socket_rows() -> Vec<Row> {
    let echo = |name, what, connections| Row {
        name,
        what,
        threads: 2,
        profile: true,
        kind: Kind::Echo(connections),
        metrics: metrics!["rate" "req/s" Open, "server_cpu_us" "us CPU/req" Open],
    };
    vec![
        echo(
            "echo-1",
            "TCP echo of 64 bytes through a C service, 1 connection",
            1,
        ),
        echo("echo-64", "the same, 64 connections", 64),
        echo("echo-512", "the same, 512 connections", 512),
        Row {
            name: "conns-10k",
            what: "10,000 idle connections to a C service",
            threads: 2,
            profile: true,
            kind: Kind::IdleConnections(10_000),
            metrics: metrics!["bytes" "bytes/connection" RatioAtMost(0.5),
                "growth" "bytes/connection" Open, "accept_rate" "1/s" Ratio(1.0)],
        },
    ]
}

fn lua_rows() -> Vec<Row> {
    let row = |name, what, threads, start, pairs, own_layer, metrics| Row {
        name,
        what,
        threads,
        profile: true,
        kind: Kind::Lua {
            start,
            pairs,
            own_layer,
        },
        metrics,
    };
    vec![
        row(
            "lua-call-w1",
            "Lua call, the tree's layer and modules on both, 1 pair 1 worker",
            1,
            "bench_call",
            1,
            false,
            metrics!["rate" "calls/s" Ratio(1.7)],
        ),
        row(
            "lua-call-8-w2",
            "the same, 8 pairs 2 workers",
            2,
            "bench_call",
            8,
            false,
            metrics!["rate" "calls/s" Ratio(2.5)],
        ),
        row(
            "lua-own-call-w1",
            "Lua call, our layer and modules against the tree's on its own core, 1 pair 1 worker",
            1,
            "bench_call",
            1,
            true,
            metrics!["rate" "calls/s" Ratio(2.5)],
        ),
        row(
            "lua-own-call-8-w2",
            "the same, 8 pairs 2 workers",
            2,
            "bench_call",
            8,
            true,
            metrics!["rate" "calls/s" Ratio(4.0)],
        ),
        row(
            "lua-own-send-w1",
            "Lua send, our layer and modules against the tree's on its own core, 1 pair 1 worker",
            1,
            "bench_send",
            1,
            true,
            metrics!["rate" "sends/s" Ratio(2.5)],
        ),
        row(
            "lua-own-spawn",
            "spawn of 1,000 Lua services, our layer against the tree's, 2 workers",
            2,
            "bench_spawn",
            1000,
            true,
            metrics!["rate" "services/s" Ratio(1.5), "bytes" "bytes/service" RatioAtMost(0.8)],
        ),
    ]
}

/// The rows that the command line asks for. The Lua rows need a tree.
pub fn select(args: &Args) -> Result<Vec<Row>, String> {
    let mut rows = all();
    if !args.only.is_empty() {
        for word in &args.only {
            if !rows.iter().any(|row| matches(row, word)) {
                return Err(format!("--only {word}: no row of that name (see --list)"));
            }
        }
        rows.retain(|row| args.only.iter().any(|word| matches(row, word)));
    }
    if args.root.is_none() && !args.list {
        rows.retain(|row| !matches!(row.kind, Kind::Lua { .. }));
    }
    Ok(rows)
}

/// `word` is a part of the row's name; `=word` the whole of it.
fn matches(row: &Row, word: &str) -> bool {
    match word.strip_prefix('=') {
        Some(name) => row.name == name,
        None => row.name.contains(word),
    }
}
