//! Starts a node with a generated config and reads what its services report.
//!
//! The C services of `test-c/services` are compiled once, against `include/`. By default the node is the executable
//! of this package. `SKYNET_EXE` runs the same tests on another executable of the same interface (and `SKYNET_CSERVICE`
//! names the directory of its C services): whatever a test expects must hold there too, unless it asks [`ours`].

use std::fmt::Write as _;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How long an awaited event may take before the test fails. No test depends on its value.
const PATIENCE: Duration = Duration::from_secs(40);

/// Whether the node under test is this package's executable, of whatever build (`SKYNET_OURS` says so of another file).
pub fn ours() -> bool {
    std::env::var_os("SKYNET_EXE").is_none() || std::env::var_os("SKYNET_OURS").is_some()
}

fn executable() -> PathBuf {
    std::env::var_os("SKYNET_EXE")
        .map_or_else(|| env!("CARGO_BIN_EXE_skynet").into(), PathBuf::from)
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("test-c/services")
}

/// The directory with the compiled C services.
pub fn services() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("services-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for entry in std::fs::read_dir(sources()).unwrap() {
            let source = entry.unwrap().path();
            if source.extension().is_some_and(|e| e == "c") {
                compile(
                    &source,
                    &dir.join(source.with_extension("so").file_name().unwrap()),
                );
            }
        }
        dir
    })
}

/// Compiles one C service against our headers.
pub fn compile(source: &Path, to: &Path) {
    let status = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args([
            "-std=c11",
            "-D_GNU_SOURCE",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-g",
            "-O1",
            "-fPIC",
            "-shared",
            "-I",
        ])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("include"))
        .arg("-o")
        .args([to, source])
        .status()
        .expect("a C compiler");
    assert!(status.success(), "{} does not compile", source.display());
}

/// A working directory, removed with the last of its users.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        // A failed test leaves its files for a look.
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// What a node is started with.
pub struct Setup {
    dir: Arc<Directory>,
    config: String,
    cpath: String,
    environment: Vec<(String, String)>,
}

impl Setup {
    /// A node whose bootstrap service is `bootstrap` ("module args"), with 2 workers and harbor 0.
    pub fn new(bootstrap: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "node-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let mut cpath = format!("{}/?.so", services().display());
        if let Ok(more) = std::env::var("SKYNET_CSERVICE") {
            write!(cpath, ";{more}/?.so").unwrap();
        }
        let config = format!("bootstrap = [[{bootstrap}]]\n");
        Setup {
            dir: Arc::new(Directory(dir)),
            config,
            cpath,
            environment: Vec::new(),
        }
        .line("thread = 2")
        .line("harbor = 0")
    }

    /// Adds a line to the config; a later line of the same key wins.
    pub fn line(mut self, line: &str) -> Self {
        self.config.push_str(line);
        self.config.push('\n');
        self
    }

    /// Sets an environment variable of the process.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.environment.push((key.into(), value.into()));
        self
    }

    /// Adds an entry in front of the search path of C services.
    pub fn cpath_first(mut self, entry: &str) -> Self {
        self.cpath = format!("{entry};{}", self.cpath);
        self
    }

    /// The node's working directory, for files it reads or writes.
    pub fn dir(&self) -> &Path {
        &self.dir.0
    }

    /// Starts the node with the config as it is now.
    pub fn start(&self) -> Node {
        std::fs::write(
            self.dir().join("config"),
            format!("cpath = [[{}]]\n{}", self.cpath, self.config),
        )
        .unwrap();
        self.run(&["config"])
    }

    /// Starts the executable with these arguments in the node's directory.
    pub fn run(&self, arguments: &[&str]) -> Node {
        let mut command = Command::new(executable());
        // Tests that run in the background of a shell have these ignored, and so would the node.
        // SAFETY: signal(2) may be called between fork and exec; the closure touches nothing else.
        unsafe {
            command.pre_exec(|| {
                for signal in [libc::SIGINT, libc::SIGQUIT] {
                    libc::signal(signal, libc::SIG_DFL);
                }
                Ok(())
            });
        }
        let mut child = command
            .args(arguments)
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .current_dir(self.dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the executable");
        let out = Stream::follow(child.stdout.take().unwrap());
        let err = Stream::follow(child.stderr.take().unwrap());
        Node {
            child,
            out,
            err,
            _dir: self.dir.clone(),
        }
    }
}

/// What a pipe has carried so far, and whether it has ended.
#[derive(Default)]
struct Carried {
    bytes: Vec<u8>,
    ended: bool,
}

/// A pipe that a thread of its own reads.
#[derive(Clone, Default)]
struct Stream(Arc<(Mutex<Carried>, Condvar)>);

