//! Completions for shells, and man pages: both are made of the definitions in [`crate::args`].

use crate::args::Line;
use clap::CommandFactory;
use std::fs;
use std::io::Write;
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
    let command = Line::command().help_template("{all-args}");
    clap_mangen::generate_to(command, folder).map_err(told)
}
