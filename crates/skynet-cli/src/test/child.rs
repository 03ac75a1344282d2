//! One node: started, watched, and what became of it.

use super::report::{self, Case, Outcome};
use crate::args::Test;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often a node is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// Of a log, so much of its end is kept.
const LOG: usize = 64 * 1024;

/// What became of a file of tests.
#[derive(Debug)]
pub struct FileResult {
    pub file: PathBuf,
    pub cases: Vec<Case>,
    /// Why the file itself failed.
    pub problem: Option<String>,
    /// What the node wrote.
    pub log: String,
    pub seconds: f64,
    /// The seed that decided the order of services.
    pub seed: Option<u64>,
    /// How many runs this stands for.
    pub runs: u64,
}

impl FileResult {
    /// How to have a run again that failed.
    pub fn again(&self) -> Option<String> {
        let seed = self.seed.filter(|_| self.failed())?;
        Some(format!(
            "seed {seed}: `skynet test {} --seed {seed}` runs it again",
            self.file.display()
        ))
    }

    /// Whether something failed.
    pub fn failed(&self) -> bool {
        let failed = |case: &Case| matches!(case.outcome, Outcome::Failed(_));
        self.problem.is_some() || self.cases.iter().any(failed)
    }
}

/// A folder for reports and logs, which goes at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> io::Result<Scratch> {
        let temporary = std::env::temp_dir();
        // One that is there is another's, who may have chosen the name.
        for number in 0..1000 {
            let folder = temporary.join(format!("skynet-test-{}-{number}", std::process::id()));
            match fs::create_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Scratch(folder)),
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }

    /// A name for the files of one node.
    pub fn file(&self, number: usize) -> PathBuf {
        self.0.join(number.to_string())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is in the folder of temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs one file of tests to its end, or to that of its time.
pub fn run(test: &Test, root: &Path, file: &Path, seed: Option<u64>, place: &Path) -> FileResult {
    let begin = Instant::now();
    let (report, log) = (place.with_extension("report"), place.with_extension("log"));
    let ended = command(test, root, file, seed, &report)
        .and_then(|command| start(command, &log))
        .and_then(|child| watch(child, &report, test.limit));
    let text = fs::read(&report).unwrap_or_default();
    let mut said = report::parse(&String::from_utf8_lossy(&text));
    let early = match ended {
        Err(error) => Some(format!("the node could not be run: {error}")),
        Ok(End::Silent(time)) => Some(format!(
            "nothing happened for {} s: the node was ended{}",
            time.as_secs(),
            match what_ran(&end_of(&log)) {
                Some(stack) => format!("; what ran is\n{stack}"),
                None => " (is there a loop without an end?)".into(),
            }
        )),
        Ok(End::Status(_)) if said.done => None,
        Ok(End::Status(status)) => Some(format!(
            "the node ended before its tests did: {}",
            tell(status)
        )),
    };
    match (early, said.running.take()) {
        (Some(why), Some(name)) => {
            let missing = format!("the node ended in {name:?}");
            said.cases.push(Case {
                name,
                outcome: Outcome::Failed(why),
                seconds: 0.0,
            });
            said.count_missing(&missing);
        }
        (Some(why), None) => said.problem = said.problem.or(Some(why)),
        (None, _) => {}
    }
    said.count_missing("the file could not be run to the end");
    let result = FileResult {
        file: file.to_path_buf(),
        cases: said.cases,
        problem: said.problem,
        log: end_of(&log),
        seconds: begin.elapsed().as_secs_f64(),
        seed,
        runs: 1,
    };
    let _ = (fs::remove_file(&report), fs::remove_file(&log));
    result
}

/// The node of one file of tests.
fn command(
    test: &Test,
    root: &Path,
    file: &Path,
    seed: Option<u64>,
    report: &Path,
) -> io::Result<Command> {
    File::create(report)?;
    let mut node =
        Command::new(std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()));
    node.arg("test-node").arg("--root").arg(root);
    node.arg("--report").arg(report);
    node.arg("--limit").arg(test.limit.to_string());
    if let Some(filter) = &test.filter {
        node.arg(format!("--filter={filter}"));
    }
    if let Some(config) = &test.config {
        node.arg("--config").arg(config);
    }
    for (key, value) in &test.node.set {
        node.arg(format!("--set={key}={value}"));
    }
    if test.node.virtual_time {
        node.arg("--virtual-time");
    }
    if let Some(seed) = seed {
        node.arg(format!("--seed={seed}"));
        same_addresses(&mut node);
    }
    node.arg("--").arg(file);
    Ok(node)
}

