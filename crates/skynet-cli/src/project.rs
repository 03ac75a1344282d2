//! Where the files of a project are, and the settings that follow.
//!
//! A project is a folder: services beside `main.lua` and in `service/`, modules in `lualib/` and beside it, compiled ones in
//! `cservice/` and `luaclib/` (services in Rust where cargo puts them), tests anywhere below (docs/command-line.md).

use crate::Settings;
use crate::args::{NodeOptions, Run};
use std::path::{Path, PathBuf};

/// The settings of `skynet run`.
pub fn run(run: &Run) -> Result<Settings, String> {
    let path = &run.path;
    let script = if path.is_dir() {
        path.join("main.lua")
    } else {
        path.clone()
    };
    if !script.is_file() {
        return Err(if path.is_dir() {
            format!("{}: there is no main.lua in that folder", path.display())
        } else {
            format!("{}: there is no such file", path.display())
        });
    }
    let name = match (script.extension(), script.file_stem()) {
        (Some(extension), Some(stem)) if extension == "lua" => {
            word(stem.to_string_lossy().as_ref())?
        }
        _ => {
            return Err(format!(
                "{}: a service is a file NAME.lua (a config file runs as `skynet {}`)",
                script.display(),
                script.display()
            ));
        }
    };
    let folder = folder_of(&script);
    let mut start = name;
    for argument in &run.args {
        start.push(' ');
        start.push_str(&word(argument)?);
    }
    let mut settings = Settings {
        set: places(&folder, &[])?,
        ..Settings::default()
    };
    settings.set.push(("start".into(), start));
    settings.add(&run.node);
    Ok(settings)
}

impl Settings {
    /// Adds what the options say, over what is there.
    pub fn add(&mut self, node: &NodeOptions) {
        for (key, value) in &node.set {
            self.set.retain(|(known, _)| known != key);
            self.set.push((key.clone(), value.clone()));
        }
        if node.virtual_time {
            self.set.push(("virtual_time".into(), "true".into()));
        }
        if let Some(seed) = node.seed {
            self.set.push(("scheduler_seed".into(), seed.to_string()));
        }
    }
}

/// The folder that a file is in.
pub fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// An argument of a service: the launcher joins and splits them at blanks.
fn word(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(format!(
            "{text:?}: names and arguments of services are words: not empty, without blanks"
        ));
    }
    Ok(text.into())
}

/// The settings that say where the services and modules of a project are. `more`: folders with services, which come first.
pub fn places(root: &Path, more: &[&Path]) -> Result<Vec<(String, String)>, String> {
    let pattern = |folder: &Path, end: &str| -> Result<String, String> {
        let folder = folder.to_str().unwrap_or("?");
        if folder.contains(['?', ';']) {
            return Err(format!(
                "{folder}: a folder with ? or ; in its name cannot be searched for services"
            ));
        }
        Ok(format!("{folder}/{end}"))
    };
    let mut services = Vec::new();
    for folder in more {
        services.push(pattern(folder, "?.lua")?);
    }
    services.push(pattern(root, "?.lua")?);
    services.push(pattern(root, "service/?.lua")?);
    let services = services.join(";");
    let mut compiled = vec![pattern(root, "cservice/?.so")?];
    // What cargo builds of services in Rust.
    if root.join("Cargo.toml").is_file() {
        compiled.push(pattern(root, "target/release/lib?.so")?);
    }
    let modules = [
        pattern(root, "lualib/?.lua")?,
        pattern(root, "lualib/?/init.lua")?,
        pattern(root, "?.lua")?,
        pattern(root, "?/init.lua")?,
    ];
    Ok(vec![
        ("harbor".into(), "0".into()),
        ("snax".into(), services.clone()),
        ("luaservice".into(), services),
        ("lua_path".into(), modules.join(";")),
        ("lua_cpath".into(), pattern(root, "luaclib/?.so")?),
        ("cpath".into(), compiled.join(";")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_a_service_would_not_get_whole_are_refused() {
        assert!(word("a b").is_err() && word("").is_err());
        assert_eq!(word("a=b").as_deref(), Ok("a=b"));
    }

    #[test]
    fn an_option_goes_over_a_default() {
        let mut settings = Settings {
            set: places(Path::new("."), &[]).expect("a plain folder"),
            ..Settings::default()
        };
        let set = vec![("harbor".into(), "2".into()), ("port".into(), "80".into())];
        settings.add(&NodeOptions {
            set,
            virtual_time: false,
            seed: Some(7),
        });
        assert!(
            settings
                .set
                .contains(&("scheduler_seed".into(), "7".into()))
        );
        let of = |key: &str| {
            let found: Vec<_> = settings
                .set
                .iter()
                .filter(|(known, _)| known == key)
                .collect();
            assert_eq!(found.len(), 1, "{key}");
            found[0].1.clone()
        };
        assert_eq!((of("harbor").as_str(), of("port").as_str()), ("2", "80"));
        assert_eq!(of("luaservice"), "./?.lua;./service/?.lua");
    }
}
