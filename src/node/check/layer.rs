//! The files that came with a release of the C core: which of a project's files they are, and which of them no longer work
//! with the executable.

use super::project::{File, Kind, Project};
use super::{Finding, Findings, Level, Swap};
use crate::services::builtin::{self, embedded};
use crate::services::elf::Image;
use std::ffi::CString;

/// What to do with a compiled file of a release.
pub(super) const REMOVE_FILE: &str = "remove the file: the executable has it built in (and keep it for clients that run by the old Lua)";
/// What to do with one of skynet 1.0.
const REMOVE_OLD_FILE: &str = "remove the file: it came with skynet 1.0, and the executable has it built in under the name of today (keep it for clients that run by the old Lua)";
/// What to do with a harbor service of an old release.
pub(super) const REMOVE_HARBOR: &str = "remove the file, and the built-in harbor, which speaks the same protocol, takes its place; or build it again with the define, or set api_version in the config";
/// What to do with another service of an old release.
pub(super) const REPLACE_SERVICE: &str = "remove the file, and the built-in service takes its place; or set api_version in the config to the release that it was built for";
/// What to do with Lua files of a release.
pub(super) const REMOVE_LAYER: &str =
    "remove the release's own lualib and service: the executable has a Lua layer inside";

/// Files of v1.0.0's `luaclib` that later releases have under other names, each by the function that it exports.
const OF_1_0: &[(&str, &str)] = &[
    ("clientsocket", "luaopen_clientsocket"),
    ("cluster", "luaopen_cluster_core"),
    ("crypt", "luaopen_crypt"),
    ("debugchannel", "luaopen_debugchannel"),
    ("memory", "luaopen_memory"),
    ("mongo", "luaopen_mongo_driver"),
    ("multicast", "luaopen_multicast_core"),
    ("mysqlaux", "luaopen_mysqlaux_c"),
    ("netpack", "luaopen_netpack"),
    ("profile", "luaopen_profile"),
    ("sharedata", "luaopen_sharedata_core"),
    ("socketdriver", "luaopen_socketdriver"),
    ("stm", "luaopen_stm"),
];

/// Whether a Lua file has the name of one of the layer, wherever the project keeps that.
pub(super) fn is_of_a_layer(name: &str) -> bool {
    place_in_layer(name).is_some_and(|inside| embedded::find(inside.as_bytes()).is_some())
}

/// The part of a name from `lualib/` or `service/` on.
fn place_in_layer(name: &str) -> Option<&str> {
    let places = ["lualib/", "service/"]
        .iter()
        .filter_map(|part| name.rfind(part));
    places.max().map(|at| &name[at..])
}

/// What to do with a compiled file that is the release's own and was built for another Lua.
pub(super) fn removal(stem: &str, image: &Image) -> Option<&'static str> {
    let built_in = builtin::find(&CString::new(stem).unwrap_or_default()).is_some()
        || builtin::searcher::provides(stem);
    if built_in {
        return Some(REMOVE_FILE);
    }
    exports_of_1_0(stem, image).then_some(REMOVE_OLD_FILE)
}

fn exports_of_1_0(stem: &str, image: &Image) -> bool {
    let known = |(name, open): &(&str, &str)| *name == stem && image.exports.contains(*open);
    OF_1_0.iter().any(known)
}

/// Whether a compiled file is one of v1.0.0's `luaclib` whose name has changed since.
pub(super) fn is_of_1_0(file: &File) -> bool {
    let stem = file.base().split('.').next().unwrap_or_default();
    file.kind == Kind::Compiled
        && OF_1_0.iter().any(|(name, _)| *name == stem)
        && Image::read(&file.path).is_ok_and(|image| exports_of_1_0(stem, &image))
}

/// Whether all that a finding asks for is to remove what the release brought along.
pub(super) fn only_removes(finding: &Finding) -> bool {
    [REMOVE_FILE, REMOVE_OLD_FILE, REMOVE_HARBOR, REMOVE_LAYER].contains(&finding.remedy.as_str())
}

/// The Lua layer of skynet 1.0, if the project has it.
pub(super) struct OldLayer(bool);

impl OldLayer {
    pub(super) fn of(project: &Project) -> OldLayer {
        let mut scripts = project.of(Kind::Script);
        OldLayer(scripts.any(|file| {
            place_in_layer(&file.name) == Some("lualib/skynet.lua")
                && file.text().is_some_and(|text| is_skynet_1_0(&text))
        }))
    }

    /// Whether a file belongs to it.
    pub(super) fn has(&self, name: &str) -> bool {
        let modules = || embedded::old_modules();
        self.0
            && place_in_layer(name).is_some_and(|inside| {
                let module = inside.strip_prefix("lualib/");
                let module = module.and_then(|name| name.strip_suffix(".lua"));
                embedded::find(inside.as_bytes()).is_some()
                    || module.is_some_and(|name| modules().any(|known| known == name))
            })
    }
}

/// `skynet.lua` of 1.0 takes its C modules by the names that they had then.
fn is_skynet_1_0(text: &str) -> bool {
    text.contains("require \"profile\"")
}

/// Services for clusters up to v1.1.0 take the result of `unpackrequest` apart as it was then: with any later module their
/// calls wait for ever, without a word.
fn is_old_cluster(text: &str) -> bool {
    text.contains(".unpackrequest(")
}

/// Looks for Lua files of a release that compile, and do not work.
pub(super) fn look(project: &Project, findings: &mut Findings) {
    for file in project.of(Kind::Script) {
        let (is_old, what): (fn(&str) -> bool, _) = match place_in_layer(&file.name) {
            Some("lualib/skynet.lua") => (
                is_skynet_1_0,
                "is of skynet 1.0: the modules that it requires have had other names since",
            ),
            Some("service/clusterd.lua") => (
                is_old_cluster,
                "is of v1.1.0 or older: calls to other nodes would wait for ever",
            ),
            _ => continue,
        };
        if file.text().is_some_and(|text| is_old(&text)) {
            let (swap, level) = (Swap::Executable, Level::Error);
            findings.add_only(swap, level, "old-layer", &file.name, what, REMOVE_LAYER);
        }
    }
    if findings.list.iter().any(|f| f.remedy == REMOVE_LAYER) {
        list(project, findings);
    }
}

/// Names what `lualib` and `service` have of the release: projects keep files of their own beside it.
fn list(project: &Project, findings: &mut Findings) {
    let old_layer = OldLayer::of(project);
    for file in project.of(Kind::Script) {
        if is_of_a_layer(&file.name) || old_layer.has(&file.name) {
            findings.add_only(
                Swap::Executable,
                Level::Note,
                "release-file",
                &file.name,
                "has the name of a file that came with the release",
                "one that the project has not changed can go (--json lists them all); what has other names is the project's own and stays",
            );
        }
    }
}
