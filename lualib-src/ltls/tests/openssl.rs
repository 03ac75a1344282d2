//! Connections with another implementation, the `openssl` command. Where there is none, the tests have nothing to say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use skynet_ltls::session::Session;
use skynet_ltls::settings::{Authorities, Settings};
// Linked for Lua, which the modules are made for.
use skynet_lua as _;

fn file(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/certificates");
    PathBuf::from(folder).join(name)
}

fn settings(name: &str) -> Settings {
    let mut settings = Settings::new();
    let (chain, key) = (file(&format!("{name}.pem")), file(&format!("{name}.key")));
    settings.set_identity(&chain, &key, None).unwrap();
    settings
}

fn openssl() -> Option<Command> {
    let found = Command::new("openssl").arg("version").output().is_ok();
    if !found {
        eprintln!("no openssl command: nothing tested");
    }
    found.then(|| {
        let mut command = Command::new("openssl");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::null());
        command
    })
}

/// A session and its transport.
struct Peer {
    session: Session,
    socket: TcpStream,
}

impl Peer {
    fn new(session: Session, socket: TcpStream) -> Self {
        Self { session, socket }
    }

    fn send(&mut self) {
        self.socket.write_all(self.session.output()).unwrap();
        self.session.sent();
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 16];
        let len = self.socket.read(&mut bytes).unwrap();
        assert_ne!(len, 0, "the other side has closed the connection");
        bytes.truncate(len);
        bytes
    }

    fn connect(&mut self, begin: bool) -> Result<(), skynet_ltls::Problem> {
        if begin {
            self.session.handshake(b"")?;
        }
        self.send();
        while !self.session.finished() {
            let received = self.receive();
            let result = self.session.handshake(&received);
            self.send();
            result?;
        }
        Ok(())
    }

    /// Reads up to the end of a line.
    fn line(&mut self) -> String {
        while self.session.plain().last() != Some(&b'\n') {
            let received = self.receive();
            self.session.read(&received).unwrap();
        }
        let line = String::from_utf8(self.session.plain().to_vec()).unwrap();
        self.session.taken();
        line
    }

    fn say(&mut self, text: &str) {
        self.session.write(text.as_bytes()).unwrap();
        self.send();
    }
}

/// Ends a command whose test is over.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server with `openssl s_client`, which verifies it.
fn serve(name: &str, host: &str, version: &str) {
    let Some(mut command) = openssl() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    command.args(["s_client", "-quiet", "-verify_return_error", version]);
    command.args(["-verify_hostname", host, "-servername", host]);
    command.args(["-alpn", "other,chat", "-connect", &address]);
    let mut client = Running(
        command
            .arg("-CAfile")
            .arg(file("ca.pem"))
            .spawn()
            .expect("openssl"),
    );
    let mut settings = settings(name);
    settings.set_protocols(vec![b"chat".to_vec()]);
    let (socket, _) = listener.accept().unwrap();
    let mut peer = Peer::new(Session::server(&mut settings).unwrap(), socket);
    peer.connect(false).unwrap();
    assert_eq!(peer.session.asked_for(), Some(host));
    assert_eq!(peer.session.protocol(), Some(&b"chat"[..]));

    let mut input = client.0.stdin.take().unwrap();
    writeln!(input, "a line from openssl").unwrap();
    assert_eq!(peer.line(), "a line from openssl\n");
    let text = "0123456789".repeat(10_000);
    peer.say(&text);
    peer.session.close_notify();
    peer.send();
    let mut received = String::new();
    let mut output = client.0.stdout.take().unwrap();
    output.read_to_string(&mut received).unwrap();
    assert!(received == text, "{} bytes", received.len());
}

#[test]
fn openssl_talks_to_our_server() {
    for version in ["-tls1_2", "-tls1_3"] {
        serve("localhost", "localhost", version);
        serve("other", "other.test", version);
    }
}

/// The client with `openssl s_server`, which turns each line around.
fn ask(
    name: &str,
    arguments: &[&str],
    authorities: bool,
    host: Option<&str>,
) -> Option<Result<(), skynet_ltls::Problem>> {
    let mut command = openssl()?;
    command.args(["s_server", "-accept", "127.0.0.1:0", "-rev"]);
    command.args(arguments).arg("-cert");
    command.arg(file(&format!("{name}.pem"))).arg("-key");
    let mut server = Running(
        command
            .arg(file(&format!("{name}.key")))
            .spawn()
            .expect("openssl"),
    );
    // "ACCEPT 127.0.0.1:PORT"
    let lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let address = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned))
        .expect("the server's address");
    let mut settings = settings("localhost");
    if authorities {
        let from = Authorities::File(&file("ca.pem"));
        settings.set_authorities(Some(from), true).unwrap();
    }
    let mut session = Session::client(&mut settings).unwrap();
    assert!(session.set_host(host));
    let mut peer = Peer::new(session, TcpStream::connect(address).unwrap());
    if let Err(problem) = peer.connect(true) {
        return Some(Err(problem));
    }
    peer.say("drawer\n");
    assert_eq!(peer.line(), "reward\n");
    Some(Ok(()))
}

#[test]
fn our_client_talks_to_openssl() {
    for version in ["-tls1_2", "-tls1_3"] {
        for name in ["localhost", "other", "old"] {
            let Some(result) = ask(name, &[version], false, None) else {
                return;
            };
            assert_eq!(result, Ok(()), "{name} {version}");
        }
    }
}

#[test]
fn our_client_verifies_openssl() {
    for version in ["-tls1_2", "-tls1_3"] {
        let Some(result) = ask("localhost", &[version], true, Some("localhost")) else {
            return;
        };
        assert_eq!(result, Ok(()));
        for (name, host) in [("old", "localhost"), ("localhost", "other.test")] {
            let result = ask(name, &[version], true, Some(host)).unwrap();
            let problem = result.expect_err("a wrong certificate").to_string();
            assert!(problem.contains("invalid peer certificate"), "{problem}");
        }
    }
}

#[test]
fn openssl_gets_our_clients_certificate() {
    let ca = file("ca.pem");
    let ca = ca.to_str().unwrap();
    for version in ["-tls1_2", "-tls1_3"] {
        let arguments = [
            version,
            "-Verify",
            "2",
            "-verify_return_error",
            "-CAfile",
            ca,
        ];
        let Some(result) = ask("localhost", &arguments, false, None) else {
            return;
        };
        assert_eq!(result, Ok(()));
    }
}
