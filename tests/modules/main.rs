//! The Lua modules in Rust: runs `tests/modules/*.lua`. The same files pass with the C core and its modules (see
//! `tools::node`), so each is an expectation taken from there; what differs on purpose says so in the file.
//! `cargo test --test modules NAME` runs files, or single cases of them.

#[path = "../tools/mod.rs"]
mod tools;

use tools::cases::{LuaFile, Run, lua_file, plain};

const PROPERTY: &str = "does_what_the_module_in_c_does";

const FILES: &[LuaFile] = &[
    lua_file("bson_documents", PROPERTY, plain),
    lua_file("bson_values", PROPERTY, plain),
    lua_file("cjson_values", PROPERTY, plain),
    lua_file("cjson_settings", PROPERTY, plain),
    lua_file("mongo_driver", PROPERTY, plain),
    lua_file("datasheet", PROPERTY, plain),
    lua_file("debugchannel", PROPERTY, plain),
    lua_file("cluster", PROPERTY, plain),
    lua_file("crypt", PROPERTY, plain),
    lua_file("md5", PROPERTY, plain),
    lua_file("ltls", PROPERTY, plain),
    lua_file("client", PROPERTY, plain),
    lua_file("gate", PROPERTY, plain),
    lua_file("memory", PROPERTY, plain),
    lua_file("netpack", PROPERTY, plain),
    lua_file("socketdriver", PROPERTY, plain),
    lua_file("sproto_core", PROPERTY, plain),
    lua_file("sproto_schemas", PROPERTY, plain),
    lua_file("multicast", PROPERTY, plain),
    lua_file("sharedata", PROPERTY, plain),
    lua_file("sharetable", PROPERTY, plain),
    lua_file("stm", PROPERTY, plain),
    lua_file("lpeg_captures", PROPERTY, plain),
    lua_file("lpeg_matching", PROPERTY, plain),
    lua_file("lpeg_programs", PROPERTY, plain),
    lua_file("re_module", PROPERTY, plain),
    #[cfg(target_os = "linux")]
    lua_file("service_files", "c_services_work_as_files", service_files),
];

fn main() {
    tools::cases::main("modules", FILES);
}

/// The C services as the files that an old tree has in `cservice`.
#[cfg(target_os = "linux")]
fn service_files(run: &Run) {
    let files = tools::c_services();
    run.node(&format!(
        "cpath = \"{}/?.so\"\ngate_port = 28840",
        files.display()
    ));
}
