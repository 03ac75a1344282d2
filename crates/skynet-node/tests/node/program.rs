//! The example `game`: a program with the command line of the executable.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Cargo has built it beside the tests.
fn game() -> PathBuf {
    let tests = std::env::current_exe().expect("a program");
    let target = tests.ancestors().nth(2).expect("target/debug/deps/test");
    target.join("examples/game")
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(game())
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the example is built");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

#[test]
fn a_program_runs_scripts_and_tests_with_its_services_and_compiled_ones() {
    let folder = std::env::temp_dir().join(format!("skynet-node-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("cservice")).expect("a folder");
    let main = r#"
local skynet = require "skynet"
require "skynet.manager"
skynet.start(function()
	local counter = skynet.launch("counter", 100)
	print("counter:", skynet.call(counter, "lua", "add", 5))
	print("compiled:", skynet.launch "mute" ~= nil)
	skynet.abort()
end)
"#;
    let test = r#"
local skynet = require "skynet"
local test = require "skynet.test"
require "skynet.manager"
test("an hour", { limit = 4000 }, function()
	test.needs_virtual_time()
	local counter = skynet.launch("counter", 1)
	skynet.sleep(360000)
	test.equal(skynet.call(counter, "lua", "add", 1), 2)
end)
"#;
    // It needs a function of the core, which the program exports.
    let mute = "void skynet_error(void *, const char *, ...);\n\
                int mute_init(void *instance, void *context, const char *args) { skynet_error(context, \"mute\"); return 0; }\n";
    for (name, text) in [
        ("main.lua", main),
        ("hour_test.lua", test),
        ("mute.c", mute),
    ] {
        fs::write(folder.join(name), text).expect("a file");
    }
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o", "cservice/mute.so", "mute.c"])
        .current_dir(&folder)
        .status();
    assert!(compiled.expect("a C compiler").success());
    let text = run(&folder, &["run"]);
    assert!(text.contains("counter:\t105"), "{text}");
    assert!(text.contains("compiled:\ttrue"), "{text}");
    let text = run(&folder, &["test", "--virtual-time"]);
    assert!(text.contains("1 test in 1 file, 0 failed"), "{text}");
    fs::remove_dir_all(&folder).expect("the folder");
}
