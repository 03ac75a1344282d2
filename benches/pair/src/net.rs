//! The socket rows: a server in a process of its own, its clients in this one.

use std::time::{Duration, Instant};

use crate::args::Args;
use crate::driver::{Modules, On, start, start_lua};
use crate::echo::{Connections, free_port};
use crate::proc;
use crate::process::{Process, Values};
use crate::rows::{Kind, Row};

/// The echo service on a node, or the limit program in its place; `options` as `benchecho` takes them. The Lua service
/// finds its port as `bench_pairs`.
fn server(
    row: &Row,
    on: On,
    args: &Args,
    modules: &Modules,
    options: &str,
) -> Result<(Process, u16), String> {
    let port = free_port()?;
    let script = match row.kind {
        Kind::Echo { script, .. } => script,
        _ => None,
    };
    let mut server = match script {
        Some(script) if matches!(on, On::Node(_)) => {
            start_lua(row, on, args, modules, script, port.into(), true)?
        }
        _ => {
            let bootstrap = format!("benchecho run port={port} {options}");
            start(row, on, args, modules, &bootstrap)?
        }
    };
    server.wait_for("ready")?;
    Ok((server, port))
}

/// Warm up and measure: operations a second, and the server's CPU time for each. `work` does operations for a time
/// and answers how many.
fn rates(
    server: &Process,
    args: &Args,
    mut work: impl FnMut(Duration) -> Result<u64, String>,
) -> Result<Values, String> {
    let (warm, measured) = if args.quick { (50, 200) } else { (200, 800) };
    work(Duration::from_millis(warm))?;
    let cpu = proc::usage(server.pid())?.cpu_ns;
    let began = Instant::now();
    let done = work(Duration::from_millis(measured))?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = proc::usage(server.pid())?.cpu_ns - cpu;
    Ok(vec![
        ("rate".to_owned(), done as f64 / seconds),
        (
            "server_cpu_us".to_owned(),
            cpu as f64 / 1e3 / done.max(1) as f64,
        ),
    ])
}

/// What a client of a gate sends: so many frames of `size` bytes with their lengths.
fn frames_of(size: usize, count: usize) -> Vec<u8> {
    let body = u16::try_from(size - 2).expect("a frame is short");
    let mut frame = body.to_be_bytes().to_vec();
    frame.resize(size, b'x');
    frame.repeat(count)
}

/// One request of `size` bytes, or of so many frames of that, under way on each of `connections`.
pub fn echo(
    row: &Row,
    on: On,
    args: &Args,
    modules: &Modules,
    connections: usize,
    size: usize,
    frames: Option<usize>,
) -> Result<Values, String> {
    let (server, port) = server(row, on, args, modules, "greet=0")?;
    let mut clients = Connections::open(port, connections, false)?;
    let request = match frames {
        Some(count) => frames_of(size, count),
        None => vec![b'x'; size],
    };
    let each = frames.unwrap_or(1) as u64;
    rates(&server, args, |time| {
        Ok(each * clients.echo(time, &request)?)
    })
}

/// Connections that are opened, greeted and reset.
pub fn accept(row: &Row, on: On, args: &Args, modules: &Modules) -> Result<Values, String> {
    let (server, port) = server(row, on, args, modules, "greet=1")?;
    rates(&server, args, |time| {
        let began = Instant::now();
        let mut opened = 0;
        while began.elapsed() < time {
            opened += Connections::open(port, 64, true)?.count() as u64;
        }
        Ok(opened)
    })
}

/// One client's 64 bytes to all of `connections`, then the next.
pub fn broadcast(
    row: &Row,
    on: On,
    args: &Args,
    modules: &Modules,
    connections: usize,
) -> Result<Values, String> {
    let (server, port) = server(row, on, args, modules, "greet=1 broadcast=1")?;
    let mut clients = Connections::open(port, connections, true)?;
    rates(&server, args, |time| clients.broadcast(time))
}

/// Memory of `count` connections that do nothing, and how fast they are accepted.
pub fn idle_connections(
    row: &Row,
    on: On,
    args: &Args,
    modules: &Modules,
    count: usize,
) -> Result<Values, String> {
    let (server, port) = server(row, on, args, modules, "greet=1")?;
    // What the first connections allocate for good is not the cost of a connection.
    let _first = Connections::open(port, 64, true)?;
    let before = proc::resident(server.pid())?;
    let began = Instant::now();
    let _clients = Connections::open(port, count, true)?;
    let seconds = began.elapsed().as_secs_f64();
    let after = proc::resident(server.pid())?;
    Ok(vec![
        (
            "growth".to_owned(),
            (after as f64 - before as f64) / count as f64,
        ),
        ("bytes".to_owned(), after as f64 / count as f64),
        ("accept_rate".to_owned(), count as f64 / seconds),
    ])
}
