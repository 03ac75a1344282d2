//! `skynet check`: what it finds in small projects, a finding each.

mod releases;
mod trees;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A project in a folder of its own.
struct Project(PathBuf);

impl Project {
    fn new(name: &str, files: &[(&str, &str)]) -> Project {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("check-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let project = Project(folder);
        for (file, text) in files {
            project.write(file, text);
        }
        project
    }

    fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Compiles a file to `lib`, which may leave symbols to the process.
    fn compile(&self, lib: &str, source: &str) {
        let lib = self.0.join(lib);
        fs::create_dir_all(lib.parent().unwrap()).unwrap();
        let source_file = lib.with_extension("c.in");
        fs::write(&source_file, source).unwrap();
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-w", "-x", "c"])
            .arg(&source_file)
            .arg("-o")
            .arg(&lib)
            .status()
            .unwrap();
        assert!(status.success());
        fs::remove_file(source_file).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_skynet"))
            .current_dir(&self.0)
            .arg("check")
            .args(arguments)
            .output()
            .unwrap()
    }

    /// The report, and the exit status.
    fn check(&self, path: &str) -> (Value, i32) {
        let output = self.run(&["--json", path]);
        let status = output.status.code().unwrap();
        assert!(
            output.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        (serde_json::from_slice(&output.stdout).unwrap(), status)
    }

    /// `LEVEL KIND PLACE` of every finding.
    fn findings(&self, path: &str) -> Vec<String> {
        let (report, _) = self.check(path);
        lines(&report)
    }
}

fn lines(report: &Value) -> Vec<String> {
    let list = report["findings"].as_array().unwrap();
    list.iter()
        .map(|finding| {
            let field = |name: &str| finding[name].as_str().unwrap().to_owned();
            assert!(!field("what").is_empty());
            format!("{} {} {}", field("level"), field("kind"), field("place"))
        })
        .collect()
}

#[test]
fn a_project_without_a_fault_has_no_findings() {
    let project = Project::new(
        "clean",
        &[
            (
                "config",
                "thread = 2\nharbor = 0\nstart = 'main'\nluaservice = './service/?.lua'\nlualoader = './lualib/loader.lua'\n",
            ),
            ("service/main.lua", "#!/usr/bin/lua\nprint 'hello'\n"),
        ],
    );
    let (report, status) = project.check(".");
    assert_eq!(lines(&report), Vec::<String>::new());
    assert_eq!((status, report["swap"].as_str()), (0, Some("executable")));
    assert_eq!(report["seen"]["scripts"], 1);
    assert_eq!(report["seen"]["configs"], 1);
    let text = project.run(&["."]).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.ends_with("Nothing has to be done.\n"), "{text}");
}

#[test]
fn configs_are_looked_at_key_by_key() {
    let config = "\
thrad = 2
thread = 0
harbor = 300
nobody_knows_this = 1
cpath = './cservice/nothing.so;./none/?.so'
lualoader = './no/loader.lua'
logpath = './logs'
daemon = './run/pid'
luaservice = './service/?.lua'
start = 'mian'
home = '$NO_SUCH_VARIABLE_HERE'
";
    let project = Project::new("config", &[("config", config), ("service/main.lua", "")]);
    let (report, status) = project.check("config");
    assert_eq!(status, 1);
    let list = report["findings"].as_array().unwrap();
    let whats: Vec<_> = list
        .iter()
        .map(|finding| finding["what"].as_str().unwrap())
        .collect();
    for expected in [
        "thread = 0 should be in [1,1024], or auto",
        "harbor = 300 should be in [0,255]",
        "cpath: `./cservice/nothing.so` has no `?` for the name that is looked for",
        "harbor is 300, and there is no address and no master",
        "cpath: there is no folder ./none",
        "lualoader: there is no file ./no/loader.lua",
        "logpath: there is no folder ./logs",
        "daemon: there is no folder ./run",
        "start: no service `mian` on luaservice (./service/?.lua)",
        "$NO_SUCH_VARIABLE_HERE is not in this environment",
    ] {
        assert!(whats.contains(&expected), "{expected}\n{whats:#?}");
    }
    assert_eq!(whats.len(), 10, "{whats:#?}");
}

#[test]
fn a_misspelled_key_is_named_with_the_one_that_was_meant() {
    let project = Project::new(
        "key",
        &[
            (
                "config",
                "thrad = 2\nharbor = 0\nstart = 'main'\nport = 1\n",
            ),
            ("service/main.lua", ""),
        ],
    );
    let (report, status) = project.check("config");
    let finding = &report["findings"][0];
    assert_eq!(status, 0, "a node starts with it");
    assert_eq!(finding["kind"], "unknown-key");
    assert_eq!(finding["what"], "nothing reads the key `thrad`");
    assert_eq!(finding["remedy"], "did you mean `thread`?");
    assert_eq!(report["findings"].as_array().unwrap().len(), 1);
}

/// Keys are read by scripts too: one that a script names is none of ours.
#[test]
fn a_key_that_a_script_names_is_not_misspelled() {
    let config = "thread = 1\nharbor = 0\nstart = 'main'\nlog_path = 'here'\n";
    let script = "local folder = skynet.getenv 'log_path'\n";
    let project = Project::new(
        "own-key",
        &[("config", config), ("service/main.lua", script)],
    );
    assert_eq!(project.findings("."), [""; 0]);
    project.write("service/main.lua", "return 1\n");
    assert_eq!(project.findings("."), ["warning unknown-key config"]);
    project.write("config", &format!("{config}archive = log_path .. '/x'\n"));
    assert_eq!(project.findings("."), [""; 0], "the config itself reads it");
}

#[test]
fn paths_behind_an_unknown_variable_are_not_judged() {
    let config =
        "thread = 1\nharbor = 0\nstart = 'main'\nluaservice = '$SKYNET_CHECK_ROOT/?.lua'\n";
    let project = Project::new("variable", &[("config", config)]);
    assert_eq!(project.findings("."), ["note environment config"]);
}

#[test]
fn a_config_that_is_none_is_an_error() {
    let project = Project::new("noconfig", &[("config", "thread = \n= 1\nstart = 5")]);
    assert_eq!(project.findings("config"), ["error config config"]);
}

#[test]
fn scripts_of_an_older_lua_are_named_with_their_line() {
    let text = "local n = 0\nfor i = 1, 3 do\n\ti = i + 1\nend\n";
    let project = Project::new(
        "script",
        &[("lualib/old.lua", text), ("lualib/new.lua", "return {}")],
    );
    assert_eq!(project.findings("."), ["error lua-syntax lualib/old.lua:3"]);
}

#[test]
fn a_mark_of_utf_8_and_a_line_for_the_shell_are_no_mistakes() {
    let files = [
        ("lualib/mark.lua", "\u{feff}return {}"),
        ("lualib/both.lua", "\u{feff}#!/bin/lua\nreturn {}"),
        ("lualib/bad.lua", "\u{feff}\nreturn ="),
    ];
    let project = Project::new("mark", &files);
    // What no Lua has ever compiled does not stand in the way.
    let found = project.findings(".");
    assert_eq!(found, ["warning lua-syntax lualib/bad.lua:2"]);
}

#[test]
fn the_lua_of_compiled_files_decides_about_the_swap() {
    let project = Project::new("lua54", &[]);
    project.compile(
        "luaclib/old.so",
        "void lua_resetthread(void *); int luaopen_old(void *L) { lua_resetthread(L); return 0; }",
    );
    let (report, status) = project.check(".");
    assert_eq!(report["swap"], "link");
    assert_eq!(report["lua"][0]["version"], "5.4");
    assert_eq!(status, 0, "the link swap takes it as it is");
    assert!(lines(&report).contains(&"error lua luaclib/old.so".into()));
    assert_eq!(report["findings"][0]["only"], "executable");

    // Beside a file for 5.5 there is no way.
    project.compile(
        "luaclib/new.so",
        "void *luaL_alloc(void *, void *, long, long); int luaopen_new(void *L) { luaL_alloc(L, L, 0, 0); return 0; }",
    );
    let (report, status) = project.check(".");
    assert_eq!(status, 1);
    assert!(lines(&report).contains(&"error mixed-lua .".into()));
}

#[test]
fn symbols_that_are_missing_or_brought_along_are_named() {
    let project = Project::new("symbols", &[]);
    project.compile(
        "cservice/asks.so",
        "void skynet_no_such(void); int asks_init(void) { skynet_no_such(); return 0; }",
    );
    project.compile(
        "luaclib/lua.so",
        "int lua_newstate(void) { return 0; } int luaopen_lua(void *L) { return 0; }",
    );
    project.compile(
        "cservice/clash.so",
        "int skynet_now(void) { return 0; } void *malloc(unsigned long n) { return 0; } int clash_init(void) { return 0; }",
    );
    let mut found = project.findings(".");
    found.sort();
    assert_eq!(
        found,
        [
            "error missing-symbol cservice/asks.so",
            "error own-lua luaclib/lua.so",
            "warning collision cservice/clash.so",
            "warning own-malloc cservice/clash.so",
        ]
    );
}

#[test]
fn the_old_core_is_told_from_this_one() {
    let project = Project::new("cores", &[]);
    project.compile("old.so", "void skynet_start(void) {}");
    project.compile(
        "new.so",
        "void skynet_start(void) {} void skynet_start_for(void) {}",
    );
    let mut found = project.findings(".");
    found.sort();
    assert_eq!(found, ["note core old.so", "note swapped new.so"]);
}

#[test]
fn a_module_that_never_asks_for_its_lua_is_pointed_at() {
    let project = Project::new("unchecked", &[]);
    project.compile(
        "luaclib/quiet.so",
        "void lua_settop(void *, int); int luaopen_quiet(void *L) { lua_settop(L, 0); return 0; }",
    );
    assert_eq!(
        project.findings("."),
        ["warning unchecked-lua luaclib/quiet.so"]
    );
}

/// Configs of a skynet inside of the project are started in that folder, and a part of configs is none.
#[test]
fn configs_are_judged_from_where_they_are_started() {
    let project = Project::new(
        "inside",
        &[
            ("skynet/skynet-src/own.h", ""),
            ("skynet/service/hello.lua", ""),
            (
                "skynet/examples/config",
                "include 'config.path'\nthread = 1\nharbor = 0\nstart = 'hello'\nif $DAEMON_NOT_SET then daemon = './no/pid' end",
            ),
            (
                "skynet/examples/config.path",
                "luaservice = './service/?.lua'\nlua_path = './service/?.lua'\n",
            ),
        ],
    );
    assert_eq!(
        project.findings("."),
        ["note environment skynet/examples/config"]
    );
}

#[test]
fn what_a_node_does_not_start_with_is_told() {
    let config = "thread = 1\nstart = 'main'\nluaservice = './service'\nlogservice = 'nolog'\napi_version = '0.9'\n";
    let project = Project::new("start", &[("config", config), ("service/main.lua", "")]);
    let mut found = project.findings(".");
    found.sort();
    assert_eq!(
        found,
        [
            "error harbor config",
            "error service config",
            "error service config",
            "error value config",
            "error value config",
        ]
    );
}

#[test]
fn damaged_files_are_told() {
    let project = Project::new("damaged", &[("cservice/x.so", "\x7fELF and no more")]);
    assert_eq!(project.findings("."), ["error damaged cservice/x.so"]);
}

/// Headers in the order of the releases: each adds what the one before lacks.
#[test]
fn the_release_is_read_from_the_headers() {
    let imp = (
        "skynet-src/skynet_imp.h",
        "struct skynet_config { int thread; };",
    );
    let with_profile = (
        "skynet-src/skynet_imp.h",
        "struct skynet_config { int profile; };",
    );
    let all = [
        imp,
        with_profile,
        (
            "skynet-src/socket_info.h",
            "struct socket_info { int id; };",
        ),
        (
            "skynet-src/skynet_socket.h",
            "int skynet_socket_sendbuffer();",
        ),
        (
            "skynet-src/skynet_socket.h",
            "int skynet_socket_sendbuffer(); void skynet_socket_pause();",
        ),
        ("skynet-src/atomic.h", "#define ATOM_INIT"),
    ];
    let project = Project::new("release", &[("skynet-src/skynet.h", "")]);
    let defines = ["10000", "10100", "10200", "10300", "10400", "10500"];
    for ((file, text), define) in all.iter().zip(defines) {
        project.write(file, text);
        let (report, _) = project.check(".");
        assert_eq!(
            report["define"],
            format!("-DSKYNET_API_VERSION={define}"),
            "{file}"
        );
    }
    project.write("skynet-src/skynet_module.h", "struct skynet_module;");
    assert_eq!(project.check(".").0["release"], "v1.6.0 or v1.7.0");
    project.write("skynet-src/skynet_socket.h", "skynet_socket_udp_listen");
    assert_eq!(project.check(".").0["release"], "v1.8.0");
    project.write(
        "skynet-src/skynet_server.h",
        "uint32_t skynet_context_new();",
    );
    let (report, status) = project.check(".");
    assert_eq!(report["define"], Value::Null);
    assert_eq!(status, 0);
    assert_eq!(lines(&report), ["note old-headers skynet-src/"]);
}

#[test]
fn sources_that_need_a_define_or_the_inside_of_lua_are_named_with_their_line() {
    let source = "\
#include \"lstate.h\"
/* ATOM_INC in a comment */
void f(int *n) { ATOM_INC(n); }
void g(void) { struct skynet_context *c = skynet_context_new(\"x\", 0); }
";
    let project = Project::new("source", &[("service-src/service_mine.c", source)]);
    let mut found = project.findings(".");
    found.sort();
    assert_eq!(
        found,
        [
            "warning lua-inside service-src/service_mine.c:1",
            "warning old-name service-src/service_mine.c:3",
            "warning old-name service-src/service_mine.c:4",
        ]
    );
}

#[test]
fn what_cannot_be_looked_at_has_status_2() {
    let project = Project::new("usage", &[]);
    for arguments in [
        &["/no/such/project"][..],
        &["--nothing", "."],
        &[".", "."],
        &[],
    ] {
        let output = project.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
    assert!(project.run(&["--help"]).status.success());
}

/// `skynet check` was a way to run a config of that name, and is one still.
#[test]
fn a_config_named_check_runs() {
    let project = Project::new("named", &[("check", "thread = 0")]);
    let output = project.run(&[]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("Invalid thread 0"), "{text}");
}