/// Lets a node have its memory at the same addresses in each run: the order of tables with tables for keys is that of
/// addresses.
fn same_addresses(node: &mut Command) {
    #[cfg(target_os = "linux")]
    // SAFETY: one system call, which touches no memory. A system that refuses it (personality(2)) has other addresses.
    unsafe {
        node.pre_exec(|| {
            libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
            Ok(())
        });
    }
    #[cfg(not(target_os = "linux"))]
    let _ = node;
}

fn start(mut node: Command, log: &Path) -> io::Result<Child> {
    let log = File::create(log)?;
    node.stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    node.spawn()
}

/// So long a node may say nothing while a test with that limit runs: longer than the test may take, so that its own limit
/// comes first.
fn silence(limit: f64) -> Duration {
    Duration::from_secs_f64(limit * 2.0 + 10.0)
}

enum End {
    Status(ExitStatus),
    /// It said nothing for so long.
    Silent(Duration),
}

fn watch(mut node: Child, report: &Path, limit: f64) -> io::Result<End> {
    let mut report = BufReader::new(File::open(report)?);
    let (mut line, mut silence, mut since) = (String::new(), silence(limit), Instant::now());
    loop {
        if let Some(status) = node.try_wait()? {
            return Ok(End::Status(status));
        }
        // What is new; a line may come in pieces.
        while report.read_line(&mut line)? > 0 {
            since = Instant::now();
            if line.ends_with('\n') {
                // A limit of its own goes over that of the command line.
                let limit = report::limit_of(&line).unwrap_or(limit);
                silence = self::silence(limit);
                line.clear();
            }
        }
        if since.elapsed() > silence {
            node.kill()?;
            node.wait()?;
            return Ok(End::Silent(silence));
        }
        std::thread::sleep(LOOK);
    }
}

/// Of a log, the stack that a service wrote last when the monitor asked what it runs, as far as it is the user's.
fn what_ran(log: &str) -> Option<String> {
    let (_, rest) = log.rsplit_once("stuck: what runs is\n")?;
    let stack = rest.lines().take_while(|line| line.starts_with('\t'));
    let is_users = |line: &&str| {
        let line = line.trim_start();
        !line.starts_with("[C]") && !line.starts_with("embedded/")
    };
    let stack: Vec<_> = stack.filter(is_users).collect();
    (!stack.is_empty()).then(|| stack.join("\n"))
}

fn tell(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "with status 0 (did something call skynet.abort?)".into(),
        (Some(code), _) => format!("with status {code}"),
        (_, Some(signal)) => format!("by signal {signal}"),
        _ => status.to_string(),
    }
}

fn end_of(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let cut = bytes.len().saturating_sub(LOG);
    let text = String::from_utf8_lossy(&bytes[cut..]).into_owned();
    match text.split_once('\n') {
        Some((_, rest)) if cut != 0 => format!("[the log begins earlier]\n{rest}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_of_a_loop_is_the_last_one_without_what_is_ours() {
        let log = "[:00000008] stuck: what runs is\n\told.lua:1: in field 'run'\n[:00000008] x\n\
            stuck: what runs is\n\t[C]: in function 'x'\n\ta_test.lua:5: in field 'run'\n\
            \tembedded/lualib/skynet/internal/kernel.lua:1: in function 'y'\n[:00000001] more\n";
        assert_eq!(
            what_ran(log).as_deref(),
            Some("\ta_test.lua:5: in field 'run'")
        );
        assert_eq!(what_ran("nothing"), None);
    }
}
