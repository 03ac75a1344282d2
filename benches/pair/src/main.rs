//! Paired benchmarks: the same services on two skynet executables, in turns, on the same machine.
//!
//! Every run is a process of its own with a config of its own. A round runs the peer, then ours; so whatever else the
//! machine does meanwhile hits both alike. See `benches/README.md` for the command line.

mod args;
mod driver;
mod echo;
mod growth;
mod net;
mod proc;
mod process;
mod report;
mod rows;

use std::collections::BTreeMap;
use std::process::ExitCode;

use args::Args;
use driver::On;
use report::Samples;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    match measure(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("pair: {text}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<(), String> {
    let rows = rows::select(args)?;
    if args.list {
        for row in &rows {
            println!("{:<24} {}", row.name, row.what);
        }
        return Ok(());
    }
    if rows.iter().any(|row| row.needs_files()) {
        raise_open_files();
    }
    let modules = driver::compile(args)?;
    let mut samples: BTreeMap<(&str, &str), Samples> = BTreeMap::new();
    let mut failures = Vec::new();
    for row in &rows {
        for round in 0..args.rounds {
            let nodes = args.sides().map(|side| (side.name, On::Node(side)));
            let limit = row.limit.map(|limit| ("limit", On::Limit(limit)));
            for (side, on) in nodes.chain(limit) {
                eprint!(
                    "\r{:<24} round {}/{} {side:<6}\x1b[K",
                    row.name,
                    round + 1,
                    args.rounds,
                );
                match driver::run(row, on, args, &modules) {
                    Ok(values) => {
                        for (metric, value) in values {
                            if let Some(known) = row.metrics.iter().find(|m| m.key == metric) {
                                let entry = samples.entry((row.name, known.key)).or_default();
                                entry.add(side, value);
                            }
                        }
                    }
                    Err(text) => failures.push(format!("{} on {side}: {text}", row.name)),
                }
            }
        }
        eprint!("\r\x1b[K");
        report::print_row(row, &samples, args);
        // After each row, so that a run that is cut short has not been for nothing.
        if let Some(path) = &args.out {
            report::write_tsv(path, &rows, &samples, &failures)
                .map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    report::print_derived(&samples, args);
    report::print_limits(&rows, &samples);
    growth::print(&samples);
    for text in &failures {
        println!("failed: {text}");
    }
    match failures.len() {
        0 => Ok(()),
        n => Err(format!("{n} runs failed")),
    }
}

/// Ten thousand connections need two descriptors each, half of them in this process.
fn raise_open_files() {
    let wanted = libc::rlimit {
        rlim_cur: 65536,
        rlim_max: 65536,
    };
    // SAFETY: `setrlimit` and `getrlimit` only read and write the structures given.
    unsafe {
        if libc::setrlimit(libc::RLIMIT_NOFILE, &wanted) != 0 {
            let mut now = wanted;
            libc::getrlimit(libc::RLIMIT_NOFILE, &mut now);
            now.rlim_cur = now.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &now);
        }
    }
}
