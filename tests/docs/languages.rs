//! The documents are the same in English and in Chinese: file for file, section for section.

use std::fs;
use std::path::{Path, PathBuf};

use super::markdown::{blocks, headings, links, prose};
use crate::tools::root;

/// Pages that only say in Chinese where the English one has what.
const SUMMARIES: [&str; 2] = ["lua-api.md", "benchmarks.md"];

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The chapters of a book, in their order.
fn chapters(folder: &Path) -> Vec<String> {
    links(&read(&folder.join("SUMMARY.md")))
}

/// The Markdown files of a folder and of `internals` below it, that are chapters.
fn pages(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for part in ["", "internals/"] {
        let entries = fs::read_dir(folder.join(part)).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        found.extend(
            names
                .filter_map(|name| name.into_string().ok())
                .filter(|name| name.ends_with(".md") && name != "SUMMARY.md")
                .map(|name| format!("{part}{name}")),
        );
    }
    found.sort();
    found
}

/// The pages that are there in both languages: English, Chinese, and the way from the one to the other and back.
fn pairs() -> Vec<(PathBuf, PathBuf, String, String)> {
    let mut pairs: Vec<_> = ["README", "compat/SWAP"]
        .map(|page| {
            let (folder, name) = page.rsplit_once('/').unwrap_or(("", page));
            let folder = root().join(folder);
            let (english, chinese) = (format!("{name}.md"), format!("{name}.zh.md"));
            (
                folder.join(&english),
                folder.join(&chinese),
                chinese,
                english,
            )
        })
        .into();
    let docs = root().join("docs");
    for page in chapters(&docs) {
        let up = "../".repeat(page.matches('/').count());
        pairs.push((
            docs.join(&page),
            docs.join("zh").join(&page),
            format!("{up}zh/{page}"),
            format!("{up}../{page}"),
        ));
    }
    pairs
}

/// A block of code without its comments, which are translated.
fn without_comments(language: &str, code: &str) -> Vec<String> {
    let marks: &[&str] = match language {
        "lua" => &["--"],
        "sh" => &["# "],
        "c" => &["/*"],
        "rust" | "text" => &["// "],
        _ => &["    # "],
    };
    code.lines()
        .map(|line| {
            // What a program prints is the same in both languages.
            let (code, result) = line.split_once("--> ").unwrap_or((line, ""));
            let end = marks.iter().filter_map(|mark| code.find(mark)).min();
            format!("{}{result}", code[..end.unwrap_or(code.len())].trim_end())
        })
        .collect()
}

/// A row of a table: its cells and its figures, which stand in another order where the sentence does.
fn row(line: &str) -> String {
    let cells = line.replace("\\|", "").matches('|').count() - 1;
    let mut figures: Vec<_> = line
        .split(|letter: char| !letter.is_ascii_digit())
        .filter(|figure| !figure.is_empty())
        .collect();
    figures.sort_unstable();
    format!("a row of {cells} cells with the figures {figures:?}")
}

/// What has to be the same in both languages: headings, tables and code.
fn shape(text: &str) -> Vec<String> {
    let levels = headings(text).map(|(level, _)| format!("a heading of level {level}"));
    let rows = prose(text).filter(|line| line.trim_start().starts_with('|'));
    let code = blocks(text)
        .into_iter()
        .flat_map(|(language, code)| without_comments(language, code));
    levels.chain(rows.map(row)).chain(code).collect()
}

#[test]
fn both_books_have_all_chapters_in_the_same_order() {
    let english = root().join("docs");
    let chinese = english.join("zh");
    assert_eq!(
        chapters(&english),
        chapters(&chinese),
        "docs/SUMMARY.md and docs/zh/SUMMARY.md"
    );
    for folder in [english, chinese] {
        let mut listed = chapters(&folder);
        listed.sort();
        assert_eq!(
            listed,
            pages(&folder),
            "SUMMARY.md (left) and the files of {}",
            folder.display()
        );
    }
}

#[test]
fn each_page_leads_to_the_other_language() {
    for (english, chinese, to_chinese, to_english) in pairs() {
        for (page, link) in [(&english, to_chinese), (&chinese, to_english)] {
            let text = read(page);
            let head: Vec<_> = text.lines().take(3).collect();
            assert!(
                head.concat().contains(&format!("]({link})")),
                "the head of {} has no link to {link}",
                page.display()
            );
        }
    }
}

#[test]
fn chinese_pages_have_the_sections_tables_and_code_of_the_english_ones() {
    for (english, chinese, ..) in pairs() {
        let name = english.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| SUMMARIES.contains(&name)) {
            continue;
        }
        let (expected, found) = (shape(&read(&english)), shape(&read(&chinese)));
        let same = expected.iter().zip(&found).take_while(|(a, b)| a == b);
        let place = same.count();
        assert!(
            expected == found,
            "{} is not what {} says; the first difference (headings, then tables, then code):\nEnglish: {:?}\nChinese: {:?}",
            chinese.display(),
            english.display(),
            expected.get(place),
            found.get(place),
        );
    }
}
