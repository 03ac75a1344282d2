//! The files of a project.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Files that are looked at, at most.
pub(super) const MOST: usize = 100_000;
/// Texts above this size are no sources, scripts or configs.
const LARGEST_TEXT: u64 = 4 << 20;
/// Folders of others' sources and of tools, besides those whose names begin with a dot (`.git`, `.types`): nothing in there is
/// the project's.
const PASSED_OVER: &[&str] = &["node_modules", "target", "jemalloc"];

/// What a file is, by its name and first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An ELF file.
    Compiled,
    /// C or C++.
    Source,
    /// Lua.
    Script,
    /// A config file of a node.
    Config,
}

/// A file of the project.
pub(super) struct File {
    /// Relative to the project's folder.
    pub name: String,
    pub path: PathBuf,
    pub kind: Kind,
}

/// A project on the disk.
pub(super) struct Project {
    /// Where a node of it is started: what its configs' relative paths begin at.
    pub folder: PathBuf,
    pub files: Vec<File>,
    /// There are more files than were looked at.
    pub cut: bool,
    /// Links to folders outside of the project, which are not followed.
    pub links: Vec<String>,
}

impl Project {
    /// The project in a folder, or the one that a config file belongs to.
    pub fn find(path: &Path) -> io::Result<Project> {
        let is_config = !fs::metadata(path)?.is_dir();
        let folder = if is_config { Path::new(".") } else { path };
        let mut project = Project {
            folder: folder.to_owned(),
            files: Vec::new(),
            cut: false,
            links: Vec::new(),
        };
        project.walk(folder)?;
        if is_config {
            // That config and no other.
            project.files.retain(|file| file.kind != Kind::Config);
            project.files.push(File {
                name: path.display().to_string(),
                path: path.to_owned(),
                kind: Kind::Config,
            });
        }
        project.leave_out_included();
        project.files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(project)
    }

    /// Parts that configs include are no configs of nodes.
    fn leave_out_included(&mut self) {
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let included: HashSet<PathBuf> = self
            .of(Kind::Config)
            .flat_map(|file| {
                let text = file.text().unwrap_or_default();
                let folder = file.path.parent().unwrap_or(Path::new(""));
                included(&text)
                    .map(|name| real(&folder.join(name)))
                    .collect::<Vec<_>>()
            })
            .collect();
        self.files
            .retain(|file| file.kind != Kind::Config || !included.contains(&real(&file.path)));
    }

    /// All files of a kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| file.kind == kind)
    }

    /// The files of a folder and of all below it. A folder below that cannot be read has none; links are not followed, so
    /// there is an end.
    fn walk(&mut self, top: &Path) -> io::Result<()> {
        let mut folders = vec![(top.to_owned(), fs::read_dir(top)?)];
        while let Some((_, entries)) = folders.last_mut() {
            let Some(entry) = entries.next() else {
                folders.pop();
                continue;
            };
            let Ok(entry) = entry else { continue };
            let (path, name) = (entry.path(), entry.file_name());
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                if !name.as_encoded_bytes().starts_with(b".")
                    && !PASSED_OVER.iter().any(|known| name == *known)
                    && let Ok(entries) = fs::read_dir(&path)
                {
                    folders.push((path, entries));
                }
            } else if kind.is_symlink() && path.is_dir() {
                self.link(&path);
            } else if path.is_file() {
                if self.files.len() == MOST {
                    self.cut = true;
                    return Ok(());
                }
                if let Some(kind) = kind_of(&path) {
                    let name = self.name(&path);
                    self.files.push(File { name, path, kind });
                }
            }
        }
        Ok(())
    }

    fn name(&self, path: &Path) -> String {
        let name = path.strip_prefix(&self.folder).unwrap_or(path);
        name.display().to_string()
    }

    /// What a link to a folder of the project leads to is looked at where it is.
    fn link(&mut self, path: &Path) {
        let outside = match (fs::canonicalize(path), fs::canonicalize(&self.folder)) {
            (Ok(target), Ok(home)) => !target.starts_with(&home) && !home.starts_with(&target),
            _ => false,
        };
        if outside {
            let name = self.name(path);
            self.links.push(name);
        }
    }
}

/// The bytes of a file, but for one that says it is empty: files of the kernel's do, and may have no end or never be read.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let size = file.metadata()?.size();
    let mut bytes = Vec::new();
    file.take(size.min(LARGEST_TEXT)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl File {
    /// The file's text; bytes that are no UTF-8 are replaced. `None` when it cannot be read.
    pub fn text(&self) -> Option<String> {
        let bytes = read(&self.path).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The name without folders.
    pub fn base(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }
}

fn kind_of(path: &Path) -> Option<Kind> {
    let mut file = fs::File::open(path).ok()?;
    let size = file.metadata().ok()?.size();
    let mut begin = [0; 4];
    if size >= 4 && file.read_exact(&mut begin).is_ok() && begin == *b"\x7fELF" {
        return Some(Kind::Compiled);
    }
    if size > LARGEST_TEXT {
        return None;
    }
    let end = path.extension().and_then(|end| end.to_str()).unwrap_or("");
    match end {
        "c" | "h" | "cc" | "cpp" | "cxx" | "hpp" | "hh" => return Some(Kind::Source),
        // Object files and archives are ELF or made of it; the rest is data, or a program in another language.
        "so" | "a" | "o" | "md" | "sproto" | "proto" | "json" | "txt" | "sh" | "html" | "xml"
        | "yml" | "yaml" | "toml" | "ini" | "css" | "js" | "ts" | "py" | "rb" | "pl" | "php"
        | "go" | "java" | "cs" | "rs" | "mk" | "cmake" | "log" | "csv" => {
            return None;
        }
        _ => {}
    }
    if is_config(&read(path).ok()?) {
        return Some(Kind::Config);
    }
    (end == "lua").then_some(Kind::Script)
}

/// What the lines `include "NAME"` of a config name.
fn included(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix("include")?.trim_start();
        let rest = rest.strip_prefix('(').unwrap_or(rest).trim_start();
        let mark = rest.chars().next().filter(|mark| "\"'".contains(*mark))?;
        let (name, _) = rest[1..].split_once(mark)?;
        Some(name)
    })
}

/// A config sets at least two of the settings that nearly every config has, at the beginning of lines, or one if it includes others.
fn is_config(text: &[u8]) -> bool {
    const USUAL: &[&str] = &[
        "bootstrap",
        "start",
        "luaservice",
        "lualoader",
        "cpath",
        "thread",
        "harbor",
        "lua_path",
    ];
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let sets = |key: &&&str| {
        text.lines().any(|line| {
            let rest = line.trim_start().strip_prefix(**key);
            rest.is_some_and(|rest| rest.trim_start().starts_with('='))
        })
    };
    // A script may have a local `thread` or `start`; it also has functions.
    let parts = usize::from(included(text).next().is_some());
    USUAL.iter().filter(sets).count() + parts >= 2 && !text.contains("function")
}
