//! Files of machine code that projects bring along: for another Lua, for the insides of this one, with names of the C core's
//! executable, and a `snlua` of their own.
#![cfg(all(feature = "lua", target_os = "linux"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::node::{self, run_test};
use crate::tools::peer::free_port;
use crate::tools::{compiler, lua_headers, lua_sources_of, root, run, scratch};

/// Compiles `test-c/modules/SOURCE.c` to `FOLDER/NAME.so` with these headers of Lua.
fn module(folder: &Path, source: &str, name: &str, headers: &Path, options: &[&str]) {
    run(compiler("c")
        .args(["-shared", "-fPIC", "-O2"])
        .arg(format!("-DOPEN=luaopen_{name}"))
        .args(options)
        .arg("-isystem")
        .arg(headers)
        .arg(root().join(format!("test-c/modules/{source}.c")))
        .arg("-o")
        .arg(folder.join(name).with_extension("so")));
}

fn on_cpath(folder: &Path) -> String {
    format!("lua_cpath = {:?}", folder.join("?.so"))
}

#[test]
fn modules_for_another_lua_are_refused_or_warned_of() {
    let folder = scratch("foreign-modules");
    for (version, suffix) in [("5.3", "53"), ("5.4", "54"), ("5.5", "55")] {
        let headers = lua_sources_of(version);
        let build = |name: &str, options: &[&str]| {
            module(
                &folder,
                "foreign",
                &format!("{name}{suffix}"),
                &headers,
                options,
            );
        };
        build("checks", &["-DCHECKS"]);
        build("upvalues", &["-DUPVALUES"]);
        build("plain", &[]);
        if version == "5.3" {
            build("box", &["-DBOX"]);
        }
    }
    let headers = lua_sources_of("5.5");
    module(&folder, "foreign", "cjson", &headers, &["-DCHECKS"]);
    let output = run_test("lua", "foreign", &on_cpath(&folder));
    let warnings: Vec<&str> = output
        .lines()
        .filter(|line| line.contains("] warning: "))
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("plain54.so does not ask for the version of Lua"));
}

#[test]
fn modules_may_know_the_insides_of_lua_and_of_jemalloc() {
    let folder = scratch("insides-modules");
    let headers = lua_headers(&["--internal"]);
    module(&folder, "insides", "lua_insides", &headers, &[]);
    module(&folder, "jemalloc", "jemalloc", &headers, &[]);
    if cfg!(feature = "jemalloc") {
        run_test("lua", "insides", &on_cpath(&folder));
    }
}

#[test]
fn a_projects_own_snlua_finds_what_is_inside_of_the_executable() {
    let folder = scratch("own-snlua");
    let headers = lua_headers(&[]);
    module(&folder, "ownvm", "snlua", &headers, &[]);
    // The C core's modules are in a file of that name; it is no reason not to look for `skynet` elsewhere.
    let luaclib = scratch("own-luaclib");
    module(
        &luaclib,
        "foreign",
        "skynet",
        &headers,
        &["-DCHECKS", "-UOPEN", "-DOPEN=luaopen_skynet_other"],
    );
    let cpath = folder.join("?.so");
    let config = format!("cpath = {cpath:?}\n{}", on_cpath(&luaclib));
    run_test("lua", "ownvm", &config);
}

