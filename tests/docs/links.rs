//! Links of the documents lead somewhere.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::markdown::{anchors, links, prose};
use crate::tools::root;

/// The Markdown files of the project. What is hidden, and what cargo has made, is none of it.
pub(super) fn documents() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if path.is_dir() && !path.is_symlink() {
                // Cargo marks only a folder that it has made itself, so ours is known by what lies in it.
                let made = hidden
                    || path.join("CACHEDIR.TAG").exists()
                    || Path::new(env!("CARGO_TARGET_TMPDIR")).starts_with(&path);
                folders.extend((!made).then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn links_of_the_documents_lead_to_files_and_headings() {
    let files = documents();
    assert!(files.len() > 20, "{files:?}");
    let mut broken = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).expect("a text file");
        for target in links(&text) {
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let folder = file.parent().unwrap_or(Path::new(""));
            let place = if path.is_empty() {
                file.clone()
            } else {
                folder.join(path)
            };
            let there = if anchor.is_empty() {
                place.exists()
            } else {
                fs::read_to_string(&place).is_ok_and(|text| anchors(&text).contains(anchor))
            };
            if !there {
                broken.push(format!("{}: {target}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// All files of the project's sources, with their paths from the root.
fn sources() -> Vec<String> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = [
        "3rd",
        "benches",
        "crates",
        "docs",
        "lualib",
        "lualib-src",
        "service",
        "service-src",
    ]
    .iter()
    .chain(&["src", "test-c", "tests"])
    .map(|folder| root().join(folder))
    .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(path) = path.strip_prefix(root()) {
                files.push(format!("/{}", path.display()));
            }
        }
    }
    files
}

/// The pages that say where in the sources something is.
fn pages_about_the_inside() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = [
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "benches/README.md",
        "tests/README.md",
    ]
    .iter()
    .map(|page| root().join(page))
    .collect();
    let inside = fs::read_dir(root().join("docs/internals")).expect("a folder");
    pages.extend(inside.flatten().map(|entry| entry.path()));
    pages
}

/// What stands between backticks in the prose of a page.
fn named(text: &str) -> impl Iterator<Item = &str> {
    prose(text).flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn files_that_the_pages_about_the_inside_name_are_there() {
    let sources = sources();
    let mut missing = Vec::new();
    for page in pages_about_the_inside() {
        let text = fs::read_to_string(&page).expect("a text file");
        for name in named(&text) {
            let is_source = [".rs", ".lua", ".c", ".h", ".tsv"]
                .iter()
                .any(|end| name.ends_with(end));
            let is_name = name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "/_-.".contains(c));
            let end = format!("/{name}");
            let is_example = name.contains("NAME");
            if is_source
                && is_name
                && !is_example
                && !sources.iter().any(|source| source.ends_with(&end))
            {
                missing.push(format!("{}: {name}", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn names_that_the_pages_about_the_inside_give_are_in_the_sources() {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut known = HashSet::new();
    for source in sources() {
        if let Ok(text) = fs::read_to_string(root().join(source.trim_start_matches('/'))) {
            known.extend(text.split(|c| !is_part(c)).map(str::to_owned));
        }
    }
    // Those that have the marks of a name, so are no words of the language.
    let is_name = |word: &str| {
        word.len() > 3
            && word.contains('_')
            && !word.ends_with('_')
            && !word.starts_with(|c: char| c.is_ascii_digit())
    };
    let mut missing = Vec::new();
    for page in pages_about_the_inside() {
        let text = fs::read_to_string(&page).expect("a text file");
        for name in named(&text) {
            for word in name.split(|c| !is_part(c)).filter(|word| is_name(word)) {
                let is_known = known.contains(word) || known.iter().any(|name| name.contains(word));
                if !is_known && !word.starts_with("lua") {
                    missing.push(format!("{}: {word}", page.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
