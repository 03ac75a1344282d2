//! The connection to a debug console (docs/operations.md): a line is a command, and each answer ends with a line `<CMD OK>` or
//! `<CMD Error>`.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a console may take to greet.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to say whether it wants a password, and whether that is the one.
const ADMISSION: Duration = Duration::from_secs(15);
/// The first words of the greeting.
const GREETING: &str = "Welcome to skynet console";
/// Bytes of the line with the greeting.
const LONGEST_GREETING: usize = 1 << 10;
/// Bytes of an answer; a snapshot of 100,000 services has 20,000,000, in one line.
const LARGEST_ANSWER: usize = 1 << 25;
/// A line counts for so many more: what it takes here.
const COST_OF_LINE: usize = 64;
/// Bytes that are read at a time.
const BUFFER: usize = 1 << 16;
/// Lists the commands.
const HELP: &str = "help";
/// What a console says that wants a password first.
const WANTS_PASSWORD: &str = "Authentication required";

/// What a command brought.
#[derive(Debug)]
pub struct Answer {
    pub lines: Vec<String>,
    /// The node was content.
    pub ok: bool,
}

impl Answer {
    /// The console does not know the command.
    pub fn is_unknown(&self) -> bool {
        !self.ok && self.says("Invalid command")
    }

    /// The console wants a password before anything else.
    pub fn wants_password(&self) -> bool {
        !self.ok && self.says(WANTS_PASSWORD)
    }

    fn says(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.contains(text))
    }
}

/// Bytes to and from a console.
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_read_timeout(timeout),
            Stream::Unix(stream) => stream.set_read_timeout(timeout),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        }
    }
}

/// What comes from a console until a time, however many pieces it comes in.
struct Timed {
    stream: Stream,
    end: Option<Instant>,
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Some(end) = self.end {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_timeout(Some(left))?;
        }
        match &mut self.stream {
            Stream::Tcp(stream) => stream.read(into),
            Stream::Unix(stream) => stream.read(into),
        }
    }
}

/// See the module's documentation.
pub struct Connection {
    stream: BufReader<Timed>,
    /// How long an answer may take.
    patience: Option<Duration>,
    /// Where it leads, for messages.
    pub place: String,
}

impl Connection {
    /// Opens a connection to `HOST:PORT`, `PORT`, `unix:PATH`, or to the console of a process id.
    pub fn open(node: &str) -> Result<Connection, String> {
        if let Some(path) = node.strip_prefix("unix:") {
            let stream = UnixStream::connect(path).map_err(|error| format!("{node}: {error}"))?;
            return Connection::new(Stream::Unix(stream), node);
        }
        if let Ok(number) = node.parse::<u32>() {
            // A port that answers is one, whatever processes there are.
            let port = u16::try_from(number)
                .map_err(|_| format!("{number}: there is no such process"))
                .and_then(|port| Connection::tcp(&format!("127.0.0.1:{port}")));
            let is_process = Path::new(&format!("/proc/{number}/net/tcp")).exists();
            return match port {
                Err(refused) if is_process => Connection::of_process(number)
                    .map_err(|problem| format!("{refused}; {problem}")),
                port => port,
            };
        }
        if let Some(port) = node.strip_prefix(':') {
            return Connection::tcp(&format!("127.0.0.1:{port}"));
        }
        if node.contains(':') {
            return Connection::tcp(node);
        }
        Err(format!(
            "{node}: a node is HOST:PORT, a port, a process id, or unix:PATH"
        ))
    }

