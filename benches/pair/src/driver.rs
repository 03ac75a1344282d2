//! One run: a config file, a process, its results.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::args::{Args, Side, workspace};
use crate::echo::{self, Connections};
use crate::proc;
use crate::rows::{Kind, Row};

/// Longest time that any run may take.
const LIMIT: Duration = Duration::from_secs(60);

const SERVICES: [&str; 7] = [
    "benchlog",
    "benchmsg",
    "benchlat",
    "benchtimer",
    "benchlaunch",
    "benchcpu",
    "benchecho",
];

type Values = Vec<(String, f64)>;

/// The compiled services and the directory that configs are written to.
pub struct Modules {
    dir: PathBuf,
}

/// Compile the C services once, for both executables.
pub fn compile(args: &Args) -> Result<Modules, String> {
    let dir = match &args.keep {
        Some(dir) => dir.clone(),
        None => std::env::temp_dir().join(format!("skynet-bench-{}", std::process::id())),
    };
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let dir = fs::canonicalize(dir).map_err(|e| e.to_string())?;
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    for name in SERVICES {
        let source = workspace().join(format!("test-c/bench/{name}.c"));
        let status = Command::new(&cc)
            .args([
                "-std=c11",
                "-D_GNU_SOURCE",
                "-O2",
                "-Wall",
                "-shared",
                "-fPIC",
                "-pthread",
                "-I",
            ])
            .arg(&args.include)
            .arg("-o")
            .arg(dir.join(format!("{name}.so")))
            .arg(source)
            .status()
            .map_err(|e| format!("{cc}: {e}"))?;
        if !status.success() {
            return Err(format!("{cc} failed for {name}.c"));
        }
    }
    Ok(Modules { dir })
}

/// Run a row once on one side.
pub fn run(row: &Row, side: &Side, args: &Args, modules: &Modules) -> Result<Values, String> {
    match row.kind {
        Kind::Service(bootstrap) => {
            Process::start(side, &config(row, modules, bootstrap), modules)?.finish()
        }
        Kind::Idle => idle(row, side, modules),
        Kind::Echo(connections) => echo_run(row, side, modules, connections),
        Kind::IdleConnections(count) => idle_connections(row, side, modules, count),
        Kind::Lua {
            start,
            pairs,
            own_layer,
        } => {
            let tree = args.root.as_deref().ok_or("no --root")?;
            let root = if own_layer && side.name == "ours" {
                &args.own_root
            } else {
                tree
            };
            let text = lua_config(row, root, start, pairs);
            Process::start(side, &text, modules)?.finish()
        }
    }
}

fn config(row: &Row, modules: &Modules, bootstrap: &str) -> String {
    format!(
        "thread = {}\nprofile = {}\nharbor = 0\nlogservice = \"benchlog\"\ncpath = \"{}/?.so\"\nbootstrap = \"{bootstrap}\"\n",
        row.threads,
        row.profile,
        modules.dir.display(),
    )
}

fn lua_config(row: &Row, root: &Path, start: &str, pairs: u32) -> String {
    let root = root.display();
    let own = workspace().join("benches/lua");
    let own = own.display();
    format!(
        "thread = {}\nprofile = {}\nharbor = 0\nlogger = \"/dev/null\"\nbootstrap = \"snlua bootstrap\"\n\
         start = \"{start}\"\nbench_pairs = {pairs}\nlualoader = \"{root}/lualib/loader.lua\"\n\
         luaservice = \"{own}/?.lua;{root}/service/?.lua\"\nlua_path = \"{root}/lualib/?.lua;{root}/lualib/?/init.lua\"\n\
         lua_cpath = \"{root}/luaclib/?.so\"\ncpath = \"{root}/cservice/?.so\"\n",
        row.threads, row.profile,
    )
}

fn idle(row: &Row, side: &Side, modules: &Modules) -> Result<Values, String> {
    let mut node = Process::start(
        side,
        &config(row, modules, "benchlaunch run kind=idle"),
        modules,
    )?;
    node.wait_for("ready")?;
    // Start-up is over once the threads have gone to sleep; a second is ample.
    std::thread::sleep(Duration::from_secs(1));
    let before = proc::usage(node.pid())?;
    std::thread::sleep(Duration::from_secs(10));
    let after = proc::usage(node.pid())?;
    Ok(vec![
        (
            "switches".to_owned(),
            (after.switches - before.switches) as f64,
        ),
        (
            "cpu_us".to_owned(),
            (after.cpu_ns - before.cpu_ns) as f64 / 1e3,
        ),
    ])
}

