//! What is on the screen, and what keys do to it. Nothing here talks to a node or to a terminal: keys and looks come in, and
//! [`Effect`]s go out.

use super::columns::{PEERS, PeerRow, SERVICES, SOCKETS};
use super::list::List;
use super::rates::{ServiceRow, SocketRow, View};
use super::snapshot::Snapshot;
use super::source::Reply;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::time::{Duration, Instant};

/// The shortest and the longest time between two looks.
pub const INTERVALS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3600));

/// Which table is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    Services,
    Sockets,
    Cluster,
}

impl Tab {
    pub const ALL: [(Tab, &'static str); 3] = [
        (Tab::Services, "services"),
        (Tab::Sockets, "sockets"),
        (Tab::Cluster, "cluster"),
    ];
}

/// What is done to a service or to the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Kill(String),
    Signal(String),
    Gc,
}

impl Action {
    /// The command of the console.
    pub fn command(&self) -> String {
        match self {
            Action::Kill(address) => format!("kill {address}"),
            Action::Signal(address) => format!("signal {address}"),
            Action::Gc => "gc".into(),
        }
    }
}

/// What a key asks of the program around the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The program ends.
    Quit,
    /// The program stops, as ^Z asks for.
    Suspend,
    /// Looks are to come so far apart; `None`: none for now.
    Interval(Option<Duration>),
    /// What the service says of itself: commands of the console.
    Details(Vec<String>),
    /// The user has said yes.
    Do(Action),
    /// The whole screen is to be drawn anew.
    Redraw,
}

/// One service, looked into.
#[derive(Debug, Default)]
pub struct Details {
    pub address: String,
    pub name: String,
    /// Equal stacks counted, in the place of each.
    pub counted: bool,
    /// Commands and their answers, as far as they have come.
    pub answers: Vec<(String, Option<Reply>)>,
    /// The first line that is shown.
    pub scroll: usize,
    pub asked: Option<Instant>,
}

/// What the keys are for at the moment.
#[derive(Debug)]
pub enum Mode {
    Table,
    /// A filter is typed; what it was before.
    Filter(String),
    Details(Details),
    Help,
    /// A question is to be answered, then this mode goes on.
    Question(Action, String, Box<Mode>),
}

/// See the module's documentation.
pub struct App {
    pub place: String,
    pub tab: Tab,
    pub mode: Mode,
    pub services: List<ServiceRow>,
    pub sockets: List<SocketRow>,
    pub peers: List<PeerRow>,
    pub filter: String,
    pub interval: Duration,
    pub paused: bool,
    pub view: View,
    /// Why there is no look at the moment.
    pub problem: Option<String>,
    /// What became of what was asked for.
    pub told: Option<String>,
    /// The console asks each service.
    pub older: bool,
    /// When the last look came.
    pub seen: Option<Instant>,
    /// Rows on a page; the drawing knows.
    pub page: usize,
    old: Option<Snapshot>,
}

/// The list of services, sorted by CPU time of the moment.
pub fn service_list() -> List<ServiceRow> {
    let id = |row: &ServiceRow| row.now.address.clone();
    let text = |row: &ServiceRow| format!("{} {}", row.now.address, row.now.name);
    List::new(SERVICES, "CPU%", id, text)
}

/// The list of sockets, sorted by traffic.
pub fn socket_list() -> List<SocketRow> {
    let id = |row: &SocketRow| format!("{:020}", row.now.id);
    let text = |row: &SocketRow| {
        let now = &row.now;
        format!("{} {} {} {}", now.kind, now.address, now.name, row.owner)
    };
    List::new(SOCKETS, "BYTES/S", id, text)
}

impl App {
    pub fn new(place: &str, interval: Duration) -> App {
        App {
            place: place.into(),
            tab: Tab::Services,
            mode: Mode::Table,
            services: service_list(),
            sockets: socket_list(),
            peers: List::new(
                PEERS,
                "NODE",
                |row: &PeerRow| row.name.clone(),
                |row: &PeerRow| row.name.clone(),
            ),
            filter: String::new(),
            interval,
            paused: false,
            view: View::default(),
            problem: None,
            told: None,
            older: false,
            seen: None,
            page: 10,
            old: None,
        }
    }

    /// A look has come, or there is none.
    pub fn look(&mut self, look: Result<(Snapshot, bool), String>) {
        match look {
            Ok((snapshot, older)) => {
                self.view = View::new(self.old.as_ref(), &snapshot);
                self.old = Some(snapshot);
                self.older = older;
                self.problem = None;
                self.seen = Some(Instant::now());
                self.fill();
            }
            Err(problem) => {
                // Another node may be there the next time.
                self.old = None;
                self.problem = Some(problem);
            }
        }
    }

