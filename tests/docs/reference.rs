//! The documentation is about this version.

use std::fs;
use std::path::Path;

use crate::tools::node::run_node;
use crate::tools::{root, scratch};

#[test]
fn lua_reference_is_what_the_comments_say() {
    let place = scratch("lua-api");
    let (written, config) = (place.join("lua-api.md"), place.join("config"));
    let settings = fs::read_to_string(root().join("docs/tools/config")).expect("config");
    let changed = settings.replace("docs/lua-api.md\"", &format!("{}\"", written.display()));
    fs::write(&config, changed).expect("config");
    let (status, output) = run_node(root(), &config.display().to_string());
    assert!(status.success(), "{status}\n{output}");
    assert!(output.contains("the reference is written"), "{output}");
    let [written, kept] = [written, root().join("docs/lua-api.md")]
        .map(|path| fs::read_to_string(path).expect("reference"));
    for (number, (new, old)) in written.lines().zip(kept.lines()).enumerate() {
        assert_eq!(
            new,
            old,
            "line {} is not what the comments say: cargo run -- docs/tools/config",
            number + 1
        );
    }
    assert_eq!(written.len(), kept.len(), "cargo run -- docs/tools/config");
}

/// The blocks of code of a Markdown file: language and text.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    text.split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.split_once('\n'))
        .collect()
}

#[test]
fn getting_started_leads_to_what_it_says() {
    let text = fs::read_to_string(root().join("docs/getting-started.md")).expect("the guide");
    let blocks = blocks(&text);
    let place = scratch("getting-started");
    let mut files = blocks.iter().filter(|(language, _)| *language == "lua");
    for name in ["config", "main.lua", "shop.lua"] {
        let (_, code) = files.next().expect("three files");
        fs::write(place.join(name), code).expect("file of the newcomer");
    }
    let (status, output) = run_node(&place, "config");
    assert!(status.success(), "{status}\n{output}");
    let (_, promised) = blocks
        .iter()
        .find(|(language, _)| *language == "text")
        .expect("what is printed");
    for line in promised.lines().filter(|line| *line != "...") {
        assert!(output.contains(line), "no {line:?} in\n{output}");
    }
}

/// The targets of the links `[text](target)` of a Markdown file, without those to the web.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2); // every other piece is code
    prose
        .flat_map(|text| text.split("](").skip(1))
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.starts_with("http"))
}

fn check_links(file: &Path, broken: &mut Vec<String>) {
    let text = fs::read_to_string(file).expect("a text file");
    let folder = file.parent().expect("a folder");
    for target in links(&text) {
        let path = target.split('#').next().unwrap_or_default();
        if !path.is_empty() && !folder.join(path).exists() {
            broken.push(format!("{}: {target}", file.display()));
        }
    }
}

#[test]
fn links_of_the_documents_lead_to_files() {
    let mut files = vec![root().join("README.md")];
    let mut folders = vec![root().join("docs"), root().join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    let mut broken = Vec::new();
    for file in files {
        check_links(&file, &mut broken);
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
