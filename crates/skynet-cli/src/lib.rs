//! The command line of the `skynet` executable.
//!
//! Arguments become an [`Order`]: a node to run, as a config file or settings say, or something that is done already. What
//! runs a node is the library's (`skynet`), which knows nothing of this crate and does not contain it.

mod args;
mod console;
mod debug;
mod new;
mod pages;
mod project;
mod test;
mod top;
pub mod types;

use args::{Command, Line};
use clap::{CommandFactory, Parser};
use std::ffi::{CString, OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Settings of a node that are not from a config file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// A config file that is read first.
    pub config: Option<PathBuf>,
    /// Keys and values, which go before those of the config file.
    pub set: Vec<(String, String)>,
    /// Keys and patterns, which go behind those of the config file.
    pub append: Vec<(String, String)>,
    /// Keys of the config file that do not count.
    pub remove: Vec<String>,
    /// A key whose value is written to a file, if it has one.
    pub noted: Option<(String, PathBuf)>,
}

impl Settings {
    /// Makes its changes to what the config file says.
    pub fn apply(&self, known: &mut Vec<(CString, CString)>) {
        // An argument and what is made of it have no zero in them.
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let is = |key: &CString, name: &str| key.as_bytes() == name.as_bytes();
        let replaced = |key: &CString| {
            self.set.iter().any(|(name, _)| is(key, name))
                || self.remove.iter().any(|name| is(key, name))
        };
        known.retain(|(key, _)| !replaced(key));
        known.extend(self.set.iter().map(|(key, value)| (text(key), text(value))));
        for (key, value) in &self.append {
            match known.iter_mut().find(|(name, _)| is(name, key)) {
                Some((_, old)) => {
                    let both = [old.as_bytes(), b";", value.as_bytes()].concat();
                    *old = CString::new(both).unwrap_or_default();
                }
                None => known.push((text(key), text(value))),
            }
        }
        if let Some((key, file)) = &self.noted
            && let Some((_, value)) = known.iter().find(|(name, _)| is(name, key))
        {
            // Who reads it does without.
            let _ = std::fs::write(file, value.as_bytes());
        }
    }
}

/// What the arguments ask for.
#[derive(Debug)]
pub enum Order {
    /// Run the node of a config file.
    Config(OsString),
    /// Run the node of these settings.
    Settings(Settings),
    /// Look at a project, with these arguments.
    Check(Vec<OsString>),
    /// Nothing more: it is done, with this status.
    Done(ExitCode),
}

/// What the arguments, without the program's name, ask for. Commands that run no node are done here. `embedded`: the files that
/// the executable carries, which `skynet types` writes.
pub fn order(args: impl Iterator<Item = OsString>, embedded: types::Embedded) -> Order {
    let args: Vec<OsString> = args.collect();
    let Some(first) = args.first() else {
        eprintln!(
            "Need a config file. Please read skynet wiki : https://github.com/cloudwu/skynet/wiki/Config\n{}",
            args::USAGE
        );
        return Order::Done(ExitCode::FAILURE);
    };
    match first.to_str() {
        Some("-h" | "--help" | "help") if !is_config(&args) => {}
        Some("-V" | "--version") => {}
        // Its arguments are its own: `skynet check --help` and its status are older than this crate.
        Some("check") if !is_config(&args) => return Order::Check(args[1..].to_vec()),
        Some(word) if is_command(word) && !is_config(&args) => {}
        _ => {
            hint_at_commands(first);
            return Order::Config(first.clone());
        }
    }
    match Line::try_parse_from(std::iter::once("skynet".into()).chain(args)) {
        Ok(line) => obey(line.command, embedded),
        Err(refusal) => {
            // A closed pipe is no reason to fail.
            let _ = refusal.print();
            Order::Done(ExitCode::from(refusal.exit_code() as u8))
        }
    }
}