    /// The lists, by the filter.
    fn fill(&mut self) {
        self.services.set(self.view.services.iter(), &self.filter);
        let sockets = self.view.sockets.iter().flatten();
        self.sockets.set(sockets, &self.filter);
        let nodes = self.view.cluster.iter().flat_map(|cluster| &cluster.nodes);
        let rows: Vec<PeerRow> = nodes
            .map(|(name, peer)| PeerRow {
                name: name.clone(),
                peer: peer.clone(),
            })
            .collect();
        self.peers.set(rows.iter(), &self.filter);
    }

    /// An answer for [`Effect::Details`] has come.
    pub fn answer(&mut self, address: &str, command: &str, answer: Reply) {
        let mut mode = &mut self.mode;
        while let Mode::Question(_, _, below) = mode {
            mode = below;
        }
        if let Mode::Details(details) = mode
            && details.address == address
        {
            let known = details
                .answers
                .iter_mut()
                .find(|(known, _)| known == command);
            if let Some((_, place)) = known {
                *place = Some(answer);
            }
        }
    }

    /// What became of an action.
    pub fn done(&mut self, action: &Action, result: Reply) {
        let what = action.command();
        self.told = Some(match result {
            Ok(_) => format!("{what}: done"),
            Err(reason) => format!("{what}: {}", reason.replace('\n', " ")),
        });
    }

