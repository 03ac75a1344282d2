//! The Lua modules in Rust: runs `tests/modules/*.lua`. The same files pass with the C core and its modules (see
//! `tools::node`), so each is an expectation taken from there; what differs on purpose says so in the file.
#![cfg(feature = "lua")]

#[path = "../tools/mod.rs"]
mod tools;

/// One test for each file of `tests/modules`.
macro_rules! modules {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                tools::node::run_test("modules", stringify!($name), "");
            }
        )*
    };
}

modules! {
    bson_documents,
    bson_values,
    mongo_driver,
    datasheet,
    debugchannel,
    cluster,
    crypt,
    md5,
    ltls,
    client,
    gate,
    memory,
    netpack,
    socketdriver,
    sproto_core,
    sproto_schemas,
    multicast,
    sharedata,
    sharetable,
    stm,
    lpeg_captures,
    lpeg_matching,
    lpeg_programs,
    re_module,
}

/// The C services as the files that an old tree has in `cservice`.
#[cfg(target_os = "linux")]
#[test]
fn c_services_work_as_files() {
    let files = tools::c_services();
    let config = format!("cpath = \"{}/?.so\"\ngate_port = 28840", files.display());
    tools::node::run_test("modules", "service_files", &config);
}
