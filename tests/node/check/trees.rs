//! Folders that are not as clean as a small project: `skynet check` comes to an end, and does not take for the project's what
//! is not.

use super::{Project, lines};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

/// What cannot be read, and what has no end, is passed over.
#[test]
fn pipes_sockets_devices_and_loops_are_passed_over() {
    let project = Project::new("odd", &[("service/main.lua", "return 1\n")]);
    for name in ["pipe.lua", "pipe.so", "config"] {
        let status = Command::new("mkfifo").arg(project.0.join(name)).status();
        assert!(status.unwrap().success());
    }
    let _socket = UnixListener::bind(project.0.join("s.so")).unwrap();
    for (target, name) in [
        ("/dev/zero", "zero.lua"),
        ("/proc/kmsg", "kernel.lua"),
        ("nowhere", "dangling.so"),
        (".", "here"),
        ("..", "service/up"),
    ] {
        symlink(target, project.0.join(name)).unwrap();
    }
    let (report, status) = project.check(".");
    assert_eq!((lines(&report), status), (Vec::<String>::new(), 0));
}

#[test]
fn a_config_without_end_is_an_error() {
    let begin = "thread = 1\nstart = 'main'\n";
    for rest in [
        "while true do end\n",
        "include '/dev/zero'\n",
        "x = ('x'):rep(1 << 40)\n",
    ] {
        let project = Project::new("endless", &[("config", &format!("{begin}{rest}"))]);
        assert_eq!(project.findings("."), ["error config config"], "{rest}");
    }
}

#[test]
fn a_reader_that_has_had_enough_is_no_fault() {
    let project = Project::new("cut", &[("service/main.lua", "return 1\n")]);
    for option in ["--json", "--help"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_skynet"))
            .args(["check", option, "."])
            .current_dir(&project.0)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0));
    }
}

/// What several nodes of a game have in common is no node by itself.
#[test]
fn a_part_that_configs_include_is_judged_in_those_alone() {
    let common = "thread = 1\nharbor = 0\nluaservice = root .. './service/?.lua'\n";
    let project = Project::new(
        "parts",
        &[
            ("config/common", common),
            (
                "config/gate",
                "root = '$GAME_ROOT'\ninclude \"common\"\nstart = 'gate'\n",
            ),
            (
                "config/room",
                "root = ''\ninclude('common')\nstart = 'rooms'\n",
            ),
            ("service/room.lua", "return 1\n"),
        ],
    );
    let (report, status) = project.check(".");
    assert_eq!(report["seen"]["configs"], 2);
    let expected = ["error service config/room", "note environment config/gate"];
    assert_eq!(lines(&report), expected);
    assert_eq!(status, 1);
}

#[test]
fn a_link_to_another_folder_is_named() {
    let project = Project::new("link", &[("game/service/main.lua", "return 1\n")]);
    fs::create_dir_all(project.0.join("core")).unwrap();
    symlink("../core", project.0.join("game/skynet")).unwrap();
    assert_eq!(project.findings("game"), ["note link skynet"]);
    assert_eq!(
        project.findings("."),
        [""; 0],
        "it is looked at where it is"
    );
}

/// Others' programs have lines that look like settings, and modules of Lua.
#[test]
fn programs_of_other_kinds_are_not_the_projects() {
    let python = "from __future__ import division\nthread = 1\nstart = 2\n";
    let project = Project::new("others", &[("tools/wait.py", python)]);
    let source = project.write(
        "tool.c",
        "void lua_resetthread(void *);\nint main(void) { lua_resetthread(0); return 0; }\n",
    );
    let status = Command::new("cc")
        .args(["-w", "-Wl,--unresolved-symbols=ignore-all", "-o"])
        .arg(project.0.join("tool"))
        .arg(source)
        .status();
    assert!(status.unwrap().success());
    let (report, _) = project.check(".");
    assert_eq!(lines(&report), Vec::<String>::new());
    assert_eq!(report["swap"], "executable");
}

