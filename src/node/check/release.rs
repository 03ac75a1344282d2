//! Which release of the C core a project's sources belong to.

use super::project::{File, Kind, Project};
use super::{Findings, Level};
use crate::services::elf::lua::Versions;
use std::collections::BTreeMap;

/// A release by the value of `SKYNET_API_VERSION` that its sources compile with; [`NEWEST`] is the newest interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release(pub u32);

/// The newest interface, for which sources need no define: any number above those of the releases.
pub(crate) const NEWEST: u32 = 20_000;

impl Release {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self.0 {
            10_000 => "v1.0.0 or older",
            10_100 => "v1.1.0",
            10_200 => "v1.2.0",
            10_300 => "v1.3.0",
            10_400 => "v1.4.0",
            10_500 => "v1.5.0",
            10_700 => "v1.6.0 or v1.7.0",
            10_800 => "v1.8.0",
            _ => "master (2026)",
        }
    }

    /// The Lua that came with it; the newest one's is that of the executable.
    pub fn lua(self) -> Option<Versions> {
        match self.0 {
            ..10_400 => Some(Versions::V53),
            10_400..NEWEST => Some(Versions::V54),
            _ => None,
        }
    }

    /// What the compiler is told; `None` for the newest interface.
    pub fn define(self) -> Option<String> {
        (self.0 < NEWEST).then(|| format!("-DSKYNET_API_VERSION={}", self.0))
    }
}

/// What each release has first, newest first: header, text in it, and the release. A tree belongs to the first that it has.
const FIRST: &[(&str, &str, u32)] = &[
    ("skynet_server.h", "uint32_t skynet_context_new", NEWEST),
    ("skynet_socket.h", "skynet_socket_udp_listen", 10_800),
    // v1.6.0 took this declaration away; see `of_headers`.
    ("atomic.h", "ATOM_INIT", 10_500),
    ("skynet_socket.h", "skynet_socket_pause", 10_400),
    ("skynet_socket.h", "skynet_socket_sendbuffer", 10_300),
    ("socket_info.h", "struct socket_info", 10_200),
    ("skynet_imp.h", "profile", 10_100),
    ("skynet_imp.h", "skynet_config", 10_000),
];

/// The release of a tree of headers, by name and text.
fn of_headers(headers: &BTreeMap<&str, String>) -> Option<Release> {
    let has = |name: &str, text: &str| headers.get(name).is_some_and(|all| all.contains(text));
    let (_, _, release) = FIRST.iter().find(|(name, text, _)| has(name, text))?;
    let no_insert = !has("skynet_module.h", "skynet_module_insert");
    if *release == 10_500 && headers.contains_key("skynet_module.h") && no_insert {
        return Some(Release(10_700));
    }
    Some(Release(*release))
}

/// Whether the headers are this core's: they know of generations.
fn are_ours(headers: &BTreeMap<&str, String>) -> bool {
    let text = headers.get("skynet.h");
    text.is_some_and(|text| text.contains("skynet_api.h"))
}

/// Looks at every folder that has a `skynet.h`, and at Lua's own headers.
pub(super) fn look(project: &Project, findings: &mut Findings) {
    let mut folders: BTreeMap<&str, Vec<&File>> = BTreeMap::new();
    for file in project
        .of(Kind::Source)
        .filter(|file| file.name.ends_with(".h"))
    {
        let folder = file.name.rsplit_once('/').map_or("", |(folder, _)| folder);
        folders.entry(folder).or_default().push(file);
    }
    for (folder, files) in folders {
        let texts = files
            .iter()
            .filter_map(|file| Some((file.base(), file.text()?)));
        let headers: BTreeMap<&str, String> = texts.collect();
        if let Some(version) = headers.get("lua.h").and_then(|text| lua_version(text)) {
            let place = format!("{}lua.h", prefix(folder));
            findings.lua.push((Versions::of_number(version), place));
        }
        if !headers.contains_key("skynet.h") || are_ours(&headers) {
            continue;
        }
        let Some(release) = of_headers(&headers) else {
            continue;
        };
        if findings.release.is_none_or(|known| release < known) {
            findings.release = Some(release);
            findings.release_place = prefix(folder);
        }
        leftovers(folder, &headers, findings);
    }
}

fn prefix(folder: &str) -> String {
    if folder.is_empty() {
        "./".into()
    } else {
        format!("{folder}/")
    }
}

/// Headers of the C core in any release. What else lies beside them is the project's own, or (`luashrtbl.h`) Lua's.
const OF_THE_CORE: &[&str] = &[
    "atomic.h",
    "malloc_hook.h",
    "mem_info.h",
    "rwlock.h",
    "skynet.h",
    "skynet_daemon.h",
    "skynet_env.h",
    "skynet_handle.h",
    "skynet_harbor.h",
    "skynet_imp.h",
    "skynet_log.h",
    "skynet_malloc.h",
    "skynet_module.h",
    "skynet_monitor.h",
    "skynet_mq.h",
    "skynet_server.h",
    "skynet_socket.h",
    "skynet_timer.h",
    "socket_buffer.h",
    "socket_epoll.h",
    "socket_info.h",
    "socket_kqueue.h",
    "socket_poll.h",
    "socket_server.h",
    "spinlock.h",
];

/// A main program that stays beside the old headers includes those and not this core's.
fn leftovers(folder: &str, headers: &BTreeMap<&str, String>, findings: &mut Findings) {
    let names = headers
        .keys()
        .copied()
        .filter(|name| OF_THE_CORE.contains(name));
    let names = names.collect::<Vec<_>>().join(" ");
    findings.add(
        Level::Note,
        "old-headers",
        prefix(folder),
        format!("headers of the C core: {names}"),
        "for the link swap delete them: a source beside them would find them before those of the library",
    );
}

/// 503 for Lua 5.3, by the macros of `lua.h`.
fn lua_version(header: &str) -> Option<f64> {
    let number = |name: &str| {
        let line = header.lines().find(|line| {
            line.starts_with("#define") && line.split_whitespace().nth(1) == Some(name)
        })?;
        line.split_whitespace()
            .nth(2)?
            .trim_matches('"')
            .parse()
            .ok()
    };
    let minor: u32 = number("LUA_VERSION_MINOR_N").or_else(|| number("LUA_VERSION_MINOR"))?;
    Some(f64::from(500 + minor))
}
