//! The screen, as [`App`] has it.

use super::app::{App, Details, Mode, Tab};
use super::columns::{self, Column, fitting, memory};
use super::details;
use super::format::{duration, known};
use super::list::List;
use super::once::summary;
use super::rates::{ServiceRow, SocketRow};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;
use std::time::{Duration, Instant};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What the last column has at least.
const LAST: usize = 24;
/// So long a look may be late.
const LATE: Duration = Duration::from_secs(2);

/// So many workers that are in one message for long are told.
const MOST_STUCK: usize = 3;
/// The first line, tabs, titles, three rows, and the last line.
const LOW: usize = 7;

/// How things are told apart; without colours there are still bold and reverse.
#[derive(Clone, Copy)]
pub struct Theme {
    pub colour: bool,
}

impl Theme {
    fn colour(self, colour: Color) -> Style {
        match self.colour {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    pub fn quiet(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub fn bad(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn busy(self) -> Style {
        self.colour(Color::Yellow)
    }

    fn heading(self) -> Style {
        self.colour(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    fn cursor(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

/// Draws all of it.
pub fn draw(frame: &mut Frame<'_>, app: &mut App, theme: Theme, now: Instant) {
    let area = frame.area();
    let top = head(app, theme, now, area);
    for (y, line) in (area.y..).zip(&top) {
        put(frame, area, y, line);
    }
    let bottom = area.bottom().saturating_sub(1);
    let y = area.y.saturating_add(top.len() as u16).min(bottom);
    let body = Rect::new(area.x, y, area.width, bottom - y);
    app.page = usize::from(body.height).saturating_sub(1);
    match app.tab {
        Tab::Services => table(frame, body, &app.services, theme, style_of_service),
        Tab::Sockets => table(frame, body, &app.sockets, theme, style_of_socket),
        Tab::Cluster => table(frame, body, &app.peers, theme, |row, theme| {
            if row.peer.up {
                Style::new()
            } else {
                theme.busy()
            }
        }),
    }
    if app.details().is_some() {
        look_into(frame, body, app, theme, now);
    }
    if let Mode::Help = app.mode {
        page(frame, body, &help(app, theme), 0);
    }
    put(frame, area, bottom, &foot(app, theme));
}

fn put(frame: &mut Frame<'_>, area: Rect, y: u16, line: &Line<'_>) {
    if y < area.bottom() {
        frame.buffer_mut().set_line(area.x, y, line, area.width);
    }
}

/// Lines over what is there, from `first` on.
fn page(frame: &mut Frame<'_>, area: Rect, lines: &[Line<'_>], first: usize) {
    frame.render_widget(Clear, area);
    let shown = lines.iter().skip(first).take(usize::from(area.height));
    for (y, line) in (area.y..).zip(shown) {
        put(frame, area, y, line);
    }
}

/// Which node, its sums, what is wrong, and which table. On a low screen what is listed is worth more than sums.
fn head(app: &App, theme: Theme, now: Instant, area: Rect) -> Vec<Line<'static>> {
    let mut notes = Vec::new();
    if let Some(problem) = &app.problem {
        notes.push(Line::styled(problem.replace('\n', " "), theme.bad()));
    }
    for line in app.view.stuck.iter().take(MOST_STUCK) {
        notes.push(Line::styled(line.clone(), theme.busy()));
    }
    if app.older && app.problem.is_none() {
        let text = "This console has no `snapshot`: each look is a request to every service";
        notes.push(Line::styled(text, theme.quiet()));
    }
    let room = usize::from(area.height).saturating_sub(notes.len() + LOW);
    let mut lines = vec![title(app, theme, now, usize::from(area.width))];
    for text in summary(&app.view.totals).iter().take(room) {
        let (name, rest) = text.split_at(10);
        lines.push(Line::from(vec![
            Span::styled(name.to_owned(), theme.quiet()),
            Span::raw(rest.to_owned()),
        ]));
    }
    lines.extend(notes);
    lines.push(tabs(app, theme));
    lines
}

fn title(app: &App, theme: Theme, now: Instant, width: usize) -> Line<'static> {
    let process = app
        .view
        .pid
        .map_or(String::new(), |pid| format!("  pid {pid}"));
    let left = format!("skynet top  {}{process}", app.place);
    let age = app.seen.map(|seen| now.saturating_duration_since(seen));
    let late = age.filter(|age| *age > app.interval + LATE && !app.paused);
    let (right, style) = match (late, app.paused, app.seen) {
        (Some(age), ..) => (
            format!("no look for {}", duration(age.as_secs_f64())),
            theme.bad(),
        ),
        (None, true, _) => ("paused".into(), theme.bad()),
        (None, false, None) => ("connecting".into(), theme.quiet()),
        (None, false, Some(_)) => (format!("every {}", seconds(app.interval)), theme.quiet()),
    };
    let room = width.saturating_sub(right.width() + 1);
    Line::from(vec![
        Span::styled(fit(&left, room, false), theme.strong()),
        Span::raw(" "),
        Span::styled(right, style),
    ])
}

fn seconds(time: Duration) -> String {
    match time.as_secs_f64() {
        short if short < 10.0 => format!("{} s", (short * 100.0).round() / 100.0),
        long => duration(long),
    }
}

fn tabs(app: &App, theme: Theme) -> Line<'static> {
    let mut spans = Vec::new();
    for (number, (tab, name)) in (1..).zip(Tab::ALL) {
        let style = if tab == app.tab {
            theme.heading()
        } else {
            theme.quiet()
        };
        spans.push(Span::styled(format!("{number} {name}  "), style));
    }
    if !app.filter.is_empty() {
        spans.push(Span::styled(
            format!(" with {:?}", app.filter),
            theme.busy(),
        ));
    }
    Line::from(spans)
}

fn style_of_service(row: &ServiceRow, theme: Theme) -> Style {
    match row {
        row if row.now.mqlen.is_some_and(|waiting| waiting > 1024) => theme.bad(),
        row if row.cpu_percent.is_some_and(|percent| percent >= 50.0) => theme.busy(),
        _ => Style::new(),
    }
}

fn style_of_socket(row: &SocketRow, theme: Theme) -> Style {
    match row.now.wbuffer {
        0 => Style::new(),
        waiting if waiting > 1 << 20 => theme.bad(),
        _ => theme.busy(),
    }
}

/// Titles, and as many rows as there is room for, the one under the cursor among them.
fn table<R>(
    frame: &mut Frame<'_>,
    area: Rect,
    list: &List<R>,
    theme: Theme,
    style: fn(&R, Theme) -> Style,
) {
    let width = usize::from(area.width);
    let columns = fitting(columns::known(list.columns, list.rows()), width, LAST);
    let sorted = &list.columns[list.sort];
    let mut titles = Vec::new();
    let fixed: usize = columns[..columns.len() - 1]
        .iter()
        .map(|column| column.width + 1)
        .sum();
    let width_of = |place: usize, column: &Column<R>| match place + 1 == columns.len() {
        true => width.saturating_sub(fixed),
        false => column.width,
    };
    for (place, column) in columns.iter().enumerate() {
        let is_sorted = std::ptr::eq(*column, sorted);
        let style = if is_sorted {
            theme.heading().add_modifier(Modifier::UNDERLINED)
        } else {
            theme.heading()
        };
        let field = fit(column.title, width_of(place, column), column.is_number());
        let text = field.trim().to_owned();
        let (before, behind) = field.split_once(&text).unwrap_or((&field, ""));
        titles.extend([
            Span::raw(before.to_owned()),
            Span::styled(text.clone(), style),
            Span::raw(format!("{behind} ")),
        ]);
    }
    put(frame, area, area.y, &Line::from(titles));
    let height = usize::from(area.height).saturating_sub(1);
    let cursor = list.cursor();
    let first = (cursor + 1).saturating_sub(height);
    let rows = list.rows().iter().enumerate().skip(first).take(height);
    for (y, (place, row)) in (area.y + 1..).zip(rows) {
        let mut text = String::new();
        for (place, column) in columns.iter().enumerate() {
            text.push_str(&fit(
                &(column.text)(row),
                width_of(place, column),
                column.is_number(),
            ));
            text.push(' ');
        }
        let style = style(row, theme);
        let style = if place == cursor {
            style.patch(theme.cursor())
        } else {
            style
        };
        put(frame, area, y, &Line::styled(text, style));
    }
}

/// The text in so many columns of the screen, cut or filled with blanks.
fn fit(text: &str, width: usize, right: bool) -> String {
    let wide = text.width();
    if wide <= width {
        let blanks = " ".repeat(width - wide);
        return if right {
            blanks + text
        } else {
            text.to_owned() + &blanks
        };
    }
    let (mut cut, mut used) = (String::new(), 0);
    for character in text.chars() {
        let wide = character.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        cut.push(character);
        used += wide;
    }
    if width > 0 {
        cut.push('…');
        used += 1;
    }
    cut + &" ".repeat(width - used)
}

/// A service, what it has and what it says of itself.
fn look_into(frame: &mut Frame<'_>, body: Rect, app: &mut App, theme: Theme, now: Instant) {
    let Some(shown) = app.details() else { return };
    let is_it = |row: &&ServiceRow| row.now.address == shown.address;
    let row = app.view.services.iter().find(is_it);
    let sockets: Vec<&SocketRow> = app
        .view
        .sockets
        .iter()
        .flatten()
        .filter(|socket| socket.now.address == shown.address)
        .collect();
    let lines = details::lines(shown, row, &sockets, theme, now, usize::from(body.width));
    let most = lines.len().saturating_sub(usize::from(body.height));
    let first = shown.scroll.min(most);
    page(frame, body, &lines, first);
    if let Mode::Details(Details { scroll, .. }) = &mut app.mode {
        *scroll = first;
    }
}

fn foot(app: &App, theme: Theme) -> Line<'static> {
    if let Mode::Question(_, text, _) = &app.mode {
        return Line::styled(format!("{text}  (y/n)"), theme.bad());
    }
    let hint = match &app.mode {
        Mode::Filter(_) => {
            return Line::from(vec![
                Span::styled("filter: ", theme.strong()),
                Span::raw(app.filter.clone()),
                Span::styled("_", theme.cursor()),
                Span::styled("   Enter keeps it, Esc takes it back", theme.quiet()),
            ]);
        }
        Mode::Help => "any key goes back",
        Mode::Details(_) => {
            "Esc back  r again  u count equal stacks  K kill  S signal  arrows scroll"
        }
        _ => "? help  q quit  Enter look into  / filter  < > sort  Space pause",
    };
    match &app.told {
        Some(told) => Line::styled(told.clone(), theme.strong()),
        None => Line::styled(hint, theme.quiet()),
    }
}

fn help(app: &App, theme: Theme) -> Vec<Line<'static>> {
    let letters = |titles: Vec<(char, &str)>| {
        let word = |&(letter, title): &(char, &str)| format!("{letter} {title}");
        let lines = titles.chunks(6);
        let line = |titles: &[(char, &str)]| titles.iter().map(word).collect::<Vec<_>>().join("  ");
        lines.map(line).collect::<Vec<_>>()
    };
    fn of<R>(list: &List<R>) -> Vec<(char, &'static str)> {
        list.columns
            .iter()
            .map(|column| (column.letter, column.title))
            .collect()
    }
    let sorts = match app.tab {
        Tab::Services => letters(of(&app.services)),
        Tab::Sockets => letters(of(&app.sockets)),
        Tab::Cluster => letters(of(&app.peers)),
    };
    let mut rows = vec![
        ("1 2 3  Tab", "services, sockets, nodes of the cluster"),
        ("arrows  j k", "move; so do PgUp, PgDn, Home, End"),
        (
            "Enter",
            "look into a service: tasks with stacks, memory, sockets",
        ),
        ("< >  i", "sort by the column beside; the other way round"),
    ];
    rows.extend(sorts.iter().map(|line| ("", line.as_str())));
    rows.extend([
        ("/", "only rows with a text in them; Esc ends that"),
        ("Space  + -", "pause; look less or more often"),
        ("K", "kill the service (asks first)"),
        (
            "S",
            "end what the service runs now with an error (asks first)",
        ),
        ("G", "collect garbage in all services (asks first)"),
        ("q  ^C", "quit;  ^Z stop;  ^L draw anew"),
    ]);
    let mut lines: Vec<Line<'static>> = rows
        .iter()
        .map(|(keys, what)| {
            Line::from(vec![
                Span::styled(format!("{keys:<13}"), theme.strong()),
                Span::raw((*what).to_owned()),
            ])
        })
        .collect();
    lines.push(Line::default());
    for text in [
        "CPU% is of one processor. MAIL is what waits, as workers have seen it.",
        "MEMORY is all that a service has, LUA its VM.",
    ] {
        lines.push(Line::styled(text, theme.quiet()));
    }
    lines
}

/// All bytes that a service has.
pub fn memory_of(row: &ServiceRow) -> String {
    known(memory(row), super::format::bytes)
}
