//! What `skynet test` tells of tests that fail, that do not end, and that end their node.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::scratch;

fn project(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = scratch(&format!("testing-{name}"));
    for (file, text) in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn test(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_skynet"))
        .arg("test")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

const KINDS: &str = r#"
local skynet = require "skynet"
local test = require "skynet.test"
local log = {}
test.before(function() log[#log + 1] = "before" end)
test.after(function() log[#log + 1] = "after" end)

test("passes", function() test.equal(1, 1) end)
test("differs", function()
	test.equal({ a = { 1, 2 }, b = "x" }, { a = { 1, 3 }, c = true })
end)
test("raises nothing", function() test.raises(function() end, "x") end)
test("raises another", function() test.raises(function() error "apple" end, "pear") end)
test("raises", function() test.matches(test.raises(function() error "apple" end, "appl"), "apple") end)
test("is skipped", { skip = "no time" }, function() error "never" end)
test("skips itself", function() test.skip "not here" end)
test("fails in a fork", function()
	skynet.fork(function() test.fail "in the fork" end)
	skynet.sleep(1)
end)
test("waits for ever", { limit = 0.2 }, function() skynet.wait {} end)
test("hooks ran around each", function()
	local text = table.concat(log, " ")
	test.equal(text, string.rep("before after", 8, " ") .. " before")
end)
"#;

#[test]
fn each_kind_of_failure_says_what_where_and_why() {
    let folder = project("kinds", &[("test/kinds_test.lua", KINDS)]);
    let (status, text) = test(&folder, &[]);
    assert_eq!(status, Some(1), "{text}");
    has(
        &text,
        &[
            "FAILED test/kinds_test.lua  (10 tests,",
            "FAILED: differs\n        test/kinds_test.lua:10: not equal:",
            "at .a[2]\n            got:      2\n            expected: 3",
            "at .c\n            got:      nil\n            expected: true",
            "at .b\n            got:      \"x\"\n            expected: nil",
            "test/kinds_test.lua:12: no error, where one should be",
            "has nothing that matches \"pear\": test/kinds_test.lua:13: apple",
            "skipped: is skipped (no time)",
            "skipped: skips itself (not here)",
            "test/kinds_test.lua:18: in the fork",
            "not done after 0.2 s; it waits here:",
            "test/kinds_test.lua:21: in",
            "the log of its node:",
            "LAUNCH snlua test_runner",
            "10 tests in 1 file, 5 failed, 2 skipped",
        ],
    );
    assert!(!text.contains("FAILED: hooks"), "{text}");
}

#[test]
fn a_node_that_loops_or_ends_fails_its_test_and_no_other_file() {
    let begin = "local test = require 'skynet.test'\ntest('first', function() end)\n";
    let file = |body: &str| {
        format!("{begin}test('bad', function() {body} end)\ntest('last', function() end)")
    };
    let folder = project(
        "ends",
        &[
            (
                "a_test.lua",
                &file("require('skynet.manager').abort() require('skynet').wait()"),
            ),
            ("b_test.lua", &file("os.exit(7)")),
            ("c_test.lua", "error 'at the top'"),
            ("d_test.lua", "this is no Lua"),
            ("e_test.lua", begin),
        ],
    );
    let (status, text) = test(&folder, &["-j", "2"]);
    assert_eq!(status, Some(1), "{text}");
    has(
        &text,
        &[
            "the node ended before its tests did: with status 0 (did something call skynet.abort?)",
            "the node ended before its tests did: with status 7",
            "c_test.lua:1: at the top",
            "d_test.lua:1: syntax error",
            "ok     e_test.lua  (1 test,",
            "FAILED: last\n        not run: the node ended in \"bad\"",
            "7 tests in 5 files, 4 failed, 2 files could not be run to the end",
        ],
    );
    let looping = project("loops", &[("a_test.lua", &file("while true do end"))]);
    // One worker, which loops: nobody is left who could write the log.
    let (status, text) = test(&looping, &["--limit", "4", "--seed", "1"]);
    assert_eq!(status, Some(1), "{text}");
    has(
        &text,
        &[
            "FAILED: bad\n        nothing happened for 18 s: the node was ended; what ran is\n",
            "\ta_test.lua:3: in ",
        ],
    );
}

#[test]
fn a_test_answers_for_its_tasks_and_for_no_other_test() {
    let tasks = r#"
local skynet = require "skynet"
local test = require "skynet.test"
test("slow", { limit = 1 }, function() skynet.sleep(150) end)
test("innocent", { limit = 10 }, function() skynet.sleep(100) end)
test("forks", function()
	skynet.fork(function() error "apple" end)
	skynet.sleep(1)
end)
test("sets a timer", function()
	skynet.timeout(1, function() error "pear" end)
	skynet.sleep(5)
end)
test("leaves a task", function()
	skynet.fork(function() skynet.sleep(10) error "plum" end)
end)
test("leaves an assertion", function()
	skynet.fork(function() skynet.sleep(10) test.equal(1, 2) end)
end)
test("comes later", function() skynet.sleep(50) end)
test("checks its options", function()
	for _, limit in ipairs { 0, -1, 1 / 0, 0 / 0, 1e7, "1" } do
		test.raises(function() test.add("x", { limit = limit }, print) end, "limit is a number of seconds")
	end
	test.raises(function() test.add("x", { limits = 1 }, print) end, 'no option "limits"')
end)
"#;
    let hook = "local test = require 'skynet.test'
test.before_all(function() error 'early' end)
        test('never runs', function() end)";
    let folder = project("tasks", &[("a_test.lua", tasks), ("b_test.lua", hook)]);
    let (status, text) = test(&folder, &[]);
    assert_eq!(status, Some(1), "{text}");
    let late = "\n        in a task that went on after the test: a_test.lua:";
    has(
        &text,
        &[
            "FAILED: slow\n        not done after 1 s",
            "FAILED: forks\n        a_test.lua:7: apple",
            "FAILED: sets a timer\n        a_test.lua:11: pear",
            &format!("FAILED: leaves a task{late}15: plum"),
            &format!("FAILED: leaves an assertion{late}18: not equal"),
            "before the tests: b_test.lua:2: early",
            "FAILED: never runs\n        not run: ",
            "9 tests in 2 files, 6 failed, 1 file could not be run to the end",
        ],
    );
}

#[test]
fn results_go_to_programs_as_tap_and_junit() {
    let folder = project("formats", &[("test/kinds_test.lua", KINDS)]);
    let arguments = ["--tap", "--junit", "out.xml", "--filter", "s", "test"];
    let (status, text) = test(&folder, &arguments);
    assert_eq!(status, Some(1), "{text}");
    has(
        &text,
        &[
            "TAP version 14\n1..10\nok 1 - test/kinds_test.lua: passes\n",
            "not ok 2 - test/kinds_test.lua: differs\n  ---\n  message: |\n",
            "ok 6 - test/kinds_test.lua: is skipped # SKIP no time",
            "# the log of the node of test/kinds_test.lua:\n#   | ",
        ],
    );
    // Once, however many tests have failed.
    assert_eq!(
        text.matches("LAUNCH snlua test_runner").count(),
        1,
        "{text}"
    );
    let xml = fs::read_to_string(folder.join("out.xml")).unwrap();
    has(
        &xml,
        &[
            "<testsuite name=\"test/kinds_test.lua\" tests=\"10\" failures=\"5\" errors=\"0\" skipped=\"2\"",
            "<skipped message=\"no time\"/>",
            "</testsuites>",
        ],
    );
    let (status, text) = test(&folder, &["--filter", "passes"]);
    assert_eq!(status, Some(0), "{text}");
    has(&text, &["1 test in 1 file, 0 failed"]);
    let (status, text) = test(&folder, &["--filter", "nosuch"]);
    assert_eq!(status, Some(1), "{text}");
    has(&text, &["no test has \"nosuch\" in its name"]);
    let (status, text) = test(&folder, &["nosuch"]);
    assert_eq!(status, Some(2), "{text}");
    // Several places; what is found twice runs once.
    let places = ["--filter", "passes", "test", "test/kinds_test.lua"];
    let (status, text) = test(&folder, &places);
    assert_eq!(status, Some(0), "{text}");
    has(&text, &["1 test in 1 file, 0 failed"]);
}

#[test]
fn fakes_answer_and_remember_and_go_with_their_test() {
    let shop = "
local skynet = require 'skynet'
skynet.start(function()
	skynet.dispatch('lua', function(_, _, item)
		local stock = skynet.uniqueservice 'stock'
		skynet.send('.books', 'lua', 'sold', item)
		skynet.retpack(skynet.call(stock, 'lua', 'take', item, 1))
	end)
end)";
    let tests = "
local skynet = require 'skynet'
local test = require 'skynet.test'
test('a unique and a named service are stood in for', function()
	local left = 5
	local stock = test.fake('stock', { take = function(_, count) left = left - count return left end })
	local books = test.fake('.books', { sold = true })
	local shop = test.service 'shop'
	test.equal(skynet.call(shop, 'lua', 'apple'), 4)
	test.equal(stock.calls[1][1], 'apple')
	test.equal(stock.calls[1].source, shop)
	test.wait_for(function() return books:count 'sold' == 1 end)
	test.equal(books.calls[1].wants_answer, false)
	stock:answer('take', function() error 'nothing is left' end)
	test.raises(function() skynet.call(shop, 'lua', 'apple') end)
end)
test('they are gone behind it', function()
	test.equal(skynet.localname '.books', nil)
	test.raises(function() skynet.uniqueservice 'stock' end) -- there is no such script
end)
test('a script in test/fakes takes the place of a service', function()
	test.equal(skynet.call(test.service 'bank', 'lua'), 'no real money')
end)";
    let bank = |answer: &str| {
        format!(
            "local skynet = require 'skynet'\nskynet.start(function() skynet.dispatch('lua', function() skynet.retpack '{answer}' end) end)"
        )
    };
    let folder = project(
        "fakes",
        &[
            ("main.lua", ""),
            ("service/shop.lua", shop),
            ("service/bank.lua", &bank("real money")),
            ("test/fakes/bank.lua", &bank("no real money")),
            ("test/shop_test.lua", tests),
        ],
    );
    let (status, text) = test(&folder, &["test/shop_test.lua"]);
    assert_eq!(status, Some(0), "{text}");
    has(&text, &["3 tests in 1 file, 0 failed"]);
}

#[test]
fn a_fake_of_a_unique_service_that_runs_or_starts_gives_its_place_back() {
    let service = |before: &str| {
        format!(
            "local skynet = require 'skynet'\nskynet.start(function() {before} skynet.dispatch('lua', function() skynet.retpack 'real' end) end)"
        )
    };
    let tests = "
local skynet = require 'skynet'
local test = require 'skynet.test'
local function ask(name) return skynet.call(skynet.uniqueservice(name), 'lua', 'get') end
local bank = skynet.uniqueservice 'bank'
local slow
test('fakes stand in', function()
	test.fake('bank', { get = 'first' })
	test.equal(ask 'bank', 'first')
	test.fake('bank', { get = 'second' })
	test.equal(ask 'bank', 'second')
	skynet.fork(function() slow = skynet.uniqueservice 'slow' end)
	test.wait_for(function() return skynet.localname '.starting' end)
	local found
	skynet.fork(function() found = ask 'slow' end)
	skynet.yield()
	test.fake('slow', { get = 'fake' })
	test.equal(ask 'slow', 'fake')
	test.wait_for(function() return found end)
	test.equal(found, 'fake')
	skynet.send('.starting', 'lua', 'go')
	test.wait_for(function() return slow end)
	test.equal(ask 'slow', 'fake')
end)
test('what was there before is there again', function()
	test.equal(skynet.uniqueservice 'bank', bank)
	test.equal(ask 'bank', 'real')
	test.equal(skynet.uniqueservice 'slow', slow)
	test.equal(ask 'slow', 'real')
end)";
    let starting = "
require('skynet.manager').register '.starting'
local co = coroutine.running()
skynet.dispatch('lua', function() skynet.wakeup(co) end)
skynet.wait(co)";
    let folder = project(
        "unique",
        &[
            ("main.lua", ""),
            ("service/bank.lua", &service("")),
            ("service/slow.lua", &service(starting)),
            ("test/unique_test.lua", tests),
        ],
    );
    let (status, text) = test(&folder, &["test/unique_test.lua"]);
    assert_eq!(status, Some(0), "{text}");
    has(&text, &["2 tests in 1 file, 0 failed"]);
}

#[test]
fn a_config_gives_its_settings_to_the_tests() {
    let folder = project(
        "config",
        &[
            (
                "etc/config",
                "thread = 1 harbor = 0 start = 'nosuch' daemon = './pid' colour = 'red' luaservice = './more/?.lua'",
            ),
            ("more/extra.lua", "require('skynet').start(function() end)"),
            (
                "a_test.lua",
                "local test = require 'skynet.test'\ntest('x', function()\n test.equal(require('skynet').getenv 'colour', 'red')\n test.service 'extra'\nend)",
            ),
        ],
    );
    let (status, text) = test(&folder, &["--config", "etc/config"]);
    assert_eq!(status, Some(0), "{text}");
    assert!(!folder.join("pid").exists());
}

#[test]
fn each_file_belongs_to_the_nearest_project_above_it() {
    let service = |answer: &str| {
        format!(
            "local skynet = require 'skynet'\nskynet.start(function() skynet.dispatch('lua', function() skynet.retpack '{answer}' end) end)"
        )
    };
    let asks = |answer: &str| {
        format!(
            "local test = require 'skynet.test'\nlocal skynet = require 'skynet'\ntest('x', function() test.equal(skynet.call(test.service 'own', 'lua'), '{answer}') end)"
        )
    };
    let folder = project(
        "projects",
        &[
            ("one/main.lua", ""),
            ("one/service/own.lua", &service("one")),
            ("one/test/deep/a_test.lua", &asks("one")),
            ("two/service/own.lua", &service("two")),
            ("two/test/b_test.lua", &asks("two")),
        ],
    );
    for (place, arguments) in [
        ("", &[][..]),
        ("one/test", &[]),
        ("two", &["test/b_test.lua"]),
        ("one", &["../two/test"]),
    ] {
        let (status, text) = test(&folder.join(place), arguments);
        assert_eq!(status, Some(0), "{place} {arguments:?}: {text}");
    }
    let (status, text) = test(Path::new("/"), &[folder.to_str().unwrap()]);
    assert_eq!(status, Some(0), "{text}");
    has(&text, &["2 tests in 2 files"]);
}
