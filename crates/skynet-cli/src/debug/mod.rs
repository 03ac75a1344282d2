//! `skynet debug`: a node for an editor that speaks the Debug Adapter Protocol by standard input and output.
//!
//! The node is a process of its own, which begins when the editor is ready; its debug adapter listens on a socket in a folder
//! that only this user can read. What goes between the editor and the adapter is passed on as it is. What the node writes becomes
//! events of the protocol, so it is never in the way of it, and when the node ends the editor hears how.
//!
//! The node never outlives this process. It is asked to end when the editor leaves or this process gets a signal, and killed if it does
//! not; and the system kills it when this process dies without a word (Linux). An editor that does not read any more keeps neither.

mod editor;
mod folder;
mod frames;
mod written;

use crate::Settings;
use crate::args::{Debug, DebugNode, Debugged, NodeOptions, Run};
use crate::project;
use editor::{Parting, Requests};
use folder::Folder;
use frames::Output;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::ffi::OsString;
use std::io::{self, BufReader, IsTerminal, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};
use written::{REST, Written};

/// Between two looks whether the adapter listens, and for how long. It does so before the node runs anything of the project.
const LOOK: Duration = Duration::from_millis(10);
const LISTENS: Duration = Duration::from_secs(60);
/// How long the services of a node may take to finish, unless the config has a `shutdown_grace`; and how much longer the node may take to
/// end by itself.
const GRACE: Duration = Duration::from_secs(10);
const MARGIN: Duration = Duration::from_secs(2);

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
    // The log is for the editor, and this process waits for the node, on a socket that nobody else reaches.
    const NOT_HERE: [&str; 4] = [
        "daemon",
        "logger",
        "debug_adapter_host",
        "debug_adapter_password",
    ];
    settings.remove = NOT_HERE.map(String::from).to_vec();
    settings.noted = Some(("shutdown_grace".into(), folder::grace_beside(&node.socket)));
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
            complain(&format!("skynet debug: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(debug: &Debug) -> io::Result<()> {
    expect_children();
    let parting = Arc::new(Parting::default());
    if io::stdin().is_terminal() {
        complain(
            "skynet debug: waits for an editor on its standard input; `skynet run` runs a project without one",
        );
    }
    let folder = Arc::new(Folder::new()?);
    end_with_signals(&parting, &folder)?;
    let socket = folder.socket();
    let mut node = command(debug, &socket).spawn()?;
    let output = Arc::new(Output::default());
    let written = Written::pass(&mut node, &output);
    let mut requests = Requests::begin();
    let Some(mut adapter) = connect(&socket, &mut node, &mut requests, &parting)? else {
        let is_mute = node.try_wait()?.is_none();
        let status = end(&mut node, &parting, &folder)?;
        written.wait_for_rest();
        if parting.has_begun() {
            return requests.problem().map_err(no_editor); // nobody asks
        }
        drop(folder);
        parting.begin(); // there is nothing left to wait for when a signal comes
        let why = match is_mute {
            true => String::from("the debug adapter of the node does not listen"),
            false => describe(status),
        };
        return output.refuse_first_request(&mut requests, &why);
    };
    parting.set_adapter(adapter.try_clone()?);
    let (answers, session) = (adapter.try_clone()?, adapter.try_clone()?);
    let (editor, wrong) = (Arc::clone(&parting), Arc::new(OnceLock::new()));
    let found = Arc::clone(&wrong);
    thread::spawn(move || {
        // Whatever ends it, the rest is the same.
        if let Err(problem) = requests.pass_to(&mut adapter) {
            let _ = found.set(problem);
        }
        editor.begin();
    });
    let answered = in_background(&output, |output| pass_answers(answers, output));
    wait_for_end(&session);
    // The adapter is gone: the node ends, or the editor has left it.
    let is_read = output.wait_for(&answered);
    let status = end(&mut node, &parting, &folder)?;
    if is_read {
        written.wait_for_rest();
        let code = status.code();
        let code = code.unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        output.wait_for(&in_background(&output, move |output| output.exited(code)));
    }
    match wrong.get() {
        Some(problem) => Err(no_editor(problem.clone())),
        None => Ok(()),
    }
}

/// Something else was sent than requests.
fn no_editor(problem: String) -> io::Error {
    io::Error::other(format!(
        "standard input is not what an editor sends: {problem}"
    ))
}

/// How long the node may take to end by itself.
fn patience(folder: &Folder) -> Duration {
    let noted = std::fs::read_to_string(folder.grace()).ok();
    let grace = noted
        .and_then(|text| text.trim().parse().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    grace.unwrap_or(GRACE).max(GRACE).saturating_add(MARGIN)
}

/// Does something with the output that may have to wait for the editor. The channel ends with it.
fn in_background(output: &Arc<Output>, f: impl FnOnce(&Output) + Send + 'static) -> Receiver<()> {
    let (until_end, end) = mpsc::channel();
    let output = Arc::clone(output);
    thread::spawn(move || {
        let _until_end: Sender<()> = until_end;
        f(&output);
    });
    end
}

/// Waits until a connection has ended, whatever is still to be read of it.
fn wait_for_end(session: &UnixStream) {
    let mut poll = libc::pollfd {
        fd: session.as_raw_fd(),
        events: 0,
        revents: 0,
    };
    // SAFETY: one entry, which is alive; the descriptor is open.
    while unsafe { libc::poll(&raw mut poll, 1, -1) } < 0
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
}

/// How the node has ended is known also if who has started this process takes no interest in its own children, which is
/// inherited.
fn expect_children() {
    // SAFETY: no handler is installed; this process has no thread yet that could do so.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// A signal ends the session, and a second one this process; so does one after which the session does not end.
fn end_with_signals(parting: &Arc<Parting>, folder: &Arc<Folder>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT])?;
    let (parting, folder) = (Arc::clone(parting), Arc::downgrade(folder));
    thread::spawn(move || {
        for signal in signals.forever() {
            if parting.has_begun() {
                exit(signal, &folder);
            }
            let patience = folder
                .upgrade()
                .map_or(Duration::ZERO, |one| patience(&one));
            parting.begin();
            let folder = Weak::clone(&folder);
            thread::spawn(move || {
                thread::sleep(patience.saturating_add(REST + MARGIN));
                exit(signal, &folder);
            });
        }
    });
    Ok(())
}

/// Ends this process without the rest of what is to be done, but for what would stay behind.
fn exit(signal: i32, folder: &Weak<Folder>) -> ! {
    if let Some(folder) = folder.upgrade() {
        folder.remove();
    }
    std::process::exit(128 + signal)
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
    bind_life(&mut command);
    command
}

/// The system kills the process that `command` starts when this one is gone.
#[cfg(target_os = "linux")]
fn bind_life(command: &mut Command) {
    let parent = std::process::id();
    let bind = move || {
        // SAFETY: system calls without memory.
        unsafe {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            if libc::getppid().cast_unsigned() != parent {
                return Err(io::Error::from_raw_os_error(libc::ESRCH)); // it is gone already
            }
        }
        Ok(())
    };
    // SAFETY: between fork and exec it makes system calls alone: it neither allocates nor takes locks.
    unsafe { command.pre_exec(bind) };
}

#[cfg(not(target_os = "linux"))]
fn bind_life(_: &mut Command) {}

/// The connection to the adapter, as soon as it listens; `None` when it does not, the node ends before, or nobody wants it any more.
fn connect(
    socket: &Path,
    node: &mut Child,
    requests: &mut Requests,
    parting: &Parting,
) -> io::Result<Option<UnixStream>> {
    let begin = Instant::now();
    loop {
        if let Ok(stream) = UnixStream::connect(socket) {
            return Ok(Some(stream));
        }
        if requests.have_ended() {
            parting.begin();
        }
        if parting.has_begun() || node.try_wait()?.is_some() || begin.elapsed() > LISTENS {
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// Passes on what the adapter says, until one of both ends is gone.
fn pass_answers(adapter: UnixStream, output: &Output) {
    let mut reader = BufReader::new(adapter);
    while let Ok(Some(frame)) = frames::read(&mut reader) {
        if output.write(&frame).is_err() {
            break; // nobody reads any more
        }
    }
    // One that has ended already is what is wanted.
    let _ = reader.get_ref().shutdown(Shutdown::Both);
    output.settle();
}

/// Waits for the end of the node, and sees to it when it takes too long.
fn end(node: &mut Child, parting: &Parting, folder: &Folder) -> io::Result<ExitStatus> {
    let (begin, patience) = (Instant::now(), patience(folder));
    let mut told = false;
    loop {
        if let Some(status) = node.try_wait()? {
            return Ok(status);
        }
        let passed = begin.elapsed();
        if passed > patience {
            node.kill()?;
            return node.wait();
        } else if !told && (parting.has_begun() || passed > MARGIN) {
            // It was not asked to end, or does not hear.
            told = true;
            // SAFETY: a child that was not waited for yet, so the number is its own.
            unsafe { libc::kill(node.id().cast_signed(), libc::SIGTERM) };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_the_time_that_its_config_gives_its_services_and_some_more() {
        let folder = Folder::new().expect("a folder");
        for (noted, seconds) in [
            (None, 12),
            (Some("30"), 32),
            (Some("0"), 12),
            (Some("x"), 12),
        ] {
            if let Some(noted) = noted {
                std::fs::write(folder.grace(), noted).expect("a file");
            }
            assert_eq!(patience(&folder).as_secs(), seconds, "{noted:?}");
        }
    }
}
