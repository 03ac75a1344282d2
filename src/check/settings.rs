//! Config files: misspelled keys, values that do not fit, and paths that lead nowhere.

use super::project::{File, Kind, Project};
use super::{Findings, Level};
use crate::builtin::{self, embedded};
use crate::config::{self, keys};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Looks at every config.
pub(super) fn look(project: &Project, findings: &mut Findings) {
    for file in project.of(Kind::Config) {
        findings.seen[3] += 1;
        let path = CString::new(file.path.as_os_str().as_bytes()).unwrap_or_default();
        match config::read_elsewhere(&path) {
            Ok((settings, missing)) => {
                let text = |value: CString| value.to_string_lossy().into_owned();
                let settings = settings.into_iter().map(|(k, v)| (text(k), text(v)));
                Config {
                    project,
                    file,
                    settings: settings.collect(),
                    findings,
                }
                .look(&missing);
            }
            Err(reason) => findings.add(
                Level::Error,
                "config",
                &file.name,
                format!("cannot be read as a config: {reason}"),
                "a config is a Lua file that only sets globals, to strings, numbers and booleans",
            ),
        }
    }
}

struct Config<'a> {
    project: &'a Project,
    file: &'a File,
    settings: BTreeMap<String, String>,
    findings: &'a mut Findings,
}

impl Config<'_> {
    fn look(&mut self, missing: &[String]) {
        for name in missing {
            let what = format!("${name} is not in this environment");
            self.add(
                Level::Note,
                "environment",
                what,
                "set it where the node is started",
            );
        }
        self.misspelled();
        self.numbers();
        let settings: Vec<_> = self.settings.clone().into_iter().collect();
        for (key, value) in settings {
            // The path is not known before the variable is.
            if missing
                .iter()
                .any(|name| value.contains(&format!("${name}")))
            {
                continue;
            }
            match keys::kind(&key) {
                Some(keys::Kind::Patterns) => self.patterns(&key, &value),
                Some(keys::Kind::File) => self.file(&key, &value),
                Some(keys::Kind::Folder) => self.folder(&key, Path::new(&value)),
                Some(keys::Kind::NewFile) => {
                    let parent = Path::new(&value).parent();
                    if let Some(parent) = parent.filter(|p| !p.as_os_str().is_empty()) {
                        self.folder(&key, parent);
                    }
                }
                Some(keys::Kind::Plain) | None => {}
            }
        }
        self.first_services();
    }

    fn add(&mut self, level: Level, kind: &'static str, what: String, remedy: impl Into<String>) {
        let place = self.file.name.clone();
        self.findings.add(level, kind, place, what, remedy);
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(String::as_str)
    }

    fn misspelled(&mut self) {
        let has = |key: &str| self.settings.contains_key(key);
        let pairs = self
            .settings
            .keys()
            .filter_map(|key| Some((key.clone(), keys::nearest(key, has)?)));
        for (key, meant) in pairs.collect::<Vec<_>>() {
            let what = format!("nothing reads the key `{key}`");
            self.add(
                Level::Warning,
                "unknown-key",
                what,
                format!("did you mean `{meant}`?"),
            );
        }
    }

    fn numbers(&mut self) {
        for (key, least, most) in [("thread", 1, config::MAX_THREADS), ("harbor", 0, 255)] {
            let Some(value) = self.get(key).map(str::to_owned) else {
                continue;
            };
            let fits = value
                .trim()
                .parse::<f64>()
                .is_ok_and(|n| n >= f64::from(least) && n <= f64::from(most));
            let automatic = key == "thread" && value == "auto";
            if !(fits || automatic) {
                let what = format!("{key} = {value} is not in [{least},{most}]");
                self.add(
                    Level::Error,
                    "value",
                    what,
                    "the node does not start with it",
                );
            }
        }
    }

    /// Where a relative path of the config begins.
    fn resolve(&self, path: &Path) -> PathBuf {
        self.project.folder.join(path)
    }

    fn patterns(&mut self, key: &str, value: &str) {
        for pattern in value.split(';').filter(|pattern| !pattern.is_empty()) {
            if key == "cpath" && !pattern.contains('?') {
                let what = format!("{key}: `{pattern}` has no `?` for the name of the service");
                self.add(
                    Level::Error,
                    "value",
                    what,
                    "write `/?.so` behind the folder",
                );
                continue;
            }
            let folder = pattern.split('?').next().unwrap_or_default();
            let folder = folder.rsplit_once('/').map_or(".", |(folder, _)| folder);
            let folder = if folder.is_empty() { "/" } else { folder };
            if !self.resolve(Path::new(folder)).is_dir() {
                let what = format!("{key}: there is no folder {folder}");
                self.add(
                    Level::Note,
                    "path",
                    what,
                    "what is built in is found without it",
                );
            }
        }
    }

    fn file(&mut self, key: &str, value: &str) {
        if !self.resolve(Path::new(value)).is_file() {
            let what = format!("{key}: there is no file {value}");
            // Read at the start, or when a program asks for TLS.
            let level = match key {
                "certfile" | "keyfile" => Level::Warning,
                _ => Level::Error,
            };
            self.add(level, "path", what, "correct the path, or take the key out");
        }
    }

    fn folder(&mut self, key: &str, folder: &Path) {
        if !self.resolve(folder).is_dir() {
            let what = format!("{key}: there is no folder {}", folder.display());
            self.add(Level::Error, "path", what, "make it, or correct the path");
        }
    }

    /// The bootstrap service, its script and the application's first script.
    fn first_services(&mut self) {
        let bootstrap = self
            .get("bootstrap")
            .unwrap_or("snlua bootstrap")
            .to_owned();
        let mut words = bootstrap.split_whitespace();
        let (module, script) = (words.next().unwrap_or_default(), words.next());
        let cpath = self.get("cpath").unwrap_or("./cservice/?.so").to_owned();
        if !self.found(&cpath, module)
            && builtin::find(&CString::new(module).unwrap_or_default()).is_none()
        {
            let what = format!("bootstrap: no C service `{module}` on cpath");
            self.add(Level::Error, "service", what, "build it, or correct cpath");
            return;
        }
        if module != "snlua" {
            return;
        }
        let Some(script) = script else { return };
        self.script("bootstrap", script);
        if script == "bootstrap" {
            let start = self.get("start").unwrap_or("main").to_owned();
            self.script("start", start.split_whitespace().next().unwrap_or_default());
        }
    }

    fn script(&mut self, key: &str, name: &str) {
        let luaservice = self
            .get("luaservice")
            .unwrap_or("./service/?.lua")
            .to_owned();
        let inside = format!("service/{name}.lua");
        if !self.found(&luaservice, name) && embedded::find(inside.as_bytes()).is_none() {
            let what = format!("{key}: no service `{name}` on luaservice ({luaservice})");
            self.add(
                Level::Error,
                "service",
                what,
                "correct the name or the path",
            );
        }
    }

    /// Whether a file is there in the place of `?` in one of the patterns.
    fn found(&self, patterns: &str, name: &str) -> bool {
        let mut patterns = patterns.split(';').filter(|pattern| !pattern.is_empty());
        patterns.any(|pattern| {
            self.resolve(Path::new(&pattern.replace('?', name)))
                .is_file()
        })
    }
}
