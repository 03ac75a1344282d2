//! One service on the screen: its figures, its sockets, its tasks with stacks, and what it says of itself.

use super::app::Details;
use super::draw::{Theme, memory_of};
use super::format::{bytes, count, cpu_time, duration, known, percent};
use super::rates::{ServiceRow, SocketRow};
use ratatui::text::{Line, Span};
use std::time::Instant;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// All lines.
pub fn lines(
    details: &Details,
    row: Option<&ServiceRow>,
    sockets: &[&SocketRow],
    theme: Theme,
    now: Instant,
    width: usize,
) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(
        format!("{}  {}", details.address, details.name),
        theme.strong(),
    )];
    match row {
        Some(row) => lines.extend(figures(row)),
        None => lines.push(Line::styled("it has ended", theme.bad())),
    }
    if let Some(running) = row.and_then(|row| row.running.as_ref()) {
        lines.push(Line::raw(running.clone()));
    }
    for (command, answer) in &details.answers {
        lines.push(Line::default());
        lines.push(Line::styled(title(command), theme.strong()));
        match answer {
            None => {
                let age = details.asked.map_or(0.0, |asked| {
                    now.saturating_duration_since(asked).as_secs_f64()
                });
                // One that is busy answers when it has done what it does.
                let text = format!("  asked {} ago, no answer yet", duration(age));
                lines.push(Line::styled(text, theme.quiet()));
            }
            Some(Err(reason)) => lines.extend(
                reason
                    .lines()
                    .map(|line| Line::styled(format!("  {line}"), theme.bad())),
            ),
            Some(Ok(text)) if text.iter().all(|line| line.trim().is_empty()) => {
                lines.push(Line::styled("  nothing", theme.quiet()));
            }
            Some(Ok(text)) => {
                lines.extend(
                    text.iter()
                        .flat_map(|line| answer_lines(line, theme, width)),
                );
            }
        }
    }
    if !sockets.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled("sockets", theme.strong()));
        lines.extend(sockets.iter().map(|row| Line::raw(socket(row))));
    }
    lines
}

fn title(command: &str) -> String {
    match command.split(' ').next() {
        Some("task") => "tasks that wait".into(),
        Some("uniqtask") => "tasks that wait, equal stacks counted".into(),
        Some("info") => "what it tells (skynet.info_func)".into(),
        _ => command.into(),
    }
}

fn figures(row: &ServiceRow) -> Vec<Line<'static>> {
    let whole = |number: Option<u64>| number.map(|number| number as f64);
    let now = &row.now;
    vec![
        Line::raw(format!(
            "CPU {} %, {} s in all; messages {}/s, {} in all, {} waiting",
            known(row.cpu_percent, percent),
            known(now.cpu, cpu_time),
            known(row.message_rate, count),
            known(whole(now.message), count),
            known(whole(now.mqlen), count),
        )),
        Line::raw(format!(
            "memory {}, of which its VM {}",
            memory_of(row),
            known(whole(now.lua), bytes)
        )),
    ]
}

/// A line of an answer, cut into what fits. The first one of a task names it: in this core's and in the C core's answers a tab is behind
/// that name.
fn answer_lines(line: &str, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let (name, rest) = match line.split_once('\t') {
        Some((name, rest)) if !name.is_empty() => (name, format!("  {}", plain(rest))),
        _ => ("", plain(line)),
    };
    let name = format!("  {name}");
    let indent = rest.len() - rest.trim_start().len() + 4;
    let mut pieces = cut(&rest, width.saturating_sub(name.width())).into_iter();
    let first = Line::from(vec![
        Span::styled(name, theme.strong()),
        Span::raw(pieces.next().unwrap_or_default()),
    ]);
    let behind = pieces.collect::<String>();
    let rest = cut(&behind, width.saturating_sub(indent)).into_iter();
    let rest = rest.filter(|piece| !piece.is_empty());
    let rest = rest.map(|piece| Line::raw(" ".repeat(indent) + &piece));
    std::iter::once(first).chain(rest).collect()
}

/// A text in pieces so wide, at least one.
fn cut(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let (mut pieces, mut wide) = (vec![String::new()], 0);
    for character in text.chars() {
        let own = character.width().unwrap_or(0);
        if wide + own > width {
            pieces.push(String::new());
            wide = 0;
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(character);
        }
        wide += own;
    }
    pieces
}

/// A tab is no character of a screen.
fn plain(text: &str) -> String {
    text.replace('\t', "    ")
}

fn socket(row: &SocketRow) -> String {
    let now = &row.now;
    let what = match now.accept {
        Some(accepted) => format!("{accepted} accepted"),
        None => format!(
            "read {}, written {}, waiting {}",
            bytes(now.read as f64),
            bytes(now.write as f64),
            bytes(now.wbuffer as f64)
        ),
    };
    format!("  {:<7} {} {}  {what}", now.kind, now.id, now.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_go_on_below_and_lose_nothing() {
        let theme = Theme { colour: false };
        let lines = |text, width| {
            let lines = answer_lines(text, theme, width).into_iter();
            lines.map(|line| line.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(lines("\tabcdefghij", 14), ["      abcdefgh", "        ij"]);
        assert_eq!(lines("a:1\tone 中文", 15), ["  a:1  one 中文".to_owned()]);
        assert_eq!(lines("", 14), ["  "]);
    }
}
