//! One run: a config file, a process, its results.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::args::{Args, Side, workspace};
use crate::net;
use crate::proc;
use crate::process::{Process, Values};
use crate::rows::{Kind, Row};

/// Starts of one run of a start-up row, of which the median counts.
const STARTS: usize = 11;

/// The compiled services and limit programs, and the directory that configs are written to.
pub struct Modules {
    pub dir: PathBuf,
}

/// What a row runs on.
#[derive(Clone, Copy)]
pub enum On<'a> {
    Node(&'a Side),
    /// The limit program with these arguments, instead of a node.
    Limit(&'static str),
}

/// Compile everything in `test-c/bench` once: `bench*.c` are services, for both executables, `limit*.c` programs.
pub fn compile(args: &Args) -> Result<Modules, String> {
    let dir = match &args.keep {
        Some(dir) => dir.clone(),
        None => std::env::temp_dir().join(format!("skynet-bench-{}", std::process::id())),
    };
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let dir = fs::canonicalize(dir).map_err(|e| e.to_string())?;
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let sources = workspace().join("test-c/bench");
    for entry in fs::read_dir(&sources).map_err(|e| format!("{}: {e}", sources.display()))? {
        let path = entry.map_err(|e| e.to_string())?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let service = name.starts_with("bench");
        if path.extension().is_none_or(|kind| kind != "c") {
            continue;
        }
        let mut command = Command::new(&cc);
        command.args([
            "-std=c11",
            "-D_GNU_SOURCE",
            "-O2",
            "-Wall",
            "-pthread",
            "-I",
        ]);
        command.arg(&args.include).arg("-o");
        if service {
            command.arg(dir.join(format!("{name}.so")));
            command.args(["-shared", "-fPIC"]);
        } else {
            command.arg(dir.join(&*name));
        }
        let status = command
            .arg(&path)
            .status()
            .map_err(|e| format!("{cc}: {e}"))?;
        if !status.success() {
            return Err(format!("{cc} failed for {name}.c"));
        }
    }
    Ok(Modules { dir })
}

/// Run a row once on one side.
pub fn run(row: &Row, on: On, args: &Args, modules: &Modules) -> Result<Values, String> {
    match row.kind {
        Kind::Service(bootstrap) => start(row, on, args, modules, bootstrap)?.finish(),
        Kind::Idle => idle(row, on, args, modules),
        Kind::Startup => start_up(|| start(row, on, args, modules, "benchlaunch run kind=startup")),
        Kind::LuaStartup { own_layer } => {
            start_up(|| start_lua(row, on, args, modules, "bench_startup", 0, own_layer))
        }
        Kind::Echo {
            connections,
            size,
            frames,
            ..
        } => net::echo(row, on, args, modules, connections, size, frames),
        Kind::Accept => net::accept(row, on, args, modules),
        Kind::Broadcast(connections) => net::broadcast(row, on, args, modules, connections),
        Kind::IdleConnections(count) => net::idle_connections(row, on, args, modules, count),
        Kind::Lua {
            start,
            pairs,
            own_layer,
        } => start_lua(row, on, args, modules, start, pairs, own_layer)?.finish(),
        Kind::Neighbour => neighbour(row, on, args, modules),
    }
}

/// Start what a row runs on: a node with this bootstrap service, or the limit program with the arguments of the row
/// (and behind them those of the bootstrap service, of which it takes what it knows).
pub fn start(
    row: &Row,
    on: On,
    args: &Args,
    modules: &Modules,
    bootstrap: &str,
) -> Result<Process, String> {
    let quick = if args.quick { " quick=1" } else { "" };
    match on {
        On::Limit(limit) => {
            let text = format!("{limit} {bootstrap}{quick}");
            Process::start(limit_program(&text, modules), &modules.dir)
        }
        On::Node(side) => {
            let config = format!(
                "thread = {}\nprofile = {}\nharbor = 0\nlogservice = \"benchlog\"\ncpath = \"{}/?.so\"\n\
                 bootstrap = \"{bootstrap}{quick}\"\n",
                row.threads,
                row.profile,
                modules.dir.display(),
            );
            Process::start(node(side, modules, &config)?, &modules.dir)
        }
    }
}

/// The limit program with its arguments.
fn limit_program(text: &str, modules: &Modules) -> Command {
    let mut words = text.split_whitespace();
    let program = words.next().unwrap_or_default();
    let mut command = Command::new(modules.dir.join(program));
    command.args(words);
    command
}

/// Start a node on a skynet tree with a script of `benches/lua`.
pub fn start_lua(
    row: &Row,
    on: On,
    args: &Args,
    modules: &Modules,
    script: &str,
    pairs: u32,
    own_layer: bool,
) -> Result<Process, String> {
    let command = lua_node(row, on, args, modules, script, pairs, own_layer)?;
    Process::start(command, &modules.dir)
}

/// The command that [`start_lua`] runs.
fn lua_node(
    row: &Row,
    on: On,
    args: &Args,
    modules: &Modules,
    script: &str,
    pairs: u32,
    own_layer: bool,
) -> Result<Command, String> {
    let On::Node(side) = on else {
        return Err("no limit program for Lua".to_owned());
    };
    let tree = args.tree.as_deref().ok_or("no --tree")?;
    let tree = if own_layer && side.name == "ours" {
        &args.own_tree
    } else {
        tree
    };
    node(side, modules, &lua_config(row, args, tree, script, pairs))
}

fn node(side: &Side, modules: &Modules, config: &str) -> Result<Command, String> {
    let path = modules.dir.join("config");
    fs::write(&path, config).map_err(|e| e.to_string())?;
    let mut command = Command::new(&side.exe);
    command.arg(&path);
    Ok(command)
}

/// Busy loops beside the node, on one processor.
const LOOPS: usize = 3;

/// A node of the lowest priority beside busy loops of the normal one, which are bound to one of the processors.
fn neighbour(row: &Row, on: On, args: &Args, modules: &Modules) -> Result<Values, String> {
    let mut command = match on {
        On::Node(_) => lua_node(row, on, args, modules, "bench_neighbour", 0, true)?,
        On::Limit(limit) => limit_program(limit, modules),
    };
    // SAFETY: setpriority(2) is a system call; nothing else happens between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::setpriority(libc::PRIO_PROCESS, 0, 19);
            Ok(())
        })
    };
    let end = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..LOOPS {
            scope.spawn(|| {
                bind_to_last_processor();
                while !end.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let values = Process::start(command, &modules.dir).and_then(Process::finish);
        end.store(true, Ordering::Relaxed);
        values
    })
}

