//! Breakpoints of the node, and what a VM knows of its source files.
//!
//! The editor names files by their paths. A chunk of Lua has a name, `@./service/main.lua` or `@embedded/lualib/skynet.lua`, whose
//! path is relative to the folder in which the node was started. Both are compared as absolute paths without links
//! ([`canonical`]); files inside of the executable as `embedded/NAME`.

use std::collections::HashMap;
use std::ffi::{OsStr, c_char};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use libc::c_int;
use parking_lot::Mutex;

use super::VERSION;
use crate::services::builtin::embedded;

/// A breakpoint. Texts are as the editor gave them; the agent knows what they mean.
pub(super) struct Breakpoint {
    pub id: i64,
    pub line: c_int,
    pub condition: Vec<u8>,
    pub hit_condition: Vec<u8>,
    pub log: Vec<u8>,
    /// How often it was reached with its condition true, in all services.
    pub hits: AtomicU64,
    /// Its texts have taken too long: it is passed over until the editor sets it anew.
    pub is_off: AtomicBool,
}

/// Those of a file, in the order of their lines.
pub(super) type File = Vec<Breakpoint>;

static FILES: Mutex<Option<HashMap<Vec<u8>, Arc<File>>>> = Mutex::new(None);
static ANY: AtomicBool = AtomicBool::new(false);

/// Whether there are any.
pub(super) fn any() -> bool {
    ANY.load(Ordering::Relaxed)
}

/// Those of a file, in the place of all that it had.
pub(super) fn set(path: &[u8], mut file: File) {
    file.sort_by_key(|breakpoint| breakpoint.line);
    let mut files = FILES.lock();
    let files = files.get_or_insert_default();
    if file.is_empty() {
        files.remove(path);
    } else {
        files.insert(path.to_vec(), Arc::new(file));
    }
    ANY.store(!files.is_empty(), Ordering::Relaxed);
}

/// Those of a file that are at a line.
pub(super) fn of_line(file: &File, line: c_int) -> &[Breakpoint] {
    let first = file.partition_point(|b| b.line < line);
    let count = file[first..].partition_point(|b| b.line == line);
    &file[first..first + count]
}

/// None is left.
pub(super) fn clear() {
    *FILES.lock() = None;
    ANY.store(false, Ordering::Relaxed);
}

/// What files are compared by: the absolute path without links, as far as it exists.
pub(super) fn canonical(path: &[u8]) -> Vec<u8> {
    if path.starts_with(embedded::FOLDER.as_bytes()) {
        return path.to_vec();
    }
    let path = Path::new(OsStr::from_bytes(path));
    if let Ok(real) = path.canonicalize() {
        return real.into_os_string().into_vec();
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut clean = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => drop(clean.pop()),
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean.into_os_string().into_vec()
}

/// The path of a chunk, by its name; `None` if it comes from no file.
pub(super) fn path_of(source: &[u8]) -> Option<Vec<u8>> {
    source.strip_prefix(b"@").map(canonical)
}

/// Whether a file is part of the Lua layer: one inside of the executable, or a file of that name in a `lualib`.
pub(super) fn is_layer(path: &[u8]) -> bool {
    if path.starts_with(embedded::FOLDER.as_bytes()) {
        return true;
    }
    let name = path.windows(8).rposition(|part| part == b"/lualib/");
    name.is_some_and(|at| embedded::find(&path[at + 1..]).is_some())
}

/// What a VM knows of a chunk.
#[derive(Clone)]
pub(super) struct Source {
    /// As Lua has it: addresses are used again.
    name: Box<[u8]>,
    pub file: Option<Arc<File>>,
    pub layer: bool,
}

impl Source {
    /// Whether there is a breakpoint from one line to another. Main chunks have the whole file.
    pub fn has_between(&self, first: c_int, last: c_int) -> bool {
        self.file.as_ref().is_some_and(|file| {
            let next = file.get(file.partition_point(|b| b.line < first));
            first == 0 || next.is_some_and(|b| b.line <= last)
        })
    }

    /// The breakpoints at a line.
    pub fn at(&self, line: c_int) -> Option<Arc<File>> {
        let file = self.file.as_ref()?;
        let found = file.binary_search_by_key(&line, |b| b.line).is_ok();
        found.then(|| Arc::clone(file))
    }
}

/// The chunks that a VM has met, by the addresses of their names.
#[derive(Default)]
pub(super) struct Sources {
    version: u32,
    known: HashMap<*const c_char, Source>,
}

/// Chunks that are remembered: services that load texts make names without end.
const MOST_KNOWN: usize = 4096;

impl Sources {
    /// What is known of the chunk with the name at that address.
    pub fn get(&mut self, address: *const c_char, name: &[u8]) -> &Source {
        let version = VERSION.load(Ordering::Relaxed);
        if version != self.version || self.known.len() >= MOST_KNOWN {
            self.known.clear();
            self.version = version;
        }
        let known = self.known.entry(address).or_insert_with(|| learn(name));
        if *known.name != *name {
            *known = learn(name);
        }
        known
    }
}

fn learn(name: &[u8]) -> Source {
    let path = path_of(name);
    let files = FILES.lock();
    Source {
        name: name.into(),
        file: path
            .as_ref()
            .and_then(|path| files.as_ref()?.get(path).cloned()),
        // What was loaded from a text belongs to the application.
        layer: path.as_ref().is_some_and(|path| is_layer(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_without_their_detours() {
        let here = std::env::current_dir().unwrap().canonicalize().unwrap();
        let expected = here.join("no such/file.lua").into_os_string().into_vec();
        for path in [
            "./no such/file.lua",
            "no such/./file.lua",
            "a/../no such/b/../file.lua",
        ] {
            assert_eq!(canonical(path.as_bytes()), expected, "{path}");
        }
        assert_eq!(
            path_of(b"@embedded/lualib/skynet.lua").as_deref(),
            Some(&b"embedded/lualib/skynet.lua"[..])
        );
        assert_eq!(path_of(b"=(load)"), None);
    }

    #[test]
    fn the_layer_is_known_inside_and_on_disk() {
        for (path, layer) in [
            ("embedded/service/launcher.lua", true),
            ("/game/lualib/skynet.lua", true),
            ("/game/skynet/lualib/skynet/socket.lua", true),
            ("/game/lualib/skynet/mine.lua", false),
            ("/game/service/launcher.lua", false),
            ("/game/main.lua", false),
        ] {
            assert_eq!(is_layer(path.as_bytes()), layer, "{path}");
        }
    }
}
