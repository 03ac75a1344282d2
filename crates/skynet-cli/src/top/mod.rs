//! `skynet top`: what the services of a running node do, on a screen or printed once.
//!
//! A [`source`] makes a [`snapshot`] of what the debug console says; two of them are a view ([`rates`]); [`app`] is what the
//! screen shows and what keys do, [`draw`] puts it on the screen, [`poller`] talks to the node beside that, and [`screen`] has
//! the terminal.

mod app;
mod columns;
mod details;
mod draw;
mod format;
mod list;
mod older;
mod once;
mod poller;
mod rates;
mod screen;
mod snapshot;
mod source;
#[cfg(test)]
mod tests;

use crate::args::Top;
use crate::console::password;
use app::{App, Effect, INTERVALS, service_list, socket_list};
use draw::Theme;
use poller::{Control, Event, Node, Poller};
use ratatui::crossterm::event::{self, KeyEventKind};
use rates::View;
use screen::Screen;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use skynet_printable::printable;
use source::{Query, Source};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// There is no console, or no terminal.
const LOST: u8 = 2;
/// The screen is drawn anew after this time, for what it says of ages.
const DRAW: Duration = Duration::from_secs(1);

/// Runs the command; its status: 0, or 2 if the node could not be looked at.
pub fn main(top: &Top) -> ExitCode {
    match run(top) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("skynet top: {}", printable(&reason));
            ExitCode::from(LOST)
        }
    }
}

fn run(top: &Top) -> Result<(), String> {
    let interval = Duration::from_secs_f64(top.interval).clamp(INTERVALS.0, INTERVALS.1);
    let once = top.once || top.json;
    if !once && !io::stdout().is_terminal() {
        return Err("the output is no terminal: --once prints a table, --json an object".into());
    }
    // The first connection tells whoever has given a wrong address or password, and asks for the password.
    let (connection, password) = password::connect(&top.node)?;
    let source = Source::new(connection)?;
    let node = Node {
        place: top.node.clone(),
        password,
    };
    if once {
        return print(top, source, interval);
    }
    let mut app = App::new(&node.place, interval);
    if let Some(title) = &top.sort
        && let Some(place) = column_of(title, app.services.columns)?
    {
        app.services.sort_by(place);
    }
    app.filter = top.filter.clone().unwrap_or_default();
    show(node, source, app)
}

/// The place of a column, unless it is the one that rows are sorted by anyway.
fn column_of<R>(title: &str, columns: &[columns::Column<R>]) -> Result<Option<usize>, String> {
    let place = columns
        .iter()
        .position(|column| column.title.eq_ignore_ascii_case(title));
    match place {
        Some(place) => Ok((!columns[place].title.starts_with("CPU")).then_some(place)),
        None => {
            let titles: Vec<_> = columns
                .iter()
                .map(|column| column.title.to_lowercase())
                .collect();
            Err(format!("--sort {title}: columns are {}", titles.join(", ")))
        }
    }
}

/// Two looks, so that there are rates, and what they say.
fn print(top: &Top, mut source: Source, interval: Duration) -> Result<(), String> {
    let query = Query {
        sockets: top.sockets || top.json,
    };
    let (mut services, mut sockets) = (service_list(), socket_list());
    if let Some(title) = &top.sort {
        let place = match top.sockets {
            true => column_of(title, sockets.columns)?.map(|place| sockets.sort_by(place)),
            false => column_of(title, services.columns)?.map(|place| services.sort_by(place)),
        };
        let _: Option<()> = place;
    }
    let first = source.look(query)?;
    thread::sleep(interval);
    let view = View::new(Some(&first), &source.look(query)?);
    let filter = top.filter.as_deref().unwrap_or_default();
    services.set(view.services.iter(), filter);
    sockets.set(view.sockets.iter().flatten(), filter);
    let text = if top.json {
        let object = once::object(&top.node, &view, services.rows(), sockets.rows());
        once::shown(&format!("{object:#}\n"))
    } else if top.sockets {
        printable(&once::table(&view, &sockets)).into_owned()
    } else {
        printable(&once::table(&view, &services)).into_owned()
    };
    // Whoever does not read it any more does not need it.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(())
}

