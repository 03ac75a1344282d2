//! What old releases of the C core have left in a project.

use super::{Project, lines};
use std::fs;

#[test]
fn old_harbors_and_readers_of_socket_lists_have_to_be_rebuilt() {
    let project = Project::new("old", &[]);
    project.compile(
        "cservice/harbor.so",
        "int skynet_socket_send(void *, int, void *, int); int harbor_init(void) { return skynet_socket_send(0, 0, 0, 0); }",
    );
    project.compile(
        "luaclib/skynet.so",
        "void *skynet_socket_info(void); void *lua_newuserdata(void *, long); void lua_rotate(void *, int, int);\n\
         int luaopen_skynet(void *L) { lua_newuserdata(L, 8); lua_rotate(L, 1, 1); skynet_socket_info(); return 0; }",
    );
    let found = project.findings(".");
    assert!(
        found.contains(&"error old-harbor cservice/harbor.so".into()),
        "{found:?}"
    );
    assert!(
        found.contains(&"error socket-info luaclib/skynet.so".into()),
        "{found:?}"
    );
}

/// With its source in the project, an old harbor is compiled again by the link swap.
#[test]
fn an_old_harbor_that_has_its_source_stands_in_the_way_of_the_executable_alone() {
    let project = Project::new(
        "harbor",
        &[("service-src/service_harbor.c", "int harbor_init;\n")],
    );
    project.compile(
        "cservice/harbor.so",
        "int skynet_socket_send(void *, int, void *, int); int harbor_init(void) { return skynet_socket_send(0, 0, 0, 0); }",
    );
    let (report, _) = project.check(".");
    assert_eq!(report["findings"][0]["kind"], "old-harbor");
    assert_eq!(report["findings"][0]["only"], "executable");
}

/// Nothing in a compiled service says how it takes the end of a stream; its age does.
#[test]
fn old_services_with_sockets_need_the_release_in_the_config() {
    let config = "thread = 1\nharbor = 0\nstart = 'main'\n";
    let files = [("config", config), ("service/main.lua", "return 1\n")];
    let project = Project::new("sockets", &files);
    let source = "int skynet_socket_start(void *, int), skynet_socket_send(void *, int, void *, int);\n\
         int NAME_init(void) { return skynet_socket_start(0, 0) + skynet_socket_send(0, 0, 0, 0); }";
    for name in ["gate", "mine"] {
        let lib = format!("cservice/{name}.so");
        project.compile(&lib, &source.replace("NAME", name));
    }
    let (report, status) = project.check(".");
    assert_eq!(status, 0);
    let kinds = lines(&report);
    for name in ["gate", "mine"] {
        let line = format!("warning old-sockets cservice/{name}.so");
        assert!(kinds.contains(&line), "{kinds:?}");
    }
    project.write("config", &format!("{config}api_version = '1.0.0'\n"));
    assert_eq!(project.findings("."), [""; 0]);
}

/// Files of v1.0.0 have had other names since; nothing has to be built for them.
#[test]
fn what_came_with_skynet_1_0_is_to_be_removed_and_not_built_again() {
    let skynet = "local profile = require \"profile\"\nreturn {}\n";
    let clusterd = "local addr, session, msg = core.unpackrequest(msg)\n";
    let project = Project::new(
        "first",
        &[
            ("lualib/skynet.lua", skynet),
            ("lualib/socket.lua", "return require 'socketdriver'\n"),
            ("service/clusterd.lua", clusterd),
            ("service/mine.lua", "local socket = require 'socket'\n"),
        ],
    );
    let old =
        "void lua_resetthread(void *); int luaopen_NAME(void *L) { lua_resetthread(L); return 0; }";
    for name in ["socketdriver", "profile", "mine"] {
        project.compile(&format!("luaclib/{name}.so"), &old.replace("NAME", name));
    }
    let (report, status) = project.check(".");
    assert_eq!((status, report["swap"].as_str()), (0, Some("link")));
    assert!(report["alternative"].is_null(), "mine.so has to be built");
    let list = report["findings"].as_array().unwrap();
    let remedy = |place: &str| {
        let finding = list.iter().find(|finding| finding["place"] == place);
        finding.unwrap_or_else(|| panic!("{place}: {report:#}"))["remedy"]
            .as_str()
            .unwrap()
    };
    for place in ["luaclib/socketdriver.so", "luaclib/profile.so"] {
        assert!(remedy(place).starts_with("remove the file"), "{place}");
    }
    assert!(remedy("luaclib/mine.so").starts_with("build it"));
    for place in ["lualib/skynet.lua", "service/clusterd.lua"] {
        assert!(remedy(place).starts_with("remove the release's own"));
    }
    assert!(remedy("service/mine.lua:1").contains("compat10"));
    let goes: Vec<_> = list
        .iter()
        .filter(|f| f["kind"] == "release-file")
        .collect();
    let places: Vec<_> = goes.iter().map(|f| f["place"].as_str().unwrap()).collect();
    let whole = [
        "lualib/skynet.lua",
        "lualib/socket.lua",
        "service/clusterd.lua",
    ];
    assert_eq!(places, whole);

    fs::remove_file(project.0.join("luaclib/mine.so")).unwrap();
    let (report, _) = project.check(".");
    let other = report["alternative"].as_str().unwrap_or_default();
    assert!(other.starts_with("executable"), "{report:#}");
}

/// What stands in the way of the other swap is told too, and does not count.
#[test]
fn the_layer_of_an_old_release_is_to_be_removed_for_the_executable_swap() {
    let text = "for name in pairs {} do\n\tname = 1\nend\n";
    let project = Project::new("layer", &[("service/clusterd.lua", text)]);
    let (report, status) = project.check(".");
    let finding = &report["findings"][0];
    assert_eq!(
        (status, finding["place"].as_str()),
        (1, Some("service/clusterd.lua:2"))
    );
    let remedy = finding["remedy"].as_str().unwrap();
    assert!(
        remedy.starts_with("remove the release's own lualib and service"),
        "{remedy}"
    );

    project.compile(
        "cservice/snlua.so",
        "void lua_resetthread(void *); int snlua_init(void *L) { lua_resetthread(L); return 0; }",
    );
    let (report, status) = project.check(".");
    assert_eq!((status, report["swap"].as_str()), (0, Some("link")));
    let list = report["findings"].as_array().unwrap();
    assert_eq!(list.len(), 3, "{report:#}");
    assert!(list.iter().all(|finding| finding["only"] == "executable"));
    assert!(
        list.iter()
            .any(|f| f["remedy"].as_str().unwrap().starts_with("remove the file"))
    );
}

#[test]
fn names_of_skynet_1_0_are_told_unless_the_config_brings_them_back() {
    let config = "thread = 1\nharbor = 0\nstart = 'main'\nluaservice = './service/?.lua'\n";
    let script = (
        "service/main.lua",
        "local s = require(\"socket\")\nlocal r = require 'mine'\n",
    );
    let project = Project::new("names", &[("config", config), script]);
    assert_eq!(
        project.findings("."),
        ["warning old-module service/main.lua:1"]
    );
    project.write(
        "config",
        &format!("{config}lua_path = './lualib/compat10/?.lua'\n"),
    );
    assert_eq!(project.findings("."), ["note path config"]);
    project.write("config", config);
    project.write("lib/socket.lua", "return {}");
    assert_eq!(project.findings("."), [""; 0]);
}
