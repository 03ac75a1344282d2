//! Real programs that the tests talk to: found by name, started in a scratch folder, ended with the test.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::{root, run};

/// How long a program may take to come up before it counts as stuck.
const LIMIT: Duration = Duration::from_secs(60);

/// The path of a program. `package` is the Debian package to ask for when it is not there.
pub fn program(name: &str, package: &str) -> PathBuf {
    let found = Command::new("sh")
        .args(["-c", "PATH=$PATH:/usr/sbin command -v \"$0\"", name])
        .output()
        .expect("sh");
    assert!(
        found.status.success(),
        "this test needs the program `{name}`: apt-get install {package}"
    );
    String::from_utf8_lossy(&found.stdout).trim().into()
}

/// A Python that has the packages of `tests/net/requirements.txt`: the one that `SKYNET_TEST_PYTHON` names, or one in a
/// virtual environment of the target folder, which is made when first needed.
pub fn python() -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    if let Some(path) = std::env::var_os("SKYNET_TEST_PYTHON") {
        return path.into();
    }
    let _one = ONE_AT_A_TIME.lock().expect("not poisoned");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let python = folder.join("bin/python");
    let complete = folder.join("complete");
    let packages = root().join("tests/net/requirements.txt");
    let wanted = std::fs::read_to_string(&packages).expect("the list of packages");
    let install = |python: &Path| {
        run(Command::new(python)
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(&packages));
    };
    let found = std::fs::read_to_string(&complete);
    if found.is_ok() && found.ok().as_ref() != Some(&wanted) {
        // Made for another list.
        install(&python);
        std::fs::write(&complete, &wanted).expect("mark");
    } else if !complete.exists() {
        // Test binaries may run at the same time: each makes its own, and the first one moves it into its place.
        let draft = folder.with_extension(std::process::id().to_string());
        let made = Command::new(program("python3", "python3-venv"))
            .args(["-m", "venv", "--copies"])
            .arg(&draft)
            .output()
            .expect("python3");
        assert!(
            made.status.success(),
            "this test needs virtual environments of Python: apt-get install python3-venv\n{}",
            String::from_utf8_lossy(&made.stdout)
        );
        install(&draft.join("bin/python"));
        std::fs::write(draft.join("complete"), &wanted).expect("mark");
        if std::fs::rename(&draft, &folder).is_err() {
            std::fs::remove_dir_all(&draft).expect("the draft is ours");
        }
    }
    python
}

/// A running program, killed when dropped.
pub struct Peer {
    child: Child,
    /// Where it listens on the loopback.
    pub port: u16,
}