/// The screen, until somebody ends it.
fn show(node: Node, source: Source, app: App) -> Result<(), String> {
    let (send, events) = mpsc::channel();
    let (control, controls) = mpsc::channel();
    let sockets = Arc::new(AtomicBool::new(false));
    let told = |error: io::Error| error.to_string();
    watch_signals(send.clone()).map_err(told)?;
    let poller = Poller {
        node: node.clone(),
        source: Some(source),
        interval: Some(app.interval),
        sockets: sockets.clone(),
        controls,
        events: send.clone(),
    };
    let screen = Screen::new().map_err(|error| format!("the terminal: {error}"))?;
    poller.start().map_err(told)?;
    read_input(send.clone()).map_err(told)?;
    let mut session = Session {
        node,
        app,
        screen,
        control,
        send,
        sockets,
    };
    let end = session.run(&events);
    // The terminal is as it was before anything is said, or the process ends by a signal.
    drop(session);
    match end? {
        Some(signal) => signal_hook::low_level::emulate_default_handler(signal).map_err(told),
        None => Ok(()),
    }
}

fn watch_signals(send: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT])?;
    let watch = move || {
        for signal in signals.forever() {
            if send.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(watch)
        .map(|_| ())
}

fn read_input(send: Sender<Event>) -> io::Result<()> {
    let read = move || {
        loop {
            let input = event::read();
            let ends = input.is_err();
            if send.send(Event::Input(input)).is_err() || ends {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("input".into())
        .spawn(read)
        .map(|_| ())
}

/// The screen and who works for it.
struct Session {
    node: Node,
    app: App,
    screen: Screen,
    control: Sender<Control>,
    send: Sender<Event>,
    sockets: Arc<AtomicBool>,
}

impl Session {
    /// Until the end: the signal that asked for it, if one did.
    fn run(&mut self, events: &Receiver<Event>) -> Result<Option<i32>, String> {
        let theme = Theme {
            // https://no-color.org
            colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        loop {
            let Session { screen, app, .. } = self;
            screen
                .terminal
                .draw(|frame| draw::draw(frame, app, theme, Instant::now()))
                .map_err(|error| format!("the terminal: {error}"))?;
            let mut event = match events.recv_timeout(DRAW) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            };
            // What has come meanwhile is drawn at once.
            loop {
                if let Some(end) = self.take(event)? {
                    return Ok(end);
                }
                match events.try_recv() {
                    Ok(next) => event = next,
                    Err(_) => break,
                }
            }
        }
    }

    /// One event; `Some` at the end.
    fn take(&mut self, event: Event) -> Result<Option<Option<i32>>, String> {
        let told = |error: io::Error| format!("the terminal: {error}");
        match event {
            Event::Snapshot(look) => self.app.look(look),
            Event::Answer(address, command, answer) => self.app.answer(&address, &command, answer),
            Event::Done(action, result) => {
                self.app.done(&action, result);
                self.tell(Control::Now);
            }
            Event::Signal(SIGTSTP) => {
                self.screen.leave();
                signal_hook::low_level::emulate_default_handler(SIGTSTP).map_err(told)?;
                // It goes on here. SIGCONT comes as an event, too, and takes the terminal.
            }
            Event::Signal(SIGCONT) => self.screen.take_again().map_err(told)?,
            Event::Signal(signal) => return Ok(Some(Some(signal))),
            Event::Input(Err(error)) => return Err(told(error)),
            Event::Input(Ok(event::Event::Key(key))) if key.kind != KeyEventKind::Release => {
                for ask in self.app.key(key) {
                    if self.obey(ask).map_err(told)? {
                        return Ok(Some(None));
                    }
                }
                let wants = self.app.wants_sockets();
                if !self.sockets.swap(wants, Ordering::Relaxed) && wants && !self.app.paused {
                    self.tell(Control::Now);
                }
            }
            // A screen of another size is drawn as any other.
            Event::Input(Ok(_)) => {}
        }
        Ok(None)
    }

    /// A poller that has gone has nothing to be told.
    fn tell(&self, control: Control) {
        let _ = self.control.send(control);
    }

    /// Whether the program ends.
    fn obey(&mut self, effect: Effect) -> io::Result<bool> {
        match effect {
            Effect::Quit => return Ok(true),
            // SAFETY: a signal to the own process group, as the terminal would send it.
            Effect::Suspend => _ = unsafe { libc::kill(0, SIGTSTP) },
            Effect::Interval(interval) => self.tell(Control::Interval(interval)),
            Effect::Details(commands) => {
                if let Some(details) = self.app.details() {
                    poller::ask_service(&self.node, details.address.clone(), commands, &self.send);
                }
            }
            Effect::Do(action) => poller::act(&self.node, action, &self.send),
            Effect::Redraw => self.screen.redraw()?,
        }
        Ok(false)
    }
}