    /// A key was pressed.
    pub fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => vec![Effect::Quit],
                KeyCode::Char('z') => vec![Effect::Suspend],
                KeyCode::Char('l') => vec![Effect::Redraw],
                _ => Vec::new(),
            };
        }
        match std::mem::replace(&mut self.mode, Mode::Table) {
            Mode::Table => self.table_key(key.code),
            Mode::Filter(before) => self.filter_key(key.code, before),
            Mode::Details(details) => self.details_key(key.code, details),
            // Any key ends the help, and does nothing else.
            Mode::Help => Vec::new(),
            Mode::Question(action, text, below) => {
                self.mode = *below;
                match key.code {
                    KeyCode::Char('y' | 'Y') => vec![Effect::Do(action)],
                    KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc | KeyCode::Enter => Vec::new(),
                    // It stays: a slip is no answer.
                    _ => {
                        let below = std::mem::replace(&mut self.mode, Mode::Table);
                        self.mode = Mode::Question(action, text, Box::new(below));
                        Vec::new()
                    }
                }
            }
        }
    }

    fn table_key(&mut self, code: KeyCode) -> Vec<Effect> {
        self.told = None;
        match code {
            KeyCode::Char('q') => return vec![Effect::Quit],
            KeyCode::Esc if !self.filter.is_empty() => {
                self.filter.clear();
                self.fill();
            }
            KeyCode::Char('?') | KeyCode::F(1) => self.mode = Mode::Help,
            KeyCode::Char('/') => self.mode = Mode::Filter(self.filter.clone()),
            KeyCode::Char(' ') => return self.pause(),
            KeyCode::Char('+') => return self.set_interval(self.interval * 2),
            KeyCode::Char('-') => return self.set_interval(self.interval / 2),
            KeyCode::Char(digit @ '1'..='3') => return self.show(digit as usize - '1' as usize),
            KeyCode::Tab => return self.show((self.tab as usize + 1) % 3),
            KeyCode::BackTab => return self.show((self.tab as usize + 2) % 3),
            KeyCode::Enter => return self.open(),
            KeyCode::Char('K') => self.question(Action::Kill),
            KeyCode::Char('S') => self.question(Action::Signal),
            KeyCode::Char('G') => self.question(|_| Action::Gc),
            code => self.list_key(code),
        }
        Vec::new()
    }

    /// Cursor and order of the table that is shown.
    fn list_key(&mut self, code: KeyCode) {
        fn act<R>(list: &mut List<R>, code: KeyCode, page: isize) {
            match code {
                KeyCode::Up | KeyCode::Char('k') => list.move_by(-1),
                KeyCode::Down | KeyCode::Char('j') => list.move_by(1),
                KeyCode::PageUp => list.move_by(-page),
                KeyCode::PageDown => list.move_by(page),
                KeyCode::Home => list.move_by(isize::MIN),
                KeyCode::End => list.move_by(isize::MAX),
                KeyCode::Char('<') | KeyCode::Left => list.sort_beside(-1),
                KeyCode::Char('>') | KeyCode::Right => list.sort_beside(1),
                KeyCode::Char('i') => list.sort_by(list.sort),
                KeyCode::Char(letter) => _ = list.sort_by_letter(letter),
                _ => {}
            }
        }
        let page = self.page.max(1) as isize;
        match self.tab {
            Tab::Services => act(&mut self.services, code, page),
            Tab::Sockets => act(&mut self.sockets, code, page),
            Tab::Cluster => act(&mut self.peers, code, page),
        }
    }

    fn pause(&mut self) -> Vec<Effect> {
        self.paused = !self.paused;
        vec![Effect::Interval((!self.paused).then_some(self.interval))]
    }

    fn set_interval(&mut self, interval: Duration) -> Vec<Effect> {
        self.interval = interval.clamp(INTERVALS.0, INTERVALS.1);
        match self.paused {
            true => Vec::new(),
            false => vec![Effect::Interval(Some(self.interval))],
        }
    }

    fn show(&mut self, place: usize) -> Vec<Effect> {
        self.tab = Tab::ALL[place].0;
        Vec::new()
    }

    /// Whether looks are to have all sockets.
    pub fn wants_sockets(&self) -> bool {
        self.tab == Tab::Sockets || self.details().is_some()
    }

    /// The service that is looked into.
    pub fn details(&self) -> Option<&Details> {
        let mut mode = &self.mode;
        while let Mode::Question(_, _, below) = mode {
            mode = below;
        }
        match mode {
            Mode::Details(details) => Some(details),
            _ => None,
        }
    }

    /// The service that is meant: the one under the cursor, or the owner of the socket there.
    fn meant(&self) -> Option<(String, String)> {
        match self.tab {
            Tab::Services => {
                let row = self.services.chosen()?;
                Some((row.now.address.clone(), row.now.name.clone()))
            }
            Tab::Sockets => {
                let row = self.sockets.chosen()?;
                Some((row.now.address.clone(), row.owner.clone()))
            }
            Tab::Cluster => None,
        }
    }

    fn open(&mut self) -> Vec<Effect> {
        match self.meant() {
            Some((address, name)) => self.inspect(Details {
                address,
                name,
                ..Details::default()
            }),
            None => Vec::new(),
        }
    }

    /// Asks the service for what it says of itself.
    fn inspect(&mut self, mut details: Details) -> Vec<Effect> {
        let task = if details.counted { "uniqtask" } else { "task" };
        let commands = [task, "info"].map(|word| format!("{word} {}", details.address));
        details.answers = commands
            .iter()
            .map(|command| (command.clone(), None))
            .collect();
        details.asked = Some(Instant::now());
        self.mode = Mode::Details(details);
        vec![Effect::Details(commands.into())]
    }

    fn question(&mut self, action: fn(String) -> Action) {
        let below = std::mem::replace(&mut self.mode, Mode::Table);
        let meant = match &below {
            Mode::Details(details) => Some((details.address.clone(), details.name.clone())),
            _ => self.meant(),
        };
        let action = match (action(String::new()), meant) {
            (Action::Gc, _) => Action::Gc,
            (_, Some((address, _))) => action(address),
            (_, None) => {
                self.mode = below;
                return;
            }
        };
        let text = match &action {
            Action::Kill(address) => {
                format!("kill {address}? It ends at once, whatever it is doing")
            }
            Action::Signal(address) => {
                format!("signal {address}? What it runs now ends with an error")
            }
            Action::Gc => "collect garbage in all services?".into(),
        };
        self.mode = Mode::Question(action, text, Box::new(below));
    }

    fn filter_key(&mut self, code: KeyCode, before: String) -> Vec<Effect> {
        match code {
            KeyCode::Enter => return Vec::new(),
            KeyCode::Esc => self.filter = before.clone(),
            KeyCode::Backspace => _ = self.filter.pop(),
            KeyCode::Char(character) => self.filter.push(character),
            _ => {}
        }
        if code != KeyCode::Esc {
            self.mode = Mode::Filter(before);
        }
        self.fill();
        Vec::new()
    }

    fn details_key(&mut self, code: KeyCode, mut details: Details) -> Vec<Effect> {
        let page = self.page.max(1);
        match code {
            KeyCode::Char('q') | KeyCode::Esc | KeyCode::Backspace => return Vec::new(),
            KeyCode::Char('r') | KeyCode::Enter => return self.inspect(details),
            KeyCode::Char('u') => {
                details.counted = !details.counted;
                return self.inspect(details);
            }
            KeyCode::Up | KeyCode::Char('k') => details.scroll = details.scroll.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => details.scroll += 1,
            KeyCode::PageUp => details.scroll = details.scroll.saturating_sub(page),
            KeyCode::PageDown | KeyCode::Char(' ') => details.scroll += page,
            KeyCode::Home => details.scroll = 0,
            KeyCode::End => details.scroll = usize::MAX,
            _ => {}
        }
        self.mode = Mode::Details(details);
        match code {
            KeyCode::Char('K') => self.question(Action::Kill),
            KeyCode::Char('S') => self.question(Action::Signal),
            KeyCode::Char('G') => self.question(|_| Action::Gc),
            _ => {}
        }
        Vec::new()
    }
}