/// The C core's `md5.so` does not ask for its Lua, nor do its sources keep out of Lua's inside; neither is a fault.
#[test]
fn what_came_with_the_release_is_no_fault_of_the_project() {
    let project = Project::new(
        "own",
        &[
            ("lualib-src/lua-sharetable.c", "#include \"lgc.h\"\n"),
            ("lualib-src/lua-mine.c", "#include \"lgc.h\"\n"),
        ],
    );
    project.compile(
        "luaclib/md5.so",
        "void lua_rotate(void *, int, int); int luaopen_md5_core(void *L) { lua_rotate(L, 1, 1); return 0; }",
    );
    project.compile(
        "luaclib/mine.so",
        "void lua_resetthread(void *), luaL_checkversion_(void *, double, unsigned long);\n\
         int luaopen_mine(void *L) { luaL_checkversion_(L, 504, 136); lua_resetthread(L); return 0; }",
    );
    let (report, status) = project.check(".");
    assert_eq!(status, 0);
    let mut found = lines(&report);
    found.sort();
    assert_eq!(
        found,
        [
            "error lua luaclib/mine.so",
            "note lua-inside lualib-src/lua-sharetable.c:1",
            "warning lua-inside lualib-src/lua-mine.c:1",
            "warning unchecked-lua luaclib/md5.so",
        ]
    );
    let all = report["findings"].as_array().unwrap();
    assert!(all.iter().all(|finding| finding["only"] == "executable"));
    let text = String::from_utf8(project.run(&["."]).stdout).unwrap();
    let end = "\nerrors: 0, warnings: 0, notes: 0\n\
               for the executable swap besides: errors: 1, warnings: 2, notes: 1\n";
    assert!(text.ends_with(end), "{text}");
    assert!(
        text.contains("-DSKYNET_API_VERSION of the release"),
        "{text}"
    );
}

#[test]
fn a_script_of_another_luac_is_an_error_and_one_of_this_lua_is_none() {
    let project = Project::new("luac", &[]);
    project.write("lualib/old.lua", "\u{1b}LuaT\0\u{19}");
    project.write("lualib/new.lua", "\u{1b}LuaU\0\u{19}");
    assert_eq!(project.findings("."), ["error lua-syntax lualib/old.lua"]);
}

#[test]
fn a_call_of_a_function_that_is_gone_is_named_with_its_line() {
    let script = "local socket = require 'skynet.socket'\nsocket.lock(1)\nsocket.close(1)\n";
    let project = Project::new("gone", &[("service/main.lua", script)]);
    let found = project.findings(".");
    assert_eq!(found, ["warning old-function service/main.lua:2"]);
}

/// Here it lies in a folder that has a `lualib` and a `service`, and is started above that.
#[test]
fn a_config_is_judged_from_where_its_paths_lead_somewhere() {
    let config = "thread = 1\nharbor = 0\nstart = 'main'\npreload = './server/lualib/first.lua'\n\
                  luaservice = './server/service/?.lua;./service/?.lua'\nlua_path = './server/?.lua'\n";
    let files = [
        ("server/config", config),
        ("server/lualib/first.lua", "return 1\n"),
        ("server/service/main.lua", "return 1\n"),
    ];
    let project = Project::new("above", &files);
    assert_eq!(project.findings("."), ["note path server/config"]);
}

#[test]
fn a_key_of_the_projects_own_that_is_a_setting_here_is_named() {
    let config = "thread = 1\nharbor = 0\nstart = 'main'\nmailbox_limit = '64k'\nlog_level = 3\n";
    let script = "local level = skynet.getenv 'log_level'\n";
    let project = Project::new("taken", &[("config", config), ("service/main.lua", script)]);
    let (report, _) = project.check(".");
    assert_eq!(lines(&report), ["warning taken-key config"]);
    assert!(
        report["findings"][0]["what"]
            .as_str()
            .unwrap()
            .contains("`log_level`")
    );
}

