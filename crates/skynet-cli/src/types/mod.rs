//! `skynet types`: what editors (LuaLS, the language server of VS Code and others) complete from: the sources of the Lua layer with
//! their annotations, stubs of the modules in Rust, and the server's settings.

use crate::project::folder_of;
use std::fs;
use std::path::{Path, PathBuf};

/// Written by docs/tools: each stub behind a line `---- NAME`.
const STUBS: &str = include_str!("stubs.txt");
const SETTINGS: &str = ".luarc.json";

/// A file of the executable: name relative to the project, content.
pub type Embedded = &'static [(&'static str, &'static [u8])];

/// Writes everything below `folder`, and the settings into the current folder, if it has none.
pub fn write(folder: &Path, embedded: Embedded) -> Result<(), String> {
    let layer = embedded.iter().filter_map(|(name, text)| {
        let name = name.strip_prefix("lualib/")?;
        // Names of long ago, and what only the layer itself asks for.
        let inner = name.starts_with("compat10/") || name == "loader.lua";
        (!inner).then(|| (PathBuf::from(name), *text))
    });
    let stubs = stubs().map(|(name, text)| {
        let path = PathBuf::from(name.replace('.', "/")).with_extension("lua");
        (path, text.as_bytes())
    });
    let mut count = 0;
    for (name, text) in layer.chain(stubs) {
        let path = folder.join(name);
        fs::create_dir_all(folder_of(&path))
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        count += 1;
    }
    println!("{}: {count} files", folder.display());
    let settings = settings(folder);
    if Path::new(SETTINGS).exists() {
        println!("{SETTINGS} is there already; what it needs:\n{settings}");
        return Ok(());
    }
    fs::write(SETTINGS, settings).map_err(|error| format!("{SETTINGS}: {error}"))?;
    println!("{SETTINGS}: settings of the language server");
    Ok(())
}

fn stubs() -> impl Iterator<Item = (&'static str, &'static str)> {
    STUBS
        .split("---- ")
        .filter_map(|stub| stub.split_once('\n'))
        .filter(|(name, _)| !name.starts_with(' '))
}

/// What LuaLS reads. It knows Lua 5.5 from 3.16 on.
fn settings(folder: &Path) -> String {
    let library = folder
        .display()
        .to_string()
        .replace('\\', "/")
        .replace('"', "\\\"");
    format!(
        "{{\n\
         \t\"runtime.version\": \"Lua 5.5\",\n\
         \t\"runtime.path\": [\"lualib/?.lua\", \"lualib/?/init.lua\", \"?.lua\", \"?/init.lua\"],\n\
         \t\"workspace.library\": [\"{library}\"],\n\
         \t\"workspace.checkThirdParty\": false,\n\
         \t\"diagnostics.globals\": [\"SERVICE_NAME\", \"SERVICE_PATH\"]\n\
         }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stub_has_a_name_and_returns_its_module() {
        let all: Vec<_> = stubs().collect();
        assert!(all.len() > 5, "{}", all.len());
        for (name, text) in all {
            assert!(text.starts_with(&format!("---@meta {name}\n")), "{name}");
            assert!(
                text.trim_end()
                    .lines()
                    .last()
                    .is_some_and(|line| line.starts_with("return ")),
                "{name}"
            );
        }
    }
}
