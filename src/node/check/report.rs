//! What has been found, for people and for programs.

use super::layer::only_removes;
use super::release::Release;
use super::{Finding, Findings, Level, Swap};
use crate::services::elf::lua::Versions;
use serde_json::{Value, json};
use skynet_printable::one_line;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

impl Swap {
    fn word(self) -> &'static str {
        match self {
            Swap::Executable => "executable",
            Swap::Link => "link",
        }
    }
}

/// Each Lua once, with the first file that wants it; not those that say less than another file.
fn luas(findings: &Findings) -> BTreeMap<String, &str> {
    let mut luas = BTreeMap::new();
    for (lua, file) in &findings.lua {
        let more = |(other, _): &(Versions, String)| other != lua && lua.has(*other);
        if !findings.lua.iter().any(more) {
            luas.entry(lua.to_string()).or_insert(file.as_str());
        }
    }
    luas
}

/// Where the same was found: the first place, and how many more.
fn places(group: &[Finding]) -> String {
    match group {
        [one] => one_line(&one.place).into_owned(),
        [first, others @ ..] => {
            format!("{} and {} more", one_line(&first.place), others.len())
        }
        [] => String::new(),
    }
}

/// The way to go, in one line.
fn advice(findings: &Findings, swap: Swap) -> String {
    match swap {
        Swap::Executable if findings.release.is_none() && findings.seen[..2] == [0, 0] => {
            "the `skynet` executable runs it as it is: nothing of it is compiled".into()
        }
        Swap::Executable => "put the `skynet` executable in the place of the old one".into(),
        Swap::Link => {
            let define = match findings.release.map(Release::define) {
                Some(Some(define)) => format!(", all sources compiled with {define}"),
                Some(None) => String::new(),
                // The core is a folder that has not been filled, or lies elsewhere.
                None => ", all sources compiled with the -DSKYNET_API_VERSION of the release; its skynet-src is not here: \
                         check the folder that has it"
                    .into(),
            };
            format!("link libskynet.a or libskynet.so with the project's own Lua{define}")
        }
    }
}

/// The executable is a way too when nothing but what came with the old release is in its way.
fn alternative(findings: &Findings, swap: Swap) -> Option<&'static str> {
    let mut hindering = findings.list.iter().filter(|f| f.hinders(Swap::Executable));
    (swap == Swap::Link && hindering.all(only_removes)).then_some(
        "executable: nothing of the project's own is in its way; remove what is marked below, and its scripts get Lua 5.5",
    )
}

/// A table.
pub(super) fn table(path: &Path, findings: &Findings, swap: Swap) -> String {
    let mut text = String::new();
    let [compiled, sources, scripts, configs] = findings.seen;
    let _ = writeln!(
        text,
        "{}: {compiled} compiled files, {sources} C sources, {scripts} scripts, {configs} configs",
        path.display()
    );
    if path.is_file()
        && path
            .parent()
            .is_some_and(|parent| !parent.as_os_str().is_empty())
        && let Ok(here) = std::env::current_dir()
    {
        // As for a node of that config.
        let _ = writeln!(
            text,
            "relative paths are seen from {}, where you are",
            here.display()
        );
    }
    if let Some(release) = findings.release {
        let _ = writeln!(
            text,
            "release:  {} ({})",
            release.name(),
            findings.release_place
        );
    }
    for (lua, file) in luas(findings) {
        let _ = writeln!(text, "lua:      {lua} ({file})");
    }
    let name = swap.word();
    let _ = writeln!(text, "swap:     {name}: {}", advice(findings, swap));
    if let Some(other) = alternative(findings, swap) {
        let _ = writeln!(text, "or:       {other}");
    }
    if findings.list.is_empty() {
        text.push_str("\nNothing has to be done.\n");
        return text;
    }
    text.push('\n');
    let groups: Vec<_> = findings
        .list
        .chunk_by(|a, b| (a.level, &a.what, &a.remedy) == (b.level, &b.what, &b.remedy))
        .map(|group| (places(group), &group[0]))
        .collect();
    let width = groups.iter().map(|(places, _)| places.len()).max();
    let width = width.unwrap_or(0).min(40);
    for (places, finding) in groups {
        let level = finding.level.word();
        let other = finding.only.filter(|only| *only != swap);
        let what = match other {
            Some(Swap::Executable) => format!("(for the executable swap) {}", finding.what),
            Some(Swap::Link) => format!("(for the link swap) {}", finding.what),
            None => finding.what.clone(),
        };
        let _ = writeln!(text, "{level:7}  {places:width$}  {what}");
        if !finding.remedy.is_empty() {
            let _ = writeln!(text, "{:7}  {:width$}  -> {}", "", "", finding.remedy);
        }
    }
    text.push('\n');
    let is_other = |finding: &&Finding| finding.only.is_some_and(|only| only != swap);
    let (others, own): (Vec<&Finding>, Vec<&Finding>) = findings.list.iter().partition(is_other);
    let _ = writeln!(text, "{}", counts(&own));
    if !others.is_empty() {
        let other = match swap {
            Swap::Executable => Swap::Link,
            Swap::Link => Swap::Executable,
        };
        let _ = writeln!(
            text,
            "for the {} swap besides: {}",
            other.word(),
            counts(&others)
        );
    }
    text
}

fn counts(list: &[&Finding]) -> String {
    let count = |level| list.iter().filter(|finding| finding.level == level).count();
    format!(
        "errors: {}, warnings: {}, notes: {}",
        count(Level::Error),
        count(Level::Warning),
        count(Level::Note)
    )
}

/// One JSON object.
pub(super) fn json(path: &Path, findings: &Findings, swap: Swap) -> String {
    let list = findings.list.iter().map(|finding| {
        json!({
            "level": finding.level.word(),
            "kind": finding.kind,
            "place": finding.place,
            "what": finding.what,
            "remedy": finding.remedy,
            "only": finding.only.map(Swap::word),
        })
    });
    let [compiled, sources, scripts, configs] = findings.seen;
    let lua = luas(findings)
        .into_iter()
        .map(|(lua, file)| json!({ "version": lua, "file": file }));
    let report = json!({
        "path": path.display().to_string(),
        "release": findings.release.map(Release::name),
        "define": findings.release.and_then(Release::define),
        "lua": lua.collect::<Vec<Value>>(),
        "swap": swap.word(),
        "advice": advice(findings, swap),
        "alternative": alternative(findings, swap),
        "seen": { "compiled": compiled, "sources": sources, "scripts": scripts, "configs": configs },
        "findings": list.collect::<Vec<Value>>(),
    });
    format!("{report:#}")
}