    fn tcp(place: &str) -> Result<Connection, String> {
        let told = |error: io::Error| format!("{place}: {error}");
        let mut problem = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in place.to_socket_addrs().map_err(told)? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(told)?;
                    return Connection::new(Stream::Tcp(stream), place);
                }
                Err(error) => problem = error,
            }
        }
        Err(told(problem))
    }

    /// The console of a process is the one of its listening ports that greets as a console does.
    fn of_process(id: u32) -> Result<Connection, String> {
        let ports = listening_ports(id).map_err(|error| format!("process {id}: {error}"))?;
        for port in &ports {
            if let Ok(connection) = Connection::tcp(&format!("127.0.0.1:{port}")) {
                return Ok(connection);
            }
        }
        Err(format!(
            "process {id}: no debug console on the ports where it listens ({}); start one: skynet.newservice(\"debug_console\", 8000)",
            match ports.is_empty() {
                true => "there are none".into(),
                false => ports
                    .iter()
                    .map(u16::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            }
        ))
    }

    fn new(stream: Stream, place: &str) -> Result<Connection, String> {
        let mut connection = Connection {
            stream: BufReader::with_capacity(BUFFER, Timed { stream, end: None }),
            // An answer takes as long as it takes.
            patience: None,
            place: place.into(),
        };
        connection
            .begin(Some(PATIENCE))
            .map_err(|error| format!("{place}: {error}"))?;
        match connection.line(LONGEST_GREETING) {
            Ok(line) if line.starts_with(GREETING) => Ok(connection),
            Err(error) if is_timeout(&error) => Err(format!(
                "{place}: nothing was said within {} s: no debug console of skynet, or one of a node that is stuck",
                PATIENCE.as_secs()
            )),
            Ok(_) | Err(_) => Err(format!(
                "{place}: what listens there is no debug console of skynet"
            )),
        }
    }

    /// How long a whole answer may take from now on; `None`: for ever.
    pub fn set_patience(&mut self, patience: Option<Duration>) {
        self.patience = patience;
    }

    /// From now on there is so much time for what comes.
    fn begin(&mut self, patience: Option<Duration>) -> io::Result<()> {
        let timed = self.stream.get_mut();
        timed.end = patience.and_then(|patience| Instant::now().checked_add(patience));
        match timed.end {
            Some(_) => Ok(()),
            None => timed.stream.set_timeout(None),
        }
    }

    /// Says the password of `debug_console_password`.
    pub fn authenticate(&mut self, password: &str) -> Result<(), String> {
        match self.ask_within(Some(ADMISSION), &format!("auth {password}"))? {
            Answer { ok: true, .. } => Ok(()),
            // It wants none.
            answer if answer.is_unknown() => Ok(()),
            answer if answer.wants_password() => {
                Err(format!("{}: the password is wrong", self.place))
            }
            Answer { lines, .. } => Err(format!("{}: {}", self.place, lines.join(" "))),
        }
    }

    /// Whether the console wants a password before it runs anything. To be asked first: a console that does not say where an
    /// answer ends is refused here.
    pub fn wants_password(&mut self) -> Result<bool, String> {
        // What every release knows, and what changes nothing.
        Ok(self.ask_within(Some(ADMISSION), HELP)?.wants_password())
    }

    /// Sends a command and waits for the whole answer.
    pub fn ask(&mut self, command: &str) -> Result<Answer, String> {
        self.ask_within(self.patience, command)
    }

    fn ask_within(&mut self, patience: Option<Duration>, command: &str) -> Result<Answer, String> {
        if command.split_whitespace().next() == Some("debug") {
            return Err("`debug` is a conversation of its own: use telnet for it".into());
        }
        let lost = |error: io::Error, place: &str| match is_timeout(&error) {
            true => {
                format!("{place}: no answer to `{command}`: the node is stuck, or out of reach")
            }
            false if error.kind() == io::ErrorKind::FileTooLarge => format!(
                "{place}: the answer to `{command}` is larger than {} MiB, and is not read",
                LARGEST_ANSWER >> 20
            ),
            false if error.kind() == io::ErrorKind::UnexpectedEof => {
                format!("{place}: the node has closed the connection")
            }
            false => format!("{place}: the console has gone: {error}"),
        };
        let line = format!("{command}\n");
        let begun = self.begin(patience);
        begun
            .and_then(|()| self.stream.get_mut().stream.write_all(line.as_bytes()))
            .map_err(|error| lost(error, &self.place))?;
        let mut lines = Vec::new();
        let mut room = LARGEST_ANSWER;
        loop {
            let line = self.line(room).map_err(|error| lost(error, &self.place))?;
            room = room.saturating_sub(line.len() + COST_OF_LINE);
            match line.as_str() {
                "<CMD OK>" | "<CMD Error>" => {
                    return Ok(Answer {
                        lines,
                        ok: line == "<CMD OK>",
                    });
                }
                // No line of this list, but what v1.0.0 says behind some of its answers, and behind others not.
                "OK" if command == HELP => {
                    return Err(format!(
                        "{}: a console of skynet 1.0.0, which does not say where an answer ends: use telnet",
                        self.place
                    ));
                }
                _ => lines.push(line),
            }
        }
    }

    /// A line of at most so many bytes.
    fn line(&mut self, room: usize) -> io::Result<String> {
        let mut bytes = Vec::new();
        // Whoever is at the other end does not fill the memory here.
        let mut limited = (&mut self.stream).take(room as u64 + 1);
        if limited.read_until(b'\n', &mut bytes)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if bytes.len() > room {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let end = bytes.iter().rposition(|byte| !b"\n\r".contains(byte));
        bytes.truncate(end.map_or(0, |end| end + 1));
        Ok(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }
}

fn is_timeout(error: &io::Error) -> bool {
    use io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}

/// TCP ports on which a process listens, sorted (proc(5): sockets of its descriptors, and the table of its network).
fn listening_ports(id: u32) -> io::Result<Vec<u16>> {
    let mut inodes = Vec::new();
    for entry in fs::read_dir(format!("/proc/{id}/fd"))?.flatten() {
        let Ok(link) = fs::read_link(entry.path()) else {
            continue;
        };
        let link = link.to_string_lossy().into_owned();
        let inode = link
            .strip_prefix("socket:[")
            .and_then(|rest| rest.strip_suffix(']'));
        inodes.extend(inode.map(str::to_owned));
    }
    let mut ports = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{id}/net/{table}")).unwrap_or_default();
        ports.extend(
            text.lines()
                .skip(1)
                .filter_map(|line| listening(line, &inodes)),
        );
    }
    ports.sort_unstable();
    ports.dedup();
    Ok(ports)
}

/// The port of a line of /proc/net/tcp, if it is that of a listening socket of these.
fn listening(line: &str, inodes: &[String]) -> Option<u16> {
    const LISTEN: &str = "0A";
    let fields: Vec<_> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    if *state != LISTEN || !inodes.iter().any(|known| known == inode) {
        return None;
    }
    u16::from_str_radix(local.rsplit(':').next()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn an_answer_that_drips_without_end_ends_with_the_patience() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let liar = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"Welcome to skynet console\n").unwrap();
            // Until the other end has had enough: each byte comes in time, and the answer never.
            while stream.write_all(b".").is_ok() {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let mut connection = Connection::open(&place).unwrap();
        connection.set_patience(Some(Duration::from_millis(50)));
        let problem = connection.ask("list").unwrap_err();
        assert!(problem.contains("no answer to `list`"), "{problem}");
        drop(connection);
        liar.join().unwrap();
    }

    #[test]
    fn ports_of_a_process_are_those_of_its_listening_sockets() {
        let line = "   0: 0100007F:46CB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 123 1 0 100 0 0 10 0";
        assert_eq!(listening(line, &["123".into()]), Some(18123));
        assert_eq!(listening(line, &["124".into()]), None);
        assert_eq!(
            listening(&line.replace(" 0A ", " 01 "), &["123".into()]),
            None
        );
    }
}
