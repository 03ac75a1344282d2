//! Completions for shells, and man pages: both are made of the definitions in [`crate::args`].

use crate::args::{Line, SETTINGS};
use clap::CommandFactory;
use clap_mangen::Man;
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
    let command = Line::command().help_template("{all-args}");
    clap_mangen::generate_to(command.clone(), folder).map_err(told)?;
    fs::write(folder.join("skynet.1"), front_page(command).map_err(told)?).map_err(told)
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