fn echo_node(
    row: &Row,
    side: &Side,
    modules: &Modules,
    greet: u8,
) -> Result<(Process, u16), String> {
    let port = echo::free_port()?;
    let bootstrap = format!("benchecho run port={port} greet={greet}");
    let mut node = Process::start(side, &config(row, modules, &bootstrap), modules)?;
    node.wait_for("ready")?;
    Ok((node, port))
}

fn echo_run(
    row: &Row,
    side: &Side,
    modules: &Modules,
    connections: usize,
) -> Result<Values, String> {
    let (node, port) = echo_node(row, side, modules, 0)?;
    let mut clients = Connections::open(port, connections, false)?;
    clients.echo(Duration::from_millis(200))?;
    let cpu = proc::usage(node.pid())?.cpu_ns;
    let began = Instant::now();
    let answers = clients.echo(Duration::from_millis(800))?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = proc::usage(node.pid())?.cpu_ns - cpu;
    Ok(vec![
        ("rate".to_owned(), answers as f64 / seconds),
        (
            "server_cpu_us".to_owned(),
            cpu as f64 / 1e3 / answers.max(1) as f64,
        ),
    ])
}

fn idle_connections(
    row: &Row,
    side: &Side,
    modules: &Modules,
    count: usize,
) -> Result<Values, String> {
    let (node, port) = echo_node(row, side, modules, 1)?;
    // What the first connections allocate for good is not the cost of a connection.
    let _first = Connections::open(port, 64, true)?;
    let before = proc::resident(node.pid())?;
    let began = Instant::now();
    let _clients = Connections::open(port, count, true)?;
    let seconds = began.elapsed().as_secs_f64();
    let after = proc::resident(node.pid())?;
    Ok(vec![
        (
            "growth".to_owned(),
            (after as f64 - before as f64) / count as f64,
        ),
        ("bytes".to_owned(), after as f64 / count as f64),
        ("accept_rate".to_owned(), count as f64 / seconds),
    ])
}

/// A running node. Killed when dropped.
struct Process {
    child: Child,
    lines: Receiver<String>,
    deadline: Instant,
}

impl Process {
    fn start(side: &Side, config: &str, modules: &Modules) -> Result<Process, String> {
        let path = modules.dir.join("config");
        fs::write(&path, config).map_err(|e| e.to_string())?;
        let errors = fs::File::create(modules.dir.join("stderr")).map_err(|e| e.to_string())?;
        let mut child = Command::new(&side.exe)
            .arg(&path)
            .current_dir(&modules.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .map_err(|e| format!("{}: {e}", side.exe.display()))?;
        let (sender, lines) = channel();
        let output = child.stdout.take().ok_or("no standard output")?;
        std::thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                if sender
                    .send(String::from_utf8_lossy(&line).into_owned())
                    .is_err()
                {
                    break;
                }
            }
        });
        Ok(Process {
            child,
            lines,
            deadline: Instant::now() + LIMIT,
        })
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next result that the node prints; `None` when its output has ended.
    fn next(&mut self) -> Result<Option<(String, f64)>, String> {
        loop {
            match self
                .lines
                .recv_timeout(self.deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    let mut words = line
                        .split_whitespace()
                        .skip_while(|word| *word != "BENCH")
                        .skip(1);
                    if let (Some(name), Some(Ok(value))) =
                        (words.next(), words.next().map(str::parse))
                    {
                        return Ok(Some((name.to_owned(), value)));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("no end after {} s", LIMIT.as_secs()));
                }
            }
        }
    }

    fn wait_for(&mut self, name: &str) -> Result<(), String> {
        while let Some((got, _)) = self.next()? {
            if got == name {
                return Ok(());
            }
        }
        Err(self.ended())
    }

    /// All results until the node ends, which it must do with status 0.
    fn finish(mut self) -> Result<Values, String> {
        let mut values = Values::new();
        while let Some(value) = self.next()? {
            values.push(value);
        }
        let status = self.child.wait().map_err(|e| e.to_string())?;
        if status.success() && !values.is_empty() {
            Ok(values)
        } else {
            Err(self.ended())
        }
    }

    fn ended(&mut self) -> String {
        match self.child.wait() {
            Ok(status) => format!("the node ended early or without results ({status})"),
            Err(e) => e.to_string(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way it has to be waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
