//! Which files have tests, and which folder is their project.

use crate::project::folder_of;
use std::path::{Path, PathBuf};

/// What the name of a file of tests ends with.
const END: &str = "_test.lua";
/// Folders that have no tests of the project in them.
const NOT_IN: [&str; 3] = ["node_modules", "target", "3rd"];

/// A file of tests.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestFile {
    pub path: PathBuf,
    /// The folder of its project.
    pub root: PathBuf,
}

/// The files of tests at `path`, a file or a folder, sorted. The project of a file is the nearest folder above it with a
/// `main.lua`, a `config`, or a folder `service` or `lualib`; or else `path`, or the folder that it is in.
pub fn files(path: &Path) -> Result<Vec<TestFile>, String> {
    let (paths, otherwise) = if path.is_file() {
        (vec![path.to_path_buf()], folder_of(path))
    } else if path.is_dir() {
        let mut paths = Vec::new();
        collect(path, &mut paths)?;
        (paths, path.to_path_buf())
    } else {
        return Err(format!(
            "{}: there is no such file or folder",
            path.display()
        ));
    };
    if paths.is_empty() {
        return Err(format!(
            "{}: there is no file whose name ends with {END}",
            path.display()
        ));
    }
    let file = |path: PathBuf| TestFile {
        root: root_of(&folder_of(&path)).unwrap_or_else(|| otherwise.clone()),
        path,
    };
    let mut files: Vec<_> = paths.into_iter().map(file).collect();
    files.sort();
    Ok(files)
}

/// The project that a folder belongs to. As paths are given: a folder with a relative path has a project with one, so that
/// messages are short; above the current folder only a `main.lua` counts.
fn root_of(folder: &Path) -> Option<PathBuf> {
    let file = |folder: &Path, name: &str| folder.join(name).is_file();
    let is_root = |folder: &Path| {
        let has_folder = |name: &&str| folder.join(name).is_dir();
        file(folder, "main.lua")
            || file(folder, "config")
            || ["service", "lualib"].iter().any(has_folder)
    };
    let given = folder.ancestors().map(|folder| match folder {
        empty if empty.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    });
    let mut given = given.take_while(|folder| *folder != Path::new(".."));
    if let Some(root) = given.find(|folder| is_root(folder)) {
        return Some(root.to_path_buf());
    }
    if folder.is_absolute() {
        return None;
    }
    let absolute = std::path::absolute(folder).ok()?;
    let mut above = absolute.ancestors().skip(1);
    above
        .find(|folder| file(folder, "main.lua"))
        .map(Path::to_path_buf)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    // Tests that cannot be found are not passed over: nobody would know.
    let told = |error| format!("{}: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(told)? {
        let entry = entry.map_err(told)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Not what a link leads to: a link to a folder above would have no end.
        let kind = entry.file_type().map_err(told)?;
        let path = if folder == Path::new(".") {
            PathBuf::from(entry.file_name())
        } else {
            entry.path()
        };
        if kind.is_dir() {
            if !name.starts_with('.') && !NOT_IN.contains(&name.as_ref()) {
                collect(&path, files)?;
            }
        } else if name.ends_with(END) && name.len() > END.len() {
            files.push(path);
        }
    }
    Ok(())
}
