//! Lists the files of `templates/` at the root of the repository, which `skynet new` writes, and the crate for services in Rust, which a
//! project with the template `rust` gets.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let folder = root.join("../../templates");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut files = BTreeMap::new();
    collect(&folder, "", &mut files);
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    for name in ["skynet-service", "skynet-service-macros"] {
        let crates = root.join("..").join(name);
        let prefix = format!("rust/vendor/{name}/");
        collect(&crates.join("src"), &format!("{prefix}src/"), &mut files);
        for file in ["Cargo.toml", "README.md"] {
            println!("cargo:rerun-if-changed={}", crates.join(file).display());
        }
        let manifest = out.join(format!("{name}.toml"));
        let text = alone(
            &read(&crates.join("Cargo.toml")),
            &read(&root.join("../../Cargo.toml")),
        );
        fs::write(&manifest, text).expect("the folder of the build can be written");
        files.insert(format!("{prefix}Cargo.toml"), manifest);
        files.insert(format!("{prefix}README.md"), crates.join("README.md"));
    }
    let mut text =
        String::from("/// Files of the templates: name below the folder of templates, content.\n");
    text.push_str("static FILES: &[(&str, &str)] = &[\n");
    for (name, path) in files {
        let path = path.display().to_string();
        let _ = writeln!(text, "    ({name:?}, include_str!({path:?})),");
    }
    text.push_str("];\n");
    fs::write(out.join("templates.rs"), text).expect("the folder of the build can be written");
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries.flatten() {
        let name = format!("{prefix}{}", entry.file_name().display());
        let path = entry.path();
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files);
        } else {
            // Each by itself: of a folder cargo sees new and removed entries, not new contents further down.
            println!("cargo:rerun-if-changed={}", path.display());
            files.insert(name, path);
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A manifest for outside of the workspace: what it takes from there stands in it, and what only its own tests need is left out.
fn alone(manifest: &str, workspace: &str) -> String {
    let inherited = |key: &str| {
        let line = |line: &&str| line.split('=').next().map(str::trim) == Some(key);
        let found = workspace.lines().find(line);
        found.unwrap_or_else(|| panic!("the workspace has no {key}"))
    };
    let mut text = String::new();
    let mut left_out = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            left_out = matches!(line, "[dev-dependencies]" | "[lints]");
        }
        if left_out {
            continue;
        }
        let key = line.split(['.', '=']).next().unwrap_or_default().trim();
        let takes = line.ends_with(".workspace = true") || line.ends_with("{ workspace = true }");
        text.push_str(if takes { inherited(key) } else { line });
        text.push('\n');
    }
    text
}
