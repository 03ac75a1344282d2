//! Completions for shells, and man pages: both are made of the definitions in [`crate::args`].

use crate::args::{Line, SETTINGS};
use clap::{Arg, ArgAction, CommandFactory};
use clap_mangen::Man;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Prints the completions of a shell.
pub fn completions(shell: clap_complete::Shell) -> Result<(), String> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut visible(), "skynet", &mut text);
    // A reader that has had enough is no reason to fail.
    let _ = std::io::stdout().write_all(&text);
    Ok(())
}

/// The command line without its hidden commands, which completions would offer.
fn visible() -> clap::Command {
    let all = Line::command();
    let shown = all
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    clap::Command::new("skynet")
        .version(env!("CARGO_PKG_VERSION"))
        .args(all.get_arguments())
        .subcommands(shown)
}

/// Writes `skynet.1` and a page for each command.
pub fn man(folder: &Path) -> Result<(), String> {
    let told = |error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(told)?;
    // Pages have sections of their own in the place of the help's template.
    // `skynet help` has none of its own, so the front page does not name it.
    let command = Line::command()
        .help_template("{all-args}")
        .disable_help_subcommand(true);
    clap_mangen::generate_to(command.clone(), folder).map_err(told)?;
    let mut built = command.clone();
    built.build();
    for command in built.get_subcommands().filter(|one| !one.is_hide_set()) {
        with_synopsis(
            &folder.join(format!("skynet-{}.1", command.get_name())),
            command,
        )
        .map_err(told)?;
    }
    fs::write(folder.join("skynet.1"), front_page(command).map_err(told)?).map_err(told)
}

/// Gives a page a synopsis in which options have their values; `clap_mangen` leaves these out.
fn with_synopsis(page: &Path, command: &clap::Command) -> io::Result<()> {
    const HEADING: &str = ".SH SYNOPSIS\n";
    // `help`, which has no page of its own, and what comes later.
    let Some(text) = fs::read_to_string(page).ok() else {
        return Ok(());
    };
    if let Some((before, rest)) = text.split_once(HEADING)
        && let Some((_, after)) = rest.split_once('\n')
    {
        fs::write(
            page,
            format!("{before}{HEADING}{}\n{after}", synopsis(command)),
        )?;
    }
    Ok(())
}

fn synopsis(command: &clap::Command) -> String {
    let mut text = format!("\\fBskynet {}\\fR", escaped(command.get_name()));
    let (words, options): (Vec<&Arg>, Vec<&Arg>) = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
        .partition(|argument| argument.is_positional());
    for option in options {
        let short = option.get_short().map(|short| format!("-{short}"));
        let long = option.get_long().map(|long| format!("--{long}"));
        let names: Vec<String> = short
            .into_iter()
            .chain(long)
            .map(|name| format!("\\fB{}\\fR", escaped(&name)))
            .collect();
        let _ = write!(text, " [{}{}]", names.join("|"), value_of(option, " "));
        text.push_str(repeated(option));
    }
    for word in words {
        let last = if word.is_last_set() { "\\-\\- " } else { "" };
        let value = value_of(word, "") + repeated(word);
        let _ = match word.is_required_set() {
            true => write!(text, " {last}{value}"),
            false => write!(text, " [{last}{value}]"),
        };
    }
    text
}

/// What is written behind an option, with `before` in front of it; nothing for a flag.
fn value_of(argument: &Arg, before: &str) -> String {
    let takes = argument.get_action().takes_values();
    let names = argument.get_value_names().filter(|_| takes);
    names.map_or(String::new(), |names| {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        format!("{before}\\fI{}\\fR", escaped(&names.join(" ")))
    })
}

/// Of what may be given more than once.
fn repeated(argument: &Arg) -> &'static str {
    match argument.get_action() {
        ArgAction::Append => "...",
        _ => "",
    }
}

fn escaped(text: &str) -> String {
    text.replace('-', "\\-")
}

/// `skynet.1`: a config file in the place of a command is nothing that the definitions know.
fn front_page(command: clap::Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.after_help(""));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    page.extend(
        b".SH SYNOPSIS\n\\fBskynet\\fR \\fIconfigfilename\\fR\n.br\n\\fBskynet\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]\n",
    );
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    // A table: its lines stay as they are.
    writeln!(page, ".SH SETTINGS\n.nf")?;
    for line in SETTINGS.lines() {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        writeln!(page, "\\&{line}")?;
    }
    writeln!(page, ".fi")?;
    man.render_version_section(&mut page)?;
    Ok(page)
}
