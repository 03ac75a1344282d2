//! `skynet check PATH`: looks at a project of the C core without running it, and says what a swap of the core takes.
//!
//! `PATH` is the project's folder, or a config file, whose relative paths are taken from the current folder as the node
//! would take them. What is looked at, a module each: compiled files ([`binary`]), C sources ([`source`]), scripts
//! ([`script`]) and configs ([`settings`]). Each adds [`Finding`]s; [`report`] prints them.

mod binary;
mod layer;
mod project;
mod release;
mod report;
mod script;
mod settings;
mod source;

use crate::services::elf::lua::Versions;
use project::Project;
use release::Release;
use skynet_printable::printable;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: skynet check [--json] PATH

Looks at a project of the C core (its folder, or a config file) without running it, and says which way of swapping the core
fits, and what has to be done before. See compat/SWAP.md.

  --json   the same for programs

Exit status: 0 nothing stands in the way of the swap that is named; 1 something has to be done first; 2 PATH cannot be looked
at.";

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Good to know.
    Note,
    /// Works, but most likely not as it is meant.
    Warning,
    /// Does not work as it is.
    Error,
}

/// Something that a swap of the core has to do with.
#[derive(Debug)]
pub(crate) struct Finding {
    pub level: Level,
    /// A word for programs: the same for every finding of a kind.
    pub kind: &'static str,
    /// File relative to the project, with `:LINE` where there is one.
    pub place: String,
    /// What is the matter.
    pub what: String,
    /// What to do; empty when there is nothing.
    pub remedy: String,
    /// It matters to this way of swapping alone.
    pub only: Option<Swap>,
}

impl Finding {
    /// Whether it stands in the way of that swap.
    fn hinders(&self, swap: Swap) -> bool {
        self.level == Level::Error && self.only.is_none_or(|only| only == swap)
    }
}

/// What has been found.
#[derive(Default)]
pub(crate) struct Findings {
    pub list: Vec<Finding>,
    /// The oldest release whose headers the sources ask for.
    pub release: Option<Release>,
    /// Where that was seen.
    pub release_place: String,
    /// Which Lua compiled files and headers want, each with its file.
    pub lua: Vec<(Versions, String)>,
    /// Number of files looked at: compiled, C sources, scripts, configs.
    pub seen: [usize; 4],
}

impl Findings {
    fn add(
        &mut self,
        level: Level,
        kind: &'static str,
        place: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.list.push(Finding {
            level,
            kind,
            place: place.into(),
            what: what.into(),
            remedy: remedy.into(),
            only: None,
        });
    }

    /// As [`Findings::add`], for what matters to one way of swapping alone.
    fn add_only(
        &mut self,
        only: Swap,
        level: Level,
        kind: &'static str,
        place: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(level, kind, place, what, remedy);
        if let Some(last) = self.list.last_mut() {
            last.only = Some(only);
        }
    }
}

/// The ways of swapping the core (compat/SWAP.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swap {
    /// The executable, with nothing rebuilt.
    Executable,
    /// The library, with the project's own Lua.
    Link,
}

/// Does what the arguments behind `check` say.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let (mut json, mut path) = (false, None);
    for argument in args {
        match argument.to_str() {
            Some("--json") => json = true,
            Some("-h" | "--help") => {
                say(&format!("{USAGE}\n"));
                return ExitCode::SUCCESS;
            }
            Some(option) if option.starts_with('-') => {
                eprintln!("skynet check: unknown option {option}\n{USAGE}");
                return ExitCode::from(2);
            }
            _ if path.is_none() => path = Some(PathBuf::from(argument)),
            _ => {
                eprintln!("skynet check: one path at a time\n{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let Some(path) = path else {
        eprintln!("skynet check: which project?\n{USAGE}");
        return ExitCode::from(2);
    };
    match look(&path) {
        Ok(findings) => {
            let swap = swap(&findings);
            if json {
                say(&format!("{}\n", report::json(&path, &findings, swap)));
            } else {
                say(&printable(&report::table(&path, &findings, swap)));
            }
            let hindered = findings.list.iter().any(|finding| finding.hinders(swap));
            ExitCode::from(u8::from(hindered))
        }
        Err(reason) => {
            let problem = format!("{}: {reason}", path.display());
            eprintln!("skynet check: {}", printable(&problem));
            ExitCode::from(2)
        }
    }
}

/// A reader that has had enough (`| head`) is no reason to fail.
fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

fn look(path: &Path) -> std::io::Result<Findings> {
    let project = Project::find(path)?;
    let mut findings = Findings::default();
    if project.cut {
        let what = format!("only the first {} files were looked at", project::MOST);
        findings.add(
            Level::Warning,
            "too-many-files",
            ".",
            what,
            "check a smaller folder",
        );
    }
    for name in &project.links {
        findings.add(
            Level::Note,
            "link",
            name,
            "is a link to a folder outside of this one, and was not looked at",
            "check that folder by itself",
        );
    }
    release::look(&project, &mut findings);
    binary::look(&project, &mut findings);
    source::look(&project, &mut findings);
    script::look(&project, &mut findings);
    layer::look(&project, &mut findings);
    settings::look(&project, &mut findings);
    let swap = swap(&findings);
    findings.list.sort_by(|a, b| {
        let key = |f: &Finding| f.only.is_some_and(|only| only != swap);
        (key(a), b.level, a.kind, &a.what, &a.place).cmp(&(
            key(b),
            a.level,
            b.kind,
            &b.what,
            &b.place,
        ))
    });
    Ok(findings)
}

/// The executable brings Lua 5.5; what is compiled for another one wants the library.
fn swap(findings: &Findings) -> Swap {
    if findings.lua.iter().all(|(lua, _)| lua.has(Versions::V55)) {
        Swap::Executable
    } else {
        Swap::Link
    }
}

/// The Luas that every file could live with.
fn lua_of_all(findings: &Findings) -> Versions {
    let each = findings.lua.iter().map(|(lua, _)| *lua);
    each.fold(Versions::ALL, Versions::and)
}