#[test]
fn a_config_elsewhere_is_judged_from_here_and_the_report_says_so() {
    let config = "thread = 1\nharbor = 0\nstart = 'main'\n";
    let project = Project::new("elsewhere", &[("server/config", config)]);
    let said = |path: &str| String::from_utf8(project.run(&[path]).stdout).unwrap();
    let here = project.0.canonicalize().unwrap();
    let line = format!(
        "relative paths are seen from {}, where you are",
        here.display()
    );
    assert!(
        said("server/config").contains(&line),
        "{}",
        said("server/config")
    );
    assert!(!said("server").contains("relative paths"));
}

/// `skynet.log` in there reads `log_level`, which is no key of the project's own for that.
#[test]
fn what_skynet_types_writes_is_not_of_the_project() {
    let config = "thread = 1\nharbor = 0\nstart = 'main'\nlog_level = 'warn'\n";
    for folder in [".types", "types"] {
        let name = format!("with{folder}");
        let project = Project::new(
            &name,
            &[("config", config), ("service/main.lua", "return 1\n")],
        );
        let before = project.check(".").0;
        let mut types = Command::new(env!("CARGO_BIN_EXE_skynet"));
        let written = types
            .args(["types", folder])
            .current_dir(&project.0)
            .output();
        assert!(written.expect("the executable runs").status.success());
        let after = project.check(".").0;
        assert_eq!(before["findings"], after["findings"], "{folder}");
        let what = after["findings"][0]["what"].as_str().unwrap();
        assert!(what.contains("should be debug, info"), "{what}");
        if folder == ".types" {
            assert_eq!(before["seen"], after["seen"]);
        }
    }
}

/// Nothing compiled is there to say which Lua the scripts were written for.
#[test]
fn the_release_says_which_lua_the_scripts_are_for() {
    let headers = [
        ("skynet-src/skynet.h", ""),
        (
            "skynet-src/skynet_imp.h",
            "struct skynet_config { int profile; };",
        ),
    ];
    let (report, _) = Project::new("release-lua", &headers).check(".");
    assert_eq!(report["lua"][0]["version"], "5.3");
    assert_eq!(report["swap"], "link");
    assert_eq!(report["define"], "-DSKYNET_API_VERSION=10100");
}

#[test]
fn a_value_that_nobody_understands_is_named_with_what_is_allowed() {
    let config = "\
log_time = 'noon'
log_level = 'warn'
mailbox_policy = 'block'
http_body_limit = '64 kilobytes'
crash_report = 'no'
debug_adapter = 'port'
login_clients = 'few'
websocket_memory = 512 * 1024
dashboard = 'red'
start = 'main'
harbor = 0
";
    let main = "local colour = require 'skynet'.getenv 'dashboard'";
    let project = Project::new("values", &[("config", config), ("service/main.lua", main)]);
    let (report, status) = project.check("config");
    assert_eq!(status, 1);
    let list = report["findings"].as_array().unwrap();
    let of_values = list.iter().filter(|finding| finding["kind"] == "value");
    let mut found: Vec<_> = of_values
        .map(|one| {
            (
                one["level"].as_str().unwrap(),
                one["what"].as_str().unwrap(),
            )
        })
        .collect();
    found.sort_unstable();
    // The project has a `dashboard` of its own.
    assert_eq!(
        found,
        [
            ("error", "mailbox_policy = block should be reject or drop"),
            ("warning", "crash_report = no should be true or false"),
            (
                "warning",
                "debug_adapter = port should be a port, or unix: with a path"
            ),
            (
                "warning",
                "http_body_limit = 64 kilobytes should be a number such as 500, 64k or 1.5m"
            ),
            (
                "warning",
                "log_level = warn should be debug, info, warning, error or off"
            ),
            ("warning", "log_time = noon should be iso"),
            (
                "warning",
                "login_clients = few should be a number of 0 or above"
            ),
        ]
    );
}
