//! `skynet run`, `skynet new` and `skynet test`: a project without a config, from a template to its tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::tools::peer::free_port;
use crate::tools::running::Node;
use crate::tools::{run, scratch};

fn skynet(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet"));
    command.args(arguments).current_dir(folder);
    command
}

fn output(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = skynet(folder, arguments).output().unwrap();
    let text = [stdout, stderr].concat();
    (status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// A folder with these files.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = scratch(&format!("project-{name}"));
    for (file, text) in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

const HELLO: &str = "
local skynet = require 'skynet'
require 'skynet.manager'
local words = { ... }
skynet.start(function()
    print('words', table.concat(words, ','), require 'helper', skynet.getenv 'colour')
    print('other', skynet.call(skynet.newservice 'other', 'lua'))
    skynet.abort()
end)";
const OTHER: &str = "
local skynet = require 'skynet'
skynet.start(function() skynet.dispatch('lua', function() skynet.retpack 'answers' end) end)";

#[test]
fn a_script_runs_without_a_config_and_gets_its_arguments() {
    let files = [
        ("app/main.lua", HELLO),
        ("app/service/other.lua", OTHER),
        ("app/lualib/helper.lua", "return 'helps'"),
    ];
    let folder = folder("run", &files);
    for (place, arguments) in [
        ("", ["run", "-s", "colour=red", "app", "--", "a", "b=c"]),
        (
            "",
            ["run", "-s", "colour=red", "app/main.lua", "--", "a", "b=c"],
        ),
        ("app", ["run", "-s", "colour=red", ".", "--", "a", "b=c"]),
    ] {
        let (status, text) = output(&folder.join(place), &arguments);
        assert_eq!(status, Some(0), "{text}");
        assert!(text.contains("words\ta,b=c\thelps\tred\n"), "{text}");
        assert!(text.contains("other\tanswers\n"), "{text}");
    }
}

#[test]
fn what_cannot_run_is_told_with_status_1() {
    let files = [
        ("broken.lua", "error 'on purpose'"),
        ("empty/x", ""),
        ("config", "thread = 1"),
    ];
    let folder = folder("cannot-run", &files);
    for (arguments, told) in [
        (&["run", "broken.lua"][..], "on purpose"),
        (&["run", "nosuch.lua"], "nosuch.lua: there is no such file"),
        (
            &["run", "empty"],
            "empty: there is no main.lua in that folder",
        ),
        (&["run", "config"], "a config file runs as `skynet config`"),
        (
            &["run", "broken.lua", "--", "a b"],
            "words: not empty, without blanks",
        ),
    ] {
        let (status, text) = output(&folder, arguments);
        assert_eq!(status, Some(1), "{arguments:?}: {text}");
        assert!(text.contains(told), "{arguments:?}: {text}");
    }
}

#[test]
fn a_config_that_is_called_as_a_command_runs_as_ever() {
    let text = "thread = 1 harbor = 0 luaservice = './?.lua' start = 'hello'";
    let hello = "require('skynet').start(function() print 'from the config' require('skynet.manager').abort() end)";
    let folder = folder("named-as-command", &[("test", text), ("hello.lua", hello)]);
    let (status, text) = output(&folder, &["test"]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("from the config\n"), "{text}");
    // With anything behind it it is the command.
    let (status, text) = output(&folder, &["test", "."]);
    assert_eq!(status, Some(2), "{text}");
    assert!(
        text.contains("there is no file whose name ends with _test.lua"),
        "{text}"
    );
}

/// Every template passes its tests at once, and starts.
#[test]
fn a_new_project_passes_its_tests_and_starts() {
    for (template, starts, ends) in [
        ("minimal", "one apple:\ttrue\t2 left", true),
        ("cluster", "node game is done", true),
        ("game", "fresh listens at 127.0.0.1:", false),
        ("websocket", "fresh: open http://127.0.0.1:", false),
        ("web", "fresh: curl http://127.0.0.1:", false),
    ] {
        let folder = scratch(&format!("new-{template}"));
        let (status, text) = output(&folder, &["new", "fresh", "--template", template]);
        assert_eq!(status, Some(0), "{text}");
        let project = folder.join("fresh");
        let (status, text) = output(&project, &["test"]);
        assert_eq!(status, Some(0), "{template}: {text}");
        assert!(text.contains(", 0 failed"), "{text}");

        let (status, text) = output(&project, &["test", "--seeds", "3"]);
        assert_eq!(status, Some(0), "{template}: {text}");
        assert!(!text.contains("skipped"), "{text}");

        let port = format!("port={}", free_port());
        let mut node = Node::spawn(&mut skynet(&project, &["run", ".", "--set", &port]));
        node.wait(starts);
        if ends {
            node.ends();
        }
        // A second time nothing is written over what is there.
        let (status, text) = output(&folder, &["new", "fresh"]);
        assert_eq!(status, Some(1), "{text}");
        assert!(text.contains("there is something already"), "{text}");
    }
}

/// The crate is written by the executable, so no network is needed but for what cargo has to have anyway.
#[test]
fn a_new_project_in_rust_builds_passes_its_tests_and_starts() {
    let folder = scratch("new-rust");
    let (status, text) = output(&folder, &["new", "fresh", "--rust"]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("cargo build --release"), "{text}");
    let project = folder.join("fresh");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-rust-target");
    fs::create_dir_all(&target).expect("a folder");
    std::os::unix::fs::symlink(&target, project.join("target")).expect("a link");
    for command in [&["build", "--release"][..], &["test", "--release"]] {
        run(Command::new(env!("CARGO"))
            .current_dir(&project)
            // What cargo told this test about its own build does not concern that one.
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("CARGO_TARGET_DIR")
            .args(command)
            .args(["--quiet", "--offline"]));
    }
    let (status, text) = output(&project, &["test"]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("2 tests in 1 file, 0 failed"), "{text}");
    for arguments in [&["run"][..], &["config"]] {
        let (status, text) = output(&project, arguments);
        assert_eq!(status, Some(0), "{text}");
        assert!(text.contains("counter:\t105"), "{text}");
        assert!(text.contains("report:\tfresh has counted to 105"), "{text}");
    }
}

#[test]
fn names_of_projects_that_break_lua_or_html_are_refused() {
    let folder = scratch("names");
    for name in ["a\"b", "a\nb", "a\\b", "a]==]b", "<script>", "a'b", "$(x)"] {
        let (status, text) = output(&folder, &["new", name, "--template", "websocket"]);
        assert_eq!(status, Some(1), "{name:?}: {text}");
        assert!(text.contains("letters, digits, blanks"), "{text}");
        assert!(!folder.join(name).exists(), "{name:?}");
    }
    for (name, next) in [
        ("世界", "`cd 世界`"),
        ("my game-2.0_x", "`cd 'my game-2.0_x'`"),
    ] {
        let (status, text) = output(&folder, &["new", name]);
        assert_eq!(status, Some(0), "{name:?}: {text}");
        assert!(text.contains(next), "{text}");
    }
    // The folder where one is: its own name, if there is nothing in it.
    let (status, text) = output(&folder, &["new", "."]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("there is something already"), "{text}");
    let empty = scratch("empty-folder");
    let (status, text) = output(&empty, &["new", "."]);
    assert_eq!(status, Some(0), "{text}");
    let readme = fs::read_to_string(empty.join("README.md")).unwrap();
    assert!(readme.contains("empty-folder"), "{readme}");
}

#[test]
fn editors_get_annotations_and_settings() {
    let folder = folder("types", &[("main.lua", "")]);
    let (status, text) = output(&folder, &["types", "types"]);
    assert_eq!(status, Some(0), "{text}");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect(name);
    assert!(read("types/skynet.lua").contains("---@class (partial) skynet"));
    assert!(read("types/skynet/socket.lua").contains("---@param"));
    assert!(read("types/skynet/crypt.lua").contains("---@meta skynet.crypt"));
    let settings: serde_json::Value = serde_json::from_str(&read(".luarc.json")).expect("JSON");
    assert_eq!(settings["workspace.library"][0], "types");
    // Settings that are there stay.
    fs::write(folder.join(".luarc.json"), "{}").unwrap();
    let (status, text) = output(&folder, &["types", "types"]);
    assert_eq!(status, Some(0), "{text}");
    assert_eq!(read(".luarc.json"), "{}");
}

#[test]
fn completions_and_man_pages_know_every_command() {
    let folder = scratch("pages");
    let (status, text) = output(&folder, &["completions", "bash"]);
    assert_eq!(status, Some(0), "{text}");
    for command in ["run", "new", "test", "check", "top"] {
        assert!(
            text.contains(&format!("skynet,{command})")),
            "{command}: {text}"
        );
    }
    assert!(!text.contains("test-node"), "{text}");
    let (status, text) = output(&folder, &["man", "pages"]);
    assert_eq!(status, Some(0), "{text}");
    for page in ["skynet.1", "skynet-run.1", "skynet-test.1", "skynet-top.1"] {
        assert!(folder.join("pages").join(page).is_file(), "{page}");
    }
    assert!(!folder.join("pages/skynet-test-node.1").exists());
    let front = fs::read_to_string(folder.join("pages/skynet.1")).unwrap();
    let front = front.replace('\\', "");
    for line in front.lines().filter(|line| line.starts_with("skynet-")) {
        let page = line.replace("(1)", ".1");
        assert!(folder.join("pages").join(&page).is_file(), "{page}");
    }
    assert!(front.contains("skynet-run(1)"), "{front}");
    for (page, parts) in [
        ("run", ["[-s|--set KEY=VALUE]...", "[PATH]", "[-- ARGS...]"]),
        ("test", ["[--config FILE]", "[-j|--jobs N]", "[PATH...]"]),
        ("top", ["[-i|--interval SECONDS]", "[--once]", " NODE"]),
        ("new", ["[-t|--template TEMPLATE]", "[--rust]", " PATH"]),
    ] {
        let text = fs::read_to_string(folder.join(format!("pages/skynet-{page}.1"))).unwrap();
        let (_, rest) = text.split_once(".SH SYNOPSIS\n").unwrap();
        let line = rest.lines().next().unwrap();
        let line = line.replace("\\fB", "").replace("\\fI", "");
        let line = line.replace("\\fR", "").replace("\\-", "-");
        for part in parts {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
}
