//! Which files have tests, and which folder is their project.

use crate::project::folder_of;
use std::path::{Path, PathBuf};

/// What the name of a file of tests ends with.
const END: &str = "_test.lua";
/// Folders that have no tests of the project in them.
const NOT_IN: [&str; 3] = ["node_modules", "target", "3rd"];

/// A project with tests.
#[derive(Debug)]
pub struct Project {
    /// Its folder.
    pub root: PathBuf,
    /// Its files of tests, sorted.
    pub files: Vec<PathBuf>,
}

/// The tests at `path`, a file or a folder. Of a file, the project is the nearest folder above it with a `main.lua` or a
/// `config`, or else the folder that it is in; of a folder likewise, or else the folder itself.
pub fn project(path: &Path) -> Result<Project, String> {
    if path.is_file() {
        return Ok(Project {
            root: root_of(&folder_of(path)),
            files: vec![path.to_path_buf()],
        });
    }
    if !path.is_dir() {
        return Err(format!(
            "{}: there is no such file or folder",
            path.display()
        ));
    }
    let mut files = Vec::new();
    collect(path, &mut files).map_err(|error| format!("{}: {error}", path.display()))?;
    files.sort();
    if files.is_empty() {
        return Err(format!(
            "{}: there is no file whose name ends with {END}",
            path.display()
        ));
    }
    Ok(Project {
        root: root_of(path),
        files,
    })
}

fn root_of(folder: &Path) -> PathBuf {
    let is_root = |folder: &Path| {
        ["main.lua", "config"]
            .iter()
            .any(|name| folder.join(name).is_file())
    };
    let mut at = folder.to_path_buf();
    // As paths are given: a project that is named by a relative path keeps one in its messages.
    loop {
        if is_root(&at) {
            return at;
        }
        match at.parent() {
            Some(parent) if parent.as_os_str().is_empty() && at != Path::new(".") => {
                at = PathBuf::from(".");
            }
            Some(parent) if !parent.as_os_str().is_empty() && at.file_name().is_some() => {
                at = parent.to_path_buf();
            }
            _ => return folder.to_path_buf(),
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Not what a link leads to: a link to a folder above would have no end.
        let kind = entry.file_type()?;
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
