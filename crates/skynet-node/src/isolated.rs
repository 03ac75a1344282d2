//! A test in a process of its own: the program of the tests, started again for this test alone.

use std::any::type_name_of_val;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Names the test that a process was started for.
const VARIABLE: &str = "SKYNET_NODE_TEST";

/// The name of the test in which a closure is written, as the test harness knows it: the path of the function without its crate.
pub(crate) fn name_of<F>(closure: &F) -> &'static str {
    let path = type_name_of_val(closure);
    let path = path.split("::{{closure}}").next().unwrap_or(path);
    path.split_once("::").map_or(path, |(_, rest)| rest)
}

/// Whether this process was started for that test.
pub(crate) fn is_child(name: &str) -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| value == name)
}

fn marker(name: &str) -> String {
    format!("skynet-node: the test {name} has passed")
}

/// A test that takes too long says so itself, and what it waits for. One that cannot even do that is ended so much later.
const GRACE: Duration = Duration::from_secs(10);

/// Tells the process that waits for it.
pub(crate) fn passed(name: &str) {
    println!("{}", marker(name));
}

/// Runs the test in a new process.
pub(crate) fn run(name: &str, patience: Duration) {
    let program = std::env::current_exe().expect("a program");
    let mut child = Command::new(program)
        .args(["--exact", name, "--nocapture", "--include-ignored"])
        .args(["--test-threads", "1"])
        .env(VARIABLE, name)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program of this test starts again");
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    // Read while it runs: a pipe that is full would hold it up.
    let out = thread::spawn(move || text_of(out.as_mut()));
    let err = thread::spawn(move || text_of(err.as_mut()));
    let end = Instant::now() + patience + GRACE;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break Some(status);
        }
        if Instant::now() >= end {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let (out, err) = (
        out.join().unwrap_or_default(),
        err.join().unwrap_or_default(),
    );
    let how = match status {
        Some(status) if status.success() && out.contains(&marker(name)) => return,
        Some(status) if status.success() && out.contains("running 0 tests") => {
            panic!(
                "there is no test {name:?}: the closure has to be written in the function of the test"
            )
        }
        Some(status) if status.success() => "has not come to its end".to_string(),
        Some(status) => format!("failed ({status})"),
        None => format!(
            "is not done after {patience:?}, and its node does not answer: does a service block?"
        ),
    };
    panic!("{name} {how}\n{out}{err}");
}

fn text_of(pipe: Option<&mut impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
