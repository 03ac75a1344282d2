//! Imports of `src/` run downwards in the list of layers, and the folders of a layer form no cycle. See ARCHITECTURE.md.
//!
//! Read are all paths of the sources that begin with `crate` or `super`: those of `use`, with nested groups, and those in
//! code. A *part* is a folder or file directly inside a layer; a layer that is one folder is one part.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// From the lowest to the highest.
const LAYERS: [&str; 9] = [
    "base",
    "alloc",
    "scheduler",
    "actor",
    "io",
    "services",
    "diag",
    "node",
    "abi",
];

/// Layers that are one part.
const ONE_PART: [&str; 2] = ["scheduler", "abi"];

/// Arrows that are to go: from, to. There are none, and none is to come.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// Folders that reach the layers below their own through one file: what they ask of them is seen there.
const ONE_WAY: &[(&str, &str)] = &[("services/builtin/snlua", "services/builtin/snlua/core")];

/// Arrows between parts, with an example for each.
type Arrows = BTreeMap<(String, String), String>;

#[test]
fn imports_run_downwards_and_folders_form_no_cycle() {
    let mut arrows = arrows(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    for &(from, to) in EXCEPTIONS {
        let excepted = arrows.remove(&(from.into(), to.into()));
        assert!(
            excepted.is_some(),
            "{from} -> {to} is no exception any more"
        );
    }
    let upwards: Vec<_> = arrows
        .iter()
        .filter(|((from, to), _)| level(from) < level(to))
        .map(|((from, to), example)| format!("{from} -> {to}: {example}"))
        .collect();
    assert!(upwards.is_empty(), "upwards:\n{}", upwards.join("\n"));
    let cycle = cycle(&arrows);
    assert!(cycle.is_empty(), "a cycle: {cycle:?}");
}

#[test]
fn what_has_one_way_down_takes_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for &(folder, way) in ONE_WAY {
        let mut files = Vec::new();
        collect(&root.join(folder), &mut files);
        assert!(files.len() > 1, "{folder} has no files");
        let mut reached = 0;
        for file in files {
            let module = module_of(&root, &file);
            let text = code_of(&fs::read_to_string(&file).unwrap());
            for path in paths(&text, &module) {
                let is_below = level(&path[0]) < level(&module[0]);
                if module.join("/") == way {
                    reached += usize::from(is_below);
                    continue;
                }
                let (file, path) = (file.display(), path.join("::"));
                assert!(!is_below, "{file}: {path} goes past {way}");
            }
        }
        assert!(reached > 0, "{way} leads nowhere");
    }
}

fn level(part: &str) -> usize {
    let layer = part.split('/').next().unwrap_or_default();
    let level = LAYERS.iter().position(|&known| known == layer);
    level.unwrap_or_else(|| panic!("{part} is in no layer"))
}

fn arrows(root: &Path) -> Arrows {
    let mut files = Vec::new();
    collect(root, &mut files);
    let modules: Vec<_> = files.iter().map(|file| module_of(root, file)).collect();
    let parts: BTreeSet<_> = modules.iter().map(|module| part_of(module)).collect();
    let mut arrows = Arrows::new();
    for (file, module) in files.iter().zip(&modules) {
        let text = code_of(&fs::read_to_string(file).unwrap());
        let from = part_of(module);
        for path in paths(&text, module) {
            // A name that is no part is something in the layer's own file.
            let to = part_of(&path);
            let to = if parts.contains(&to) {
                to
            } else {
                path[0].clone()
            };
            // A layer's own file names its parts.
            let own =
                module.len() == 1 && path[0] == module[0] && !ONE_PART.contains(&from.as_str());
            if from != to && !own {
                let example = format!("{}: {}", file.display(), path.join("::"));
                arrows.entry((from.clone(), to)).or_insert(example);
            }
        }
    }
    arrows
}

/// All sources but those of the crate's roots, which name the layers.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs")
            && !["lib.rs", "main.rs", "layers.rs"]
                .iter()
                .any(|name| path.ends_with(name))
        {
            files.push(path);
        }
    }
}

fn module_of(root: &Path, file: &Path) -> Vec<String> {
    let path = file.strip_prefix(root).unwrap().with_extension("");
    let names = path.iter().map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name != "mod").collect()
}

fn part_of(module: &[String]) -> String {
    let depth = if ONE_PART.contains(&module[0].as_str()) {
        1
    } else {
        2
    };
    module[..module.len().min(depth)].join("/")
}

/// The text without comments and without what is inside of string literals.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if rest.starts_with("r#\"") {
            rest.find("\"#").map_or(rest.len(), |at| at + 2)
        } else if first == '"' {
            string_len(rest)
        } else if rest.starts_with("'\"'") || rest.starts_with("'{'") || rest.starts_with("'}'") {
            3
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        rest = &rest[skip..];
    }
    code
}

fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Everything that a file of `module` names in this crate, as paths from its root.
fn paths(code: &str, module: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for word in ["crate", "super"] {
        for (at, _) in code.match_indices(word) {
            let begins = !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_$:".contains(c));
            if !begins || !code[at + word.len()..].starts_with("::") {
                continue;
            }
            let mut names = Vec::new();
            expand(&code[at..], &mut Vec::new(), &mut names);
            // What is inside of `mod tests { }` is one level deeper.
            let mut home = module.to_vec();
            home.extend(std::iter::repeat_n(
                String::from("inside"),
                inline_depth(&code[..at]),
            ));
            found.extend(names.iter().filter_map(|path| resolve(path, &home)));
        }
    }
    found
}

/// Reads one path or group of paths at the begin of `code`; what is left behind it.
fn expand<'a>(code: &'a str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let depth = prefix.len();
    let mut rest = code.trim_start();
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            rest = group.trim_start();
            while !rest.is_empty() && !rest.starts_with('}') {
                rest = expand(rest, prefix, found).trim_start();
                rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
            }
            prefix.truncate(depth);
            return rest.strip_prefix('}').unwrap_or(rest);
        }
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        prefix.push(rest[..end].into());
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(more) => rest = more.trim_start(),
            None => break,
        }
    }
    found.push(prefix.clone());
    prefix.truncate(depth);
    // The rest of `name as other`, or a star, up to what comes next in a group.
    if depth == 0 {
        rest
    } else {
        &rest[rest.find([',', '}']).unwrap_or(rest.len())..]
    }
}

fn resolve(path: &[String], home: &[String]) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|name| *name == "super").count();
    let base = match path[0].as_str() {
        "crate" => &[][..],
        _ => &home[..home.len().checked_sub(ups)?],
    };
    let names = path[ups.max(1)..].iter().filter(|name| *name != "self");
    let full: Vec<_> = base
        .iter()
        .chain(names)
        .filter(|name| !name.is_empty())
        .cloned()
        .collect();
    (!full.is_empty()).then_some(full)
}

/// How many inline modules are open at the end of `code`.
fn inline_depth(code: &str) -> usize {
    let opens = |at: usize| {
        let words: Vec<_> = code[..at].split_whitespace().rev().take(2).collect();
        words.get(1) == Some(&"mod")
    };
    let mut open = Vec::new();
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' => open.push(opens(at)),
            b'}' => drop(open.pop()),
            _ => {}
        }
    }
    open.into_iter().filter(|&module| module).count()
}

/// Parts that lead to each other; empty if there are none.
fn cycle(arrows: &Arrows) -> Vec<String> {
    let mut left: BTreeSet<_> = arrows.keys().collect();
    loop {
        let sources: BTreeSet<_> = left.iter().map(|(from, _)| from).collect();
        let inner: BTreeSet<_> = left
            .iter()
            .copied()
            .filter(|(_, to)| sources.contains(to))
            .collect();
        if inner.len() == left.len() {
            return left
                .into_iter()
                .map(|(from, to)| format!("{from} -> {to}"))
                .collect();
        }
        left = inner;
    }
}

#[test]
fn a_layer_s_own_file_names_its_parts_and_no_others() {
    let root = std::env::temp_dir().join(format!("skynet-layers-{}", std::process::id()));
    for (file, text) in [
        (
            "actor/mod.rs",
            "pub mod mailbox; use mailbox::M; use self::mailbox::N; use crate::abi::f;",
        ),
        ("actor/mailbox.rs", "use crate::base::clock::now;"),
        ("base/clock.rs", ""),
        ("abi/mod.rs", "use crate::actor::mailbox::M;"),
    ] {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let arrows = arrows(&root);
    fs::remove_dir_all(&root).unwrap();
    let found: Vec<_> = arrows.keys().map(|(f, t)| format!("{f} -> {t}")).collect();
    assert_eq!(
        found,
        [
            "abi -> actor/mailbox",
            "actor -> abi",
            "actor/mailbox -> base/clock"
        ]
    );
}

#[test]
fn paths_are_read_as_the_compiler_reads_them() {
    let module = ["io", "socket", "turn"].map(String::from);
    let code = "use super::{event::{self, Sink}, slot as s}; use crate::base::clock;\n// crate::abi::no\n\
                fn f() { crate::actor::g(\"crate::node\") } mod tests { use super::*; use super::super::x::Y; }";
    let mut found: Vec<_> = paths(&code_of(code), &module)
        .iter()
        .map(|path| path.join("/"))
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "actor/g",
            "base/clock",
            "io/socket/event",
            "io/socket/event/Sink",
            "io/socket/slot",
            "io/socket/turn",
            "io/socket/x/Y",
        ]
    );
}
