//! Lists the files of `templates/` at the root of the repository, which `skynet new` writes.

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
    let mut text =
        String::from("/// Files of the templates: name below the folder of templates, content.\n");
    text.push_str("static FILES: &[(&str, &str)] = &[\n");
    for (name, path) in files {
        let path = path.display().to_string();
        let _ = writeln!(text, "    ({name:?}, include_str!({path:?})),");
    }
    text.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
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
