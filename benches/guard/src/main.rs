//! Counts instructions of key paths with callgrind and compares them with `benches/guard/baseline.tsv`.
//!
//! Instructions, unlike seconds, come out the same whatever else the machine does, so a regression can fail a build.
//! Each path runs twice, with `n` and `3 n` operations; the difference by `2 n` is what one operation costs, without the
//! node's start and end. What the node's other threads do meanwhile depends on the machine's speed: it does not count where
//! one worker does all the work, and where it counts, a path that seems to be above its baseline is counted again, and the
//! smallest count stands. Needs valgrind and a C compiler.
//!
//! ```sh
//! cargo build --release && cargo run -p skynet-guard              # compare
//! cargo run -p skynet-guard -- --update                           # store what was counted as the new baseline
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// A path that seems to cost more than that is counted so many times at most.
const ATTEMPTS: usize = 3;

/// What runs an operation `n` times.
enum Work {
    /// `benchcount run kind=KIND`.
    Service(&'static str),
    /// A Lua service of `benches/lua`, with its arguments.
    Lua(&'static str),
}

/// Whose instructions are counted.
#[derive(Clone, Copy)]
enum Threads {
    /// Those of the thread that runs most: the worker.
    Busiest,
    All,
}

impl Threads {
    /// A path may cost this much more than the baseline says: a few times as much as two runs of one build differ, also on
    /// another machine, whose C library takes other instructions for its copies.
    fn tolerance(self) -> f64 {
        match self {
            Threads::Busiest => 0.03,
            Threads::All => 0.05,
        }
    }
}

struct Row {
    name: &'static str,
    n: u64,
    work: Work,
    threads: Threads,
}

const ROWS: [Row; 12] = [
    Row {
        name: "message",
        n: 20_000,
        work: Work::Service("message"),
        threads: Threads::Busiest,
    },
    Row {
        name: "timer",
        n: 10_000,
        work: Work::Service("timer"),
        threads: Threads::All,
    },
    Row {
        name: "launch-kill",
        n: 2_000,
        work: Work::Service("launch"),
        threads: Threads::All,
    },
    Row {
        name: "lua-call",
        n: 3_000,
        work: Work::Lua("count_call"),
        threads: Threads::Busiest,
    },
    Row {
        name: "lua-spawn",
        n: 100,
        work: Work::Lua("count_spawn"),
        threads: Threads::All,
    },
    Row {
        name: "lua-pack-unpack",
        n: 3_000,
        work: Work::Lua("count_pack"),
        threads: Threads::Busiest,
    },
    Row {
        name: "vm-field",
        n: 12_800,
        work: Work::Lua("count_vm field"),
        threads: Threads::Busiest,
    },
    Row {
        name: "vm-method",
        n: 12_800,
        work: Work::Lua("count_vm method"),
        threads: Threads::Busiest,
    },
    Row {
        name: "vm-table",
        n: 12_800,
        work: Work::Lua("count_vm table"),
        threads: Threads::Busiest,
    },
    Row {
        name: "vm-string",
        n: 12_800,
        work: Work::Lua("count_vm string"),
        threads: Threads::Busiest,
    },
    Row {
        name: "vm-closure",
        n: 12_800,
        work: Work::Lua("count_vm closure"),
        threads: Threads::Busiest,
    },
    Row {
        name: "vm-coroutine",
        n: 12_800,
        work: Work::Lua("count_vm coroutine"),
        threads: Threads::Busiest,
    },
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Compiles the C services that the nodes use; answers their folder.
fn services(folder: &Path) -> Result<(), String> {
    for name in ["benchcount", "benchlog"] {
        let status = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
            .args(["-std=c11", "-D_GNU_SOURCE", "-O2", "-shared", "-fPIC"])
            .arg("-I")
            .arg(root().join("include"))
            .arg("-o")
            .arg(folder.join(format!("{name}.so")))
            .arg(root().join(format!("test-c/bench/{name}.c")))
            .status()
            .map_err(|error| format!("cc: {error}"))?;
        if !status.success() {
            return Err(format!("{name}.c does not compile"));
        }
    }
    Ok(())
}

/// Instructions of a whole node that does the work `n` times.
fn count(executable: &Path, folder: &Path, row: &Row, n: u64) -> Result<u64, String> {
    let services = folder.display();
    let start = match row.work {
        Work::Service(kind) => format!("bootstrap = \"benchcount run kind={kind} n={n}\"\n"),
        Work::Lua(script) => format!(
            "start = \"{script}\"\ncount = {n}\nluaservice = \"{}/benches/lua/?.lua\"\n",
            root().display()
        ),
    };
    let config = format!(
        "thread = 1\nprofile = false\nharbor = 0\nlogservice = \"benchlog\"\ncpath = \"{services}/?.so\"\n{start}"
    );
    let path = folder.join("config");
    fs::write(&path, config).map_err(|error| format!("{}: {error}", path.display()))?;
    let out = folder.join("out");
    let _ = fs::remove_dir_all(&out);
    fs::create_dir(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--separate-threads=yes"])
        .arg(format!(
            "--callgrind-out-file={}",
            out.join("thread").display()
        ))
        .arg(executable)
        .arg(&path)
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}\n{text}", row.name, output.status));
    }
    let counts = thread_totals(&out)?;
    match row.threads {
        Threads::Busiest => counts.into_iter().max(),
        Threads::All => counts.into_iter().reduce(|sum, count| sum + count),
    }
    .ok_or_else(|| format!("{}: callgrind wrote no totals", row.name))
}

/// The instructions of each thread, from the files that callgrind wrote into `folder`.
fn thread_totals(folder: &Path) -> Result<Vec<u64>, String> {
    let problem = |error| format!("{}: {error}", folder.display());
    let mut counts = Vec::new();
    for file in fs::read_dir(folder).map_err(problem)? {
        let bytes = fs::read(file.map_err(problem)?.path()).map_err(problem)?;
        let text = String::from_utf8_lossy(&bytes);
        let totals = text.lines().find_map(|line| line.strip_prefix("totals:"));
        counts.extend(totals.and_then(|number| number.trim().parse::<u64>().ok()));
    }
    Ok(counts)
}

/// Instructions of one operation.
fn instructions_each(executable: &Path, folder: &Path, row: &Row) -> Result<f64, String> {
    let few = count(executable, folder, row, row.n)?;
    let many = count(executable, folder, row, 3 * row.n)?;
    Ok((many as f64 - few as f64) / (2 * row.n) as f64)
}

fn baseline(path: &Path) -> BTreeMap<String, f64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(name, value)| Some((name.to_owned(), value.trim().parse().ok()?)))
        .collect()
}

