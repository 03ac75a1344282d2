//! Compiled services and modules are looked at before they are opened: one that was compiled for another Lua is refused or
//! warned of, in words that say what to do.
//!
//! Lua itself refuses modules that ask it for its version (`luaL_checkversion`). Others run until they use something that
//! differs, and then into the stack of Lua: those are what is looked for here. Each file is read once in the process.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::searcher;
use crate::actor::service;
use crate::base::log;
use crate::services::elf::{Image, lua};

/// What a file is known by: another one under its name is looked at again.
type Stamp = (u64, u64, i64, u64);

/// Why a file is refused, if it is.
type Refusal = Option<String>;

/// Files that were looked at, and what they were then.
static SEEN: Mutex<Option<HashMap<PathBuf, (Stamp, Refusal)>>> = Mutex::new(None);

const OURS: lua::Versions = lua::Versions::V55;

/// Whether a file may be opened; else why not. A file that cannot be read is left to the system's loader. Logs a warning
/// when the file may be for another Lua, once. To open a pipe would wait for who writes it, and all that look for a module with it.
pub fn before_opening(path: &Path) -> Result<(), String> {
    let Ok(facts) = fs::metadata(path) else {
        return Ok(());
    };
    if !facts.is_file() && !facts.is_dir() {
        return Err(format!("{} is no regular file", path.display()));
    }
    let stamp = (facts.dev(), facts.ino(), facts.mtime(), facts.len());
    let mut seen = SEEN.lock();
    let seen = seen.get_or_insert_default();
    let known = seen.get(path).filter(|(then, _)| *then == stamp);
    let refusal = match known {
        Some((_, refusal)) => refusal.clone(),
        None => {
            let (refusal, warning) = judge(path);
            seen.insert(path.to_owned(), (stamp, refusal.clone()));
            if let Some(warning) = warning {
                log::error(service_on_turn(), warning.as_bytes());
            }
            refusal
        }
    };
    refusal.map_or(Ok(()), Err)
}

/// The service that asks; 0 on a thread that runs none, where the answer is minus the class of the thread.
fn service_on_turn() -> u32 {
    let handle = service::current_handle();
    if handle.cast_signed().wrapping_neg().cast_unsigned() < 16 {
        0
    } else {
        handle
    }
}

/// Why a file must not be opened, or what is to be feared of it.
fn judge(path: &Path) -> (Refusal, Option<String>) {
    const FINE: (Refusal, Option<String>) = (None, None);
    let Ok(image) = Image::read(path) else {
        return FINE;
    };
    let Some(needs) = lua::imports(&image) else {
        return FINE;
    };
    // What lacks a function fails to open, with a reason of the system's to which `after_failure` adds.
    if needs.checks || needs.imports == OURS || !needs.imports.has(OURS) {
        return FINE;
    }
    let indices = lua::indices(&image);
    if indices == OURS {
        return FINE;
    }
    if indices.is_none() {
        let warning = format!(
            "warning: {} does not ask for the version of Lua (luaL_checkversion): it has to be compiled for Lua 5.5, or it \
             may end the process",
            path.display()
        );
        return (None, Some(warning));
    }
    (Some(foreign(path, needs.imports.and(indices))), None)
}

/// What to say of a file that could not be opened, besides the system's reason; `None` when its Lua is not the cause.
pub fn after_failure(path: &Path) -> Option<String> {
    let image = Image::read(path).ok()?;
    let needs = lua::imports(&image)?;
    (!needs.imports.has(OURS)).then(|| {
        let versions = lua::versions(&image).unwrap_or(needs.imports);
        foreign(path, versions)
    })
}

/// What to say of a file that asked for another version.
pub fn asked_for(path: &Path, number: f64) -> String {
    foreign(path, lua::Versions::of_number(number))
}

fn foreign(path: &Path, versions: lua::Versions) -> String {
    let file = path.display();
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let way = if super::names().any(|known| known == name) {
        format!(
            "Remove {file}: the executable has this service built in (and a Lua layer, which takes the place of the files in \
             lualib and service that are as old)"
        )
    } else if searcher::provides(&name) {
        format!("Remove {file}: the executable has its modules built in")
    } else {
        String::from("Compile it with the headers of this Lua (compat/lua-headers.sh)")
    };
    format!(
        "{file} was compiled for Lua {versions}, and this executable has Lua 5.5. {way}; or keep the project's own Lua and \
         exchange only the library ('Link swap' in compat/SWAP.md)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_depends_on_what_is_built_in() {
        let text = |file: &str| foreign(Path::new(file), lua::Versions::V54);
        for (file, way) in [
            (
                "./cservice/snlua.so",
                "Remove ./cservice/snlua.so: the executable has this service",
            ),
            (
                "luaclib/skynet.so",
                "Remove luaclib/skynet.so: the executable has its modules",
            ),
            ("luaclib/lfs.so", "Compile it with the headers of this Lua"),
        ] {
            let text = text(file);
            assert!(text.contains(way), "{text}");
            assert!(text.contains("was compiled for Lua 5.4"), "{text}");
            assert!(text.contains("SWAP.md"), "{text}");
        }
    }
}
