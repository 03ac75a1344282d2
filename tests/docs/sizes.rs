//! CONTRIBUTING.md, "Style": a file has at most 500 lines and a function at most 80, or the reason why not stands beside it.

use std::fs;
use std::path::{Path, PathBuf};

const FILE: usize = 500;
const FUNCTION: usize = 80;

/// Folders with sources that are the project's own.
const FOLDERS: [&str; 15] = [
    "3rd/lua",
    "benches",
    "crates",
    "docs",
    "examples",
    "fuzz",
    "include",
    "lualib",
    "lualib-src",
    "service",
    "service-src",
    "src",
    "templates",
    "test-c",
    "tests",
];

/// How a comment begins that says why something is long, in the first lines of a file, or right above a function or at its head.
const REASONS: [&str; 5] = [
    "Long because",
    "Longer than other",
    "In one piece",
    "One function, as",
    "A table;",
];

#[test]
fn what_is_long_says_why() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in FOLDERS {
        collect(&root.join(folder), &mut files);
    }
    assert!(files.len() > 500, "only {} files were found", files.len());
    let mut long = Vec::new();
    for file in files {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let name = file.strip_prefix(root).unwrap().display();
        if lines.len() > FILE && !has_reason(&lines[..20]) {
            long.push(format!("{name}: {} lines", lines.len()));
        }
        let extension = file.extension().unwrap_or_default().to_string_lossy();
        for (begin, end) in functions(&lines, &extension) {
            let above = lines[..begin]
                .iter()
                .rev()
                .take_while(|line| is_comment(line))
                .count();
            let head = (begin + 3).min(end);
            if end - begin > FUNCTION && !has_reason(&lines[begin - above..head]) {
                let line = lines[begin].trim();
                long.push(format!(
                    "{name}:{}: {} lines: {line}",
                    begin + 1,
                    end - begin
                ));
            }
        }
    }
    assert!(
        long.is_empty(),
        "too long, and nothing says why:\n{}",
        long.join("\n")
    );
}

fn has_reason(lines: &[&str]) -> bool {
    REASONS.iter().any(|reason| {
        lines
            .iter()
            .any(|line| is_comment(line) && line.contains(reason))
    })
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    ["//", "--", "/*", "*", "#["]
        .iter()
        .any(|begin| line.starts_with(begin))
}

/// First line of each function and the line behind it. All sources are formatted: what ends a function is indented as its begin.
fn functions(lines: &[&str], extension: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (begin, line) in lines.iter().enumerate() {
        if !begins_function(line, extension) {
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let ends = |line: &&str| {
            let rest = line.strip_prefix(indent).unwrap_or_default();
            if extension == "lua" {
                rest.starts_with("end")
            } else {
                rest.starts_with('}')
            }
        };
        // A declaration ends before anything like that: it has no lines of its own.
        let has_body = extension == "lua"
            || lines[begin..]
                .iter()
                .find(|line| line.trim_end().ends_with(['{', ';', '}']))
                .is_some_and(|line| line.trim_end().ends_with('{'));
        if let Some(length) = lines[begin + 1..]
            .iter()
            .position(ends)
            .filter(|_| has_body)
        {
            found.push((begin, begin + length + 2));
        }
    }
    found
}

fn begins_function(line: &str, extension: &str) -> bool {
    let code = line.trim_start();
    match extension {
        "lua" => {
            let head = code.rsplit_once("function").map_or("", |(_, head)| head);
            let is_head = |c: char| c.is_ascii_alphanumeric() || " _.:,()".contains(c);
            !is_comment(line) && head.ends_with(')') && head.chars().all(is_head)
        }
        "rs" => {
            let words = ["pub", "default", "const", "async", "unsafe", "extern"];
            let mut rest = code.split_whitespace().skip_while(|word| {
                words.contains(word) || word.starts_with("pub(") || word.starts_with('"')
            });
            rest.next() == Some("fn")
        }
        // A function of C begins at the margin; what stands there with a brace and is none has no parentheses.
        _ => {
            line.starts_with(|c: char| c.is_ascii_alphabetic())
                && line.contains('(')
                && !line.trim_end().ends_with([';', '\\'])
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, files);
            }
        } else if let Some("rs" | "lua" | "c" | "h") = path.extension().and_then(|it| it.to_str()) {
            files.push(path);
        }
    }
}

#[test]
fn functions_are_measured_from_their_first_line_to_their_last() {
    let rust = [
        "pub(crate) unsafe extern \"C\" fn a(",
        "    x: u32,",
        ") {",
        "}",
        "fn b();",
    ];
    assert_eq!(functions(&rust, "rs"), [(0, 4)]);
    let lua = [
        "local function a()",
        "\treturn function()",
        "\t\tb()",
        "\tend",
        "end",
    ];
    assert_eq!(functions(&lua, "lua"), [(0, 5), (1, 4)]);
    let c = ["static int a(void)", "{", "}", "int b(void);"];
    assert_eq!(functions(&c, "c"), [(0, 3)]);
}
