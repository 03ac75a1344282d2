//! `skynet debug`: a node for an editor that speaks the Debug Adapter Protocol by standard input and output.
//!
//! The node is a process of its own, which begins when the editor is ready; its debug adapter listens on a socket in a folder
//! that only this user can read. What goes between the editor and the adapter is passed on as it is. What the node writes becomes
//! events of the protocol, so it is never in the way of it, and when the node ends the editor hears how.

mod frames;

use crate::Settings;
use crate::args::{Debug, DebugNode, Debugged, NodeOptions, Run};
use crate::project;
use frames::Output;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks whether the adapter listens.
const LOOK: Duration = Duration::from_millis(10);
/// How long a node may take to end by itself.
const GRACE: Duration = Duration::from_secs(12);

/// A folder for the socket, which goes at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Folder> {
        let temporary = std::env::temp_dir();
        // One that is there is another's, who may have chosen the name.
        for number in 0..1000 {
            let folder = temporary.join(format!("skynet-debug-{}-{number}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Folder(folder)),
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays is in the folder of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The settings of the hidden command `skynet debug-node`.
pub fn settings(node: &DebugNode) -> Result<Settings, String> {
    let Debugged { set, path, args } = &node.run;
    let options = NodeOptions {
        set: set.clone(),
        virtual_time: false,
        seed: None,
    };
    let mut settings = if path.is_dir() || path.extension().is_some_and(|end| end == "lua") {
        project::run(&Run {
            node: options,
            path: path.clone(),
            args: args.clone(),
        })?
    } else {
        let mut settings = Settings {
            config: Some(path.clone()),
            ..Settings::default()
        };
        settings.add(&options);
        settings
    };
    // The log is for the editor, and this process waits for the node.
    settings.remove = vec!["daemon".into(), "logger".into()];
    settings.set.extend([
        (
            "debug_adapter".into(),
            format!("unix:{}", node.socket.display()),
        ),
        ("debug_adapter_wait".into(), "true".into()),
    ]);
    Ok(settings)
}

/// Runs the node for the editor; the status is 0 once the editor and the node have parted in an orderly way.
pub fn main(debug: &Debug) -> ExitCode {
    match run(debug) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("skynet debug: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(debug: &Debug) -> io::Result<()> {
    let folder = Folder::new()?;
    let socket = folder.0.join("adapter");
    let mut node = command(debug, &socket).spawn()?;
    let output = Arc::new(Output::default());
    let writers = [
        node.stdout
            .take()
            .map(|pipe| pass_lines(pipe, "stdout", &output)),
        node.stderr
            .take()
            .map(|pipe| pass_lines(pipe, "stderr", &output)),
    ];
    let join_writers = || {
        for writer in writers.into_iter().flatten() {
            let _ = writer.join();
        }
    };
    let Some(adapter) = connect(&socket, &mut node)? else {
        let status = node.wait()?;
        join_writers();
        return output.refuse_first_request(&describe(status));
    };
    let editor = pass_requests(adapter.try_clone()?, node.id());
    pass_answers(adapter, &output);
    // The adapter is gone: the node ends, or the editor has left it.
    let status = end(&mut node, GRACE)?;
    join_writers();
    output.exited(
        status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
    );
    drop(editor);
    Ok(())
}

/// This executable once more, as the node.
fn command(debug: &Debug, socket: &Path) -> Command {
    let this = std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
    let mut command = Command::new(this);
    command.arg("debug-node").arg("--socket").arg(socket);
    for (key, value) in &debug.run.set {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    command.arg(&debug.run.path).arg("--");
    command.args(debug.run.args.iter().map(OsString::from));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The connection to the adapter, as soon as it listens; `None` when the node ends before.
fn connect(socket: &Path, node: &mut Child) -> io::Result<Option<UnixStream>> {
    loop {
        if let Ok(stream) = UnixStream::connect(socket) {
            return Ok(Some(stream));
        }
        if node.try_wait()?.is_some() {
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// From the editor to the adapter. When the editor is gone, so is the node.
fn pass_requests(mut adapter: UnixStream, node: u32) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        // Whatever ends it, the rest is the same.
        let _ = io::copy(&mut io::stdin().lock(), &mut adapter);
        let _ = adapter.shutdown(std::net::Shutdown::Write);
        signal(node, libc::SIGTERM);
    })
}

fn pass_answers(adapter: UnixStream, output: &Output) {
    let mut reader = BufReader::new(adapter);
    while let Ok(Some(frame)) = frames::read(&mut reader) {
        if output.write(&frame).is_err() {
            break; // nobody reads any more
        }
    }
}

fn pass_lines(
    pipe: impl Read + Send + 'static,
    category: &'static str,
    output: &Arc<Output>,
) -> thread::JoinHandle<()> {
    let output = Arc::clone(output);
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        // A line without an end does not grow for ever.
        while matches!(
            reader.by_ref().take(64 * 1024).read_until(b'\n', &mut line),
            Ok(1..)
        ) {
            output.line(category, &line);
            line.clear();
        }
    })
}

fn signal(process: u32, signal: libc::c_int) {
    // SAFETY: the child was not waited for while its adapter was connected, so the number is its own or, at worst, of a child that
    // has ended and is about to be waited for.
    unsafe { libc::kill(process.cast_signed(), signal) };
}

/// Waits for the end of the node, and sees to it when it takes too long.
fn end(node: &mut Child, grace: Duration) -> io::Result<ExitStatus> {
    let begin = Instant::now();
    let mut told = false;
    loop {
        if let Some(status) = node.try_wait()? {
            return Ok(status);
        }
        let passed = begin.elapsed();
        if passed > grace {
            node.kill()?;
            return node.wait();
        } else if passed > grace / 6 && !told {
            // It was not asked to end, or does not hear.
            told = true;
            signal(node.id(), libc::SIGTERM);
        }
        thread::sleep(LOOK);
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the node ended with status {code}"),
        (None, Some(signal)) => format!("the node was ended by signal {signal}"),
        (None, None) => String::from("the node ended"),
    }
}

/// What is left to say, on the error output of this process.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