fn run() -> Result<bool, String> {
    let mut update = false;
    let mut executable = root().join("target/release/skynet");
    if let Some(target) = std::env::var_os("CARGO_TARGET_DIR") {
        executable = PathBuf::from(target).join("release/skynet");
    }
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--update" => update = true,
            "--exe" => executable = arguments.next().ok_or("--exe needs a path")?.into(),
            other => return Err(format!("unknown argument {other:?} (--update, --exe PATH)")),
        }
    }
    let folder = std::env::temp_dir().join(format!("skynet-guard-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    services(&folder)?;

    let path = root().join("benches/guard/baseline.tsv");
    let known = baseline(&path);
    let mut text = String::from("# path\tinstructions an operation (callgrind, release build)\n");
    let mut worse = Vec::new();
    for row in &ROWS {
        let tolerance = row.threads.tolerance();
        let most = known
            .get(row.name)
            .map_or(f64::MAX, |before| before * (1.0 + tolerance));
        let mut least = instructions_each(&executable, &folder, row)?;
        for _ in 1..ATTEMPTS {
            if least <= most {
                break;
            }
            least = least.min(instructions_each(&executable, &folder, row)?);
        }
        let each = least;
        let _ = writeln!(text, "{}\t{each:.0}", row.name);
        match known.get(row.name) {
            Some(&before) => {
                let change = each / before - 1.0;
                println!(
                    "{:<16} {each:>8.0} instructions, baseline {before:.0}, {:+.1} %",
                    row.name,
                    100.0 * change
                );
                if change > tolerance {
                    worse.push(row.name);
                }
            }
            None => {
                println!("{:<16} {each:>8.0} instructions, no baseline", row.name);
                worse.push(row.name);
            }
        }
    }
    fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    if update {
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        return Ok(true);
    }
    if !worse.is_empty() {
        println!(
            "more above the baseline than it may be: {}",
            worse.join(", ")
        );
    }
    Ok(worse.is_empty())
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("guard: {problem}");
            ExitCode::FAILURE
        }
    }
}
