//! Links of the documents lead somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::tools::root;

/// The Markdown files of the project. What is hidden, and what cargo has made, is none of it.
fn documents() -> Vec<PathBuf> {
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

/// The lines of a Markdown file that are no code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let pieces = text.split("```").step_by(2);
    pieces.flat_map(str::lines)
}

/// The targets of the links `[text](target)`, without those to the web.
fn links(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for line in prose(text) {
        let plain: String = line.split('`').step_by(2).collect();
        let found = plain
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        targets.extend(
            found
                .filter(|target| !target.starts_with("http"))
                .map(str::to_owned),
        );
    }
    targets
}

/// What a link to a part of the file may say behind its `#`.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let headings = prose(text).filter_map(|line| {
        line.trim_start_matches('#')
            .strip_prefix(' ')
            .filter(|_| line.starts_with('#'))
    });
    for heading in headings {
        let word: String = heading
            .to_lowercase()
            .chars()
            .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
            .map(|letter| if letter == ' ' { '-' } else { letter })
            .collect();
        let mut anchor = word.clone();
        let mut count = 0;
        while !anchors.insert(anchor) {
            count += 1;
            anchor = format!("{word}-{count}");
        }
    }
    anchors
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
