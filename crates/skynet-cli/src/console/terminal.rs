//! The console on a terminal: history, completion of commands and services, lines that go on, and a node that comes back.

use super::connection::{Answer, Connection};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper, Highlighter, Hinter};
use skynet_printable::printable;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// How long a completion may wait for the node.
const COMPLETION_PATIENCE: Duration = Duration::from_secs(2);

/// The node, as long as there is one.
struct Link {
    place: String,
    password: Option<String>,
    connection: Option<Connection>,
}

impl Link {
    /// Asks, on a new connection if the old one has gone.
    fn ask(&mut self, command: &str) -> Result<Answer, String> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let mut connection = Connection::open(&self.place)?;
                if let Some(password) = &self.password {
                    connection.authenticate(password)?;
                }
                none.insert(connection)
            }
        };
        let answer = connection.ask(command);
        if answer.is_err() {
            self.connection = None;
        }
        answer
    }

    /// The lines of an answer; none if there is none in time.
    fn lines(&mut self, command: &str) -> Vec<String> {
        let limit = |link: &mut Link, patience| {
            let connection = link.connection.as_mut();
            connection
                .map(|connection| connection.set_patience(patience))
                .is_some()
        };
        if !limit(self, Some(COMPLETION_PATIENCE)) {
            return Vec::new();
        }
        // An answer that comes later would be taken for that of the next command: `ask` has given the connection up.
        let lines = self.ask(command).map_or(Vec::new(), |answer| answer.lines);
        limit(self, None);
        let lines = lines.iter().map(|line| line.replace('\t', " "));
        // What is completed stands on the terminal, and is sent back.
        lines.filter(|line| printable(line) == *line).collect()
    }
}

/// What can be completed. Services are asked for when they are: they come and go.
#[derive(Helper, Hinter, Highlighter)]
struct Words {
    link: Rc<RefCell<Link>>,
    commands: Vec<String>,
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = &line[..position];
        let begin = before.rfind([' ', '\n']).map_or(0, |blank| blank + 1);
        let word = &before[begin..];
        if before[..begin].trim().is_empty() {
            let fits = |known: &&String| known.starts_with(word);
            let pair = |known: &String| Pair {
                display: known.clone(),
                replacement: known.clone(),
            };
            let fitting = self.commands.iter().filter(fits);
            return Ok((begin, fitting.map(pair).collect()));
        }
        let services = self.link.borrow_mut().lines("list");
        let fitting = services.iter().filter_map(|line| service(word, line));
        Ok((begin, fitting.collect()))
    }
}

/// The service of a line of `list`, if the word is the beginning of its address, or of a word of its launch arguments.
fn service(word: &str, line: &str) -> Option<Pair> {
    let mut words = line.split_whitespace();
    let address = words.next()?;
    let is_named = !word.is_empty() && words.any(|known| known.starts_with(word));
    (is_named || is_meant(word, address)).then(|| Pair {
        display: line.to_owned(),
        replacement: address.to_owned(),
    })
}

/// Commands take addresses with and without their colon and zeros.
fn is_meant(word: &str, address: &str) -> bool {
    let digits = |text: &str| text.trim_start_matches([':', '0']).to_ascii_lowercase();
    address.starts_with(word) || !word.is_empty() && digits(address).starts_with(&digits(word))
}

impl Validator for Words {
    /// A line that ends with a backslash goes on.
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match context.input().ends_with('\\') {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}

/// The commands that were typed or pasted: one a line, but for lines that go on.
fn commands(input: &str) -> Vec<String> {
    let joined = input.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Asks for commands until the end of the input.
pub fn run(connection: Connection, password: Option<&str>) -> Result<(), String> {
    let told = |error: ReadlineError| error.to_string();
    println!("{}: `help` lists the commands, ^D ends", connection.place);
    let link = Rc::new(RefCell::new(Link {
        place: connection.place.clone(),
        password: password.map(str::to_owned),
        connection: Some(connection),
    }));
    let mut known = Vec::new();
    for list in ["help", "help more"] {
        let lines = link.borrow_mut().lines(list);
        let first = |line: &String| Some(line.split_whitespace().next()?.to_owned());
        known.extend(lines.iter().filter_map(first));
    }
    known.sort();
    known.dedup();
    // What begins with a blank is not remembered.
    let config = Config::builder()
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .build();
    let mut editor: Editor<Words, DefaultHistory> = Editor::with_config(config).map_err(told)?;
    editor.set_helper(Some(Words {
        link: link.clone(),
        commands: known,
    }));
    let history = history();
    if let Some(file) = &history {
        // The first time there is none.
        let _ = file.parent().map(std::fs::create_dir_all);
        let _ = editor.load_history(file);
    }
    loop {
        let prompt = match link.borrow().connection {
            Some(_) => "skynet> ",
            None => "not connected> ",
        };
        let input = match editor.readline(prompt) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(told(error)),
        };
        for command in commands(&input) {
            if matches!(command.as_str(), "quit" | "exit") {
                return Ok(());
            }
            // A password is nobody's business.
            if !input.starts_with(' ') && !command.starts_with("auth") {
                let _ = editor.add_history_entry(command.as_str());
                // At once: the session may end in any way.
                let _ = history.as_ref().map(|file| editor.append_history(file));
            }
            let answer = link.borrow_mut().ask(&command);
            match answer {
                // Whoever does not read it any more does not need it.
                Ok(answer) => _ = super::print(&answer, true),
                Err(reason) => eprintln!("{}", printable(&reason)),
            }
        }
    }
    Ok(())
}

/// Where the history is kept, by the XDG base directories.
fn history() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state =
        state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    Some(state.join("skynet/console_history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_go_on_are_one_command_and_pasted_lines_are_several() {
        assert_eq!(commands("call 9 \\\n\"get\""), ["call 9  \"get\""]);
        assert_eq!(commands("list\n\n stat \n"), ["list", "stat"]);
    }

    #[test]
    fn addresses_are_completed_with_and_without_their_zeros() {
        let address = ":0000010a";
        for word in ["", ":", ":000001", "10", "10A", "010a"] {
            assert!(is_meant(word, address), "{word}");
        }
        assert!(!is_meant("11", address) && !is_meant("a", address));
        assert_eq!(
            service("roo", ":0000010a snlua room 7").map(|found| found.replacement),
            Some(address.into())
        );
        assert!(service("roo", ":0000010a snlua broom").is_none());
    }
}