/// Runs a node with these lines in its config; its status must be 1. Answers what it wrote, errors included.
fn refused(folder: &Path, config: &str) -> String {
    fs::write(folder.join("config"), config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_skynet"))
        .arg("config")
        .current_dir(folder)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    text
}

fn old_snlua(test: &str, version: &str) -> PathBuf {
    let folder = scratch(test);
    fs::create_dir(folder.join("cservice")).unwrap();
    let headers = lua_sources_of(version);
    module(&folder.join("cservice"), "ownvm", "snlua", &headers, &[]);
    folder
}

#[test]
fn an_old_snlua_is_refused_with_its_version_and_the_ways_out() {
    for version in ["5.3", "5.4"] {
        let folder = old_snlua(&format!("old-snlua-{version}"), version);
        let text = refused(&folder, "thread = 2\nharbor = 0\n");
        for words in [
            "try open snlua failed : ",
            "undefined symbol: luaL_openlibs",
            "./cservice/snlua.so was compiled for Lua 5.",
            "this executable has Lua 5.5. Remove ./cservice/snlua.so",
            "compat/SWAP.md",
            "Bootstrap error : snlua bootstrap",
        ] {
            assert!(text.contains(words), "no {words:?} in\n{text}");
        }
    }
}

#[test]
fn a_loader_of_a_projects_own_has_to_be_there() {
    let folder = scratch("no-loader");
    let text = refused(
        &folder,
        "thread = 2\nharbor = 0\nlualoader = 'nosuch.lua'\n",
    );
    assert!(
        text.contains("Can't load nosuch.lua : cannot open nosuch.lua: No such file or directory"),
        "{text}"
    );
    // That of the layer may be left to the executable, wherever the config says that the layer is.
    let scripts = root().join("tests/lua").display().to_string();
    let config = node::config(&scripts, None)
        + "harbor = 0\nstart = 'small'\nlualoader = './skynet/lualib/loader.lua'\n";
    fs::write(folder.join("config"), config).unwrap();
    let (status, output) = node::run_node(&folder, "config");
    assert!(status.success(), "{output}");
}

#[test]
fn names_of_the_first_generation_say_how_to_get_them_back() {
    let folder = scratch("old-names");
    fs::write(folder.join("main.lua"), "require 'socketchannel'").unwrap();
    let text = refused(&folder, "thread = 2\nharbor = 0\nluaservice = './?.lua'\n");
    assert!(
        text.contains("no built-in module 'socketchannel' (skynet 1.0 had it"),
        "{text}"
    );
}

/// `require` for services that a project wrote itself: runs what `package.searchpath` names, in the task that asks.
const OWN_REQUIRE: &str = r#"
local M = { overlay = true }
local lists = { [coroutine.running()] = {} }
local main, plain = coroutine.running(), require
function M.require(name)
	local file = not coroutine.isyieldable() or package.loaded[name] == nil and package.searchpath(name, package.path)
	if file == true or not file then
		return package.loaded[name] or plain(name)
	end
	local me = coroutine.running()
	local before, list = lists[me], {}
	lists[me] = list
	local value = assert(loadfile(file))(name, file)
	for _, f in ipairs(list) do
		f()
	end
	lists[me] = before
	package.loaded[name] = value == nil or value
	return package.loaded[name]
end
function M.init(f)
	table.insert(lists[coroutine.running()], f)
end
function M.init_all()
	for _, f in ipairs(lists[main]) do
		f()
	end
end
return M
"#;

#[test]
fn single_files_of_the_layer_can_be_replaced() {
    let folder = scratch("overlay");
    fs::create_dir_all(folder.join("skynet")).unwrap();
    let ours = |name: &str| fs::read_to_string(root().join("lualib").join(name)).unwrap();
    let skynet = ours("skynet.lua");
    let (before, last) = skynet.trim_end().rsplit_once('\n').unwrap();
    let changed = format!("{before}\nskynet.overlay = true\n{last}\n");
    fs::write(folder.join("skynet.lua"), changed).unwrap();
    fs::write(folder.join("skynet/require.lua"), OWN_REQUIRE).unwrap();
    fs::write(folder.join("skynet/socket.lua"), ours("skynet/socket.lua")).unwrap();
    let folder = folder.display();
    let config = format!("lua_path = '{folder}/?.lua;' .. lua_path\noverlay = '{folder}'");
    run_test("lua", "overlay", &config);
}

#[test]
fn services_of_another_layer_are_named_when_they_do_not_fit() {
    let folder = root().join("tests/lua/otherlayer");
    let config = format!(
        "luaservice = '{}/?.lua;' .. luaservice\nports = '{}'",
        folder.display(),
        free_port()
    );
    let output = run_test("lua", "mixed", &config);
    let words = "clusteragent.lua on luaservice is of another Lua layer than clusterd.lua";
    assert!(output.contains(words), "{output}");
}

/// The channels of releases up to v1.8.0 want host and port apart, and have other names for what is inside of them.
#[test]
fn the_services_of_cluster_work_with_the_channel_of_another_layer() {
    let folder = scratch("other-channel");
    fs::create_dir_all(folder.join("skynet")).unwrap();
    let file = folder.join("skynet/socketchannel.lua");
    let ours = fs::read_to_string(root().join("lualib/skynet/socketchannel.lua")).unwrap();
    let other = ours
        .replace("host = assert(options.host", "__host = assert(options.host")
        .replace(
            "port = options.port",
            "__port = assert(options.port, 'no port')",
        )
        .replace("self.host", "self.__host")
        .replace("self.port", "self.__port");
    fs::write(&file, other).unwrap();
    let config = format!(
        "lua_path = '{}/?.lua;' .. lua_path\nports = '{}'",
        folder.display(),
        free_port()
    );
    run_test("lua", "otherchannel", &config);

    fs::write(
        &file,
        "return { channel = function() error 'wants no table' end }",
    )
    .unwrap();
    let config = format!("{config}\nunfit = 'yes'");
    let output = run_test("lua", "otherchannel", &config);
    let words = "skynet/socketchannel.lua is of another Lua layer than clustersender.lua";
    assert!(
        output.contains(words) && output.contains("wants no table"),
        "{output}"
    );
}