impl Peer {
    /// Starts a program that prints its port in its first line.
    pub fn announced(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut output = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let (send, line) = mpsc::channel();
        thread::spawn(move || {
            let mut text = String::new();
            let _ = output.read_line(&mut text);
            let _ = send.send(text); // has no receiver when it took too long
            let _ = std::io::copy(&mut output, &mut std::io::sink());
        });
        let mut peer = Self { child, port: 0 };
        let text = line.recv_timeout(LIMIT).unwrap_or_default();
        peer.port = text
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("{command:?} printed {text:?} and not a port"));
        peer
    }

    /// Starts a program that was told to listen on `port`, and waits until `ready` says that it does.
    pub fn on_port(command: &mut Command, port: u16, ready: impl Fn(u16) -> bool) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut peer = Self { child, port };
        let start = Instant::now();
        while !ready(port) {
            let ended = peer.child.try_wait().expect("the child's status");
            if ended.is_some() || start.elapsed() > LIMIT {
                peer.child.kill().expect("the child can be killed");
                panic!(
                    "{command:?} does not come up ({ended:?}):\n{}",
                    peer.output()
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
        peer
    }

    fn output(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut pipe) = self.child.stdout.take() {
            let _ = pipe.read_to_string(&mut text);
        }
        if let Some(mut pipe) = self.child.stderr.take() {
            let _ = pipe.read_to_string(&mut text);
        }
        text
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of the loopback that was free a moment ago, and that is not given to a caller that asks for any port: tests
/// beside this one, and every connection, do so all the time.
pub fn free_port() -> u16 {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 20_000; // up to where the kernel's own choices begin
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = std::process::id().wrapping_mul(97).wrapping_add(next);
        let port = FIRST + u16::try_from(place % u32::from(COUNT)).expect("below the count");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Whether a process accepts connections on a port of the loopback.
pub fn accepts(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A `redis-server` with its files in `folder`.
pub fn redis(folder: &Path, port: u16, options: &[&str]) -> Peer {
    let folder = folder.join(port.to_string());
    std::fs::create_dir_all(&folder).expect("folder of the server");
    Peer::on_port(
        Command::new(program("redis-server", "redis-server"))
            .current_dir(&folder)
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .args(options),
        port,
        accepts,
    )
}

/// An `etcd` with its data in `folder`, which it finds again there.
pub fn etcd(folder: &Path, port: u16, options: &[&str]) -> Peer {
    let client = format!("http://127.0.0.1:{port}");
    etcd_at(folder, port, &client, options)
}

/// An `etcd` with TLS, as "localhost".
pub fn etcd_with_tls(folder: &Path, port: u16) -> Peer {
    let client = format!("https://127.0.0.1:{port}");
    let cert = format!("--cert-file={}", certificate("localhost.pem"));
    let key = format!("--key-file={}", certificate("localhost.key"));
    etcd_at(folder, port, &client, &[&cert, &key])
}

fn etcd_at(folder: &Path, port: u16, client: &str, options: &[&str]) -> Peer {
    let peers = format!("http://127.0.0.1:{}", free_port());
    Peer::on_port(
        Command::new(program("etcd", "etcd-server"))
            .env(
                "ETCD_UNSUPPORTED_ARCH",
                std::env::consts::ARCH.replace("aarch64", "arm64"),
            )
            .arg("--data-dir")
            .arg(folder)
            .args(["--listen-client-urls", client])
            .args(["--advertise-client-urls", client])
            .args(["--listen-peer-urls", &peers])
            .args(["--logger", "zap", "--log-level", "error"])
            .args(options),
        port,
        accepts,
    )
}

/// The path of one of the tests' certificates.
fn certificate(name: &str) -> String {
    let path = root().join("tests/certificates").join(name);
    path.display().to_string()
}

/// What the server does when it starts; one statement a line.
const ACCOUNTS: &str = "\
CREATE DATABASE game;
CREATE USER me IDENTIFIED BY 'secret';
GRANT ALL ON *.* TO me;
CREATE USER nobody;
DELETE FROM mysql.global_priv WHERE user = '';
FLUSH PRIVILEGES;
";

/// A `mariadbd` with its data in `folder`: database "game", user "me" with the password "secret", TLS as "localhost".
pub fn mariadb(folder: &Path) -> Peer {
    // As root the server wants to be told that this is meant.
    let user = run(Command::new("id").arg("-un")).stdout;
    let user = format!("--user={}", String::from_utf8_lossy(&user).trim());
    let data = format!("--datadir={}", folder.join("data").display());
    run(
        Command::new(program("mariadb-install-db", "mariadb-server"))
            .args(["--no-defaults", "--skip-test-db", &user, &data])
            .arg("--auth-root-authentication-method=normal"),
    );
    std::fs::write(folder.join("accounts.sql"), ACCOUNTS).expect("accounts");
    let port = free_port();
    Peer::on_port(
        Command::new(program("mariadbd", "mariadb-server"))
            .args(["--no-defaults", "--bind-address=127.0.0.1", &user, &data])
            .arg(format!("--port={port}"))
            .arg(format!("--socket={}", folder.join("socket").display()))
            .arg(format!(
                "--init-file={}",
                folder.join("accounts.sql").display()
            ))
            .arg(format!("--ssl-cert={}", certificate("localhost.pem")))
            .arg(format!("--ssl-key={}", certificate("localhost.key")))
            .args([
                "--max-allowed-packet=128M",
                "--innodb-flush-log-at-trx-commit=0",
            ]),
        port,
        accepts,
    )
}
