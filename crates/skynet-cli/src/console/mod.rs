//! `skynet console`: talks to the debug console of a running node. On a terminal with history, completion and tables; else a line of the
//! input is a command, and what the node answers is printed as it comes.

mod connection;
pub mod password;
mod table;
mod terminal;

use crate::args::Console;
pub use connection::{Answer, Connection};
use skynet_printable::printable;
use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

/// There is no console, or it has gone.
const LOST: u8 = 2;

/// Runs the command; its status: 0 if the node was content with all commands, 1 if not, 2 if it could not be asked.
pub fn main(console: &Console) -> ExitCode {
    match run(console) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("skynet console: {}", printable(&reason));
            ExitCode::from(LOST)
        }
    }
}

fn run(console: &Console) -> Result<bool, String> {
    let (mut connection, password) = password::connect(&console.node)?;
    let pretty = console.table || io::stdout().is_terminal();
    if !console.command.is_empty() {
        return ask(&mut connection, &console.command.join(" "), pretty);
    }
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return terminal::run(connection, password.as_deref()).map(|()| true);
    }
    let mut all_well = true;
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        if !line.trim().is_empty() {
            all_well &= ask(&mut connection, line.trim(), pretty)?;
        }
    }
    Ok(all_well)
}

/// Sends a command and prints the answer. Whether the node was content.
fn ask(connection: &mut Connection, command: &str, pretty: bool) -> Result<bool, String> {
    let answer = connection.ask(command)?;
    // Whoever does not read it any more does not need it.
    let _ = print(&answer, pretty);
    Ok(answer.ok)
}

fn print(answer: &Answer, pretty: bool) -> io::Result<()> {
    // Whoever answers there does not steer this terminal.
    let shown = |line: &String| printable(line).into_owned();
    let lines: Vec<String> = answer.lines.iter().map(shown).collect();
    let text = if pretty {
        table::format(&lines)
    } else {
        lines.iter().map(|line| format!("{line}\n")).collect()
    };
    if answer.ok {
        return io::stdout().write_all(text.as_bytes());
    }
    if io::stderr().is_terminal() {
        return write!(io::stderr(), "\x1b[31m{text}\x1b[0m");
    }
    io::stderr().write_all(text.as_bytes())
}
