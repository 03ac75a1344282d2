//! Lua sources: whether the Lua of the executable compiles them.

use super::layer::{self, OldLayer, REMOVE_LAYER, is_of_a_layer};
use super::project::{self, File, Kind, Project};
use super::{Findings, Level, Swap};
use crate::services::builtin::embedded;
use mlua_sys::lua55::LUA_OK;
use skynet_support::Vm;
use std::ffi::CString;

/// What the compiler of Lua 5.5 objects to and that of 5.3 did not. All else is no Lua in either.
const NEW_ERRORS: &[&str] = &[
    "assign to const variable",
    "already defined",
    "jumps into the scope",
];

/// The first byte of a compiled script.
const ESCAPE: u8 = 0x1b;

/// Compiles every script, without running it, and looks for modules that only skynet 1.0 had. With the link swap the
/// project's own Lua compiles them, as ever.
pub(super) fn look(project: &Project, findings: &mut Findings) {
    let old_layer = OldLayer::of(project);
    let old_names = OldNames::of(project, &old_layer);
    let Some(compiler) = Compiler::new() else {
        return;
    };
    for file in project.of(Kind::Script) {
        let Ok(bytes) = project::read(&file.path) else {
            continue;
        };
        findings.seen[2] += 1;
        if bytes.first() == Some(&ESCAPE) {
            compiled(file, &bytes, findings);
            continue;
        }
        if let Err(reason) = compiler.compile(&file.name, &bytes) {
            refused(file, reason, findings);
        }
        // What a release's own layer requires is that layer's business.
        if !is_of_a_layer(&file.name) && !old_layer.has(&file.name) {
            let text = String::from_utf8_lossy(&bytes);
            old_names.look(file, &text, findings);
            gone(file, &text, findings);
        }
    }
}

/// Functions that the Lua layer of later releases does not have, and what does the same.
const GONE: &[(&str, &str)] = &[
    ("socket.lock(", "skynet.queue"),
    ("socket.unlock(", "skynet.queue"),
];

/// Looks for calls of functions that are gone.
fn gone(file: &File, text: &str, findings: &mut Findings) {
    for (number, line) in text.lines().enumerate() {
        for (call, instead) in GONE.iter().filter(|(call, _)| line.contains(call)) {
            let name = call.trim_end_matches('(');
            findings.add_only(
                Swap::Executable,
                Level::Warning,
                "old-function",
                format!("{}:{}", file.name, number + 1),
                format!("calls {name}, which the Lua layer has no more since v1.5.0"),
                format!("use {instead}, as compat/SWAP.md shows"),
            );
        }
    }
}

/// A script that `luac` made: not loaded here, as Lua believes what is in such a file.
fn compiled(file: &File, bytes: &[u8], findings: &mut Findings) {
    if !bytes.starts_with(b"\x1bLua\x55") {
        let (swap, level) = (Swap::Executable, Level::Error);
        let what = "is compiled by the luac of another Lua";
        let remedy = "put the source in its place";
        findings.add_only(swap, level, "lua-syntax", &file.name, what, remedy);
    }
}

/// A script that the compiler refuses.
fn refused(file: &File, reason: String, findings: &mut Findings) {
    let (place, what) = match reason.strip_prefix(&format!("{}:", file.name)) {
        Some(rest) => {
            let (line, what) = rest.split_once(": ").unwrap_or(("1", rest));
            (format!("{}:{line}", file.name), what.to_owned())
        }
        None => (file.name.clone(), reason),
    };
    let (level, what, remedy) = if !NEW_ERRORS.iter().any(|new| what.contains(new)) {
        let what = format!("is no Lua that a node has ever had: {what}");
        let remedy = "no node can load it, before or after the swap";
        (Level::Warning, what, remedy)
    } else if is_of_a_layer(&file.name) {
        (Level::Error, format!("is no Lua 5.5: {what}"), REMOVE_LAYER)
    } else {
        let remedy = "change the line, or use the link swap with the Lua that it was written for";
        (Level::Error, format!("is no Lua 5.5: {what}"), remedy)
    };
    findings.add_only(Swap::Executable, level, "lua-syntax", place, what, remedy);
}

/// Modules that had another name in skynet 1.0, and that nothing in the project has.
struct OldNames(Vec<&'static str>);

impl OldNames {
    fn of(project: &Project, old_layer: &OldLayer) -> OldNames {
        let mut brought_back = project.of(Kind::Config);
        if brought_back.any(|file| file.text().is_some_and(|text| text.contains("compat10"))) {
            return OldNames(Vec::new());
        }
        // What came with the release goes.
        let stays = |file: &&File| {
            !is_of_a_layer(&file.name) && !old_layer.has(&file.name) && !layer::is_of_1_0(file)
        };
        let files = || project.of(Kind::Script).chain(project.of(Kind::Compiled));
        let has = |name: &str| {
            let mut named = files().filter(|file| file.base().split('.').next() == Some(name));
            named.any(|file| stays(&file))
        };
        let names =
            embedded::old_modules().filter(|name| embedded::find_module(name.as_bytes()).is_none());
        OldNames(names.filter(|name| !has(name)).collect())
    }

    fn look(&self, file: &File, text: &str, findings: &mut Findings) {
        for (number, line) in text.lines().enumerate() {
            let Some((_, rest)) = line.split_once("require") else {
                continue;
            };
            let rest = rest.trim_start_matches(['(', ' ']);
            let name = rest
                .strip_prefix(['"', '\''])
                .and_then(|rest| rest.split(['"', '\'']).next());
            if let Some(name) = name.filter(|name| self.0.contains(name)) {
                findings.add_only(
                    Swap::Executable,
                    Level::Warning,
                    "old-module",
                    format!("{}:{}", file.name, number + 1),
                    format!("requires {name}, a name of skynet 1.0"),
                    "put './lualib/compat10/?.lua' on lua_path: it brings such names back",
                );
            }
        }
    }
}

/// A VM that compiles and runs nothing.
struct Compiler(Vm);

impl Compiler {
    fn new() -> Option<Compiler> {
        skynet_lua::luaL_initcodecache();
        Vm::open().map(Compiler)
    }

    fn compile(&self, name: &str, source: &[u8]) -> Result<(), String> {
        // As for a file: editors' mark of UTF-8 is skipped, and a first line that begins with # is for the shell.
        let source = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
        let skip = match source.first() {
            Some(b'#') => source
                .iter()
                .position(|&c| c == b'\n')
                .unwrap_or(source.len()),
            _ => 0,
        };
        let source = &source[skip..];
        let chunk = CString::new(format!("@{name}")).unwrap_or_default();
        // SAFETY: this thread alone uses the VM. Loading catches its own errors.
        let state = unsafe { self.0.state() };
        let answer = if state.load_text(source, &chunk) == LUA_OK {
            Ok(())
        } else {
            let bytes = state.to_bytes(-1).unwrap_or(b"cannot be compiled");
            Err(String::from_utf8_lossy(bytes).into_owned())
        };
        state.set_top(0);
        answer
    }
}
