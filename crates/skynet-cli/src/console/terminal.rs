//! The console on a terminal: history, completion of commands and services.

use super::connection::Connection;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Context, Editor, Helper, Highlighter, Hinter, Validator};
use std::path::PathBuf;

/// What can be completed, as the node told when the console was opened.
#[derive(Helper, Hinter, Highlighter, Validator)]
struct Words {
    commands: Vec<String>,
    services: Vec<String>,
}

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let before = &line[..position];
        let begin = before.rfind(' ').map_or(0, |blank| blank + 1);
        let words = if begin == 0 {
            &self.commands
        } else {
            &self.services
        };
        let word = &before[begin..];
        // Commands take addresses with and without their colon and zeros.
        let digits = word.trim_start_matches([':', '0']);
        let fits = |known: &&String| {
            known.starts_with(word)
                || begin != 0
                    && !word.is_empty()
                    && known.trim_start_matches([':', '0']).starts_with(digits)
        };
        Ok((begin, words.iter().filter(fits).cloned().collect()))
    }
}

/// Asks for commands until the end of the input.
pub fn run(connection: &mut Connection) -> Result<(), String> {
    let mut editor: Editor<Words, DefaultHistory> =
        Editor::new().map_err(|error| error.to_string())?;
    editor.set_helper(Some(Words {
        commands: first_words(connection, &["help", "help more"])?,
        services: Vec::new(),
    }));
    let history = history();
    if let Some(file) = &history {
        // The first time there is none.
        let _ = editor.load_history(file);
    }
    println!("{}: `help` lists the commands, ^D ends", connection.place);
    loop {
        // Services come and go.
        let services = first_words(connection, &["list"])?;
        if let Some(words) = editor.helper_mut() {
            words.services = services;
        }
        let line = match editor.readline("skynet> ") {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.to_string()),
        };
        let command = line.trim();
        if command.is_empty() {
            continue;
        }
        let _ = editor.add_history_entry(command);
        if matches!(command, "quit" | "exit") {
            break;
        }
        if command.starts_with("debug ") {
            println!("`debug` is a conversation of its own: use telnet for it");
            continue;
        }
        super::ask(connection, command, true)?;
    }
    if let Some(file) = &history {
        let kept = file.parent().map(std::fs::create_dir_all);
        let _ = kept.map(|_| editor.save_history(file));
    }
    Ok(())
}

/// The first word of each line of these commands' answers.
fn first_words(connection: &mut Connection, commands: &[&str]) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    for command in commands {
        let lines = connection.ask(command)?.lines;
        let first = lines
            .iter()
            .filter_map(|line| line.split_whitespace().next());
        words.extend(first.map(str::to_owned));
    }
    Ok(words)
}

/// Where the history is kept, by the XDG base directories.
fn history() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state =
        state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    Some(state.join("skynet/console_history"))
}