/// Binds the calling thread to the last processor that it may use.
fn bind_to_last_processor() {
    // SAFETY: a set of processors is plain bits, and 0 is the calling thread.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of_val(&set), &mut set);
        let count = libc::CPU_SETSIZE as usize;
        if let Some(last) = (0..count).rev().find(|&i| libc::CPU_ISSET(i, &set)) {
            libc::CPU_ZERO(&mut set);
            libc::CPU_SET(last, &mut set);
            libc::sched_setaffinity(0, size_of_val(&set), &set);
        }
    }
}

/// The scripts find in the environment: `bench_pairs`, and `bench_ticks`, the hundredths of a second to measure for.
fn lua_config(row: &Row, args: &Args, tree: &Path, start: &str, pairs: u32) -> String {
    let tree = tree.display();
    let own = workspace().join("benches/lua");
    let own = own.display();
    let ticks = if args.quick { 20 } else { 80 };
    format!(
        "thread = {}\nprofile = {}\nharbor = 0\nlogger = \"/dev/null\"\nbootstrap = \"snlua bootstrap\"\n\
         start = \"{start}\"\nbench_pairs = {pairs}\nbench_ticks = {ticks}\nlualoader = \"{tree}/lualib/loader.lua\"\n\
         luaservice = \"{own}/?.lua;{tree}/service/?.lua\"\nlua_path = \"{tree}/lualib/?.lua;{tree}/lualib/?/init.lua\"\n\
         lua_cpath = \"{tree}/luaclib/?.so\"\ncpath = \"{tree}/cservice/?.so\"\n",
        row.threads, row.profile,
    )
}

fn idle(row: &Row, on: On, args: &Args, modules: &Modules) -> Result<Values, String> {
    let mut node = start(row, on, args, modules, "benchlaunch run kind=idle")?;
    node.wait_for("ready")?;
    // Start-up is over once the threads have gone to sleep; a second is ample.
    std::thread::sleep(Duration::from_secs(1));
    let before = proc::usage(node.pid())?;
    // Both figures are of ten seconds, also when fewer are watched.
    let watched = if args.quick { 2 } else { 10 };
    std::thread::sleep(Duration::from_secs(watched));
    let after = proc::usage(node.pid())?;
    let of_ten = 10.0 / watched as f64;
    Ok(vec![
        (
            "switches".to_owned(),
            (after.switches - before.switches) as f64 * of_ten,
        ),
        (
            "cpu_us".to_owned(),
            (after.cpu_ns - before.cpu_ns) as f64 / 1e3 * of_ten,
        ),
        ("rss".to_owned(), proc::resident(node.pid())? as f64),
    ])
}

/// From before the process is started until its first service has had its first message.
fn start_up(start: impl Fn() -> Result<Process, String>) -> Result<Values, String> {
    let mut times = Vec::new();
    let mut cpu = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut node = start()?;
        cpu.push(node.wait_for("cpu_us")?);
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    cpu.sort_by(f64::total_cmp);
    Ok(vec![
        ("first_ms".to_owned(), times[STARTS / 2]),
        ("cpu_us".to_owned(), cpu[STARTS / 2]),
    ])
}
