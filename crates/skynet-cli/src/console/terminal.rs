//! The console on a terminal: a prompt, and the answers as tables.

use super::connection::Connection;
use std::io::{self, BufRead, Write};

/// Asks for commands until the end of the input.
pub fn run(connection: &mut Connection) -> Result<(), String> {
    println!("{}: `help` lists the commands, ^D ends", connection.place);
    let mut input = io::stdin().lock();
    loop {
        print!("skynet> ");
        let _ = io::stdout().flush();
        let mut line = String::new();
        if input
            .read_line(&mut line)
            .map_err(|error| error.to_string())?
            == 0
        {
            println!();
            return Ok(());
        }
        match line.trim() {
            "" => {}
            "quit" | "exit" => return Ok(()),
            command if command.starts_with("debug ") => {
                println!("`debug` is a conversation of its own: use telnet for it");
            }
            command => {
                super::ask(connection, command, true)?;
            }
        }
    }
}
