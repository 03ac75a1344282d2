//! Where looks at a node come from: the debug console, asked by `snapshot` if it knows that, or else by the commands of the C core.

use super::older::{self, Answers};
use super::snapshot::Snapshot;
use crate::console::{Answer, Connection};
use std::time::{Duration, Instant};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// What a service may take for its part of `stat` and `mem`, in 1/100 s.
const SERVICE_PATIENCE: u32 = 100;
/// So many looks apart the memory of services is asked of each of them.
const MEMORY_EVERY: u32 = 5;
/// What the cluster of a node is known by.
const CLUSTERD: &str = "snlua clusterd";

/// The lines of an answer, or why there is none.
pub type Reply = Result<Vec<String>, String>;

/// What a look is to have beside the services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pub sockets: bool,
}

/// A connection to a node, for looks.
pub struct Source {
    connection: Connection,
    /// The console has no `snapshot`: what was heard last of memory, and how many looks ago.
    older: Option<(Vec<String>, u32)>,
    begin: Instant,
    has_cluster: bool,
}

impl Source {
    /// Opens one; `password` is said if the console wants one.
    pub fn open(node: &str, password: Option<&str>) -> Result<Source, String> {
        Source::new(connect(node, password)?)
    }

    /// One on a connection that may run commands.
    pub fn new(mut connection: Connection) -> Result<Source, String> {
        connection.set_patience(Some(PATIENCE));
        Ok(Source {
            connection,
            older: None,
            begin: Instant::now(),
            has_cluster: false,
        })
    }

    /// Whether each service is asked for its figures.
    pub fn is_older(&self) -> bool {
        self.older.is_some()
    }

    /// Looks.
    pub fn look(&mut self, query: Query) -> Result<Snapshot, String> {
        if self.older.is_none() {
            let sockets = if query.sockets { " sockets" } else { "" };
            let cluster = if self.has_cluster { " cluster" } else { "" };
            let answer = self
                .connection
                .ask(&format!("snapshot{sockets}{cluster}"))?;
            if !answer.is_unknown() {
                let snapshot = Snapshot::parse(&content(answer)?.join("\n"))?;
                self.has_cluster = snapshot.services.iter().any(|s| s.name == CLUSTERD);
                return Ok(snapshot);
            }
        }
        self.look_older(query)
    }

    fn look_older(&mut self, query: Query) -> Result<Snapshot, String> {
        let (mem, age) = self.older.take().unwrap_or((Vec::new(), MEMORY_EVERY));
        let mut answers = Answers {
            list: self.ask("list")?,
            stat: self.ask(&format!("stat {SERVICE_PATIENCE}"))?,
            jmem: self.ask_if_known("jmem")?,
            ..Answers::default()
        };
        let clock = self.begin.elapsed().as_secs_f64();
        if query.sockets {
            answers.netstat = self.ask_if_known("netstat")?;
        }
        let (mem, age) = match age < MEMORY_EVERY {
            true => (mem, age + 1),
            false => (self.ask(&format!("mem {SERVICE_PATIENCE}"))?, 1),
        };
        answers.mem = mem;
        let snapshot = older::snapshot(&answers, clock, query.sockets);
        self.older = Some((answers.mem, age));
        Ok(snapshot)
    }

    fn ask(&mut self, command: &str) -> Reply {
        content(self.connection.ask(command)?)
    }

    /// Nothing from a console that does not have the command.
    fn ask_if_known(&mut self, command: &str) -> Reply {
        let answer = self.connection.ask(command)?;
        Ok(if answer.ok { answer.lines } else { Vec::new() })
    }
}

/// A connection whose answers come in time, or not at all.
pub fn connect(node: &str, password: Option<&str>) -> Result<Connection, String> {
    let mut connection = Connection::open(node)?;
    connection.set_patience(Some(PATIENCE));
    if let Some(password) = password {
        connection.authenticate(password)?;
    } else if connection.wants_password()? {
        return Err(format!(
            "{}: the console wants a password: give it in SKYNET_CONSOLE_PASSWORD",
            connection.place
        ));
    }
    Ok(connection)
}

/// The lines of an answer, if the node was content.
pub fn content(answer: Answer) -> Reply {
    match answer.ok {
        true => Ok(answer.lines),
        false => Err(answer.lines.join("\n")),
    }
}
