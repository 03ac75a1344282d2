//! Config files: misspelled keys, values that do not fit, and paths that lead nowhere.

use super::project::{File, Kind, Project};
use super::{Findings, Level};
use crate::node::config::{self, keys};
use crate::services::builtin::{self, embedded};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Keys that the C core, its Lua layer and its examples have had.
const OF_THE_CORE: &[&str] = &[
    "address",
    "bootstrap",
    "certfile",
    "cluster",
    "cpath",
    "daemon",
    "enablessl",
    "harbor",
    "keyfile",
    "logger",
    "logpath",
    "logservice",
    "lua_cpath",
    "lua_path",
    "lualoader",
    "luaservice",
    "master",
    "preload",
    "profile",
    "snax",
    "snax_interface_g",
    "snax_loader",
    "standalone",
    "start",
    "thread",
];

/// Whether a script is one that `skynet types` writes: of the Lua layer, or what editors know of a module in Rust.
fn is_ours(text: &str) -> bool {
    let mut layer = embedded::FILES.iter();
    text.starts_with("---@meta") || layer.any(|(_, source)| *source == text.as_bytes())
}

/// Looks at every config.
pub(super) fn look(project: &Project, findings: &mut Findings) {
    let mut scripts = String::new();
    for file in project.of(Kind::Script) {
        let text = file.text().unwrap_or_default();
        if !is_ours(&text) {
            scripts.push_str(&text);
        }
    }
    for file in project.of(Kind::Config) {
        findings.seen[3] += 1;
        let path = CString::new(file.path.as_os_str().as_bytes()).unwrap_or_default();
        match config::read_elsewhere(&path) {
            Ok(config::File {
                settings,
                missing,
                used,
            }) => {
                let text = |value: CString| value.to_string_lossy().into_owned();
                let settings = settings.into_iter().map(|(k, v)| (text(k), text(v)));
                let settings = settings.collect();
                Config {
                    home: home(project, file, &settings),
                    file,
                    settings,
                    scripts: &scripts,
                    used,
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

/// Where a node with that config is started: in the folder above it from which most of its paths lead somewhere. Of two as
/// good it is the nearest that looks like a skynet, so that the configs of a skynet within the project are not judged from
/// outside.
fn home(project: &Project, file: &File, settings: &BTreeMap<String, String>) -> PathBuf {
    let above = file.path.ancestors().skip(1);
    let inside = above.take_while(|folder| folder.starts_with(&project.folder));
    let looks_like_one = |folder: &&Path| {
        folder.join("skynet-src").is_dir()
            || folder.join("lualib").is_dir() && folder.join("service").is_dir()
    };
    let nearest = inside.clone().find(looks_like_one);
    let mut best = nearest.unwrap_or(&project.folder);
    for folder in inside {
        if reached(folder, settings) > reached(best, settings) {
            best = folder;
        }
    }
    best.to_owned()
}

/// How much of what a config names is there, seen from a folder. A file counts for more: it is an error when it is missing.
fn reached(home: &Path, settings: &BTreeMap<String, String>) -> usize {
    let one = |(key, value): (&String, &String)| match keys::kind(key) {
        Some(keys::Kind::Patterns) => value
            .split(';')
            .filter(|pattern| home.join(folder_of(pattern)).is_dir())
            .count(),
        Some(keys::Kind::File) if home.join(value).is_file() => 3,
        _ => 0,
    };
    settings.iter().map(one).sum()
}

/// The folder that a pattern looks in.
fn folder_of(pattern: &str) -> &str {
    let begin = pattern.split('?').next().unwrap_or_default();
    let folder = begin.rsplit_once('/').map_or(".", |(folder, _)| folder);
    if folder.is_empty() { "/" } else { folder }
}

struct Config<'a> {
    home: PathBuf,
    file: &'a File,
    settings: BTreeMap<String, String>,
    /// The text of all scripts, which read keys of their own.
    scripts: &'a str,
    /// Keys that the config reads itself.
    used: Vec<String>,
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
        let taken = self.taken();
        let settings: Vec<_> = self.settings.clone().into_iter().collect();
        for (key, value) in settings {
            // The path is not known before the variable is.
            if missing
                .iter()
                .any(|name| value.contains(&format!("SKYNET_NO_{name}")))
            {
                continue;
            }
            if !taken.contains(&key) {
                self.value(&key, &value);
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
                _ => {}
            }
        }
        // Others are only included by configs.
        if ["start", "bootstrap", "thread"]
            .iter()
            .any(|key| self.get(key).is_some())
        {
            self.services();
        }
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
        let named = |key: &str, mark: char| self.scripts.contains(&format!("{mark}{key}{mark}"));
        let pairs = self
            .settings
            .keys()
            .filter(|key| !self.used.contains(key) && !named(key, '"') && !named(key, '\''))
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

    /// Settings of this core that the project has had for a purpose of its own.
    fn taken(&mut self) -> Vec<String> {
        let named = |key: &str, mark: char| self.scripts.contains(&format!("{mark}{key}{mark}"));
        let is_taken = |key: &&String| {
            keys::kind(key).is_some()
                && !OF_THE_CORE.contains(&key.as_str())
                && (named(key, '"') || named(key, '\''))
        };
        let taken: Vec<_> = self.settings.keys().filter(is_taken).cloned().collect();
        for key in &taken {
            let what =
                format!("the project's scripts read the key `{key}`, which is a setting here");
            let remedy = "see what it means here (docs/); if that is something else, give yours another name";
            self.add(Level::Warning, "taken-key", what, remedy);
        }
        taken
    }

    /// A value that who reads the key does not understand. Whether paths lead somewhere is looked at elsewhere.
    fn value(&mut self, key: &str, value: &str) {
        let Some(allowed) = keys::misfit(key, value) else {
            return;
        };
        let (level, remedy) = if keys::starts_without(key) {
            (Level::Warning, "correct it, or take the key out")
        } else {
            (Level::Error, "the node does not start with it")
        };
        let what = format!("{key} = {value} should be {allowed}");
        self.add(level, "value", what, remedy);
    }

    /// Where a relative path of the config begins.
    fn resolve(&self, path: &Path) -> PathBuf {
        self.home.join(path)
    }

    fn patterns(&mut self, key: &str, value: &str) {
        for pattern in value.split(';').filter(|pattern| !pattern.is_empty()) {
            if !pattern.contains('?') {
                let what = format!("{key}: `{pattern}` has no `?` for the name that is looked for");
                // For Lua's own paths that is a file, whatever the name.
                let (level, end) = match key {
                    "cpath" => (Level::Error, "so"),
                    "lua_cpath" => (Level::Warning, "so"),
                    "lua_path" => (Level::Warning, "lua"),
                    _ => (Level::Error, "lua"),
                };
                let remedy = format!("write `/?.{end}` behind the folder");
                self.add(level, "value", what, remedy);
                continue;
            }
            let folder = folder_of(pattern);
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
        // The loader that every config names is built in.
        if key == "lualoader" && value.ends_with("lualib/loader.lua") {
            return;
        }
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

    /// The log service, the bootstrap service, its script and the application's first script.
    fn services(&mut self) {
        let logservice = self.get("logservice").unwrap_or("logger").to_owned();
        self.c_service("logservice", &logservice);

        let bootstrap = self
            .get("bootstrap")
            .unwrap_or("snlua bootstrap")
            .to_owned();
        let mut words = bootstrap.split_whitespace();
        let (module, script) = (words.next().unwrap_or_default(), words.next());
        self.c_service("bootstrap", module);
        if module != "snlua" {
            return;
        }
        let Some(script) = script else { return };
        self.script("bootstrap", script);
        if script == "bootstrap" {
            self.network();
            let start = self.get("start").unwrap_or("main").to_owned();
            self.script("start", start.split_whitespace().next().unwrap_or_default());
        }
    }

    fn c_service(&mut self, key: &str, module: &str) {
        let cpath = self.get("cpath").unwrap_or("./cservice/?.so").to_owned();
        if !self.found(&cpath, module)
            && builtin::find(&CString::new(module).unwrap_or_default()).is_none()
        {
            let what = format!("{key}: no C service `{module}` on cpath");
            self.add(Level::Error, "service", what, "build it, or correct cpath");
        }
    }

    /// A node of a harbor network, which one is by default, needs two addresses.
    fn network(&mut self) {
        let harbor = self.get("harbor").unwrap_or("1").to_owned();
        let lacking: Vec<_> = ["address", "master"]
            .into_iter()
            .filter(|key| self.get(key).is_none())
            .collect();
        if harbor != "0" && !lacking.is_empty() {
            let what = format!(
                "harbor is {harbor}, and there is no {}",
                lacking.join(" and no ")
            );
            let remedy = "set harbor = 0 for a node of its own";
            self.add(Level::Error, "harbor", what, remedy);
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
            // Behind a variable that is not known here, it may be.
            pattern.contains("SKYNET_NO_")
                || self
                    .resolve(Path::new(&pattern.replace('?', name)))
                    .is_file()
        })
    }
}