/// A word that is no file may have been meant as a command; that there is no such file is told by who reads it.
fn hint_at_commands(word: &OsStr) {
    let is_word = |word: &str| word.bytes().all(|c| c.is_ascii_lowercase() || c == b'-');
    if let Some(name) = word.to_str().filter(|word| is_word(word))
        && !Path::new(word).exists()
    {
        let meant = nearest_command(name);
        eprintln!(
            "{name}: neither a file nor a command{} (`skynet --help` lists them)",
            meant.map_or(String::new(), |meant| format!("; did you mean `{meant}`?"))
        );
    }
}

/// The command that a word is a slip of, if there is one.
fn nearest_command(word: &str) -> Option<String> {
    let line = Line::command();
    let shown = line
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let near = shown.filter_map(|command| {
        let name = command.get_name();
        let steps = strsim::osa_distance(word, name);
        (steps <= 1 + name.len() / 4).then(|| (steps, name.to_owned()))
    });
    near.min().map(|(_, name)| name)
}

/// A word alone runs the config of that name, if there is one: `skynet CONFIG` is older than any command.
fn is_config(args: &[OsString]) -> bool {
    args.len() == 1 && Path::new(&args[0]).is_file()
}

fn is_command(word: &str) -> bool {
    Line::command()
        .get_subcommands()
        .any(|command| command.get_name() == word)
}

fn obey(command: Command, embedded: types::Embedded) -> Order {
    let done = |result: Result<(), String>| {
        Order::Done(match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => {
                eprintln!("skynet: {reason}");
                ExitCode::FAILURE
            }
        })
    };
    match command {
        Command::Run(run) => match project::run(&run) {
            Ok(settings) => Order::Settings(settings),
            Err(reason) => done(Err(reason)),
        },
        Command::New(new) => done(new::make(&new)),
        Command::Test(test) => Order::Done(test::main(&test)),
        Command::TestNode(node) => match test::node::settings(&node) {
            Ok(settings) => Order::Settings(settings),
            Err(reason) => done(Err(reason)),
        },
        Command::Debug(node) => Order::Done(debug::main(&node)),
        Command::DebugNode(node) => match debug::settings(&node) {
            Ok(settings) => Order::Settings(settings),
            Err(reason) => done(Err(reason)),
        },
        Command::Console(node) => Order::Done(console::main(&node)),
        Command::Top(node) => Order::Done(top::main(&node)),
        Command::Check { arguments } => Order::Check(arguments),
        Command::Types { folder } => done(types::write(&folder, embedded)),
        Command::Completions { shell } => done(pages::completions(shell)),
        Command::Man { folder } => done(pages::man(&folder)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn a_slip_of_a_command_is_known_and_other_words_are_not() {
        for (word, meant) in [("tset", "test"), ("cosnole", "console"), ("tpo", "top")] {
            assert_eq!(nearest_command(word).as_deref(), Some(meant));
        }
        assert_eq!(nearest_command("config"), None);
        assert_eq!(nearest_command("zzz"), None);
    }

    #[test]
    fn settings_go_over_before_or_behind_those_of_a_config() {
        let pair = |(key, value): (&str, &str)| (String::from(key), String::from(value));
        let c = |(key, value): (&str, &str)| {
            let text = |text| CString::new(text).expect("no zero");
            (text(key), text(value))
        };
        let mut known: Vec<_> = [
            ("start", "main"),
            ("luaservice", "a/?.lua"),
            ("daemon", "x"),
        ]
        .map(c)
        .into();
        let settings = Settings {
            set: [("start", "other"), ("new", "1")].map(pair).into(),
            append: [("luaservice", "b/?.lua"), ("lua_path", "c")]
                .map(pair)
                .into(),
            remove: vec!["daemon".into()],
            ..Settings::default()
        };
        settings.apply(&mut known);
        let expected = [
            ("luaservice", "a/?.lua;b/?.lua"),
            ("start", "other"),
            ("new", "1"),
            ("lua_path", "c"),
        ];
        assert_eq!(known, expected.map(c));
    }

    #[test]
    fn a_config_is_whatever_is_no_command() {
        for name in ["config", "examples/config", "./test", "runs", "-x"] {
            let order = order([OsString::from(name)].into_iter(), &[]);
            assert!(
                matches!(order, Order::Config(file) if file == name),
                "{name}"
            );
        }
    }
}
