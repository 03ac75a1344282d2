//! The Lua modules in Rust: runs `tests/modules/*.lua`. The same files pass with the C core and its modules (see
//! `tools::node`), so each is an expectation taken from there; what differs on purpose says so in the file.
#![cfg(feature = "lua")]

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
    multicast,
    sharedata,
    sharetable,
    stm,
    lpeg_module,
    re_module,
}
