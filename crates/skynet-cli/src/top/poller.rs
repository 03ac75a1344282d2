//! Threads that talk to the node, so that the screen answers also when the node does not.

use super::app::Action;
use super::snapshot::Snapshot;
use super::source::{Query, Reply, Source, connect, content};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// So long a new connection is waited for, at least, and at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// A service has a minute to answer the console.
const SERVICE_PATIENCE: Duration = Duration::from_secs(65);

/// What the screen is told.
pub enum Event {
    /// A look, and whether the console is an older one.
    Snapshot(Result<(Snapshot, bool), String>),
    /// The answer of a service to a command.
    Answer(String, String, Reply),
    /// What became of an action.
    Done(Action, Reply),
    Input(std::io::Result<ratatui::crossterm::event::Event>),
    Signal(i32),
}

/// What controls the poller.
pub enum Control {
    /// Look so far apart; `None`: not until the next message.
    Interval(Option<Duration>),
    /// Look now.
    Now,
}

/// A node and how to get in.
#[derive(Clone)]
pub struct Node {
    pub place: String,
    pub password: Option<String>,
}

/// Reads the node at an interval until the screen has gone.
pub struct Poller {
    pub node: Node,
    pub source: Option<Source>,
    pub interval: Option<Duration>,
    /// Looks are to have sockets.
    pub sockets: Arc<AtomicBool>,
    pub controls: Receiver<Control>,
    pub events: Sender<Event>,
}

impl Poller {
    /// Starts it.
    pub fn start(self) -> std::io::Result<()> {
        let run = || self.run();
        thread::Builder::new()
            .name("poller".into())
            .spawn(run)
            .map(|_| ())
    }

    fn run(mut self) {
        let mut failures = 0;
        loop {
            let begin = Instant::now();
            let look = self.look();
            failures = if look.is_ok() { 0 } else { failures + 1 };
            if self.events.send(Event::Snapshot(look)).is_err() {
                return;
            }
            let wait = match failures {
                0 => self.interval,
                times => Some((AGAIN.0 * times).min(AGAIN.1)),
            };
            if !self.wait(begin, wait) {
                return;
            }
        }
    }

    fn look(&mut self) -> Result<(Snapshot, bool), String> {
        let source = match &mut self.source {
            Some(source) => source,
            None => {
                let source = Source::open(&self.node.place, self.node.password.as_deref())?;
                self.source.insert(source)
            }
        };
        let query = Query {
            sockets: self.sockets.load(Ordering::Relaxed),
        };
        let look = source
            .look(query)
            .map(|snapshot| (snapshot, source.is_older()));
        if look.is_err() {
            self.source = None;
        }
        look
    }

    /// Waits for the next look; false at the end.
    fn wait(&mut self, begin: Instant, mut interval: Option<Duration>) -> bool {
        let took = begin.elapsed();
        loop {
            let control = match interval {
                Some(interval) => {
                    // A node that takes long to answer has half of the time for itself.
                    let next = begin + interval.max(took * 2);
                    let left = next.saturating_duration_since(Instant::now());
                    self.controls.recv_timeout(left)
                }
                None => self
                    .controls
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
            };
            match control {
                Ok(Control::Now) | Err(RecvTimeoutError::Timeout) => return true,
                Ok(Control::Interval(new)) => {
                    self.interval = new;
                    interval = new;
                }
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }
}

/// Asks a service, each command on the same connection.
pub fn ask_service(node: &Node, address: String, commands: Vec<String>, events: &Sender<Event>) {
    let (node, events) = (node.clone(), events.clone());
    thread::spawn(move || {
        let mut connection =
            connect(&node.place, node.password.as_deref()).map(|mut connection| {
                connection.set_patience(Some(SERVICE_PATIENCE));
                connection
            });
        for command in commands {
            let answer = match &mut connection {
                Ok(connection) => connection.ask(&command).and_then(content),
                Err(reason) => Err(reason.clone()),
            };
            if events
                .send(Event::Answer(address.clone(), command, answer))
                .is_err()
            {
                return;
            }
        }
    });
}

/// Does what the user has said yes to.
pub fn act(node: &Node, action: Action, events: &Sender<Event>) {
    let (node, events) = (node.clone(), events.clone());
    thread::spawn(move || {
        let result = connect(&node.place, node.password.as_deref())
            .and_then(|mut connection| connection.ask(&action.command()))
            .and_then(content);
        // Who has left does not want to know.
        let _ = events.send(Event::Done(action, result));
    });
}
