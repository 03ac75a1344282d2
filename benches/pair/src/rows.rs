//! The table of what is measured.

use crate::args::Args;

/// Where a row's numbers come from.
pub enum Kind {
    /// The C service named runs as bootstrap with these arguments and prints its results.
    Service(&'static str),
    /// A node with nothing to do, watched from outside for ten seconds.
    Idle,
    /// Starts of a node until its first service has had a message.
    Startup,
    /// The same with the Lua layer and a service of `benches/lua`; whether ours uses its own layer.
    LuaStartup { own_layer: bool },
    /// Echo over this many connections of requests of this many bytes, by the C service or by a script of `benches/lua`
    /// (our layer on ours, the tree's on the peer). Behind a gate, a request is so many frames at once, of that size; each of them
    /// counts.
    Echo {
        connections: usize,
        size: usize,
        script: Option<&'static str>,
        frames: Option<usize>,
    },
    /// Connections that are opened and reset.
    Accept,
    /// One client's bytes to this many.
    Broadcast(usize),
    /// This many connections that do nothing.
    IdleConnections(usize),
    /// `benches/lua/NAME.lua` on a skynet tree, with the words behind the name as arguments; the environment value
    /// `bench_pairs` and whether ours uses its own layer instead of the tree's.
    Lua {
        start: &'static str,
        pairs: u32,
        own_layer: bool,
    },
    /// `benches/lua/bench_neighbour.lua` in a node of the lowest priority beside busy loops.
    Neighbour,
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
    /// At most what the peer has in the same round, in every round.
    EachRound,
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
    /// A program of `test-c/bench` that does only what must be done, with its first arguments; it prints metrics of
    /// the same names.
    pub limit: Option<&'static str>,
}

impl Row {
    /// Whether the row opens thousands of files.
    pub fn needs_files(&self) -> bool {
        matches!(
            self.kind,
            Kind::Echo { .. } | Kind::Broadcast(_) | Kind::IdleConnections(_)
        )
    }

    /// The metrics, one with two targets only once.
    pub fn metrics_once(&self) -> impl Iterator<Item = &'static Metric> {
        let all = self.metrics;
        let first = |i: usize| all[..i].iter().all(|earlier| earlier.key != all[i].key);
        (0..all.len()).filter(move |&i| first(i)).map(|i| &all[i])
    }

    /// Whether the row needs a skynet tree.
    fn needs_tree(&self) -> bool {
        matches!(
            self.kind,
            Kind::Lua { .. }
                | Kind::LuaStartup { .. }
                | Kind::Echo {
                    script: Some(_),
                    ..
                }
                | Kind::Neighbour
        )
    }
}

const fn m(key: &'static str, unit: &'static str, target: Target) -> Metric {
    Metric { key, unit, target }
}

macro_rules! metrics {
    ($($key:literal $unit:literal $target:expr),+ $(,)?) => { const { &[$(m($key, $unit, $target)),+] } };
}

/// Rows as a table: name, workers, profile `on` or `off`, kind => metrics, limit program, what.
macro_rules! rows {
    ($($name:literal $threads:literal $profile:ident $kind:expr => $metrics:expr, $limit:expr, $what:literal;)*) => {
        vec![$($crate::rows::Row {
            name: $name,
            what: $what,
            threads: $threads,
            profile: rows!(@ $profile),
            kind: $kind,
            metrics: $metrics,
            limit: $limit,
        }),*]
    };
    (@ on) => { true };
    (@ off) => { false };
}

mod latency;
mod lua_ops;
mod messages;
mod services;
mod sockets;

use Target::{Ratio, RatioAtMost};

/// Every row, in the order of the tables.
pub fn all() -> Vec<Row> {
    let mut rows = messages::rows();
    rows.extend(latency::rows());
    rows.extend(services::rows());
    rows.extend(sockets::rows());
    rows.extend(lua_rows());
    rows.extend(lua_ops::rows());
    rows
}

/// A table; in parts it would only be harder to search.
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
        limit: None,
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
            "lua-own-fork-w1",
            "skynet.fork in one service, our layer and modules against the tree's on its own core, 1 worker",
            1,
            "bench_fork",
            1,
            true,
            metrics!["rate" "tasks/s" Ratio(1.5)],
        ),
        row(
            "lua-own-timeout-w1",
            "the same with skynet.timeout(0)",
            1,
            "bench_fork",
            2,
            true,
            metrics!["rate" "tasks/s" Ratio(1.5)],
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
    if args.tree.is_none() && !args.list {
        rows.retain(|row| !row.needs_tree());
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
