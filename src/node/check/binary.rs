//! Compiled services, modules and executables: which Lua and which release they were built for, what they miss and what they
//! bring along.

use super::layer;
use super::project::{File, Kind, Project};
use super::release::Release;
use super::{Findings, Level, Swap};
use crate::services::builtin;
use crate::services::elf::Image;
use crate::services::elf::lua::{self, Versions};
use std::collections::BTreeSet;
use std::ffi::CString;

/// What the executable exports, and how much of it the library does.
const CORE: &str = include_str!("../../../compat/exports/core.txt");
const OLDER: &str = include_str!("../../../compat/exports/older.txt");
const LUA: &str = include_str!("../../../compat/exports/lua.txt");
const MALLOC: &str = include_str!("../../../compat/exports/malloc.txt");

/// What is said of the core that the project has.
const OLD_CORE: &str = "it is what the swap replaces";

fn names(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Looks at every compiled file. What follows from a file's Lua depends on the others', so that comes at the end.
pub(super) fn look(project: &Project, findings: &mut Findings) {
    let mut images = Vec::new();
    for file in project.of(Kind::Compiled) {
        // Object files belong to the build, not to the node.
        if file.name.ends_with(".o") {
            continue;
        }
        match Image::read(&file.path) {
            Ok(image) => {
                findings.seen[0] += 1;
                if let Some(versions) = used(&image) {
                    findings.lua.push((versions, file.name.clone()));
                }
                images.push((file, image));
            }
            Err(reason) => findings.add(
                Level::Error,
                "damaged",
                &file.name,
                format!("cannot be read: {reason}"),
                "build it again",
            ),
        }
    }
    if findings.lua.is_empty()
        && let Some(lua) = findings.release.and_then(Release::lua)
    {
        findings.lua.push((lua, findings.release_place.clone()));
    }
    // No node can serve files of two kinds.
    if super::swap(findings) == Swap::Link && super::lua_of_all(findings).is_none() {
        let list: Vec<_> = findings
            .lua
            .iter()
            .map(|(lua, file)| format!("{file}: {lua}"))
            .collect();
        let what = format!(
            "files for different Luas in one project: {}",
            list.join(", ")
        );
        findings.add(
            Level::Error,
            "mixed-lua",
            ".",
            what,
            "build them all for one, or remove those that no node uses",
        );
    }
    let help = Help::of(project);
    for (file, image) in &images {
        one(file, image, &help, findings);
    }
}

/// What makes up for the age of a compiled file.
struct Help {
    /// A config tells the core how old its compiled services are.
    told: bool,
    /// The services whose sources are there: the link swap compiles them again.
    services: BTreeSet<String>,
    /// And so is that of what walks the list of sockets.
    walker_source: bool,
}

impl Help {
    fn of(project: &Project) -> Help {
        let sets = |text: String| {
            text.lines()
                .any(|line| line.trim_start().starts_with("api_version"))
        };
        let calls = |text: String| text.contains("skynet_socket_info(");
        let mut configs = project.of(Kind::Config);
        let mut walkers = project.of(Kind::Source);
        let named = |file: &File| {
            let name = file.base().strip_suffix(".c")?;
            Some(name.strip_prefix("service_").unwrap_or(name).to_owned())
        };
        Help {
            told: configs.any(|file| file.text().is_some_and(sets)),
            walker_source: walkers.any(|file| {
                !file.base().starts_with("skynet_socket.") && file.text().is_some_and(calls)
            }),
            services: project.of(Kind::Source).filter_map(named).collect(),
        }
    }
}

/// The Lua that a file wants from its process; `None` when it wants none, or brings its own, as programs do that are no node.
fn used(image: &Image) -> Option<Versions> {
    let other = image.is_program && !image.exports.contains("skynet_start");
    (!other && !image.exports.contains("lua_newstate")).then(|| lua::versions(image))?
}

fn one(file: &File, image: &Image, help: &Help, findings: &mut Findings) {
    let stem = file.base().split('.').next().unwrap_or_default();
    if image.exports.contains("skynet_start") {
        core(file, image, findings);
        return;
    }
    if image.is_program {
        return;
    }
    let is_service = image.exports.contains(&format!("{stem}_init"));
    if is_service
        || image
            .exports
            .iter()
            .any(|name| name.starts_with("luaopen_"))
    {
        architecture(file, image, findings);
        wrong_lua(file, image, findings);
        missing(file, image, findings);
        brought(file, image, findings);
        old_services(file, stem, image, help, findings);
    }
}

/// An executable or a library with a core inside: the old one, or this one where the swap has been made.
fn core(file: &File, image: &Image, findings: &mut Findings) {
    // The headers of this library call it; the C core has no such function.
    let ours = image.exports.contains("skynet_start_for");
    let library = file.name.ends_with(".so");
    let (kind, what, remedy) = match (ours, library) {
        (true, true) => ("swapped", "this core as a library", ""),
        (true, false) => ("swapped", "an executable with this core", ""),
        (false, true) => ("core", "the core as a library", OLD_CORE),
        (false, false) => ("core", "an executable with the core", OLD_CORE),
    };
    findings.add(Level::Note, kind, &file.name, what, remedy);
}

fn architecture(file: &File, image: &Image, findings: &mut Findings) {
    let ours = match std::env::consts::ARCH {
        "x86_64" => object::Architecture::X86_64,
        "aarch64" => object::Architecture::Aarch64,
        _ => return,
    };
    if image.architecture != ours {
        let what = format!("is for another processor ({:?})", image.architecture);
        findings.add(
            Level::Error,
            "architecture",
            &file.name,
            what,
            "build it for this one",
        );
    }
}

fn wrong_lua(file: &File, image: &Image, findings: &mut Findings) {
    let Some(versions) = used(image) else {
        return;
    };
    if versions.is_none() {
        findings.add(
            Level::Warning,
            "unknown-lua",
            &file.name,
            "needs functions that no single Lua has",
            "see which Lua it was built against",
        );
    } else if !versions.has(Versions::V55) {
        let stem = file.base().split('.').next().unwrap_or_default();
        let remedy = layer::removal(stem, image)
            .unwrap_or("build it against the headers that `compat/lua-headers.sh FOLDER` writes");
        findings.add_only(
            Swap::Executable,
            Level::Error,
            "lua",
            &file.name,
            format!("is built for Lua {versions}; the executable has 5.5"),
            remedy,
        );
    } else if versions != Versions::V55 && !image.imports.contains("luaL_checkversion_") {
        let stem = file.base().split('.').next().unwrap_or_default();
        // The C core's own does not ask. It was built with the others of its release, and is built anew with them.
        let others = super::lua_of_all(findings);
        if stem == "md5" && image.exports.contains("luaopen_md5_core") && others.is_one() {
            if others != Versions::V55 {
                findings.add_only(
                    Swap::Executable,
                    Level::Warning,
                    "unchecked-lua",
                    &file.name,
                    format!(
                        "never asks which Lua it is in; the other files are built for Lua {others}"
                    ),
                    layer::REMOVE_FILE,
                );
            }
            return;
        }
        findings.add(
            Level::Warning,
            "unchecked-lua",
            &file.name,
            format!("never asks which Lua it is in, and could be built for {versions}"),
            "make sure that it was built for the Lua that it will get",
        );
    }
}

/// Symbols that look like the core's or Lua's and that nothing in this program has.
fn missing(file: &File, image: &Image, findings: &mut Findings) {
    let swap = super::swap(findings);
    let core: BTreeSet<&str> = names(CORE).chain(names(OLDER)).collect();
    let lua: BTreeSet<&str> = names(LUA).collect();
    let malloc: BTreeSet<&str> = names(MALLOC).collect();
    let lost = |name: &&String| {
        let name = name.as_str();
        if ["skynet_", "socket_", "sendbuffer_"]
            .iter()
            .any(|begin| name.starts_with(begin))
        {
            // The pointer of an old patched Lua, not the core's.
            return !core.contains(name) && name != "skynet_sig_L";
        }
        match swap {
            Swap::Executable if lua::is_lua(name) => !lua.contains(name),
            Swap::Executable if name.starts_with("je_") => !malloc.contains(name),
            _ => false,
        }
    };
    let lost: Vec<_> = image
        .imports
        .iter()
        .filter(lost)
        .map(String::as_str)
        .collect();
    if !lost.is_empty() {
        findings.add(
            Level::Error,
            "missing-symbol",
            &file.name,
            format!("needs {}, which the core does not have", lost.join(", ")),
            "a library of the project's own has to bring it, or the file has to go",
        );
    }
}

/// Symbols of the core's or Lua's that the file defines itself: which one a caller gets depends on the order of loading.
fn brought(file: &File, image: &Image, findings: &mut Findings) {
    let own = |list| -> Vec<&str> {
        names(list)
            .filter(|name| image.exports.contains(*name))
            .collect()
    };
    if !own(LUA).is_empty() && image.exports.contains("lua_newstate") {
        findings.add(
            Level::Error,
            "own-lua",
            &file.name,
            "has a Lua of its own inside, which does not know the states of the node's",
            "link it without liblua: it finds Lua in the process",
        );
    }
    let core = own(CORE);
    if !core.is_empty() {
        findings.add(
            Level::Warning,
            "collision",
            &file.name,
            format!("defines {} itself, as the core does", core.join(", ")),
            "rename what it defines, or hide it (-fvisibility=hidden)",
        );
    }
    let malloc: Vec<_> = own(MALLOC)
        .into_iter()
        .filter(|name| !name.starts_with("je_"))
        .collect();
    if !malloc.is_empty() {
        findings.add(
            Level::Warning,
            "own-malloc",
            &file.name,
            format!("brings an allocator: {}", malloc.join(", ")),
            "blocks of one allocator must not reach the free of another; leave the allocator to the process",
        );
    }
}

/// The Luas of releases with the shorter `struct socket_info`.
const NO_SOCKET_FLAGS: Versions = Versions::V51.or(Versions::V52).or(Versions::V53);

/// Files whose meaning no header can change any more.
fn old_services(file: &File, stem: &str, image: &Image, help: &Help, findings: &mut Findings) {
    let level = if help.told { Level::Note } else { Level::Error };
    if stem == "harbor" && image.imports.contains("skynet_socket_send") {
        let (kind, remedy) = ("old-harbor", layer::REMOVE_HARBOR);
        let what = "is a harbor service of v1.2.0 or older; up to v1.1.0 it expects other messages from the core";
        if help.services.contains(stem) {
            let swap = Swap::Executable;
            findings.add_only(swap, level, kind, &file.name, what, remedy);
        } else {
            findings.add(level, kind, &file.name, what, remedy);
        }
    }
    if stem != "harbor" {
        old_sockets(file, stem, image, help, findings);
    }
    let walks = image.imports.contains("skynet_socket_info");
    let old = used(image).is_some_and(|versions| versions.and(NO_SOCKET_FLAGS) == versions);
    // The executable refuses it, as it is for an older Lua.
    if walks && old && !help.walker_source {
        findings.add(
            level,
            "socket-info",
            &file.name,
            "walks struct socket_info of v1.3.0 or older, which is shorter than today's",
            "build it again with the define of its release, or set api_version in the config",
        );
    }
}

/// Services with sockets of their own: the ends of streams are another matter since v1.5.0.
fn old_sockets(file: &File, stem: &str, image: &Image, help: &Help, findings: &mut Findings) {
    let is_service = image.exports.contains(&format!("{stem}_init"));
    let is_new = findings.release.is_some_and(|release| release.0 >= 10_500);
    let compiled_again = help.services.contains(stem);
    if !is_service || is_new || help.told || !image.imports.contains("skynet_socket_start") {
        return;
    }
    let (level, what) = if image.imports.contains("skynet_socket_send") {
        (
            Level::Warning,
            "was built for v1.2.0 or older: its sockets stay open when their peers have left",
        )
    } else {
        (
            Level::Note,
            "has sockets; if it was built for v1.4.0 or older, they stay open when their peers have left",
        )
    };
    let remedy = if builtin::find(&CString::new(stem).unwrap_or_default()).is_some() {
        layer::REPLACE_SERVICE
    } else {
        "set api_version in the config to the release that it was built for"
    };
    if compiled_again {
        let (swap, kind) = (Swap::Executable, "old-sockets");
        findings.add_only(swap, level, kind, &file.name, what, remedy);
    } else {
        findings.add(level, "old-sockets", &file.name, what, remedy);
    }
}