impl Stream {
    fn follow(mut pipe: impl Read + Send + 'static) -> Self {
        let stream = Stream::default();
        let shared = stream.clone();
        std::thread::spawn(move || {
            let mut block = [0; 65536];
            loop {
                let n = pipe.read(&mut block).unwrap_or(0);
                let mut state = shared.0.0.lock().unwrap();
                state.bytes.extend_from_slice(&block[..n]);
                state.ended |= n == 0;
                shared.0.1.notify_all();
                if n == 0 {
                    return;
                }
            }
        });
        stream
    }

    /// Waits until `found` answers for the text so far; `None` when the pipe ends or patience does.
    fn wait<T>(&self, mut found: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let end = Instant::now() + PATIENCE;
        let mut state = self.0.0.lock().unwrap();
        loop {
            if let Some(answer) = found(&String::from_utf8_lossy(&state.bytes)) {
                return Some(answer);
            }
            let left = end.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return None;
            }
            state = self.0.1.wait_timeout(state, left).unwrap().0;
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.0.lock().unwrap().bytes).into_owned()
    }
}

/// A running node; killed when dropped.
pub struct Node {
    child: Child,
    out: Stream,
    err: Stream,
    _dir: Arc<Directory>,
}

impl Node {
    /// The process id.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Sends a signal to the process.
    pub fn signal(&self, number: i32) {
        // SAFETY: kill takes two integers; the process is our child and has not been waited for.
        assert_eq!(unsafe { libc::kill(self.pid(), number) }, 0);
    }

    /// Waits for a line of the log with exactly this text (without its source).
    pub fn wait_line(&self, line: &str) {
        let found = self
            .out
            .wait(|text| messages(text).any(|m| m == line).then_some(()));
        assert!(
            found.is_some(),
            "no line {line:?} in\n{}{}",
            self.out.text(),
            self.err.text()
        );
    }

    /// Waits for a text on standard error.
    pub fn wait_stderr(&self, text: &str) {
        let found = self.err.wait(|all| all.contains(text).then_some(()));
        assert!(found.is_some(), "no {text:?} in\n{}", self.err.text());
    }

    /// Waits for a line that `pick` accepts and returns what it makes of it.
    pub fn wait_for<T>(&self, what: &str, mut pick: impl FnMut(&str) -> Option<T>) -> T {
        self.out
            .wait(|text| messages(text).find_map(&mut pick))
            .unwrap_or_else(|| panic!("no {what} in\n{}{}", self.out.text(), self.err.text()))
    }

    /// Waits for the fact with this index.
    pub fn wait_fact(&self, index: usize) -> String {
        let found = self.out.wait(|text| {
            let mut facts = messages(text).filter_map(|m| m.strip_prefix("fact "));
            facts.nth(index).map(String::from)
        });
        found
            .unwrap_or_else(|| panic!("no fact {index} in\n{}{}", self.out.text(), self.err.text()))
    }

    /// Waits for "done" and returns what the services reported.
    pub fn facts(&self) -> Vec<String> {
        self.wait_line("done");
        self.facts_so_far()
    }

    /// What the services have reported so far.
    pub fn facts_so_far(&self) -> Vec<String> {
        let text = self.out.text();
        messages(&text)
            .filter_map(|m| m.strip_prefix("fact "))
            .map(String::from)
            .collect()
    }

    /// Waits for "done" and returns every line of the log, each with its source.
    pub fn log(&self) -> Vec<String> {
        self.wait_line("done");
        self.out.text().lines().map(String::from).collect()
    }

    /// Standard output so far.
    pub fn stdout(&self) -> String {
        self.out.text()
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end of the process.
    pub fn exit(mut self) -> Ended {
        let end = Instant::now() + PATIENCE;
        // Both pipes at their end: the process is gone, or about to be.
        self.out.wait(|_| None::<()>);
        self.err.wait(|_| None::<()>);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Ended {
                    status,
                    stdout: self.out.text(),
                    stderr: self.err.text(),
                };
            }
            assert!(
                Instant::now() < end,
                "still running:\n{}{}",
                self.out.text(),
                self.err.text()
            );
            std::thread::yield_now();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a node ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit status.
    pub status: ExitStatus,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}

/// The text of each complete log line, without `[:xxxxxxxx] `.
fn messages(text: &str) -> impl Iterator<Item = &str> {
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    complete.lines().filter_map(|line| {
        line.strip_prefix("[:")?
            .split_once("] ")
            .map(|(_, message)| message)
    })
}

/// Waits until `ready` answers, for things that only a look can tell (a file of another process).
pub fn eventually<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ready() {
            return answer;
        }
        assert!(Instant::now() < end, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}
