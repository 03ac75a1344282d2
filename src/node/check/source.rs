//! C and C++ sources: what they ask of headers that have changed.

use super::project::{File, Kind, Project};
use super::release::Release;
use super::{Findings, Level, Swap};

/// Names that headers of later releases do not have, and the last release that has them.
const OLD_NAMES: &[(&str, u32)] = &[
    ("ATOM_INC", 10_400),
    ("ATOM_DEC", 10_400),
    ("ATOM_ADD", 10_400),
    ("ATOM_SUB", 10_400),
    ("ATOM_AND", 10_400),
    ("skynet_module_insert", 10_500),
];

/// Headers of Lua's inside.
const LUA_INSIDE: &[&str] = &[
    "lapi.h",
    "lcode.h",
    "lctype.h",
    "ldebug.h",
    "ldo.h",
    "lfunc.h",
    "lgc.h",
    "llex.h",
    "llimits.h",
    "lmem.h",
    "lobject.h",
    "lopcodes.h",
    "lparser.h",
    "lprefix.h",
    "lstate.h",
    "lstring.h",
    "ltable.h",
    "ltm.h",
    "lundump.h",
    "lvm.h",
    "lzio.h",
];

/// Looks at every source that is neither the core's nor Lua's own.
pub(super) fn look(project: &Project, findings: &mut Findings) {
    let others = |mark: &str| -> Vec<String> {
        let files = project.of(Kind::Source).filter(|file| file.base() == mark);
        files.map(|file| folder(file).to_owned()).collect()
    };
    let (core, lua) = (others("skynet_server.c"), others("lvm.c"));
    for file in project.of(Kind::Source) {
        let own = folder(file);
        let is_main = file.base() == "skynet_main.c";
        if lua.iter().any(|lua| own == lua) || core.iter().any(|core| own == core) && !is_main {
            continue;
        }
        if let Some(text) = file.text() {
            findings.seen[1] += 1;
            one(file, &text, findings);
        }
    }
}

fn folder(file: &File) -> &str {
    file.name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn one(file: &File, text: &str, findings: &mut Findings) {
    let code = without_comments(text);
    for (number, line) in code.lines().enumerate() {
        let place = format!("{}:{}", file.name, number + 1);
        if let Some(header) = included(line) {
            include(&place, header, of_the_release(file), findings);
            continue;
        }
        for (name, last) in OLD_NAMES.iter().filter(|(name, _)| has_word(line, name)) {
            old_name(&place, name, Release(*last), findings);
        }
        if is_old_context_new(line) {
            old_name(
                &place,
                "skynet_context_new as a pointer",
                Release(10_800),
                findings,
            );
        }
    }
}

/// Whether a source came with the C core: its services and modules have been built in here.
fn of_the_release(file: &File) -> bool {
    let in_folder = |name: &str| folder(file).rsplit('/').next() == Some(name);
    in_folder("service-src") && SERVICES.contains(&file.base())
        || in_folder("lualib-src") && MODULES.contains(&file.base())
}

/// Sources of the C core's own services.
const SERVICES: &[&str] = &[
    "service_gate.c",
    "service_harbor.c",
    "service_logger.c",
    "service_snlua.c",
];

/// Sources of the C core's own Lua modules that include headers of Lua's inside, in any release.
const MODULES: &[&str] = &["lua-memory.c", "lua-sharedata.c", "lua-sharetable.c"];

const OWN_SOURCE: &str = "leave this source out of the build: it came with the release, and the executable has it built in";

fn include(place: &str, header: &str, of_the_release: bool, findings: &mut Findings) {
    let swap = Swap::Executable;
    if header == "luashrtbl.h" {
        let what = "includes luashrtbl.h, which belongs to the patched Lua 5.3 of v1.0.0 to v1.2.0";
        match super::swap(findings) {
            Swap::Link => {
                let remedy = "keep that header when the others of the core go";
                findings.add(Level::Note, "lua-header", place, what, remedy);
            }
            Swap::Executable if of_the_release => {
                findings.add_only(swap, Level::Note, "lua-header", place, what, OWN_SOURCE);
            }
            Swap::Executable => {
                let remedy = "leave this source out: a later Lua has no such table";
                findings.add(Level::Error, "lua-header", place, what, remedy);
            }
        }
    } else if LUA_INSIDE.contains(&header) {
        let (level, remedy) = if of_the_release {
            (Level::Note, OWN_SOURCE)
        } else {
            let remedy = "compile it against the headers that `compat/lua-headers.sh --internal FOLDER` writes";
            (Level::Warning, remedy)
        };
        let what = format!(
            "includes {header}, from inside of Lua: offsets of another Lua get compiled in"
        );
        findings.add_only(swap, level, "lua-inside", place, what, remedy);
    }
}

fn old_name(place: &str, name: &str, last: Release, findings: &mut Findings) {
    // The whole tree's release says it already.
    if findings.release.is_some_and(|known| known <= last) {
        return;
    }
    findings.add(
        Level::Warning,
        "old-name",
        place,
        format!(
            "uses {name}, which headers after {} do not have",
            last.name()
        ),
        format!(
            "compile everything with the define of its release: {} or lower",
            last.define().unwrap_or_default()
        ),
    );
}

/// `struct skynet_context * x = skynet_context_new(...)`: the result is a handle since.
fn is_old_context_new(line: &str) -> bool {
    line.split_once("skynet_context_new")
        .is_some_and(|(before, after)| {
            after.trim_start().starts_with('(')
                && before.trim_end().ends_with('=')
                && before.contains("skynet_context")
                && before.contains('*')
        })
}

/// The file that an `#include` names.
fn included(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix('#')?.trim_start();
    let rest = rest.strip_prefix("include")?.trim_start();
    rest.strip_prefix(['"', '<'])?.split(['"', '>']).next()
}

fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// The text with comments as blanks, lines as they are. Quotes inside of comments and the reverse do not matter here.
fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("/*").into_iter().chain(rest.find("//")).min() {
        code.push_str(&rest[..at]);
        let comment = &rest[at..];
        let length = if comment.starts_with("//") {
            comment.find('\n').unwrap_or(comment.len())
        } else {
            comment.find("*/").map_or(comment.len(), |end| end + 2)
        };
        code.extend(comment[..length].chars().filter(|c| *c == '\n'));
        rest = &comment[length..];
    }
    code.push_str(rest);
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_no_code_and_lines_keep_their_numbers() {
        let code = without_comments("a /* ATOM_INC\n x */ b // ATOM_DEC\nc /");
        assert_eq!(code, "a \n b \nc /");
    }

    #[test]
    fn words_and_includes_are_recognised() {
        assert!(has_word("x = ATOM_INC(&n);", "ATOM_INC"));
        assert!(!has_word("MY_ATOM_INC(&n); ATOM_INCR(1)", "ATOM_INC"));
        assert_eq!(included("#  include <lstate.h>"), Some("lstate.h"));
        assert_eq!(included("int include;"), None);
        assert!(is_old_context_new(
            "struct skynet_context *ctx = skynet_context_new(\"gate\", 0);"
        ));
        assert!(!is_old_context_new(
            "uint32_t h = skynet_context_new(a, b);"
        ));
    }
}
